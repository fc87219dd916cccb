"""Calls of kornia's documentation, tutorials and scripts: they run with the import changed, and give outputs of the same form."""

import warnings

import pytest
import torch
from kornia_calls import CALLS
from torch import Tensor

import augfn_nn as A

DIFFERS = {
    "gallery CenterCrop": "the second number is taken for align_corners there, and is not the width: CenterCrop((18, 18))"
}


@pytest.fixture(scope="module")
def kornia():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip("kornia.augmentation")


def form(value):
    """Types, shapes and dtypes."""
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype
    if isinstance(value, list | tuple):
        return [*map(form, value)]
    if isinstance(value, dict):
        return {n: form(v) for n, v in value.items()}
    return value if isinstance(value, bool | int | str) else type(value).__name__


@pytest.mark.parametrize("name", [n for n in CALLS if n not in DIFFERS])
def test_calls_of_kornia_run_with_the_import_changed(kornia, name):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of signs, and kornia's own
        ours = form(CALLS[name](A))
        theirs = form(CALLS[name](kornia))
    assert ours == theirs


def test_few_differ():
    assert len(DIFFERS) <= 0.05 * len(CALLS)
    for name in DIFFERS:
        with pytest.raises((TypeError, ValueError)):
            CALLS[name](A)
