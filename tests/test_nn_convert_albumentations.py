"""albumentations' transforms, converted from the dicts that albumentations 2.0.8 gives (`tests/data/albumentations.json`)."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from skimage import data
from torch import Tensor, nn

import augfn as af
import augfn_nn as A
from augfn_nn.converters.albumentations import DIFFERS, EXPECTED, LACKS, LOADS, TABLE
from augfn_nn.converters.albumentations_light import white

SAID = {
    d["__class_fullname__"]: d for d in json.loads((Path(__file__).parent / "data/albumentations.json").read_text())
}
NO_COUNTERPART = {
    "ChromaticAberration",
    "Emboss",
    "FancyPCA",
    "HEStain",
    "Morphological",
    "OverlayElements",
    "RandomGravel",
    "Spatter",
    "Superpixels",
    "TextImage",
    "ToRGB",
}
SIZES = {
    "PadIfNeeded": (71, 91),
    "Pad": (62, 74),
    "Crop": (40, 50),
    "LongestMaxSize": (24, 32),
    "SmallestMaxSize": (32, 42),
}
SIZES |= dict.fromkeys(("RandomCrop", "CenterCrop", "RandomResizedCrop", "RandomSizedCrop", "Resize"), (32, 32))
SIZES["Transpose"] = (64, 48)
SIZES |= dict.fromkeys(("CropNonEmptyMaskIfExists", "RandomSizedBBoxSafeCrop"), (32, 32))
VOLUMES = {"CenterCrop3D": (4, 8, 8), "RandomCrop3D": (4, 8, 8), "Pad3D": (12, 12, 12), "PadIfNeeded3D": (9, 9, 9)}
VOLUMES |= dict.fromkeys(("CoarseDropout3D", "CubicSymmetry"), (8, 8, 8))


@pytest.fixture(scope="module")
def photo() -> Tensor:
    """uint8, of 48 x 64 pixels."""
    x = torch.from_numpy(data.astronaut()).permute(2, 0, 1).float()[None]
    return nn.functional.interpolate(x, (48, 64), mode="area").round().to(torch.uint8)


def said(name: str, **given: Any) -> dict[str, Any]:
    """As albumentations gives it, with some arguments."""
    assert given.keys() <= SAID[name].keys()
    return {"transform": {**SAID[name], **given}}


def convert(name: str, **given: Any) -> Any:
    return A.convert(said(name, **given)).pipeline


def run(f: Any, x: Any, key: int = 0) -> Any:
    return f(x, f.params, af.key(key))[0]


def changed(photo: Tensor, name: str, **given: Any) -> Tensor:
    return run(convert(name, **given), photo)


def near(a: Tensor, b: Tensor, levels: float = 0.01) -> None:
    torch.testing.assert_close(a, b, atol=levels / 255, rtol=0)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_transform_runs_on_uint8(name: str, photo: Tensor) -> None:
    found = A.convert(said(name))
    assert not found.lacking
    x = photo.expand(3, -1, -1, -1)
    if name in VOLUMES:
        volume = (torch.arange(1024.0).reshape(2, 1, 8, 8, 8) % 256).to(torch.uint8)
        y = run(found.pipeline, {"volume": volume})["volume"]
    else:
        both: Any = {"image": x}
        both |= {"mask": (x[:, 0] > 100).long()} if "Mask" in name and "Crop" in name else {}
        both |= {"boxes": torch.tensor([[10.0, 10.0, 30.0, 40.0]]).expand(3, 1, 4)} if "BBox" in name else {}
        y = run(found.pipeline, both)["image"]
    assert y.dtype == torch.float32
    assert y.isfinite().all()
    assert y.shape[-2:] == (VOLUMES.get(name) or SIZES.get(name) or (48, 64))[-2:]
    assert name == "Normalize" or (y.amin() > -1e-5 and y.amax() < 1 + 1e-5)


def test_the_tables_know_each_other() -> None:
    assert {*TABLE, *LACKS, *LOADS, *NO_COUNTERPART} >= SAID.keys()
    assert {*DIFFERS, *EXPECTED} <= TABLE.keys()
    assert not {*LACKS, *NO_COUNTERPART} & TABLE.keys()


@pytest.mark.parametrize("name", sorted((NO_COUNTERPART | LACKS.keys()) & SAID.keys()))
def test_what_has_no_counterpart_says_so(name: str) -> None:
    with pytest.raises(ValueError, match=f"nothing is left(?s:.)*{name}: {LACKS.get(name, 'no counterpart')[:20]}"):
        A.convert(said(name), partly=True)


@pytest.mark.parametrize(
    ("name", "given", "line"),
    [
        ("Rotate", {"crop_border": True}, "another size"),
        ("Perspective", {"fit_output": True}, "fit_output=True"),
        ("PiecewiseAffine", {"nb_rows": [3, 5]}, "4 x 4"),
        ("GridDistortion", {"num_steps": 4}, "num_steps"),
        ("CropAndPad", {"percent": None, "px": 4}, "percent"),
        ("CropAndPad", {"keep_size": False}, "keep_size=False"),
        ("PadIfNeeded", {"min_height": None}, "min_height and min_width"),
        ("LongestMaxSize", {"max_size_hw": [32, 32]}, "max_size_hw"),
        ("PadIfNeeded3D", {"min_zyx": None, "pad_divisor_zyx": [2, 4, 8]}, "one divisor"),
        ("Mosaic", {"grid_yx": [3, 3]}, "2 x 2"),
        ("AdditiveNoise", {"spatial_mode": "shared"}, "'shared'"),
        ("MultiplicativeNoise", {"elementwise": True}, "elementwise"),
        ("PixelDropout", {"drop_value": 100}, "black or white"),
        ("Illumination", {"angle_range": [0.0, 30.0]}, "all angles"),
        ("GridDropout", {"holes_number_xy": [3, 5]}, "as many"),
        ("RandomSnow", {"method": "texture"}, "method=texture"),
        ("CoarseDropout", {"fill": "inpaint_ns"}, "a number"),
        ("Rotate", {"border_mode": 3}, "border_mode=3"),
    ],
)
def test_arguments_without_a_counterpart(name: str, given: dict[str, Any], line: str) -> None:
    flip = SAID["HorizontalFlip"]
    both = {"__class_fullname__": "Compose", "p": 1.0, "transforms": [flip, said(name, **given)["transform"]]}
    (found,) = A.convert({"transform": both}, partly=True).lacking
    assert line in found
    assert found.startswith(f"{name}: ")


def test_windows_are_copied(photo: Tensor) -> None:
    x = photo / 255
    assert torch.equal(changed(photo, "Crop", x_min=10, y_min=5, x_max=60, y_max=45), x[..., 5:45, 10:60])
    assert torch.equal(changed(photo, "Crop", x_min=0, y_min=0, x_max=30, y_max=20), x[..., :20, :30])
    left, top, right, bottom = 3, 5, 7, 9
    wide = nn.functional.pad(x, (left, right, top, bottom))
    assert torch.equal(changed(photo, "Pad", padding=[left, top, right, bottom]), wide)
    sides = changed(photo, "CropAndPad", percent=None, px=[top, right, bottom, left], keep_size=False)
    assert torch.equal(sides, wide)
    assert torch.equal(changed(photo, "PadIfNeeded"), nn.functional.pad(x, (13, 14, 11, 12)))
    assert torch.equal(changed(photo, "PadIfNeeded", position="top_right")[..., :48, 27:], x)
    assert torch.equal(changed(photo, "PadIfNeeded", position="bottom_left")[..., 23:, :64], x)
    padded = changed(photo, "CenterCrop", height=51, width=64, pad_if_needed=True)
    assert torch.equal(padded, nn.functional.pad(x, (0, 0, 1, 2)))
    whole = changed(photo, "RandomSizedCrop", min_max_height=[48, 48], w2h_ratio=64 / 48, size=[48, 64])
    near(whole, x)
    assert torch.equal(changed(photo, "TimeReverse"), x.flip(-1))


def test_zooms_by_shares_of_the_sides(photo: Tensor) -> None:
    near(changed(photo, "CropAndPad", percent=0.25), run(af.scale(scale=2 / 3, fill=0.0), photo / 255))
    side = [0.0, -0.25, 0.0, -0.25]  # top, right, bottom, left
    near(changed(photo, "CropAndPad", percent=side), run(af.scale(scale=2.0, scale_y=1.0, fill=0.0), photo / 255))
    once = changed(photo, "CropAndPad", percent=[0.1, 0.1], sample_independently=False)
    near(once, run(af.scale(scale=1 / 1.2, fill=0.0), photo / 255))
    quarter = changed(photo, "SafeRotate", limit=[90.0, 90.0])
    turned = nn.functional.interpolate((photo / 255).rot90(1, (-2, -1)), (48, 64), mode="bilinear")
    assert (quarter - turned).abs()[..., 1:-1, 1:-1].mean() < 0.02
    whole = torch.full_like(photo, 255)
    covered = changed(whole, "SafeRotate", limit=[30.0, 30.0]).mean()
    sides = [(48 * 0.5 + 64 * 0.75**0.5), (64 * 0.5 + 48 * 0.75**0.5)]  # of the turned frame
    torch.testing.assert_close(covered, torch.tensor(48 * 64 / (sides[0] * sides[1])), atol=0.01, rtol=0)


def test_scales_may_be_balanced(photo: Tensor) -> None:
    scale = {"x": [0.9, 2.0], "y": [0.9, 2.0]}
    f = convert("Affine", scale=scale, keep_ratio=True, balanced_scale=True)
    drawn = f(photo.expand(400, -1, -1, -1), f.params, af.key(0))[1]["pipeline"]["scale"]["scale"]
    assert abs(float((drawn < 1).float().mean()) - 0.5) < 0.08
    assert 0.9 <= float(drawn.min()) < float(drawn.max()) <= 2


def test_areas_are_averaged(photo: Tensor) -> None:
    half = changed(photo, "Resize", height=24, width=32, interpolation=3)
    box = nn.functional.avg_pool2d(photo / 255, 2)
    smooth = nn.functional.interpolate(photo / 255, (24, 32), mode="bilinear", antialias=True)
    assert torch.equal(half, smooth)
    assert (half - box).abs().mean() < 0.03
    assert torch.equal(half, changed(photo, "Resize", height=24, width=32, area_for_downscale="image"))
    differs = A.convert(said("Resize", interpolation=3)).differs
    assert "triangle" in differs[0]
    turned = [changed(photo, "Rotate", limit=[20.0, 20.0], interpolation=n) for n in (1, 3)]
    assert torch.equal(*turned)  # a warp has no areas, in OpenCV neither


def test_formulas_of_colour(photo: Tensor) -> None:
    x = photo / 255
    matrix = torch.tensor([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
    near(changed(photo, "ToSepia"), torch.einsum("oc,bchw->bohw", matrix, x).clamp(0, 1), 0.5)
    near(changed(photo, "ToGray", method="average"), x.mean(1, keepdim=True).expand(-1, 3, -1, -1))
    curve = 3 * (1 - x) ** 2 * x * 0.25 + 3 * (1 - x) * x**2 * 0.75 + x**3
    near(changed(photo, "RandomToneCurve", scale=0.0), curve)
    near(changed(photo, "MultiplicativeNoise", multiplier=[1.2, 1.2]), (1.2 * x).clamp(0, 1))
    shift = {"noise_type": "uniform", "ranges": [[0.1, 0.1]]}
    near(changed(photo, "AdditiveNoise", noise_params=shift), (x + 0.1).clamp(0, 1))
    score = (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True, correction=0)
    near(changed(photo, "Normalize", normalization="image_per_channel"), score)
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    near(changed(photo, "Normalize", normalization="min_max_per_channel"), (x - low) / (high - low))
    assert torch.equal(changed(photo, "Equalize", mode="pil"), run(af.equalize(), x))


def test_kernels(photo: Tensor) -> None:
    x = photo / 255
    alpha, light = 0.3, 0.7
    kernel = -alpha * torch.ones(3, 3)
    kernel[1, 1] = 1 - alpha + alpha * (8 + light)
    sharp = nn.functional.conv2d(x.transpose(0, 1), kernel[None, None]).transpose(0, 1).clamp(0, 1)
    near(changed(photo, "Sharpen", alpha=[alpha] * 2, lightness=[light] * 2)[..., 1:-1, 1:-1], sharp)
    want = run(af.gaussian_blur(sigma=0.8, sigma_y=1.6, kernel_size=7), x)
    still = {"rotate_limit": [0, 0], "beta_limit": [1.0, 1.0], "noise_limit": [1.0, 1.0], "blur_limit": [7, 7]}
    blur = {"sigma_x_limit": [0.8, 0.8], "sigma_y_limit": [1.6, 1.6], **still}
    near(changed(photo, "AdvancedBlur", **blur), want)
    assert not A.convert(said("AdvancedBlur", **blur)).differs
    sure = {"blur_limit": [5, 5], "sigma_limit": [0.0, 0.0], "alpha": [0.4, 0.4], "threshold": 0}
    near(changed(photo, "UnsharpMask", **sure), run(af.unsharp_mask(sigma=1.1, amount=0.4, kernel_size=5), x))
    ripples = run(af.ringing(cutoff=1.2, kernel_size=9), x)
    near(changed(photo, "RingingOvershoot", blur_limit=[9, 9], cutoff=[1.2, 1.2]), ripples)


def test_snow_whitens_what_is_dark() -> None:
    grey = torch.tensor([40, 100, 200], dtype=torch.uint8).expand(1, 3, 1, 3)
    y = changed(grey, "RandomSnow", snow_point_range=[0.2, 0.2], brightness_coeff=2.0)
    near(y[0, 0, 0], torch.tensor([80.0, 200.0, 200.0]) / 255)


def test_whole_numbers_of_holes() -> None:
    """Of sides in pixels, all over the frame, of any number."""
    blank = torch.full((60, 1, 100, 100), 255, dtype=torch.uint8)
    one = {"num_holes_range": [1, 1], "hole_height_range": [8, 8], "hole_width_range": [20, 20]}
    near((1 - changed(blank, "CoarseDropout", **one)).sum((1, 2, 3)), torch.tensor(160.0).expand(60), 3.0)
    some = {"num_masks_x": [1, 2], "num_masks_y": [0, 0], "mask_x_length": [10, 10], "mask_y_length": [0, 0]}
    y = changed(blank, "XYMasking", **some)
    assert torch.equal(y, y[:, :, :1].expand_as(y))  # bands from top to bottom
    lost = (1 - y).mean((1, 2, 3))
    assert ((lost > 0.099) & (lost < 0.201)).all()
    assert ((lost - 0.1).abs() < 1e-3).float().mean() > 0.4
    many = changed(blank, "CoarseDropout", num_holes_range=[40, 40], hole_height_range=[0.05, 0.05], fill=128)
    assert abs(float((many < 0.9).float().mean()) - (1 - (1 - 0.05 * 0.15) ** 40)) < 0.04
    none = changed(blank, "XYMasking", num_masks_x=[0, 0], num_masks_y=[0, 0])
    assert torch.equal(none, blank / 255)
    bands = changed(blank, "TimeMasking", mask_x_length=[30, 30], num_masks_x=[1, 1])
    near((1 - bands).mean((1, 2, 3)), torch.tensor(0.3).expand(60), 0.1)


def test_chances_of_pixels() -> None:
    grey = torch.full((8, 3, 64, 64), 100, dtype=torch.uint8)
    y = changed(grey, "SaltAndPepper", amount=[0.2, 0.2], salt_vs_pepper=[0.75, 0.75])
    assert abs(float((y == 1).float().mean()) - 0.15) < 0.01
    assert abs(float((y == 0).float().mean()) - 0.05) < 0.01
    y = changed(grey, "PixelDropout", dropout_prob=0.1, drop_value=255)
    assert abs(float((y == 1).float().mean()) - 0.1) < 0.01
    x = 100 / 255
    y = changed(grey, "ShotNoise", scale_range=[0.001, 0.001]) ** 2.2
    torch.testing.assert_close(y.mean(), torch.tensor(x**2.2), atol=1e-3, rtol=0)
    torch.testing.assert_close(y.var(), torch.tensor(0.001 * x**2.2), atol=0, rtol=0.05)
    y = changed(grey, "MultiplicativeNoise", multiplier=[0.8, 1.2], elementwise=True, per_channel=True)
    torch.testing.assert_close(y.std(), torch.tensor(0.4 / 12**0.5 * x), atol=0, rtol=0.05)
    y = changed(grey, "AdditiveNoise", spatial_mode="per_pixel")
    torch.testing.assert_close(y.std(), torch.tensor(0.2 / 12**0.5), atol=0, rtol=0.05)


def test_temperatures_are_as_often_cold(photo: Tensor) -> None:
    for method in ("uniform", "gaussian"):
        f = convert("PlanckianJitter", sampling_method=method)
        grey = torch.full((1000, 3, 1, 1), 100, dtype=torch.uint8)
        y = run(f, grey)
        warm = (y[:, 0] > y[:, 2]).float().mean()  # below 6500 K or so
        assert 0.35 < float(warm) < (0.5 if method == "uniform" else 0.7)
    fixed = changed(photo, "PlanckianJitter", temperature_limit=[6000, 6000])
    near(fixed, run(af.planckian_jitter(temperature=6.0), photo / 255))


@pytest.mark.parametrize("points", [2, 4])
def test_bends_have_the_spread_of_the_scale(points: int) -> None:
    """Control points of a spline move by a tenth of the scale, in sides."""
    f = convert("ThinPlateSpline", num_control_points=points, scale_range=[0.2, 0.2])
    drawn = f(torch.zeros(500, 1, 8, 8, dtype=torch.uint8), f.params, af.key(0))[1]["thin_plate_spline"]
    moved = drawn["control"] * drawn["scale"][:, None, None] / 2
    torch.testing.assert_close(moved.std(), torch.tensor(0.02), atol=0.001, rtol=0)
    f = convert("PiecewiseAffine", scale=[0.06, 0.06])
    drawn = f(torch.zeros(500, 1, 8, 8, dtype=torch.uint8), f.params, af.key(0))[1]["piecewise_affine"]
    torch.testing.assert_close((drawn["control"] * 0.06).std(), torch.tensor(0.02), atol=0.001, rtol=0)


def test_lenses() -> None:
    """The fisheye: u_in = u (1 + k r^2), r = 1 at the corners."""
    columns = (torch.arange(64.0) / 64).expand(1, 1, 48, 64)
    f = convert("OpticalDistortion", mode="fisheye", distort_limit=[-0.2, -0.2])
    u = torch.linspace(-1, 1, 65)[:-1] + 1 / 64
    r = u * 0.8  # along the middle row of 48 x 64
    want = (u * (1 - 0.2 * r**2) * 32 + 31.5) / 64
    got = run(f, columns)[0, 0, 23:25].mean(0)
    torch.testing.assert_close(got[2:-2], want[2:-2], atol=5e-3, rtol=0)


def test_light_is_as_strong_in_mid_grey() -> None:
    grey = torch.full((1, 3, 40, 40), 128, dtype=torch.uint8)
    ramp = {"mode": "linear", "intensity_range": [0.2, 0.2], "angle_range": [0.0, 0.0], "effect_type": "brighten"}
    y = changed(grey, "Illumination", **ramp)
    want = 128 / 255 * (0.8 + 0.4 * torch.linspace(0, 1, 40))
    near(y[0, 0, 7], want, 0.3)
    y = changed(grey, "Illumination", **ramp | {"angle_range": [90.0, 90.0], "effect_type": "darken"})
    near(y[0, 0, :, 7], want.flip(0), 0.3)
    y = changed(grey, "Illumination", **ramp | {"mode": "corner"})
    near(y.amin(), torch.tensor(128 / 255 * 0.8), 0.3)
    near(y.amax(), torch.tensor(128 / 255))
    many = torch.full((200, 1, 16, 16), 128, dtype=torch.uint8)
    y = changed(many, "Illumination", **ramp | {"angle_range": [0.0, 360.0], "effect_type": "both"})
    spread = y.mean((1, 2, 3)).std()
    torch.testing.assert_close(spread, torch.tensor(128 / 255 * 0.2 * 2**0.5), atol=0, rtol=0.15)


def test_fog_by_its_share_of_white() -> None:
    grey = torch.full((100, 3, 32, 32), 51, dtype=torch.uint8)
    y = changed(grey, "RandomFog", fog_coef_range=[0.6, 0.6])
    assert abs(float(((y - 0.2) / 0.8).mean()) - white(0.6, 0.08)) < 0.03
    assert 0 == white(0.0, 0.08) < white(0.3, 0.08) < white(1.0, 0.08) < 1


def test_shadows_lie_in_their_region() -> None:
    white_ = torch.full((50, 1, 64, 64), 255, dtype=torch.uint8)
    y = changed(white_, "RandomShadow", shadow_roi=[0.5, 0.5, 1.0, 1.0], num_shadows_limit=[1, 1])
    assert (y[..., :31, :] == 1).all()
    assert (y[..., :, :31] == 1).all()
    dark = (y < 0.75).float().mean()
    assert abs(float(dark) - 0.25 * 0.25 * 0.75**2) < 0.01
    thrice = changed(white_, "RandomShadow", num_shadows_limit=[3, 3])
    assert thrice.amin() < 0.2


def test_mosaics_of_one_size(photo: Tensor) -> None:
    levels = torch.tensor([50, 100, 150, 200], dtype=torch.uint8)[:, None, None, None].expand(4, 3, 40, 40)
    where = {"target_size": [40, 40], "cell_shape": [40, 40], "center_range": [0.5, 0.5]}
    y = changed(levels, "Mosaic", **where) * 255
    assert (y[:, 0, :18, :18] == levels[:, 0, :1, :1]).all()
    assert {len(v.unique()) for v in y[:, 0, ::39, ::39].round().reshape(4, 4)} == {4}


def test_the_symmetries_of_the_cube() -> None:
    """All 48, as often."""
    corner = torch.zeros(1, 1, 2, 2, 2, dtype=torch.uint8)
    corner[..., 0, 0, 0], corner[..., 0, 0, 1], corner[..., 0, 1, 0] = 50, 100, 150
    y = (run(convert("CubicSymmetry"), {"volume": corner.expand(4800, 1, 2, 2, 2)})["volume"] * 255).round()
    found, count = y.flatten(1).unique(dim=0, return_counts=True)
    assert len(found) == 48
    assert int(count.min()) > 60
    assert int(count.max()) < 145


def test_volumes_are_padded_in_albumentations_order() -> None:
    x = torch.full((1, 1, 3, 4, 5), 255, dtype=torch.uint8)
    y = run(convert("Pad3D", padding=[1, 2, 3, 4, 5, 6]), {"volume": x})["volume"]
    assert y.shape[-3:] == (6, 11, 16)
    assert (y[..., 1:4, 3:7, 5:10] == 1).all()
    assert float(y.sum()) == 60
    y = run(convert("PadIfNeeded3D", min_zyx=[6, 4, 8]), {"volume": x})["volume"]
    assert (y[..., 1:4, :, 1:6] == 1).all()
    y = run(convert("PadIfNeeded3D", min_zyx=None, pad_divisor_zyx=[4, 4, 4]), {"volume": x})["volume"]
    assert y.shape[-3:] == (4, 4, 8)


def test_targets_with_names_of_their_own() -> None:
    more = {"right": "image", "lanes": "mask", "other_boxes": "bboxes", "joints": "keypoints", "scan": "volume"}
    flip = {"__class_fullname__": "HorizontalFlip", "p": 1.0}
    compose = {"__class_fullname__": "Compose", "p": 1.0, "transforms": [flip], "additional_targets": more}
    found = A.convert({"__version__": "2.0.8", "transform": compose})
    assert [line.split("'")[1] for line in found.differs] == ["scan"]
    x, box = torch.rand(1, 3, 4, 8), torch.tensor([[[0.0, 0.0, 2.0, 2.0]]])
    lanes = torch.randint(3, (1, 4, 8))
    out = found.module({"image": x, "right": x, "lanes": lanes, "other_boxes": box, "joints": torch.zeros(1, 1, 2)})
    assert torch.equal(out["right"], x.flip(-1))
    assert torch.equal(out["lanes"], lanes.flip(-1))
    assert out["other_boxes"].tolist() == [[[6.0, 0.0, 8.0, 2.0]]]
    assert out["joints"].tolist() == [[[7.0, 0.0]]]


def test_what_differs_depends_on_the_arguments() -> None:
    def lines(name: str, **given: Any) -> list[str]:
        return A.convert(said(name, **given)).differs

    assert "Pillow" in lines("AutoContrast", method="cdf")[0]
    assert not lines("AutoContrast", method="pil")
    assert not lines("Affine")
    assert not lines("Resize")
    assert "corner" in lines("Resize", interpolation=0)[0]
    assert not lines("Resize", interpolation=6)
    assert not lines("UnsharpMask", threshold=0)
    assert "not a grid" in lines("ThinPlateSpline")[0]
    assert "not a grid" not in lines("ThinPlateSpline", num_control_points=2)[0]
    assert not lines("Downscale", interpolation_pair={"upscale": 0, "downscale": 3}, scale_range=[0.5, 0.5])
    assert "beyond" in lines("CropAndPad")[0]
    assert "one size" in lines("Resize", p=0.5)[0]
    assert not lines("Rotate", p=0.5)
    assert "numbers are drawn apart" in lines("CoarseDropout", num_holes_range=[1, 20])[0]


def test_holes_and_turns_by_the_frame_can_be_saved_and_replayed(photo: Tensor, tmp_path: Path) -> None:
    pixels = {"num_holes_range": [2, 4], "hole_height_range": [8, 16], "hole_width_range": [8, 16]}
    for said_ in (said("SafeRotate"), said("CoarseDropout", **pixels)):
        f = A.convert(said_).pipeline
        y, drawn = f(photo, f.params, af.key(1))
        assert torch.equal(f(photo, drawn, None)[0], y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fast = f.compiled(backend="eager")(photo, f.params, af.key(1))[0]
        torch.testing.assert_close(fast, y)
        torch.save(f, tmp_path / "f.pt")


def test_ranges_of_whole_numbers_are_drawn_evenly(photo: Tensor) -> None:
    """albumentations 2.0.8 keeps 2, 3 or 4 bits in a third of the images each."""
    f = convert("Posterize", num_bits=[2, 4])
    bits = f(photo[..., :2, :2].expand(3000, -1, -1, -1), f.params, af.key(0))[1]["posterize"]["bits"].round()
    shares = torch.stack([(bits == n).float().mean() for n in (2, 3, 4)])
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3), atol=0.03, rtol=0)


FLIP = {"__class_fullname__": "HorizontalFlip", "p": 0.5}


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        ("x", 'a list of dicts with "__class_fullname__"'),
        ({"p": 1.0}, "'__class_fullname__' beside them"),
        ({"__class_fullname__": "Compose", "p": 1.0}, "'transforms' beside them"),
        ({"__class_fullname__": "Compose", "p": 1.0, "transforms": [FLIP, "x"]}, "a list of dicts"),
        ({"__class_fullname__": "Compose", "p": 1.0, "transforms": None}, "a list of dicts"),
        ({"__class_fullname__": "Compose", "p": 1.0, "transforms": [FLIP], "bbox_params": {"a": 1}}, "'format' beside"),
        ({"__class_fullname__": "OneOf", "p": 1.0, "transforms": [FLIP, {"p": 1.0}]}, "'__class_fullname__' beside"),
    ],
)
def test_what_a_dict_lacks_is_said(transform: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"(?s){words}.*load it in albumentations 2"):
        A.convert({"__version__": "2.0.8", "transform": transform})


def test_of_an_older_version_is_said_what_is_not_read() -> None:
    old = {"__class_fullname__": "ShiftScaleRotate", "p": 0.5, "value": 255}
    compose = {"__class_fullname__": "Compose", "p": 1.0, "transforms": [FLIP, old]}
    found = A.convert({"__version__": "1.4.3", "transform": compose}, partly=True)
    assert ["ShiftScaleRotate: a dict of albumentations" in line for line in found.lacking] == [True]
    assert [line[:20] for line in found.differs] == ["__version__: 1.4.3: "]
