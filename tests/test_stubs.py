"""Stubs: current, complete, and what a type checker says by them in a user's file."""

import ast
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import augfn as af
import augfn_nn
from augfn.app.stubs import default, main, stubs
from augfn.core.spec import SPECS
from augfn.ops import photometric

ROOT = Path(__file__).parents[1]
STUBS = {path.parent.name: ast.parse(path.read_text(encoding="utf-8")) for path in stubs()}
USER = Path(__file__).parent / "data" / "user_file.py"
LINES = USER.read_text(encoding="utf-8").splitlines()
WRONG = [i for i, line in enumerate(LINES, 1) if "# wrong" in line]


@pytest.mark.parametrize("path", stubs(), ids=lambda path: path.parent.name)
def test_stubs_are_current(path):
    assert path.read_text(encoding="utf-8") == stubs()[path], "run python -m augfn.app.stubs"


def test_the_command_writes_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("augfn.app.stubs.stubs", lambda: {tmp_path / "__init__.pyi": "x: int\n"})
    main()
    assert (tmp_path / "__init__.pyi").read_text() == "x: int\n"
    assert capsys.readouterr().out.strip() == str(tmp_path / "__init__.pyi")


def names_in(tree):
    imported = {a.asname for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names if a.asname}
    made = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return imported | made | {n.targets[0].id for n in tree.body if isinstance(n, ast.Assign)}


@pytest.mark.parametrize("package", [af, augfn_nn], ids=lambda p: p.__name__)
def test_every_public_name_has_its_stub(package):
    names = {n for n in names_in(STUBS[package.__name__]) if not n.startswith("_")}
    assert names == {*package.__all__, *getattr(package, "_MODULES", ())}


@pytest.mark.parametrize("name", SPECS)
def test_the_stub_has_the_keywords_of_the_factory(name):
    """In their order: what a completion shows."""
    factory = photometric.invert if name == "invert" else getattr(af, name)
    shown = [n for n in STUBS["augfn"].body if isinstance(n, ast.FunctionDef) and n.name == name][-1].args.kwonlyargs
    assert [a.arg for a in shown] == list(inspect.signature(factory).parameters)
    leaves = {a.arg: ast.unparse(a.annotation) for a in shown if a.arg in SPECS[name].leaves}
    assert set(leaves.values()) <= {"Range", "Range | None"}
    assert leaves.keys() == SPECS[name].leaves.keys()


def test_defaults_are_python():
    assert default(af.Uniform([0.0] * 2, [1.0] * 2)) == "Uniform(low=[0.0, 0.0], high=[1.0, 1.0])"
    assert default(af.Choice([1.0] * 8)) == "..."
    assert default("none") == '"none"'


def test_pyright_knows_the_keywords(tmp_path):
    """On a user's file: each wrong line is an error, no other is."""
    config = tmp_path / "pyrightconfig.json"  # it reads what lies beside its configuration
    config.write_text(json.dumps({"extraPaths": [str(ROOT)], "include": [USER.name]}))
    (tmp_path / USER.name).write_text("\n".join(LINES), encoding="utf-8")
    command = [sys.executable, "-m", "pyright", "-p", str(config), "--pythonpath", sys.executable, "--outputjson"]
    out = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=300).stdout)
    errors = {d["range"]["start"]["line"] + 1: d["message"] for d in out["generalDiagnostics"]}
    assert sorted(errors) == WRONG, errors
    assert 'No parameter named "degres"' in errors[WRONG[0]]


def test_mypy_knows_the_keywords(tmp_path):
    """The same by `mypy --strict`, without torch's own types, which take most of its time; benchmarks.package has them."""
    config = tmp_path / "mypy.ini"
    config.write_text(
        f"[mypy]\nstrict = true\nmypy_path = {ROOT}\ncache_dir = {os.devnull}\nfollow_imports = silent\n"
        "[mypy-torch.*,numpy.*,matplotlib.*,optuna.*,pandas.*,ray.*,scipy.*]\nfollow_imports = skip\n"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), str(USER)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
    errors = {int(line.split(":")[1]) for line in out.splitlines() if ": error: " in line}
    assert sorted(errors) == [i for i in WRONG if "by torch's types" not in LINES[i - 1]], out
