"""Combinators: what they draw, how they nest, what they fuse, and their inverse."""

import pytest
import torch
from torch.nn import functional as F

import augfn as af
from augfn.core import actions as kinds
from augfn.core import rules
from augfn.core.called import Custom
from augfn.core.patched import Patched
from augfn.testing.case import agree, cast, put, smooth_image

K = af.key(0)
X = smooth_image((6,), 3, (16, 20), torch.float32)


def count_calls(monkeypatch, place, name):
    calls, real = [], getattr(place, name)
    monkeypatch.setattr(place, name, lambda *a, **k: calls.append(1) or real(*a, **k))
    return calls


GEOMETRIC = [
    lambda: af.hflip(p=0.5),
    lambda: af.rotate(),
    lambda: af.scale(),
    lambda: af.translate(),
    lambda: af.shear(p=0.7),
    lambda: af.perspective(p=0.5),
    lambda: af.vflip(p=0.5),
    lambda: af.affine(degrees=(-5, 5), scale=(0.9, 1.1)),
]


# naming and params


def test_names():
    f = af.pipeline(af.rotate(), af.hflip(), af.rotate(), warp=af.affine(degrees=5))
    assert list(f.params) == ["rotate", "hflip", "rotate_2", "warp"]
    assert list(f.steps) == list(f.params)


def test_nesting():
    f = af.pipeline(
        geometry=af.pipeline(af.rotate(), af.one_of(af.hflip(), af.vflip())), colour=af.maybe(af.brightness())
    )
    _, params = f(X, None, K)
    assert list(params) == ["geometry", "colour"]
    assert list(params["geometry"]["one_of"]) == ["choice", "hflip", "vflip"]
    assert list(params["colour"]) == ["gate", "brightness"]


def test_steps_draw_apart():
    """Two steps of one op, and one step twice, have draws of their own."""
    step = af.rotate()
    _, params = af.pipeline(step, step, af.repeat(step, 2))(X, None, K)
    drawn = [params["rotate"], params["rotate_2"], params["repeat"]["rotate"], params["repeat"]["rotate_2"]]
    values = torch.stack([d["degrees"] for d in drawn])
    assert values.unique().numel() == values.numel()


def test_partial_params():
    """What is named is fixed, for all samples or each; what is not is drawn as before."""
    f = af.pipeline(af.rotate(), af.brightness())
    _, drawn = f(X, None, K)
    for value in (torch.tensor(7.0), torch.full((1,), 7.0), torch.full((6,), 7.0), 7.0):
        _, fixed = f(X, {"rotate": {"degrees": value}}, K)
        agree("fixed", fixed["rotate"]["degrees"], torch.full((6,), 7.0))
        agree("drawn", fixed["brightness"], drawn["brightness"])
    _, other = f(X, {"brightness": {"factor": af.Uniform(0.0, 0.1)}}, K)
    assert other["brightness"]["factor"].max() <= 0.1
    agree("drawn", other["rotate"], drawn["rotate"])


def test_a_pipeline_is_a_step():
    inner = [af.rotate(), af.color_jitter(brightness=(0.7, 1.3))]
    flat, _ = af.pipeline(*inner)(X, None, K)
    f = af.pipeline(step=af.pipeline(*inner))
    params = {"step": af.pipeline(*inner)(X, None, K)[1]}
    agree("nested", f(X, params)[0], flat)


# fusion


def test_eight_geometric_steps_are_one_resample(monkeypatch):
    calls = count_calls(monkeypatch, F, "grid_sample")
    af.pipeline(*(make() for make in GEOMETRIC))(X, None, K)
    assert len(calls) == 1
    af.pipeline(*(make() for make in GEOMETRIC), fuse=False)(X, None, K)
    assert len(calls) == 1 + 6  # the flips copy


def test_a_choice_among_geometric_steps_is_one_resample(monkeypatch):
    calls = count_calls(monkeypatch, F, "grid_sample")
    af.pipeline(af.one_of(*(make() for make in GEOMETRIC)), af.rotate())(X, None, K)
    assert len(calls) == 1


def test_flips_alone_copy(monkeypatch):
    calls = count_calls(monkeypatch, F, "grid_sample")
    f = af.pipeline(
        af.hflip(p=0.5), af.rot90(k=2), af.vflip(), af.center_crop(size=10), af.random_crop(size=8), af.pad(padding=2)
    )
    y, _ = f(X, None, K)
    assert not calls
    assert torch.isin(y, torch.cat([X.flatten(), torch.zeros(1)])).all()


def test_colour_matrices_become_one(monkeypatch):
    calls = count_calls(monkeypatch, rules, "affine_channels")
    f = af.pipeline(
        af.color_twist(), af.invert(p=0.5), af.grayscale(p=0.3), af.color_twist(), af.normalize(mean=0.5, std=0.2)
    )
    y, params = f(X, None, K)
    assert len(calls) == 1
    literal = af.pipeline(*f.steps.values(), fuse=False)
    agree("fused and literal", y, literal(X, params)[0], 1e-5)


def test_fused_and_literal_agree_in_the_interior():
    """One resample is sharper than eight, and near them on a smooth image."""
    x = smooth_image((4,), 1, (48, 60), torch.float64)
    steps = [
        af.rotate(degrees=(-5, 5)),
        af.scale(scale=(0.95, 1.05)),
        af.translate(translate=(-0.03, 0.03)),
        af.shear(shear=(-3, 3)),
    ]
    fused, literal = af.pipeline(*steps), af.pipeline(*steps, fuse=False)
    y, params = fused(x, None, K)
    agree("interior", literal(x, params)[0][..., 9:-9, 9:-9], y[..., 9:-9, 9:-9], 5e-3)


def test_fused_maps_move_points_as_literal_ones():
    points = af.Keypoints(torch.rand(6, 5, 2, generator=torch.Generator().manual_seed(1)) * 15)
    fused, literal = (af.pipeline(*(make() for make in GEOMETRIC), fuse=b) for b in (True, False))
    y, params = fused({"image": X, "keypoints": points}, None, K)
    agree("points", literal({"image": X, "keypoints": points}, params)[0]["keypoints"].xy, y["keypoints"].xy, 1e-3)


def test_occlusions_unite():
    f = af.pipeline(af.erase(), af.erase())
    a, b = f.steps.values()
    y, params = f(torch.ones_like(X), None, K)
    one, other = a(torch.ones_like(X), params["erase"])[0], b(torch.ones_like(X), params["erase_2"])[0]
    agree("union", y, one * other, 1e-6)


def test_colour_between_geometry_keeps_it_apart(monkeypatch):
    calls = count_calls(monkeypatch, F, "grid_sample")
    af.pipeline(af.rotate(), af.brightness(), af.rotate())(X, None, K)
    assert len(calls) == 2


# settings


def test_settings_of_the_pipeline_reach_the_steps(monkeypatch):
    for keywords in (
        {"interpolation": "nearest"},
        {"padding_mode": "border"},
        {"fill": 0.5},
        {"interpolation": "bicubic", "padding_mode": "symmetric"},
    ):
        alone = af.rotate(**keywords)(X, None, K)
        given = af.pipeline(af.pipeline(rotate=af.rotate()), **keywords)
        agree(str(keywords), given(X, {"pipeline": {"rotate": alone[1]}})[0], alone[0])


def test_a_step_keeps_its_own_settings():
    f = af.pipeline(af.rotate(interpolation="nearest"), fill=0.3)
    y, params = f(X, None, K)
    agree("nearest, with fill", y, af.rotate(interpolation="nearest", fill=0.3)(X, params["rotate"])[0])


def test_steps_that_disagree_are_not_fused(monkeypatch):
    calls = count_calls(monkeypatch, F, "grid_sample")
    af.pipeline(af.rotate(interpolation="nearest"), af.rotate())(X, None, K)
    assert len(calls) == 2
    af.pipeline(af.rotate(interpolation="nearest"), af.hflip(), af.rotate(interpolation="nearest"))(X, None, K)
    assert len(calls) == 3


@pytest.mark.parametrize("gates", [(1.0, 0.0, 1.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)])
@pytest.mark.parametrize(
    "reads",
    [
        af.affine(degrees=20.0, scale=0.6, p=0.5, fill=0.7),
        af.affine(degrees=20.0, scale=0.6, p=0.5, padding_mode="reflection"),
        af.grid_distortion(p=0.5, antialias=True),
    ],
    ids=["fill", "reflection", "antialias"],
)
def test_what_copies_leaves_the_way_of_reading_to_what_reads(gates, reads):
    """Of copies, gated or not, and one step that reads: fused they are what they are one after the other."""
    steps = {
        "a flip": af.hflip(p=0.5),
        "another": af.vflip(p=0.5),
        "a turn": af.rot90(k=1),
        "reads": reads,
    }
    x = torch.rand(len(gates), 3, 15, 17)
    params = {n: {"gate": torch.tensor(gates)} for n in steps if n != "a turn"}
    fused, literal = (af.pipeline(fuse=fuse, **steps)(x, params, K)[0] for fuse in (True, False))
    torch.testing.assert_close(fused, literal, atol=1e-5, rtol=0)


def test_what_only_copies_a_sample_does_not_average_it():
    """Of a turn of all and an antialiased bend of some, the others are turned, pixel for pixel."""
    x, bend = torch.rand(2, 3, 15, 17), af.grid_distortion(p=0.5, antialias=True)
    y, _ = af.pipeline(af.rot90(k=1), bend)(x, {"grid_distortion": {"gate": torch.tensor([1.0, 0.0])}}, K)
    assert y[1].equal(torch.rot90(x[1], 1, (-2, -1)))


def test_an_inverse_reads_as_the_step_that_reads_was_told():
    x = torch.arange(400.0).reshape(1, 20, 20)
    f = af.pipeline(af.rotate(degrees=20.0, interpolation="nearest"), af.hflip())
    back, valid = af.invert(f)(*f(x))
    assert torch.isin(back, x).all()
    assert valid.any()


def test_a_pad_shows_fill_and_not_what_a_crop_cut_away():
    f = af.pipeline(af.center_crop(size=(8, 8)), af.pad(padding=4), af.rotate(degrees=0.001), fill=0.7)
    y, _ = f(torch.ones_like(X))
    torch.testing.assert_close(y[..., 1, :], torch.full_like(y[..., 1, :], 0.7), atol=1e-3, rtol=0)
    torch.testing.assert_close(y[..., 8, 8], torch.ones_like(y[..., 8, 8]), atol=1e-3, rtol=0)


# choices


def test_branches_of_one_kind_fuse_with_what_came_before():
    """Whichever branch turns the image back, it is in the same resample: no corner is lost."""
    back = [af.brightness(factor=1.0), af.rotate(degrees=-30.0), af.affine(degrees=-30.0)]
    f = af.pipeline(af.rotate(degrees=30.0), af.one_of(*back))
    for branch in (1, 2):
        y, _ = f(X, {"one_of": {"choice": torch.eye(3)[branch].expand(len(X), 3)}}, K)
        torch.testing.assert_close(y, X, atol=1e-5, rtol=0)


def test_maybe():
    f = af.maybe(af.brightness(factor=2.0, clip="none"), p=0.3)
    x = torch.ones(2000, 1, 2, 2)
    y, params = f(x, None, K)
    assert abs(params["gate"].mean() - 0.3) < 0.04
    agree("gate", y, x + params["gate"].reshape(-1, 1, 1, 1))
    agree(
        "p = 1",
        af.maybe(af.rotate(), p=1.0)(X, {"rotate": {"degrees": 20.0}}, K)[0],
        af.rotate(degrees=20.0)(X)[0],
        1e-6,
    )


def test_gates_of_a_chain_are_drawn_apart():
    _, params = af.pipeline(af.hflip(p=0.5), af.vflip(p=0.5))(torch.rand(500, 1, 2, 2), None, K)
    both = params["hflip"]["gate"] * params["vflip"]["gate"]
    assert abs(both.mean() - 0.25) < 0.06


BRANCHES = {
    "geometry": [lambda: af.rotate(), lambda: af.hflip(), lambda: af.shear()],
    "colour": [lambda: af.brightness(), lambda: af.invert(), lambda: af.color_twist()],
    "all kinds": [
        lambda: af.erase(),
        lambda: af.gaussian_blur(kernel_size=3),
        lambda: af.rotate(),
        lambda: af.gaussian_noise(),
        lambda: af.hue(),
    ],
    "pipelines": [lambda: af.pipeline(af.rotate(), af.brightness()), lambda: af.pipeline(af.solarize(), af.vflip())],
}


@pytest.mark.parametrize("name", BRANCHES)
def test_one_of_is_the_chosen_branch(name):
    f = af.one_of(*(make() for make in BRANCHES[name]))
    x = smooth_image((12,), 3, (9, 11), torch.float32)
    y, params = f(x, None, K)
    assert params["choice"].sum(-1).eq(1).all()
    for i, chosen in enumerate(params["choice"].argmax(-1)):
        step, branch = list(f.steps.items())[chosen]
        own = {"branch": {n: v[i : i + 1] for n, v in params[step].items()}} if name != "pipelines" else None
        if own is None:
            own = {"branch": {n: {m: v[i : i + 1] for m, v in p.items()} for n, p in params[step].items()}}
        agree(f"sample {i}: {step}", y[i : i + 1], af.pipeline(branch=branch)(x[i : i + 1], own)[0], 2e-6)


def test_one_of_leaves_the_other_samples_bit_for_bit():
    f = af.one_of(af.rotate(), af.hflip())
    choice = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    y, _ = f(X[:2], {"choice": choice}, K)
    assert torch.equal(y[0], X[0])
    assert not torch.equal(y[1], X[1])


def test_weights_of_one_of():
    f = af.one_of(af.hflip(), af.vflip(), af.invert(), weights=[1.0, 3.0, 0.0])
    _, params = f(torch.rand(4000, 1, 2, 2), None, K)
    torch.testing.assert_close(params["choice"].mean(0), torch.tensor([0.25, 0.75, 0.0]), atol=0.03, rtol=0)


def test_weights_of_one_of_learn():
    """Straight-through: whole choices, and descent on their logits finds the branch that is asked for."""
    f = af.one_of(af.brightness(factor=0.5), af.brightness(factor=1.0), weights=af.GumbelChoice(torch.zeros(2)))
    ranges = f.params
    for step in range(30):
        loss = lambda p, step=step: (f(X, p, af.key(step))[0] - X).square().mean()  # noqa: E731
        slope = torch.func.grad(loss)(ranges)["choice"].logits
        ranges = put(ranges, "choice", af.GumbelChoice(ranges["choice"].logits - 20 * slope))
    assert ranges["choice"].logits.softmax(0)[1] > 0.8


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_some_of_takes_n_in_the_order_given(n):
    steps = [af.rotate(), af.brightness(), af.solarize()]
    f = af.some_of(n, *steps)
    y, params = f(X, None, K)
    chosen = params["keys"].argsort(-1).argsort(-1) < n
    for i in range(len(X)):
        wanted = X[i : i + 1]
        for step, take in zip(steps, chosen[i], strict=True):
            if take:
                own = {k: v[i : i + 1] for k, v in params[step.name].items()}
                wanted = step(wanted, own)[0]
        agree(f"sample {i}", y[i : i + 1], wanted, 1e-5)


def test_some_of_a_range():
    f = af.some_of((1, 2), af.hflip(), af.vflip(), af.invert())
    _, params = f(torch.rand(3000, 1, 2, 2), None, K)
    counts = params["count"].floor()
    assert set(counts.unique().tolist()) == {1.0, 2.0}
    assert abs(counts.mean() - 1.5) < 0.05


def test_repeat():
    f = af.repeat(af.translate(translate=torch.tensor([0.1, 0.0])), 3)
    agree("three times", f(X)[0], af.translate(translate=torch.tensor([0.3, 0.0]))(X)[0], 1e-5)


# geometry as a matrix, and back


@pytest.mark.parametrize(
    "f",
    [af.hflip(), af.rotate(degrees=20.0), af.pipeline(af.scale(scale=1.3), af.center_crop(size=(10, 12)), af.hflip())],
)
def test_transform_matrix_moves_points(f):
    """The matrix takes input to output pixel coordinates, as keypoints go."""
    points = torch.rand(6, 4, 2) * 15
    y, params = f({"image": X, "keypoints": points}, None, K)
    matrix = af.transform_matrix(f, params, (16, 20)).expand(6, 3, 3)
    moved = torch.cat([points, torch.ones(6, 4, 1)], -1) @ matrix.mT
    agree("points", y["keypoints"], moved[..., :2] / moved[..., 2:], 1e-4)


def test_transform_matrix_of_a_bent_image():
    f = af.elastic()
    with pytest.raises(ValueError, match="bends"):
        af.transform_matrix(f, f(X, None, K)[1], (16, 20))


@pytest.mark.parametrize(
    "f",
    [
        af.pipeline(af.hflip(p=0.5), af.rotate(degrees=(-10, 10)), af.perspective(distortion_scale=0.2)),
        af.pipeline(af.elastic(alpha=(0.0, 0.015)), af.scale(scale=(1.0, 1.2))),
        af.pipeline(af.pad(padding=6), af.rotate(degrees=(-10, 10)), af.resize(size=(50, 70))),
    ],
    ids=["rigid", "bent", "frames"],
)
def test_invert(f):
    """Where `valid`, the image comes back, and the points to a hundredth of a pixel."""
    x = smooth_image((4,), 3, (30, 40), torch.float32)
    points = torch.rand(4, 5, 2) * torch.tensor([20.0, 12.0]) + 9
    y, params = f({"image": x, "keypoints": points}, None, K)
    back, valid = af.invert(f, size=(30, 40))(y, params)
    agree("points", back["keypoints"], points, 1e-2)
    assert valid.mean() > 0.7
    seen = -F.max_pool2d(-valid[:, None], 3, 1, 1) > 0.5
    far = ((back["image"] - x).abs() * seen)[..., 2:-2, 2:-2]  # the border blends with what lies outside
    assert far.max() < 0.06


def test_invert_without_an_augmentation_is_the_colour_op():
    agree("1 - x", af.invert()(X)[0], 1 - X)
    assert af.invert(p=0.5).name == "invert"


# large batches


@pytest.mark.parametrize(
    "f",
    [
        af.pipeline(
            af.affine(degrees=(-15, 15)),
            af.color_jitter(contrast=(0.5, 1.5)),
            af.gaussian_noise(),
            af.random_crop(size=40),
        ),
        af.hflip(p=0.5),
        af.mixup(),
    ],
)
def test_slices_of_a_large_batch_agree_with_the_whole(f, monkeypatch):
    """Eager batches on the CPU run in slices that fit the cache; the numbers are those of one piece."""
    x = {
        "image": torch.rand(48, 3, 64, 64),
        "mask": torch.randint(5, (48, 64, 64)),
        "boxes": af.Boxes(torch.rand(48, 2, 4) * 60),
    }
    sliced = f(x, None, K)
    monkeypatch.setattr("augfn.run.slices.BLOCK_BYTES", 10**12)
    agree("slices", sliced, f(x, None, K), 1e-6)


@pytest.mark.parametrize("first", [0, 20])
def test_slices_of_which_some_are_not_touched(first, monkeypatch):
    """More than half of a large batch, from a sample on: what comes before is there, as it was."""
    monkeypatch.setattr("augfn.run.slices.BLOCK_BYTES", 100_000)
    x = torch.rand(48, 3, 64, 64)
    gate = (torch.arange(48) >= first).float()
    y = af.pipeline(af.hflip(), af.gamma(gamma=2.0))(x, {"hflip": {"gate": gate}, "gamma": {"gate": gate}})[0]
    agree("slices", y, torch.where(gate[:, None, None, None] > 0, x.flip(-1) ** 2, x), 1e-6)


def test_params_in_another_precision():
    """Params in float64 for an image in float32, and the other way round."""
    f = af.pipeline(
        af.hflip(p=0.5), af.rotate(), af.color_twist(), af.invert(p=0.5), af.gaussian_blur(kernel_size=3), af.erase()
    )
    y, params = f(X, None, K)
    agree("float64 params", f(X, cast(params, torch.float64))[0], y, 1e-4)
    agree("float64 image", f(X.double(), params)[0].float(), y, 1e-4)


def test_kinds_are_in_the_table():
    """Every kind of action has a rule for the image; one that looks at other targets first becomes one of them."""
    assert {a for a, t in rules.TABLE if t == "image"} | {
        kinds.Deferred,
        kinds.Blend,
        Custom,
        Patched,
        kinds.Mixing,
        kinds.Temporal,
    } == set(kinds.Action.__subclasses__())


def test_an_inverse_compiles():
    f = af.pipeline(af.hflip(p=0.5), af.rotate())
    y, params = f(X, None, K)
    back, valid = torch.compile(af.invert(f), fullgraph=True, backend="eager")(y, params)
    plain, seen = af.invert(f)(y, params)
    torch.testing.assert_close(back, plain)
    assert valid.equal(seen)


def test_colours_that_clip_are_not_one():
    """Lighter, cut off at 1, then darker again; without the cut both would be nothing."""
    x = torch.linspace(0, 1, 9).reshape(1, 3, 3).expand(3, 3, 3)
    up, down = (af.brightness_shift(shift=s, clip="clamp") for s in (0.4, -0.4))
    torch.testing.assert_close(af.pipeline(up, down=down)(x)[0], (x + 0.4).clamp(0, 1) - 0.4)
    free = af.pipeline(*(af.brightness_shift(shift=s, clip="none") for s in (0.4, -0.4)))
    torch.testing.assert_close(free(x)[0], x)


def test_colours_that_scale_alone():
    x, f = torch.rand(3, 4, 5), af.planckian_jitter(temperature=4.0, clip="none")
    gains = f(torch.ones(3, 1, 1))[0]
    torch.testing.assert_close(f(x)[0], gains * x)
    torch.testing.assert_close(af.pipeline(f, f)(x)[0], gains**2 * x)


# branches that end in one frame


def test_a_choice_of_branches_that_end_in_one_frame():
    f = af.one_of(
        af.random_crop(size=8), af.resize(size=(8, 8)), af.pipeline(af.center_crop(size=4), af.resize(size=(8, 8)))
    )
    x = {"image": torch.rand(24, 3, 16, 20), "mask": torch.randint(3, (24, 16, 20))}
    x["boxes"] = af.Boxes(torch.tensor([[[4.0, 4.0, 9.0, 9.0]]]).repeat(24, 1, 1))
    y, params = f(x, None, K)
    assert y["image"].shape == (24, 3, 8, 8)
    assert y["mask"].shape == (24, 8, 8)
    for i, k in enumerate(params["choice"].argmax(-1).tolist()):
        name = list(f.steps)[k]
        own = {n: v[i] for n, v in params[name].items()} if name == "random_crop" else {}
        one, _ = f.steps[name]({n: v[i] for n, v in x.items()}, own)
        torch.testing.assert_close(y["image"][i], one["image"])
        assert y["mask"][i].equal(one["mask"])
        torch.testing.assert_close(y["boxes"].data[i], one["boxes"].data)
    z, _ = f.compiled(backend="eager")(x, params)
    torch.testing.assert_close(z["image"], y["image"])
    assert z["mask"].equal(y["mask"])


def test_a_gate_over_a_pad_and_its_crop():
    f = af.maybe(af.pipeline(af.pad(padding=2), af.random_crop(size=8)), p=0.5)
    x = torch.rand(32, 3, 8, 8)
    y, params = f(x, None, K)
    closed = params["gate"] == 0
    assert 0 < closed.sum() < 32
    assert y[closed].equal(x[closed])
    assert not y[~closed].equal(x[~closed])
    torch.testing.assert_close(torch.func.vmap(f)(x, params)[0], y)
    assert f(x, params)[0].equal(y)
    some = af.some_of(1, af.pipeline(af.pad(padding=2), af.random_crop(size=8)), af.hflip())
    assert some(x, None, K)[0].shape == x.shape


@pytest.mark.parametrize(
    "f",
    [
        lambda: af.one_of(af.random_crop(size=8), af.hflip()),
        lambda: af.maybe(af.random_crop(size=8)),
        lambda: af.random_crop(size=8, p=0.5),
        lambda: af.some_of(1, af.random_crop(size=8), af.random_crop(size=8)),
    ],
)
def test_branches_that_end_in_several_frames(f):
    with pytest.raises(ValueError, match=r"within: af\.maybe"):
        f()(torch.rand(4, 3, 16, 16), None, K)


def test_mixes_within_branches_that_change_the_frame():
    x = {"image": torch.arange(6.0).reshape(6, 1, 1, 1).expand(6, 1, 4, 4).contiguous(), "label": torch.eye(6)}
    crop = af.center_crop(size=(2, 2))
    f = af.one_of(af.pipeline(af.mixup(weight=0.5), crop), crop)
    for seed in range(10):
        y, params = f(x, None, af.key(seed))
        for i, k in enumerate(params["choice"].argmax(-1).tolist()):
            mean = y["label"][i] @ torch.arange(6.0)
            assert y["image"][i, 0, 0, 0] == mean
            assert (y["label"][i].amax() == 0.5) == (k == 0)


def test_choices_that_are_not_one_hot_keep_the_batch():
    f = af.one_of(af.center_crop(size=(2, 2)), af.resized_crop(size=2))
    x = torch.arange(8.0).reshape(8, 1, 1, 1).expand(8, 1, 4, 4)
    y, _ = f(x[:2], {"choice": torch.tensor([[1.0, 1.0], [0.0, 1.0]])}, K)
    assert y[:, 0, 0, 0].tolist() == [0.0, 1.0]
    assert f(x[:0], None, K)[0].shape == (0, 1, 2, 2)


def test_what_cannot_be_combined():
    with pytest.raises(ValueError, match="views last"):
        af.pipeline(af.rotate(), af.views(af.hflip(p=0.5), 2))
    with pytest.raises(ValueError, match="before or after"):
        af.mixture(af.mixup(), af.identity())


def test_a_random_order_compiles():
    f = af.some_of((1, 2), af.hflip(), af.invert(), af.vflip(), order="random")
    x = torch.rand(4, 3, 6, 6)
    torch.testing.assert_close(f.compiled(backend="eager")(x, None, K)[0], f(x, None, K)[0])
