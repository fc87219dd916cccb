"""What is released: the files of the wheel and of the source distribution, and what they say of the package."""

import io
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.build import build_sdist, build_wheel

import augfn as af

ROOT = Path(__file__).parents[1]
PACKAGES = {
    path.relative_to(ROOT).as_posix()
    for package in ("augfn", "augfn_nn")
    for path in (ROOT / package).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the source distribution of the checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        folder = tmp_path_factory.mktemp("dist")
        wheel, source = build_wheel(str(folder)), build_sdist(str(folder))
    with tarfile.open(folder / source) as archive:
        kept = {m.name.partition("/")[2]: m.size for m in archive.getmembers()}
    return zipfile.ZipFile(io.BytesIO((folder / wheel).read_bytes())), kept


IMPORTED = """
import sys, torch

def asked(event, args):
    written = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if written or event.startswith(("socket.", "subprocess.")):
        print(event, args)

sys.addaudithook(asked)
import augfn as af, augfn_nn
f = af.pipeline(af.hflip(p=0.5), af.affine(degrees=(-5, 5)))
augfn_nn.Augment(f)(torch.rand(2, 3, 8, 8))
"""


def test_an_import_asks_no_server_and_writes_no_file(tmp_path):
    """Nor does it warn, nor need a home, UTF-8 or docstrings, which `-OO` leaves out."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "HOME": "/nowhere",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
    command = [sys.executable, "-B", "-OO", "-W", "error", "-c", IMPORTED]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_wheel_holds_the_packages_and_nothing_else(built):
    names = {n for n in built[0].namelist() if ".dist-info/" not in n}
    assert names == PACKAGES
    assert {"augfn/py.typed", "augfn/__init__.pyi", "augfn_nn/py.typed", "augfn_nn/__init__.pyi"} <= names


def test_the_source_distribution_holds_what_the_wheel_is_made_of(built):
    others = {"CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore"}
    assert built[1].keys() - others == PACKAGES
    assert sum(built[1].values()) < 4e6


def test_what_it_says_of_itself(built):
    """Version, floors, licence, command; a description without pictures and links that lead nowhere."""
    wheel = built[0]
    info = {Path(n).name: wheel.read(n).decode() for n in wheel.namelist() if ".dist-info/" in n}
    head, _, description = info["METADATA"].partition("\n\n")
    required = [line for line in head.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert f"Version: {af.__version__}" in head
    assert "License-Expression: Apache-2.0" in head
    assert sorted(required) == ["Requires-Dist: numpy", "Requires-Dist: torch>=2.9"]
    assert "augfn = augfn.app.cli:main" in info["entry_points.txt"]
    assert description.startswith("# augfn")
    assert not re.findall(r"\]\((?!https?:|#)[^)\s]*(?:\.\w+|/)\)", description)
    code = re.compile(r"```python\n(.*?)```", re.DOTALL)
    assert code.findall(description) == code.findall((ROOT / "README.md").read_text(encoding="utf-8"))


def test_the_programs_of_a_release_find_what_they_need(built):
    """In an environment with the extra `release` alone: what is imported at the top, and what is run by `python -m`."""
    metadata = next(built[0].read(n).decode() for n in built[0].namelist() if n.endswith("/METADATA"))
    extra = re.findall(r"^Requires-Dist: ([\w-]+).*extra == 'release'", metadata, re.MULTILINE)
    texts = [
        (ROOT / f"benchmarks/{n}.py").read_text(encoding="utf-8") for n in ("apart", "matrix", "measure", "package")
    ]
    roots = {m for text in texts for m in re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)}
    run = set(re.findall(r'"-m", "(\w+)"', texts[-1])) - {"venv", "pip"}
    assert roots - sys.stdlib_module_names - {"augfn", "benchmarks", "torch"} | run <= set(extra)
