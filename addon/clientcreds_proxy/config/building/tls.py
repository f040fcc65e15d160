"""TLS towards a server that we ask, the same for each of them."""

from clientcreds_proxy.config.building.pem import belong_together
from clientcreds_proxy.config.building.place import Place
from clientcreds_proxy.config.keys.model_keys import Tls
from clientcreds_proxy.secret import Secret
from clientcreds_proxy.tokens.model import ClientTls


def build_tls(tls: Tls, place: Place, *, server: str) -> ClientTls:
    """What the keys say, problems and warnings noted at `place`; `server` is named in them."""
    if bool(tls.cert) != bool(tls.key):
        place.problem("cert and key belong together; expected both or none")
    elif tls.cert and not belong_together(tls.cert, tls.key):
        place.at("key").problem("this key does not belong to the first certificate of cert")
    if tls.cert and (expiry := place.files.expiry(tls.cert)):
        place.at("cert").warn(expiry)
    if tls.insecure_skip_verify:
        place.at("insecure_skip_verify").warn(f"{server}'s certificate is not verified")
    return ClientTls(
        ca=tls.ca or None,
        cert=tls.cert or None,
        key=Secret(tls.key) if tls.key else None,
        insecure_skip_verify=tls.insecure_skip_verify,
    )
