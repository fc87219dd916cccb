"""Curricula: ranges, probabilities, counts and levels as functions of progress."""

import pytest
import torch
from torch.utils.data import DataLoader

import augfn as af
from augfn_nn import AugmentationSequential, RandomHorizontalFlip, Scheduled

K = af.key(0)


def numbers(d):
    return [round(v, 4) for n in d.fields for v in getattr(d, n).flatten().tolist()]


CURVES = {
    "linear": (af.linear(0.0, 1.0), [0.0, 0.25, 0.5, 1.0]),
    "a window": (af.linear(0.0, 1.0, begin=0.25, until=0.75), [0.0, 0.0, 0.5, 1.0]),
    "cosine": (af.cosine(0.0, 1.0), [0.0, 0.1464, 0.5, 1.0]),
    "steps": (af.stepped((0.0, 0.2), (0.25, 0.4), (0.6, 0.6)), [0.2, 0.4, 0.4, 0.6]),
    "piecewise": (af.piecewise((0.0, 0.0), (0.5, 0.8), (1.0, 0.2)), [0.0, 0.4, 0.8, 0.2]),
    "constant": (0.7, [0.7] * 4),
}


@pytest.mark.parametrize("name", CURVES)
def test_curves(name):
    given, expected = CURVES[name]
    for t, value in zip((0.0, 0.25, 0.5, 1.0), expected, strict=True):
        gate = af.schedule(af.hflip(p=0.5), t, {"p": given})["gate"]
        assert gate.probs.item() == pytest.approx(value, abs=1e-4)


def recipe():
    return af.pipeline(
        af.color_jitter(brightness=(0.9, 1.1), hue=(-0.02, 0.02)),
        af.rotate(degrees=(-5, 5)),
        af.resized_crop(size=32, scale=(0.5, 1.0)),
        af.gaussian_blur(p=0.05),
        af.coarse_dropout(p=0.0),
        af.rand_augment(m=5),
    )


COMMON = {
    "color_jitter/brightness": af.linear((0.9, 1.1), (0.6, 1.4)),
    "color_jitter/hue": af.linear((-0.02, 0.02), (-0.10, 0.10)),
    "rotate/degrees": af.linear((-5, 5), (-15, 15)),
    "resized_crop/scale": af.linear((0.5, 1.0), (0.1, 1.0)),
    "gaussian_blur/p": af.linear(0.05, 0.30),
    "coarse_dropout/p": af.piecewise((0.0, 0.0), (0.2999, 0.0), (0.3, 0.12), (1.0, 0.4)),
    "pipeline/some_of/level": af.linear(5, 15),
}


def test_the_common_example():
    """Jitter .1 to .4, hue .02 to .10, rotation 5 to 15, crop from .5 to .1, blur .05 to .30, dropout from 30 % on with p
    .4 x progress, RandAugment's M from 5 to 15."""
    f = recipe()
    for t in (0.0, 0.3, 0.5, 1.0):
        p = af.schedule(f, t, COMMON)
        r = 0.1 + 0.3 * t
        assert numbers(p["color_jitter"]["brightness"]) == pytest.approx([1 - r, 1 + r], abs=1e-4)
        assert numbers(p["color_jitter"]["hue"]) == pytest.approx([-0.02 - 0.08 * t, 0.02 + 0.08 * t], abs=1e-4)
        assert numbers(p["rotate"]["degrees"]) == pytest.approx([-5 - 10 * t, 5 + 10 * t], abs=1e-4)
        assert numbers(p["resized_crop"]["scale"]) == pytest.approx([0.5 - 0.4 * t, 1.0], abs=1e-4)
        assert p["gaussian_blur"]["gate"].probs.item() == pytest.approx(0.05 + 0.25 * t, abs=1e-4)
        assert p["coarse_dropout"]["gate"].probs.item() == pytest.approx(0.4 * t * (t >= 0.3), abs=1e-4)
        ops = p["pipeline"]["some_of"]["one_of"]
        assert {ops[n]["factor"].level.item() for n in ("brightness", "color")} == {5 + 10 * t}
        y, drawn = f(torch.rand(4, 3, 40, 40), p, K)
        assert y.shape == (4, 3, 32, 32)
        assert drawn["pipeline"]["some_of"]["one_of"]["rotate"]["degrees"].abs().unique().tolist() == [5 + 10 * t]


def test_the_ranges_alone_change():
    """What no curve names stays as it is, and draws the same."""
    f = recipe()
    x = torch.rand(2, 3, 40, 40)
    drawn = [f(x, af.schedule(f, t, {"rotate/degrees": COMMON["rotate/degrees"]}), K)[1] for t in (0.0, 1.0)]
    assert drawn[0]["color_jitter"]["hue"].equal(drawn[1]["color_jitter"]["hue"])
    assert (drawn[0]["rotate"]["degrees"] * 3).allclose(drawn[1]["rotate"]["degrees"])


def test_the_count_of_a_policy():
    f = af.rand_augment((0, 3))
    params = af.schedule(f, 0.5, {"some_of/count": af.linear((1, 1), (3, 3))})
    counts = f(torch.rand(64, 3, 4, 4), params, K)[1]["some_of"]["count"].floor()
    assert counts.unique().tolist() == [2.0]


def test_progress_is_a_tensor_of_one_trace():
    f = af.rotate()
    at, seen = af.Curriculum(f, {"degrees": af.linear((-5, 5), (-15, 15))}), []

    def count(graph, example):
        seen.append(graph)
        return graph.forward

    def call(x, t):
        return f(x, at(t), K)[0]

    fast, x = torch.compile(call, backend=count, fullgraph=True), torch.rand(2, 3, 8, 8)
    for t in (0.0, 0.4, 1.0):
        torch.testing.assert_close(fast(x, torch.tensor(t)), call(x, t))
    assert len(seen) == 1


def test_a_gradient_reaches_progress():
    t = torch.tensor(0.5, requires_grad=True)
    f = af.brightness()
    f(torch.rand(4, 3, 4, 4), af.schedule(f, t, {"factor": af.linear((0.5, 1.0), (1.0, 2.0))}), K)[0].sum().backward()
    assert t.grad > 0


@pytest.mark.parametrize(
    ("curves", "advice"),
    [
        ({"degree": 3.0}, "degrees"),
        ({"p": 0.5}, r"(?s)one of degrees.*make the step with p=0.5"),
        ({"degrees": af.linear(5.0, (-15, 15))}, "a pair at every point"),
        ({"degrees": (15, -15)}, "low <= high"),
    ],
)
def test_curves_that_cannot_be(curves, advice):
    with pytest.raises(ValueError, match=advice):
        af.schedule(af.rotate(), 0.5, curves)


def test_points_that_cannot_be():
    for call in (
        lambda: af.linear(0, 1, begin=0.5, until=0.5),
        lambda: af.stepped((0.0, 1)),
        lambda: af.piecewise((0.5, 1), (2.0, 3)),
    ):
        with pytest.raises(ValueError, match="each above the one before"):
            call()


# modules and datasets


def test_a_module_follows_its_epoch():
    aug = Scheduled(af.rotate(), {"degrees": af.linear((-5, 5), (-15, 15))}, epochs=11)
    chain = AugmentationSequential(aug, RandomHorizontalFlip())
    x = torch.rand(64, 3, 8, 8)
    chain(x, generator=K)
    first = chain._params["rotate"]["degrees"]
    aug.set_epoch(10)
    chain(x, generator=K)
    torch.testing.assert_close(chain._params["rotate"]["degrees"], 3 * first)
    other = Scheduled(af.rotate(), {"degrees": af.linear((-5, 5), (-15, 15))}, epochs=11)
    other.load_state_dict(aug.state_dict())
    assert other.progress == 1
    other.set_epoch(20)
    assert other.progress == 1


def test_a_scheduled_module_compiles_once(tmp_path):
    aug, seen = Scheduled(af.brightness(), {"factor": af.linear((0.5, 1.0), (1.0, 2.0))}, epochs=3), []
    fast = torch.compile(aug, backend=lambda graph, example: seen.append(graph) or graph.forward, fullgraph=True)
    x = torch.rand(2, 3, 4, 4)
    for epoch in range(3):
        aug.set_epoch(epoch)
        torch.testing.assert_close(fast(x, generator=K), aug(x, generator=K))
    assert len(seen) == 1
    torch.save(aug, tmp_path / "aug.pt")
    assert torch.load(tmp_path / "aug.pt", weights_only=True)(x, generator=K).equal(aug(x, generator=K))
    assert aug.half().epoch.dtype == torch.int64


@pytest.mark.parametrize("module", [False, True])
def test_workers_that_persist_hear_of_the_epoch(module):
    curves = {"factor": af.linear(1.0, 0.5)}
    f, data = af.brightness(factor=1.0), [torch.ones(1, 1, 1)] * 4
    if module:
        augmented = af.AugmentedDataset(data, Scheduled(f, curves, epochs=3, keepdim=True), K)
    else:
        augmented = af.AugmentedDataset(data, f, K, curves=curves, epochs=3)
    loader = DataLoader(augmented, batch_size=2, num_workers=1, persistent_workers=True)
    seen = []
    for epoch in range(3):
        augmented.set_epoch(epoch)
        seen.append(torch.cat(list(loader)).unique().tolist())
    assert seen == [[1.0], [0.75], [0.5]]


def test_a_curriculum_of_a_module_is_its_own():
    with pytest.raises(ValueError, match="neither for a module"):
        af.AugmentedDataset([], RandomHorizontalFlip(keepdim=True), K, curves={}, epochs=3)


def test_a_level_is_that_of_its_own_step():
    f = af.pipeline(some=af.rand_augment(), some_other=af.trivial_augment())
    assert all(path.startswith("some/") for path in af.Curriculum(f, {"some/level": af.linear(0, 10)}).ways)
    level = torch.tensor(9.0, requires_grad=True)
    r = af.rand_augment()
    assert af.schedule(r, 1.0, {"some_of/level": level})["some_of"]["one_of"]["rotate"]["degrees"].level.requires_grad
    for value in (40.0, (1, 9)):
        with pytest.raises(ValueError, match="0 to 30"):
            af.schedule(r, 1.0, {"some_of/level": value})


@pytest.mark.parametrize("count", [(), (1, 2, 3)])
def test_a_count_is_a_number_or_a_pair(count):
    with pytest.raises(ValueError, match="a pair"):
        af.schedule(af.rand_augment((1, 3)), 0.5, {"some_of/count": count})


@pytest.mark.parametrize("count", [4, (1, 4)])
def test_a_count_above_the_static_maximum_is_an_error(count):
    with pytest.raises(ValueError, match=r"(?s)expected: 0 to 3.*n=\(0, 4\)"):
        af.schedule(af.rand_augment((1, 3)), 0.5, {"some_of/count": count})
    af.schedule(af.rand_augment((0, 4)), 0.5, {"some_of/count": count})


def test_a_pair_of_counts_is_inclusive():
    s = af.some_of((1, 3), af.hflip(), af.vflip(), af.invert())
    counts = s(torch.rand(200, 1, 2, 2), af.schedule(s, 1.0, {"count": (1, 3)}), K)[1]["count"]
    assert counts.floor().unique().tolist() == [1.0, 2.0, 3.0]
