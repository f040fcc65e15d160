import pytest

from clientcreds_proxy.martian.inspect import (
    HostSetting,
    effects,
    every,
    folders,
    host_settings,
    leadings,
    without_effect,
)
from clientcreds_proxy.martian.parse import parse
from tests.unit.martian.messages import problems_of, request_with, response_with


def set_host(value: str, **fields: object) -> dict[str, object]:
    return {"header.Modifier": {"Name": "hOst", "Value": value} | fields}


def test_host_settings_are_found_all_over_the_tree() -> None:
    copy = {"header.Copy": {"from": "X-A", "TO": "Host"}}
    by_header = {"header.Filter": {"name": "X-A", "modifier": set_host("b.example"), "else": copy}}
    members = [{"modifier": set_host("a.example")}, {"priority": 5, "modifier": by_header}]

    found = list(host_settings(parse({"priority.Group": {"modifiers": members}})))

    top = ("priority.Group", "modifiers")
    inside = (*top, 1, "modifier", "header.Filter")
    assert found == [
        HostSetting(value="a.example", at=(*top, 0, "modifier", "header.Modifier", "Value")),
        HostSetting(value="b.example", at=(*inside, "modifier", "header.Modifier", "Value")),
        HostSetting(value=None, at=(*inside, "else", "header.Copy", "TO")),
    ]


@pytest.mark.parametrize(
    "tree",
    [
        set_host("a.example", scope=["response"]),
        {"fifo.Group": {"scope": ["response"], "modifiers": [set_host("a.example")]}},
        set_host(""),
        {"header.Blacklist": {"names": ["Host"]}},
        {"header.Copy": {"from": "Host", "to": "X-Host"}},
        {"header.Modifier": {"name": "X-Forwarded-Host", "value": "a.example"}},
    ],
)
def test_host_settings_are_none_when_no_request_gets_another_host(tree: object) -> None:
    assert list(host_settings(parse(tree))) == []


VERIFIERS: list[dict[str, object]] = [
    {"header.Verifier": {"name": "X-A", "value": "1"}},
    {"url.Verifier": {"scope": ["request"], "scheme": "https", "host": "h", "path": "/", "query": "a=b"}},
    {"querystring.Verifier": {"name": "a", "value": "1"}},
    {"status.Verifier": {"scope": ["response"], "statusCode": 200}},
]


@pytest.mark.parametrize("tree", VERIFIERS)
def test_verifiers_have_no_effect(tree: dict[str, object]) -> None:
    modifier = parse(tree)
    request, response = request_with(), response_with()

    (name,) = tree
    assert list(without_effect(modifier)) == [((name,), name)]
    assert modifier.modify_request(request) is request
    assert modifier.modify_response(response, request) is response
    assert effects([modifier]) == (False, False)


def test_verifiers_are_found_inside_groups() -> None:
    tree = {"fifo.Group": {"modifiers": [{"header.Id": {}}, *VERIFIERS]}}

    paths = [path for path, _ in without_effect(parse(tree))]

    assert paths == [("fifo.Group", "modifiers", place, *VERIFIERS[place - 1]) for place in range(1, 5)]


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"header.Verifier": {"name": 1}}, ("header.Verifier", "name")),
        ({"url.Verifier": {"scope": ["response"]}}, ("url.Verifier", "scope", 0)),
        ({"status.Verifier": {"statusCode": "200"}}, ("status.Verifier", "statusCode")),
        ({"querystring.Verifier": {"key": "a"}}, ("querystring.Verifier", "key")),
    ],
)
def test_verifiers_are_read_like_the_others(tree: object, path: tuple[str | int, ...]) -> None:
    ((found, _),) = problems_of(tree)

    assert found == path


def test_effects_are_those_of_all_trees() -> None:
    nothing = parse({"fifo.Group": {"modifiers": [{"header.Id": {"scope": []}}]}})
    requests = parse({"header.Id": {}})
    responses = parse({"header.Blacklist": {"names": ["Server"], "scope": ["response"]}})

    assert effects([]) == (False, False)
    assert effects([nothing]) == (False, False)
    assert effects([nothing, requests]) == (True, False)
    assert effects([requests, responses]) == (True, True)


def test_every_gives_a_tree_from_top_to_bottom() -> None:
    tree = parse(
        {"fifo.Group": {"modifiers": [{"header.Filter": {"name": "A", "modifier": {"header.Id": {}}}}]}}
    )

    assert [type(modifier).__name__ for modifier in every(tree)] == ["Group", "Filter", "IdHeader"]


def test_leadings_are_modifiers_that_change_where_requests_go() -> None:
    members = [
        {"url.Modifier": {"path": "/a", "query": "b=c"}},
        {"url.Modifier": {"host": "h"}},
        {"url.Modifier": {"path": "/", "scheme": "http"}},
        {"port.Modifier": {"defaultForScheme": True}},
        {"url.Modifier": {"scope": [], "host": "h"}},
        {"port.Modifier": {"scope": [], "remove": True}},
    ]
    tree = parse({"fifo.Group": {"modifiers": members}})

    assert [leading.at[2:] for leading in leadings(tree)] == [
        (1, "url.Modifier", "host"),
        (2, "url.Modifier", "scheme"),
        (3, "port.Modifier", "defaultForScheme"),
    ]


def test_folders_are_those_that_files_are_served_from() -> None:
    members = [{"header.Id": {}}, {"static.Modifier": {"rootPath": "a"}}]
    tree = parse({"fifo.Group": {"modifiers": members}}, folder="/srv")

    assert list(folders(tree)) == [
        (("fifo.Group", "modifiers", 1, "static.Modifier", "rootPath"), "/srv/a"),
    ]
