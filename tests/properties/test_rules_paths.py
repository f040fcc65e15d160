import string
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from clientcreds_proxy.rules.path import ambiguities, segments_of
from clientcreds_proxy.rules.pattern import PatternError, parse_path

UNRESERVED = string.ascii_letters + string.digits + "-._~"
PATHS = st.text(f"{UNRESERVED}/:;@!$&'()+,=%é \\#\x00\udce9", max_size=20).map("/{}".format)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a path of unreserved characters, and the same with some of them escaped."""
    path = "/" + draw(st.text(UNRESERVED + "/", max_size=20))
    cases = ("{}", "%{:02x}", "%{:02X}")
    written = [draw(st.sampled_from(cases)) if letter in UNRESERVED else "{}" for letter in path]
    spelled = "".join(
        form.format(ord(letter) if "%" in form else letter)
        for form, letter in zip(written, path, strict=True)
    )
    return path, spelled


@given(spellings())
def test_escaped_unreserved_characters_make_no_difference(both: tuple[str, str]) -> None:
    plain, spelled = both

    assert segments_of(spelled) == segments_of(plain)
    assert ambiguities(spelled) == ambiguities(plain)


@given(PATHS)
def test_segments_name_the_same_path(path: str) -> None:
    joined = "/" + "/".join(segments_of(path))

    assert unquote(joined, errors="surrogateescape") == unquote(path, errors="surrogateescape")
    assert segments_of(joined) == segments_of(path)
    assert joined.isascii()


@given(PATHS)
def test_a_path_without_ambiguities_decodes_to_its_own_segments(path: str) -> None:
    if ambiguities(path):
        return
    decoded = unquote(path, errors="surrogateescape")

    assert decoded.count("/") == path.count("/")
    assert not {".", ".."} & set(decoded.split("/"))
    assert "" not in decoded.split("/")[1:-1]
    assert not any(character < " " or character in "\\\x7f" for character in decoded)


@given(PATHS)
def test_a_pattern_is_a_path_that_all_servers_read_alike_and_matches_itself(path: str) -> None:
    try:
        pattern = parse_path(path)
    except PatternError:
        return

    assert ambiguities(path) <= {"an encoded slash"}
    assert pattern.matches(segments_of(path))
