"""The Cloudflare SDK, loaded as far as it is used.

`import pulumi_cloudflare` runs some 240 resource modules for the eleven that Gatehouse needs, and makes the 6,000
nested classes of two modules that all of them share for the few hundred that those eleven name (docs/performance.md).
Here the package is entered without its index, the modules we name are loaded, and a nested class is made when its name
is first asked for. Whatever else anybody asks of the package runs the index after all, so nothing behaves otherwise.
Where the package has another shape than the one known, the ordinary import is used. docs/adr/0011 and 0014 say why, and
when this can go.
"""

from __future__ import annotations

import builtins
import gc
import importlib
import importlib.abc
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import RLock
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import pulumi

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
_NESTED = ("_inputs", "outputs")
"""Those of them that hold nothing but classes, each decorated by one of `_DECORATORS` or by none."""
_DECORATORS = ("input_type", "output_type")
_WORD = re.compile(r"\w+")
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
        # `import *` brings no such name, so the index has those alone that it says: tools ask each module for theirs.
        if name.startswith("__") or (name.startswith("_") and name not in index):
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
        nested = [_Nested(f"{package}.{name}") for name in _NESTED]
        for name, classes in modules.items():
            for of in nested:
                of.make_named_in(_code(f"{package}.{name}"))
            loaded = importlib.import_module(f"{package}.{name}")
            for class_name in classes:
                setattr(module, class_name, getattr(loaded, class_name))
        for of in nested:
            of.complete()
        utilities: Any = importlib.import_module(f"{package}._utilities")
        utilities.register(resource_modules=registered["modules"], resource_packages=registered["packages"])
    except Exception as error:
        # Whatever it is: if it is wrong with the package, the ordinary import meets it as well, and says it as ever.
        raise _UnknownShapeError from error
    return module


@dataclass
class _Later:
    """A class statement that has not run: what Python was about to make a class of."""

    body: FunctionType
    name: str
    bases: tuple[Any, ...]
    keywords: dict[str, Any]
    decorators: list[Callable[[type], type]] = field(default_factory=list)


class _Nested:
    """A module of nested classes, loaded with each class statement put off until its name is asked for.

    Raises _UnknownShapeError where the module holds something else than the classes that it exports.
    """

    def __init__(self, name: str) -> None:
        with _classes_put_off(name) as put_off:
            self._module = importlib.import_module(name)
        values = vars(self._module)
        self._later = {key: value for key, value in values.items() if isinstance(value, _Later)}
        self._exported: list[str] = values.get("__all__", [])
        derived = any(isinstance(base, _Later) for later in put_off for base in later.bases)
        if derived or len(put_off) != len(self._later) or set(self._later) != set(self._exported):
            raise _UnknownShapeError
        for key in self._later:
            del values[key]
        self._made: list[str] = []
        self._lock = RLock()
        # What `from ._inputs import *` gives the modules that are loaded now; the others get it all.
        values.update(__all__=self._made, __getattr__=self._on_demand)

    def make_named_in(self, code: CodeType) -> None:
        """Make every class that the code names, so that its forward references find them."""
        with self._lock:
            for name in _names(code):
                if name in self._later:
                    self._make(name)

    def complete(self) -> None:
        """Nothing more is loaded lean: whoever asks for all names from now on is given all."""
        vars(self._module)["__all__"] = self._exported

    def _on_demand(self, name: str) -> type:
        with self._lock:
            if name in self._later:
                self._make(name)
            if name in vars(self._module):
                made: type = vars(self._module)[name]
                return made
        raise AttributeError(f"module {self._module.__name__!r} has no attribute {name!r}")

    def _make(self, name: str) -> None:
        later = self._later.pop(name)
        self.make_named_in(later.body.__code__)
        made: type = builtins.__build_class__(later.body, name, *later.bases, **later.keywords)
        for decorator in later.decorators:
            made = decorator(made)
        setattr(self._module, name, made)
        self._made.append(name)


@contextmanager
def _classes_put_off(module: str) -> Iterator[list[_Later]]:
    """While it is entered, class statements at the top of the module give a `_Later`; all others are as ever."""
    put_off: list[_Later] = []
    build = builtins.__build_class__
    decorators = {name: getattr(pulumi, name) for name in _DECORATORS}

    def build_later(body: Any, name: str, *bases: Any, **keywords: Any) -> Any:
        if body.__globals__.get("__name__") != module or body.__qualname__ != name:
            return build(body, name, *bases, **keywords)
        put_off.append(_Later(body, name, bases, keywords))
        return put_off[-1]

    def later(decorator: Callable[[type], type]) -> Callable[[Any], Any]:
        def decorate(made: Any) -> Any:
            if not isinstance(made, _Later):
                return decorator(made)
            made.decorators.append(decorator)
            return made

        return decorate

    try:
        setattr(builtins, "__build_class__", build_later)  # noqa: B010
        for name, decorator in decorators.items():
            setattr(pulumi, name, later(decorator))
        yield put_off
    finally:
        setattr(builtins, "__build_class__", build)  # noqa: B010
        for name, decorator in decorators.items():
            setattr(pulumi, name, decorator)


def _names(code: CodeType) -> Iterator[str]:
    """The words that may be names of classes: in the code and what it holds, also in quotes, as forward references."""
    yield from code.co_names
    yield from _quoted(code.co_consts)


def _quoted(constants: Iterable[object]) -> Iterator[str]:
    for constant in constants:
        if isinstance(constant, CodeType):
            yield from _names(constant)
        elif isinstance(constant, tuple):
            yield from _quoted(constant)
        # No reference is that long; texts for people are.
        elif isinstance(constant, str) and len(constant) < 300:
            yield from _WORD.findall(constant)


def _code(module: str) -> CodeType:
    """A module's compiled code, without running it."""
    spec = importlib.util.find_spec(module)
    code = spec.loader.get_code(module) if spec and isinstance(spec.loader, importlib.abc.InspectLoader) else None
    if code is None:
        raise _UnknownShapeError
    return code


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
