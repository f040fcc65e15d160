"""Whatever is wrong with a configuration, what it holds is not shown."""

import traceback

import pytest

from clientcreds_proxy.config.load import load
from clientcreds_proxy.errors import ConfigError
from clientcreds_proxy.secret import Secret
from tests.unit.config.files import Files

CANARY = "Canary-7f3A"

# Every place that takes text, with the canary as it is, in a reference, or as the wrong kind of value.
PLACES = """
token_sources: {s: {token_url: "CANARY"}}
token_sources: {s: {token_url: "https://u:CANARY@idp.example/"}}
token_sources: {s: {token_url: "http://idp.example/CANARY"}}
token_sources: {s: {client_id: "a\\nCANARY"}}
token_sources: {s: {client_secret: "a\\nCANARY"}}
token_sources: {s: {client_secret: {CANARY: 1}}}
token_sources: {s: {client_secret: [[CANARY]]}}
token_sources: {s: {client_auth: CANARY}}
token_sources: {s: {client_auth: none, client_secret: CANARY}}
token_sources: {s: {scopes: ["a CANARY"]}}
token_sources: {s: {audience: "\\nCANARY"}}
token_sources: {s: {resource: "#CANARY", token_url: "https://idp.example", client_id: a}}
token_sources: {s: {endpoint_params: {client_secret: CANARY}, token_url: "https://idp.example", client_id: a}}
token_sources: {s: {endpoint_params: {scope: CANARY}, scopes: a, token_url: "https://a", client_id: a}}
token_sources: {s: {endpoint_params: [CANARY]}}
token_sources: {s: {token_request: CANARY}}
token_sources: {s: {token_request: {headers: {X-A: "CANARY\\n"}}}}
token_sources: {s: {token_request: {headers: {"CANARY CANARY": a}}}}
token_sources: {s: {token_response: {token: "/~CANARY"}}}
token_sources: {s: {expiry: {skew_seconds: CANARY, default_ttl_seconds: CANARY}}}
token_sources: {s: {attach: {header: "CANARY CANARY", scheme: "CANARY CANARY"}}}
token_sources: {s: {api_headers: {X-A: "CANARY\\n"}}}
token_sources: {s: {client: {proxy: "socks5://u:CANARY@x:1", tls: {ca: CANARY, cert: CANARY, key: CANARY}}}}
token_sources: {s: {assertion: CANARY}}
token_sources: {s: {assertion: {algorithm: CANARY, thumbprint: CANARY, key_id: "a\\nCANARY"}}}
token_sources: {s: {assertion: {certificate: CANARY, audience: "a\\nCANARY", file: "a\\nCANARY"}}}
token_sources: {s: {token_url: "https://a", client_id: a, assertion: {key: CANARY}}}
token_sources: {s: {token_url: "https://a", client_id: a, assertion: {key: '{"kty": "EC", "d": "CANARY"}'}}}
token_sources: {s: {issuer: "https://a", client_id: a, client_auth: client_secret_jwt, client_secret: CANARY}}
token_sources: {s: CANARY}
token_sources: {"CANARY CANARY ": {}}
rules: [{name: "CANARY\\n"}]
rules: [{match: {host: a.example, path: "${env:CANARY_NAME}"}}]
rules: [{match: {host: "${env:CANARY_NAME} x"}}]
rules: [{match: {query: [CANARY]}}]
rules: [{token_source: "${env:CANARY_NAME}"}]
rules: [{attach: {when_present: CANARY}}]
rules: [{modifiers: {"header.Modifier": {name: "${env:CANARY_NAME} x", value: "CANARY\\n"}}}]
rules: [{modifiers: {"header.Modifier": {name: Host, scope: ["${env:CANARY_NAME}"], value: CANARY}}}]
rules: [{modifiers: {"${env:CANARY_NAME}": CANARY}}]
rules: [{modifiers: CANARY}]
rules: [{allowed_clients: ["${env:CANARY_NAME}"]}]
allowed_clients: ["user${env:CANARY_NAME}"]
status: {listen: "CANARY:x"}
unmatched: CANARY
include: ["${env:CANARY_NAME}"]
{client_secret:CANARY}: 1
client_secret:CANARY: 1
client_secret: *CANARY
client_secret: !CANARY x
client_secret: !x!CANARY x
client_secret: "CANARY
client_secret: CANARY: x
client_secret: '${env:CANARY'
client_secret: ${cmd:echo CANARY; exit 1}
client_secret: ${cmd:CANARY}
client_secret: ${file:CANARY}
client_secret: ${env:-CANARY}
client_secret: ${CANARY}
""".strip().splitlines()


@pytest.mark.parametrize("place", PLACES)
def test_problem_does_not_show_what_the_file_holds(place: str, files: Files) -> None:
    files.environ["CANARY_NAME"] = CANARY
    text = f"version: 1\n{place.replace('CANARY', CANARY).replace(f'{CANARY}_NAME', 'CANARY_NAME')}\n"

    with pytest.raises(ConfigError) as caught:
        load(files.write("c.yaml", text), environ=files.environ)

    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert CANARY.lower() not in shown.lower()


def test_config_does_not_show_its_secrets(files: Files) -> None:
    files.environ["CANARY_NAME"] = CANARY

    config = files.load(
        """
        version: 1
        token_sources:
          s:
            token_url: https://idp.example/?key=${env:CANARY_NAME}
            client_id: a
            client_secret: [Canary-7f3A, "${env:CANARY_NAME}"]
            endpoint_params: {password: "${env:CANARY_NAME}"}
            token_request: {headers: {X-A: "${env:CANARY_NAME}"}}
            api_headers: {X-A: "${env:CANARY_NAME}"}
            client: {proxy: "http://u:Canary-7f3A@proxy.example"}
        """
    )

    assert CANARY not in repr(config)
    assert CANARY not in str(config.warnings)


def test_secret_prints_as_stars() -> None:
    secret = Secret(CANARY)

    assert [str(secret), repr(secret), f"{secret}", f"{secret:>20}"] == ["***", "Secret(***)", "***", "***"]
    assert secret.reveal() == CANARY
    assert secret == Secret(CANARY)
    assert bool(secret)
    assert not Secret("")


def test_fingerprint_is_the_beginning_of_the_hash() -> None:
    """Contract section 10: first 8 hex digits of SHA-256."""
    assert Secret("abc").fingerprint == "ba7816bf"
