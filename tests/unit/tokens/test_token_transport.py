import socket
import ssl

import pytest

from clientcreds_proxy.tokens.transport import transport_words


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ConnectionRefusedError(111, "refused"), "idp refused the connection"),
        (socket.gaierror(-2, "unknown"), "the name idp can't be resolved"),
        (ssl.SSLError(1, "alert"), "no TLS connection with idp: it failed"),
        (OSError(113, "no route"), "the connection with idp failed"),
        (
            ExceptionGroup("all addresses", [OSError(101, "v6"), ConnectionRefusedError(111, "v4")]),
            "idp refused the connection",
        ),
        (ExceptionGroup("all addresses", [OSError(101, "v6")]), "the connection with idp failed"),
    ],
)
def test_transport_words_name_the_cause_however_deep_it_lies(cause: Exception, words: str) -> None:
    error = RuntimeError("all connection attempts failed")
    error.__cause__ = cause

    assert transport_words(error, "idp") == words
