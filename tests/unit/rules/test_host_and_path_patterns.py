import pytest

from clientcreds_proxy.rules.path import segments_of
from clientcreds_proxy.rules.pattern import PatternError, parse_host, parse_path


@pytest.mark.parametrize(
    ("pattern", "host"),
    [
        ("api.example.com", "api.example.com"),
        ("API.Example.com.", "api.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("*.example.com", "api.example.com"),
        ("**.example.com", "api.example.com"),
        ("**.example.com", "a.b.c.example.com"),
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("[2001:db8:0::1]", "2001:db8::1"),
    ],
)
def test_host_pattern_matches(pattern: str, host: str) -> None:
    parsed, _ = parse_host(pattern)

    assert parsed.matches(host)


@pytest.mark.parametrize(
    ("pattern", "host"),
    [
        ("api.example.com", "example.com"),
        ("api.example.com", "x.api.example.com"),
        ("*.example.com", "example.com"),
        ("*.example.com", "a.b.example.com"),
        ("*.example.com", "evilexample.com"),
        ("*.example.com", ".example.com"),
        ("**.example.com", "example.com"),
        ("**.example.com", "evilexample.com"),
        ("**.example.com", "api.example.com.evil.net"),
        ("192.0.2.1", "192.0.2.10"),
    ],
)
def test_host_pattern_does_not_match(pattern: str, host: str) -> None:
    parsed, _ = parse_host(pattern)

    assert not parsed.matches(host)


@pytest.mark.parametrize(
    ("text", "port", "written"),
    [
        ("api.example.com", None, "api.example.com"),
        ("API.example.com:8443", 8443, "api.example.com"),
        ("*.example.com:80", 80, "*.example.com"),
        ("**.example.com", None, "**.example.com"),
        ("[::1]:8443", 8443, "::1"),
    ],
)
def test_parse_host_gives_pattern_and_port(text: str, port: int | None, written: str) -> None:
    pattern, found = parse_host(text)

    assert (str(pattern), found) == (written, port)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("https://api.example.com/v2", "without scheme and path"),
        ("api.example.com/v2", "without scheme and path"),
        ("*", r"expected api\.example\.com, \*\.example\.com"),
        ("*.", "empty"),
        ("", "empty"),
        ("api.*.com", r"holds '\*'"),
        ("***.example.com", r"holds '\*'"),
        ("*api.example.com", r"holds '\*'"),
        ("*.192.0.2.1", "no wildcard"),
        ("*.0.2.1", "four numbers"),
        ("api.example.com:https", "with or without a port"),
        ("::1:8443:x", "with or without a port"),
        ("fe80::1%eth0", "zone"),
    ],
)
def test_parse_host_says_what_is_wrong(text: str, wrong: str) -> None:
    with pytest.raises(PatternError, match=wrong):
        parse_host(text)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/a/b", "/a/b"),
        ("/", "/"),
        ("/a/", "/a/"),
        ("/a/*", "/a/b"),
        ("/a/{id}/c", "/a/b/c"),
        ("/a/**", "/a"),
        ("/a/**", "/a/"),
        ("/a/**", "/a/b/c/"),
        ("/**", "/"),
        ("/**", "*"),
        ("/**/c", "/c"),
        ("/**/c", "/a/b/c"),
        ("/a/**/c", "/a/c"),
        ("/a/**/c/*/e", "/a/c/c/d/e"),
        ("/**/**", "/a"),
        ("/~user", "/%7Euser"),
        ("/%7euser", "/~user"),
        ("/a%2fb", "/a%2Fb"),
        ("/straße", "/stra%c3%9fe"),
        ("/a:b@c", "/a:b@c"),
        ("/.well-known/x", "/%2ewell-known/x"),
    ],
)
def test_path_pattern_matches(pattern: str, path: str) -> None:
    assert parse_path(pattern).matches(segments_of(path))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/a", "/a/"),
        ("/a/", "/a"),
        ("/a", "/A"),
        ("/a", "/ab"),
        ("/a", "/a/b"),
        ("/a/*", "/a"),
        ("/a/*", "/a/"),
        ("/a/*", "/a/b/c"),
        ("/a/**", "/ab"),
        ("/a/**/c", "/a/b"),
        ("/", "*"),
        ("/*", "*"),
        ("/a/b", "/a%2Fb"),
        ("/a:b", "/a%3Ab"),
    ],
)
def test_path_pattern_does_not_match(pattern: str, path: str) -> None:
    assert not parse_path(pattern).matches(segments_of(path))


def test_path_pattern_prints_as_it_was_written() -> None:
    assert str(parse_path("/a/{id}/%7e")) == "/a/{id}/%7e"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "start with /"),
        ("a/b", "start with /"),
        ("*", "start with /"),
        ("/a?b=c", "without . and #"),
        ("/a#b", "without . and #"),
        ("/a//b", "an empty segment"),
        ("/a/../b", "a dot segment"),
        ("/a/%2e%2E/b", "a dot segment"),
        ("/a\\b", "an unsafe character"),
        ("/a b", "an unsafe character"),
        ("/a%0ab", "an unsafe character"),
        ("/100%", "expected %25"),
        ("/%zz", "expected %25"),
        ("/a*", "stand alone"),
        ("/a/**b", "stand alone"),
        ("/***", "stand alone"),
        ("/v{id}", "stand alone"),
        ("/{}", "stand alone"),
        ("/{a b}", "an unsafe character"),
    ],
)
def test_parse_path_says_what_is_wrong(text: str, wrong: str) -> None:
    with pytest.raises(PatternError, match=wrong):
        parse_path(text)
