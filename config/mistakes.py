"""What does not fit the model of the stack file, in words for people."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from config.errors import Finding, Path_, Place, show
from config.fields import LABEL, NO_IP_VERSION_FIX, NO_IPV6, NO_IPV6_FIX
from config.repair import Mistake
from config.services import NodeOrigin, ServiceOrigin, UrlOrigin
from config.stack import StackConfig
from config.values import OriginUrl

_ORIGINS: dict[type[BaseModel], str] = {
    ServiceOrigin: "{namespace: blog, service: ghost, port: 2368}",
    NodeOrigin: "{on_node: true, port: 8123, scheme: http}",
    UrlOrigin: '{url: "http://192.168.0.9:8123"}',
}
_FORMS = (
    f"write `origin: {_ORIGINS[ServiceOrigin]}` for a Kubernetes Service, `origin: {_ORIGINS[NodeOrigin]}` for a port "
    f"of the node, or `origin: {_ORIGINS[UrlOrigin]}` for another machine"
)
_BARE = re.compile(r"[^/]*//[^/?#]*")
"""A URL up to its path."""
_TRUTHS = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}


class _Said(NamedTuple):
    """What is wrong and what to write: `suggestion` as it would stand in the file, `meant` to read on with."""

    reason: str
    fix: str
    suggestion: str = ""
    meant: object = None


@dataclass(frozen=True)
class _Wrong:
    path: Path_
    value: object
    context: Mapping[str, Any]
    message: str
    stack: Mapping[str, object]


def in_words(
    detail: ErrorDetails, stack: Mapping[str, object], place: Callable[[Path_], Place]
) -> tuple[Mistake, Finding]:
    """One error of pydantic's as a finding, and what to read on with. `stack` is the whole of what was read."""
    path, kind, value = _plain(detail["loc"]), detail["type"], detail.get("input")
    if isinstance(_at(stack, path[:-1]), str):
        # A word that may be a list, or keys, is read as one.
        path = path[:-1]
    wrong = _Wrong(path, value, detail.get("ctx", {}), str(detail["msg"]), stack)
    if kind == "extra_forbidden":
        return _extra(wrong, place)
    if kind == "missing":
        fix = f"add `{path[-1]}:` here{_what(path)}"
        return Mistake(path, missing=True), Finding(
            "missing-key", path, "", "this is needed, and it is not there", fix, place(path)
        )
    said = _READ.get(kind, _other)(wrong)
    if path[:1] == ("services",) and "people" in path[-2:] and isinstance(value, str) and value.startswith("tag:"):
        said = _Said("this is a tag of machines, and no set of people", "write it under `machines:`")
    shown = show(value) if isinstance(value, str | int | float | bool) else ""
    rule = "unknown-name" if kind == "literal_error" else "wrong-form"
    return Mistake(path, meant=said.meant), Finding(
        rule, path, shown, said.reason, said.fix, place(path), suggestion=said.suggestion
    )


def _extra(wrong: _Wrong, place: Callable[[Path_], Place]) -> tuple[Mistake, Finding]:
    path, value, known = wrong.path, wrong.value, _fields_at(wrong.path[:-1])
    suggestion = "" if str(path[-1]) in known else closest(str(path[-1]), known)
    shown = ""
    reason = "there is no such key, so it would have no effect"
    fix = f"write `{suggestion}:`" if suggestion else "remove it"
    fix += f"; these keys are known here: {', '.join(known)}" if known else ""
    if path[-1] == "path_exceptions":
        paths = [p for p in value if isinstance(p, str)] if isinstance(value, list) else []
        suggestion, said = "", ", ".join(f"{p}: {{clients: anyone}}" for p in paths or ["/api"])
        reason = "paths have clients of their own now, and this key has no effect any more"
        fix = f"write `paths: {{{said}}}` in its place"
    elif path[-1] == "options_preflight_bypass":
        # cloudflared's check makes no exception for OPTIONS [CFD ingress/middleware/jwtvalidator.go].
        suggestion, reason = "", "a preflight has no JWT, which cloudflared asks of every request: it would answer 403"
        fix = "remove it, and say `cors_headers:` with the pages that call the service: Access then answers preflights"
    elif path[:1] == ("services",) and path[-1] in ("bypass_ips", "ips"):
        suggestion = ""
        reason = (
            "whom Access lets by for an address has no JWT, so the tunnel could ask for none, and Access would be "
            "the only lock"
        )
        fix = (
            "remove it; at home use the tailnet (`gates: [zero-trust, tailnet]`), for a program a service token, or "
            "`ips:` beside `clients: anyone` at the one path that it calls"
        )
    elif path[:1] == ("node",) and re.search("ip_?v6|ip_version", str(path[-1])):
        suggestion, reason = "", NO_IPV6
        fix = f"remove it, and {NO_IPV6_FIX if 'v6' in str(path[-1]) else NO_IP_VERSION_FIX}"
    elif path[:1] == ("services",) and path[2:3] == ("origin",) and path[-1] in known:
        origin = _at(wrong.stack, path[:-1])
        url = origin.get("url") if isinstance(origin, dict) else None
        if path[-1] == "port" and isinstance(url, str) and isinstance(value, int):
            shown = show(value)
            reason = "an origin with `url` has its port in the URL"
            whole = _with_port(url, value)
            fix = f"write `url: {whole}`, and remove `port`" if whole else "write it there, and remove `port`"
        else:
            other = "url" if url is not None else "on_node"
            reason = f"an origin with `{other}` has no `{path[-1]}`"
            fix = f"remove it, or remove `{other}:`"
    mistake = Mistake(path, unknown_key=path[-1] != "path_exceptions", suggestion=suggestion)
    return mistake, Finding("unknown-key", path, shown, reason, fix, place(path), suggestion=suggestion)


def _with_port(url: str, port: int) -> str:
    bare = _BARE.match(url)
    whole = bare[0] if bare and re.search(r":\d+$", bare[0]) else f"{bare[0] if bare else url}:{port}"
    return "" if OriginUrl.faults(whole) else whole


def _other(wrong: _Wrong) -> _Said:
    context = wrong.context
    reason = wrong.message if "fix" in context else wrong.message.replace("Input should", "this should")
    fix = str(context.get("fix") or f"write it in that form{_what(wrong.path)}")
    meant = context.get("meant")
    return _Said(reason, fix, str(meant) if meant is not None else "", meant)


def _not_keys(wrong: _Wrong) -> _Said:
    path, value = wrong.path, wrong.value
    needed = _fields_at(path, needed=True)
    keys = " and ".join(f"`{key}:`" for key in needed)
    fix = f"write below it {keys} at least" if needed else f"write its keys below it{_what(path)}"
    if value is None:
        return _Said(f"nothing stands below `{path[-1]}:`", f"{fix}, or remove it")
    if len(path) == 3 and path[0] == "services" and path[2] == "origin":
        if isinstance(value, str) and "://" in value:
            bare = _BARE.match(value)
            url = bare[0] if bare and not OriginUrl.faults(bare[0]) else value
            return _Said(
                "a URL alone is not an origin: it stands under `url`",
                f'write `origin: {{url: "{url}"}}`',
                meant={"url": value},
            )
        return _Said("this does not say where the service answers", _FORMS)
    only = _known((*path, needed[0])) if len(needed) == 1 else None
    if isinstance(value, str) and only and only.annotation is str:
        text = f"{{{needed[0]}: {_as_yaml(value)}}}"
        said = text if isinstance(path[-1], int) else f"{path[-1]}: {text}"
        return _Said("a value alone is not enough here", f"write `{said}`", text, {needed[0]: value})
    return _Said("keys with values are expected here", fix)


def _not_list(wrong: _Wrong) -> _Said:
    value = wrong.value
    if isinstance(value, str | int) and not isinstance(value, bool):
        text = f"[{_as_yaml(value)}]"
        return _Said("a list is expected here", f"write `{text}`", text, [value])
    return _Said("a list is expected here", f"write it in brackets, with commas between{_what(wrong.path)}")


def _not_text(wrong: _Wrong) -> _Said:
    value = wrong.value
    if value is None:
        return _Said(f"nothing stands behind `{wrong.path[-1]}:`", "write its value, or remove it")
    if isinstance(value, int) and not isinstance(value, bool) and str(wrong.path[-1]).endswith(("duration", "period")):
        return _Said("this has no unit", f"write `{value}h` for hours", f"{value}h", f"{value}h")
    if isinstance(value, bool | int | float):
        return _Said("text is expected here, and this is not text without quotes", f'write `"{_as_yaml(value)}"`')
    return _Said("text is expected here", f"write one text{_what(wrong.path)}")


def _not_number(wrong: _Wrong) -> _Said:
    value = wrong.value
    if isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]{0,8}", value):
        return _Said("a whole number is expected here, without quotes", f"write `{value}`", value, int(value))
    return _Said("a whole number is expected here, without quotes", f"write one{_what(wrong.path)}")


def _not_truth(wrong: _Wrong) -> _Said:
    meant = _TRUTHS.get(str(wrong.value).lower(), "") if isinstance(wrong.value, str) else ""
    return _Said(
        "`true` or `false` is expected here, without quotes (`yes` and `on` are text)",
        f"write `{meant or 'true'}`" + ("" if meant else " or `false`"),
        meant,
    )


def _not_one_of(wrong: _Wrong) -> _Said:
    if wrong.path[-1] == "on_node":
        return _Said(
            "`on_node` says that the origin is a port of the node itself, so it is `true` or not there",
            "write `on_node: true`; for a Kubernetes Service remove it, and name the Service by `namespace` and "
            "`service`",
        )
    value, known = wrong.value, re.findall(r"'([^']*)'", str(wrong.context.get("expected", "")))
    if isinstance(value, float) and str(value) in known:
        return _Said("without quotes this is a number, and text is expected here", f'write `"{value}"`', f'"{value}"')
    close = closest(value, known) if isinstance(value, str) else ""
    if wrong.path[-1] == "clients" and not str(value).startswith(close[:4]):
        # `anybody` is close to `nobody`.
        close = ""
    return _Said("this is not one of the words that are known here", f"write one of: {', '.join(known)}", close, close)


def _empty(wrong: _Wrong) -> _Said:
    if isinstance(wrong.value, str):
        least = wrong.context.get("min_length", 1)
        return _Said(
            "there is no text here" if not wrong.value else f"this is too short: it needs at least {least} characters",
            f"write more{_what(wrong.path)}" if wrong.value else f"write it{_what(wrong.path)}, or remove the key",
        )
    # Without addresses a path is for anyone, anywhere.
    more = "" if wrong.path[-1] == "ips" else ", or remove it"
    return _Said(f"nothing is listed under `{wrong.path[-1]}:`", f"list at least one{_what(wrong.path)}{more}")


def _too_long(wrong: _Wrong) -> _Said:
    return _Said(f"this is longer than {wrong.context.get('max_length')} characters", "shorten it")


def _out_of_range(wrong: _Wrong) -> _Said:
    known = _known(wrong.path)
    # Of a number that may be left out, the limits stand with one of the two.
    forms = [known, *(f for a in get_args(known.annotation) for f in getattr(a, "__metadata__", ()))] if known else []
    limits = [limit for form in forms for limit in getattr(form, "metadata", ())]
    least, most = (next((getattr(m, name) for m in limits if hasattr(m, name)), None) for name in ("ge", "le"))
    bounds = f"at least {least}" if most is None else f"from {least} to {most}"
    return _Said(f"this is out of range: a number {bounds} is expected", f"write a number {bounds}{_what(wrong.path)}")


def _name(wrong: _Wrong) -> _Said:
    value = wrong.value
    if isinstance(value, str) and "@" in value and (wrong.path[0] == "services" or "default_people" in wrong.path):
        sets = _at(wrong.stack, ("estate", "people"))
        holding = [
            str(name)
            for name, emails in (sets.items() if isinstance(sets, dict) else ())
            if isinstance(emails, list) and value.lower() in [str(e).lower() for e in emails]
        ]
        only = next((n for n in holding if len(sets[n]) == 1), "") if isinstance(sets, dict) else ""
        return _Said(
            "a set of people is named here, and this is an e-mail address",
            f"write `people: {only}`, the set that holds this address alone"
            if only
            else f"add a set to the estate, such as `people: {{{_set_name(value)}: [{value}]}}`, and name it here: "
            f"`people: {_set_name(value)}`"
            + (f" (it is in {' and '.join(holding)} too, with others)" if holding else ""),
            only,
        )
    plain = str(value).lower().removeprefix("https://").removesuffix(".cloudflareaccess.com")
    if wrong.path == ("node", "name") or len(wrong.path) == 2:
        # A name that the owner makes up.
        plain = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not LABEL.fullmatch(plain) or plain == value:
        return _other(wrong)
    return _other(wrong)._replace(fix=f"write `{plain}`", suggestion=plain)


def _set_name(email: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", email.partition("@")[0].lower()).strip("-") or "me"


_READ: dict[str, Callable[[_Wrong], _Said]] = {
    "model_type": _not_keys,
    "dict_type": _not_keys,
    "list_type": _not_list,
    "string_type": _not_text,
    "int_type": _not_number,
    "bool_type": _not_truth,
    "literal_error": _not_one_of,
    "too_short": _empty,
    "string_too_short": _empty,
    "string_too_long": _too_long,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "name": _name,
}
"""By pydantic's kind of error."""


def _as_yaml(value: object) -> str:
    text = str(value) if not isinstance(value, bool) else str(value).lower()
    return text if re.fullmatch(r"[A-Za-z0-9/.][A-Za-z0-9@._/+-]*", text) else json.dumps(text, ensure_ascii=False)


def closest(word: str, known: list[str]) -> str:
    """The known word that is closest; empty where none is close."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.6)), "")


def _at(values: object, path: Path_) -> object:
    for part in path:
        if isinstance(values, list):
            values = values[part] if isinstance(part, int) and part < len(values) else None
        else:
            values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _plain(loc: tuple[int | str, ...]) -> Path_:
    """Pydantic's location without the mark of keys and the tags of unions."""
    path = [part for part in loc if part != "[key]"]
    if (path[:1] == ["services"] and path[2:3] == ["origin"]) or path[:2] == ["estate", "people"]:
        del path[3:4]
    return tuple(path)


def _fields_at(path: Path_, needed: bool = False) -> list[str]:
    """The keys known at a path of the configuration, or those that are needed there."""
    model: object = StackConfig
    for part in path:
        model = _below(model, part)
    if isinstance(model, tuple):
        return sorted(
            {name for m in model for name, field in m.model_fields.items() if field.is_required() or not needed}
        )
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    # `except` is a word of Python's, so its field has another name.
    fields = model.model_fields.items()
    return sorted(field.alias or name for name, field in fields if field.is_required() or not needed)


def _below(model: object, part: int | str) -> object:
    annotation: object = None
    if isinstance(model, tuple):
        model = next((m for m in model if part in m.model_fields), None)
    if isinstance(model, type) and issubclass(model, BaseModel) and isinstance(part, str):
        known = model.model_fields.get(part)
        annotation = known.annotation if known else None
    elif get_origin(model) in (dict, list):
        annotation = get_args(model)[-1]
    while annotation is not None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return annotation
        origin = get_origin(annotation)
        if origin in (dict, list):
            return annotation
        arguments = [a for a in get_args(annotation) if a is not type(None)]
        found = [m for a in arguments for m in _models_in(a)]
        if len(found) > 1:
            return tuple(found)
        annotation = arguments[0] if arguments else None
    return None


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for a in get_args(annotation) for m in _models_in(a)]


def _what(path: Path_) -> str:
    """The field's description, first sentence, in brackets."""
    known = _known(path)
    first = " ".join((known.description or "").split()).split(". ")[0].rstrip(".") if known else ""
    return f" ({first})" if first else ""


def _known(path: Path_) -> FieldInfo | None:
    """The field at a path of the configuration."""
    model: object = StackConfig
    for part in path[:-1]:
        model = _below(model, part)
    for candidate in model if isinstance(model, tuple) else (model,):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel) and path[-1] in candidate.model_fields:
            return candidate.model_fields[str(path[-1])]
    return None
