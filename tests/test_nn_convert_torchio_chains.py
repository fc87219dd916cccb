"""Compositions of TorchIO, converted: choices, gates, what is known of the volumes on the way, what lacks, replay."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from test_nn_convert_torchio import (
    AFFINE,
    KEY,
    LINEAR,
    TURN,
    compose,
    made,
    of_torchio,
    one_of,
    rendered,
    resample,
    run,
)
from torch import Tensor

import augfn as af
import augfn_nn as A


@pytest.fixture(scope="module")
def head() -> Tensor:
    return rendered()


def flip(axis: int, **kept: Any) -> Any:
    return of_torchio("Flip", axes=(axis,), **kept)


def test_compositions(head: Tensor) -> None:
    x = head[..., :3, :3, :3]
    either = one_of({flip(0): 0.75, flip(2, probability=0.5): 0.25}, probability=0.8)
    y = made(compose(either), x.expand(3000, -1, -1, -1, -1))
    shares = torch.stack([(y == w).flatten(1).all(-1).float().mean() for w in (x, x.flip(-3), x.flip(-1))])
    torch.testing.assert_close(shares, torch.tensor([0.3, 0.6, 0.1]), atol=0.03, rtol=0)
    nested = compose(compose(flip(0), flip(1)), flip(2))
    assert torch.equal(made(nested, x), x.flip(-3, -2, -1))
    some = made(compose(compose(flip(0), flip(1), probability=0.5)), x.expand(200, -1, -1, -1, -1))
    assert ((some == x) | (some == x.flip(-3, -2))).flatten(1).all()
    swap = of_torchio("RandomSwap")
    with pytest.raises(ValueError, match=r"nothing is left(?s:.)*OneOf: a choice of which one is lacking"):
        A.convert(one_of({flip(0): 0.5, swap: 0.5}), partly=True)
    assert A.convert(compose(flip(0), swap), partly=True).lacking[0].startswith("RandomSwap: no counterpart")


def test_what_lies_beyond_the_frame_is_the_lowest_value_that_is_known(head: Tensor) -> None:
    away = of_torchio(
        "Affine", **{**TURN, "translation": (50.0, 0.0, 0.0)}, **{**AFFINE, "default_pad_value": "minimum"}
    )
    levels = {"out_min": -1.0, "out_max": 1.0, "percentiles": (0, 100), "masking_method": None, "in_min_max": None}
    rescale, clamp = of_torchio("RescaleIntensity", **levels), of_torchio("Clamp", out_min=0.25, out_max=None)
    assert (made(compose(rescale, away), head) == -1).all()
    assert (made(compose(clamp, away), head) == 0.25).all()
    window = of_torchio("RescaleIntensity", **{**levels, "in_min_max": (0.25, 1.25), "out_min": 0.0})
    assert (made(compose(clamp, window, away), head) == 0).all()
    found = A.convert(compose(rescale, of_torchio("ZNormalization", masking_method=None), away))
    assert any("the border repeats" in line for line in found.differs)
    sometimes = A.convert(compose(of_torchio("Clamp", out_min=0.25, out_max=None, probability=0.5), away))
    assert any("the border repeats" in line for line in sometimes.differs)
    pad = of_torchio("Pad", bounds_parameters=(1,) * 6, padding_mode=0)
    assert (made(compose(clamp, pad, away), head) == 0).all()
    branches = one_of({rescale: 0.5, clamp: 0.5})
    assert any("the border repeats" in line for line in A.convert(compose(branches, away)).differs)
    odd = of_torchio("Affine", **TURN, **{**AFFINE, "default_pad_value": "otsu", "default_pad_label": 4.0})
    with pytest.raises(ValueError, match="give a number for both"):
        A.convert(odd)


def test_names_and_headers(head: Tensor) -> None:
    found = A.convert(compose(of_torchio("ToCanonical"), flip(0, keep={"t1": "raw"}, label_keys=["seg"])), partly=True)
    assert found.lacking == ["Flip: keep={'t1': 'raw'}: keep a copy before the call"]
    assert "RAS" in found.differs[0]
    assert "{'seg': 'mask'}" in found.differs[1]
    assert torch.equal(run(found.pipeline, head), head.flip(-3))
    with pytest.raises(ValueError, match=r"include=\['t1'\]"):
        A.convert(compose(flip(0), flip(1, include=["t1"])))
    with pytest.raises(ValueError, match=r"exclude=\['t1'\]"):
        A.convert(flip(0, exclude=("t1",)))
    assert "chooses nothing" in A.convert(compose(flip(0), include=("t1",))).differs[0]
    fresh = flip(0)
    del fresh.probability
    with pytest.raises(ValueError, match="TorchIO 1"):
        A.convert(compose(fresh))
    with pytest.raises(ValueError, match="read_volume"):
        A.convert(compose(resample(1.0, 1.0, 1.0), flip(0)))
    types = A.convert(compose(of_torchio("To", target=torch.float32), flip(0)))
    assert torch.equal(run(types.pipeline, head), head.flip(-3))


@pytest.mark.parametrize(
    ("t", "line"),
    [
        (of_torchio("RandomLabelsToImage"), "no counterpart"),
        (of_torchio("HistogramStandardization"), "apply it before"),
        (of_torchio("OneHot", num_classes=3), "one_hot"),
        (of_torchio("Mask", masking_method="brain", outside_value=0, masking_labels=None), "label map"),
        (of_torchio("ZNormalization", masking_method="brain"), "label map"),
        (of_torchio("To", target="cuda"), "target=cuda"),
        (of_torchio("Affine", **TURN, **{**AFFINE, "center": "origin"}), "center=origin"),
        (of_torchio("Affine", **TURN, **{**AFFINE, "image_interpolation": "bspline"}), "'bspline' has no counterpart"),
        (of_torchio("Pad", bounds_parameters=(1,) * 6, padding_mode="wrap"), "padding_mode='wrap'"),
        (of_torchio("Resize", target_shape=np.array([8, -1, 8]), **LINEAR), "the size of each axis"),
        (of_torchio("Resample", target="t1"), "size of their voxels"),
        (of_torchio("RandomBiasField", order=4, coefficients_range=(0, 1)), "up to 3"),
        (
            of_torchio("RandomMotion", degrees_range=(0, 1), translation_range=(0, 1), num_transforms=3, **LINEAR),
            "num_transforms=3",
        ),
        (
            of_torchio("RandomAnisotropy", axes=(0,), downsampling_range=(1, 2), scalars_only=False, **LINEAR),
            "scalars_only=False",
        ),
        (
            of_torchio("RandomGhosting", axes=(0,), num_ghosts_range=(4, 4), intensity_range=(1, 1), restore=(0, 0.02)),
            "restore=(0, 0.02)",
        ),
        (
            of_torchio("RandomGhosting", axes=(0,), num_ghosts_range=(0, 4), intensity_range=(1, 1), restore=None),
            "at least 1",
        ),
        (of_torchio("Gamma", gamma={"t1": [1.0]}), "Gamma"),
        (of_torchio("EnsureShapeMultiple", target_multiple=np.array([8, 8, 4]), method="pad"), "one for all axes"),
        (flip(0, include=["t1"]), "include"),
    ],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_what_lacks_is_told(t: Any, line: str) -> None:
    found = A.convert(compose(flip(1), t), partly=True)
    assert line in found.lacking[0]


# the converted pipeline


def mri(std: float) -> Any:
    """A recipe of all sorts."""
    zoom = {"scales": (0.9, 1.1) * 3, "degrees": (-10, 10) * 3, "translation": (0, 0) * 3, "isotropic": False}
    control = {"num_control_points": (7, 7, 7), "max_displacement": (2, 2, 2), "num_locked_borders": 2, **LINEAR}
    return compose(
        of_torchio("ZNormalization", masking_method=None),
        one_of(
            {of_torchio("RandomAffine", **zoom, **AFFINE): 0.8, of_torchio("RandomElasticDeformation", **control): 0.2}
        ),
        of_torchio(
            "RandomMotion",
            degrees_range=(-9, 9),
            translation_range=(-9, 9),
            num_transforms=2,
            **LINEAR,
            probability=0.5,
        ),
        of_torchio("RandomBiasField", order=3, coefficients_range=(-0.5, 0.5)),
        of_torchio("RandomGamma", log_gamma_range=(-0.3, 0.3), probability=0.5),
        of_torchio("RandomNoise", mean_range=(0, 0), std_range=(0, std), probability=0.5),
    )


def test_a_recipe_replays_and_keeps(head: Tensor) -> None:
    found = A.convert(mri(0.25))
    x = {"volume": head.expand(3, -1, -1, -1, -1), "mask": (head[:, 0] > 0.4).long().expand(3, -1, -1, -1)}
    y, drawn = found.pipeline(x, found.pipeline.params, af.key(3))
    again = found.pipeline(x, drawn)[0]
    assert all(torch.equal(y[n], again[n]) for n in y)
    assert y["mask"].dtype == torch.int64
    found = A.convert(mri(0.0))
    named = found.module({"volume_t1": head, "volume_t2": head, "mask": x["mask"][:1]}, generator=KEY)
    assert torch.equal(named["volume_t1"], found.module(head, generator=KEY))
    kept = io.BytesIO()
    torch.save(found.module, kept)
    kept.seek(0)
    loaded = torch.load(kept, weights_only=True)
    assert torch.equal(loaded(head, generator=KEY), found.module(head, generator=KEY))
    volume = head.clone().requires_grad_()
    found.module(volume, generator=KEY).square().sum().backward()
    assert volume.grad is not None
    assert volume.grad.isfinite().all()


def test_a_bare_tensor_is_a_volume(head: Tensor) -> None:
    blur = of_torchio("Blur", std=(1.0, 0.0, 0.0))
    y = made(blur, head)
    assert torch.equal(y[..., 1:, :].var((0, 1, 2)) > 0, torch.ones(13, 16) > 0)
    want = ndimage.gaussian_filter1d(head[0, 0].numpy(), 1.0, 0)
    torch.testing.assert_close(y[0, 0, 4:8], torch.from_numpy(want)[4:8], atol=1e-4, rtol=0)
