"""Occlusion: what is hidden is hidden in masks, boxes and keypoints too; shapes and shares against counting pixels."""

from dataclasses import replace

import pytest
import torch

import augfn as af
import augfn_nn
from augfn.testing import example
from augfn.testing.case import smooth_image

KEY = af.key(0)
HIDING = ["erase", "cutout", "coarse_dropout", "grid_mask", "mask_dropout"]
FRAME = (40, 48)
ONES = torch.ones(1, *FRAME)


def scene(n=16):
    """A white image with instances in quarters, boxes and keypoints all over it."""
    rows, columns = torch.arange(FRAME[0])[:, None] // 10, torch.arange(FRAME[1]) // 12
    low = torch.rand(n, 6, 2) * torch.tensor([30.0, 24.0])
    boxes = torch.cat([low, low + 4 + torch.rand(n, 6, 2) * 12], -1)
    return {
        "image": torch.ones(n, 1, *FRAME),
        "mask": (1 + rows * 4 + columns).expand(n, *FRAME).clone(),
        "boxes": af.Boxes(boxes, min_visibility=0.6),
        "keypoints": af.Keypoints(torch.rand(n, 9, 2) * torch.tensor([47.0, 39.0])),
    }


@pytest.mark.parametrize("name", HIDING)
def test_all_targets_are_hidden(name):
    x = scene()
    y, params = example(name)(x, None, KEY)
    hidden = 1 - y["image"][:, 0]
    assert ((hidden > -1e-6) & (hidden < 1 + 1e-6)).all()
    assert 0.02 < hidden.mean() < 0.9
    edge = (hidden - 0.5).abs() < 1e-5
    assert torch.equal((y["mask"] == 0) | edge, (hidden >= 0.5) | edge)
    assert torch.equal(y["mask"][y["mask"] > 0], x["mask"][y["mask"] > 0])
    assert torch.equal(y["boxes"].data, x["boxes"].data)
    assert torch.equal(y["keypoints"].xy, x["keypoints"].xy)
    for i in range(len(hidden)):
        for box, valid in zip(x["boxes"].data[i], y["boxes"].valid[i], strict=True):
            visible = 1 - covered_share(hidden[i], box)
            assert valid == (visible >= 0.6) or abs(visible - 0.6) < 1e-3
        for (column, row), seen in zip(x["keypoints"].xy[i].round().long(), y["keypoints"].visible[i], strict=True):
            assert seen == (hidden[i, row, column] < 0.5)
    assert not y["boxes"].valid.all()
    assert not y["keypoints"].visible.all()
    again = example(name)(x, params)[0]
    assert torch.equal(again["image"], y["image"])


def covered_share(hidden, box):
    """The mean of `hidden` over a box, by its overlap with every pixel."""
    x0, y0, x1, y1 = box.tolist()
    columns, rows = torch.arange(FRAME[1]), torch.arange(FRAME[0])
    across = (torch.clamp(columns + 1, max=x1) - torch.clamp(columns, min=x0)).clamp(min=0)
    down = (torch.clamp(rows + 1, max=y1) - torch.clamp(rows, min=y0)).clamp(min=0)
    weight = down[:, None] * across
    return float((hidden * weight).sum() / weight.sum())


@pytest.mark.parametrize("name", HIDING)
def test_fills_and_what_stays(name):
    """Fills are kept; boxes without a `min_visibility` and plain tensors are left; a closed gate changes nothing."""
    x = scene()
    x["boxes"] = replace(x["boxes"], min_visibility=0.0)
    f = example(name, fill=0.25, fill_mask=255)
    y = f(x, None, KEY)[0]
    assert torch.equal(y["mask"] == 255, (y["image"][:, 0] <= 0.625))
    assert y["image"].min() == pytest.approx(0.25)
    assert y["boxes"].valid.all()
    off = example(name, p=0.0)(x, None, KEY)[0]
    assert all(torch.equal(off[n], x[n]) for n in ("image", "mask"))
    assert off["keypoints"].visible.all()


# cutout


def test_cutout_hangs_over_the_border():
    f = af.cutout(size=0.5, position=torch.tensor([[0.0, 0.5]]).expand(4, 2))
    hidden = 1 - f(ONES)[0][0]
    expected = torch.zeros(FRAME)
    expected[10:30, :10] = 1
    assert torch.equal(hidden, expected)


def test_cutouts_unite():
    position = torch.tensor([[0.5, 0.5], [0.6, 0.5], [0.1, 0.1], [0.9, 0.9]])
    each = [1 - af.cutout(size=0.25, position=position.roll(-i, 0))(ONES)[0] for i in range(4)]
    for n in (1, 2, 4):
        united = 1 - af.cutout(size=0.25, position=position, holes=n)(ONES)[0]
        torch.testing.assert_close(united, torch.stack(each[:n]).sum(0).clamp(max=1), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="1 to 4"):
        af.cutout(holes=5)(ONES, None, KEY)


# coarse dropout


def test_holes_lie_in_the_frame():
    x = torch.ones(20, 1, *FRAME)
    y = af.coarse_dropout(holes=1.0, height=0.25, width=0.5)(x, None, KEY)[0]
    torch.testing.assert_close((1 - y).mean((1, 2, 3)), torch.full((20,), 0.125), atol=1e-5, rtol=0)


def test_the_last_hole_is_smaller():
    position = torch.zeros(16, 2)
    position[1] = 1.0

    def area(holes):
        f = af.coarse_dropout(holes=holes, height=0.2, width=0.2, position=position)
        return float((1 - f(ONES)[0]).mean())

    assert area(0.0) == 0
    assert area(1.0) == pytest.approx(0.04, abs=1e-5)
    assert area(1.5) == pytest.approx(0.05, abs=1e-5)
    assert area(2.0) == pytest.approx(0.08, abs=1e-5)


# grid mask


def test_share_that_a_grid_hides():
    x = torch.ones(1, 240, 240)
    for angle in (0.0, 20.0):
        for ratio in (0.3, 0.6):
            y = af.grid_mask(period=0.1, ratio=ratio, angle=angle)(x, None, KEY)[0]
            assert float((1 - y).mean()) == pytest.approx(ratio**2, abs=0.02)


def test_grid_repeats_and_turns():
    def f(**values):
        given = {"period": 0.5, "ratio": 0.4, "angle": 0.0} | values
        return 1 - af.grid_mask(**given)(torch.ones(1, 40, 40))[0]

    still = f(offset=0.0)
    expected = torch.zeros(40, 40)
    for row in (0, 20):
        for column in (0, 20):
            expected[row : row + 8, column : column + 8] = 1
    torch.testing.assert_close(still[0], expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(f(offset=torch.tensor([1.0, 2.0])), still, atol=1e-4, rtol=0)
    torch.testing.assert_close(f(offset=torch.tensor([0.25, 0.0])), still.roll(5, -1), atol=1e-4, rtol=0)
    turned = torch.rot90(still, 1, (-2, -1)).roll(-8, -2)
    aligned = f(angle=90.0, offset=0.0)  # about the image's corner: the period maps onto itself
    torch.testing.assert_close(aligned.sum(), turned.sum(), atol=1e-2, rtol=0)


# patch


def test_patch_is_noise_in_the_rectangle_of_erase():
    x = smooth_image((4,), 3, FRAME, torch.float32)
    y, params = af.patch(scale=0.3, ratio=1.0)(x, None, KEY)
    erased = af.erase()(torch.ones_like(x), {n: params[n] for n in ("scale", "ratio", "position")})[0]
    assert torch.equal(y[erased == 1], x[erased == 1])
    noise = y[erased == 0]
    shares = torch.histc(noise, 4, 0, 1) / noise.numel()
    assert ((shares - 0.25).abs() < 0.05).all()
    targets = scene(4)
    after = af.patch(scale=0.3)(targets, None, KEY)[0]
    assert torch.equal(after["mask"], targets["mask"])
    assert after["keypoints"].visible.all()


# mask dropout


def test_whole_objects_are_dropped():
    mask = torch.arange(64).reshape(8, 8).repeat_interleave(2, -1).expand(50, 8, 16)
    x = {"image": torch.ones(50, 1, 8, 16), "mask": mask}
    y = af.mask_dropout(p_object=0.3)(x, None, KEY)[0]
    kept = y["image"][:, 0] == 1
    assert kept[:, 0, :2].all()  # label 0 is no object
    assert torch.equal(kept[..., ::2], kept[..., 1::2])
    assert torch.equal(y["mask"], torch.where(kept, mask, 0))
    assert float((~kept).float().mean()) == pytest.approx(0.3, abs=0.03)
    per_label = (~kept).float().mean(0)[..., ::2].flatten()[1:]
    assert per_label.min() > 0.05
    assert per_label.max() < 0.6


def test_objects_do_not_depend_on_each_other():
    mask = torch.randint(0, 9, (6, *FRAME))
    x = torch.ones(6, 1, *FRAME)
    f = af.mask_dropout(p_object=0.5)
    y, params = f({"image": x, "mask": mask}, None, KEY)
    some = torch.where(mask > 4, 0, mask)
    z = f({"image": x, "mask": some[:, None]}, params)[0]
    chosen = (mask > 0) & (mask <= 4)
    assert torch.equal(z["image"][:, 0][chosen], y["image"][:, 0][chosen])
    assert z["mask"].shape == (6, 1, *FRAME)


def test_mask_dropout_errors():
    with pytest.raises(ValueError, match="looks at the mask"):
        af.mask_dropout()(ONES, None, KEY)
    with pytest.raises(ValueError, match="several planes"):
        af.mask_dropout()({"image": ONES, "mask": torch.zeros(3, *FRAME)}, None, KEY)


def test_modules():
    x = smooth_image((2,), 3, FRAME, torch.float32)
    for module in (
        augfn_nn.RandomCutout(0.5, num_holes=2, p=1.0, fill=0.5),
        augfn_nn.CoarseDropout((3, 4), p=1.0),
        augfn_nn.GridMask(p=1.0),
        augfn_nn.RandomPatch(p=1.0),
    ):
        y = module(x)
        assert y.shape == x.shape
        assert not torch.equal(y, x)
    both = augfn_nn.AugmentationSequential(augfn_nn.MaskDropout(1.0, p=1.0), data_keys=["image", "mask"])
    image, mask = both(x, torch.ones(2, 1, *FRAME, dtype=torch.int64))
    assert not image.any()
    assert not mask.any()


def test_points_on_the_edge_and_beyond_it():
    """A point on the outer edge is hidden by the pixel beside it; one outside stays what it was."""
    points = torch.tensor([[10.5, 3.0], [4.0, 8.5], [-0.5, 0.0], [40.0, 3.0], [2.0, 90.0]])
    sample = {"image": torch.rand(9, 11)[None], "keypoints": points}
    hidden = {"position": torch.tensor([0.5, 0.5]), "scale": torch.tensor(1.0), "ratio": torch.tensor(11 / 9)}
    wrapped = sample | {"keypoints": af.Keypoints(points, points[:, 0] < 39)}
    y, _ = af.erase()(wrapped, hidden)
    assert y["image"].abs().max() < 1e-6
    assert y["keypoints"].visible.tolist() == [False] * 5
    assert y["keypoints"].xy.equal(points)
    left = hidden | {"scale": torch.tensor(0.0)}
    assert af.erase()(wrapped, left)[0]["keypoints"].visible.tolist()[:3] == [True] * 3
