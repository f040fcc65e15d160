"""All checks in the order of the links that they look at."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from clientcreds_proxy.cli import running
from clientcreds_proxy.cli.doctor import (
    apis,
    configuration,
    environment,
    journey,
    port,
    runtimes,
    servers,
    stores,
)
from clientcreds_proxy.cli.doctor.finding import Finding, bad, left_out
from clientcreds_proxy.cli.doctor.patient import Patient, Surroundings
from clientcreds_proxy.config.find import find
from clientcreds_proxy.config.load import attempt
from clientcreds_proxy.errors import ClientcredsError, ConfigError
from clientcreds_proxy.observe import runtime
from clientcreds_proxy.observe.runtime import Running


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says."""

    config: str | None
    port: int | None
    confdir: str | None
    settings: tuple[str, ...]
    environ: Mapping[str, str]


async def examine(asked: Asked) -> AsyncIterator[Finding]:
    """Every finding, as soon as there is one."""
    try:
        path = find(asked.config, environ=asked.environ)
    except ConfigError as error:
        for finding in configuration.look_at_no_file(error):
            yield finding
        yield _nothing_else()
        return
    done = attempt(path, environ=asked.environ)
    for finding in configuration.look_at_file(path, done):
        yield finding
    if done.config is None:
        yield _nothing_else()
        return
    for finding in configuration.look_at_certificates(done.config):
        yield finding
    try:
        around = _around(asked)
    except ClientcredsError as error:
        yield bad(
            "config", f"mitmproxy's options: {error}", "correct --set, or config.yaml in mitmproxy's folder"
        )
        yield _nothing_else()
        return
    found, fault = _running()
    patient = Patient(
        path=path,
        config=done.config,
        around=around,
        environ=asked.environ,
        running=found,
    )
    async for finding in _from_here(patient, fault):
        yield finding


async def _from_here(patient: Patient, fault: Finding | None) -> AsyncIterator[Finding]:
    broken: set[str] = set()
    async for source, finding in _servers(patient):
        if finding.state == "fail" and finding.check in {"server", "discovery", "token"}:
            broken.add(source)
        yield finding
    places: list[apis.Place] = []
    async for finding, place in apis.look_at_apis(patient):
        places += [place] if place else []
        yield finding
    if fault is not None:
        yield fault
    for look in (port.look_at_port, environment.look_at_variables, environment.look_at_no_proxy):
        for finding in look(patient):
            yield finding
    async for finding in _with_ca(patient, broken, places):
        yield finding


async def _with_ca(
    patient: Patient, broken: set[str], places: Sequence[apis.Place]
) -> AsyncIterator[Finding]:
    from clientcreds_proxy.proxy.serving.authority import ca_certificate  # noqa: PLC0415 - mitmproxy is slow to import

    try:
        ca = ca_certificate(patient.around.confdir)
    except ClientcredsError as error:
        mend = "name mitmproxy's folder with --confdir, or move the broken CA away: the next start makes one"
        yield bad("trust", str(error), mend)
        return
    async for finding in runtimes.look_at_runtimes(patient, ca):
        yield finding
    async for finding in journey.look_at_journeys(patient, ca, broken=broken, places=places):
        yield finding


async def _servers(patient: Patient) -> AsyncIterator[tuple[str, Finding]]:
    from clientcreds_proxy.proxy.explaining.ask import opened  # noqa: PLC0415 - as above

    async for finding in stores.look_at_stores(patient.config.sources.values()):
        yield "", finding
    async with opened(patient.path) as house:
        for name, source in house.policy.sources.items():
            async for finding in servers.look_at_server(source):
                yield name, finding
    if not patient.config.sources:
        yield "", left_out("token", "there are no token sources")


def _running() -> tuple[tuple[Running, ...], Finding | None]:
    try:
        return tuple(running.alive()), None
    except runtime.RuntimeFolderError as error:
        mend = f"chmod 700 {runtime.place()}, or remove it"
        return (), bad("port", f"running proxies can't be found: {error}", mend)


def _around(asked: Asked) -> Surroundings:
    from clientcreds_proxy.proxy.serving import settings  # noqa: PLC0415 - as above

    found = settings.read(asked.confdir, asked.settings)
    return Surroundings(
        confdir=asked.confdir,
        settings=asked.settings,
        port=asked.port or found.port,
        trusted_ca=found.trusted_ca,
        verifies=found.verifies,
        goes_direct=found.goes_direct,
    )


def _nothing_else() -> Finding:
    return left_out("the rest", "what is wrong above is to be mended first")
