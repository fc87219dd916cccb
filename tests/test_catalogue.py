"""The generated page: an entry for every op, and pictures that are small and the same every time."""

import pytest
import torch

pytest.importorskip("matplotlib")
pytest.importorskip("skimage")
pytest.importorskip("tqdm")

from augfn.core.spec import SPECS
from benchmarks import catalogue
from benchmarks.measure import environment

NAMES = ("rotate", "solarize", "erase")


@pytest.fixture(scope="module")
def page():
    return catalogue.page(environment("python -m benchmarks.catalogue", 1))


def row_of(name, page):
    rows = [line for line in page.splitlines() if line.startswith(f"| `{name}`")]
    assert len(rows) == 1
    return rows[0].replace("\\|", "").strip("| ").split(" | ")


@pytest.mark.parametrize("name", SPECS)
def test_every_op_has_an_entry(name, page):
    spec, cells = SPECS[name], row_of(name, page)
    assert len(cells) == len(catalogue.HEAD)
    _, what, leaves, static, changes, source = cells
    assert len(what) > 5
    assert len(source) > 3
    assert spec.target in changes or spec.ndim == 3
    for leaf_name, leaf in spec.leaves.items():
        assert f"`{leaf_name}`" in leaves
        assert leaf.unit in leaves
        assert leaf.flat in leaves
    assert all(keyword in static for keyword in spec.static)


def test_entry_of_one_op(page):
    name, what, leaves, _, changes, source = row_of("brightness", page)
    assert (name, what, source) == ("`brightness`", "Multiply: y = factor x", "torchvision `adjust_brightness`")
    assert leaves == "`factor`: factor, 0 … ∞, neutral 1, default `Uniform(low=0.8, high=1.2)`"
    assert changes == "image, video, volume"
    assert "keypoints" in row_of("rotate", page)[4]


def test_pictures(tmp_path):
    catalogue.main(["--out", str(tmp_path / "a"), "--only", *NAMES])
    catalogue.main(["--out", str(tmp_path / "b"), "--only", *NAMES])
    text = (tmp_path / "a" / "catalogue.md").read_text()
    for name in NAMES:
        first, second = ((tmp_path / run / f"{name}.jpg").read_bytes() for run in "ab")
        assert first == second
        assert 2_000 < len(first) < catalogue.LARGEST
        assert f"![{name}]({name}.jpg)" in text
    assert "![hflip]" not in text
    assert len(list((tmp_path / "a").iterdir())) == len(NAMES) + 1


def test_draws_differ_from_the_photo():
    original, *draws = catalogue.drawn("rotate", catalogue.pictures_of_two())
    assert len(draws) == catalogue.DRAWS
    assert original["image"].shape == (3, catalogue.SIDE, catalogue.SIDE)
    assert all(not torch.equal(d["image"], original["image"]) for d in draws)
