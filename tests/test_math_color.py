import colorsys
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.func import grad, vmap

from augfn.math import color, jitter
from augfn.math.shapes import over

F64 = torch.float64
ORDERS = list(itertools.permutations(range(4)))
ORACLE = np.load(Path(__file__).parent / "data" / "torchvision.npz")
ENTRIES = json.loads(bytes(ORACLE["meta"]))


def expected(op):
    """Pairs of torchvision's parameters and output."""
    return [(e["params"], torch.from_numpy(ORACLE[f"{op}/{e['i']}"])) for e in ENTRIES if e["op"] == op]


def photo(dtype=torch.float32):
    return torch.from_numpy(ORACLE["image"]).to(dtype)


def leaf(*values, dtype=torch.float32):
    return torch.tensor(values, dtype=dtype)


def factors(b, dtype=torch.float32):
    """Generic values: no clipping to speak of, no neutral value."""
    ranges = ((0.6, 0.95), (0.6, 1.1), (0.5, 1.3), (-0.45, 0.45))
    return [torch.empty(b, dtype=dtype).uniform_(*r) for r in ranges]


def keys(orders):
    """Sort keys that put the ops in the given orders."""
    return torch.tensor(orders).argsort(-1).float().add(0.25).div(4)


def in_sequence(x, values, order, mode="clamp"):
    """torchvision's way: one op after the other, for one sample."""
    ops = (color.brightness, color.contrast, color.saturation, color.hue)
    for i in order:
        if values[i] is not None:
            x = color.clip(ops[i](x, values[i]), mode)
    return x


TORCHVISION = {
    "adjust_brightness": lambda x, p: color.clip(color.brightness(x, leaf(p["brightness_factor"]))),
    "adjust_contrast": lambda x, p: color.clip(color.contrast(x, leaf(p["contrast_factor"]))),
    "adjust_saturation": lambda x, p: color.clip(color.saturation(x, leaf(p["saturation_factor"]))),
    "adjust_hue": lambda x, p: color.hue(x, leaf(p["hue_factor"])),
    "adjust_gamma": lambda x, p: color.clip(color.gamma(x, leaf(p["gamma"]))),
    "solarize": lambda x, p: color.solarize(x, leaf(p["threshold"])),
    "grayscale": lambda x, p: color.luma(x),
}


@pytest.mark.parametrize("op", TORCHVISION)
def test_agrees_with_torchvision(op):
    pairs = expected(op)
    assert pairs
    for params, y in pairs:
        torch.testing.assert_close(TORCHVISION[op](photo(), params).expand_as(y), y, atol=1e-5, rtol=0)


def test_luma_is_the_weighted_sum_for_any_leading_shape():
    x = torch.rand(2, 5, 3, 4, 6)
    weights = torch.tensor(color.LUMA)
    torch.testing.assert_close(color.luma(x), torch.einsum("btchw,c->bthw", x, weights).unsqueeze(2))
    assert color.luma(x[0, 0]).shape == (1, 4, 6)


def test_clip_values_and_gradients():
    x = torch.tensor([-0.3, 0.0, 0.25, 1.0, 1.3])
    inside = torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0])

    def in_place(x, mode):
        """jitter clips its own tensor in place, which must make no difference."""
        return jitter.jitter(x.view(5, 1, 1, 1), leaf(1.0), None, None, None, torch.rand(1, 4), mode).flatten()

    for mode, value, slope in (
        ("clamp", x.clamp(0, 1), inside),
        ("ste", x.clamp(0, 1), torch.ones(5)),
        ("none", x, torch.ones(5)),
    ):
        for f in (color.clip, in_place):
            assert torch.equal(f(x, mode), value)
            assert torch.equal(grad(lambda x, f=f, mode=mode: f(x, mode).sum())(x), slope)
    with pytest.raises(ValueError, match="'wrap'"):
        color.clip(x, "wrap")


def test_straight_through_never_leaves_the_interval():
    x = torch.randn(1000) * 10.0 ** torch.randint(-3, 10, (1000,))
    assert torch.equal(color.clip(x, "ste"), x.clamp(0, 1))


def test_neutral_values_are_exact():
    x, one = torch.rand(2, 3, 9, 9), leaf(1.0, 1.0)
    for op in (color.brightness, color.contrast, color.saturation, color.gamma):
        assert torch.equal(op(x, one), x), op
    assert torch.equal(color.solarize(x, one * 2), x)
    for order in ORDERS:
        assert torch.equal(jitter.jitter(x, one, one, one, None, keys([order, order])), x)
    torch.testing.assert_close(color.hue(x, 0 * one), x, atol=1e-6, rtol=0)


def test_contrast_pivot_by_number_of_channels():
    zero = leaf(0.0)
    for channels in (1, 2, 3, 5):
        x = torch.rand(1, channels, 6, 7)
        pivot = color.luma(x).mean() if channels == 3 else x.mean()
        torch.testing.assert_close(color.contrast(x, zero), pivot.expand_as(x))


def test_grey_images_keep_their_colour_and_other_channels_are_refused():
    x, order = torch.rand(2, 1, 5, 5), torch.rand(2, 4)
    b, c, s, h = factors(2)
    assert torch.equal(color.saturation(x, s), x)
    assert torch.equal(color.hue(x, h), x)
    assert torch.equal(jitter.jitter(x, b, c, s, h, order), jitter.jitter(x, b, c, None, None, order))
    assert torch.equal(jitter.jitter(x, None, None, s, h, order), x)
    x = torch.rand(2, 4, 5, 5)
    assert jitter.jitter(x, b, c, None, None, order).shape == x.shape
    for call in (lambda: color.saturation(x, s), lambda: color.hue(x, h), lambda: jitter.jitter(x, b, c, s, h, order)):
        with pytest.raises(ValueError, match="three channels"):
            call()


@given(st.tuples(*[st.integers(0, 8)] * 3), st.floats(-3, 3))
def test_hue_agrees_with_colorsys(rgb, turns):
    rgb = [v / 8 for v in rgb]
    h, s, v = colorsys.rgb_to_hsv(*rgb)
    y = color.hue(torch.tensor(rgb, dtype=F64).view(3, 1, 1), torch.tensor(turns, dtype=F64)).flatten()
    torch.testing.assert_close(y, torch.tensor(colorsys.hsv_to_rgb((h + turns) % 1.0, s, v), dtype=F64))


def test_hue_is_a_rotation():
    x = torch.rand(4, 3, 8, 8, dtype=F64)
    a, b = torch.rand(2, 4, dtype=F64)
    torch.testing.assert_close(color.hue(color.hue(x, a), b), color.hue(x, a + b))
    torch.testing.assert_close(color.hue(x, torch.full_like(a, 1 / 3)), x.roll(1, -3))
    torch.testing.assert_close(color.hue(x, a).amax(-3), x.amax(-3))
    torch.testing.assert_close(color.hue(x, a).amin(-3), x.amin(-3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, F64])
@pytest.mark.parametrize("name", ["grey", "black", "white", "red", "yellow", "faint"])
def test_gradients_are_finite_at_corners(name, dtype):
    rgb = {
        "grey": (0.5, 0.5, 0.5),
        "black": (0, 0, 0),
        "white": (1, 1, 1),
        "red": (1, 0, 0),
        "yellow": (1, 1, 0),
        "faint": (1e-30, 0, 1e-38),
    }
    x = torch.tensor(rgb[name], dtype=dtype).view(1, 3, 1, 1).expand(1, 3, 2, 2).clone()
    f = [v.to(dtype).detach().requires_grad_() for v in (leaf(0.5), leaf(0.8), leaf(1.2), leaf(0.1))]
    x.requires_grad_()
    one = torch.ones((), dtype=dtype)
    outputs = [
        color.hue(x, f[3]),
        color.hue(x, f[3] * 0),
        color.gamma(x, f[0]),
        color.gamma(x, f[2]),
        color.gamma(x, one),
        jitter.jitter(x, *f, torch.tensor([[0.3, 0.1, 0.4, 0.2]])),
    ]
    for y in outputs:
        assert y.dtype == dtype
        assert y.isfinite().all()
        for g in torch.autograd.grad(y.float().sum(), [x, *f], allow_unused=True, retain_graph=True):
            assert g is None or g.isfinite().all()


def test_hue_of_grey_is_grey():
    x = torch.rand(3, 1, 4, 4).expand(3, 3, 4, 4)
    assert torch.equal(color.hue(x, leaf(0.1, 0.3, -0.4)), x)


def test_jitter_in_every_order_and_in_a_mixed_batch():
    x = torch.rand(24, 3, 10, 11)
    x[:, :, 0], x[:, :, 1], x[:, 1, 2] = 0, 0.5, x[:, 2, 2]
    values = [torch.empty(24).uniform_(*r) for r in ((0.3, 1.9),) * 3 + ((-0.5, 0.5),)]
    together = jitter.jitter(x, *values, keys(ORDERS))
    for i, order in enumerate(ORDERS):
        one = [v[i] for v in values]
        y = in_sequence(x[i], one, order)
        torch.testing.assert_close(together[i], y, atol=1e-5, rtol=0)
        torch.testing.assert_close(jitter.jitter(x[i], *one, keys([order])[0]), y, atol=1e-5, rtol=0)


@pytest.mark.parametrize("present", list(itertools.product([False, True], repeat=4)))
@pytest.mark.parametrize("mode", ["clamp", "ste", "none"])
def test_jitter_with_absent_ops(present, mode):
    x = torch.rand(24, 3, 6, 6)
    values = [f if keep else None for f, keep in zip(factors(24), present, strict=True)]
    y = jitter.jitter(x, *values, keys(ORDERS), mode)
    for i, order in enumerate(ORDERS):
        one = [None if v is None else v[i] for v in values]
        torch.testing.assert_close(y[i], in_sequence(x[i], one, order, mode), atol=1e-5, rtol=0)


def test_jitter_breaks_ties_in_the_order_of_the_ops():
    x, values = torch.rand(1, 3, 6, 6), factors(1)
    y = jitter.jitter(x, *values, torch.zeros(1, 4))
    torch.testing.assert_close(y, in_sequence(x, values, range(4)), atol=1e-6, rtol=0)


def test_jitter_on_clips_with_factors_shared_over_time():
    x, values = torch.rand(2, 3, 3, 5, 5), [f.unsqueeze(1) for f in factors(2)]
    orders = [ORDERS[5], ORDERS[18]]
    y = jitter.jitter(x, *values, keys(orders).unsqueeze(1))
    for i, t in itertools.product(range(2), range(3)):
        torch.testing.assert_close(y[i, t], in_sequence(x[i, t], [v[i, 0] for v in values], orders[i]))


def test_inputs_are_left_alone():
    x, values, order = torch.rand(2, 3, 6, 6), factors(2), torch.rand(2, 4)
    before = [t.clone() for t in (x, *values, order)]
    for f in (color.contrast, color.saturation, color.hue, color.gamma, color.solarize):
        f(x, values[1])
    color.clip(x)
    color.luma(x)
    jitter.jitter(x, *values, order)
    assert all(torch.equal(a, b) for a, b in zip((x, *values, order), before, strict=True))


DIFFERENTIABLE = {
    "brightness": (color.brightness, 0),
    "contrast": (color.contrast, 1),
    "saturation": (color.saturation, 2),
    "hue": (color.hue, 3),
    "gamma": (color.gamma, 0),
    "solarize": (lambda x, t: color.solarize(x, t.detach()), 0),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradcheck(name):
    f, i = DIFFERENTIABLE[name]
    x = torch.rand(2, 3, 3, 2, dtype=F64, requires_grad=True)
    assert gradcheck(f, (x, factors(2, F64)[i].requires_grad_()))


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradgradcheck(name):
    """At generic colours, and where the largest channel is green, so that hue's `beyond` is 0 and has no sign."""
    f, i = DIFFERENTIABLE[name]
    x = torch.rand(2, 3, 3, 2, dtype=F64)
    x[..., 0] += torch.tensor([0.0, 1.0, 0.0], dtype=F64).view(3, 1, 1)[..., 0]
    assert gradgradcheck(f, (x.requires_grad_(), factors(2, F64)[i].requires_grad_()))


@pytest.mark.parametrize("name", ["hue", "saturation", "gamma"])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_second_derivatives_of_grey_are_small(name, level, dtype):
    """A cone has no curvature at its tip: what is told there has to be of the size of its surroundings."""
    f, i = DIFFERENTIABLE[name]
    x = torch.full((1, 3, 2, 2), level, dtype=dtype, requires_grad=True)
    value = factors(1, dtype)[i].requires_grad_()
    slopes = torch.autograd.grad(f(x, value).square().sum(), (x, value), create_graph=True)
    for curve in torch.autograd.grad(sum(s.square().sum() for s in slopes), (x, value)):
        assert curve.abs().max() < 1e4
    bend = torch.autograd.grad(color.hsv_saturation(x, value + 1).square().sum(), x, create_graph=True)[0]
    assert torch.autograd.grad(bend.square().sum(), x)[0].abs().max() < 1e4


@pytest.mark.parametrize("mode", ["clamp", "none"])
def test_gradcheck_jitter(mode):
    orders = keys([ORDERS[i] for i in (0, 9, 17, 23)])
    x = (torch.rand(4, 3, 2, 2, dtype=F64) * 0.6 + 0.3).requires_grad_()
    values = [v.requires_grad_() for v in factors(4, F64)]
    assert gradcheck(lambda x, *v: jitter.jitter(x, *v, orders, mode), (x, *values))


def test_jitter_gradient_is_that_of_the_sequence():
    x, values = torch.rand(24, 3, 5, 5, dtype=F64), factors(24, F64)

    def together(x, *v):
        return jitter.jitter(x, *v, keys(ORDERS)).square().sum()

    def one_by_one(x, *v):
        return sum(in_sequence(x[i], [f[i] for f in v], o).square().sum() for i, o in enumerate(ORDERS))

    args = tuple(range(5))
    for a, b in zip(grad(together, args)(x, *values), grad(one_by_one, args)(x, *values), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("batched", list(itertools.product([0, None], repeat=3)))
def test_vmap_is_the_batch(batched):
    """Also when only some of the operands have the mapped dimension, and under grad."""
    if batched == (None, None, None):
        return
    shapes = [3 if dim == 0 else 1 for dim in batched]
    x, values, order = torch.rand(shapes[0], 3, 5, 5), factors(shapes[1]), torch.rand(shapes[2], 4)
    operands = (x, *values, order)
    dims = (batched[0], *(batched[1],) * 4, batched[2])
    mapped = [t if d == 0 else t[0] for t, d in zip(operands, dims, strict=True)]
    torch.testing.assert_close(vmap(jitter.jitter, dims)(*mapped), jitter.jitter(*operands))

    def loss(*args):
        return jitter.jitter(*args).square().sum()

    per_sample = vmap(grad(loss, (0, 1, 4)), dims)(*mapped)
    full = [t.expand(3, *t.shape[1:]) for t in operands]
    for a, b in zip(per_sample, grad(loss, (0, 1, 4))(*full), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("dims", [(0, 0), (0, None), (None, 0)])
def test_vmap_of_the_single_ops(dims):
    x = torch.rand(3 if dims[0] == 0 else 1, 3, 5, 5)
    for f, i in DIFFERENTIABLE.values():
        p = factors(3 if dims[1] == 0 else 1)[i]
        mapped = [t if d == 0 else t[0] for t, d in zip((x, p), dims, strict=True)]
        torch.testing.assert_close(vmap(f, dims)(*mapped), f(x, p))
    torch.testing.assert_close(vmap(color.luma)(x), color.luma(x))


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiles_without_a_graph_break(backend):
    x, values, order = torch.rand(3, 3, 8, 8), factors(3), torch.rand(3, 4)
    for mode in ("clamp", "ste"):
        compiled = torch.compile(jitter.jitter, fullgraph=True, backend=backend)
        torch.testing.assert_close(compiled(x, *values, order, mode), jitter.jitter(x, *values, order, mode))
    for f, i in DIFFERENTIABLE.values():
        torch.testing.assert_close(torch.compile(f, fullgraph=True, backend=backend)(x, values[i]), f(x, values[i]))
    matrix, offset = torch.compile(color.twist_matrix, fullgraph=True, backend=backend)(*values)
    torch.testing.assert_close((matrix, offset), color.twist_matrix(*values))


def apply(matrix, offset, x):
    return torch.einsum("bij,bjhw->bihw", matrix, x) + offset[..., None, None]


def test_twist_is_the_four_steps():
    x = torch.rand(5, 3, 4, 4, dtype=F64)
    b, c, s, h = factors(5, F64)
    y = color.saturation(over(x, c) * (over(x, b) * x) + (1 - over(x, c)) * 0.4, s)
    angle = 2 * math.pi * h.view(5, 1, 1)
    cross = torch.tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=F64) / math.sqrt(3)
    y = apply(torch.linalg.matrix_exp(angle * cross), torch.zeros(5, 3, dtype=F64), y)
    torch.testing.assert_close(apply(*color.twist_matrix(b, c, s, h, pivot=0.4), x), y)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, F64])
def test_twist_neutral_is_exact_and_a_third_turn_permutes(dtype):
    one, zero = torch.ones(2, 3, dtype=dtype), torch.zeros(2, 3, dtype=dtype)
    matrix, offset = color.twist_matrix(one, one, one, zero)
    assert torch.equal(matrix, torch.eye(3, dtype=dtype).expand(2, 3, 3, 3))
    assert torch.equal(offset, torch.zeros(2, 3, 3, dtype=dtype))
    third = color.twist_matrix(one, one, one, zero + 1 / 3)[0]
    permutation = torch.eye(3, dtype=dtype).roll(1, 0).expand(2, 3, 3, 3)
    torch.testing.assert_close(third, permutation, atol=2e-3 if dtype == torch.float16 else 1e-6, rtol=0)


def test_twist_broadcasts_differentiates_and_maps():
    values = [v.requires_grad_() for v in factors(4, F64)]
    assert gradcheck(color.twist_matrix, values)
    matrix, offset = color.twist_matrix(values[0], values[1][:1], values[2][0], values[3])
    assert matrix.shape == (4, 3, 3)
    assert offset.shape == (4, 3)
    for a, b in zip(vmap(color.twist_matrix)(*values), color.twist_matrix(*values), strict=True):
        torch.testing.assert_close(a, b)


def test_gamma_in_closed_form_and_at_black():
    x = torch.tensor([0.0, 0.25, 1.0]).view(1, 3, 1, 1).requires_grad_()
    y = color.gamma(x, leaf(0.5), leaf(0.8))
    torch.testing.assert_close(y.flatten(), torch.tensor([0.0, 0.4, 0.8]))
    assert torch.autograd.grad(y.sum(), x)[0].flatten().tolist() == pytest.approx([0.0, 0.8, 0.4])
    slope = torch.autograd.grad(color.gamma(x, leaf(1.0)).sum(), x)[0]
    assert torch.equal(slope, torch.ones_like(x))


def test_solarize_inverts_from_the_threshold_on():
    x = torch.tensor([0.2, 0.5, 0.7]).view(3, 1, 1)
    assert torch.equal(color.solarize(x, torch.tensor(0.5)).flatten(), torch.tensor([0.2, 0.5, 1 - 0.7]))
    assert grad(lambda x: color.solarize(x, torch.tensor(0.5)).sum())(x).flatten().tolist() == [1.0, -1.0, -1.0]
