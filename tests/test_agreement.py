"""The same op with the same params gives what kornia gives, to the tolerance that each case names."""

import pytest

pytest.importorskip("kornia")
pytest.importorskip("skimage")

from augfn.core.spec import SPECS
from benchmarks.agreement import cases, differences, distance
from benchmarks.agreement.__main__ import main, photo

CASES = cases()


@pytest.fixture(scope="module")
def crops():
    return photo()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("case", CASES, ids=[f"{c.op}-{c.peer}" for c in CASES])
def test_agrees(case, crops):
    before = crops.clone()
    assert distance(case, crops) <= case.tolerance
    assert crops.equal(before)


@pytest.mark.parametrize("case", CASES, ids=[f"{c.op}-{c.peer}" for c in CASES])
def test_a_case_is_about_an_op_and_strict(case):
    """A margin leaves most of the photo, and the tolerance is far below the photo's contrast."""
    assert case.op in SPECS
    assert case.tolerance <= 0.05
    assert case.margin <= 16


def test_most_ops_have_a_case():
    assert len({case.op for case in CASES}) >= 40


def test_every_difference_has_a_reason():
    assert all(len(why) > 10 for why in differences().values())


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_tables(capsys):
    main()
    shown = capsys.readouterr().out
    assert "DIFFERS" not in shown
    assert all(f"| {case.op} |" in shown for case in CASES)
