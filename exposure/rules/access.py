"""Access: who logs in, and which paths are let by."""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterator

from config.errors import Path_, show
from config.people import GOOGLE
from config.stack import Estate
from config.values import Duration, MalformedError, Path
from exposure.audience import Audience, meant_for_path
from exposure.names import ACME_PATH
from exposure.rules.base import AllStacks, Family, OneService, OneStack, Problem, Rules, listed, malformed
from exposure.ways import WAYS
from exposure.ways.tailnet import TailnetWay
from exposure.ways.tunnel import TunnelWay, ZeroTrustWay

RULES = Rules()
_APP_PATHS = "CFDOC cloudflare-one/access-controls/policies/app-paths"
_POLICIES = "CFDOC cloudflare-one/access-controls/policies"
_COOKIES = "CFDOC cloudflare-one/access-controls/applications/http-apps/authorization-cookie#cookie-settings"
_CORS = "CFDOC cloudflare-one/access-controls/applications/http-apps/authorization-cookie/cors"
_SESSIONS = "CFDOC cloudflare-one/access-controls/access-settings/session-management"


@RULES.service("people-missing", _POLICIES, (38, 39))
def _people_missing(service: OneService) -> Iterator[Problem]:
    """What is behind a login or on the tailnet names its people."""
    said = service.service
    if service.estate is None or service.people:
        return
    if service.service.machines and service.service.clients == "tailnet":
        return
    login = service.by(ZeroTrustWay)
    unnamed: list[tuple[str, ...]] = [("paths", p) for p, to in said.paths.items() if to.clients == "people"]
    unnamed = [path for path in unnamed if service.by(TunnelWay) and not said.paths[path[1]].people]
    if said.clients != "nobody" and (login or service.by(TailnetWay)):
        unnamed = [("people",)]
    for path in unnamed:
        yield service.problem(
            path,
            None,
            "nobody is named who may use it, so "
            + (
                "no grant of the tailnet's policy opens it"
                if path == ("people",) and not login
                else "its Access application would have no policy"
            ),
            f"say `people: {_a_set(service)}`, or give the estate a `default_people:`",
            related=(service.inside.estate_ref("default_people"),),
        )


def _a_set(service: OneService) -> str:
    return next(iter(sorted(service.estate.people)), "family") if service.estate else "family"


def _unknown(everything: AllStacks, word: str, what: str) -> Iterator[Problem]:
    """Names under `people:` or `tokens:` that the estate does not have."""
    for stack in everything.stacks:
        estate = stack.estate
        if estate is None:
            continue
        known = sorted(getattr(estate, word))
        said: list[tuple[Path_, list[str] | None]] = []
        for service in stack.services:
            said.append(((*service.path, word), getattr(service.service, word)))
            paths = service.service.paths.items()
            said += [((*service.path, "paths", path, word), getattr(to, word)) for path, to in paths]
        said += [(path, to.people) for path, to in stack.leads] if word == "people" else []
        if stack.stack.owns_estate and word == "people":
            said.append((("estate", "default_people"), estate.default_people))
        for path, name in ((path, name) for path, names in said for name in names or ()):
            if name not in known:
                yield stack.ref(*path).problem(
                    show(name),
                    f"there is no such {what}",
                    f"write one of: {', '.join(known)}" if known else f"add it to the estate's `{word}:`",
                    next(iter(difflib.get_close_matches(name, known, n=1)), ""),
                    related=(stack.estate_ref(word),),
                )


@RULES.everything("people-unknown", _POLICIES, (38, 39))
def _people_unknown(everything: AllStacks) -> Iterator[Problem]:
    """A set of people that is named exists."""
    return _unknown(everything, "people", "set of people, so nobody would get in")


@RULES.everything("tokens-unknown", "CFDOC cloudflare-one/access-controls/service-credentials/service-tokens")
def _tokens_unknown(everything: AllStacks) -> Iterator[Problem]:
    """A service token that is named exists."""
    return _unknown(everything, "tokens", "service token, so nothing would get in by it")


@RULES.family("google-missing", "CFDOC cloudflare-one/identity/idp-integration/google", (44,))
def _google(family: Family) -> Iterator[Problem]:
    """Zero Trust has its login: Google, where no other is named."""
    estate = family.estate
    keys = {
        (stack.stack.name, c.service)
        for stack in family.stacks
        for c, _ in stack.claims
        if estate and not c.audience.opens and _by_google(c.audience, estate)
    }
    behind = [s for stack in family.stacks for s in stack.services if (stack.stack.name, s.key) in keys]
    if behind and estate and estate.google is None:
        yield family.owner.estate_ref("google").problem(
            "",
            f"{listed(s.key for s in behind)} {'is' if len(behind) == 1 else 'are'} behind Access, and there "
            "is no Google client to log in with: an application without a login method of its own accepts "
            "every method of the account",
            "add `google:` to the estate, with the `client_id:` of an OAuth client, and set the secret "
            "google_client_secret; or name one of `logins:` as the `login:` of its people",
            related=tuple(s.ref() for s in behind),
        )


def _by_google(audience: Audience, estate: Estate) -> bool:
    """Whether its application names Google's login: its people's, or the first one where nobody logs in."""
    return (estate.terms(audience.people).login if audience.people else estate.first_login or GOOGLE) == GOOGLE


@RULES.service("path-form", _APP_PATHS, (9, 47))
def _path_form(service: OneService) -> Iterator[Problem]:
    """A path is a plain one."""
    for place, path in _paths(service):
        try:
            Path.parse(path)
        except MalformedError as error:
            yield service.malformed(place, None if len(place) > 1 else path, error)


def _paths(service: OneService) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every path that is said, and where."""
    if service.service.path is not None:
        yield ("path",), service.service.path
    for path in service.service.paths:
        yield ("paths", path), path


@RULES.service("path-root", f"{_APP_PATHS}; {_POLICIES}", (41,))
def _path_root(service: OneService) -> Iterator[Problem]:
    """No path is the whole host."""
    if "/" in service.service.paths:
        yield service.problem(
            ("paths", "/"),
            None,
            "`/` is the whole service, and who reaches that is said by the service's own `clients`",
            "move its `clients:` and `people:` to the service itself, and remove this path",
        )


@RULES.service("path-outside", _APP_PATHS)
def _path_outside(service: OneService) -> Iterator[Problem]:
    """A service's paths are below its own."""
    base = service.service.path
    for path in service.service.paths if base is not None and base != "/" else ():
        if path != "/" and (path == base or not Path(base or "/").covers(path)):
            yield service.problem(
                ("paths", path),
                None,
                f"{base} is all that the service has of its host, and who reaches that is said by its own `clients`"
                if path == base
                else f"the service has only {base} of its host, with what is below it",
                f"write a path below {base}, such as `{base}{path if path != base else '/admin'}`",
                related=(service.ref("path"),),
            )


@RULES.service("path-gate", _APP_PATHS)
def _path_gate(service: OneService) -> Iterator[Problem]:
    """Paths are for gates that tell them apart."""
    if service.service.paths and service.gates and not service.counts("paths"):
        able = (gate for gate, way in WAYS.items() if "paths" in way.settings)
        yield service.problem(
            "paths",
            None,
            f"gate {service.gate_words} lets the same clients in to the whole service, whatever the path",
            f"remove them; they have an effect at gate {listed(able)}",
        )


@RULES.service("path-acme", f"{_APP_PATHS}; RFC 8555 8.3", (32,))
def _path_acme(service: OneService) -> Iterator[Problem]:
    """No path contains the one of ACME challenges."""
    said = service.service
    for place, path in _paths(service):
        anyone = len(place) > 1 and said.paths[path].clients == "anyone"
        swallows = said.own_certificate and anyone and path != "/" and Path(path).covers(ACME_PATH)
        if ACME_PATH.covers(path) or swallows:
            yield service.problem(
                place,
                None if len(place) > 1 else path,
                "HTTP-01 challenges have a path of their own that passes Access and leads to the solver; a second or "
                "broader one would open more than that",
                "remove it; `own_certificate: true` opens the challenge's path alone",
            )


@RULES.service(
    "path-addresses", "Gatehouse: a bypass has no JWT, so no rule of the tunnel can shut other spellings of the path"
)
def _path_addresses(service: OneService) -> Iterator[Problem]:
    """A path for some addresses is within a login."""
    said = service.service.paths
    for path in (p for p, to in said.items() if to.ips and service.by(TunnelWay)):
        above = next((p for p in Path(path).above if p in said), None)
        if said[above].clients == "anyone" and not said[above].ips if above else not service.by(ZeroTrustWay):
            yield service.problem(
                ("paths", path),
                None,
                f"{above or 'the service'} is open to anyone, and many a server takes {path.upper()} or {path};x for "
                f"{path}: whoever calls from another address would get in by such a spelling",
                "give what answers there a service with a host of its own and `clients: nobody`, or remove it",
            )


@RULES.service("access-path-bypass", _APP_PATHS, (41,), acceptable="service")
def _bypass(service: OneService) -> Iterator[Problem]:
    """Paths without a login need an acknowledgement."""
    if not service.by(TunnelWay):
        return
    said = service.service
    open_ = {p for p, to in said.paths.items() if to.clients == "anyone" and not to.ips}
    shut = set(said.paths) - open_
    whole = 0 if service.by(ZeroTrustWay) else -1
    # The nearest above decides: a path of anyone inside an open one lets nobody by.
    past = [
        p
        for p, to in said.paths.items()
        if to.clients == "anyone" and max(_nearest(p, shut), whole) > _nearest(p, open_)
    ]
    if past:
        name = service.cluster_origin.service if service.cluster_origin else ""
        able = next((f", as {app} can" for word, app in _SENDERS.items() if word in f"{service.key} {name}"), "")
        groups: dict[str, list[str]] = {}
        for path in sorted(past):
            groups.setdefault(str(meant_for_path(said.paths[path], said, service.estate)), []).append(path)
        reach = [
            f"{'anyone on the internet' if whom == 'anyone' else whom} reaches {listed(paths)}, and what is below, "
            "without a login" + ("" if whom == "anyone" else " and without the tunnel's JWT check")
            for whom, paths in groups.items()
        ]
        yield service.problem(
            "paths",
            past,
            "; ".join(reach),
            f"let the callers in by a service token in its place (`tokens:`), where they can send two headers{able}; "
            "or acknowledge `access-path-bypass` and say what login the service asks for there"
            + (", or remove them" if said.clients != "nobody" and len(past) == len(said.paths) else ""),
        )


_SENDERS = {
    "immich": "Immich's app",
    "ntfy": "ntfy's Android app",
    "paperless": "Swift Paperless and Paperless Mobile",
    "audiobookshelf": "ShelfPlayer, Plappa and Lissen",
    "jellyfin": "Streamyfin",
    "firefly": "Waterfly III",
    "aliasvault": "AliasVault's apps",
    "prometheus": "Prometheus",
}
"""Of services whose clients are known to send headers that are named, by words of theirs: which [docs/operate.md]."""


def _nearest(path: str, others: Container[str]) -> int:
    """The length of the nearest of the others that is above a path; -1 where none is."""
    return next((len(p) for p in Path(path).above if p in others), -1)


@RULES.service(
    "access-weakened",
    "CFDOC cloudflare-one/access-controls/applications/non-http/cloudflared-authentication",
    (46,),
    acceptable="service",
)
def _weakened(service: OneService) -> Iterator[Problem]:
    """A setting of Access that makes a login worth less needs an acknowledgement."""
    said = service.service.access
    if said is None or not service.counts("access"):
        return
    fix = "remove it, or acknowledge `access-weakened` and say why it is needed"
    if said.same_site_cookie_attribute == "strict":
        why = (
            "a login may end in a loop of redirects: the browser withholds the cookie when it comes back from the login"
        )
        yield service.problem(("access", "same_site_cookie_attribute"), "strict", why, fix, source=_COOKIES)
    if said.same_site_cookie_attribute == "none":
        why = (
            "the login's cookie goes with requests that pages of other sites send, so such a page may act as whoever "
            "is logged in, unless the service itself has protection (CSRF)"
        )
        yield service.problem(("access", "same_site_cookie_attribute"), "none", why, fix, source=_COOKIES)
    if not said.http_only_cookie_attribute:
        why = (
            "scripts of the service's pages read the login's cookie, and one that somebody smuggles in carries it away"
        )
        yield service.problem(("access", "http_only_cookie_attribute"), False, why, fix, source=_COOKIES)
    if said.skip_interstitial:
        why = (
            "whoever gets somebody who is logged in to open a link of `cloudflared access login` is logged in as them: "
            "no page asks in between"
        )
        yield service.problem(("access", "skip_interstitial"), True, why, fix)
    cors = said.cors_headers
    mine = {f"https://{a.host}" for a in service.inside.applications if a.audience.people}
    others = [o for o in cors.allowed_origins if o not in mine] if cors and cors.allow_credentials else []
    if others:
        why = (
            f"pages of {listed(others)} act as whoever is logged in, and no login of this stack guards those pages: "
            "who writes them, or smuggles a script into them, reaches the service"
        )
        yield service.problem(("access", "cors_headers", "allow_credentials"), True, why, fix, source=_CORS)


@RULES.service(
    "access-cookie-stays",
    "CFDOC cloudflare-one/access-controls/applications/http-apps/authorization-cookie#samesite-attribute",
)
def _cookie_stays(service: OneService) -> Iterator[Problem]:
    """Pages of another site that send the login's cookie need one that goes with them."""
    """Where a page of another site is to send the login's cookie, which goes to its own site alone."""
    said = service.service.access
    cors = said.cors_headers if said else None
    if not said or not cors or not cors.allow_credentials or said.same_site_cookie_attribute == "none":
        return
    zones = {z.name for h in service.hosts if service.estate and (z := service.estate.zone_of(h))}
    others = [o for o in cors.allowed_origins if not any(_is_of(o, zone) for zone in zones)]
    if others and zones:
        yield service.problem(
            ("access", "cors_headers", "allow_credentials"),
            True,
            f"a browser sends the login's cookie from https pages of {listed(sorted(zones))} alone, so each request of "
            f"{listed(others)} would be refused",
            "remove it, or say `same_site_cookie_attribute: none` beside `cors_headers:`",
        )


def _is_of(origin: str, zone: str) -> bool:
    """Whether a page's origin is of a zone, and so of its site: by https, for browsers tell schemes apart."""
    scheme, _, rest = origin.partition("://")
    return scheme == "https" and f".{rest.partition(':')[0]}".endswith(f".{zone}")


def _session(stack: OneStack) -> Iterator[Problem]:
    if not stack.stack.owns_estate or stack.estate is None:
        return
    yield from malformed(Duration.parse, stack.estate.session_duration, ("estate", "session_duration"))


@RULES.stack("session-duration", _SESSIONS, (45,))
def _sessions(stack: OneStack) -> Iterator[Problem]:
    """A session lasts from nothing to a month, in Go's units."""
    yield from _session(stack)
    for service in stack.services:
        access = service.service.access
        if access and access.session_duration is not None:
            path = (*service.path, "access", "session_duration")
            yield from malformed(Duration.parse, access.session_duration, path)
