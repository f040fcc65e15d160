"""Section 11: how each refusal looks on the wire."""

import json

import pytest

from clientcreds_proxy import errors
from clientcreds_proxy.errors import Refusal, TokenBackoff, TokenRejected
from clientcreds_proxy.proxy.refusal import Refused, answer, answer_connect

EXPECTED = {
    "ambiguous_path": 400,
    "no_rule": 403,
    "client_denied": 403,
    "plaintext_refused": 403,
    "cross_site": 403,
    "header_present": 403,
    "method_refused": 405,
    "destination_mismatch": 421,
    "internal_error": 500,
    "token_rejected": 502,
    "token_unavailable": 502,
    "token_malformed": 502,
    "secret_unavailable": 502,
    "upstream_not_verified": 502,
    "token_backoff": 503,
    "shutting_down": 503,
    "token_timeout": 504,
}
KINDS = {
    kind.reason: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Refusal) and hasattr(kind, "reason")
}


@pytest.mark.parametrize("reason", EXPECTED)
def test_refusal_has_the_document_and_headers_of_its_reason(reason: str) -> None:
    status = EXPECTED[reason]

    response = answer(Refused(refusal=KINDS[reason]("why"), rule="billing", token_source="idp"))

    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    problem = json.loads(response.text or "")
    assert problem.pop("title")
    assert problem.pop("retry_after", None) == (1 if status == 503 else None)
    assert problem == {
        "type": f"urn:clientcreds:{reason}",
        "status": status,
        "detail": "why",
        "rule": "billing",
        "token_source": "idp",
        "reason": reason,
    }
    kind = "http_request_denied" if status < 500 else "proxy_internal_response"
    kind = "proxy_internal_error" if status == 500 else kind
    assert response.headers["Proxy-Status"] == f'clientcreds; error={kind}; details="{reason}"'
    assert ("Retry-After" in response.headers) == (status == 503)
    assert ("Allow" in response.headers) == (status == 405)


@pytest.mark.parametrize(("wait", "shown"), [(0.0, 1), (0.2, 1), (29.1, 30), (300.0, 300)])
def test_refusal_says_when_to_come_back(wait: float, shown: int) -> None:
    response = answer(Refused(refusal=TokenBackoff("why", retry_after=wait)))

    assert response.headers["Retry-After"] == str(shown)
    assert json.loads(response.text or "")["retry_after"] == shown


def test_refusal_names_the_error_and_leaves_out_what_there_is_not() -> None:
    problem = json.loads(answer(Refused(refusal=TokenRejected("why", error="invalid_scope"))).text or "")

    assert problem["error"] == "invalid_scope"
    assert {"rule", "token_source", "retry_after"}.isdisjoint(problem)


def test_refused_connect_has_its_reason_in_the_status_line() -> None:
    response = answer_connect(Refused(refusal=KINDS["no_rule"]("why")))

    assert response.reason == "clientcreds: no_rule"
