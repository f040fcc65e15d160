from dataclasses import replace
from pathlib import Path

import pytest

from clientcreds_proxy.cli.clients.table import (
    Address,
    Files,
    java_options,
    java_tool_options,
    node_options,
    variables,
)

FILES = Files(
    bundle=Path("/run/bundle.pem"),
    truststore=Path("/run/truststore.p12"),
    truststore_password="changeit",
    wgetrc=Path("/run/wgetrc"),
    node_shim=Path("/lib/shim.cjs"),
)
PROXY = Address(port=3128)


def test_variables_are_those_of_every_client() -> None:
    assert variables(PROXY, FILES, hidden=("a.example", "localhost"), own={}) == {
        "http_proxy": "http://127.0.0.1:3128",
        "HTTP_PROXY": "http://127.0.0.1:3128",
        "https_proxy": "http://127.0.0.1:3128",
        "HTTPS_PROXY": "http://127.0.0.1:3128",
        "no_proxy": "a.example,localhost",
        "NO_PROXY": "a.example,localhost",
        "SSL_CERT_FILE": "/run/bundle.pem",
        "REQUESTS_CA_BUNDLE": "/run/bundle.pem",
        "CURL_CA_BUNDLE": "/run/bundle.pem",
        "GIT_SSL_CAINFO": "/run/bundle.pem",
        "CARGO_HTTP_CAINFO": "/run/bundle.pem",
        "NODE_EXTRA_CA_CERTS": "/run/bundle.pem",
        "WGETRC": "/run/wgetrc",
        "NODE_USE_ENV_PROXY": "1",
        "NODE_OPTIONS": "--require /lib/shim.cjs",
        "JAVA_TOOL_OPTIONS": (
            "-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=3128"
            " -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=3128"
            " -Dhttp.nonProxyHosts=a.example|*.a.example|localhost"
            " -Djavax.net.ssl.trustStore=/run/truststore.p12"
            " -Djavax.net.ssl.trustStoreType=PKCS12 -Djavax.net.ssl.trustStorePassword=changeit"
        ),
    }


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (Address(), "http://127.0.0.1:8080"),
        (Address(host="::1", port=1), "http://[::1]:1"),
        (Address(host="proxy", port=80, login="id:s%3A"), "http://id:s%3A@proxy:80"),
    ],
)
def test_address_is_a_url(address: Address, url: str) -> None:
    assert str(address) == url


def test_a_login_shows_in_no_repr() -> None:
    assert "s3cr3t" not in repr(Address(login="id:s3cr3t"))


@pytest.mark.parametrize(
    ("shim", "own", "whole"),
    [
        ("/a.cjs", "--max-old-space-size=4096", "--max-old-space-size=4096 --require /a.cjs"),
        ("/a.cjs", "--require /a.cjs --inspect", "--require /a.cjs --inspect"),
        ('/a "b"\\c.cjs', "", '--require "/a \\"b\\"\\\\c.cjs"'),
    ],
)
def test_node_options_are_appended_once(shim: str, own: str, whole: str) -> None:
    assert node_options(Path(shim), own) == whole


def test_java_options_take_the_place_of_the_same_ones() -> None:
    """The user's others stay, those of an earlier time do not pile up."""
    options = java_options(PROXY, FILES, ())
    own = "-Xmx1g '-Dname=with space' -Dhttp.proxyHost=old '-Djavax.net.ssl.trustStore=/o ld'"

    once = java_tool_options(options, own)

    assert once == " ".join(["-Xmx1g '-Dname=with space'", *options])
    assert java_tool_options(options, once) == once


def test_java_options_with_a_space_are_quoted() -> None:
    options = java_options(PROXY, replace(FILES, truststore=Path("/a b/t.p12")), ())

    assert '"-Djavax.net.ssl.trustStore=/a b/t.p12"' in java_tool_options(options, "")
