"""Names that a file gives, found without reading a secret: a shell asks for them with every press of Tab."""

from pathlib import Path

from clientcreds_proxy.config.reading.part import read_document
from clientcreds_proxy.config.reading.yaml import YamlError


def source_names(path: Path) -> list[str]:
    """The token sources of a file, without its includes and those inside rules; none where it is broken."""
    try:
        values = read_document(path).value()
    except YamlError:
        return []
    sources = values.get("token_sources") if isinstance(values, dict) else None
    return [str(name) for name in sources] if isinstance(sources, dict) else []
