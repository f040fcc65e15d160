import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clientcreds_proxy.rules.host import normalise, split_host_port
from clientcreds_proxy.rules.pattern import PatternError, parse_host

LABELS = st.text(string.ascii_letters + string.digits + "-_éßÜ☃", min_size=1, max_size=12)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
HOSTS = st.one_of(NAMES, ADDRESSES)


def normal_or_none(host: str) -> str | None:
    try:
        return normalise(host)
    except ValueError:
        return None


@given(st.one_of(HOSTS, st.text(max_size=40)))
def test_normalise_is_idempotent(host: str) -> None:
    normal = normal_or_none(host)

    assert normal is None or normalise(normal) == normal


@given(NAMES)
def test_normalise_ignores_case_and_one_trailing_dot(host: str) -> None:
    normal = normal_or_none(host)

    assert normal_or_none(f"{host}.") == normal
    assert normal_or_none(host.lower()) == normal


@given(st.text(max_size=40))
def test_normalise_gives_nothing_that_could_end_a_line_or_a_host(host: str) -> None:
    normal = normal_or_none(host) or ""

    assert set(normal) <= set(string.ascii_lowercase + string.digits + "-_.:")


@given(HOSTS, st.integers(1, 65535))
def test_split_host_port_undoes_joining(host: str, port: int) -> None:
    joined = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    found, at = split_host_port(joined)

    assert (normal_or_none(found), at) == (normal_or_none(host), port)


@given(st.text(max_size=40))
def test_split_host_port_raises_value_errors_alone(text: str) -> None:
    try:
        _, port = split_host_port(text)
    except ValueError:
        return
    assert port is None or 0 < port < 65536


@given(HOSTS, HOSTS)
def test_an_exact_pattern_matches_what_normalises_alike(pattern: str, host: str) -> None:
    normal = normal_or_none(host)
    if normal is None or normal_or_none(pattern) is None:
        return
    parsed, _ = parse_host(pattern)

    assert parsed.matches(normal) == (normal == normalise(pattern))


@given(NAMES, NAMES)
def test_a_wildcard_matches_whole_labels(front: str, base: str) -> None:
    host, base_normal = normal_or_none(f"{front}.{base}"), normal_or_none(base)
    if host is None or base_normal is None:
        return
    one, _ = parse_host(f"*.{base}")
    many, _ = parse_host(f"**.{base}")

    assert many.matches(host)
    assert one.matches(host) == (host.count(".") == base_normal.count(".") + 1)
    assert not many.matches(base_normal)
    assert not many.matches(f"x{base_normal}")


@given(st.ip_addresses().map(str))
def test_an_address_takes_no_wildcard(address: str) -> None:
    with pytest.raises(PatternError):
        parse_host(f"**.{address}")
