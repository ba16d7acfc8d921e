"""The lean loading of an SDK: the same classes, less of the rest, and the ordinary import where in doubt."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi._types import is_input_type

from components.sdk import _MODULES, cloudflare, load
from tests.kit.recorder import record

ROOT = Path(__file__).parents[2]

_UTILITIES = """
REGISTERED = []
def register(resource_modules, resource_packages):
    REGISTERED.append((resource_modules.strip(), resource_packages.strip()))
"""
_INDEX = '''
from . import _utilities
LOADED = True
from .wanted import *
from .other import *
_utilities.register(
    resource_modules="""[modules]""",
    resource_packages="""[packages]"""
)
'''


_NESTED = """
from typing import Optional, TypedDict
import pulumi
__all__ = ["DeepArgs", "InnerArgs", "InnerArgsDict", "AsideArgs"]
class InnerArgsDict(TypedDict):
    deep: "DeepArgs"
@pulumi.input_type
class InnerArgs:
    def __init__(self, *, deep: Optional["DeepArgs"] = None): ...
@pulumi.input_type
class DeepArgs:
    pass
@pulumi.input_type
class AsideArgs:
    pass
"""
_WANTED = """
from ._inputs import *
from . import outputs
class Wanted:
    def __init__(self, inner: "InnerArgs", seen: "outputs.Seen"): ...
"""
_OUTPUTS = """
import pulumi
from . import outputs
__all__ = ["Seen", "Unseen"]
@pulumi.output_type
class Seen(dict):
    pass
class Unseen(Seen if False else dict):
    pass
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "lean_sdk"
    folder.mkdir()
    (folder / "_utilities.py").write_text(_UTILITIES)
    (folder / "__init__.py").write_text(_INDEX)
    (folder / "_inputs.py").write_text(_NESTED)
    (folder / "outputs.py").write_text(_OUTPUTS)
    (folder / "wanted.py").write_text(_WANTED)
    (folder / "other.py").write_text("from ._inputs import *\nclass Other: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [n for n in sys.modules if n.split(".")[0] == "lean_sdk"]:
        del sys.modules[name]


def test_only_what_is_wanted_is_loaded_and_registered_once(package: Path) -> None:
    sdk = load("lean_sdk", {"wanted": ("Wanted",)})
    assert sdk.Wanted.__module__ == "lean_sdk.wanted"
    assert "lean_sdk.other" not in sys.modules
    assert sys.modules["lean_sdk._utilities"].REGISTERED == [("[modules]", "[packages]")]


def test_the_rest_is_there_for_whoever_asks_and_nothing_is_registered_twice(package: Path) -> None:
    sdk = load("lean_sdk", {"wanted": ("Wanted",)})
    wanted = sdk.Wanted
    assert sdk.Other.__module__ == "lean_sdk.other"
    assert sdk.LOADED
    assert sdk.Wanted is wanted
    assert len(sys.modules["lean_sdk._utilities"].REGISTERED) == 1
    with pytest.raises(AttributeError):
        _ = sdk.NothingOfTheKind


def test_a_tool_that_asks_each_module_for_its_own_mark_loads_nothing(package: Path) -> None:
    loaded = load(package.name, {"wanted": ("Wanted",)})
    assert not hasattr(loaded, "_mock_name")
    assert "LOADED" not in vars(loaded)
    assert loaded.LOADED


def test_a_nested_class_is_made_when_it_is_named_or_asked_for(package: Path) -> None:
    load("lean_sdk", {"wanted": ("Wanted",)})
    inputs, outputs = sys.modules["lean_sdk._inputs"], sys.modules["lean_sdk.outputs"]
    wanted = sys.modules["lean_sdk.wanted"]
    assert {"InnerArgs", "DeepArgs"} < set(vars(inputs))
    assert wanted.InnerArgs is inputs.InnerArgs
    assert typing.get_type_hints(inputs.InnerArgs.__init__) == {"deep": inputs.DeepArgs | None}
    assert typing.get_type_hints(wanted.Wanted.__init__) == {"inner": inputs.InnerArgs, "seen": outputs.Seen}
    # The control: nobody has asked for this one.
    assert "AsideArgs" not in vars(inputs)
    assert inputs.AsideArgs is inputs.AsideArgs
    assert is_input_type(inputs.AsideArgs)
    assert not is_input_type(inputs.InnerArgsDict)
    assert outputs.Unseen.__bases__ == (dict,)
    with pytest.raises(AttributeError):
        _ = inputs.NothingOfTheKind


def test_a_module_that_is_asked_for_later_gets_every_nested_class(package: Path) -> None:
    sdk = load("lean_sdk", {"wanted": ("Wanted",)})
    inner = sys.modules["lean_sdk._inputs"].InnerArgs
    assert sdk.Other.__module__ == "lean_sdk.other"
    assert sys.modules["lean_sdk.other"].InnerArgs is inner
    assert sys.modules["lean_sdk.other"].AsideArgs.__name__ == "AsideArgs"


def test_loading_leaves_python_and_pulumi_as_they_were(package: Path) -> None:
    before = (builtins.__build_class__, pulumi.input_type, pulumi.output_type)
    load("lean_sdk", {"wanted": ("Wanted",)})
    assert before == (builtins.__build_class__, pulumi.input_type, pulumi.output_type)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        # Another nested module than one of classes, each with its name in the list.
        ("_inputs.py", _NESTED + "class Unlisted: pass\n"),
        ("_inputs.py", _NESTED + "AsideArgs.told = True\n"),
        ("_inputs.py", _NESTED + "class AsideArgs(InnerArgs): pass\n"),
        ("_inputs.py", _NESTED.replace("@pulumi.input_type\nclass AsideArgs:", "class AsideArgs(DeepArgs):")),
        ("_inputs.py", _NESTED + "for _made in (DeepArgs, InnerArgs):\n    _made()\n"),
        ("_inputs.py", _NESTED.replace('"AsideArgs"]', '"AsideArgs", "Number"]') + "Number = 1\n"),
        ("__init__.py", "from .wanted import *\nLOADED = True\n"),
        ("__init__.py", _INDEX.replace("from .wanted import *", "from .wanted import Wanted")),
        ("wanted.py", "class Renamed: pass\n"),
    ],
)
def test_a_package_of_another_shape_is_imported_as_ever(package: Path, file: str, text: str) -> None:
    (package / file).write_text(text)
    assert load("lean_sdk", {"wanted": ("Wanted",)}).LOADED is True


def test_a_package_that_is_loaded_already_is_the_one_that_is_used() -> None:
    assert load("pulumi_cloudflare", {}) is sys.modules["pulumi_cloudflare"] is cloudflare


# What the SDK's runtime knows of a package, and its types, in a process of its own.
_KNOWN = """
import gc, hashlib, inspect, json, sys
gc.disable()
if sys.argv[1] == "lean":
    from components.sdk import cloudflare
else:
    import pulumi_cloudflare as cloudflare
from pulumi import _types
from pulumi.runtime import rpc
classes = {}
for name in sys.argv[2:]:
    of = getattr(cloudflare, name)
    arguments = getattr(sys.modules[of.__module__], name + "Args")
    classes[name] = [
        of.__module__,
        str(inspect.signature(of._internal_init)),
        sorted((key, str(kind)) for key, kind in _types.resource_types(of).items()),
        sorted((key, str(kind)) for key, kind in _types.input_type_types(arguments).items()),
        str(inspect.signature(of.get)) if hasattr(of, "get") else None,
    ]
modules = {k: [sorted(vars(m)["mod_info"]["classes"].items()) for m in v] for k, v in rpc._RESOURCE_MODULES.items()
           if k.startswith("cloudflare:")}
eager = sum(name.startswith("pulumi_cloudflare.") for name in sys.modules)
nested = {module: sys.modules[f"pulumi_cloudflare.{module}"] for module in ("_inputs", "outputs")}
made = sum(isinstance(value, type) for module in nested.values() for value in vars(module).values())
# Every nested class of the package, those made only now and those in use.
whole = {
    f"{module}.{name}": [of.__module__, of.__qualname__, [b.__name__ for b in of.__bases__], of.__doc__,
                         list(vars(of)), *(str(getattr(has, "__annotations__", None)) for has in (of, of.__init__))]
    for module, holder in nested.items() for name in holder.__all__ for of in [getattr(holder, name)]
}
said = hashlib.sha256(json.dumps(whole).encode()).hexdigest()
known = [classes, modules, "cloudflare" in rpc._RESOURCE_PACKAGES, len(whole), said]
print(json.dumps([known, eager, made]))
"""
_USED = sorted(name for classes in _MODULES.values() for name in classes)


def _known(how: str) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", _KNOWN, how, *_USED], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def test_classes_types_and_references_are_those_of_the_ordinary_import() -> None:
    lean, few_modules, few_classes = _known("lean")
    ordinary, many_modules, many_classes = _known("ordinary")
    assert lean == ordinary
    assert len(lean[0]) == len(_USED) >= 10
    assert lean[3] > 5000
    # The control: one of the two did load less.
    assert few_modules < 20 < 200 < many_modules
    assert few_classes < 1500 < 5000 < many_classes


def test_outputs_have_their_types() -> None:
    seen: list[object] = []

    def program() -> None:
        zone = cloudflare.Zone("zone", account={"id": "0" * 32}, name="example.com")
        zone.account.apply(lambda account: seen.append(type(account)))
        zone.name_servers.apply(seen.append)

    assert "cloudflare:Zone" in [r.short for r in record(program, preview=False).resources]
    assert cloudflare.outputs.ZoneAccount in seen
    assert ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"] in seen


def test_the_type_checker_sees_the_ordinary_package() -> None:
    # An error of type that mypy must report: where it sees none, `warn_unused_ignores` (strict) fails `make lint`.
    def never() -> None:
        cloudflare.DnsRecord("x", zone_id="z", name="n", type="A", ttl="one")  # type: ignore[call-overload]
        _ = cloudflare.NoSuchResource  # type: ignore[attr-defined]

    assert callable(never)


def test_the_next_version_of_the_sdk_is_loaded_lean_or_as_ever_but_never_wrongly(package: Path) -> None:
    # Resources come and go, classes get new inputs: the index is of the same make.
    (package / "__init__.py").write_text(_INDEX.replace("from .other", "from .brand_new import *\nfrom .other"))
    (package / "brand_new.py").write_text("class BrandNew: pass\n")
    sdk = load("lean_sdk", {"wanted": ("Wanted",)})
    assert "lean_sdk.brand_new" not in sys.modules
    assert sdk.BrandNew.__module__ == "lean_sdk.brand_new"


@pytest.mark.parametrize(
    "index",
    [
        # Lazy at last, as pulumi_kubernetes is: there is nothing to save.
        "LOADED = True\nfrom . import _utilities\nimport importlib\n"
        "def __getattr__(name):\n    if name != 'Wanted':\n        raise AttributeError(name)\n"
        "    return importlib.import_module('.wanted', __name__).Wanted\n",
        # Registered by another call.
        _INDEX.replace("_utilities.register(", "_utilities.register_all("),
        # The lists are no text any more.
        _INDEX.replace('"""', "'"),
    ],
)
def test_a_next_version_of_another_make_is_imported_as_ever(package: Path, index: str) -> None:
    (package / "__init__.py").write_text(index)
    (package / "_utilities.py").write_text(_UTILITIES + "register_all = register\n")
    sdk = load("lean_sdk", {"wanted": ("Wanted",)})
    assert sdk.LOADED is True
    assert sdk.Wanted.__module__ == "lean_sdk.wanted"
