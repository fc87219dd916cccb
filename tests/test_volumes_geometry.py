"""Geometry of volumes against other libraries' results (`tests/data/volumes.npz`), signs, orders and units mapped."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import augfn as af
from augfn.core.actions import Geometric
from augfn.math.maps import Map, pixel_matrix
from augfn.math.resample import Sampling, resample
from augfn.math.stages import Displacement
from augfn.undoing import geometry_of

DATA = dict(np.load(Path(__file__).parent / "data" / "volumes.npz"))
ENTRIES = {f"{e['op']}/{e['i']}": e["params"] for e in json.loads(bytes(DATA["meta"]).decode())["entries"]}
FRAME = (9, 11, 13)
SIZE = torch.tensor(FRAME[::-1], dtype=torch.float64)

# what does not hold, and why
DIFFERS = {
    "affine_axis_angle/3": "several shears together move kornia's centre, and are another product",
    "resize/1": "corners that are aligned: sizes that pixels do not have",
    "resize/2": "area: averages over whole voxels; antialias weighs by a triangle",
    "rotate_euler/2": "keep_size=False: a frame that grows with its turn; ours keep theirs (pad3d first)",
    "crop_foreground/0": "a window whose size depends on the data (foreground_crop3d has a fixed one)",
    "crop_foreground/1": "a window whose size depends on the data (foreground_crop3d has a fixed one)",
    "elastic_noise/0": "MONAI's filter of the noise (zeros around it, not normalised); its field, once known, is `elastic_field`",
    "elastic_control_points/0": "TorchIO's B-spline does not go through its control points, on a box 1/8 voxel larger",
    "grid_distortion/0": "MONAI's cells overlap: equal steps are not the identity",
}


PAIRS = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]  # of axes, in the order of shears
# of labels read nearest, the share that is the same: exact halves go either way, and nnU-Net takes an argmax of blends
SAME = {"affine/1": 0.93, "affine/2": 0.97, "affine_nnunet/0": 0.97, "affine_nnunet/1": 0.95}


def degrees(radians_dhw):
    """MONAI's and nnU-Net's angles about D, H, W, clockwise, as ours about x, y, z."""
    return -torch.tensor([float(np.rad2deg(r)) for r in reversed(radians_dhw)])


def shears(**angles):
    """One shear by its name, such as xy for x with y, in degrees."""
    values = torch.zeros(6)
    for name, angle in angles.items():
        values[PAIRS.index(("xyz".index(name[0]), "xyz".index(name[1])))] = angle
    return af.shear3d(shear=values)


def voxels(shift):
    return af.translate3d(translate=torch.tensor(shift, dtype=torch.float32), unit="pixel")


def zoom(x, y, z):
    return af.scale3d(scale=x, scale_y=y, scale_z=z)


def flips(p):
    return af.pipeline(*[(af.dflip3d, af.vflip3d, af.hflip3d)[axis]() for axis in p["axes_dhw"]])


def quarter(p):
    first, second = p["axes_dhw"]  # numpy turns the first axis towards the second; ours is (z or y, x or y)
    return af.rot90_3d(k=p["k"], plane={(0, 1): "yz", (1, 2): "xy", (0, 2): "xz"}[first, second])


def monai_euler(p):
    mode = {"zeros": "zeros", "border": "border"}[p["padding_mode"]]
    return af.rotate3d(degrees=degrees(p["angle_rad_about_axes_DHW"]), order="zyx", padding_mode=mode)


def monai_affine(p):
    steps = []
    if "rotate_params" in p:
        steps.append(af.rotate3d(degrees=degrees(p["rotate_params"]), order="zyx"))
    if "shear_params" in p:
        for (i, j), slope in reversed([*zip(PAIRS, p["shear_params"], strict=True)]):  # one after the other
            steps.append(shears(**{"zyx"[i] + "zyx"[j]: float(np.rad2deg(np.arctan(slope)))}))
    if "translate_params" in p:
        steps.append(voxels([-v for v in reversed(p["translate_params"])]))
    if "scale_params" in p:
        d, h, w = p["scale_params"]
        steps.append(zoom(1 / w, 1 / h, 1 / d))
    return af.pipeline(*steps, padding_mode=p["padding_mode"])


def kornia_affine(p):
    x, y, z = p["scale_xyz"]
    turn = torch.tensor(p["degrees_axis_angle_xyz"])
    steps = [af.affine3d(degrees=turn, scale=x, scale_y=y, scale_z=z), voxels(p["translate_voxels_xyz"])]
    if p["shears_deg_xy_xz_yx_yz_zx_zy"]:
        names = ("xy", "xz", "yx", "yz", "zx", "zy")  # kornia's, of which the second moves with the first
        given = zip(names, p["shears_deg_xy_xz_yx_yz_zx_zy"], strict=True)
        steps.insert(0, shears(**{n[::-1]: angle for n, angle in given}))
    return af.pipeline(*steps)


def kornia_rotation(p):
    return af.rotate3d(degrees=-torch.tensor(p["degrees_axis_angle_xyz"]))


def torchio_affine(p):
    """Rz Rx Ry about the axes i, j, k = D, H, W, right-handed; turns and shifts in mm."""
    d, h, w = p["spacing_mm_DHW"]
    spacing = (w, h, d)
    i, j, k = p["degrees_about_DHW"]
    turn = af.rotate3d(degrees=torch.tensor([k, j, i]), order="yzx", spacing=spacing)
    i, j, k = p["scales_DHW"]
    shift = [mm / s for mm, s in zip(reversed(p["translation_mm_DHW"]), spacing, strict=True)]
    return af.pipeline(turn, voxels(shift), zoom(k, j, i))


def window(start, size, frame=FRAME):
    """The window whose first voxel is known."""
    place = [(s + 0.5) / (n - m + 1) for s, n, m in zip(start, frame, size, strict=True)]
    return af.random_crop3d(size=tuple(size), position=torch.tensor(place[::-1]))


def monai_zoom(p):
    size = tuple(int(n * z) for n, z in zip(FRAME, p["zoom_dhw"], strict=True))
    larger = af.resize3d(size=size, antialias=False)
    if not p["keep_size"]:
        return larger
    return af.pipeline(larger, window([m // 2 - n // 2 for m, n in zip(size, FRAME, strict=True)], FRAME, size))


def pads(p):
    (d0, d1), (h0, h1), (w0, w1) = p["pad_before_after_dhw"]
    mode = {"constant": None, "reflect": "reflect"}[p.get("mode", "constant")]
    return af.pad3d(padding=(w0, h0, d0, w1, h1, d1), padding_mode=mode)


def crop_or_pad(p, ceil):
    more = [m - n for n, m in zip(FRAME, p["size_dhw"], strict=True)]
    before = [max(-(-m // 2) if ceil else m // 2, 0) for m in more]
    after = [max(m, 0) - b for m, b in zip(more, before, strict=True)]
    start = [max(-(m // 2) if ceil else n // 2 - s // 2, 0) for m, n, s in zip(more, FRAME, p["size_dhw"], strict=True)]
    middle = tuple(n + b + a for n, b, a in zip(FRAME, before, after, strict=True))
    return af.pipeline(af.pad3d(padding=(*before[::-1], *after[::-1])), window(start, p["size_dhw"], middle))


def perspective(p):
    start, end = (
        torch.tensor(p[n], dtype=torch.float64)[[0, 1, 2, 5, 7]] for n in ("start_points_xyz", "end_points_xyz")
    )
    signs = (start > 0).double() * 2 - 1
    return af.perspective3d(distortion_scale=1.0, corners=(signs * (end - start) / (SIZE / 2)).float())


def resize(p):
    between = "nearest" if p["mode"] == "nearest-exact" else "bilinear"
    return af.resize3d(size=tuple(p["size_dhw"]), antialias=False, interpolation=between)


def nnunet(p):
    turn = af.rotate3d(degrees=degrees(p["angles_rad_about_DHW"]), order="xyz")
    return af.pipeline(turn, af.scale3d(scale=1 / p["scale"]))


OPS = {
    "flip": flips,
    "rot90": quarter,
    "rotate_euler": monai_euler,
    "affine": monai_affine,
    "affine_axis_angle": kornia_affine,
    "rotate_axis_angle": kornia_rotation,
    "affine_spacing": torchio_affine,
    "resize": resize,
    "zoom": monai_zoom,
    "center_crop": lambda p: af.center_crop3d(size=tuple(p["size_dhw"])),
    "center_crop_kornia": lambda p: af.center_crop3d(size=tuple(p["size_dhw"])),
    "crop_around_voxel": lambda p: window(p["start_dhw"], p["size_dhw"]),
    "pad": pads,
    "pad_divisible": lambda p: af.pad_to3d(divisible=p["k"]),
    "crop_or_pad": lambda p: crop_or_pad(p, True),
    "crop_or_pad_monai": lambda p: crop_or_pad(p, False),
    "perspective": perspective,
    "affine_nnunet": nnunet,
}
HOLDS = [n for n in ENTRIES if n.split("/")[0] in OPS and n not in DIFFERS]
FIELDS = [n for n in ENTRIES if n.startswith("elastic_field")]


def image():
    return torch.from_numpy(DATA["image"]).float()


def interior(m, target):
    """The voxels that read between voxels of the input, away from what lies outside."""
    grid = m.grid(target, torch.float64, torch.device("cpu"))
    place = grid + (SIZE - 1) / 2
    return ((place >= 0) & (place <= SIZE - 1)).all(-1)


@pytest.mark.parametrize("name", HOLDS)
def test_another_librarys_result_is_met(name):
    f = OPS[name.split("/")[0]](ENTRIES[name])
    points = torch.from_numpy(DATA["points"]).float()
    x = {"volume": image(), "mask": torch.from_numpy(DATA["label"])[0].long(), "keypoints": points}
    y, params = f(x)
    wanted = torch.from_numpy(DATA[name]).float()
    assert y["volume"].shape == wanted.shape
    m, _, _ = geometry_of(f, params, FRAME)
    where = interior(m, tuple(wanted.shape[1:])) if m.rigid else torch.ones(wanted.shape[1:], dtype=torch.bool)
    copied = all(a.map.gather is not None for a in f.actions(params, f.read(image())) if isinstance(a, Geometric))
    where = torch.ones_like(where) if copied else where
    assert where.float().mean() > 0.3
    assert (y["volume"] - wanted)[:, where].abs().max() < (1e-6 if copied else 1e-4)
    if f"{name}/matrix" in DATA:
        matrix = pixel_matrix(m.inverse(FRAME).matrix.double(), tuple(wanted.shape[1:]), FRAME)
        matrix = matrix / matrix[3, 3]
        assert (matrix - torch.from_numpy(DATA[f"{name}/matrix"])).abs().max() < 1e-4
    if f"{name}/points" in DATA:
        assert (y["keypoints"] - torch.from_numpy(DATA[f"{name}/points"])).abs().max() < 1e-3
    if f"{name}/label" in DATA:
        label = torch.from_numpy(DATA[f"{name}/label"])[0]
        inside = where & (label >= 0)
        assert (y["mask"] == label)[inside].float().mean() >= SAME.get(name, 0.99)


@pytest.mark.parametrize("name", FIELDS)
def test_a_displacement_field_is_read_as_monai_reads_it(name):
    field = torch.from_numpy(DATA[f"{name}/field"]).float().flip(0)
    m = Map((Displacement(field, FRAME, linear=True),))
    y = resample(image(), 0, m, Sampling("bilinear", ENTRIES[name]["padding_mode"]))
    where = interior(m, FRAME)
    assert (y - torch.from_numpy(DATA[name]))[:, where].abs().max() < 1e-4
