"""Martian's verifiers. They report to Martian's own control server, which no gateway runs: no effect here.

They are read, so that a tree that holds them loads; `inspect.without_effect` names them.
"""

from clientcreds_proxy.martian.fields import Fields, Kind
from clientcreds_proxy.martian.modifier import BOTH, REQUEST, RESPONSE, Modifier, Phases, WithoutEffect


def _verifier(name: str, phases: Phases, texts: tuple[str, ...], number: str | None = None) -> Kind:
    def build(fields: Fields) -> Modifier:
        for text in texts:
            if fields.value(text) is not None:
                fields.text(text)
        if number is not None:
            fields.whole_number(number)
        return WithoutEffect(name=name, at=fields.path)

    return Kind(name=name, phases=phases, build=build)


KINDS = (
    _verifier("header.Verifier", BOTH, ("name", "value")),
    _verifier("url.Verifier", REQUEST, ("scheme", "host", "path", "query")),
    _verifier("querystring.Verifier", REQUEST, ("name", "value")),
    _verifier("status.Verifier", RESPONSE, (), "statusCode"),
)
