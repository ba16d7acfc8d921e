"""The Cloudflare SDK, loaded as far as it is used.

`import pulumi_cloudflare` reads some 240 resource modules for the eleven that Gatehouse needs (docs/performance.md).
Here the package is entered without its index: the modules we name are loaded, and whatever else anybody asks of the
package runs the index after all, so nothing behaves otherwise. Where the package has another shape than the one known,
the ordinary import is used. docs/adr/0011 says when this can go.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

_MODULES = {
    "provider": ("Provider",),
    "zone": ("Zone",),
    "zone_dnssec": ("ZoneDnssec",),
    "zone_setting": ("ZoneSetting",),
    "dns_record": ("DnsRecord",),
    "zero_trust_access_application": ("ZeroTrustAccessApplication",),
    "zero_trust_access_group": ("ZeroTrustAccessGroup",),
    "zero_trust_access_identity_provider": ("ZeroTrustAccessIdentityProvider",),
    "zero_trust_access_policy": ("ZeroTrustAccessPolicy",),
    "zero_trust_tunnel_cloudflared": ("ZeroTrustTunnelCloudflared",),
    "zero_trust_tunnel_cloudflared_config": ("ZeroTrustTunnelCloudflaredConfig",),
}
_SHARED = ("_utilities", "_inputs", "outputs", "config")
"""Submodules that the others import from the package, which must not run the index."""
# What the index does beside importing: it tells the SDK which class stands for which resource type.
_REGISTER = re.compile(
    r'^_utilities\.register\(\s*resource_modules="""(?P<modules>.*?)""",\s*resource_packages="""(?P<packages>.*?)"""\s*\)',
    re.DOTALL | re.MULTILINE,
)


def load(package: str, modules: Mapping[str, Sequence[str]]) -> ModuleType:
    """The package with these modules' classes at hand, the rest on demand; the ordinary import where in doubt."""
    if package in sys.modules:
        return sys.modules[package]
    with _collector_held():
        try:
            return _load(package, modules)
        except _UnknownShapeError:
            for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
                del sys.modules[name]
            return importlib.import_module(package)


class _UnknownShapeError(Exception):
    """The package is not built as this module expects."""


def _load(package: str, modules: Mapping[str, Sequence[str]]) -> ModuleType:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.loader is None or spec.origin is None or not spec.origin.endswith("__init__.py"):
        raise _UnknownShapeError
    with open(spec.origin, encoding="utf-8") as file:
        index = file.read()
    registered = _REGISTER.search(index)
    if registered is None or any(f"from .{name} import *" not in index for name in modules):
        raise _UnknownShapeError
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader

    def on_demand(name: str) -> object:
        if name in _SHARED:
            return importlib.import_module(f"{package}.{name}")
        if name.startswith("__"):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        del module.__dict__["__getattr__"]
        utilities: Any = importlib.import_module(f"{package}._utilities")
        register = utilities.register
        # The classes are registered already, and a second time is an error.
        utilities.register = lambda **_: None
        try:
            loader.exec_module(module)
        except BaseException:
            # Half an index must not be taken for the whole one.
            setattr(module, "__getattr__", on_demand)  # noqa: B010
            raise
        finally:
            utilities.register = register
        return getattr(module, name)

    setattr(module, "__getattr__", on_demand)  # noqa: B010
    sys.modules[package] = module
    try:
        for name, classes in modules.items():
            loaded = importlib.import_module(f"{package}.{name}")
            for class_name in classes:
                setattr(module, class_name, getattr(loaded, class_name))
        utilities: Any = importlib.import_module(f"{package}._utilities")
        utilities.register(resource_modules=registered["modules"], resource_packages=registered["packages"])
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise _UnknownShapeError from error
    return module


@contextmanager
def _collector_held() -> Iterator[None]:
    """Loading makes a million objects and no garbage; the collector would walk them all, again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


if TYPE_CHECKING:
    import pulumi_cloudflare as cloudflare
else:
    cloudflare = load("pulumi_cloudflare", _MODULES)

__all__ = ["cloudflare", "load"]
