"""The token endpoints of real providers, as strict as they are and with answers in their format.

Each takes a request and the client's id and secret. All want a POST of a form that says its length.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from tests.simulators.authorization_server import Reply, Seen

Credentials = tuple[str, str]
JWT = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"
Endpoint = Callable[[Seen, Credentials], Reply]


def adobe(request: Seen, client: Credentials) -> Reply:
    if in_body(request) != client:
        return said(400, error="invalid_client", error_description="invalid client_secret parameter")
    if request.form.get("scope") != "openid,AdobeID,user_management_sdk":
        return said(400, error="invalid_scope")
    return said(200, access_token=JWT, token_type="bearer", expires_in=86399)


def amadeus(request: Seen, client: Credentials) -> Reply:
    if in_body(request) != client:
        return said(
            401,
            error="invalid_client",
            error_description="Client credentials are invalid",
            code=38187,
            title="Invalid parameters",
        )
    return said(
        200,
        type="amadeusOAuth2Token",
        username="me@example.com",
        application_name="app",
        client_id=client[0],
        token_type="Bearer",
        access_token="CpjU0sEenniHCgPDrndzOSWFk5mN",
        expires_in=1799,
        state="approved",
        scope="",
    )


def auth0(request: Seen, client: Credentials) -> Reply:
    if in_body(request) != client:
        return said(401, error="access_denied", error_description="Unauthorized")
    if request.form.get("audience") != "https://api.example.com/":
        words = f"Service not enabled within domain: {request.form.get('audience')}"
        return said(403, error="access_denied", error_description=words)
    return said(
        200,
        access_token=JWT,
        scope="read:x",
        expires_in=86400,
        token_type="Bearer",
    )


def cognito(request: Seen, client: Credentials) -> Reply:
    if in_basic(request) != client:
        return said(400, error="invalid_client")
    return said(200, access_token=JWT, expires_in=3600, token_type="Bearer")


def ebay(request: Seen, client: Credentials) -> Reply:
    if in_basic(request) != client:
        return said(401, error="invalid_client", error_description="client authentication failed")
    if not request.form.get("scope", "").startswith("https://api.ebay.com/oauth/api_scope"):
        return said(400, error="invalid_scope", error_description="The requested scope is invalid")
    return said(
        200,
        access_token="v^1.1#i^1#p^1#r^0#I^3#f^0#t^H4sIAAAAAAAA/+VX=",
        expires_in=7200,
        token_type="Application Access Token",
    )


def entra(request: Seen, client: Credentials) -> Reply:
    if in_body(request) != client:
        return aadsts(401, "invalid_client", 7000215, "Invalid client secret provided.")
    return _entra_token(request)


def entra_certificate(request: Seen, client: Credentials) -> Reply:
    """Takes any assertion: the test verifies it."""
    form = request.form
    if form.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
        return aadsts(401, "invalid_client", 7000218, "The request body must contain client_assertion.")
    if "client_secret" in form or "authorization" in request.headers or form.get("client_id") != client[0]:
        return aadsts(401, "invalid_client", 7000219, "More than one way to authenticate.")
    return _entra_token(request)


def forgerock(request: Seen, client: Credentials) -> Reply:
    if in_basic(request) != client:
        return said(401, error="invalid_client", error_description="Client authentication failed")
    if "scope" not in request.form:
        return said(400, error="invalid_scope", error_description="No scope requested and no default scope")
    return said(
        200,
        access_token="sbQZuveFumUDV5R1vVBl6QAGNB8",
        scope="orders:read",
        token_type="Bearer",
        expires_in=3599,
    )


def keycloak(request: Seen, client: Credentials) -> Reply:
    if in_basic(request, decoded=True) != client:
        return said(
            401, error="unauthorized_client", error_description="Invalid client or Invalid client credentials"
        )
    return said(
        200,
        access_token=JWT,
        expires_in=300,
        refresh_expires_in=1800,
        refresh_token=JWT,  # Red Hat SSO up to 7.3.3 sends one
        token_type="Bearer",
        scope="profile email",
        **{"not-before-policy": 0},
    )


def okta(request: Seen, client: Credentials) -> Reply:
    if in_basic(request) != client:
        return said(
            401,
            errorCode="invalid_client",
            errorSummary="Invalid value for 'client_id' parameter.",
            errorLink="invalid_client",
            errorId="oae",
            errorCauses=[],
        )
    if request.form.get("scope") != "orders:read":
        return said(400, error="invalid_scope", error_description="'scope' must be provided.")
    return said(
        200,
        token_type="Bearer",
        expires_in=3600,
        access_token=JWT,
        scope="orders:read",
    )


def paypal(request: Seen, client: Credentials) -> Reply:
    if in_basic(request) != client:
        return said(401, error="invalid_client", error_description="Client Authentication failed")
    return said(
        200,
        scope="https://uri.paypal.com/services/invoicing " * 40,
        access_token="A21AAFEpH4PsADK7qSS7pSRsgzfENtu",
        token_type="Bearer",
        app_id="APP-80W284485P519543T",
        expires_in=31668,
        nonce="2020-04-03T15:35:36ZaYZlGvEkV4yVSz8g6bAKFoGSEzuy3CQcz3ljhibkOHg",
    )


def ping(request: Seen, client: Credentials) -> Reply:
    if in_basic(request) != client:
        return said(401, error="invalid_client", error_description="Request denied: Unsupported method")
    return said(
        200,
        access_token=JWT,
        token_type="Bearer",
        expires_in=3600,
        scope="orders:read",
    )


def salesforce(request: Seen, client: Credentials) -> Reply:
    if in_body(request) != client:
        return said(400, error="invalid_client", error_description="invalid client credentials")
    return said(
        200,
        access_token="00DB0000000TfcR!AQQAQFhoK8vTMg_rKA",
        signature="0/1Ldval/TIPf2tTgTKUAxRy44VwEJ7ffsFLMWFcNoA=",
        scope="api",
        instance_url="https://my-domain.my.salesforce.com",
        id="https://login.salesforce.com/id/00DB0000000TfcRMAS/005B0000005Bk90IAC",
        token_type="Bearer",
        issued_at="1657741493797",
    )


def sap(request: Seen, client: Credentials) -> Reply:
    if in_basic(request, decoded=False) != client:
        return said(401, error="unauthorized", error_description="Bad credentials")
    return said(
        200,
        access_token=JWT,
        token_type="bearer",
        expires_in=43199,
        scope="uaa.resource",
        jti="5f9c6a",
    )


def shopify(request: Seen, client: Credentials) -> Reply:
    if in_body(request) != client:
        return said(400, error="application_cannot_be_found")
    return said(
        200,
        access_token="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",
        expires_in=86399,
        scope="write_orders,read_products",
    )


def spotify(request: Seen, client: Credentials) -> Reply:
    if in_basic(request) != client:
        return said(400, error="invalid_client", error_description="Invalid client secret")
    return said(200, access_token="NgCXRKc...MzYjw", token_type="Bearer", expires_in=3600)


def twitch(request: Seen, client: Credentials) -> Reply:
    if in_body(request) != client:
        return said(403, status=403, message="invalid client secret")
    return said(
        200,
        access_token="jostpf5q0uzmxmkba9iyug38kjtgh",
        expires_in=5011271,
        token_type="bearer",
        scope=["a", "b"],
    )


def zoom(request: Seen, client: Credentials) -> Reply:
    if in_basic(request) != client:
        return said(400, reason="Invalid client_id or client_secret", error="invalid_client")
    if request.form.get("account_id") != "my-account-id":
        return said(400, reason="Bad Request", error="invalid_request")
    return said(
        200,
        access_token=JWT,
        token_type="bearer",
        expires_in=3599,
        scope="user:read:admin",
        api_url="https://api.zoom.us",
    )


PROVIDERS: Mapping[str, Endpoint] = {
    "adobe": adobe,
    "amadeus": amadeus,
    "auth0": auth0,
    "cognito": cognito,
    "ebay": ebay,
    "entra": entra,
    "entra-certificate": entra_certificate,
    "forgerock": forgerock,
    "keycloak": keycloak,
    "okta": okta,
    "paypal": paypal,
    "ping": ping,
    "salesforce": salesforce,
    "sap": sap,
    "shopify": shopify,
    "spotify": spotify,
    "twitch": twitch,
    "zoom": zoom,
}


def answer(provider: str, request: Seen, client: Credentials) -> Reply:
    """What the provider says."""
    headers = request.headers
    is_form = headers.get("content-type") == "application/x-www-form-urlencoded"
    if request.method != "POST" or not is_form or "content-length" not in headers:
        return said(415)
    grant = "account_credentials" if provider == "zoom" else "client_credentials"
    if request.form.get("grant_type") != grant:
        return said(400, error="unsupported_grant_type")
    return PROVIDERS[provider](request, client)


def in_basic(request: Seen, *, decoded: bool = True) -> Credentials | None:
    """The credentials of the Authorization header, unless the body repeats one."""
    authorization = request.headers.get("authorization", "")
    if not authorization.startswith("Basic ") or {"client_id", "client_secret"} & request.form.keys():
        return None
    user, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
    return (unquote(user), unquote(password)) if decoded else (user, password)


def in_body(request: Seen) -> Credentials | None:
    """The credentials of the body, unless there is an Authorization header."""
    if "authorization" in request.headers:
        return None
    return request.form.get("client_id", ""), request.form.get("client_secret", "")


def aadsts(status: int, error: str, code: int, words: str) -> Reply:
    """An error of Entra's."""
    return said(status, error=error, error_description=f"AADSTS{code}: {words}", error_codes=[code])


def _entra_token(request: Seen) -> Reply:
    if not request.form.get("scope", "").endswith("/.default"):
        return aadsts(400, "invalid_scope", 1002012, "The provided value for scope is not valid.")
    return said(
        200,
        token_type="Bearer",
        expires_in=3599,
        ext_expires_in=3599,
        access_token=JWT,
    )


def said(status: int, /, **members: Any) -> Reply:
    """These members as JSON."""
    headers = {"Content-Type": "application/json;charset=UTF-8"}
    return Reply(status=status, body=json.dumps(members).encode(), headers=headers)
