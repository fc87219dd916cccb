"""No gradient is lost, and nothing is changed, in silence."""

import pytest
import torch
from torch import nn

import augfn as af
from augfn.core.augmentation import geometric, photometric
from augfn.math.maps import Gather, Map
from augfn.math.shapes import over
from augfn.typing import Factor

K = af.key(0)
NET = nn.Conv2d(3, 3, 1)
TEXTURE = torch.full((2, 3, 8, 8), 1.5)
HELD = torch.linspace(0, 1, 3 * 64 * 64).reshape(3, 64, 64).repeat(64, 1, 1, 1)


@photometric
def through_a_net(x, *, factor: Factor = 1.0):
    return NET(x) * over(x, factor)


@photometric(clip="clamp")
def textured(x, *, factor: Factor = 1.0):
    return TEXTURE


class Learned(af.Distribution):
    """One whose draw closes over a Parameter."""

    fields = ("value",)
    scale = nn.Parameter(torch.tensor(2.0))

    def __init__(self, value):
        self._set(value=value)

    def draw(self, u):
        return self.value + self.scale * u


@pytest.mark.parametrize("batch", [2, 64])
@pytest.mark.parametrize("p", [1.0, 0.5])
def test_a_body_may_hold_what_learns(batch, p):
    """Of a small batch and of one that is run in slices, for all samples and for some."""
    x = torch.rand(batch, 3, 64, 64)
    f = af.pipeline(through_a_net(p=p), af.brightness(factor=0.5, clip="none"))
    y, _ = f(x, {"through_a_net": {"gate": torch.arange(batch) % 2.0}} if p < 1 else None, af.key(0))
    assert y.requires_grad
    slope = torch.autograd.grad(y.sum(), NET.weight)[0]
    seen = x if p == 1 else x[1::2]
    torch.testing.assert_close(slope[:, :, 0, 0], (seen.sum((0, 2, 3)) / 2).expand(3, 3), rtol=1e-3, atol=1e-2)


def test_a_distribution_may_hold_what_learns():
    y, _ = af.brightness(factor=0.5)(torch.rand(2, 3, 4, 4), {"factor": Learned(0.1)}, af.key(0))
    assert torch.autograd.grad(y.sum(), Learned.scale)[0] > 0


def test_a_texture_that_a_body_returns_is_not_clipped_in_place():
    y, _ = textured()(torch.rand(2, 3, 8, 8))
    assert torch.equal(y, torch.ones_like(y))
    assert (TEXTURE == 1.5).all()


@photometric
def replaced(x, *, factor: Factor = 1.0):
    return HELD[: len(x)]


@pytest.mark.parametrize("batch", [2, 64])
@pytest.mark.parametrize("p", [0.3, 0.8])
def test_only_what_a_call_has_made_is_written_to(batch, p, monkeypatch):
    """Samples whose gate is open are written in place, but not into the input, a leaf, or what a body holds."""
    x, held = torch.rand(batch, 3, 64, 64), HELD.clone()
    before = x.clone()
    steps = [af.brightness(p=p), af.gaussian_blur(kernel_size=3, p=p), af.solarize(p=p), af.vflip(p=p)]
    for first in (replaced(), replaced(p=p), af.hflip(p=p), af.normalize(mean=0.5, std=0.5)):
        f = af.pipeline(first, *steps)
        y, params = f(x, None, af.key(0))
        assert torch.equal(x, before)
        assert torch.equal(HELD, held)
        monkeypatch.setattr("augfn.run.rows.DENSE", True)
        torch.testing.assert_close(f(x, params)[0], y, rtol=0, atol=1e-6)
        monkeypatch.undo()


@photometric
def first_channel(x, *, factor: Factor = 1.0):
    """A view that begins where its input does."""
    return x[:, :1].expand_as(x)


SEEN = []


@photometric
def spying(x, *, factor: Factor = 1.0):
    SEEN.append((x, x.clone()))
    return x * 0.5


@geometric
def shown(frame, *, factor: Factor = 1.0):
    return Map.of(torch.eye(3), gather=Gather(lambda x, *_: HELD[: len(x)]), axis_aligned=True, whole=True)


@pytest.mark.parametrize("batch", [4, 64])
def test_what_a_foreign_step_sees_or_holds_is_not_written_to(batch):
    x, held = torch.rand(batch, 3, 64, 64), HELD.clone()
    keys = af.split(af.key(5), batch)
    f = af.pipeline(af.gamma(gamma=(0.5, 0.9), p=0.3), first_channel(), af.brightness(p=0.3))
    y, _ = f(x, None, keys)
    alone = torch.cat([f(x[i : i + 1], None, keys[i : i + 1])[0] for i in range(batch)])
    torch.testing.assert_close(y, alone, rtol=0, atol=1e-6)
    SEEN.clear()
    af.pipeline(af.gamma(p=0.3), spying(), af.gaussian_noise(p=0.7))(x, None, af.key(5))
    assert all(torch.equal(a, b) for a, b in SEEN)
    af.pipeline(shown(), af.gamma(p=0.5), af.gaussian_noise(p=0.3))(x, None, af.key(1))
    assert torch.equal(HELD, held)


@pytest.mark.parametrize("batch", [2, 64])
def test_a_gradient_that_can_be_differentiated_is_the_same(batch):
    """One argument made of another, the same params twice, hooks: each path counts once."""
    x = torch.rand(batch, 3, 32, 32, dtype=torch.float64, requires_grad=True)
    x.register_hook(lambda g: g * 2)
    q = torch.full((batch,), 0.9, dtype=torch.float64, requires_grad=True)
    jitter = af.color_jitter(brightness=1.0, contrast=1.0, saturation=1.0, hue=0.1)

    def loss():
        y = jitter(x * 1.0, {"brightness": q, "contrast": x.amax((1, 2, 3)), "hue": x.mean((1, 2, 3)) * 0.3}, af.key(0))
        return jitter(y[0], {"brightness": q}, af.key(0))[0].pow(3).sum()

    once = torch.autograd.grad(loss(), (x, q))
    again = torch.autograd.grad(loss(), (x, q), create_graph=True)
    torch.testing.assert_close(again, once, rtol=1e-8, atol=1e-10)


def test_many_gradients_at_once():
    x = torch.rand(2, 3, 2, 2, dtype=torch.float64)
    f = lambda x: af.hue()(x, {"hue": torch.full((2,), 0.07)})[0]  # noqa: E731
    one, many = (torch.autograd.functional.jacobian(f, x, vectorize=v) for v in (False, True))
    torch.testing.assert_close(many, one)


@pytest.mark.parametrize("shape", [(1, 512), (3, 224), (8, 128), (64, 64), (128, 32)])
@pytest.mark.parametrize("op", ["rotate", "elastic", "gaussian_blur", "brightness", "gaussian_noise", "erase"])
def test_where_no_gate_is_open_nothing_is_done(op, shape):
    """Of batches around every size from which slices and gathered rows are taken."""
    b, n = shape
    x = torch.rand(b, 3, n, n)
    assert torch.equal(getattr(af, op)(p=0.0)(x, None, af.key(0))[0], x)
    choice = af.one_of(af.hflip(), getattr(af, op)(), af.invert(), weights=(1.0, 0.0, 0.0))
    torch.testing.assert_close(
        choice(x, None, af.key(0))[0], x.flip(-1), rtol=0, atol=1e-4
    )  # fused: read between pixels


@pytest.mark.whole
@pytest.mark.parametrize("size", [16, 64])
def test_differentiated_in_slices_as_whole(size, monkeypatch):
    """Values, gradients to the image, to the params and to the ranges, and second derivatives."""
    f = af.pipeline(
        af.hflip(p=0.5),
        af.affine(degrees=(-15, 15), scale=(0.9, 1.1), p=0.7),
        af.color_jitter(brightness=(0.8, 1.2), contrast=(0.8, 1.2), hue=(-0.1, 0.1), p=0.8),
        af.gaussian_noise(p=0.5),
        af.erase(p=0.3),
    )
    x = {"image": torch.rand(48, 3, size, size, dtype=torch.float64), "mask": torch.randint(5, (48, size, size))}
    x |= {"boxes": af.Boxes(torch.rand(48, 2, 4, dtype=torch.float64) * size)}

    def slopes():
        image, low = x["image"].clone().requires_grad_(), torch.tensor(-15.0, dtype=torch.float64, requires_grad=True)
        degrees = {"degrees": af.Uniform(low, torch.tensor(15.0, dtype=torch.float64))}
        y, _ = f(x | {"image": image}, {"affine": degrees}, af.key(0))
        loss = (y["image"] ** 2).sum()
        first = torch.autograd.grad(loss, (image, low), create_graph=True)
        return y, first, torch.autograd.grad(first[0].square().sum(), (image, low))

    monkeypatch.setattr("augfn.run.slices.BLOCK_BYTES", 40_000)
    sliced = slopes()
    monkeypatch.setattr("augfn.run.slices.BLOCK_BYTES", 10**12)
    whole = slopes()
    torch.testing.assert_close(sliced[1:], whole[1:], rtol=1e-9, atol=1e-9)
    assert torch.equal(sliced[0]["mask"], whole[0]["mask"])
    torch.testing.assert_close(sliced[0]["image"], whole[0]["image"])
    torch.testing.assert_close(sliced[0]["boxes"].data, whole[0]["boxes"].data)


def test_a_slice_that_nothing_learns_from():
    """The gradient to a factor, where all gates of a slice are closed."""
    factor, gate = torch.full((64,), 0.5, requires_grad=True), (torch.arange(64) < 8).float()
    x = torch.rand(64, 3, 64, 64)
    f = af.pipeline(af.brightness(), af.gamma(gamma=1.0))
    y, _ = f(x, {"brightness": {"factor": factor, "gate": gate}}, af.key(0))
    (slope,) = torch.autograd.grad(y.sum(), factor)
    torch.testing.assert_close(slope, gate * x.sum((1, 2, 3)))


def test_no_graph_is_kept_of_a_large_batch():
    """What autograd keeps of a differentiated call are the inputs."""
    x = torch.rand(64, 3, 64, 64, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.untyped_storage()) or t, lambda t: t):
        af.pipeline(af.affine(degrees=(-15, 15)), af.color_jitter(hue=(-0.1, 0.1)))(x, None, af.key(0))
    sizes = {s.data_ptr(): s.nbytes() for s in kept}
    assert sum(sizes.values()) < 1.1 * x.untyped_storage().nbytes()


@pytest.mark.parametrize("batch", [2, 64])
def test_what_no_gradient_reaches_asks_for_none(batch):
    """Boxes beside a differentiated image, of a small batch and of one that is recomputed in slices."""
    x = {"image": torch.rand(batch, 3, 64, 64, requires_grad=True), "boxes": af.Boxes(torch.rand(batch, 2, 4) * 64)}
    f = af.pipeline(af.affine(degrees=(-15, 15)), af.brightness())
    y, _ = f(x, None, af.key(0))
    assert y["image"].requires_grad
    assert not y["boxes"].data.requires_grad
    turned = {"affine": {"degrees": torch.zeros(batch, requires_grad=True)}}
    assert f(x, turned, af.key(0))[0]["boxes"].data.requires_grad


@pytest.mark.parametrize("batch", [2, 64])
def test_any_target_may_ask_for_a_gradient(batch):
    """The image does not, its depth does: of a small batch and of one that is run in slices."""
    depth = torch.rand(batch, 1, 64, 64, requires_grad=True)
    y, _ = af.pipeline(af.hflip(), af.brightness())({"image": torch.rand(batch, 3, 64, 64), "depth": depth}, None, K)
    assert torch.autograd.grad(y["depth"].sum(), depth)[0].equal(torch.ones_like(depth))


def test_what_looks_at_a_target_keeps_its_gate_in_slices():
    x = {"image": torch.rand(64, 3, 64, 64), "mask": torch.ones(64, 64, 64, dtype=torch.int64)}
    gate = (torch.arange(64) % 4 > 0).float()
    f = af.pipeline(af.mask_dropout(p_object=1.0, p=0.5), af.brightness(factor=0.5, clip="none"))
    y = f(x, {"mask_dropout": {"gate": gate}}, K)[0]["image"]
    torch.testing.assert_close(y, x["image"] * 0.5 * (1 - gate).reshape(-1, 1, 1, 1))


@pytest.mark.parametrize("batch", [3, 64])
@pytest.mark.parametrize("wanted", [False, True], ids=["the range", "the image too"])
def test_a_batch_that_no_gate_is_open_for_has_a_graph(batch, wanted):
    """A training loop meets one now and then: the image is as it was, and the slope to the range is zero."""
    low = torch.tensor(-5.0, requires_grad=True)
    f = af.pipeline(af.rotate(degrees=af.Uniform(low, torch.tensor(5.0)), p=0.5), af.hflip(p=0.5))
    x = torch.rand(batch, 3, 64, 64, requires_grad=wanted)
    closed = {n: {"gate": torch.zeros(batch)} for n in ("rotate", "hflip")}
    y, _ = f({"image": x, "label": torch.arange(batch)}, closed, af.key(0))
    assert y["image"].equal(x)
    slopes = torch.autograd.grad(y["image"].sum(), [low, *([x] if wanted else [])], create_graph=True)
    assert slopes[0] == 0
    assert not wanted or slopes[1].equal(torch.ones_like(x))
    others = af.pipeline(f, af.gamma(gamma=2.0))  # which acts, and knows nothing of the range
    y, _ = others(x, {"pipeline": closed}, af.key(0))
    (slope,) = torch.autograd.grad(y.sum(), low, allow_unused=wanted)
    assert slope is None or slope == 0


def test_a_learned_module_always_has_a_graph():
    from augfn_nn import RandomRotation

    module, x = RandomRotation(10.0, p=0.3, learnable=True), torch.rand(2, 3, 8, 8)
    for i in range(20):
        module(x, generator=af.key(i)).mean().backward()
    assert all(p.grad is not None for p in module.parameters())


def test_a_body_that_loses_the_graph_is_not_given_one():
    """An error of autograd's, not a gradient of zero in silence."""

    @photometric
    def lost(x, *, factor: Factor = 1.0):
        return (x * over(x, factor)).detach()

    factor = torch.tensor(0.5, requires_grad=True)
    assert not lost(factor=factor)(torch.rand(2, 3, 4, 4))[0].requires_grad
