"""What whoever runs the proxy is told after a failed token request, and what the app is not."""

import json
from pathlib import Path

import pytest

from tests.proxy.sources import sources
from tests.simulators.authorization_server import Reply

pytestmark = pytest.mark.anyio


def refusal(error: str, status: int = 400, **headers: str) -> Reply:
    said = {"error": error, "error_description": "call 555-0100"}
    return Reply(status=status, body=json.dumps(said).encode(), headers=headers)


CASES = {
    "clock": (
        refusal("invalid_client", 401, Date="Tue, 01 Jan 2019 00:00:00 GMT"),
        "s ahead of localhost",
    ),
    "encoding": (refusal("invalid_client"), "basic_encoding: raw"),
    "target": (refusal("invalid_target"), "https://orders.example/"),
    "scope": (refusal("invalid_scope"), "orders:read"),
    "grant": (refusal("unauthorized_client"), "client_credentials"),
    "access": (refusal("access_denied", 403), "grant this application the API"),
    "redirect": (
        Reply(status=302, headers={"Location": "https://login.example.com/?x=y"}),
        "it leads to login.example.com",
    ),
    "missing": (Reply(status=404), "check token_url"),
    "page": (Reply(body=b"<!doctype html><title>Sign in</title>"), "check token_url"),
}


async def test_log_says_what_to_do_and_the_answer_does_not(folder: Path) -> None:
    """Checklist A12, C05, C10, E16, G03; contract section 11."""
    more = "client_auth: client_secret_basic, resource: https://orders.example/, scopes: orders:read"
    replies = {name: reply for name, (reply, _) in CASES.items()}
    async with sources(replies, folder, more, secret="50%+") as on:
        answers = {name: await on.get(name) for name in CASES}
        await on.proxy.said("no token: ", times=len(CASES))

    for name, (_, hint) in CASES.items():
        (event,) = on.events(name)
        assert hint in str(event["hint"]), name
        assert hint not in answers[name].text
        assert "555-0100" not in answers[name].text
    assert on.events("scope")[0]["error_description"] == "call 555-0100"
    assert on.api.seen == []
