"""The inverse of what moves whole pixels copies them back, bit for bit."""

import pytest
import torch
from conftest import ROUNDS
from torch.func import vmap

import augfn as af
import augfn_nn as an
from augfn.testing.case import agree

FRAME = (24, 30)
K = af.key(3)
WHOLE = {
    "hflip": lambda: af.hflip(),
    "vflip": lambda: af.vflip(p=0.5),
    **{f"rot90 {k}": (lambda k=k: af.rot90(k=k)) for k in range(4)},
    "center_crop": lambda: af.center_crop(size=(11, 14)),
    "random_crop": lambda: af.random_crop(size=(11, 14)),
    "pad": lambda: af.pad(padding=(1, 2, 3, 0), fill=0.3),
    "pad with a border": lambda: af.pad(padding=(1, 2, 3, 0), padding_mode="border"),
    "pad_to": lambda: af.pad_to(size=(40, 33), position=0.3),
    "quarter_turn": lambda: af.quarter_turn(),
    "d4": lambda: af.d4(),
    "chain": lambda: af.pipeline(
        af.hflip(p=0.5), af.pad(padding=3), af.rot90(), af.random_crop(size=(21, 17)), af.d4(), af.vflip()
    ),
    "with colour": lambda: af.pipeline(af.brightness(factor=1.0), af.random_crop(size=20), af.maybe(af.rot90())),
}


def targets(frame):
    n, d = 4, len(frame)
    places = torch.stack([torch.randint(8 * m, (n, 5)) / 8 for m in reversed(frame)], -1)
    return {
        "image" if d == 2 else "volume": torch.rand(n, 3, *frame),
        "mask": torch.randint(2**50, (n, *frame)),
        "boxes": af.Boxes(torch.cat([places, places + 3], -1), clip=False),
        "keypoints": af.Keypoints(places),
    }


def seen_in(f, params, frame):
    """Which pixels of a frame can be seen in what f makes of it: each has a number of its own."""
    numbers = torch.arange(1, torch.Size(frame).numel() + 1).reshape(frame)
    shown = f({"image": torch.zeros(4, 1, *frame), "mask": numbers.expand(4, *frame)}, params)[0]["mask"]
    return torch.stack([torch.isin(numbers, there) for there in shown])


@pytest.mark.parametrize("name", WHOLE)
def test_whole_pixels_come_back_bit_for_bit(name):
    f, x = WHOLE[name](), targets(FRAME)
    y, params = f(x, None, K)
    back, valid = af.invert(f, size=FRAME)(y, params)
    seen = seen_in(f, params, FRAME)
    assert valid.dtype == torch.float32
    assert valid.bool().equal(seen)
    assert back["image"].movedim(1, -1)[seen].equal(x["image"].movedim(1, -1)[seen])
    assert back["mask"][seen].equal(x["mask"][seen])
    assert not back["mask"][~seen].any()
    agree("boxes", back["boxes"].data, x["boxes"].data, ROUNDS)
    agree("keypoints", back["keypoints"].xy, x["keypoints"].xy, ROUNDS)


@pytest.mark.parametrize("f", [af.hflip3d(), af.vflip3d(p=0.5), af.pipeline(af.dflip3d(), af.hflip3d(p=0.5))])
def test_volumes_come_back(f):
    x = targets((5, 6, 7))
    y, params = f(x, None, K)
    back, valid = af.invert(f)(y, params)
    assert valid.all()
    for name in ("volume", "mask"):
        assert back[name].equal(x[name])
    assert back["boxes"].data.equal(x["boxes"].data)


@pytest.mark.parametrize("padding", [{}, {"fill": 0.25}, {"padding_mode": "border"}, {"padding_mode": "symmetric"}])
def test_what_was_not_seen_is_what_lies_outside(padding):
    """A crop's inverse is a pad."""
    f = af.pipeline(af.center_crop(size=(12, 16)), **padding)
    y, params = f(torch.rand(2, 3, 24, 30))
    wanted = af.pad(padding=(7, 6), **padding)(y)[0]
    assert af.invert(f, size=FRAME)(y, params)[0].equal(wanted)


def test_modules_copy_back_too():
    x = torch.rand(4, 3, *FRAME)
    aug = an.AugmentationSequential(an.RandomHorizontalFlip(p=0.5), an.RandomCrop((11, 14)))
    y = aug(x)
    back, seen = aug.inverse(y), seen_in(aug.f, aug._params, FRAME)
    assert back.movedim(1, -1)[seen].equal(x.movedim(1, -1)[seen])
    turn, square = an.Augment(af.d4()), torch.rand(4, 3, 9, 9)
    assert turn.inverse(turn(square)).equal(square)


def test_gradient_compile_and_vmap():
    f = af.pipeline(af.hflip(p=0.5), af.random_crop(size=(11, 14)))
    y, params = f(torch.rand(4, 3, *FRAME), None, K)
    inverse = af.invert(f, size=FRAME)
    back, valid = inverse(y, params)
    slope = torch.func.grad(lambda t: inverse(t, params)[0].sum())(y)
    assert slope.equal(torch.ones_like(y))
    compiled, seen = torch.compile(inverse, fullgraph=True, backend="eager")(y, params)
    assert compiled.equal(back)
    assert seen.equal(valid)
    mapped, seen = vmap(inverse)(y, params)
    assert mapped.equal(back)
    assert seen.equal(valid)


@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize(
    "steps",
    [
        [af.center_crop(size=8), af.pad(padding=4)],
        [af.hflip(p=0.5), af.random_crop(size=(10, 12)), af.gaussian_blur(kernel_size=3), af.pad_to(size=16)],
        [af.translate(translate=torch.tensor([0.25, 0.0])), af.translate(translate=torch.tensor([-0.25, 0.0]))],
    ],
)
def test_what_a_later_step_only_seems_to_show_is_not_valid(steps, fuse):
    """A pad after a crop brings the frame back, but not what was cut away."""
    f = af.pipeline(*steps, fuse=fuse)
    ones = torch.ones(3, 1, 16, 16)
    y, params = f(ones, None, af.key(0))
    back, valid = af.invert(f, size=(16, 16))(y, params)
    assert torch.equal(valid, (back[:, 0] > 0.99).to(valid.dtype))


def test_a_matrix_is_of_drawn_params_and_the_frame():
    f = af.rotate3d(degrees=(-5.0, 5.0))
    _, params = f(torch.rand(2, 1, 6, 7, 8), None, af.key(0))
    assert af.transform_matrix(f, params, (6, 7, 8)).shape == (2, 4, 4)
    for bad in ({}, f.params):
        with pytest.raises(ValueError, match="params that a call has drawn"):
            af.transform_matrix(f, bad, (6, 7, 8))
    with pytest.raises(ValueError, match=r"\(d, h, w\)"):
        af.transform_matrix(f, params, (6, 7))
