"""Pipelines of kornia, torchvision and albumentations, converted."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from skimage import data
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import augfn as af
import augfn_nn as A
from benchmarks.kornia_calls import SINGLE

K = pytest.importorskip("kornia.augmentation")

KEY = torch.tensor([1, 2])
INEXACT = {
    "RandomElasticTransform",
    "RandomRotation90",
    "RandomBrightness",
}  # other units, another name, another rounding


@pytest.fixture(scope="module")
def photo() -> Tensor:
    x = torch.from_numpy(data.astronaut()).permute(2, 0, 1).float()[None] / 255
    return nn.functional.interpolate(x, (48, 64), mode="area").clamp(0, 1)


def run(f: Any, x: Any) -> Any:
    return f(x, f.params, af.key(0))[0]


@pytest.mark.parametrize(("name", "args", "given", "shape"), SINGLE, ids=[f"{i}-{s[0]}" for i, s in enumerate(SINGLE)])
def test_a_class_of_kornia_is_the_class_with_its_arguments(name: str, args: Any, given: Any, shape: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = getattr(K, name)(*args, **given)
    found = A.convert(theirs)
    ours, x = getattr(A, name)(*args, **given, kornia=True), torch.rand(shape)
    got, want = (pytree.tree_leaves(m(x, generator=KEY)) for m in (found.module, ours))
    for a, b in zip(got, want, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert name in INEXACT or torch.equal(a, b)
    assert not found.lacking


def test_containers_of_kornia_keep_what_they_were_given() -> None:
    def build(M: Any) -> Any:
        steps = M.RandomAffine(10.0, p=0.7), M.ColorJitter(0.1, 0.1, 0.1, 0.1), M.RandomHorizontalFlip(p=0.5)
        return M.AugmentationSequential(*steps, data_keys=["input", "mask"], same_on_batch=True, random_apply=(1, 3))

    found, ours = A.convert(build(K)).module, build(A)
    args = torch.rand(4, 3, 16, 16), torch.rand(4, 1, 16, 16).round()
    for a, b in zip(found(*args, generator=KEY), ours(*args, generator=KEY), strict=True):
        assert torch.equal(a, b)
    video = A.convert(K.VideoSequential(K.RandomInvert(p=0.5), data_format="BCTHW", same_on_frame=False)).module
    assert isinstance(video, A.VideoSequential)
    assert video(torch.rand(2, 3, 4, 8, 8)).shape == (2, 3, 4, 8, 8)
    patches = A.convert(K.PatchSequential(K.RandomInvert(p=0.5), grid_size=(2, 2), patchwise_apply=False)).module
    assert isinstance(patches, A.PatchSequential)
    assert patches(torch.rand(2, 3, 8, 8)).shape == (2, 3, 8, 8)


@pytest.mark.parametrize("given", [1, 2, (1, 2), (2,), True, 4])
def test_kornias_random_apply_is_kept_with_one_more(given: Any) -> None:
    def build(M: Any) -> Any:
        return M.ImageSequential(*(M.RandomInvert(p=1.0) for _ in range(4)), random_apply=given)

    found, ours, x = A.convert(build(K)).module, build(A), torch.rand(1, 3, 4, 4)
    for i in range(20):
        key = torch.tensor([i, 0])
        assert torch.equal(found(x, generator=key), ours(x, generator=key))


def test_policies_of_kornia_are_told_by_their_steps() -> None:
    from kornia.augmentation import auto

    x = torch.rand(2, 3, 16, 16)
    for theirs, ours in (
        (auto.AutoAugment("cifar10"), A.AutoAugment("cifar10")),
        (auto.RandAugment(2, 7), A.RandAugment(2, 7)),
    ):
        assert torch.equal(A.convert(theirs).module(x, generator=KEY), ours(x, generator=KEY))


def test_policies_of_ones_own() -> None:
    """At a level that is fixed both give the same; a sign is drawn, so some images agree."""
    from kornia.augmentation import auto

    x = torch.nn.functional.avg_pool2d(torch.rand(24, 3, 26, 28), 5, 1)
    for entry in (
        *(("auto_contrast", 0, 1), ("invert", 0, 1), ("posterize", 4.0, 8.0), ("solarize", 0.0, 1.0)),
        *((n, 0.1, 1.9) for n in ("color", "contrast", "brightness", "sharpness")),
        *(("rotate", -30.0, 30.0), ("shear_x", -0.3, 0.3), ("shear_y", -0.3, 0.3)),
        *(("translate_x", -0.1, 0.1), ("translate_y", -0.1, 0.1)),
    ):
        theirs = auto.RandAugment(1, 10, policy=[[entry]])
        found = A.convert(theirs)
        off = (found.module(x) - theirs(x)).abs()[..., 4:-4, 4:-4].amax((1, 2, 3))
        assert (off < 1e-4).sum() >= (3 if entry[1] < 0 else 24), entry
        assert found.differs == ["RandAugment: draws for each image"]
    table = [[("posterize", 0.4, 8), ("rotate", 0.6, 9)], [("shear_x", 1.0, 2), ("equalize", 0.5, None)]]
    for theirs, ours in (
        (auto.AutoAugment(table), A.AutoAugment(table, kornia=True)),
        (auto.TrivialAugment([[("color", 0.2, 0.8)]]), A.TrivialAugment([[("color", 0.2, 0.8)]], kornia=True)),
    ):
        assert torch.equal(A.convert(theirs).module(x, generator=KEY), ours(x, generator=KEY))


def test_what_is_foreign_to_kornia() -> None:
    class Own(K.RandomInvert):
        pass

    chain = K.AugmentationSequential(Own(p=1.0), nn.Identity(), K.RandomHorizontalFlip(p=1.0))
    with pytest.raises(ValueError, match="let it subclass"):
        A.convert(chain)
    found = A.convert(chain, partly=True)
    x = torch.rand(1, 3, 4, 4)
    assert len(found.lacking) == 1
    assert torch.equal(found.module(x), x.flip(-1))


def of_torchvision(kind: str, **kept: Any) -> Any:
    """What a transform of torchvision keeps, without torchvision."""
    made = type(kind, (), {"__module__": "torchvision.transforms.v2._any"})()
    vars(made).update(kept)
    return made


AFFINE = {"interpolation": "bilinear", "fill": 0}


def test_torchvisions_signs_and_units(photo: Tensor) -> None:
    turn = of_torchvision("RandomRotation", degrees=[20.0, 20.0], expand=False, center=None, **AFFINE)
    skew = of_torchvision(
        "RandomAffine",
        degrees=[20.0, 20.0],
        translate=None,
        scale=(1.2, 1.2),
        shear=[5.0, 5.0, 3.0, 3.0],
        center=None,
        **AFFINE,
    )
    assert torch.equal(run(A.convert(turn).pipeline, photo), run(af.rotate(degrees=20.0, fill=0.0), photo))
    shear = torch.tensor([5.0, 3.0])
    back = af.affine(degrees=-20.0, scale=1.2, shear=shear, fill=0.0)
    torch.testing.assert_close(run(A.convert(skew).pipeline, photo), run(back, photo))
    blur = of_torchvision("GaussianBlur", kernel_size=(3, 7), sigma=[1.5, 1.5])  # width, height
    want = run(af.gaussian_blur(sigma=1.5, kernel_size=(7, 3)), photo)
    torch.testing.assert_close(run(A.convert(blur).pipeline, photo), want)
    light = of_torchvision("RandomSolarize", threshold=128, p=1.0)
    assert float(A.convert(light).pipeline.params["solarize"]["threshold"].value) == pytest.approx(128 / 255)


def test_torchvisions_groups(photo: Tensor) -> None:
    flip, grey = of_torchvision("RandomHorizontalFlip", p=1.0), of_torchvision("RandomGrayscale", p=1.0)
    some = of_torchvision("RandomApply", transforms=[flip], p=0.3)
    either = of_torchvision("RandomChoice", transforms=[flip, grey], p=[0.25, 0.75])
    mixed = of_torchvision("RandomOrder", transforms=[flip, grey])
    loads = of_torchvision("ToDtype", dtype=torch.float32, scale=True)
    found = A.convert(of_torchvision("Compose", transforms=[some, either, mixed, loads]))
    whole = (photo * 255).to(torch.uint8)
    y, drawn = found.pipeline(whole.expand(64, -1, -1, -1), found.pipeline.params, af.key(0))
    assert y.dtype == torch.float32
    assert found.differs == ["ToDtype: af.to_float comes first instead: " + LOADS]
    share = [leaf.float().mean() for leaf in pytree.tree_leaves(drawn) if leaf.ndim == 1 and leaf.shape[0] == 64]
    assert min(abs(float(s) - 0.3) for s in share) < 0.15
    odd = of_torchvision("RandomShortestSize", min_size=[32])
    with pytest.raises(ValueError, match=r"RandomShortestSize: no counterpart(?s:.)*partly=True"):
        A.convert(of_torchvision("Compose", transforms=[flip, odd]))
    assert A.convert(of_torchvision("Compose", transforms=[flip, odd]), partly=True).lacking == [
        "RandomShortestSize: no counterpart"
    ]


LOADS = "what follows takes floats in [0, 1]"


def test_torchvisions_fills_are_those_of_masks_too() -> None:
    x, mask = torch.full((1, 3, 4, 4), 0.25), torch.ones(1, 4, 4, dtype=torch.long)
    image, label = type("Image", (), {}), type("Mask", (), {})
    for fill, want in [
        ({image: 0.5, label: 255}, 255),
        ({image: 0.5, "others": 3}, 3),
        (114, 114),
        (0.5, 0),
        ((1, 2, 3), 0),
    ]:
        pad = of_torchvision("Pad", padding=1, fill=fill, padding_mode="constant")
        zoom = of_torchvision("RandomZoomOut", fill=fill, side_range=(2.0, 2.0), p=1.0)
        for t in (pad, zoom):
            y, m = A.convert(t).module(x, mask, data_keys=["input", "mask"])
            assert sorted(m.unique().tolist()) == sorted({1, want})
            assert y.unique().numel() > 1
    policy = {"num_ops": 1, "magnitude": 9, "num_magnitude_bins": 31, "interpolation": "nearest", "fill": 114}
    assert A.convert(of_torchvision("RandAugment", **policy)).lacking == []


def test_torchvisions_sanitizing_is_left_to_the_reader_of_boxes() -> None:
    flip, drop = of_torchvision("RandomHorizontalFlip", p=1.0), of_torchvision("SanitizeBoundingBoxes", min_size=1.0)
    found = A.convert(of_torchvision("Compose", transforms=[flip, drop]))
    assert [line.partition(":")[0] for line in found.differs] == ["SanitizeBoundingBoxes"]
    assert "drop_invalid" in found.differs[0]
    assert repr(found.pipeline) == "pipeline(hflip())"  # it loads nothing


def test_torchvisions_traps(photo: Tensor) -> None:
    erase = {"p": 1.0, "scale": (0.1, 0.2), "ratio": (1.0, 1.0)}
    blank = torch.zeros(1, 3, 16, 16)
    noise = run(A.convert(of_torchvision("RandomErasing", value=None, **erase)).pipeline, blank)
    assert noise.abs().max() > 0.5  # v2 keeps None for value="random"
    value = run(A.convert(of_torchvision("RandomErasing", value=(2.0, 1.5, 1.25), **erase)).pipeline, blank)
    assert torch.equal(value.amax((0, 2, 3)), torch.tensor([2.0, 1.5, 1.25]))
    unscaled = of_torchvision("Compose", transforms=[of_torchvision("ToDtype", dtype=torch.float32, scale=False)])
    with pytest.raises(ValueError, match="scale=False"):
        A.convert(unscaled)
    kinds = {type("Mask", (), {}): 255, type("Image", (), {}): 128}
    turn = of_torchvision(
        "RandomRotation", degrees=[45.0, 45.0], expand=False, center=None, interpolation="nearest", fill=kinds
    )
    assert run(A.convert(turn).pipeline, blank)[0, 0, 0, 0] == pytest.approx(128 / 255)
    turn.fill = (1, 2, 3)
    assert (run(A.convert(turn).pipeline, blank)[0, :, 0, 0] * 255).tolist() == pytest.approx([1, 2, 3])
    few, many = ({"num_ops": 1, "interpolation": "nearest", "fill": None, "num_magnitude_bins": n} for n in (10, 31))
    few, many = of_torchvision("RandAugment", magnitude=9, **few), of_torchvision("RandAugment", magnitude=30, **many)
    assert str(A.convert(few).pipeline.params) == str(A.convert(many).pipeline.params)
    odd = of_torchvision("Resize", size=[8], max_size=None, antialias=True, interpolation="lanczos")
    flip = of_torchvision("RandomHorizontalFlip", p=1.0)
    assert "lanczos" in A.convert(of_torchvision("Compose", transforms=[flip, odd]), partly=True).lacking[0]


def of_albumentations(*transforms: dict[str, Any]) -> dict[str, Any]:
    said = [{"p": 1.0, **t} for t in transforms]
    return {"__version__": "2.0.8", "transform": {"__class_fullname__": "Compose", "p": 1.0, "transforms": said}}


def said(name: str, **given: Any) -> dict[str, Any]:
    return {"__class_fullname__": name, **given}


WARP = {"border_mode": 0, "fill": 0.0, "fill_mask": 0.0, "interpolation": 1, "mask_interpolation": 0}


def test_albumentations_signs_order_and_units(photo: Tensor) -> None:
    skew = said(
        "Affine",
        rotate=[20.0, 20.0],
        scale={"x": [1.2, 1.2], "y": [0.9, 0.9]},
        shear={"x": [15.0, 15.0], "y": [0.0, 0.0]},
        translate_percent={"x": [0.1, 0.1], "y": [-0.05, -0.05]},
        translate_px=None,
        keep_ratio=False,
        **WARP,
    )
    parts = (
        af.scale(scale=1.2, scale_y=0.9, fill=0.0),
        af.rotate(degrees=20.0, fill=0.0),
        af.shear(shear=torch.tensor([15.0, 0.0]), fill=0.0),
        af.translate(translate=torch.tensor([6.0, -2.0]), unit="pixel", fill=0.0),  # 6.4 and -2.4, truncated
    )
    got = run(A.convert(of_albumentations(skew)).pipeline, photo)
    torch.testing.assert_close(got, run(af.pipeline(*parts), photo), atol=1e-5, rtol=0)
    light = said(
        "RandomBrightnessContrast", brightness_limit=[0.1, 0.1], contrast_limit=[0.2, 0.2], brightness_by_max=True
    )
    light |= {"ensure_safe_range": False}
    torch.testing.assert_close(
        run(A.convert(of_albumentations(light)).pipeline, photo), (photo * 1.2 + 0.1).clamp(0, 1)
    )
    gamma = said("RandomGamma", gamma_limit=[150.0, 150.0])
    torch.testing.assert_close(run(A.convert(of_albumentations(gamma)).pipeline, photo), photo**1.5)
    norm = said("Normalize", mean=[0.4, 0.5, 0.6], std=[0.2, 0.3, 0.2], max_pixel_value=255.0, normalization="standard")
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.4, 0.5, 0.6], [0.2, 0.3, 0.2]))
    torch.testing.assert_close(run(A.convert(of_albumentations(norm)).pipeline, photo), (photo - mean) / std)
    turned = run(A.convert(of_albumentations(said("Transpose"))).pipeline, photo)
    assert torch.equal(turned, photo.mT)


def test_albumentations_choices() -> None:
    flip, mirror = said("HorizontalFlip", p=0.5), said("VerticalFlip", p=0.25)
    one = said("OneOf", transforms=[flip, mirror], p=0.5)
    some = said("SomeOf", transforms=[flip, mirror], n=1, replace=False, p=1.0)
    x = torch.tensor([[0.0, 1.0], [0.25, 0.75]]).expand(3000, 1, 2, 2)
    y = run(A.convert(of_albumentations(one)).pipeline, x)
    shares = [(y == w).all(-1).all(-1).float().mean() for w in (x, x.flip(-1), x.flip(-2))]
    torch.testing.assert_close(torch.stack(shares), torch.tensor([1 / 2, 1 / 3, 1 / 6]), atol=0.03, rtol=0)
    y = run(A.convert(of_albumentations(some)).pipeline, x)
    shares = [(y == w).all(-1).all(-1).float().mean() for w in (x, x.flip(-1), x.flip(-2))]
    torch.testing.assert_close(torch.stack(shares), torch.tensor([5 / 8, 1 / 4, 1 / 8]), atol=0.03, rtol=0)


def test_albumentations_root_may_be_anything(photo: Tensor) -> None:
    flip, mirror = said("HorizontalFlip", p=1.0), said("VerticalFlip", p=1.0)
    one = A.convert({"transform": flip}).pipeline
    assert torch.equal(run(one, photo), photo.flip(-1))
    either = A.convert({"transform": said("OneOrOther", transforms=[flip, mirror], p=0.3)}).pipeline
    y = run(either, photo.expand(400, -1, -1, -1))
    assert not (y == photo).flatten(1).all(-1).any()
    share = (y == photo.flip(-1)).flatten(1).all(-1).float().mean()
    assert abs(float(share) - 0.3) < 0.08


@pytest.mark.parametrize(
    ("kind", "given", "line"),
    [
        (
            "CoarseDropout",
            {"hole_height_range": [8, 16], "hole_width_range": [8, 16], "num_holes_range": [1, 1], "fill": "random"},
            "fill=",
        ),
        ("RandomCrop3D", {"size": [8, 8, 8], "pad_if_needed": True}, "PadIfNeeded3D before"),
        ("Rotate", {"limit": [-10, 10], **WARP, "border_mode": 3}, "border_mode=3"),
        ("Resize", {"height": 8, "width": 8, "interpolation": 4}, "interpolation=4"),
        ("SmallestMaxSize", {"max_size": [32, 64], "interpolation": 1}, "max_size"),
        ("Posterize", {"num_bits": [[1, 2], [3, 4], [5, 6]]}, "Posterize"),
        (
            "GaussNoise",
            {"std_range": [0.1, 0.2], "mean_range": [0, 0], "noise_scale_factor": 0.1},
            "noise_scale_factor",
        ),
    ],
)
def test_albumentations_traps_are_told(kind: str, given: Any, line: str) -> None:
    found = A.convert(of_albumentations(said("HorizontalFlip"), said(kind, **given)), partly=True)
    assert line in found.lacking[0]


def test_albumentations_of_float_images(photo: Tensor) -> None:
    norm = said("Normalize", mean=[0.5], std=[0.25], max_pixel_value=1.0, normalization="standard")
    f = A.convert(of_albumentations(said("ToFloat", max_value=255), norm)).pipeline
    torch.testing.assert_close(run(f, photo), (photo - 0.5) / 0.25)


def test_albumentations_shifts_of_hsv() -> None:
    fixed = said("HueSaturationValue", hue_shift_limit=[60, 60], sat_shift_limit=[-51, -51], val_shift_limit=[51, 51])
    y = run(A.convert(of_albumentations(fixed)).pipeline, torch.tensor([0.6, 0.0, 0.0]).reshape(1, 3, 1, 1))
    torch.testing.assert_close(y.flatten(), torch.tensor([0.16, 0.8, 0.16]))


@pytest.mark.parametrize(("noise", "spread"), [("uniform", 3**-0.5), ("gaussian", 1 / 4.4)])
def test_elastic_fields_in_pixels(noise: str, spread: float) -> None:
    """The displacement's standard deviation: blurred by sigma, noise keeps 1 / (2 sigma sqrt(pi)) of its own."""
    columns = torch.arange(320.0).expand(12, 1, 256, 320) / 1000
    bend = said(
        "ElasticTransform", alpha=300, sigma=12, approximate=False, same_dxdy=False, noise_distribution=noise, **WARP
    )
    far = (run(A.convert(of_albumentations(bend)).pipeline, columns) - columns)[..., 60:-60, 60:-60] * 1000
    expected = 300 * spread / (24 * torch.pi**0.5)
    assert 0.7 * expected < float(far.square().mean().sqrt()) < 1.2 * expected
    theirs = of_torchvision("ElasticTransform", alpha=[600.0, 600.0], sigma=[12.0, 12.0], **AFFINE)
    far = (run(A.convert(theirs).pipeline, columns) - columns)[..., 60:-60, 60:-60] * 1000
    expected = 300 * 3**-0.5 / (24 * torch.pi**0.5)
    assert 0.7 * expected < float(far.square().mean().sqrt()) < 1.2 * expected


def test_the_crop_of_ssd(photo: Tensor) -> None:
    sides = {"min_scale": 0.5, "max_scale": 0.9, "min_aspect_ratio": 0.5, "max_aspect_ratio": 2.0, "trials": 40}
    found = A.convert(of_torchvision("RandomIoUCrop", options=[0.3, 1.0], **sides))
    x = {"image": photo.expand(64, -1, -1, -1), "boxes": torch.tensor([[20.0, 10.0, 50.0, 40.0]]).expand(64, 1, 4)}
    y = found.pipeline(x, found.pipeline.params, af.key(0))[0]
    area = (y["boxes"].data[..., 2:] - y["boxes"].data[..., :2]).prod(-1).flatten()
    whole = (area - 900).abs() < 1e-3
    assert 20 < whole.sum() < 44
    assert (area[~whole] > 900).all()
    assert "drop_invalid" in found.differs[0]
    with pytest.raises(ValueError, match="trials"):
        A.convert(of_torchvision("RandomIoUCrop", options=[0.3], **sides | {"trials": 10}))


def test_albumentations_lacks_are_listed() -> None:
    colour = said("TextImage", font_path="a.ttf")
    crop = said("Rotate", limit=[-10, 10], crop_border=True, **WARP)
    found = A.convert(of_albumentations(said("HorizontalFlip"), colour, crop, colour), partly=True)
    assert found.lacking[0] == "TextImage: no counterpart"
    assert found.lacking[1].startswith("Rotate: crop_border=True has no counterpart")
    assert len(found.lacking) == 2
    choice = said("OneOf", transforms=[said("HorizontalFlip", p=0.5), colour | {"p": 0.5}])
    with pytest.raises(ValueError, match=r"nothing is left(?s:.)*OneOf: a choice of which one is lacking"):
        A.convert(of_albumentations(choice), partly=True)
    boxes = of_albumentations(said("HorizontalFlip"))
    boxes["transform"]["bbox_params"] = {"format": "coco", "min_area": 3.0, "min_visibility": 0.0}
    assert "af.Boxes(torch.tensor(boxes), format='coco', min_area=3.0)" in A.convert(boxes).differs[0]


@pytest.mark.parametrize("given", [3, [K.RandomInvert()], {"a": 1}, nn.Identity()])
def test_what_is_of_no_peer(given: Any) -> None:
    with pytest.raises(TypeError, match=r"kornia, torchvision, albumentations(?s:.)*Compose"):
        A.convert(given)


def test_the_pipeline_is_a_function_of_its_params(photo: Tensor) -> None:
    found = A.convert(K.AugmentationSequential(K.RandomAffine((-20.0, 20.0), p=1.0), K.RandomHorizontalFlip()))
    y, drawn = found.pipeline(photo, found.pipeline.params, af.key(3))
    assert torch.equal(y, found.pipeline(photo, drawn, None)[0])
    assert found.module.to("cpu") is found.module


@pytest.mark.parametrize("error", [AttributeError, KeyError])
def test_a_fault_of_a_conversion_is_no_lack(error) -> None:
    """What is wrong in the table is seen; what is wrong with arguments is a line of the report."""
    from augfn_nn.converters.notes import Notes

    def fails(kind):
        raise kind("unknown")

    notes = Notes()
    assert notes.tried("step", lambda: fails(ValueError)) is None
    assert notes.lacking == ["step: unknown"]
    with pytest.raises(error):
        notes.tried("step", lambda: fails(error))
