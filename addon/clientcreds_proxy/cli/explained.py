"""How an explanation is shown: as lines for people, as an object for programs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clientcreds_proxy.proxy.explaining.changes import Change
    from clientcreds_proxy.proxy.explaining.explain import Explanation
    from clientcreds_proxy.proxy.explaining.imagined import Imagined

OTHER_HOSTS = 12  # rules for other hosts that are shown one by one

Row = tuple[str, str]


def lines(imagined: "Imagined", found: "Explanation") -> Iterator[str]:
    """For people."""
    client = imagined.client_address + (f" as {imagined.client_user}" if imagined.client_user else "")
    yield f"{imagined.method} {imagined.url}  from {client}"
    before = None
    for label, text in (*_rules(found), *_result(found)):
        yield f"  {label if label != before else '':<9}{text}"
        before = label


def as_json_object(imagined: "Imagined", found: "Explanation") -> dict[str, Any]:
    """For programs: the same names as in the proxy's answers and its log."""
    refusal, rule = found.refusal, found.rule
    return {
        "method": imagined.method,
        "url": str(imagined.url),
        "client": imagined.client_address,
        "outcome": found.outcome,
        "rule": rule.name if rule else None,
        "token_source": rule.token_source if rule else None,
        "destination": {
            "scheme": found.destination.scheme,
            "host": found.destination.host,
            "port": found.destination.port,
        },
        "status": refusal.status if refusal else None,
        "reason": refusal.reason if refusal else None,
        "detail": refusal.detail if refusal else None,
        "at_connect": found.at_connect,
        "credential": found.credential,
        "attached": [
            {"header": each.header, "value": each.shown, "what": each.what} for each in found.attached
        ],
        "changes": [
            {"what": each.what, "before": each.before, "after": each.after} for each in found.changes
        ],
        "then": list(found.later),
        "rules": [{"rule": each.rule, "outcome": each.outcome, "why": each.why} for each in found.rules],
    }


def _rules(found: "Explanation") -> Iterator[Row]:
    others = [each for each in found.rules if not each.same_host]
    hidden = set() if len(others) <= OTHER_HOSTS else {each.rule for each in others}
    shown = [each for each in found.rules if each.rule not in hidden]
    width = max((len(each.rule) for each in shown), default=0)
    for each in shown:
        yield "rule", f"{each.rule:<{width}}  {each.why or 'wins'}"
    if hidden:
        yield "rule", f"{len(hidden)} rules for other hosts"
    if not found.rules:
        yield "rule", "there are none"


def _result(found: "Explanation") -> Iterator[Row]:
    to = found.destination
    if found.refusal is not None:
        where = " (the answer to CONNECT)" if found.at_connect else ""
        yield "refused", f"{found.refusal.status} {found.refusal.reason}{where}: {found.refusal.detail}"
        if found.bug:
            yield "", found.bug
        return
    match found.outcome:
        case "tunnelled":
            yield "passes", f"untouched, in a tunnel that is not looked into: no rule names {to.authority}"
        case "unchanged":
            yield "passes", f"as it is, to {to.scheme}://{to.authority}: no rule wins"
        case "served":
            yield "served", "by static.Modifier, the API is not asked"
        case _:
            yield "passes", f"to {to.scheme}://{to.authority}"
    yield from _credential(found)
    for change in found.changes:
        yield _change(change)
    yield from (("then", each) for each in found.later)


def _credential(found: "Explanation") -> Iterator[Row]:
    rule = found.rule
    if rule is None or rule.token_source is None:
        return
    said = {
        "token": f"(the token of {rule.token_source})",
        "proof": "(its proof)",
        "api_headers": f"(api_headers of {rule.token_source})",
    }
    for each in found.attached:
        yield "attach", f"{each.header}: {each.shown}  {said[each.what]}"
    if found.credential == "keep":
        yield "attach", f"nothing: the client's own {rule.attach.header} is kept, no token is fetched"
    if found.preflight:
        yield "attach", "nothing: a CORS preflight needs no token"


def _change(change: "Change") -> Row:
    if change.after is None:
        return "remove", f"{change.what}: {change.before}"
    was = f"  (was {change.before})" if change.before is not None else ""
    return "set", f"{change.what}: {change.after}{was}"
