"""Field types shared by the models: shape only; what breaks live is said by the rules."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""A DNS label: at most 63 letters, digits and hyphens, alphanumeric at both ends (RFC 1123)."""


def _label(value: str) -> str:
    if not LABEL.fullmatch(value):
        raise PydanticCustomError(
            "name",
            "a name here is a DNS label: lower-case letters, digits and hyphens, at most 63, "
            "with a letter or digit at both ends",
        )
    return value


def _ipv4(value: str) -> str:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        raise PydanticCustomError("ipv4", "an IPv4 address is four numbers from 0 to 255 with dots") from None
    return value


def _email(value: str) -> str:
    # The login's address only; whether the mailbox exists is for Google to know.
    if not re.fullmatch(r"[^@\s,;:*/\"'<>()]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", value):
        raise PydanticCustomError("email", "one e-mail address, as name@domain, without a display name or a list")
    return value.lower()


def _hex32(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}", value):
        raise PydanticCustomError(
            "account_id",
            "a Cloudflare account id is 32 lower-case hexadecimal digits (dashboard: Account Home)",
        )
    return value


def _tag_free_text(value: str) -> str:
    if any(ord(c) < 32 for c in value):
        raise PydanticCustomError("text", "one line of text, without control characters")
    return value


def _selector_key(value: str) -> str:
    prefix, slash, name = value.rpartition("/")
    right = _PART.fullmatch(name) and (not slash or (len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix)))
    if not right:
        raise PydanticCustomError(
            "selector_key",
            "a label's key is `name` or `prefix/name`: letters, digits, `-`, `_` and `.`, at most 63 in the name, with "
            "a letter or digit at both ends",
        )
    return value


def _selector_value(value: str) -> str:
    if value and not _PART.fullmatch(value):
        raise PydanticCustomError(
            "selector_value",
            "a label's value is at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
        )
    return value


def _target_port(value: object) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535:
        return value
    if isinstance(value, str) and _PORT_NAME.fullmatch(value) and "--" not in value:
        return value
    raise PydanticCustomError(
        "target_port",
        "a port of the pods is a number from 1 to 65535, or its name there: at most 15 lower-case letters, digits and "
        "hyphens, one of them a letter",
    )


_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")
# Kubernetes, Labels and Selectors: syntax and character set.
_PART = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")

# What a validator demands, as far as JSON Schema can say it: for editors (`config.schema`).
_LABEL_SCHEMA = WithJsonSchema({"type": "string", "pattern": f"^{LABEL.pattern}$"})
_IPV4_SCHEMA = WithJsonSchema({"type": "string", "format": "ipv4", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$"})
_EMAIL_SCHEMA = WithJsonSchema({"type": "string", "format": "email", "pattern": r"^[^@\s]+@[^@\s]+$"})
_ACCOUNT_SCHEMA = WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{32}$"})

Label = Annotated[str, AfterValidator(_label), _LABEL_SCHEMA]
"""A DNS label."""
IPv4 = Annotated[str, AfterValidator(_ipv4), _IPV4_SCHEMA]
"""An IPv4 address in dotted form."""
Email = Annotated[str, AfterValidator(_email), _EMAIL_SCHEMA]
"""One e-mail address; kept in lower case, as Cloudflare's API returns it."""
ClientId = Annotated[str, Field(pattern=r"^\S+$")]
"""A Google OAuth client's id."""
AccountId = Annotated[str, AfterValidator(_hex32), _ACCOUNT_SCHEMA]
"""A Cloudflare account id."""
Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP or UDP port, 1 to 65535."""
NodePort = Annotated[int, Field(ge=30000, le=32767)]
"""A Kubernetes NodePort in the default range, 30000 to 32767."""
TargetPort = Annotated[
    int | str,
    PlainValidator(_target_port),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, {"type": "string"}]}),
]
"""A port of pods, by number or by name (RFC 6335)."""
SelectorKey = Annotated[str, AfterValidator(_selector_key), WithJsonSchema({"type": "string"})]
"""The key of a Kubernetes label."""
SelectorValue = Annotated[str, AfterValidator(_selector_value), WithJsonSchema({"type": "string", "maxLength": 63})]
"""The value of a Kubernetes label."""
Selector = Annotated[Mapping[SelectorKey, SelectorValue], Field(min_length=1)]
"""The labels of pods."""
Reason = Annotated[str, Field(min_length=10, max_length=400), AfterValidator(_tag_free_text)]
"""Why the owner takes a risk, in words: 10 to 400 characters on one line."""
Text = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_tag_free_text)]
"""A short text for people."""
