"""The lean loading of an SDK: the same classes, less of the rest, and the ordinary import where in doubt."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.sdk import cloudflare, load

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
    (folder / "wanted.py").write_text("class Wanted: pass\n")
    (folder / "other.py").write_text("class Other: pass\n")
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
    assert load("lean_sdk", {"wanted": ("Wanted",)}).LOADED is True


def test_a_package_that_is_loaded_already_is_the_one_that_is_used() -> None:
    assert load("pulumi_cloudflare", {}) is sys.modules["pulumi_cloudflare"] is cloudflare
