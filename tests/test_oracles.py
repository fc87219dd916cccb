"""torchvision's outputs, through the public functions with given params: warps to 1e-4 two pixels away from borders and fill
edges; flips, colour ops and normalize to 1e-5 everywhere."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import augfn as af

ORACLE = np.load(Path(__file__).parent / "data" / "torchvision.npz")
ENTRIES = json.loads(bytes(ORACLE["meta"]))
PHOTO = torch.from_numpy(ORACLE["image"])
H, W = PHOTO.shape[-2:]


def run(f, x=PHOTO, **values):
    """A call with given params, one number or vector each; everything else that the op draws is fixed by its ranges."""
    return f(x, {n: torch.tensor([v], dtype=torch.float32) for n, v in values.items()}, af.key(0))[0]


def interior(f, **values):
    """Pixels at least two away from the border of the frame and from what the warp filled."""
    seen = run(f, torch.ones_like(PHOTO), **values) > 0.999
    inside = F.pad(seen.float(), (2,) * 4)
    return -F.max_pool2d(-inside, 5, stride=1) > 0.5


def one(name, leaf, key):
    """A colour op with one leaf, whose value is torchvision's parameter `key`."""
    return lambda p: (getattr(af, name)(), {leaf: p[key]})


def affine(p):
    """torchvision's angle is clockwise, its translation in pixels."""
    x, y = p["translate_px"]
    f = af.affine(degrees=0, translate=0, scale=1, shear=0)
    values = {"translate": [x / W, y / H], "scale": p["scale"], "shear": p["shear"]}
    return f, values | {"degrees": -p["angle_clockwise"]}


def perspective(p):
    """torchvision's points lie on a grid whose first pixel has its centre at (0.5, 0.5): ours are half a pixel off."""
    start, end = (torch.tensor(p[k], dtype=torch.float64) - 0.5 for k in ("startpoints", "endpoints"))
    rows = []
    for (x, y), (u, v) in zip(start.tolist(), end.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    h = torch.linalg.solve(torch.tensor(rows, dtype=torch.float64), end.flatten())
    corners = torch.tensor([[0, 0, 1], [W - 1, 0, 1], [W - 1, H - 1, 1], [0, H - 1, 1]], dtype=torch.float64)
    moved = corners @ torch.cat([h, torch.ones(1)]).reshape(3, 3).T
    shift = moved[:, :2] / moved[:, 2:] - corners[:, :2]
    signs = torch.tensor([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return af.perspective(distortion_scale=1.0), {"corners": (shift * signs * 2 / torch.tensor([W, H])).tolist()}


def resized_crop(p, antialias):
    h, w = p["height"], p["width"]
    values = {"scale": h * w / (H * W), "ratio": w / h, "position": [p["left"] / (W - w), p["top"] / (H - h)]}
    return af.resized_crop(size=p["size"], antialias=antialias), values


# torchvision's op -> from its parameters to ours: an augmentation and its params
EXACT = {
    "adjust_brightness": one("brightness", "factor", "brightness_factor"),
    "adjust_contrast": one("contrast", "factor", "contrast_factor"),
    "adjust_saturation": one("saturation", "factor", "saturation_factor"),
    "adjust_hue": one("hue", "hue", "hue_factor"),
    "adjust_gamma": one("gamma", "gamma", "gamma"),
    "solarize": one("solarize", "threshold", "threshold"),
    "posterize": one("posterize", "bits", "bits"),
    "equalize": lambda p: (af.equalize(), {}),
    "autocontrast": lambda p: (af.autocontrast(), {}),
    "adjust_sharpness": one("sharpness", "factor", "sharpness_factor"),
    "hflip": lambda p: (af.hflip(), {}),
    "vflip": lambda p: (af.vflip(), {}),
    "invert": lambda p: (af.invert(), {}),
    "grayscale": lambda p: (af.grayscale(), {}),
    "normalize": lambda p: (af.normalize(**p), {}),
}
INTERIOR = {
    "gaussian_blur": lambda p: (af.gaussian_blur(kernel_size=p["kernel_size"]), {"sigma": p["sigma"]}),
    "rotate": lambda p: (af.rotate(), {"degrees": p["degrees"]}),
    "rotate_nearest": lambda p: (af.rotate(interpolation="nearest"), {"degrees": p["degrees"]}),
    "affine": affine,
    "perspective": perspective,
    "resized_crop": lambda p: resized_crop(p, antialias=False),
    "resized_crop_antialias": lambda p: resized_crop(p, antialias=True),
}


def entries(table):
    return [pytest.param(e, id=f"{e['op']}-{e['i']}") for e in ENTRIES if e["op"] in table]


def expected(entry):
    return torch.from_numpy(ORACLE[f"{entry['op']}/{entry['i']}"])


@pytest.mark.parametrize("entry", entries(EXACT))
def test_everywhere(entry):
    f, values = EXACT[entry["op"]](entry["params"])
    torch.testing.assert_close(run(f, **values), expected(entry), rtol=0, atol=1e-5)


@pytest.mark.parametrize("entry", entries(INTERIOR))
def test_interior(entry):
    f, values = INTERIOR[entry["op"]](entry["params"])
    where = interior(f, **values)
    assert where.float().mean() > 0.15
    torch.testing.assert_close(run(f, **values)[where], expected(entry)[where], rtol=0, atol=1e-4)


@pytest.mark.parametrize("entry", entries({"hflip_boxes"}))
def test_boxes(entry):
    boxes = torch.tensor([entry["params"]["boxes"]])
    flipped, _ = af.hflip()({"image": PHOTO, "boxes": boxes})
    torch.testing.assert_close(flipped["boxes"][0], expected(entry), rtol=0, atol=1e-5)


def test_every_vector_is_used():
    ops = {e["op"] for e in ENTRIES}
    assert ops == EXACT.keys() | INTERIOR.keys() | {"hflip_boxes"}
