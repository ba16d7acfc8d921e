"""The SDKs that other programs get: made of the schema by Pulumi's own generators, and used by the examples."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from package.offered import OFFERED
from package.provider import schema
from tests.docs import components as pages
from tests.kit.builders import PROJECT

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("go") is None, reason="Pulumi's generators are built with Go"),
]
_MODULE = "gatehouse.package/sdk"
_TYPESCRIPT = PROJECT / "examples" / "typescript"
_TSC = _TYPESCRIPT / "node_modules" / ".bin" / "tsc"
_ENGINE = PROJECT / "gatehouse" / "engine"
# A program that has modules of our names, and records what the example asks of the engine.
_PROGRAM = """
import runpy, sys
import pulumi
import components, config, policy
assert (config.MINE, components.MINE, policy.MINE) == (1, 2, 3)

class Mocks(pulumi.runtime.Mocks):
    def new_resource(self, args):
        sys.stdout.write(f"{args.typ} {args.name}\\n")
        return args.name + "-id", args.inputs

    def call(self, args):
        return {}

pulumi.runtime.set_mocks(Mocks(), project="home", stack="dev")
secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I="
pulumi.runtime.set_all_config({"home:accountId": "0" * 32, "home:clientSecret": "s", "home:tunnelSecret": secret})
pulumi.runtime.test(lambda: runpy.run_path(sys.argv[1]) and None)()
"""


def called(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdks")
    for file in (_ENGINE / "go.mod", _ENGINE / "go.sum", PROJECT / "tests" / "package" / "sdks" / "main.go"):
        shutil.copy(file, folder)
    called("go", "build", "-o", "generate", ".", cwd=folder, GOFLAGS="-mod=mod")
    (folder / "schema.json").write_text(json.dumps(schema()))
    called(folder / "generate", "schema.json", folder / "sdk", cwd=folder)
    return folder / "sdk"


def test_the_python_sdk_stands_in_a_project_that_has_modules_of_our_names(sdks: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    shutil.copytree(sdks / "python", tmp_path / "sdk")
    uv = Path(sys.executable).parent / "uv"
    alone = ("--python", sys.executable, "--no-deps", "--no-build-isolation", "--target", installed)
    called(uv, "pip", "install", *alone, tmp_path / "sdk", cwd=tmp_path)
    project = tmp_path / "home"
    (project / "components").mkdir(parents=True)
    (project / "policy").mkdir()
    (project / "config.py").write_text("MINE = 1\n")
    (project / "components" / "__init__.py").write_text("MINE = 2\n")
    (project / "policy" / "__init__.py").write_text("MINE = 3\n")
    (project / "run.py").write_text(_PROGRAM)
    example = PROJECT / "examples" / "python" / "__main__.py"
    made = called(sys.executable, "run.py", example, cwd=project, PYTHONPATH=str(installed)).splitlines()
    kinds = {"Zone zone", "Google google", "Tunnel tunnel", "TunnelRoutes routes", "Connector connector"}
    assert set(made) == {f"gatehouse:index:{kind}" for kind in kinds}


def test_the_examples_in_go_have_the_right_types(sdks: Path, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "examples" / "go", tmp_path / "home")
    shutil.copy(_ENGINE / "go.sum", tmp_path / "home" / "go.sum")
    shutil.copytree(sdks / "go", tmp_path / "gatehouse")
    # What `pulumi package add` writes.
    pulumi = (PROJECT / "examples" / "go" / "go.mod").read_text().splitlines()[-1]
    (tmp_path / "gatehouse" / "go.mod").write_text(f"module {_MODULE}\n\ngo 1.24\n\n{pulumi}\n")
    with (tmp_path / "home" / "go.mod").open("a") as module:
        module.write(f"require {_MODULE} v0.1.0\nreplace {_MODULE} => ../gatehouse\n")
    for kind in OFFERED:
        (tmp_path / "home" / "pages" / kind).mkdir(parents=True)
        (tmp_path / "home" / "pages" / kind / "main.go").write_text(pages.examples(kind)["go"])
    vet = ("go", "vet", "./...")
    called(*vet, cwd=tmp_path / "home", GOFLAGS="-mod=mod")
    text = (tmp_path / "home" / "main.go").read_text()
    (tmp_path / "home" / "main.go").write_text(text.replace("Public:", "Publik:", 1))
    with pytest.raises(AssertionError, match="Publik"):
        called(*vet, cwd=tmp_path / "home", GOFLAGS="-mod=mod")


def test_the_typescript_sdk_has_a_name_of_our_own(sdks: Path) -> None:
    assert '"name": "@gatehouse/gatehouse"' in (sdks / "nodejs" / "package.json").read_text()


@pytest.mark.skipif(not _TSC.exists(), reason="needs `npm install` in examples/typescript")
def test_the_examples_in_typescript_have_the_right_types(sdks: Path, tmp_path: Path) -> None:
    shutil.copytree(sdks / "nodejs", tmp_path / "sdk")
    for name in ("tsconfig.json", "node_modules"):
        (tmp_path / name).symlink_to(_TYPESCRIPT / name)
    paths = {"compilerOptions": {"baseUrl": ".", "paths": {"@gatehouse/gatehouse": ["sdk/index.ts"]}}}
    for kind in OFFERED:
        (tmp_path / f"{kind}.ts").write_text(pages.examples(kind)["typescript"])
    files = ["index.ts", *(f"{kind}.ts" for kind in OFFERED)]
    (tmp_path / "check.json").write_text(json.dumps({"extends": "./tsconfig.json", **paths, "files": files}))
    text = (_TYPESCRIPT / "index.ts").read_text()
    (tmp_path / "index.ts").write_text(text)
    called(_TSC, "-p", "check.json", cwd=tmp_path)
    (tmp_path / "index.ts").write_text(text.replace("public: true", "publik: true"))
    with pytest.raises(AssertionError, match="'publik' does not exist"):
        called(_TSC, "-p", "check.json", cwd=tmp_path)
