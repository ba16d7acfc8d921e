"""The provider: the components of `wrappers`, and what Pulumi's host cannot say of them."""

from __future__ import annotations

import re
from typing import Any, NoReturn

import pulumi
from pulumi.provider import ConstructResult
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from components.given import GivenError
from config import VERSION
from config.errors import dotted
from package import args
from package.schema import NAME, NAMESPACE, completed
from package.wrappers import COMPONENTS

# A component takes a way as one value, whose fields have names of their own.
_WITHIN = ("way", "ingress", "settings", "challenges")
_OTHERWISE = {"backend": "service", "backendPort": "port", "target": "targetPort"}


class Provider(ComponentProvider):
    """Refuses a wrong input as one, with the property, why and the fix; the host gives a traceback otherwise."""

    def __init__(self) -> None:
        super().__init__(COMPONENTS, NAME, NAMESPACE, VERSION)
        self.schema = completed(self.schema or "{}")

    def construct(
        self, name: str, resource_type: str, inputs: Any, options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        """See `ComponentProvider`. Raises InputPropertiesError."""
        try:
            return super().construct(name, resource_type, inputs, options)
        except pulumi.InputPropertyError as unknown:
            word = re.search(r" for enum '(\w+)'", unknown.reason)
            if word is None:
                raise
            known = ", ".join(member.value for member in getattr(args, word[1]))
            raise pulumi.InputPropertyError(
                unknown.property_path, f"no such word is known here; write one of: {known}"
            ) from None
        except ComponentInitError as failed:
            if isinstance(failed.inner, GivenError):
                _refuse(failed.inner)
            raise


def _refuse(wrong: GivenError) -> NoReturn:
    errors = [
        pulumi.InputPropertyErrorDetails(property_path=_property(path), reason=problem.why)
        for path, problem in wrong.problems.items()
    ]
    raise pulumi.InputPropertiesError("what it is given is refused", errors) from None


def _property(path: tuple[int | str, ...]) -> str:
    """A path as the schema has it: `ports[0].nodePort`."""
    parts = path[1:] if path[0] in _WITHIN and len(path) > 1 else path
    camel = (part if isinstance(part, int) else re.sub(r"_([a-z])", lambda m: m[1].upper(), part) for part in parts)
    return dotted(tuple(part if isinstance(part, int) else _OTHERWISE.get(part, part) for part in camel))
