"""A token source's `assertion`: what it must say for its `client_auth`, and the value it makes."""

from clientcreds_proxy.config.building.pem import belong_together
from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.building.signing_key import PassphraseError, SigningKey, read_signing_key
from clientcreds_proxy.config.keys.model_source import Assertion as Keys
from clientcreds_proxy.config.keys.model_source import TokenSource
from clientcreds_proxy.tokens.model import Assertion, AssertionFile, ClientAuth
from clientcreds_proxy.tokens.proof.assertion import SHORTEST_SECRET

LONG_SECONDS = 300
_OF_THE_PRIVATE_KEY = ("key", "passphrase", "certificate", "file")


def build_assertion(
    model: TokenSource, client_auth: ClientAuth, place: Place
) -> Assertion | AssertionFile | None:
    """What the source signs, its problems and warnings noted at `place`, which is the source's."""
    keys, at = model.assertion, place.at("assertion")
    if client_auth not in {"client_secret_jwt", "private_key_jwt"}:
        if keys.key or keys.file:
            at.warn(f"has no effect with client_auth {client_auth}")
        return None
    if keys.lifetime_seconds > LONG_SECONDS:
        at.at("lifetime_seconds").warn(f"servers refuse long-lived assertions; {LONG_SECONDS} is plenty")
    if client_auth == "client_secret_jwt":
        return _of_the_secret(model, place)
    if keys.file:
        return _ready_made(keys, at)
    if not keys.key:
        place.at("client_auth").problem("private_key_jwt needs assertion.key or assertion.file")
        return None
    key = _signing_key(keys, at)
    return None if key is None else _of_the_key(model, key, at)


def _of_the_secret(model: TokenSource, place: Place) -> Assertion | None:
    keys, at = model.assertion, place.at("assertion")
    for name in _OF_THE_PRIVATE_KEY:
        if getattr(keys, name):
            at.at(name).problem(f"client_secret_jwt signs with client_secret; expected no {name}")
    algorithm = keys.algorithm if "algorithm" in keys.model_fields_set else "HS256"
    if algorithm not in SHORTEST_SECRET:
        at.at("algorithm").problem(f"expected one of {', '.join(SHORTEST_SECRET)} for client_secret_jwt")
        return None
    needed = SHORTEST_SECRET[algorithm]
    for index, secret in enumerate(model.client_secret):
        if len(secret.encode()) < needed:
            place.at("client_secret", index).problem(
                f"too short to sign with; {algorithm} takes {needed} bytes or more (RFC 7518 §3.2)"
            )
    return Assertion(
        algorithm=algorithm,
        key=None,
        key_id=keys.key_id or None,
        lifetime_seconds=keys.lifetime_seconds,
        audience=_audience(model, at),
    )


def _ready_made(keys: Keys, place: Place) -> AssertionFile:
    for name in sorted(keys.model_fields_set - {"file"}):
        place.at(name).problem("a ready-made assertion is sent as it is; expected file alone")
    path = place.files.directory / keys.file
    try:
        is_there = path.is_file()
    except OSError:  # a folder that we may not look into
        is_there = False
    if not is_there:
        place.at("file").warn("there is no such file yet; it is looked for at every use")
    return AssertionFile(path=str(path.absolute()))


def _signing_key(keys: Keys, place: Place) -> SigningKey | None:
    try:
        text = place.files.key_text(keys.key)
        key = read_signing_key(text, keys.passphrase)
    except PassphraseError as error:
        place.at("passphrase" if keys.passphrase else "key").problem(str(error))
        return None
    except ValueError as error:
        place.at("key").problem(str(error))
        return None
    if keys.passphrase and not key.is_encrypted:
        place.at("passphrase").warn("has no effect: the key is not encrypted")
    return key


def _of_the_key(model: TokenSource, key: SigningKey, place: Place) -> Assertion | None:
    keys = model.assertion
    _check_certificate(keys, key, place)
    algorithm = keys.algorithm if "algorithm" in keys.model_fields_set else key.algorithms[0]
    if algorithm not in key.algorithms:
        place.at("algorithm").problem(f"does not fit the key; expected {' or '.join(key.algorithms)}")
        return None
    return Assertion(
        algorithm=algorithm,
        key=key.pem,
        key_id=_key_id(keys, key),
        # Glewlwyd demands a kid, node-oidc-provider refuses one that it does not know.
        guesses_key_id=not (
            "key_id" in keys.model_fields_set or key.names_itself or keys.thumbprint != "none"
        ),
        certificate=keys.certificate or None,
        thumbprint=keys.thumbprint,
        lifetime_seconds=keys.lifetime_seconds,
        audience=_audience(model, place),
    )


def _key_id(keys: Keys, key: SigningKey) -> str | None:
    """The `kid` header; none beside a thumbprint, which already names the key."""
    if "key_id" in keys.model_fields_set:
        return keys.key_id or None
    return key.key_id if keys.thumbprint == "none" or key.names_itself else None


def _check_certificate(keys: Keys, key: SigningKey, place: Place) -> None:
    if not keys.certificate:
        if keys.thumbprint != "none":
            place.at("thumbprint").problem("needs the certificate that it is of")
        return
    at = place.at("certificate")
    if not belong_together(keys.certificate, key.pem.reveal()):
        at.problem("the first certificate is not the key's")
    if keys.thumbprint == "none":
        at.warn("has no effect without thumbprint")
    if expiry := place.files.expiry(keys.certificate):
        at.warn(expiry)


def _audience(model: TokenSource, place: Place) -> str | None:
    match model.assertion.audience:
        case "token_endpoint":
            return None
        case "issuer":
            if not model.issuer:
                place.at("audience").problem("the source has no issuer; expected one, or the text to send")
            return model.issuer
        case text:
            return text
