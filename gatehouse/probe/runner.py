"""Runs the checks: many at once, each with its own time, the whole within a limit."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
import stamina

from gatehouse.probe.judge import Verdict, failed, not_proven
from gatehouse.probe.moving import check_records
from gatehouse.probe.names import NoAnswerError, Resolver, check_name, check_zone
from gatehouse.probe.ports import check_certificate, check_closed, check_port
from gatehouse.probe.probes import (
    AccountProbe,
    CertificateProbe,
    Check,
    ClosedProbe,
    HttpProbe,
    NameProbe,
    PortProbe,
    ZoneProbe,
)
from gatehouse.probe.settings import Places, Settings
from gatehouse.probe.web import Web


@dataclass(frozen=True)
class Result:
    """A check, how it ended, and how long it took in seconds."""

    check: Check
    verdict: Verdict
    seconds: float


def trusted(settings: Settings) -> ssl.SSLContext:
    """The certificates to trust: `ca_file`'s alone where it is given. Raises OSError, ssl.SSLError for a bad file."""
    if settings.ca_file is not None:
        return ssl.create_default_context(cafile=str(settings.ca_file))
    return httpx.create_ssl_context()


async def run_checks(
    checks: Sequence[Check],
    team: str,
    settings: Settings,
    on_result: Callable[[Result], None] = lambda result: None,
    tls: ssl.SSLContext | None = None,
) -> list[Result]:
    """Run the checks and give their results in the checks' order; `on_result` is called as each one ends.

    What is not done after `settings.within` seconds is not proven. `tls` overrides `trusted(settings)`.
    """
    # stamina would log each retry; a retry is no news here.
    stamina.instrumentation.set_on_retry_hooks(())
    resolver = Resolver(settings.resolver, settings.timeout, settings.attempts)
    places = Places(resolver, settings.connect)
    tls = tls or trusted(settings)
    web = Web(places, tls, settings)
    free = asyncio.Semaphore(settings.concurrency)
    results: dict[str, Result] = {}

    async def one(check: Check) -> None:
        async with free:
            started = time.monotonic()
            verdict = await _probe(check, team, settings, resolver, places, web, tls)
            results[check.id] = Result(check, verdict, time.monotonic() - started)
            on_result(results[check.id])

    tasks = [asyncio.ensure_future(one(check)) for check in checks]
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=settings.within)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await web.close()
        await resolver.close()
    for outcome in ended:
        if isinstance(outcome, Exception):
            raise outcome
    late = not_proven(f"not done within {settings.within:g} s")
    for check in checks:
        if check.id not in results:
            results[check.id] = Result(check, late, settings.within)
            on_result(results[check.id])
    return [results[check.id] for check in checks]


async def _probe(
    check: Check,
    team: str,
    settings: Settings,
    resolver: Resolver,
    places: Places,
    web: Web,
    tls: ssl.SSLContext,
) -> Verdict:
    probe = check.probe
    try:
        match probe:
            case HttpProbe():
                return await web.check(probe, team)
            case NameProbe():
                return await check_name(resolver, probe)
            case ZoneProbe():
                if probe.expect == "records":
                    return await check_records(resolver, places, settings, probe)
                return await check_zone(resolver, probe)
            case CertificateProbe():
                return await check_certificate(places, tls, probe, settings.timeout, settings.attempts)
            case PortProbe():
                return await check_port(places, probe, settings.timeout, settings.attempts)
            case ClosedProbe():
                return await check_closed(places, probe, settings.timeout)
            case AccountProbe():
                return await asyncio.to_thread(probe.ask)
    except NoAnswerError as error:
        # A service's name has a check of its own; Funnel's is its certificate's.
        return failed(str(error)) if isinstance(probe, CertificateProbe) else not_proven(str(error))
    except OSError as error:
        # Such as no network at all.
        return failed(f"this machine cannot ask: {error.strerror or error}")
