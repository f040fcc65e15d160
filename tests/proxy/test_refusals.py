"""Section 11: what our own answers look like."""

from pathlib import Path

import pytest

from tests.proxy.harness import mitmdump
from tests.proxy.lines import Answer, dial
from tests.simulators.api import Api
from tests.simulators.authorization_server import AuthorizationServer

pytestmark = pytest.mark.anyio

STATUS = {
    "ambiguous_path": 400,
    "client_denied": 403,
    "cross_site": 403,
    "header_present": 403,
    "no_rule": 403,
    "plaintext_refused": 403,
    "method_refused": 405,
    "destination_mismatch": 421,
}


async def test_refusal_is_a_problem_document_that_names_its_reason(
    idp: AuthorizationServer, api: Api, folder: Path
) -> None:
    here = f"localhost:{api.port}"
    text = f"""
version: 1
log: {{format: json}}
unmatched: block
token_sources:
  idp: {{token_url: "{idp.token_url}", client_id: app, client_secret: s3cr3t}}
rules:
  - name: one
    match: {{host: [localhost, far.invalid], port: [{api.port}, 80], path: /one/**}}
    token_source: idp
    attach: {{when_present: refuse}}
  - name: two
    match: {{host: localhost, port: {api.port}, path: /two}}
    token_source: idp
    allowed_clients: [10.0.0.0/8]
"""

    async with mitmdump(text, folder=folder) as proxy:
        async with dial(proxy.port) as line:
            answers = {
                "ambiguous_path": await line.get(f"http://{here}/one//x", here),
                "client_denied": await line.get(f"http://{here}/two", here),
                "cross_site": await line.get(f"http://{here}/one/x", here, "Sec-Fetch-Site: cross-site"),
                "header_present": await line.get(f"http://{here}/one/x", here, "Authorization: own"),
                "no_rule": await line.get(f"http://{here}/three", here),
                "plaintext_refused": await line.get("http://far.invalid/one/x", "far.invalid"),
                "method_refused": await line.ask(
                    f"TRACE http://{here}/one/x HTTP/1.1\r\nHost: {here}\r\n\r\n"
                ),
                "destination_mismatch": await line.get(f"http://{here}/one/x", "evil.test"),
            }
        lines = await proxy.logged(len(answers))
        async with dial(proxy.port) as line:
            line.writer.write(f"HEAD http://{here}/two HTTP/1.1\r\nHost: {here}\r\n\r\n".encode())
            head = await line.head()
            after_head = await line.get(f"http://{here}/two", here)

    for reason, answer in answers.items():
        is_whole(answer, reason)
    assert {reason: answer.problem.get("rule") for reason, answer in answers.items()} == {
        **dict.fromkeys(STATUS, "one"),
        "client_denied": "two",
        "no_rule": None,
    }
    assert [(line["reason"], line["status"], line["token"]) for line in lines] == [
        (reason, STATUS[reason], "none") for reason in answers
    ]
    assert head.headers == answers["client_denied"].headers
    is_whole(after_head, "client_denied")  # no body stood between the two
    assert api.seen == []
    assert idp.seen == []


def is_whole(answer: Answer, reason: str) -> None:
    """All that section 11 says of an answer."""
    problem = answer.problem
    assert answer.status == problem["status"] == STATUS[reason]
    assert problem["reason"] == reason
    assert problem["type"] == f"urn:clientcreds:{reason}"
    assert isinstance(problem["title"], str)
    assert isinstance(problem["detail"], str)
    assert problem.get("token_source") == ("idp" if "rule" in problem else None)
    assert "retry_after" not in problem
    assert answer.one("proxy-status") == f'clientcreds; error=http_request_denied; details="{reason}"'
    assert answer.one("cache-control") == "no-store"
    assert answer.one("content-length") == str(len(answer.body))
