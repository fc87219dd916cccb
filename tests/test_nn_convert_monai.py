"""MONAI's pipelines, converted: its recorded results, closed forms, keys, and what is told."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor, nn

import augfn as af
import augfn_nn as A

DATA = np.load(Path(__file__).parent / "data" / "volumes.npz")
ENTRIES = {f"{e['op']}/{e['i']}": e["params"] for e in json.loads(DATA["meta"].tobytes())["entries"]}
BOTH = {"keys": ("image", "label"), "prob": 1.0}


def of_monai(kind: str, **kept: Any) -> Any:
    """What a transform of MONAI keeps, without MONAI."""
    made = type(kind, (), {"__module__": "monai.transforms._any"})()
    vars(made).update(kept)
    return made


def compose(*transforms: Any) -> Any:
    return of_monai("Compose", transforms=transforms, overrides=None)


def run(f: Any, x: Any, key: int = 0) -> Any:
    return f(x, f.params, af.key(key))[0]


@pytest.fixture(scope="module")
def photo() -> Tensor:
    x = torch.from_numpy(data.camera())[None, None].float() / 255
    return nn.functional.interpolate(x, (5, 6), mode="area")[0]


def rotate(angle: Any, mode: str = "border", **given: Any) -> Any:
    known = {"keep_size": True, "mode": "bilinear", "padding_mode": mode, "align_corners": False, "rotate_order": "XYZ"}
    return of_monai("Rotate", angle=angle, **known | given)


def rand_rotate(x: Any, y: Any = (0.0, 0.0), z: Any = (0.0, 0.0), **given: Any) -> Any:
    known = {"range_x": x, "range_y": y, "range_z": z, "prob": 1.0, "keep_size": True, "align_corners": False}
    return of_monai("RandRotate", **known | {"mode": "bilinear", "padding_mode": "border"} | given)


def rand_affine(turn: Any = (), shear: Any = (), shift: Any = (), zoom: Any = (), **given: Any) -> Any:
    ranges = {"rotate_range": turn, "shear_range": shear, "translate_range": shift, "scale_range": zoom}
    grid = of_monai("RandAffineGrid", **ranges)
    known = {"prob": 1.0, "spatial_size": None, "mode": "bilinear", "padding_mode": "reflection"}
    return of_monai("RandAffine", rand_affine_grid=grid, **known | given)


def affine(p: dict[str, Any]) -> Any:
    names = ("rotate_params", "shear_params", "translate_params", "scale_params")
    grid = of_monai("AffineGrid", **{n: p.get(n) for n in names}, affine=None, rotate_order="XYZ", align_corners=False)
    known = {"spatial_size": None, "mode": "bilinear", "padding_mode": p["padding_mode"], "norm_coord": True}
    return of_monai("Affine", affine_grid=grid, **known)


def pad(kind: str, **given: Any) -> Any:
    return of_monai(kind, **{"method": "symmetric", "mode": "constant", "kwargs": {}} | given)


def resized(size: Any, mode: str = "trilinear") -> Any:
    known = {"align_corners": None, "anti_aliasing": False}
    return of_monai("Resize", spatial_size=tuple(size), size_mode="all", mode=mode, **known)


def gamma(p: dict[str, Any]) -> Any:
    return of_monai("AdjustContrast", gamma=p["gamma"], invert_image=p["invert"], retain_stats=p["retain_stats"])


def contrast(p: dict[str, Any]) -> Any:
    known = {"preserve_range": p["preserve_range"], "fixed_mean": True, "channel_wise": True}
    return of_monai("RandScaleIntensityFixedMean", factors=(p["factor_minus_one"],) * 2, prob=1.0, **known)


def window(p: dict[str, Any]) -> Any:
    return of_monai("ScaleIntensityRange", a_min=p["a_min"], a_max=p["a_max"], b_min=0, b_max=1, clip=True)


def percentiles(p: dict[str, Any]) -> Any:
    kept = {n: p[n] for n in ("lower", "upper", "b_min", "b_max", "clip")}
    return of_monai("ScaleIntensityRangePercentiles", **kept, relative=False, channel_wise=True)


def standard(p: dict[str, Any]) -> Any:
    known = {"subtrahend": None, "divisor": None, "channel_wise": True}
    return of_monai("NormalizeIntensity", nonzero=p["nonzero"], **known)


# MONAI's results of volumes

RECORDED = {
    "flip": lambda p: of_monai("Flip", spatial_axis=p["axes_dhw"]),
    "rot90": lambda p: of_monai("Rotate90", k=p["k"], spatial_axes=p["axes_dhw"]),
    "rotate_euler": lambda p: rotate(p["angle_rad_about_axes_DHW"], p["padding_mode"]),
    "affine": affine,
    "resize": lambda p: resized(p["size_dhw"], p["mode"]),
    "center_crop": lambda p: of_monai("CenterSpatialCrop", roi_size=p["size_dhw"]),
    "pad": lambda p: pad("SpatialPad", spatial_size=p["size_dhw"], mode=p["mode"]),
    "pad_divisible": lambda p: pad("DivisiblePad", k=p["k"]),
    "crop_or_pad_monai": lambda p: of_monai(
        "ResizeWithPadOrCrop", padder=pad("SpatialPad", spatial_size=p["size_dhw"])
    ),
    "gaussian_blur_monai": lambda p: of_monai("GaussianSmooth", sigma=p["sigma_voxels_dhw"], approx="erf"),
    "gamma_monai": gamma,
    "contrast_monai": contrast,
    "brightness_multiplicative": lambda p: of_monai(
        "ScaleIntensity", minv=None, maxv=None, factor=p["factor_minus_one"], channel_wise=False
    ),
    "scale_percentiles": percentiles,
    "window": window,
    "znorm": standard,
    "sharpen": lambda p: of_monai("GaussianSharpen", **{n: p[n] for n in ("sigma1", "sigma2", "alpha")}, approx="erf"),
    "median": lambda p: of_monai("MedianSmooth", radius=p["radius"]),
}
LEFT_OUT = (
    *("rotate_euler/2", "resize/1", "resize/2", "affine/3", "gamma_monai/0"),  # lacking, or told to differ
    *("affine_nnunet", "affine_axis", "affine_spacing", "gaussian_blur_mm", "pad_torchio"),
)
NEAR = {"gaussian_blur_monai": 0.006, "sharpen": 0.04}  # averages over pixels beside samples at them


@pytest.mark.parametrize("name", [n for n in ENTRIES if n.split("/")[0] in RECORDED and n not in LEFT_OUT])
def test_recorded_results_of_volumes_are_met(name: str) -> None:
    p, op = ENTRIES[name], name.split("/")[0]
    x = torch.from_numpy(DATA["image_signed" if "image_signed" in p.get("input", "") else "image"]).float()
    if "label==0" in p.get("input", ""):
        x = x * torch.from_numpy(DATA["label"] != 0)
    found = A.convert(RECORDED[op](p), ndim=3)
    got, want = run(found.pipeline, {"volume": x})["volume"], torch.from_numpy(DATA[name]).float()
    assert got.shape == want.shape
    assert (got - want).abs().max() < NEAR.get(op, 1e-4)
    assert not found.lacking
    torch.testing.assert_close(found.module(x), got)  # a sample, or a batch
    torch.testing.assert_close(found.module(x[None].repeat(2, 1, 1, 1, 1))[1], got)


# MONAI's results of a photo, to four digits

PHOTO: dict[str, list[list[float]]] = {
    "rotate": [
        [0.5945, 0.5968, 0.5815, 0.6405, 0.782, 0.78],
        [0.1277, 0.1923, 0.2562, 0.516, 0.744, 0.7797],
        [0.0929, 0.1571, 0.232, 0.4129, 0.6859, 0.7813],
        [0.2155, 0.406, 0.5659, 0.5376, 0.589, 0.625],
        [0.308, 0.5525, 0.5632, 0.5811, 0.5892, 0.5952],
    ],
    "affine": [
        [0.6604, 0.6832, 0.569, 0.4708, 0.4962, 0.6244],
        [0.1222, 0.1257, 0.1297, 0.1618, 0.2594, 0.4633],
        [0.0868, 0.1265, 0.2175, 0.4659, 0.492, 0.5105],
        [0.1336, 0.2764, 0.4493, 0.5759, 0.5616, 0.5748],
        [0.149, 0.2957, 0.5346, 0.5675, 0.5652, 0.581],
    ],
    "affine, zeros": [
        [0.2807, 0.4353, 0.6735, 0.7669, 0.7857, 0.406],
        [0.7096, 0.4606, 0.4464, 0.618, 0.6942, 0.5321],
        [0.4902, 0.1693, 0.1747, 0.3996, 0.5764, 0.5978],
        [0.0973, 0.1177, 0.3926, 0.562, 0.5806, 0.5803],
        [0.0432, 0.1545, 0.4048, 0.5386, 0.3666, 0.2026],
    ],
    "rot90": [
        [0.7743, 0.7809, 0.6164, 0.592, 0.5673],
        [0.7802, 0.8067, 0.5723, 0.6008, 0.5827],
        [0.7823, 0.6084, 0.3776, 0.5568, 0.5595],
        [0.6091, 0.3342, 0.1406, 0.5715, 0.5799],
        [0.7983, 0.2527, 0.0954, 0.147, 0.3129],
        [0.8068, 0.6648, 0.1305, 0.0786, 0.1048],
    ],
    "resize": [
        [0.789, 0.7595, 0.7042, 0.6006, 0.6676, 0.7644, 0.7797, 0.7793, 0.7751],
        [0.4644, 0.3291, 0.205, 0.2503, 0.3917, 0.5547, 0.686, 0.719, 0.7192],
        [0.098, 0.1128, 0.1747, 0.3629, 0.4498, 0.5064, 0.5734, 0.5956, 0.6011],
        [0.1015, 0.1969, 0.34, 0.5311, 0.569, 0.5635, 0.5806, 0.5777, 0.5704],
    ],
    "blur": [
        [0.3172, 0.4079, 0.4481, 0.4836, 0.4782, 0.3682],
        [0.2917, 0.377, 0.4454, 0.5336, 0.5672, 0.4526],
        [0.1617, 0.2445, 0.3453, 0.4568, 0.5033, 0.4077],
        [0.1251, 0.2406, 0.3712, 0.4677, 0.4801, 0.3732],
        [0.1094, 0.215, 0.3207, 0.381, 0.3714, 0.2799],
    ],
}
OF_PHOTO = {
    "rotate": rand_rotate((0.4, 0.4)),
    "affine": rand_affine(
        [[0.4, 0.4]], [[0.2, 0.2], [-0.1, -0.1]], [[0.75, 0.75], [-1.25, -1.25]], [[0.2, 0.2], [-0.3, -0.3]]
    ),
    "affine, zeros": rand_affine([[-0.3, -0.3]], padding_mode="zeros"),
    "rot90": of_monai("Rotate90", k=1, spatial_axes=(0, 1)),
    "resize": resized((4, 9), "bilinear"),
    "blur": of_monai(
        "RandGaussianSmooth", sigma_x=(0.8, 0.8), sigma_y=(1.2, 1.2), sigma_z=(1.0, 1.0), approx="erf", prob=1.0
    ),
}


@pytest.mark.parametrize("name", PHOTO)
def test_recorded_results_of_a_photo_are_met(name: str, photo: Tensor) -> None:
    got = run(A.convert(OF_PHOTO[name], ndim=2).pipeline, photo)[0]
    torch.testing.assert_close(got, torch.tensor(PHOTO[name]), atol=2e-3 if name == "blur" else 1e-4, rtol=0)


# ranges


def leaves(f: Any) -> dict[str, Any]:
    """The leaves of a tree of params by their names."""
    out = {}
    for name, value in f.items():
        out |= leaves(value) if isinstance(value, dict) else {name: value}
    return out


def ends(x: Any) -> list[list[float]]:
    return [torch.as_tensor(v).flatten().tolist() for v in (x.low, x.high)]


def test_ranges_keep_their_signs_units_and_axes() -> None:
    turn = A.convert(rand_rotate((0.1, 0.5), (-0.2, 0.3), (0.0, 0.4))).pipeline.params
    want = [[-v * 180 / math.pi for v in ends] for ends in ((0.4, 0.3, 0.5), (0.0, -0.2, 0.1))]
    for got, known in zip(ends(turn["rotate3d"]["degrees"]), want, strict=True):
        assert got == pytest.approx(known, abs=1e-4)
    known = rand_affine((0.3, (0.0, 0.1), None), shift=((-1.0, 4.0), 2.0, 3.0), zoom=((0.0, 1.0), 0.5, 0.0))
    found = leaves(A.convert(known, ndim=3).pipeline.params)
    degrees = [v / math.pi * 180 for v in (0.3, 0.1)]
    assert ends(found["degrees"])[0] == pytest.approx([0, -degrees[1], -degrees[0]], abs=1e-4)
    assert ends(found["degrees"])[1] == pytest.approx([0, 0, degrees[0]], abs=1e-4)
    assert ends(found["translate"]) == [[-3.0, -2.0, -4.0], [3.0, 2.0, 1.0]]
    assert ends(found["scale_z"]) == [[0.5], [1.0]]
    assert ends(found["scale_y"])[0] == pytest.approx([1 / 1.5])
    assert float(found["scale"].value) == 1.0


def test_a_range_of_slopes_is_one_of_angles() -> None:
    found = A.convert(rand_affine(shear=((-0.5, 1.0), 0.0)), ndim=2)
    assert ends(leaves(found.pipeline.params)["shear"]) == [
        pytest.approx([0, -26.565], abs=1e-3),
        pytest.approx([0, 45]),
    ]
    assert any("slopes" in line for line in found.differs)


def test_noise_is_of_a_drawn_spread() -> None:
    given = {"mean": 0.0, "std": 0.2, "prob": 1.0}
    drawn, fixed = (of_monai("RandGaussianNoise", **given, sample_std=s) for s in (True, False))
    assert ends(leaves(A.convert(drawn, ndim=2).pipeline.params)["std"])[1] == pytest.approx([0.2])
    y = run(A.convert(fixed, ndim=2).pipeline, torch.zeros(1, 64, 64))
    assert y.std() == pytest.approx(0.2, abs=0.01)
    assert y.min() < -0.3  # nothing is cut off


def test_probabilities_and_numbers_of_turns() -> None:
    x = torch.arange(4.0).reshape(1, 1, 2, 2).repeat(4000, 1, 1, 1)
    turn = of_monai("RandRotate90", prob=0.6, max_k=2, spatial_axes=(0, 1))
    y = run(A.convert(turn, ndim=2).pipeline, x)
    shares = [(y == torch.rot90(x, k, (2, 3))).flatten(1).all(1).float().mean() for k in range(4)]
    torch.testing.assert_close(torch.stack(shares), torch.tensor([0.4, 0.3, 0.3, 0.0]), atol=0.03, rtol=0)
    square = of_monai("CenterSpatialCrop", roi_size=(2, 2))
    assert not any("sides differ" in line for line in A.convert(compose(square, turn)).differs)
    assert any("sides differ" in line for line in A.convert(turn, ndim=2).differs)
    y = run(A.convert(of_monai("RandAxisFlip", prob=0.5), ndim=2).pipeline, x)
    shares = [(y == x.flip(d)).flatten(1).all(1).float().mean() for d in ((), (2,), (3,))]
    torch.testing.assert_close(torch.stack(shares), torch.tensor([0.5, 0.25, 0.25]), atol=0.03, rtol=0)


@pytest.mark.parametrize("n", [4, 5])
@pytest.mark.parametrize("m", [2, 3, 7, 8])
def test_middles_lie_where_monai_has_them(n: int, m: int) -> None:
    x = torch.arange(1.0, n + 1).expand(1, n, n)
    either = pad("ResizeWithPadOrCrop", spatial_size=(m, m))
    y = run(A.convert(either).pipeline, x)[0, m // 2]
    first, before = n // 2 - m // 2, (m - n) // 2
    want = x[0, 0, first : first + m] if m < n else nn.functional.pad(x[0, 0], (before, m - n - before))
    assert torch.equal(y, want)


# keys

FLIP = of_monai("RandFlipd", flipper=of_monai("Flip", spatial_axis=2), **BOTH)
SHIFT = of_monai(
    "RandShiftIntensityd", keys=("image",), prob=1.0, factor_key=(None,), offsets=(0.5, 0.5), channel_wise=False
)


def test_dictionaries_come_with_their_own_keys() -> None:
    x = torch.from_numpy(DATA["image"]).float()[:1]
    label = torch.from_numpy(DATA["label"])
    tensors = of_monai("ToTensord", keys=("image", "label", "site"))
    found = A.convert(compose(FLIP, SHIFT, tensors))
    y = found.module({"image": x, "label": label, "site": 3, "path": "a.nii"})
    assert torch.equal(y["image"], x.flip(-1) + 0.5)
    assert torch.equal(y["label"], label.flip(-1))
    assert (y["site"], y["path"], y["label"].dtype) == (3, "a.nii", label.dtype)
    images, masks = found.module(x[None].repeat(2, 1, 1, 1, 1), label[None].repeat(2, 1, 1, 1, 1))
    assert torch.equal(images[1], y["image"])
    assert torch.equal(masks[1], y["label"])
    assert [line.split(":")[0] for line in found.differs] == ["ToTensord"]


@pytest.mark.parametrize(
    ("given", "masks", "lines"),
    [
        ({"keys": ("a", "b"), "mode": ("bilinear", "nearest")}, ["b"], []),
        (
            {"keys": ("ct", "gtv_seg"), "mode": ("bilinear", "bilinear")},
            ["gtv_seg"],
            ["'gtv_seg' is a mask, and read nearest"],
        ),
        ({"keys": ("a", "b"), "mode": ("nearest", "nearest")}, [], []),
        (
            {"keys": ("a", "b"), "mode": ("bilinear", "nearest"), "padding_mode": ("border", "zeros")},
            ["b"],
            ["'b' is padded as the images are ('border')"],
        ),
    ],
)
def test_masks_are_told_by_modes_and_names(given: Any, masks: list[str], lines: list[str]) -> None:
    t = rand_rotate((0.1, 0.1), (0.1, 0.1), **given)
    found = A.convert(of_monai("RandRotated", **vars(t)))
    assert [k for k, kind in found.pipeline.targets.items() if kind == "mask"] == masks
    assert len(found.differs) == len(lines)
    assert all(line in said for line, said in zip(lines, found.differs, strict=True))


def test_keys_that_a_step_here_cannot_leave_out() -> None:
    alone = of_monai("RandFlipd", flipper=of_monai("Flip", spatial_axis=0), keys=("image",), prob=1.0)
    found = A.convert(compose(FLIP, alone), partly=True)
    assert found.lacking == ["RandFlipd: keys=['image'] without ['label'], which a step here changes too"]
    scale = of_monai("ScaleIntensityd", keys=("image", "label"), minv=0, maxv=1, factor=None, channel_wise=True)
    assert A.convert(compose(FLIP, scale)).differs == [
        "ScaleIntensityd: the masks ['label'] keep their values: intensity is that of images"
    ]


def test_intensity_of_masks_alone_is_lacking() -> None:
    scale = of_monai("ScaleIntensityd", keys=("label",), minv=0, maxv=1, factor=None, channel_wise=True)
    flip = of_monai("RandFlipd", flipper=of_monai("Flip", spatial_axis=2), keys=("label",), prob=1.0)
    for first in (FLIP, flip):
        assert "ScaleIntensityd: keys=['label']" in A.convert(compose(first, scale), partly=True).lacking[0]


def test_a_crop_looks_at_its_label() -> None:
    kept = {"pos_ratio": 1.0, "num_samples": 4, "image_threshold": 0.0, "allow_smaller": False}
    crop = of_monai(
        "RandCropByPosNegLabeld",
        keys=("image", "organ"),
        label_key="organ",
        image_key=None,
        spatial_size=(2, 2, 3),
        **kept,
    )
    found = A.convert(crop)
    organ = torch.zeros(1, 5, 6, 7)
    organ[0, 2, 3, 3] = 1
    y = found.module({"image": torch.rand(1, 5, 6, 7), "organ": organ})
    assert y["organ"][0, 1, 1, 1] == 1  # the voxel at n // 2
    assert any("repeat_interleave(4, 0)" in line for line in found.differs)


def test_a_crop_of_images_looks_at_its_label() -> None:
    kept = {"pos_ratio": 0.75, "num_samples": 1, "image_threshold": 0.0, "allow_smaller": False, "image_key": None}
    crop = of_monai(
        "RandCropByPosNegLabeld",
        keys=("image", "seg"),
        label_key="seg",
        spatial_size=(2, 4),
        fg_indices_key=None,
        **kept,
    )
    seg = torch.zeros(2000, 1, 41, 41)
    seg[:, 0, 7, 9] = 1
    y = A.convert(crop).module({"image": torch.rand(2000, 1, 41, 41), "seg": seg})["seg"]
    assert y.shape == (2000, 1, 2, 4)
    assert y[:, 0, 1, 2].mean() == pytest.approx(0.75, abs=0.04)  # the pixel at n // 2
    assert y.sum() - y[:, 0, 1, 2].sum() < 20


# what is not of one transform


def test_groups_and_functions() -> None:
    first, last = (of_monai("RandFlip", flipper=of_monai("Flip", spatial_axis=a), prob=1.0) for a in (0, 1))
    one = of_monai("OneOf", transforms=(first, last), weights=(0.25, 0.75))
    x = torch.arange(4.0).reshape(1, 1, 2, 2).repeat(3000, 1, 1, 1)
    y = run(A.convert(one, ndim=2).pipeline, x)
    assert (y == x.flip(2)).flatten(1).all(1).float().mean() == pytest.approx(0.25, abs=0.03)
    some = of_monai(
        "SomeOf", transforms=(first, last), min_num_transforms=1, max_num_transforms=2, replace=False, weights=None
    )
    y = run(A.convert(some, ndim=2).pipeline, x)
    shares = [(y == x.flip(d)).flatten(1).all(1).float().mean() for d in ((2,), (3,), (2, 3))]
    torch.testing.assert_close(torch.stack(shares), torch.tensor([0.25, 0.25, 0.5]), atol=0.03, rtol=0)
    both = compose(of_monai("RandomOrder", transforms=(first, compose(last))), lambda v: v[:1] * 2)
    found = A.convert(both, ndim=2)
    assert torch.equal(run(found.pipeline, x), 2 * x.flip(2, 3))
    assert "each sample by itself" in found.differs[0]
    own = of_monai("Lambdad", keys=("label",), func=(lambda v: v + 1,), overwrite=(True,))
    y = A.convert(compose(FLIP, own)).module({"image": torch.ones(1, 2, 2, 2), "label": torch.ones(1, 2, 2, 2)})
    assert (y["image"] == 1).all()
    assert (y["label"] == 2).all()


def test_dimensions_are_told_by_arguments() -> None:
    flip = of_monai("RandFlip", flipper=of_monai("Flip", spatial_axis=0), prob=1.0)
    assert "read as of volumes" in A.convert(flip).differs[0]
    assert "dflip3d" in str(A.convert(flip).pipeline)
    assert not A.convert(flip, ndim=2).differs
    crop = of_monai("CenterSpatialCrop", roi_size=(2, 2))
    assert "vflip" in str(A.convert(compose(flip, crop)).pipeline)
    with pytest.raises(ValueError, match="ndim"):
        A.convert(flip, ndim=4)
    with pytest.raises(ValueError, match="MONAI"):
        A.convert({"transform": {"__class_fullname__": "HorizontalFlip"}}, ndim=2)


CROP = of_monai("RandSpatialCrop", roi_size=(8, 16, 32), random_size=False, random_center=True)
HOLES = {"holes": 2, "max_holes": None, "spatial_size": (4, 4, 8), "max_spatial_size": None, "dropout_holes": True}
DROP = of_monai("RandCoarseDropout", prob=1.0, fill_value=0.0, **HOLES)


def test_sizes_in_voxels_are_shares_of_a_frame_that_is_known() -> None:
    params = leaves(A.convert(compose(CROP, DROP)).pipeline.params)
    assert [float(params[n].value.max()) for n in ("depth", "height", "width")] == [0.5, 0.25, 0.25]
    with pytest.raises(ValueError, match="no step before it fixes"):
        A.convert(DROP)
    bend = {"sigma_range": (6.0, 6.0), "magnitude_range": (100.0, 100.0), "spatial_size": None}
    ranges = dict.fromkeys(("rotate_range", "shear_range", "translate_range", "scale_range"), ())
    elastic = of_monai("Rand3DElastic", prob=1.0, mode="bilinear", padding_mode="border", **bend, **ranges)
    alpha = leaves(A.convert(compose(CROP, elastic)).pipeline.params)["alpha"]
    weights = torch.exp(-0.5 * (torch.arange(-30.0, 31) / 6) ** 2)
    weights = weights / weights.sum()
    moved = 100 * (weights.square().sum() ** 3 / 3).sqrt()  # uniform noise from -1 to 1, smoothed
    assert float(alpha.value) * 8 == pytest.approx(float(moved), rel=1e-3)


def test_a_power_of_a_range_is_one_of_an_image_that_was_scaled() -> None:
    bright = of_monai("RandAdjustContrast", gamma=(0.5, 0.5), invert_image=False, retain_stats=False, prob=1.0)
    with pytest.raises(ValueError, match="retain_stats=True has a counterpart"):
        A.convert(bright)
    scale = of_monai("ScaleIntensity", minv=0.0, maxv=1.0, factor=None, channel_wise=True)
    x = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    x = (x - x.min()) / (x.max() - x.min())
    found = A.convert(compose(scale, bright))
    torch.testing.assert_close(run(found.pipeline, {"volume": 7 * x - 3})["volume"], x.sqrt(), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("t", "line"),
    [
        (of_monai("Spacing", pixdim=(1.0, 1.0, 2.0)), "read_volume"),
        (of_monai("Orientation", axcodes="RAS"), "read_volume"),
        (of_monai("CropForeground", margin=0), "before the batch"),
        (of_monai("RandKSpaceSpikeNoise"), "af.spike"),
        (of_monai("RandStdShiftIntensity"), "NormalizeIntensity"),
        (of_monai("RandGridPatch"), "RandGridPatch: no counterpart"),
        (rotate(0.1, keep_size=False), "keep_size=False"),
        (rotate(0.1, align_corners=True), "align_corners=True"),
        (rotate(0.1, rotate_order="zyx"), "rotate_order=zyx"),
        (rotate(0.1, "wrap"), "padding_mode='wrap'"),
        (of_monai("Flip", spatial_axis=3), "axes 3"),
        (of_monai("RandSpatialCrop", roi_size=(2, 2, 2), random_size=True, random_center=True), "random_size=True"),
        (of_monai("CenterSpatialCrop", roi_size=(2, -1, 2)), "follows the image's size"),
        (pad("SpatialPad", spatial_size=(9, 9, 9), mode="circular"), "circular"),
        (pad("BorderPad", spatial_border=(1, 2)), "spatial_border"),
        (of_monai("RandRicianNoise", mean=0.0, std=1.0, relative=True, sample_std=True), "relative=True"),
        (of_monai("RandHistogramShift", num_control_points=(5, 5), prob=1.0), "10 have"),
        (of_monai("OneOf", transforms=(CROP, of_monai("RandCoarseShuffle")), weights=(0.5, 0.5)), "a choice of which"),
    ],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_what_has_no_counterpart_is_told(t: Any, line: str) -> None:
    first = of_monai("Flip", spatial_axis=0)
    found = A.convert(compose(first, t), partly=True, ndim=3)
    assert any(line in said for said in found.lacking)
    with pytest.raises(ValueError, match="partly=True"):
        A.convert(compose(first, t), ndim=3)
