"""The public interface: what is listed, what a key draws, which versions are refused."""

import json
import re
from pathlib import Path

import pytest
import yaml

import augfn as af
from augfn import supported
from augfn.supported import PYTHON, TORCH, require
from benchmarks.api import API, DRAWS, MEMBERS, MODULES, RESULTS, api, draws

ROOT = Path(__file__).parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_public_names_are_those_that_are_listed():
    assert api().splitlines() == API.read_text(encoding="utf-8").splitlines(), "run python -m benchmarks.api"


def test_a_key_draws_what_it_drew():
    """Stable draws: a change of these numbers is a change of every seeded run of a user's."""
    kept, now = json.loads(DRAWS.read_text(encoding="utf-8")), draws()
    assert {op: [*leaves] for op, leaves in now.items()} == {op: [*leaves] for op, leaves in kept.items()}
    for op, leaves in kept.items():
        for path, values in leaves.items():
            assert now[op][path] == pytest.approx(values, rel=1e-4, abs=2e-6), f"{op}: {path}"


def test_classes_with_members_are_public():
    listed = {line.partition("(")[0].split(".")[-1] for line in API.read_text(encoding="utf-8").splitlines()}
    assert listed >= MEMBERS.keys() | RESULTS.keys()


def test_public_modules_come_with_the_package():
    for name in MODULES:
        if name.count(".") == 1 and name.startswith("augfn."):
            assert getattr(af, name.removeprefix("augfn.")).__name__ == name
    with pytest.raises(AttributeError, match="did you mean 'rotate'"):
        _ = af.rotat


def test_an_older_version_is_refused_with_a_sentence():
    require("torch", TORCH, TORCH, "")
    with pytest.raises(
        ImportError, match=r"augfn does not run on this torch[^$]*2\.8[^$]*2\.9 or newer[^$]*pip install"
    ):
        require("torch", [2, 8], TORCH, "pip install 'torch>=2.9'")


def test_a_compiler_that_does_not_take_every_op_is_said(monkeypatch):
    monkeypatch.setattr(supported, "HERE", [2, 12])
    with pytest.warns(UserWarning, match=r"2\.13 or newer"):
        af.hflip().compiled(backend="eager")


def test_pip_refuses_what_the_import_refuses():
    assert re.search(r'"torch>=([\d.]+)"', PROJECT).group(1) == ".".join(map(str, TORCH))
    assert re.search(r'requires-python = ">=([\d.]+)"', PROJECT).group(1) == ".".join(map(str, PYTHON))


def test_every_file_has_this_version_and_these_floors():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    recipe = yaml.safe_load((ROOT / ".conda" / "recipe.yaml").read_text(encoding="utf-8"))
    assert cited["version"] == recipe["context"]["version"] == af.__version__
    assert (
        cited["license"]
        == recipe["about"]["license"]
        == re.search(r'^license = "(.+)"', PROJECT, re.MULTILINE).group(1)
    )
    assert recipe["context"]["python_min"] == ".".join(map(str, PYTHON))
    assert f"pytorch >={'.'.join(map(str, TORCH))}" in recipe["requirements"]["run"]
    assert f"## [{af.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.stem)
def test_forms_are_yaml(form):
    assert yaml.safe_load(form.read_text(encoding="utf-8"))
