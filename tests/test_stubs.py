"""Stubs: current, complete, and what a type checker says by them in a user's file."""

import ast
import inspect
import json
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
USER = """
import torch
import augfn as af
import augfn_nn

x = torch.rand(1, 3, 8, 8)
rotate = af.rotate(degrees=3)
y, params = af.pipeline(rotate, af.hflip(p=0.5), af.affine(translate=((-0.1, 0.1), (0.0, 0.0))))(x, None, af.key(0))
af.rotate(degrees=af.Normal(0.0, 5.0), p=af.RelaxedBernoulli(0.0), interpolation="bicubic")
af.rotate(degrees=torch.rand(1), fill=(0.1, 0.2, 0.3))
af.brightness(factor=[0.5, 1.5], clip="ste", channels=(0, 1))
af.invert(max_val=1.0, p=0.5)
back, valid = af.invert(rotate, size=(8, 8))(y, params)
augfn_nn.RandomRotation(15.0, p=0.5, resample="bilinear", align_corners=False)
augfn_nn.AugmentationSequential(augfn_nn.RandomHorizontalFlip(0.5), data_keys=["input"])(x)
augfn_nn.Augment(rotate, learnable=True).params
af.rotate(degres=3)  # wrong
af.rotate(degrees="3")  # wrong
af.rotate(interpolation="cubic")  # wrong
af.random_crop()  # wrong
af.invert(rotate, sise=(8, 8))  # wrong
augfn_nn.RandomRotation(15.0, probability=0.5)  # wrong
augfn_nn.RandomAffine()  # wrong
af.rotated()  # wrong
"""


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


def test_a_type_checker_knows_the_keywords(tmp_path):
    """pyright on a user's file: each wrong line is an error, no other is."""
    file, config = tmp_path / "user.py", tmp_path / "pyrightconfig.json"
    file.write_text(USER)
    config.write_text(json.dumps({"extraPaths": [str(ROOT)], "include": ["user.py"]}))
    command = [sys.executable, "-m", "pyright", "-p", str(config), "--pythonpath", sys.executable, "--outputjson"]
    out = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=300).stdout)
    wrong = [i for i, line in enumerate(USER.splitlines()) if line.endswith("# wrong")]
    errors = {d["range"]["start"]["line"]: d["message"] for d in out["generalDiagnostics"]}
    assert sorted(errors) == wrong, errors
    assert 'No parameter named "degres"' in errors[wrong[0]]
