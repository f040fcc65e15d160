import pytest

from clientcreds_proxy.observe.distrust import Hello, in_words


def said(hello: Hello, *, alpn: tuple[bytes, ...] = (), is_certain: bool = True) -> str:
    return in_words(hello, "api.test", alpn=alpn, is_certain=is_certain)


@pytest.mark.parametrize(
    ("agent", "mend"),
    [
        ("curl/8.1", "CURL_CA_BUNDLE"),
        ("Wget/1.21.3", "WGETRC"),
        ("git/2.39.5", "GIT_SSL_CAINFO"),
        ("Go-http-client/1.1", "SSL_CERT_FILE"),
        ("node/20.20.2", "NODE_EXTRA_CA_CERTS"),
        ("Python/3.13 aiohttp/3.14.5", "SSL_CERT_FILE"),
        ("Java/17.0.15", "-Djavax.net.ssl.trustStore"),
        ("Mozilla/5.0 (X11)", "clientcreds ca path"),
        ("something/1", "SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE"),
    ],
)
def test_a_client_that_names_itself_is_told_its_variable(agent: str, mend: str) -> None:
    line = said(Hello(agent=agent))

    assert line.startswith(f"{agent} does not trust the proxy's CA for api.test: ")
    assert mend in line


@pytest.mark.parametrize(
    ("headers", "alpn", "start", "mend"),
    [
        (("host", "connection", "proxy-connection"), (), "a client (Node.js?)", "NODE_EXTRA_CA_CERTS"),
        (("Host", "Accept"), (b"http/1.1",), "a client (Python's httpx?)", "SSL_CERT_FILE"),
        (("Host",), (b"http/1.1",), "a client (Python?)", "REQUESTS_CA_BUNDLE"),
        (("Host",), (b"h2", b"http/1.1"), "a client (Java?)", "trustStore"),
        (("Host",), (), "a client seems", "GIT_SSL_CAINFO"),
        ((), (), "a client seems", "GIT_SSL_CAINFO"),
    ],
)
def test_a_client_that_does_not_is_known_by_its_habits(
    headers: tuple[str, ...], alpn: tuple[bytes, ...], start: str, mend: str
) -> None:
    line = said(Hello(headers=headers), alpn=alpn, is_certain=False)

    assert line.startswith(start)
    assert "seems not to trust" in line
    assert mend in line


def test_a_client_s_own_words_are_cut_and_cleaned() -> None:
    assert said(Hello(agent="x\r\n\x1b[31m" + "y" * 100)).startswith("x???[31m" + "y" * 52 + " does not")
