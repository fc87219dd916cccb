"""Functions of others as steps, and augmentations of patches."""

import copy
import pickle

import pytest
import torch
from torch import nn

import augfn as af
from augfn.core.patched import cut, joined, sides_of

K = af.key(0)


def images(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


# opaque


def test_a_module_within_a_chain_learns_and_is_called_once():
    calls = []
    conv = nn.Conv2d(3, 3, 3, padding=1)
    f = af.pipeline(
        af.hflip(p=0.5), af.opaque(conv), af.opaque(lambda x: calls.append(x.shape) or x), af.rotate(degrees=5.0)
    )
    x = {"image": images(6, 3, 8, 8), "mask": torch.ones(6, 8, 8, dtype=torch.long)}
    y, params = f(x, None, K)
    assert calls == [(6, 3, 8, 8)]
    y["image"].sum().backward()
    assert conv.weight.grad.abs().sum() > 0
    flipped, _ = af.hflip(p=0.5)(x["image"], {"gate": params["hflip"]["gate"]})
    want, _ = af.rotate(degrees=5.0)(conv(flipped))
    assert torch.equal(y["image"], want)
    assert torch.equal(f(x, params)[0]["image"], y["image"])


def test_what_it_is_called_with():
    double = af.opaque(lambda x: 2 * x)
    clip, volume, one = images(2, 4, 3, 8, 8), images(2, 1, 4, 8, 8), images(3, 8, 8)
    assert torch.equal(double({"video": clip})[0]["video"], 2 * clip)
    assert torch.equal(double({"volume": volume})[0]["volume"], 2 * volume)
    assert torch.equal(double(one)[0], 2 * one)
    x = {"image": images(2, 3, 8, 8), "mask": torch.zeros(2, 8, 8)}
    y, _ = af.opaque(lambda m: m + 1, kinds=("mask",))(x)
    assert torch.equal(y["image"], x["image"])
    assert torch.equal(y["mask"], x["mask"] + 1)


def test_it_stands_in_choices_traces_and_transforms():
    x, dark = images(8, 3, 6, 6), af.opaque(lambda x: 0 * x)
    y, params = af.maybe(dark, 0.5)(x, None, K)
    assert torch.equal(y, torch.where(params["gate"][:, None, None, None] > 0, 0.0, x))
    y, params = af.one_of(dark, af.hflip())(x, None, K)
    assert torch.equal(y, torch.where(params["choice"][:, 0, None, None, None] > 0, 0.0, x.flip(-1)))
    f = af.pipeline(af.hflip(p=0.5), af.opaque(nn.Hardtanh(0.0, 0.5)))
    assert torch.equal(torch.compile(f, fullgraph=True, backend="eager")(x, None, K)[0], f(x, None, K)[0])
    assert torch.equal(
        torch.func.vmap(lambda x: f(x, {"hflip": {"gate": torch.ones(())}})[0])(x),
        f(x, {"hflip": {"gate": torch.ones(8)}})[0],
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: af.opaque(nn.MaxPool2d(2))(x), "changes the frame"),
        (lambda x: af.opaque(lambda x: x.mean())(x), "changes the frame"),
        (lambda x: af.opaque(3), "a function or nn.Module"),
        (lambda x: af.opaque(af.hflip()), "a function or nn.Module"),
        (lambda x: af.opaque(nn.Identity(), kinds=("boxes",)), "kind of targets"),
    ],
)
def test_mistakes_are_explained(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call(images(2, 3, 6, 6))


# patches


def test_patches_and_back():
    x = torch.arange(48.0).reshape(1, 6, 8)
    patches = cut(x, (2, 4))
    assert patches.shape == (8, 1, 3, 2)
    assert torch.equal(patches[5], x[:, 3:, 2:4])
    assert torch.equal(joined(patches, (2, 4)), x)


@pytest.mark.parametrize("size", [(5, 7), (8, 8), (10, 11)])
@pytest.mark.parametrize("grid", [(2, 3), (3, 3), (4, 4)])
def test_pads_make_the_grid_divide_the_frame(size, grid):
    left, right, top, bottom = sides_of(size, grid, "same")
    assert min(left, right, top, bottom) >= 0
    assert ((size[0] + top + bottom) % grid[0], (size[1] + left + right) % grid[1]) == (0, 0)
    left, right, top, bottom = sides_of(size, grid, "valid")
    assert max(left, right, top, bottom) <= 0
    assert ((size[0] + top + bottom) % grid[0], (size[1] + left + right) % grid[1]) == (0, 0)


STEPS = af.pipeline(af.brightness(factor=(0.5, 1.0)), af.rotate(degrees=(-20, 20), p=0.5), af.gaussian_noise(std=0.1))


def test_each_patch_is_an_image_with_a_draw_of_its_own():
    x, f = images(3, 2, 8, 12), af.patchwise(STEPS, grid=(2, 3))
    y, params = f(x, None, K)
    assert params["pipeline"]["brightness"]["factor"].shape == (3, 6)
    flat = {n: {m: v.flatten(0, 1) for m, v in p.items()} for n, p in params["pipeline"].items()}
    want, _ = STEPS(cut(x, (2, 3)).movedim(0, 1).flatten(0, 1), flat)
    assert torch.equal(y, joined(want.unflatten(0, (3, 6)).movedim(1, 0), (2, 3)))
    assert torch.equal(f(x, params)[0], y)
    assert torch.equal(f(x[1:2], None, af.split(K, 3)[1:2])[0], y[1:2])
    assert torch.equal(torch.compile(f, fullgraph=True, backend="eager")(x, None, K)[0], y)
    for other in (copy.deepcopy(f), pickle.loads(pickle.dumps(f))):
        assert torch.equal(other(x, None, K)[0], y)


def test_a_step_for_each_patch_and_what_does_not_fit_the_grid():
    f = af.patchwise(*[af.brightness(factor=float(i)) for i in range(1, 5)], grid=(2, 2))
    y, _ = f(torch.full((2, 1, 4, 4), 0.1))
    torch.testing.assert_close(y[0, 0, ::2, ::2], torch.tensor([[0.1, 0.2], [0.3, 0.4]]))
    x = images(2, 1, 7, 9)
    assert torch.equal(af.patchwise(af.identity(), grid=(3, 3))(x)[0], x)
    assert torch.equal(af.patchwise(af.identity(), grid=(3, 4), padding="valid")(x)[0], x[..., :6, :8])


def test_masks_are_cut_along_and_gradients_flow():
    x = {"image": images(2, 1, 8, 8).requires_grad_(), "mask": (images(2, 8, 8) * 3).long()}
    f = af.pipeline(af.hflip(p=0.5), af.patchwise(af.hflip(), grid=(2, 2)))
    y, _ = f(x, {"hflip": {"gate": torch.zeros(2)}})
    assert torch.equal(y["mask"], joined(cut(x["mask"], (2, 2)).flip(-1), (2, 2)))
    assert torch.equal(y["image"][:, 0], joined(cut(x["image"][:, 0], (2, 2)).flip(-1), (2, 2)))
    y["image"].sum().backward()
    assert torch.equal(x["image"].grad, torch.ones_like(x["image"]))


BAD = {
    "points": (
        lambda x: af.patchwise(af.hflip(), grid=(2, 2))({"image": x, "keypoints": x[:, 0, :, :2]}),
        "moves no annotations",
    ),
    "volume": (lambda x: af.patchwise(af.gamma(gamma=2.0), grid=(2, 2))({"volume": x[None]}), "patches of a volume"),
    "steps": (lambda x: af.patchwise(af.hflip(), af.vflip(), grid=(2, 2)), "one augmentation or 4"),
    "grid": (lambda x: af.patchwise(af.hflip(), grid=(9, 9), padding="valid")(x), "a grid finer"),
    "frame": (lambda x: af.patchwise(af.resize(size=3), grid=(2, 2))(x), "changes their frame"),
    "channel": (lambda x: af.patchwise(af.gamma(per_channel=True), grid=(2, 2)), "each channel of each patch"),
    "inverse": (lambda x: af.invert(f := af.patchwise(af.hflip(), grid=(2, 2)))(x, f(x)[1]), "no map"),
}


@pytest.mark.parametrize("what", BAD)
def test_patches_that_cannot_be(what):
    call, message = BAD[what]
    with pytest.raises(ValueError, match=message):
        call(images(2, 1, 8, 8))


def test_what_a_function_keeps_is_not_written_to():
    bank = torch.full((4, 3, 4, 4), 0.5)
    f = af.pipeline(af.opaque(lambda x: bank), af.brightness(factor=0.5, p=0.5))
    for seed in range(4):
        f(images(4, 3, 4, 4), None, af.key(seed))
    assert (bank == 0.5).all()
    with pytest.raises(ValueError, match="writes to its input"):
        af.opaque(nn.ReLU(inplace=True))
    with pytest.raises(ValueError, match="behind a gate changes the channels"):
        af.maybe(af.opaque(lambda x: x[:, :1]), 0.5)(images(4, 3, 4, 4), None, af.key(1))
    assert af.opaque(lambda x: x[:, :1])(images(4, 3, 4, 4))[0].shape == (4, 1, 4, 4)


def test_patches_that_mix_or_begin_with_nothing():
    with pytest.raises(ValueError, match="partners would be patches"):
        af.patchwise(af.mixup(), grid=(1, 2))
    f = af.patchwise(af.identity(), af.brightness(factor=(0.2, 0.8)), grid=(1, 2))
    _, drawn = f(images(2, 1, 2, 2), None, K)
    assert len(f.planned(drawn, (2, 2))[0].tensors()) == 1
