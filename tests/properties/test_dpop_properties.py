from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from clientcreds_proxy.tokens.proof.dpop import asks_for_nonce, origin, target, usable_nonce

HOSTS = st.sampled_from(["api.example.com", "API.Example.com", "127.0.0.1", "[::1]", "xn--bcher-kva.example"])
PORTS = st.one_of(st.just(""), st.integers(1, 65535).map(":{}".format))
REST = st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n"), max_size=30)


@given(st.sampled_from(["http", "https"]), HOSTS, PORTS, REST)
def test_target_is_an_absolute_url_in_ascii_and_stays_the_same(
    scheme: str, host: str, port: str, rest: str
) -> None:
    url = f"{scheme}://{host}{port}/{rest}"

    htu = target(url)

    parts = urlsplit(htu)
    assert htu.isascii()
    assert not parts.query
    assert not parts.fragment
    assert target(htu) == htu
    assert origin(htu) == origin(url) == f"{parts.scheme}://{parts.netloc}"


@given(st.text())
def test_no_answer_of_a_server_breaks_anything(text: str) -> None:
    asks_for_nonce(text)
    nonce = usable_nonce(text)

    assert nonce is None or nonce == text
