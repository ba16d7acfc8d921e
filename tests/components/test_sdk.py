"""The lean loading of an SDK: the same classes, less of the rest, and the ordinary import where in doubt."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "lean_sdk"
    folder.mkdir()
    (folder / "_utilities.py").write_text(_UTILITIES)
    (folder / "__init__.py").write_text(_INDEX)
    (folder / "wanted.py").write_text("from . import _utilities\nclass Wanted: pass\n")
    (folder / "other.py").write_text("class Other: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [n for n in sys.modules if n.split(".")[0] == "lean_sdk"]:
        del sys.modules[name]


def test_only_what_is_wanted_is_loaded_and_registered_once(package: Path) -> None:
    sdk = load("lean_sdk", {"wanted": "Wanted"})
    assert sdk.Wanted.__module__ == "lean_sdk.wanted"
    assert "lean_sdk.other" not in sys.modules
    assert sys.modules["lean_sdk._utilities"].REGISTERED == [("[modules]", "[packages]")]


def test_the_rest_is_there_for_whoever_asks_and_nothing_is_registered_twice(package: Path) -> None:
    sdk = load("lean_sdk", {"wanted": "Wanted"})
    wanted = sdk.Wanted
    assert sdk.Other.__module__ == "lean_sdk.other"
    assert sdk.LOADED
    assert sdk.Wanted is wanted
    assert len(sys.modules["lean_sdk._utilities"].REGISTERED) == 1
    with pytest.raises(AttributeError):
        _ = sdk.NothingOfTheKind


def test_a_tool_that_asks_each_module_for_its_own_mark_loads_nothing(package: Path) -> None:
    loaded = load("lean_sdk", {"wanted": "Wanted"})
    assert not hasattr(loaded, "_mock_name")
    assert "LOADED" not in vars(loaded)
    assert loaded.LOADED


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("__init__.py", "from .wanted import *\nLOADED = True\n"),
        ("__init__.py", _INDEX.replace("from .wanted import *", "from .wanted import Wanted")),
        ("wanted.py", "class Renamed: pass\n"),
    ],
)
def test_a_package_of_another_shape_is_imported_as_ever(package: Path, file: str, text: str) -> None:
    (package / file).write_text(text)
    assert load("lean_sdk", {"wanted": "Wanted"}).LOADED is True


def test_a_package_that_is_loaded_already_is_the_one_that_is_used() -> None:
    assert load("pulumi_cloudflare", {}) is sys.modules["pulumi_cloudflare"] is cloudflare


# What the SDK's runtime knows of a package, and its types, in a process of its own.
_KNOWN = """
import gc, inspect, json, sys
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
known = [classes, modules, "cloudflare" in rpc._RESOURCE_PACKAGES]
print(json.dumps([known, eager]))
"""
_USED = sorted(_MODULES.values())


def _known(how: str) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", _KNOWN, how, *_USED], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def test_classes_types_and_references_are_those_of_the_ordinary_import() -> None:
    lean, few = _known("lean")
    ordinary, many = _known("ordinary")
    assert lean == ordinary
    assert len(lean[0]) == len(_USED) >= 10
    # The control: one of the two did load less.
    assert few < 20 < 200 < many


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
    sdk = load("lean_sdk", {"wanted": "Wanted"})
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
    ],
)
def test_a_next_version_of_another_make_is_imported_as_ever(package: Path, index: str) -> None:
    (package / "__init__.py").write_text(index)
    (package / "_utilities.py").write_text(_UTILITIES + "register_all = register\n")
    sdk = load("lean_sdk", {"wanted": "Wanted"})
    assert sdk.LOADED is True
    assert sdk.Wanted.__module__ == "lean_sdk.wanted"
