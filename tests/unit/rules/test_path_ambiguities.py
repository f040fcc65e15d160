import pytest

from clientcreds_proxy.rules.path import ambiguities, path_of, segments_of


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/", ("",)),
        ("/a/b", ("a", "b")),
        ("/a/", ("a", "")),
        ("/a//b", ("a", "", "b")),
        ("/%61%2D%2e%5F%7e", ("a-._~",)),
        ("/a%2fb", ("a%2Fb",)),
        ("/%c3%a9", ("%C3%A9",)),
        ("/é", ("%C3%A9",)),
        ("/\udce9", ("%E9",)),
        ("/%2561", ("%2561",)),
        ("/100%/%zz/%4", ("100%", "%zz", "%4")),
        ("/a;v=1/b", ("a;v=1", "b")),
        ("*", ()),
    ],
)
def test_segments_of_decodes_unreserved_characters_only(path: str, segments: tuple[str, ...]) -> None:
    assert segments_of(path) == segments


@pytest.mark.parametrize(
    ("target", "path"), [("/a?b=/c", "/a"), ("/a??b", "/a"), ("/a", "/a"), ("/a%3Fb", "/a%3Fb"), ("*", "*")]
)
def test_path_of_cuts_the_query_off(target: str, path: str) -> None:
    assert path_of(target) == path


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/a",
        "/a/",
        "/a.b/..c/d../...",
        "/a/.b",
        "/a;x=1/b",
        "/a%20b",
        "/100%25",
        "/é",
        "/%252e%252e",
        "/a%3Bb",
        "*",
    ],
)
def test_ambiguities_finds_none(path: str) -> None:
    assert ambiguities(path) == frozenset()


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/a/../b", {"a dot segment"}),
        ("/a/.", {"a dot segment"}),
        ("/..", {"a dot segment"}),
        ("/a/.%2E/b", {"a dot segment"}),
        ("/a/%2e%2e", {"a dot segment"}),
        ("/a/%2E", {"a dot segment"}),
        ("/a/..;/b", {"a dot segment"}),
        ("/a/..;x=1/b", {"a dot segment"}),
        ("/a/.;/b", {"a dot segment"}),
        ("/a/%2e.%3bx/b", {"a dot segment"}),
        ("/a%2Fb", {"an encoded slash"}),
        ("/a%2fb", {"an encoded slash"}),
        ("/a%2f..%2fb", {"a dot segment", "an encoded slash"}),
        ("/a\\..\\b", {"a dot segment", "an unsafe character"}),
        ("/a/..%5cb", {"a dot segment", "an unsafe character"}),
        ("//a", {"an empty segment"}),
        ("/a//b", {"an empty segment"}),
        ("/a//", {"an empty segment"}),
        ("/a//../b", {"an empty segment", "a dot segment"}),
        ("/a%5cb", {"an unsafe character"}),
        ("/a%5Cb", {"an unsafe character"}),
        ("/a\\b", {"an unsafe character"}),
        ("/a%00", {"an unsafe character"}),
        ("/a%0d%0ab", {"an unsafe character"}),
        ("/a%1fb", {"an unsafe character"}),
        ("/a%7fb", {"an unsafe character"}),
        ("/a\x7fb", {"an unsafe character"}),
        ("/a\tb", {"an unsafe character"}),
        ("/a b", {"an unsafe character"}),
        ("/a#b", {"an unsafe character"}),
        ("a/b", {"an unsafe character"}),
        ("", {"an unsafe character"}),
        ("**", {"an unsafe character"}),
    ],
)
def test_ambiguities_names_every_kind(path: str, found: set[str]) -> None:
    assert ambiguities(path) == found
