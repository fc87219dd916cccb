"""What other libraries call each op: every op has its names or is said to have none, and every name leads to what exists."""

from collections import Counter
from importlib import import_module

import pytest

import augfn as af
import augfn_nn
from benchmarks.equivalents import OPS, PAGES, PEERS, SEARCHES, alone, filled, lacking, peers_names, rows

ALONE = {  # ops that none of the seven libraries has
    *("depth_noise", "depth_dropout", "depth_normalize", "luma_flip", "hue_rotation", "linear_saturation", "fmix"),
    *("resizemix", "patchmix", "dither", "thin_plate_spline3d", "time_crop", "time_speed", "frame_dropout"),
}


def test_every_op_has_its_names_or_is_said_to_have_none():
    assert set(alone()) == ALONE
    assert "monai" not in peers_names("hflip", first=True)  # nearest to hflip3d
    assert "RandFlipd" in peers_names("hflip")["monai"]


@pytest.mark.parametrize("peer", PEERS)
def test_names_are_there_once_and_lead_to_what_exists(peer):
    counted = Counter(n for row in rows(peer) for n in row.names)
    assert [n for n, count in counted.items() if count > 1] == []
    ours = {n for row in rows(peer) for n in row.ours}
    assert [n for n in ours if not hasattr(af, n) and not hasattr(augfn_nn, n)] == []
    assert [row.names for row in rows(peer) if any(len(cell) > 120 for cell in row)] == []


@pytest.mark.parametrize("peer", ["torchvision", "albumentations", "monai", "torchio"])
def test_what_converts_has_a_row(peer):
    known = {n for row in rows(peer) if row.ours for n in row.names}
    assert set(import_module(f"augfn_nn.converters.{peer}").TABLE) - known == set()


def test_kornia_has_the_names_and_all_of_them_have_a_row():
    kornia = pytest.importorskip("kornia.augmentation")
    assert lacking("kornia") == []
    assert set(kornia.__all__) - {n for row in rows("kornia") for n in row.names} == {"auto", "container"}


def test_a_search_has_one_nearest_op():
    nearest = {o: {n.lower() for n in (o, *sum(peers_names(o, first=True).values(), ()))} for o in OPS}
    found = {name: [o for o, names in nearest.items() if name.lower() in names] for name in SEARCHES}
    assert found == {name: [op] for name, op in SEARCHES.items()}


def test_the_tables_of_the_pages_are_up_to_date():
    for path in PAGES.glob("*.md"):
        assert filled(path.read_text()) == path.read_text(), f"{path.name}: python -m benchmarks.equivalents"
