"""The clients on this machine: does each trust the proxy's CA, where it is led through the proxy.

What each of them reads was measured; docs/clients.md has the table.
"""

import asyncio
import re
import shutil
import warnings
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import certifi
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from clientcreds_proxy.cli.clients import trust
from clientcreds_proxy.cli.doctor.environment import is_ours, leads_here
from clientcreds_proxy.cli.doctor.finding import Finding, bad, good, left_out
from clientcreds_proxy.cli.doctor.patient import Patient

SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A kind of client."""

    name: str
    programs: tuple[str, ...]
    variables: tuple[str, ...]  # that name a CA file, the first that is set wins
    default: Path | None = None  # what it trusts without them; None: the system's
    adds: bool = False  # whether the variable adds to that


RUNTIMES = (
    Runtime(name="curl", programs=("curl",), variables=("CURL_CA_BUNDLE", "SSL_CERT_FILE")),
    Runtime(name="git", programs=("git",), variables=("GIT_SSL_CAINFO",)),
    Runtime(name="python (urllib, httpx)", programs=("python3", "python"), variables=("SSL_CERT_FILE",)),
    Runtime(
        name="python (requests)",
        programs=("python3", "python"),
        variables=("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        default=Path(certifi.where()),
    ),
    Runtime(name="go", programs=("go",), variables=("SSL_CERT_FILE",)),
    Runtime(name="node", programs=("node",), variables=("NODE_EXTRA_CA_CERTS",), adds=True),
)
_UNSET_GIT = "git config --global --unset http.proxy"
_JAVA_STORE = re.compile(r"-Djavax\.net\.ssl\.trustStore=(\"[^\"]*\"|\S+)")
_JAVA_PASSWORD = re.compile(r"-Djavax\.net\.ssl\.trustStorePassword=(\S+)")


async def look_at_runtimes(patient: Patient, ca: Path) -> AsyncIterator[Finding]:
    """One line for each kind of client that is found."""
    if all(rule.upgrade_to_https or rule.match.schemes == {"http"} for rule in patient.config.rules):
        yield left_out("trust", "no rule is for https, so no client needs the proxy's CA")
        return
    look = _Look(patient=patient, ours=trust.certificates_in(ca)[0], led=leads_here(patient))
    for runtime in RUNTIMES:
        if look.has(*runtime.programs):
            yield look.at(runtime)
    for own in (await look.at_node(), await look.at_git()):
        if own is not None:
            yield own
    if look.has("wget"):
        yield look.at_wget()
    if look.has("java"):
        yield look.at_java()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    patient: Patient
    ours: bytes  # the CA's certificate, DER
    led: bool  # whether clients are led through the proxy here

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables as clients would see them."""
        return self.patient.environ

    def has(self, *programs: str) -> bool:
        """Whether one of these is on this machine."""
        return any(self.found(program) for program in programs)

    def found(self, program: str) -> str | None:
        """Where it is."""
        return shutil.which(program, path=self.environ.get("PATH"))

    def at(self, runtime: Runtime) -> Finding:
        """A client that reads a file of PEM."""
        named = next((name for name in runtime.variables if self.environ.get(name)), None)
        default = runtime.default or trust.system()
        file = Path(self.environ[named]) if named else default
        trusts = self.holds(file) or (runtime.adds and self.holds(default))
        return self.judged(runtime.name, runtime.variables[0], file if trusts else None)

    def at_wget(self) -> Finding:
        """GnuTLS reads no variable; its file is named in another, which WGETRC names."""
        named = self.environ.get("WGETRC")
        rc = Path(named) if named else Path(self.environ.get("HOME", "~")).expanduser() / ".wgetrc"
        said = re.search(r"^\s*ca[-_]?certificate\s*=\s*(\S+)", _text(rc), re.MULTILINE | re.IGNORECASE)
        file = Path(said[1]) if said else trust.system()
        return self.judged("wget", "WGETRC", file if self.holds(file) else None)

    def at_java(self) -> Finding:
        """A trust store in JAVA_TOOL_OPTIONS; what the JDK has of its own is not looked into."""
        options = self.environ.get("JAVA_TOOL_OPTIONS", "")
        store, password = _JAVA_STORE.search(options), _JAVA_PASSWORD.search(options)
        file = Path(store[1].strip('"')) if store else None
        if self.led and "proxyHost=" not in options:
            return self.bad("java reads no other variable, and is led nowhere", "JAVA_TOOL_OPTIONS")
        trusts = file is not None and self.is_in_store(file, password[1] if password else "changeit")
        return self.judged("java", "JAVA_TOOL_OPTIONS", file if trusts else None)

    async def at_node(self) -> Finding | None:
        """Old ones need a file of ours, newer ones to be told; None where all is well or nobody is led."""
        if not (self.led and self.has("node")) or trust.NODE_SHIM.name in self.environ.get(
            "NODE_OPTIONS", ""
        ):
            return None
        version = tuple(
            int(part)
            for part in re.findall(r"\d+", await _output(self.found("node") or "node", "--version"))[:2]
        )
        if version < (22, 21) or (23, 0) <= version < (24, 5):
            return self.bad("this node reads no proxy variable: a file of ours must lead it", "NODE_OPTIONS")
        if self.environ.get("NODE_USE_ENV_PROXY"):
            return None
        return self.bad("node reads proxy variables only when another tells it to", "NODE_USE_ENV_PROXY")

    async def at_git(self) -> Finding | None:
        """Its own configuration wins over the variables; None where it says nothing else."""
        git = self.found("git")
        named = (await _output(git, "config", "--get", "http.proxy")).strip() if git and self.led else ""
        if not named or is_ours(named, self.patient):
            return None
        return bad("trust", "git goes to a proxy of its own: http.proxy in its configuration", _UNSET_GIT)

    def judged(self, name: str, variable: str, file: Path | None) -> Finding:
        """What to say about a client that trusts our CA because of this file, or does not (None)."""
        if file is not None:
            return good("trust", f"{name} trusts the proxy's CA ({file})")
        if not self.led:
            return good(
                "trust", f"{name} is not led through the proxy here: clientcreds run does it ({variable})"
            )
        return self.bad(f"{name} does not trust the proxy's CA: {variable} does not lead to it", variable)

    def bad(self, what: str, variable: str) -> Finding:
        """With the command that sets this variable, and all others."""
        sets = f"clientcreds env --port {self.patient.proxy.port}{self.patient.named}"
        return bad("trust", what, f'eval "$({sets})"  # sets {variable}')

    def holds(self, file: Path) -> bool:
        """Whether our CA is in a file of PEM."""
        try:
            return self.ours in set(trust.certificates_in(file))
        except OSError:
            return False

    def is_in_store(self, file: Path, password: str) -> bool:
        """The same for a trust store of Java's."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about serial numbers of CAs that every system trusts
                found = pkcs12.load_pkcs12(file.read_bytes(), password.encode())
        except (OSError, ValueError):
            return False
        return any(
            each.certificate.public_bytes(Encoding.DER) == self.ours for each in found.additional_certs
        )


async def _output(*command: str) -> str:
    """What a program prints; nothing where it can't be run."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(SECONDS):
            return (await process.communicate())[0].decode(errors="replace")
    except (OSError, TimeoutError):
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
