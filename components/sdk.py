"""The Cloudflare SDK, loaded as far as it is used.

`import pulumi_cloudflare` runs an index of some 240 modules for the twelve that Gatehouse needs (docs/performance.md).
Here those are loaded without the index, which runs when anything else is asked of the package, so nothing behaves
otherwise. Where the package has another shape than the one known, the ordinary import is used. docs/adr/0011 and 0020
say why, and when this can go.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

_MODULES = {
    "provider": "Provider",
    "zone": "Zone",
    "zone_dnssec": "ZoneDnssec",
    "zone_setting": "ZoneSetting",
    "dns_record": "DnsRecord",
    "ruleset": "Ruleset",
    "zero_trust_access_application": "ZeroTrustAccessApplication",
    "zero_trust_access_group": "ZeroTrustAccessGroup",
    "zero_trust_access_identity_provider": "ZeroTrustAccessIdentityProvider",
    "zero_trust_access_policy": "ZeroTrustAccessPolicy",
    "zero_trust_access_service_token": "ZeroTrustAccessServiceToken",
    "zero_trust_tunnel_cloudflared": "ZeroTrustTunnelCloudflared",
    "zero_trust_tunnel_cloudflared_config": "ZeroTrustTunnelCloudflaredConfig",
}


def load(package: str, modules: Mapping[str, str]) -> ModuleType:
    """The package with the class of each of these modules at hand, the rest on demand; the ordinary import in doubt."""
    if package in sys.modules:
        return sys.modules[package]
    # Loading makes a million objects and no garbage; the collector would walk them all, again and again.
    collects = gc.isenabled()
    gc.disable()
    try:
        return _load(package, modules)
    except Exception:
        # Whatever it is: if it is wrong with the package, the ordinary import meets it as well, and says it as ever.
        for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
            del sys.modules[name]
        return importlib.import_module(package)
    finally:
        if collects:
            gc.enable()


def _load(package: str, modules: Mapping[str, str]) -> ModuleType:
    spec: Any = importlib.util.find_spec(package)
    # The index imports everything, and then tells Pulumi which class stands for which resource type.
    imports, call, types = spec.loader.get_source(package).partition("\n_utilities.register(")
    if not call or not all(f"\nfrom .{name} import *\n" in imports for name in modules):
        raise ImportError(f"{package} is not built as expected")
    module = sys.modules[package] = importlib.util.module_from_spec(spec)
    for name, wanted in modules.items():
        setattr(module, wanted, getattr(importlib.import_module(f"{package}.{name}"), wanted))
    exec(call + types, vars(module))

    def rest(name: str) -> object:
        # Tools ask each module for private marks of theirs.
        if name.startswith("_"):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        del vars(module)["__getattr__"]
        exec(imports, vars(module))
        return getattr(module, name)

    vars(module)["__getattr__"] = rest
    return module


if TYPE_CHECKING:
    import pulumi_cloudflare as cloudflare
else:
    cloudflare = load("pulumi_cloudflare", _MODULES)

__all__ = ["cloudflare", "load"]
