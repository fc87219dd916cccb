"""Policies as files: exact round trips through YAML and JSON, and mistakes in one line."""

import json

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

import augfn as af
from augfn.core.augmentation import build, photometric
from augfn.core.draw import leaves_of
from augfn.core.spec import SPECS
from augfn.files.reading import made
from augfn.files.values import PolicyError
from augfn.files.writing import written
from augfn.math.shapes import over
from augfn.saving import parse
from augfn.testing.case import FRAMES, LARGE, agree, smooth_image, targets_for
from augfn.typing import Factor
from augfn_nn import Augment, AugmentationSequential, RandomRotation
from tests.test_laws import COMBINED

K = af.key(3)
FORMS = ("yaml", "json")


def again(f, form, folder):
    af.save(f, folder / f"policy.{form}")
    return af.load(folder / f"policy.{form}")


def sample_of(f):
    return targets_for(smooth_image((3,), 3, LARGE.get(f.name) or FRAMES[f.ndim], torch.float32), f.ndim)


def alike(f, g):
    """The same leaves, settings, draws and results, bit for bit."""
    ours, theirs = leaves_of(f.params), leaves_of(g.params)
    assert list(ours) == list(theirs)
    for path in ours:
        assert type(ours[path]) is type(theirs[path]), path
        pairs = zip(tree_leaves(ours[path]), tree_leaves(theirs[path]), strict=True)
        assert all(a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b) for a, b in pairs), path
    x = sample_of(f)
    agree("drawn", g(x, None, K), f(x, None, K), 0.0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SPECS)
def test_every_op(name, form, tmp_path):
    f = build(SPECS[name], SPECS[name].example)
    g = again(f, form, tmp_path)
    alike(f, g)
    assert (g.spec, g.sampling, g.clip, g.channels) == (f.spec, f.sampling, f.clip, f.channels)
    assert repr(g) == repr(f)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", COMBINED)
def test_every_combinator(name, form, tmp_path):
    f = COMBINED[name]()
    g = again(f, form, tmp_path)
    alike(f, g)
    assert type(g) is type(f)
    assert repr(g) == repr(f)


RICH = {
    "named steps": lambda: af.pipeline(af.hflip(), af.rotate(), warp=af.rotate(degrees=5), last=af.hflip(p=0.1)),
    "settings": lambda: af.pipeline(
        af.rotate(fill=(0.1, 0.2, 0.3), interpolation="nearest", p=0.3),
        af.brightness(clip="ste", channels=(0, 2)),
        interpolation={"image_b": "bicubic"},
        padding_mode="reflection",
        fill_mask=255,
        antialias=True,
        targets={"seg": "mask", "path": "other"},
    ),
    "literal": lambda: af.pipeline(af.rotate(), af.shear(), fuse=False),
    "nested": lambda: af.one_of(
        af.pipeline(af.hflip(), af.maybe(af.rotate(), p=0.2), fill=0.5), af.repeat(af.brightness(), 3), weights=[0.1, 3]
    ),
    "learned": lambda: af.pipeline(
        af.hflip(p=af.RelaxedBernoulli(0.3, temperature=0.7, hard=False)),
        af.one_of(af.rotate(), af.invert(), weights=af.GumbelChoice([0.1, -0.2])),
    ),
    "values": lambda: af.pipeline(
        af.rotate(degrees=torch.tensor([1.0, 2.0, 1 / 3])),
        af.brightness(factor=torch.tensor(1 / 3, dtype=torch.float64)),
    ),
    "distributions": lambda: af.pipeline(
        af.rotate(degrees=af.Normal(1 / 3, 5.0)),
        af.scale(scale=af.LogUniform(0.8, 1.25)),
        af.gamma(gamma=af.TruncatedNormal(1.0, 0.3, 0.5, 2.0)),
        af.brightness(factor=af.Interval(nn.Parameter(torch.tensor([0.9, 1.1])))),
        af.hue(hue=af.Span(nn.Parameter(torch.tensor(0.1)), [[-1.0], [1.0]], 0.01)),
        af.contrast(factor=af.Constant(torch.tensor(1 / 3))),
        af.translate(translate=((-0.1, 0.1), (0.0, 0.0))),
        af.erase(ratio=af.Uniform(torch.tensor(2.0), torch.tensor(0.5))),  # learned, and crossed
    ),
    "policies": lambda: af.pipeline(af.rand_augment((1, 3)), af.augmix(), af.policy("rand-m9-mstd0.5-tweights")),
    "orders": lambda: af.pipeline(
        af.some_of(2, af.hflip(), af.rotate(), af.identity(), order="random"),
        af.some_of(2, af.invert(), af.brightness(), replace=True, weights=[1.0, 3.0]),
        af.mixture(af.invert(), af.identity(), share=0.5),
    ),
    "views": lambda: af.views(af.rotate(), af.pipeline(af.hflip(p=0.5))),
    "conversions": lambda: af.pipeline(af.to_float(max=4095), af.hflip(), af.to_uint8()),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", RICH)
def test_all_that_can_be_said(name, form, tmp_path):
    f = RICH[name]()
    g = again(f, form, tmp_path)
    alike(f, g)
    assert dict(g.targets) == dict(f.targets)
    assert (g.sampling, g.fused) == (f.sampling, f.fused)
    assert again(g, form, tmp_path).params.keys() == f.params.keys()


def test_a_file_is_good_to_read(tmp_path):
    f = af.pipeline(af.hflip(p=0.5), af.rotate(degrees=(-10, 10)), af.gaussian_noise(std=0.1), tilt=af.shear(shear=3.0))
    af.save(f, tmp_path / "policy.yaml")
    assert (tmp_path / "policy.yaml").read_text() == (
        "augfn: 1\npipeline:\n- hflip: {p: 0.5}\n- rotate:\n    degrees: [-10.0, 10.0]\n"
        "- gaussian_noise: {std: 0.1}\n- shear: {shear: 3.0}\n  as: tilt\n"
    )


def test_modules_are_written_with_their_ranges_as_they_are(tmp_path):
    aug = AugmentationSequential(RandomRotation((-5, 5), p=0.5, learnable=True), af.hflip(p=0.5), data_keys=None)
    with torch.no_grad():
        next(p for n, p in aug.named_parameters() if n.endswith("high")).fill_(1 / 3)
    f = again(aug, "json", tmp_path)
    x = torch.rand(4, 3, 8, 8)
    assert f(x, None, K)[0].equal(aug(x, generator=K))
    assert f.params["rotate"]["degrees"].high == aug.params["rotate"]["degrees"].high
    alike(af.rotate(), again(Augment(af.rotate()), "yaml", tmp_path))


@photometric
def lighter(x, *, factor: Factor = 2.0):
    return x * over(x, factor)


class Half(af.Distribution):
    """Half of a uniform number; without `log_prob`, since nobody asks."""

    fields = ("top",)

    def __init__(self, top):
        self._set(top=top)

    def draw(self, u):
        return self.top * u / 2


def test_ops_and_distributions_of_others(tmp_path):
    f = af.pipeline(lighter(factor=Half(0.5)), af.hflip())
    alike(f, again(f, "yaml", tmp_path))
    data = written(f)
    assert list(data["pipeline"][0]) == [f"{__name__}:lighter"]
    data["pipeline"][0] = {"not.imported:lighter": None}
    with pytest.raises(PolicyError, match="unknown op"):
        made(data)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("augfn: 2\npipeline: [hflip]", "a version that is not known"),
        ("pipeline: [to_float: {maxx: 3}]", "maxx"),
        ("pipeline: [to_uint8, hflip]", "to_uint8 last"),
        ("pipeline: [hflip, {rotate: {degrees: 3}, az: warp}]", "not a step"),
        ("pipeline: [1: {p: 0.5}]", "not a step"),
        ("pipeline: [{rotate: , as: warp}, hflip]", "without a name after one with it"),
        ("pipeline: [{rotate: , as: warp}, {hflip: , as: warp}]", "another name for each step"),
        ("pipeline: [rotate: {degrees: {tensor: [1, 2], dtype: float33}}]", "float32"),
        ("pipeline: [rotate: {degrees: {tensor: [[1], [2, 3]]}}]", "pipeline[0].rotate.degrees"),
        ("pipeline: [hflip: {p: {relaxed_bernouli: [0]}}]", "relaxed_bernoulli"),
        ("pipeline: [hflip]\ntargets: {seg: maske}\nfusee: true", "fuse"),
        ("rotate: {degree: 3}", "did you mean 'degrees'?"),
        ("augfn: 1", "no pipeline"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML"),
        ("pipeline: ['os:getcwd']", "unknown op"),
        ("pipeline: ['unittest.mock:call']", "unknown op"),
        ("pipeline: [hflip]\ntargets: 3", "not a mapping"),
        ("pipeline: [to_float: {x: 3}]", "unknown keyword"),
        ("{__version__: 2.0.8, transform: {__class_fullname__: Compose}}", "augfn_nn.convert"),
        ("pipeline: [rotate: {degrees: {'os:getcwd': []}}]", "unknown distribution"),
    ],
)
def test_mistakes_make_one_line(text, words):
    with pytest.raises(PolicyError) as error:
        parse(text)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(ValueError, match=r"policy\.yaml"):
        af.save(af.hflip(), tmp_path / "policy.txt")
    with pytest.raises(TypeError, match=r"af\.save\(af\.pipeline"):
        af.save({"a": 1}, tmp_path / "policy.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(PolicyError, match="not valid JSON"):
        af.load(tmp_path / "bad.json")

    class Strange(af.Augmentation):
        pass

    with pytest.raises(TypeError, match=r"torch\.save"):
        af.save(Strange("strange", {}, {}), tmp_path / "policy.json")


@pytest.mark.parametrize(("form", "text"), [("json", '{"pipeline": ["hflip"]}'), ("yaml", "pipeline: [hflip]")])
def test_a_file_may_begin_with_the_mark_that_windows_writes(form, text, tmp_path):
    (tmp_path / f"policy.{form}").write_text(text, encoding="utf-8-sig")
    assert repr(af.load(tmp_path / f"policy.{form}")) == "pipeline(hflip())"


def test_json_knows_no_infinity(tmp_path):
    f = af.rotate(degrees=af.TruncatedNormal(0.0, 5.0, -torch.inf, 10.0))
    af.save(f, tmp_path / "policy.json")
    json.loads((tmp_path / "policy.json").read_text(), parse_constant=pytest.fail)
    alike(f, af.load(tmp_path / "policy.json"))


def test_settings_of_a_choice_are_not_lost_in_silence(tmp_path):
    aug = AugmentationSequential(RandomRotation(30.0), af.hflip(), random_apply=1, targets={"seg": "mask"})
    with pytest.raises(TypeError, match=r"af\.pipeline\(af\.some_of"):
        af.save(aug, tmp_path / "policy.json")
    with pytest.raises(TypeError, match="p_batch"):
        af.save(RandomRotation(10.0, p_batch=0.5), tmp_path / "policy.json")
    with pytest.raises(TypeError, match="same_on_batch"):
        af.save(RandomRotation(10.0, same_on_batch=True), tmp_path / "policy.json")


def test_a_range_that_has_left_is_not_written(tmp_path):
    w = nn.Parameter(torch.tensor([0.5, 1.5]))
    f = af.gamma(gamma=af.Interval(w))
    with torch.no_grad():
        w.sub_(2.0)
    with pytest.raises(ValueError, match="left its interval"):
        af.save(f, tmp_path / "policy.yaml")


@pytest.mark.parametrize("text", ["pipeline: [hflip: {p: 0.5, p: 0.1}]", "pipeline: [hflip]\npipeline: [vflip]"])
def test_a_key_that_is_there_twice(text, tmp_path):
    (tmp_path / "policy.yaml").write_text(text)
    with pytest.raises(PolicyError, match="twice"):
        af.load(tmp_path / "policy.yaml")
    (tmp_path / "policy.json").write_text('{"pipeline": [{"hflip": {"p": 0.5, "p": 0.1}}]}')
    with pytest.raises(PolicyError, match="'p' is there twice"):
        af.load(tmp_path / "policy.json")


def test_a_mapping_in_place_of_a_list(tmp_path):
    (tmp_path / "policy.yaml").write_text("pipeline: {hflip: {p: 0.5}}")
    with pytest.raises(PolicyError, match=r"\[hflip: "):
        af.load(tmp_path / "policy.yaml")
