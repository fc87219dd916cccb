"""The share of a box that is to be seen: over all steps, and of turned boxes too."""

import math

import pytest
import torch

import augfn as af

WHOLE = torch.tensor([[0.0, 0.0, 40.0, 40.0]])
LEFT, UP = (af.translate(translate=torch.tensor(shift)) for shift in ([-0.4, 0.0], [0.0, -0.4]))

DIAMOND = 64 - 2 * (4 * math.sqrt(2) - 2) ** 2  # of a square of 8 x 8, a diagonal band of width 4


def moved(f, boxes, size=40):
    return f({"image": torch.ones(1, size, size), "boxes": boxes}, None, af.key(0))[0]["boxes"]


@pytest.mark.parametrize("between", [[], [af.brightness(factor=1.0)], [af.gaussian_blur()]])
def test_shares_multiply_whatever_lies_between(between):
    b = moved(af.pipeline(LEFT, *between, UP), af.Boxes(WHOLE, min_visibility=0.5))
    torch.testing.assert_close(b.seen, torch.tensor([0.36]))
    assert not b.valid.any()
    assert moved(af.pipeline(LEFT, *between, UP), af.Boxes(WHOLE, min_visibility=0.3)).valid.all()


def test_shares_go_on_from_call_to_call():
    once = moved(LEFT, af.Boxes(WHOLE, min_visibility=0.5))
    assert once.valid.all()
    twice = moved(UP, once)
    torch.testing.assert_close(twice.seen, torch.tensor([0.36]))
    hidden = af.erase(scale=0.5, ratio=2.0, position=0.0)
    torch.testing.assert_close(
        moved(hidden, af.Boxes(WHOLE, min_visibility=0.1)).seen[0], torch.tensor(0.5), atol=1e-5, rtol=0
    )


def test_nothing_is_counted_that_nobody_asked_for():
    assert moved(LEFT, af.Boxes(WHOLE)).seen is None
    off = af.Boxes(WHOLE.expand(3, 1, 4), min_visibility=0.5)
    x = {"image": torch.ones(3, 1, 40, 40), "boxes": off}
    params = {"translate": torch.tensor([[-0.4, 0.0]] * 3), "gate": torch.tensor([0.0, 1.0, 0.0])}
    b = af.translate(p=0.5)(x, params)[0]["boxes"]
    torch.testing.assert_close(b.seen[:, 0], torch.tensor([1.0, 0.6, 1.0]))


def test_shares_of_mixed_boxes_lie_beside_them():
    b = af.Boxes(WHOLE.expand(2, 1, 4), min_visibility=0.5, seen=torch.tensor([[0.7], [0.9]]))
    mixed = af.mixup()({"image": torch.rand(2, 1, 40, 40), "boxes": b}, None, af.key(0))[0]["boxes"]
    assert mixed.seen.shape == mixed.valid.shape == (2, 2)
    assert mixed.seen[:, 0].equal(b.seen[:, 0])


@pytest.mark.parametrize(
    ("box", "hole", "seen"),
    [
        ([16.0, 16.0, 30.0, 2.0, 45.0], {"scale": (9 / 32) ** 2, "position": torch.tensor([6 / 23, 6 / 23])}, 1.0),
        ([16.0, 16.0, 20.0, 4.0, 45.0], {"scale": (8 / 32) ** 2, "position": 0.5}, 1 - DIAMOND / 80),
        ([16.0, 16.0, 20.0, 4.0, 0.0], {"scale": (10 / 32) ** 2, "position": 0.5}, 0.5),
    ],
)
def test_turned_boxes_are_hidden_as_they_lie(box, hole, seen):
    b = moved(af.erase(ratio=1.0, **hole), af.Boxes(torch.tensor([box]), "cxcywhr", min_visibility=0.1), 32)
    torch.testing.assert_close(b.seen, torch.tensor([seen]), atol=0.04, rtol=0)


def test_a_grid_that_hides_all_has_no_seams():
    one = torch.ones(1, 64, 64)
    for angle in (0.0, 20.0):
        assert not af.grid_mask(period=0.3, ratio=1.0, angle=angle, offset=0.0)(one)[0].any()
    shown = [af.grid_mask(period=0.3, ratio=0.98, angle=0.0, offset=o / 20)(one)[0].mean() for o in range(20)]
    assert abs(1 - sum(shown) / 20 - 0.98**2) < 2e-3


def test_what_hides_by_the_mask_moves_nothing():
    f = af.pipeline(af.rotate(), af.mask_dropout())
    x = {"image": torch.rand(2, 3, 16, 16), "mask": torch.randint(0, 3, (2, 16, 16))}
    y, params = f(x, None, af.key(0))
    back, valid = af.invert(f)(y, params)
    assert back["image"].shape == x["image"].shape
    assert valid.shape == (2, 16, 16)
    assert af.transform_matrix(f, params, (16, 16)).equal(
        af.transform_matrix(f.steps["rotate"], params["rotate"], (16, 16))
    )


@pytest.mark.parametrize("form", ["xyxyxyxy", "xyxy"])
@pytest.mark.parametrize("fuse", [True, False])
def test_what_is_cut_off_once_is_not_counted_again(form, fuse):
    half_out = [-5.0, 5.0, 5.0, 5.0, 5.0, 15.0, -5.0, 15.0] if form == "xyxyxyxy" else [-5.0, 5.0, 5.0, 15.0]
    boxes = af.Boxes(torch.tensor([half_out]), form, clip=False, min_visibility=0.3)
    b = moved(af.pipeline(af.hflip(), af.vflip(), af.hflip(), fuse=fuse), boxes, 20)
    torch.testing.assert_close(b.seen, torch.tensor([0.5]))
    assert b.valid.all()
