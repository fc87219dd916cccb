"""What else is in a dict: names that users bring, soft masks and heat maps, and what passes through."""

import pytest
import torch

import augfn as af
import augfn_nn
from augfn.testing.case import agree

K = af.key(0)
X = torch.rand(3, 3, 16, 20)
SOFT = torch.rand(3, 16, 20)
BENT = af.pipeline(
    af.hflip(p=0.5), af.affine(degrees=(-20, 20), p=0.8), af.color_jitter(hue=(-0.1, 0.1)), af.gaussian_noise()
)
OTHERS = {
    "path": ["a.png", "b.png", "c.png"],
    "image_id": torch.arange(3),
    "scores": None,
    "meta": {"where": ("Rome", 7)},
}
TOLD = dict.fromkeys(OTHERS, "other")


def test_what_is_other_passes_through():
    f = af.pipeline(BENT, targets=TOLD)
    x = {"path": OTHERS["path"], "image": X, **OTHERS}
    y, params = f(x, None, K)
    assert list(y) == list(x)
    assert all(y[n] is x[n] for n in OTHERS)
    assert y["image"].equal(BENT(X, params["pipeline"])[0])
    assert af.invert(f)(y, params)[0]["path"] is x["path"]


@pytest.mark.parametrize("shape", [(3, 16, 20), (2, 3, 16, 20)], ids=["one image", "a batch"])
def test_modules_pass_it_through(shape):
    aug = augfn_nn.AugmentationSequential(augfn_nn.RandomHorizontalFlip(p=1.0), targets=TOLD, keepdim=True)
    x = torch.rand(shape)
    y = aug({"image": x, **OTHERS})
    assert all(y[n] is OTHERS[n] for n in OTHERS)
    assert y["image"].equal(x.flip(-1))
    image, name = augfn_nn.AugmentationSequential(augfn_nn.RandomHorizontalFlip(p=1.0), data_keys=["input", "other"])(
        x, "a"
    )
    assert name == "a"
    assert image.squeeze(0).equal(x.flip(-1))


@pytest.mark.parametrize("name", ["path", "image_id", "target", "filename", "mask_path", "scores"])
def test_the_advice_for_a_name_works(name):
    with pytest.raises(ValueError, match="passes it through") as error:
        af.hflip()({"image": X, name: "a"})
    assert f"targets={{{name!r}: 'other'}}" in str(error.value)
    assert af.pipeline(af.hflip(), targets={name: "other"})({"image": X, name: "a"})[0][name] == "a"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("images", "image"),
        ("masks", "mask"),
        ("bboxes", "boxes"),
        ("bbox_car", "boxes"),
        ("labels", "label"),
        ("class", "label"),
        ("heatmaps", "heatmap"),
        ("box", "boxes"),
    ],
)
def test_spellings(name, kind):
    value = {"image": X, "mask": SOFT, "boxes": torch.rand(3, 2, 4).sort(-1).values * 8, "label": torch.arange(3)}
    value = value.get(kind, X)
    f = af.hflip()
    assert f({"image_b": X, name: value})[0][name].equal(f({"image_b": X, kind: value})[0][kind])
    aug = augfn_nn.AugmentationSequential(f)
    assert aug({"image_b": X, name: value})[name].equal(f({"image_b": X, kind: value})[0][kind])


@pytest.mark.parametrize(("name", "kind"), [("bounding_boxes", "boxes"), ("my_masks", "mask"), ("seg", "mask")])
def test_the_kind_that_a_name_speaks_of(name, kind):
    value = torch.rand(3, 2, 4).sort(-1).values * 8 if kind == "boxes" else SOFT
    with pytest.raises(ValueError, match=f"{{'{name}': '{kind}'}} calls it {kind}"):
        af.hflip()({"image": X, name: value})
    y, _ = af.pipeline(af.hflip(), targets={name: kind})({"image": X, name: value})
    assert y[name].equal(af.hflip()({"image": X, kind: value})[0][kind])


def test_a_kind_that_there_is_not():
    with pytest.raises(ValueError, match="did you mean 'heatmap'"):
        af.pipeline(af.hflip(), targets={"points": "heatmapp"})({"image": X, "points": X})


@pytest.mark.parametrize("kind", ["softmask", "heatmap"])
def test_soft_values_are_moved_as_images_and_nothing_else(kind):
    """Geometry as of an image; no colour, no noise, no clamp."""
    value = 10 * torch.rand(3, 5, 16, 20) - 5
    y, params = BENT({"image": X, kind: value}, None, K)
    geometry = af.pipeline(*list(BENT.steps.values())[:2])
    agree(kind, y[kind], geometry(value, {n: params[n] for n in geometry.params})[0], 1e-5)


def test_soft_values_of_any_frame():
    assert af.rotate()({"image": X, "softmask": SOFT}, None, K)[0]["softmask"].shape == SOFT.shape
    volume = {"volume": torch.rand(1, 4, 5, 6), "heatmap": torch.rand(7, 4, 5, 6), "softmask": torch.rand(4, 5, 6)}
    y, _ = af.hflip3d()(volume)
    assert all(y[n].equal(volume[n].flip(-1)) for n in volume)
    with pytest.raises(TypeError, match=r"softmask\.float\(\)"):
        af.hflip()({"image": X, "softmask": SOFT.byte()})
    with pytest.raises(ValueError, match="heatmap: wrong"):
        af.hflip()({"image": X, "heatmap": torch.rand(3, 16, 21)})


def test_what_hides_and_what_mixes():
    x = {"image": X, "softmask": torch.ones(3, 16, 20), "heatmap": torch.ones(3, 2, 16, 20)}
    y, _ = af.erase(scale=0.2, fill_mask=0.5)(x, None, K)
    assert y["heatmap"].min() == 0
    assert y["heatmap"].max() == 1
    agree("softmask", y["softmask"], (y["heatmap"][:, 0] + 1) / 2, 1e-6)
    mixed, _ = af.mixup(weight=0.75)({"image": X, "heatmap": X}, None, K)
    assert mixed["heatmap"].equal(mixed["image"])


def test_a_gate_in_between_blends_them():
    f = af.affine(degrees=30.0, p=af.RelaxedBernoulli(0.0, hard=False))
    y, params = f({"image": X, "heatmap": X}, None, K)
    agree("blend", y["heatmap"], y["image"], 1e-6)
    assert 0 < params["gate"].min() < params["gate"].max() < 1


def test_an_interpolation_for_each_target():
    x = {"image": X, "image_b": X, "depth": X[:, :1], "softmask": SOFT}
    turn = af.rotate(degrees=20.0)
    f = af.pipeline(turn, interpolation={"image_b": "nearest", "depth": "bilinear"})
    y, _ = f(x)
    assert y["image"].equal(turn(X)[0])
    assert y["image_b"].equal(af.rotate(degrees=20.0, interpolation="nearest")(X)[0])
    agree("depth", y["depth"], turn(X[:, :1])[0], 1e-6)
    assert af.pipeline(f)(x)[0]["image_b"].equal(y["image_b"])
    assert af.pipeline(turn, interpolation={"image": "nearest"})(X)[0].equal(y["image_b"])


def test_a_bad_interpolation_of_a_target():
    with pytest.raises(ValueError, match="bicubic"):
        af.pipeline(af.rotate(), interpolation={"image": "cubic"})


@pytest.mark.parametrize("name", ["seg", "masks", "mask"])
def test_masks_are_never_read_between_labels(name):
    with pytest.raises(ValueError, match="softmask"):
        af.pipeline(af.rotate(degrees=20.0), targets={"seg": "mask"}, interpolation={name: "bilinear"})
    soft = af.pipeline(af.rotate(degrees=20.0), targets={"seg": "softmask"}, interpolation={"seg": "bilinear"})
    outer = af.pipeline(soft, targets={"seg": "mask"})
    assert set(outer({"image": X, "seg": SOFT.round()})[0]["seg"].unique().tolist()) <= {0.0, 1.0}
    with pytest.raises(ValueError, match="imgae"):
        af.pipeline(af.rotate(), interpolation={"imgae": "bicubic"})


def test_an_interpolation_holds_for_the_steps_inside():
    turn = af.rotate(degrees=20.0)
    f = af.pipeline(af.pipeline(turn, interpolation={"image": "nearest"}), af.elastic(alpha=0.01), fuse=False)
    inner, params = f.steps["pipeline"](X)[0], f(X, None, K)[1]
    assert f(X, params)[0].equal(af.elastic()(inner, params["elastic"])[0])
    nested = af.pipeline(af.pipeline(turn, interpolation={"depth": "nearest"}), interpolation={"image": "nearest"})
    assert nested(X)[0].equal(inner)


def test_an_interpolation_for_each_target_compiles():
    f = af.pipeline(af.rotate(degrees=20.0), interpolation={"image": "bicubic"})
    agree("compiled", f.compiled(backend="eager")({"image": X, "depth": X[:, :1]})[0]["image"], f(X)[0], 1e-5)
    outer = af.pipeline(f, interpolation={"depth": "bilinear"})
    assert outer({"image": X, "depth": X[:, :1]})[0]["image"].equal(f(X)[0])
