"""Calls of kornia's documentation, tutorials and scripts: they run with the import changed, and give outputs of the same form."""

import warnings

import pytest
import torch

import augfn_nn as A
from benchmarks.migration import CALLS, REFUSED, form


@pytest.fixture(scope="module")
def kornia():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip("kornia.augmentation")


@pytest.mark.parametrize("name", [n for n in CALLS if n not in REFUSED])
def test_calls_of_kornia_run_with_the_import_changed(kornia, name):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of signs, and kornia's own
        ours = form(CALLS[name](A))
        theirs = form(CALLS[name](kornia))
    assert ours == theirs


def test_few_differ():
    assert len(REFUSED) <= 0.05 * len(CALLS)
    for name in REFUSED:
        with pytest.raises((TypeError, ValueError)):
            CALLS[name](A)


def test_an_image_alone_is_what_it_is_beside_others():
    """Alone it is neither wrapped nor collected; the result is the same."""
    aug = A.AugmentationSequential(A.RandomAffine(15.0), A.ColorJitter(0.2, 0.2, p=0.5))
    x = torch.rand(4, 3, 8, 8)
    alone = aug(x, generator=torch.tensor([1, 2]))
    beside = aug(x, "name", data_keys=["input", "other"], generator=torch.tensor([1, 2]))
    assert type(alone) is torch.Tensor
    assert torch.equal(alone, beside[0])
    assert torch.equal(alone, aug({"image": x}, generator=torch.tensor([1, 2]))["image"])
