import errno
import socket
import ssl

import httpx
import pytest

from clientcreds_proxy.errors import TokenUnavailable
from clientcreds_proxy.tokens.server.transport import transport_failure


def failure_of(cause: Exception, *, proxied: bool = False) -> TokenUnavailable:
    error = RuntimeError("all connection attempts failed")
    error.__cause__ = cause
    return transport_failure(error, "idp", proxied=proxied)


def untrusted(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "the reason"
    return error


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ConnectionRefusedError(111, "refused"), "idp refused the connection"),
        (socket.gaierror(-2, "unknown"), "the name idp can't be resolved"),
        (ssl.SSLError(1, "alert"), "no TLS connection with idp: it failed"),
        (untrusted(18), "the certificate of idp is not trusted: the reason"),
        (OSError(errno.EHOSTUNREACH, "no route"), "idp can't be reached"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "the connection with idp failed"),
        (httpx.RemoteProtocolError("garbage"), "idp broke off its answer, or that is not HTTP"),
        (
            ExceptionGroup("all addresses", [OSError(errno.EPERM, "v6"), ConnectionRefusedError(111, "v4")]),
            "idp refused the connection",
        ),
        (ExceptionGroup("all addresses", [OSError(errno.EPERM, "v6")]), "the connection with idp failed"),
    ],
)
def test_transport_failure_names_the_cause_however_deep_it_lies(cause: Exception, words: str) -> None:
    assert failure_of(cause).detail == words


@pytest.mark.parametrize(
    ("cause", "hint"),
    [
        (ConnectionRefusedError(111, "refused"), "check host and port"),
        (socket.gaierror(-2, "unknown"), "the host in token_url or issuer"),
        (untrusted(18), "client.tls.ca"),
        (untrusted(20), "client.tls.ca"),
        (untrusted(62), "another server's certificate"),
        (untrusted(10), "this machine's clock"),
        (OSError(errno.EHOSTUNREACH, "no route"), "set client.proxy"),
    ],
)
def test_transport_failure_says_what_to_do(cause: Exception, hint: str) -> None:
    assert hint in (failure_of(cause).hint or "")


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ConnectionRefusedError(111, "refused"), "client.proxy refused the connection"),
        (socket.gaierror(-2, "unknown"), "the name client.proxy can't be resolved"),
        (OSError(errno.EHOSTUNREACH, "no route"), "the connection with client.proxy failed"),
        (httpx.ProxyError("407 Proxy Authentication Required"), "client.proxy opened no tunnel to idp: 407"),
        (httpx.ProxyError("what it says: s3cr3t"), "client.proxy opened no tunnel to idp"),
    ],
)
def test_transport_failure_tells_the_proxy_from_the_server(cause: Exception, words: str) -> None:
    failure = failure_of(cause, proxied=True)

    assert failure.detail == words
    assert "token_url" not in (failure.hint or "")
