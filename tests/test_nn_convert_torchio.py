"""Pipelines of TorchIO, converted: stand-ins keep what its transforms keep, numbers are what TorchIO 1.2.1 gave."""

from __future__ import annotations

import copy
import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F
from torch.utils import _pytree as pytree

import augfn as af
import augfn_nn as A

KEY = torch.tensor([1, 2])
FRAME = (9, 10, 11)  # TorchIO's W, H, D
BASE = {"probability": 1, "copy": True, "include": None, "exclude": None, "keep": None, "label_keys": None}


def of_torchio(kind: str, call: Any = None, **kept: Any) -> Any:
    """What a transform of TorchIO keeps, without TorchIO."""
    own = {"__module__": "torchio.transforms.any", "apply_transform": None}
    made = type(kind, (), own | ({"__call__": lambda self, x: call(x)} if call else {}))()
    vars(made).update(BASE | kept)
    return made


def compose(*transforms: Any, **kept: Any) -> Any:
    return of_torchio("Compose", transforms=list(transforms), **kept)


def one_of(shares: dict[Any, float], **kept: Any) -> Any:
    return of_torchio("OneOf", transforms_dict=shares, **kept)


def run(f: Any, x: Any) -> Any:
    return f(x, f.params, af.key(0))[0]


def made(t: Any, x: Any) -> Any:
    return run(A.convert(t).pipeline, x)


def block() -> Tensor:
    """Values in the middle, with nothing around them: `[1, 1, W, H, D]`."""
    x = torch.zeros(FRAME)
    x[3:6, 3:7, 3:7] = (torch.arange(48.0).reshape(3, 4, 4) * 7 % 17 + 1) / 18
    return x[None, None]


def middle(y: Tensor) -> Tensor:
    return y[0, 0, 3:6, 4:7, 4:7].flatten()


def rendered() -> Tensor:
    """A rendered head `[1, 2, W, H, D]`, which is another one on each side and in its second channel."""
    i, j, k = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in (12, 14, 16)), indexing="ij")
    x = torch.sigmoid(6 * (1 - (i / 0.8) ** 2 - j**2 - (k / 0.9) ** 2)) * (0.6 + 0.2 * torch.sin(4 * i + 2 * j - 3 * k))
    return torch.stack([x, x * x + 0.2 * (k > 0.3)])[None]


@pytest.fixture(scope="module")
def head() -> Tensor:
    return rendered()


# what TorchIO gave

LINEAR = {"image_interpolation": "linear", "label_interpolation": "nearest"}
AFFINE = {**LINEAR, "center": "image", "default_pad_value": 0, "default_pad_label": 0.0, "check_shape": True}
TURN = {"scales": (1.2, 0.9, 1.1), "degrees": (10.0, -15.0, 25.0), "translation": (1.0, -0.5, 0.75)}
TURNED = [
    *(0.0, 0.0606, 0.148, 0.2215, 0.2626, 0.4116, 0.0574, 0.0, 0.0, 0.3102, 0.3743, 0.3524, 0.6396, 0.5702, 0.5556),
    *(0.3313, 0.2158, 0.0657, 0.4598, 0.4322, 0.4173, 0.708, 0.5763, 0.5858, 0.3245, 0.4194, 0.3446),
]
TURNED_IN_MM = [  # voxels of 2, 1.5 and 1 mm
    *(0.3298, 0.1816, 0.3277, 0.5388, 0.5104, 0.6003, 0.1431, 0.0342, 0.0, 0.4435, 0.4039, 0.4309, 0.6564, 0.6009),
    *(0.5306, 0.3013, 0.4253, 0.278, 0.4341, 0.4994, 0.3146, 0.7086, 0.6068, 0.5675, 0.1787, 0.4098, 0.5948),
]
BENT = [  # voxels of 1, 1.5 and 2 mm, control points of the sine below
    *(0.1917, 0.4691, 0.7623, 0.5446, 0.3668, 0.4841, 0.617, 0.5723, 0.4513, 0.5426, 0.2587, 0.4477, 0.5418, 0.5286),
    *(0.383, 0.6913, 0.6169, 0.5753, 0.3101, 0.417, 0.1744, 0.4839, 0.3109, 0.3625, 0.3617, 0.5027, 0.3352),
]
SHAKEN = [  # with the middle of the volume at the origin of the world
    *(0.5028, 0.4801, 0.4793, 0.4885, 0.5036, 0.2362, 0.6502, 0.5559, 0.3205, 0.4255, 0.3375, 0.2904, 0.6792, 0.5243),
    *(0.2439, 0.7338, 0.6414, 0.5053, 0.5805, 0.4948, 0.1835, 0.7801, 0.6601, 0.3636, 0.6813, 0.5912, 0.4274),
]


def resample(*spacing: float) -> Any:
    return of_torchio("Resample", target=spacing)


def close(y: Tensor, recorded: list[float], atol: float = 1e-3) -> None:
    torch.testing.assert_close(middle(y), torch.tensor(recorded), atol=atol, rtol=0)


def test_axes_signs_order_and_units_of_an_affine_map() -> None:
    sure = of_torchio("Affine", **TURN, **AFFINE)
    close(made(sure, block()), TURNED)
    twice = {n: tuple(v for v in values for _ in range(2)) for n, values in TURN.items()}
    close(made(of_torchio("RandomAffine", **twice, isotropic=False, **AFFINE), block()), TURNED)
    found = A.convert(compose(resample(2.0, 1.5, 1.0), sure), partly=True)
    close(run(found.pipeline, block()), TURNED_IN_MM)
    assert not any("1 mm" in line for line in found.differs)
    assert any("1 mm" in line for line in A.convert(sure).differs)


def test_ranges_of_an_affine_map_keep_their_axes() -> None:
    ranges = {
        "scales": (0.8, 0.9, 1.0, 1.1, 1.2, 1.3),
        "degrees": (1, 2, 3, 4, 5, 6),
        "translation": (-1, 1, 2, 3, 0, 4),
    }
    f = A.convert(of_torchio("RandomAffine", **ranges, isotropic=False, **AFFINE)).pipeline
    steps = f.params.get("pipeline", f.params)
    ends = lambda leaf: [torch.as_tensor(v).tolist() for v in (leaf.low, leaf.high)]  # noqa: E731
    assert ends(steps["rotate3d"]["degrees"]) == [[5, 3, 1], [6, 4, 2]]  # x, y, z: axes 2, 1, 0
    assert ends(steps["translate3d"]["translate"]) == [[0, 2, -1], [4, 3, 1]]
    assert ends(steps["scale3d"]["scale_z"]) == pytest.approx([0.8, 0.9])
    even = A.convert(of_torchio("RandomAffine", **ranges, isotropic=True, **AFFINE)).pipeline
    assert [*pytree.tree_leaves(even.params)] != []
    assert "scale_z" not in str(even)


def sines() -> np.ndarray:
    i = np.indices((5, 6, 4, 3)).astype(float)
    return np.sin(i[0] + 2 * i[1] - i[2] + 3 * i[3])


def test_control_points_are_those_of_torchio() -> None:
    bend = of_torchio("ElasticDeformation", control_points=sines(), max_displacement=(1, 1, 1), **LINEAR)
    found = A.convert(compose(resample(1.0, 1.5, 2.0), bend), partly=True)
    close(run(found.pipeline, block()), BENT, 0.01)
    drawn = of_torchio(
        "RandomElasticDeformation",
        num_control_points=(7, 5, 6),
        max_displacement=(1.0, 2.0, 3.0),
        num_locked_borders=1,
        **LINEAR,
    )
    f = A.convert(drawn).pipeline
    control = f(block().expand(8, -1, -1, -1, -1), None, af.key(0))[1]["elastic3d"]["control"]
    assert control.shape == (8, 3, 7, 5, 6)
    assert [round(float(v), 1) for v in control.abs().amax((0, 2, 3, 4))] == [1.0, 2.0, 3.0]
    assert not control[:, :, [0, -1]].any()
    assert not control[:, :, :, [0, -1]].any()
    assert control[..., [0, -1]].any()  # TorchIO locks the first two axes alone


def test_movements_are_those_of_torchio() -> None:
    degrees, shift = np.array([[10.0, -5, 20], [0, 15, -10]]), np.array([[1.0, 0, -0.5], [0, -1, 0.5]])
    given = {"times": np.array([0.3, 0.7]), "image_interpolation": "linear"}
    close(made(of_torchio("Motion", degrees=degrees, translation=shift, **given), block()), SHAKEN)
    three = of_torchio(
        "Motion", degrees=np.zeros((3, 3)), translation=np.zeros((3, 3)), times=np.array([0.1, 0.4, 0.7])
    )
    three.image_interpolation = "linear"
    with pytest.raises(ValueError, match="3 movements"):
        A.convert(three)
    drawn = of_torchio("RandomMotion", degrees_range=(-1, 3), translation_range=(-2, 5), num_transforms=2, **LINEAR)
    own = A.convert(compose(resample(2.0, 1.0, 1.0), drawn), partly=True).pipeline.params["motion_artifact"]
    assert torch.as_tensor(own["degrees"].low).tolist() == [[-3, -1, -1]] * 2
    assert torch.as_tensor(own["translate"].high).tolist() == [[2, 5, 2.5]] * 2


# closed forms


def test_the_first_axis_is_the_first_of_the_tensor(head: Tensor) -> None:
    for axis in range(3):
        assert torch.equal(made(of_torchio("Flip", axes=(axis,)), head), head.flip(axis - 3))
    named = A.convert(of_torchio("RandomFlip", axes=("Left", "superior"), flip_probability=1))
    assert torch.equal(run(named.pipeline, head), head.flip(-3, -1))
    assert "RAS" in named.differs[0]
    f = A.convert(of_torchio("RandomFlip", axes=(0, 2), flip_probability=0.25, probability=0.5)).pipeline
    y = run(f, head.expand(2000, -1, -1, -1, -1)[..., :3, :3, :3])
    x = head[..., :3, :3, :3]
    ways = (x, x.flip(-3), x.flip(-1), x.flip(-3, -1))
    shares = [(y == w).flatten(1).all(-1).float().mean() for w in ways]
    want = torch.tensor([0.5 + 0.5 * 9 / 16, 0.5 * 3 / 16, 0.5 * 3 / 16, 0.5 / 16])
    torch.testing.assert_close(torch.stack(shares), want, atol=0.035, rtol=0)


def test_frames(head: Tensor) -> None:
    x, mask = head, (head[:, 0] > 0.4).long()
    cut = made(of_torchio("Crop", bounds_parameters=(1, 2, 3, 4, 5, 6)), {"volume": x, "mask": mask})
    assert torch.equal(cut["volume"], x[..., 1:-2, 3:-4, 5:-6])
    assert torch.equal(cut["mask"], mask[..., 1:-2, 3:-4, 5:-6])
    pad = of_torchio("Pad", bounds_parameters=(1, 2, 3, 4, 5, 6), padding_mode=2)
    wide = made(pad, {"volume": x, "mask": mask})
    assert torch.equal(wide["volume"], F.pad(x, (5, 6, 3, 4, 1, 2), value=2.0))
    assert torch.equal(wide["mask"], F.pad(mask, (5, 6, 3, 4, 1, 2), value=2))
    pad.padding_mode = "reflect"
    assert torch.equal(made(pad, x), F.pad(x, (5, 6, 3, 4, 1, 2), mode="reflect"))
    sized = {"padding_mode": 0, "mask_name": None, "only_crop": False, "only_pad": False}
    fit = of_torchio("CropOrPad", target_shape=(15, 9, 13), location="center", units="voxels", **sized)
    want = F.pad(x, (0, 0, 0, 0, 2, 1))[..., 3:12, 2:15]  # of an odd rest the one more comes before
    assert torch.equal(made(fit, x), want)
    old = copy.copy(fit)  # releases before had neither
    del old.location, old.units
    assert torch.equal(made(old, x), want)
    fit.units, fit.target_shape = "cm", (3.0, 1.8, 1.3)
    assert A.convert(compose(resample(2.0, 2.0, 1.0), fit), partly=True).module(x).shape[2:] == (15, 9, 13)
    fit.units, fit.location, fit.target_shape = "voxels", "random", (3, 4, 5)
    places = {tuple(y.flatten().tolist()) for y in made(fit, x.expand(20, -1, -1, -1, -1))}
    assert len(places) > 10
    of = np.array([8, 8, 8])
    assert torch.equal(
        made(of_torchio("EnsureShapeMultiple", target_multiple=of, method="pad"), x), F.pad(x, (0, 0, 1, 1, 2, 2))
    )
    least = of_torchio("EnsureShapeMultiple", target_multiple=np.array([5, 4, 3]), method="crop")
    assert torch.equal(made(least, x), x[..., 1:11, 1:13, 1:16])
    size = of_torchio("Resize", target_shape=np.array([8, 20, 16]), **LINEAR)
    torch.testing.assert_close(made(size, x), F.interpolate(x, (8, 20, 16), mode="trilinear", align_corners=False))


def test_k_space(head: Tensor) -> None:
    def spectrum(x: Tensor) -> Tensor:
        return torch.fft.fftshift(torch.fft.fftn(x, dim=(-3, -2, -1)), dim=(-3, -2, -1))

    def image(s: Tensor) -> Tensor:
        return torch.fft.ifftn(torch.fft.ifftshift(s, dim=(-3, -2, -1)), dim=(-3, -2, -1)).real

    ghosts = of_torchio(
        "RandomGhosting", axes=(0,), num_ghosts_range=(3, 3), intensity_range=(0.75, 0.75), restore=None
    )
    s = spectrum(head)
    s[:, :, ::3] *= 0.25
    s[:, :, 6] = spectrum(head)[:, :, 6]
    torch.testing.assert_close(made(ghosts, head), image(s), atol=1e-5, rtol=0)
    places = np.array([[0.3, 0.6, 0.7], [0.4, 0.4, 0.55]])
    wave = of_torchio("Spike", spikes_positions=places, intensity=0.1)
    s = spectrum(head)
    for place in places:
        top = s.abs().amax((-3, -2, -1), keepdim=True)
        i, j, k = (int(p * n) for p, n in zip(place, head.shape[2:], strict=True))
        s[:, :, i : i + 1, j : j + 1, k : k + 1] += 0.1 * top
    torch.testing.assert_close(made(wave, head), image(s), atol=1e-5, rtol=0)
    several = of_torchio("RandomSpike", num_spikes_range=(1, 3), intensity_range=(0.1, 0.2))
    found = A.convert(several)
    assert "intensity of its own" in found.differs[0]
    assert run(found.pipeline, head).isfinite().all()


def test_intensities(head: Tensor) -> None:
    powers = [(i, j, k) for i, j, k in product(range(4), repeat=3) if i + j + k <= 3]
    c = [0.1 * (n % 5 - 2) for n in range(len(powers))]
    grid = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in head.shape[2:]), indexing="ij")
    gain = sum(v * grid[0] ** i * grid[1] ** j * grid[2] ** k for v, (i, j, k) in zip(c, powers, strict=True))
    torch.testing.assert_close(made(of_torchio("BiasField", coefficients=c, order=3), head), head * gain.exp())  # type: ignore[union-attr]
    blur = of_torchio("RandomBlur", std_ranges=(1, 1, 0.5, 0.5, 0.75, 0.75))
    x = F.pad(head, (6,) * 6)
    want = [ndimage.gaussian_filter(v.numpy(), (1, 0.5, 0.75)) for v in x[0]]
    torch.testing.assert_close(made(blur, x)[0], torch.from_numpy(np.stack(want)), atol=1e-5, rtol=0)
    coarse = A.convert(compose(resample(2.0, 1.0, 1.0), blur), partly=True).pipeline
    want = [ndimage.gaussian_filter(v.numpy(), (0.5, 0.5, 0.75)) for v in x[0]]
    torch.testing.assert_close(run(coarse, x)[0], torch.from_numpy(np.stack(want)), atol=1e-5, rtol=0)
    signed = head - 0.3
    gamma = of_torchio("RandomGamma", log_gamma_range=(0.25, 0.25))
    torch.testing.assert_close(made(gamma, signed), signed.sign() * signed.abs() ** math.exp(0.25))
    gamma.log_gamma_range = (-0.3, 0.4)
    f = A.convert(gamma).pipeline
    drawn = f(signed, f.params, af.key(0))[1]["gamma"]["gamma"]
    assert drawn.shape == (1, 2)
    assert drawn[0, 0] != drawn[0, 1]  # each channel has its own
    noise = of_torchio("RandomNoise", mean_range=(0.5, 0.5), std_range=(0.1, 0.1))
    d = made(noise, head) - head
    assert float(d.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(d.std()) == pytest.approx(0.1, abs=0.01)
    thick = made(
        of_torchio("RandomAnisotropy", axes=(1,), downsampling_range=(2, 2), scalars_only=True, **LINEAR), head
    )
    coarse = head[..., 1::2, :].movedim(-2, 0).flatten(1).numpy()  # read at 0.5, 2.5, ..., of two voxels the second
    places = (np.arange(14) - 6.5) / 2 + 3
    want = np.stack([np.interp(places, np.arange(7), line) for line in coarse.T], -1)
    torch.testing.assert_close(thick.movedim(-2, 0).flatten(1), torch.from_numpy(want).float(), atol=1e-6, rtol=0)


def test_levels(head: Tensor) -> None:
    one = head[:, :1]
    rescale = of_torchio(
        "RescaleIntensity", out_min=-1.0, out_max=1.0, percentiles=(2, 98), masking_method=None, in_min_max=None
    )
    low, high = np.percentile(one.numpy(), (2, 98))
    torch.testing.assert_close(made(rescale, one), (one.clamp(low, high) - low) / (high - low) * 2 - 1)
    rescale.percentiles, rescale.in_min_max = (0, 100), (0.2, 0.6)
    torch.testing.assert_close(made(rescale, one), (one - 0.2) / 0.4 * 2 - 1)
    score = of_torchio("ZNormalization", masking_method=None)
    torch.testing.assert_close(made(score, one), (one - one.mean()) / one.std(), atol=1e-3, rtol=1e-3)
    inside = of_torchio("ZNormalization", masking_method=lambda x: x > x.mean())
    chosen = head[head > head.mean()]
    torch.testing.assert_close(made(inside, head), (head - chosen.mean()) / chosen.std())
    mask = of_torchio("Mask", masking_method=lambda x: x[:1] > 0.3, outside_value=-1, masking_labels=None)
    assert torch.equal(made(mask, head), torch.where(one > 0.3, head, -1.0))
    left = of_torchio("Mask", lambda x: x * 0.5, masking_method="Left", outside_value=0, masking_labels=None)
    assert torch.equal(made(left, head), head * 0.5)  # TorchIO's own is called
    assert torch.equal(made(of_torchio("Clamp", out_min=0.2, out_max=None), head), head.clamp(min=0.2))


def test_functions_and_labels(head: Tensor) -> None:
    x = {"volume": head, "mask": torch.tensor([0, 1, 2, 3]).expand(1, 12, 14, 4).repeat(1, 1, 1, 4)}
    swap = of_torchio("RemapLabels", remapping={1: 2, 2: 1}, masking_method=None)
    y = made(swap, x)
    assert y["mask"][0, 0, 0, :4].tolist() == [0, 2, 1, 3]
    assert torch.equal(y["volume"], head)
    seen = []

    def twice(v: Tensor) -> Tensor:
        seen.append(tuple(v.shape))
        return 2 * v

    y = made(of_torchio("Lambda", function=twice, types_to_apply=["intensity"]), x)
    assert torch.equal(y["volume"], 2 * head)
    assert torch.equal(y["mask"], x["mask"])
    assert seen == [(2, 12, 14, 16)]
    y = made(of_torchio("Lambda", function=lambda v: 2 * v, types_to_apply=None), x)
    assert torch.equal(y["mask"], 2 * x["mask"])


class IntensityTransform:
    """The base of a user's transform."""

    __module__ = "torchio.transforms.intensity_transform"
    probability, apply_transform = 1, None


class Brighter(IntensityTransform):
    __module__ = "users"

    def __call__(self, x: Tensor) -> Tensor:
        return x + 1


def test_a_users_transform_is_called(head: Tensor) -> None:
    found = A.convert(compose(Brighter()))
    assert torch.equal(run(found.pipeline, head), head + 1)
    assert "af.opaque" in found.differs[0]
    half = Brighter()
    half.probability = 0.5  # type: ignore[assignment]
    y = made(half, head.expand(64, -1, -1, -1, -1))
    assert 0.2 < float((y != head).flatten(1).any(-1).float().mean()) < 0.8
    with pytest.raises(ValueError, match="a function of subjects"):
        A.convert(compose(lambda subject: subject))
