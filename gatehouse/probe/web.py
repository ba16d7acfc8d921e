"""HTTP from outside: a connection for every request, to the address that public DNS gives, by the name that is asked.

No connection is used twice: hosts of Cloudflare share addresses, and a request must not ride on another's TLS name.
"""

from __future__ import annotations

import asyncio
import ssl

import httpx

from config import VERSION
from gatehouse.probe.judge import Answer, Failure, Verdict, judge_http, not_proven, redirect
from gatehouse.probe.names import again
from gatehouse.probe.probes import HttpProbe
from gatehouse.probe.settings import Places, Settings, blind

_BODY = 4096
_HOPS = 10
"""Let's Encrypt follows as many redirects [LE challenge-types]."""
_USUAL = {"http": ":80", "https": ":443"}
_AGAIN = frozenset({502, 503, 504, *range(520, 528), 530})


class _PassingError(Exception):
    """An answer that may be better a moment later."""


class Web:
    """Sends requests. `places` resolves names, and redirects connections where that was asked for."""

    def __init__(self, places: Places, tls: ssl.SSLContext, settings: Settings) -> None:
        timeout = settings.timeout

        def client(verify: ssl.SSLContext) -> httpx.AsyncClient:
            return httpx.AsyncClient(
                verify=verify,
                trust_env=False,
                timeout=timeout,
                limits=httpx.Limits(max_keepalive_connections=0),
                headers={"User-Agent": f"gatehouse-verify/{VERSION}", "Accept": "text/html,*/*;q=0.5"},
            )

        self._places = places
        self._clients = {True: client(tls), False: client(blind())}
        self._attempts = settings.attempts
        self._timeout = timeout
        self._tokens = settings.clients
        self._no_tokens = settings.no_clients

    async def close(self) -> None:
        """Close what is open."""
        for client in self._clients.values():
            await client.aclose()

    async def check(self, probe: HttpProbe, team: str) -> Verdict:
        """Run an HttpProbe."""
        if probe.token and probe.token not in self._tokens:
            return not_proven(self._no_tokens)
        return judge_http(probe, team, await self._answers(probe))

    async def _answers(self, probe: HttpProbe) -> list[Answer] | Failure:
        found: list[Answer] = []
        url = f"{probe.scheme}://{probe.sni}{probe.target}"
        for _ in range(_HOPS if probe.expect == "challenge" else 1):
            scheme, _, rest = url.partition("://")
            # Certificates are not looked at on a challenge's way [LE, BO va/http.go].
            verify = probe.verify and probe.expect != "challenge"
            answer = await self._get(probe, scheme, "/" + rest.partition("/")[2], verify)
            if isinstance(answer, Failure):
                return answer
            found.append(answer)
            following = redirect(url, answer)
            scheme, _, rest = following.partition("://")
            host, _, path = rest.partition("/")
            # To ports 80 and 443 only [LE].
            if scheme not in ("http", "https") or host.removesuffix(_USUAL[scheme]) != probe.sni:
                break
            url = f"{scheme}://{probe.sni}/{path}"
        return found

    async def _get(self, probe: HttpProbe, scheme: str, target: str, verify: bool) -> Answer | Failure:
        # What must not answer is asked once; for the rest a passing fault is no finding.
        attempts = 1 if probe.expect == "not-served" else self._attempts
        last: Answer | None = None
        try:
            async for attempt in again((httpx.TransportError, TimeoutError, _PassingError), attempts):
                with attempt:
                    address = await self._places.address(probe.address or probe.sni, 443 if scheme == "https" else 80)
                    if address is None:
                        return Failure("no name")
                    async with asyncio.timeout(self._timeout):
                        last = await self._once(probe, scheme, target, address, verify)
                    if last.status in _AGAIN and probe.expect in ("page", "open", "challenge", "login"):
                        raise _PassingError
        except _PassingError:
            assert last
            return last
        except (httpx.TimeoutException, TimeoutError):
            return Failure("time-out")
        except httpx.ConnectError as error:
            cause: BaseException | None = error
            while cause is not None:
                if isinstance(cause, ssl.SSLError):
                    return Failure("tls", getattr(cause, "verify_message", "") or str(cause.reason or ""))
                cause = cause.__cause__ or cause.__context__
            return Failure("refused")
        except (httpx.RequestError, httpx.InvalidURL) as error:
            return Failure("broken", type(error).__name__)
        assert last
        return last

    async def _once(self, probe: HttpProbe, scheme: str, target: str, address: tuple[str, int], verify: bool) -> Answer:
        host, port = address
        client = self._clients[verify]
        token = self._tokens[probe.token].headers(probe.forged) if probe.token else ()
        request = client.build_request(
            "GET",
            f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/",
            headers=[("Host", probe.host or probe.sni), *probe.headers, *token],
            extensions={"sni_hostname": probe.sni, "target": target.encode()},
        )
        response = await client.send(request, stream=True)
        try:
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) >= _BODY:
                    break
        finally:
            await response.aclose()
        return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, body[:_BODY])
