"""What `torch.save` writes is read by `torch.load(weights_only=True)` in another process, and draws the same."""

import subprocess
import sys

import pytest
import torch
from torch import nn

import augfn as af
from augfn.core.augmentation import build
from augfn.core.spec import SPECS
from augfn.testing.case import FRAMES, LARGE, agree, smooth_image, targets_for
from augfn_nn import Augment, AugmentationSequential, convert
from tests.test_laws import COMBINED
from tests.test_nn_convert_albumentations import said
from tests.test_nn_convert_torchio import LINEAR, of_torchio
from tests.test_nn_ops import CLASSES, make, sample_for

K = af.key(3)
OTHER_PROCESS = """
import sys, torch, augfn as af, augfn_nn
def on(f, x):
    return f(x, generator=af.key(3)) if isinstance(f, torch.nn.Module) else f(x, None, af.key(3))[0]
found = torch.load(sys.argv[1], weights_only=True)
torch.save({n: on(f, x) for n, (f, x) in found.items()}, sys.argv[2])
"""


def op_with_targets(name):
    f = build(SPECS[name], SPECS[name].example)
    x = smooth_image((3,), 3, LARGE.get(name) or FRAMES[f.ndim], torch.float32)
    return f, targets_for(x, f.ndim)


def combined(name):
    f = COMBINED[name]()
    return f, targets_for(smooth_image((3,), 3, FRAMES[f.ndim], torch.float32), f.ndim)


def module(name):
    made = make(name)
    torch.manual_seed(0)
    return made, sample_for(name, 3, 8, 8)


SHAKE = {"degrees_range": (-9, 9), "translation_range": (-2, 5), "num_transforms": 2, **LINEAR}
BEND = {"num_control_points": (5, 5, 5), "max_displacement": (1, 2, 3), "num_locked_borders": 1, **LINEAR}
CONVERTED = {  # what only conversions hold
    "holes": said("CoarseDropout", hole_height_range=[2, 3], hole_width_range=[2, 4]),
    "turn": said("SafeRotate"),
    "bend": said("ElasticTransform"),
    "crop": of_torchio("Crop", bounds_parameters=(1, 2, 0, 1, 2, 0)),
    "multiple": of_torchio("EnsureShapeMultiple", target_multiple=(5, 4, 3), method="crop"),
    "clamp": of_torchio("Clamp", out_min=0.2, out_max=None),
    "labels": of_torchio("RemapLabels", remapping={0: 1, 1: 0}, masking_method=None),
    "gamma": of_torchio("RandomGamma", log_gamma_range=(-0.3, 0.3)),
    "motion": of_torchio("RandomMotion", **SHAKE),
    "elastic": of_torchio("RandomElasticDeformation", **BEND),
}


def conversion(name):
    made = convert(CONVERTED[name]).module
    x = smooth_image((3,), 3, FRAMES[made.f.ndim], torch.float32)
    return made, {"volume": x, "mask": (x[:, 0] > 0.5).long()} if made.f.ndim == 3 else x


KINDS = {
    "ops": (SPECS, op_with_targets),
    "combinators": (COMBINED, combined),
    "modules": (CLASSES, module),
    "conversions": (CONVERTED, conversion),
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_them_in_a_second_process(kind, tmp_path):
    names, make_one = KINDS[kind]
    saved = {name: make_one(name) for name in names}
    torch.save(saved, tmp_path / "saved.pt")
    subprocess.run([sys.executable, "-c", OTHER_PROCESS, tmp_path / "saved.pt", tmp_path / "out.pt"], check=True)
    out = torch.load(tmp_path / "out.pt", weights_only=True)
    for name, (f, x) in saved.items():
        here = f(x, generator=K) if isinstance(f, nn.Module) else f(x, None, K)[0]
        agree(name, out[name], here, 0.0)


@pytest.mark.parametrize(
    "d",
    [
        af.Uniform([0.0, 1.0], [2.0, 3.0]),
        af.Interval(nn.Parameter(torch.tensor([0.5, 2.0]))),
        af.Span([1.0, 2.0], [[-1.0, 0.0], [0.0, 1.0]]),
        af.LogUniform(0.5, 2.0),
        af.LogNormal(0.1, 0.5),
        af.Normal(1.0, 0.5),
        af.TruncatedNormal(),
        af.Beta(2.0, 3.0),
        af.Constant(torch.tensor(0.25, dtype=torch.float64)),
        af.Bernoulli(0.3),
        af.RelaxedBernoulli(0.5, hard=False),
        af.Choice([1.0, 2.0]),
        af.GumbelChoice([0.0, 1.0], temperature=0.3),
        af.LogitBernoulli(0.3),
        af.LogitChoice([0.0, 1.0]),
    ],
    ids=lambda d: type(d).__name__,
)
def test_params_with_distributions(d, tmp_path):
    torch.save({"a": {"b": d}}, tmp_path / "params.pt")
    again = torch.load(tmp_path / "params.pt", weights_only=True)["a"]["b"]
    assert type(again) is type(d)
    assert repr(again) == repr(d)
    u = torch.rand(4, *d.noise_shape)
    assert again.draw(u).equal(d.draw(u))
    assert [type(getattr(again, n)) for n in d.fields] == [type(getattr(d, n)) for n in d.fields]


def test_drawn_params_and_targets(tmp_path):
    f = af.pipeline(af.hflip(p=0.5), af.affine(degrees=(-20, 20)), af.gaussian_noise())
    x = {
        "image": torch.rand(2, 3, 8, 8),
        "boxes": af.Boxes.pad([[[0, 0, 4, 4]], []], labels=[[1], []], min_visibility=0.2),
        "keypoints": af.Keypoints(torch.rand(2, 2, 2), swap=((0, 1),)),
    }
    y, params = f(x, None, K)
    torch.save((x, y, params), tmp_path / "call.pt")
    x2, y2, params2 = torch.load(tmp_path / "call.pt", weights_only=True)
    agree("replay", f(x2, params2)[0], y, 0.0)
    agree("targets", y2, y, 0.0)
    assert x2["keypoints"].swap == ((0, 1),)


def test_learned_modules(tmp_path):
    aug = AugmentationSequential(Augment(af.rotate(degrees=(-5, 5)), learnable=True), af.to_float(max=1.0))
    with torch.no_grad():
        aug.steps["rotate"].ranges.get_parameter("degrees/low").fill_(-25.0)
    x = torch.rand(2, 3, 8, 8)
    y = aug(x, index=[3, 4])
    torch.save(aug, tmp_path / "aug.pt")
    again = torch.load(tmp_path / "aug.pt", weights_only=True)
    agree("module", again(x, index=[3, 4]), y, 0.0)
    assert again.steps["rotate"].params["degrees"].low.item() == -25.0


class Mine(Augment):
    pass


def test_a_class_of_the_user_is_said_to_be_safe(tmp_path):
    torch.save(Mine(af.rotate()), tmp_path / "mine.pt")
    with pytest.raises(Exception, match="add_safe_globals"):
        torch.load(tmp_path / "mine.pt", weights_only=True)
    with torch.serialization.safe_globals([Mine]):
        assert isinstance(torch.load(tmp_path / "mine.pt", weights_only=True), Mine)


def test_an_op_that_is_not_there(tmp_path):
    f = af.rotate()
    torch.save(f, tmp_path / "f.pt")
    spec = SPECS.pop("rotate")
    try:
        with pytest.raises(Exception, match="unknown op"):
            torch.load(tmp_path / "f.pt", weights_only=True)
    finally:
        SPECS["rotate"] = spec
