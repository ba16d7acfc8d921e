"""Access: who logs in, and which paths are let by."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from config.errors import show
from exposure.names import ACME_PATH
from exposure.rules.base import AllStacks, EstateRule, OneService, OneStack, Problem, ServiceRule, StackRule, listed
from exposure.ways.tailnet import TailnetWay
from exposure.ways.tunnel import TunnelWay, ZeroTrustWay

_APP_PATHS = "CFDOC cloudflare-one/access-controls/policies/app-paths"
_POLICIES = "CFDOC cloudflare-one/access-controls/policies"
_SEGMENT = re.compile(r"[A-Za-z0-9._~@+-]+")
_SIGNS = {"?": "a query", "#": "a fragment", "*": "a wildcard", "%": "percent-encoding", ":": "`:`"}
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+")
_DAYS = re.compile(r"([0-9]{1,4})(d|w)")


def _people_missing(service: OneService) -> Iterator[Problem]:
    if (
        service.by(ZeroTrustWay, TailnetWay)
        and service.estate is not None
        and not service.people
        and service.service.clients != "nobody"
    ):
        what = "its Access application would have no policy" if service.by(ZeroTrustWay) else "no grant opens it"
        yield service.problem(
            "people",
            None,
            f"nobody is named who gets in: {what}",
            "name a set with `people:`, or give the estate a `default_people:`",
            related=(service.inside.estate_ref("default_people"),),
        )


def _people_unknown(everything: AllStacks) -> Iterator[tuple[OneStack, Problem]]:
    for stack in everything.stacks:
        estate = stack.estate
        if estate is None:
            continue
        known = sorted(estate.people)
        said = [((*s.path, "people"), name) for s in stack.services for name in s.service.people or ()]
        if stack.stack.owns_estate:
            said += [(("estate", "default_people"), name) for name in estate.default_people or ()]
        for path, name in said:
            if name is not None and name not in estate.people:
                yield (
                    stack,
                    Problem(
                        path,
                        show(name),
                        "no such set of people: its policy would let nobody in, or the wrong ones",
                        f"known sets: {', '.join(known)}" if known else "add it to the estate's `people:`",
                        next(iter(difflib.get_close_matches(name, known, n=1)), ""),
                        related=(stack.estate_ref("people"),),
                    ),
                )


def _people_empty(stack: OneStack) -> Iterator[Problem]:
    if not stack.stack.owns_estate or stack.estate is None:
        return
    for name, emails in stack.estate.people.items():
        if not emails:
            yield Problem(
                ("estate", "people", name),
                "[]",
                "an empty set: the API refuses a policy that includes nobody",
                "add an e-mail address, or remove the set",
            )


def _google(everything: AllStacks) -> Iterator[tuple[OneStack, Problem]]:
    for owner, family in everything.families():
        behind = [s for stack in family for s in stack.by(ZeroTrustWay)]
        if behind and owner.estate and owner.estate.google is None:
            yield (
                owner,
                Problem(
                    ("estate", "google"),
                    "",
                    f"{listed(s.key for s in behind)} {'is' if len(behind) == 1 else 'are'} behind Google login, and "
                    "there is no Google client: an application with no login method of its own takes every one",
                    "add `google:` with `client_id:`, and set the secret google_client_secret",
                    related=tuple(s.ref() for s in behind),
                ),
            )


def _path_form(service: OneService) -> Iterator[Problem]:
    for index, path in enumerate(service.service.paths):
        if path == "/":
            continue
        wrong = _wrong(path)
        if wrong:
            yield service.problem(
                ("paths", path),
                path,
                f"{wrong}: Access and cloudflared would read it differently, and one of them would let more by",
                "write a plain path such as `/api`; what is below it is included",
                suggestion=_plainer(path),
            )


def _wrong(path: str) -> str:
    if not path.startswith("/"):
        return "it does not start with `/`"
    if path.endswith("/"):
        return "it ends in `/`"
    for sign, what in _SIGNS.items():
        if sign in path:
            return f"it has {what}"
    segments = path[1:].split("/")
    if "" in segments:
        return "it has an empty part (`//`)"
    if "." in segments or ".." in segments:
        return "it is not normalised (`.` or `..`)"
    odd = next((s for s in segments if not _SEGMENT.fullmatch(s)), None)
    return f"{odd!r} has a character that is not a letter, digit or one of `._~@+-`" if odd is not None else ""


def _plainer(path: str) -> str:
    plain = re.split(r"[?#]", path, maxsplit=1)[0].removesuffix("*")
    plain = "/" + "/".join(part for part in plain.split("/") if part)
    return plain if plain not in ("/", path) and not _wrong(plain) else ""


def _path_root(service: OneService) -> Iterator[Problem]:
    for index, path in enumerate(service.service.paths):
        if path == "/":
            yield service.problem(
                ("paths", path),
                path,
                "the whole host would be open to anyone, login or not",
                "name the paths that API clients use; or, if all of it may be public, say `sensitivity: low` and "
                "`clients: anyone`",
            )


def _path_gate(service: OneService) -> Iterator[Problem]:
    if service.service.paths and service.gates and not service.by(TunnelWay):
        yield service.problem(
            "paths",
            None,
            f"gate {service.gate_words} asks for no Google login, so there is nothing to be excepted from",
            "remove them; they count at gate zero-trust",
        )


def _path_acme(service: OneService) -> Iterator[Problem]:
    for index, path in enumerate(service.service.paths):
        same = path == ACME_PATH or path.startswith(f"{ACME_PATH}/")
        swallows = path != "/" and ACME_PATH.startswith(f"{path}/") and service.service.own_certificate
        if same or swallows:
            yield service.problem(
                ("paths", path),
                path,
                "HTTP-01 challenges get their own path and bypass, to the solver and not to the service; a second or "
                "broader bypass opens more than that",
                "remove it; `own_certificate: true` opens the challenge's path alone",
            )


def _bypass(service: OneService) -> Iterator[Problem]:
    paths = [p for p, said in service.service.paths.items() if said.clients == "anyone"]
    if paths and service.by(ZeroTrustWay):
        yield service.problem(
            "paths",
            paths,
            f"anyone on the internet reaches {listed(sorted(set(paths)))} and all below without Google login",
            "remove them, or acknowledge `access-path-bypass` and say what login the service asks for there",
        )


def _session(stack: OneStack) -> Iterator[Problem]:
    if not stack.stack.owns_estate or stack.estate is None:
        return
    said = stack.estate.session_duration
    if _DURATION.fullmatch(said) and re.search(r"[1-9]", said):
        return
    days = _DAYS.fullmatch(said)
    hours = int(days[1]) * (24 if days[2] == "d" else 168) if days else 0
    yield Problem(
        ("estate", "session_duration"),
        show(said),
        "the API takes a duration above zero in Go's units up to hours (30m, 24h, 1h30m); days and weeks it refuses",
        "write it in hours",
        f"{hours}h" if hours else "",
    )


RULES = (
    ServiceRule(
        "people-missing",
        "What is behind a login or on the tailnet names its people",
        _POLICIES,
        (38, 39),
        check=_people_missing,
    ),
    EstateRule("people-unknown", "A set of people that is named exists", _POLICIES, (38, 39), check=_people_unknown),
    StackRule("people-empty", "A set of people is not empty", _POLICIES, (39,), check=_people_empty),
    EstateRule(
        "google-missing",
        "Zero Trust has Google as its one login method",
        "CFDOC cloudflare-one/identity/idp-integration/google",
        (44,),
        check=_google,
    ),
    ServiceRule("path-exception-form", "A path exception is a plain path", _APP_PATHS, (9, 47), check=_path_form),
    ServiceRule(
        "path-exception-root", "No bypass of a whole host", f"{_APP_PATHS}; {_POLICIES}", (41,), check=_path_root
    ),
    ServiceRule("path-exception-gate", "Path exceptions are for Zero Trust only", _APP_PATHS, check=_path_gate),
    ServiceRule(
        "path-exception-acme",
        "No path exception takes in the ACME challenge's path",
        f"{_APP_PATHS}; RFC 8555 8.3",
        (32,),
        check=_path_acme,
    ),
    ServiceRule(
        "access-path-bypass",
        "Paths without login only knowingly",
        _APP_PATHS,
        (41,),
        acceptable=True,
        check=_bypass,
    ),
    StackRule("session-duration", "A session's duration is in Go units up to hours", _POLICIES, (45,), check=_session),
)
