"""What the models of the file have in common, and the keys that more than one of them has."""

from pydantic import BaseModel, ConfigDict, Discriminator, Field

from clientcreds_proxy.config.keys import fields

INLINE, NAMED = "(inline)", "(named)"  # the two ways below, as pydantic's locations show them


def _way(value: object) -> str | None:
    if isinstance(value, dict):
        return INLINE
    return NAMED if isinstance(value, str) else None


BY_WAY = Discriminator(_way)  # of a key that takes the name of something, or that written there in full


class Keys(BaseModel):
    """A mapping of the file: other keys than these are errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


class Tls(Keys):
    """TLS towards the authorization server. PEM text, or the path of a PEM file."""

    ca: fields.Certificates = ""
    """The certificate authorities to trust instead of the system's."""
    cert: fields.Certificates = ""
    """Our client certificate, with its chain."""
    key: fields.PrivateKey = Field(default="", repr=False)
    """The private key of cert, unencrypted."""
    insecure_skip_verify: bool = False
    """Do not verify the authorization server's certificate. For tests only."""
