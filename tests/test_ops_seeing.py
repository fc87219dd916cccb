"""Ops that look at the boxes or the mask: what must stay in the crop does, and all targets follow."""

import pytest
import torch
from torch.func import grad, vmap

import augfn as af
from augfn.testing.case import smooth_image, targets_for

F64 = torch.float64
SEEING = {"bbox_safe_crop": {"size": (10, 12)}, "iou_crop": {"size": (10, 12)}, "mask_crop": {"size": (7, 8)}}


def scene(dtype=torch.float32):
    """Four samples; the mask is that of `targets_for`, but for a few pixels."""
    x = targets_for(smooth_image((4,), 3, (16, 18), dtype), 2)
    mask = torch.zeros(4, 16, 18, dtype=torch.long)
    for i, (row, column) in enumerate([(2, 3), (15, 17), (9, 0)]):
        mask[i, row, column] = 5
    return x | {"mask": mask}


def plain(y):
    return {n: y[n] for n in ("image", "mask", "depth")} | {"boxes": y["boxes"].data, "keypoints": y["keypoints"].xy}


@pytest.mark.parametrize("name", SEEING)
def test_seeing_replays_maps_and_compiles(name):
    f, x = getattr(af, name)(**SEEING[name]), scene()
    y, params = f(x, None, af.key(0))
    torch.testing.assert_close(plain(f(x, params)[0]), plain(y), rtol=0, atol=0)
    each = vmap(lambda s, p: plain(f(s, p)[0]))(x, params)
    torch.testing.assert_close(each, plain(y))
    compiled = torch.compile(f, fullgraph=True, backend="eager")
    torch.testing.assert_close(plain(compiled(x, params)[0]), plain(y))


@pytest.mark.parametrize("name", SEEING)
def test_seeing_needs_its_target(name):
    with pytest.raises(ValueError, match="looks at the"):
        getattr(af, name)(**SEEING[name])(torch.rand(2, 3, 16, 18), None, af.key(0))


@pytest.mark.parametrize("name", SEEING)
def test_what_is_seen_moves_with_the_pixels(name):
    """Two channels hold the coordinates: under each keypoint lies where it came from."""
    x = scene(F64)
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(18.0), indexing="ij")
    x["image"] = torch.stack([columns, rows]).to(F64).expand(4, 2, 16, 18)
    y = getattr(af, name)(**SEEING[name], antialias=False)(x, None, af.key(3))[0]
    size = torch.tensor(SEEING[name]["size"][::-1])
    inside = ((y["keypoints"].xy >= 0.5) & (y["keypoints"].xy <= size - 1.5)).all(-1)
    assert inside.sum() >= 3
    at = (y["keypoints"].xy + 0.5) / size * 2 - 1
    seen = torch.nn.functional.grid_sample(y["image"], at[:, :, None], align_corners=False)[..., 0].mT
    torch.testing.assert_close(seen[inside], x["keypoints"].xy[inside], atol=1e-6, rtol=0)


def test_bbox_safe_crop_keeps_all_valid_boxes_whole():
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(32, 5, 2, 2, generator=generator) * torch.tensor([40.0, 30.0])
    boxes = torch.cat([corners.amin(-2), corners.amax(-2) + 1.0], -1)
    valid = torch.rand(32, 5, generator=generator) > 0.4
    x = {"image": torch.rand(32, 1, 32, 42), "boxes": af.Boxes(boxes, valid=valid, clip=False)}
    y, params = af.bbox_safe_crop(size=20)(x, None, af.key(0))
    moved = y["boxes"].data[valid]
    assert ((moved >= -1e-3) & (moved <= 20 + 1e-3)).all()
    tight = af.bbox_safe_crop(size=20, slack=1.0)(x)[0]["boxes"].data
    low = torch.where(valid[..., None], tight, 99.0)[..., :2].amin(1)[valid.any(1)]
    torch.testing.assert_close(low, torch.zeros_like(low), atol=1e-3, rtol=0)
    assert params["slack"].shape == (32, 4)


def test_bbox_safe_crop_without_boxes_and_with_the_whole_frame():
    x = {"image": smooth_image((2,), 3, (8, 12), torch.float32), "boxes": torch.zeros(2, 0, 4)}
    crop = af.bbox_safe_crop(size=(4, 6), slack=1.0, antialias=False)
    torch.testing.assert_close(crop(x)[0]["image"], x["image"][..., 2:6, 3:9])
    off = x | {"boxes": af.Boxes(torch.rand(2, 3, 4), valid=torch.zeros(2, 3, dtype=torch.bool))}
    torch.testing.assert_close(crop(off)[0]["image"], x["image"][..., 2:6, 3:9])
    whole = af.bbox_safe_crop(size=(8, 12), slack=0.0)
    torch.testing.assert_close(whole(scene_of_boxes(x))[0]["image"], x["image"])


def scene_of_boxes(x):
    return x | {"boxes": torch.tensor([[[2.0, 2.0, 4.0, 4.0]], [[-3.0, 5.0, 30.0, 5.0]]])}


def test_bbox_safe_crop_learns_its_slack():
    x = scene_of_boxes({"image": smooth_image((2,), 3, (8, 12), F64)})
    f = af.bbox_safe_crop(size=(6, 6))
    loss = lambda s: (f(x, {"slack": s})[0]["image"] ** 2).sum()  # noqa: E731
    slack, step = torch.full((2, 4), 0.4, dtype=F64), torch.zeros(2, 4, dtype=F64)
    step[0, 2] = 1e-6
    slope = grad(loss)(slack)
    torch.testing.assert_close(slope[0, 2], (loss(slack + step) - loss(slack - step)) / 2e-6, rtol=1e-4, atol=1e-6)
    assert (slope[0] != 0).all()


def test_mask_crop_holds_a_pixel_of_the_mask():
    x = scene()
    f = af.mask_crop(size=(5, 4))
    for seed in range(8):
        y = f(x, None, af.key(seed))[0]
        assert y["mask"].shape == (4, 5, 4)
        assert (y["mask"][:3] == 5).flatten(1).any(1).all()
        assert y["depth"].shape == (4, 1, 5, 4)


def test_mask_crop_picks_among_all_pixels_and_copies():
    mask = torch.zeros(6, 8, dtype=torch.long)
    mask[[0, 2, 5], [7, 3, 1]] = 1
    x = {"image": torch.rand(2, 6, 8), "mask": mask}
    for i, (row, column) in enumerate([(0, 7), (2, 3), (5, 1)]):
        y = af.mask_crop(size=1, pick=(i + 0.5) / 3)(x, None, af.key(0))[0]
        assert y["image"].equal(x["image"][:, row, column][:, None, None])
    ends = [af.mask_crop(size=3, pick=0.4, position=p)(x)[0]["image"] for p in (0.0, 1.0)]
    assert ends[0].equal(x["image"][:, 2:5, 3:6])
    assert ends[1].equal(x["image"][:, 0:3, 1:4])


def test_mask_crop_of_channels_of_empty_masks_and_of_small_frames():
    x = {"image": torch.rand(3, 1, 6, 8), "mask": torch.zeros(3, 2, 6, 8)}
    x["mask"][0, 1, 4, 5] = 1.0
    y = af.mask_crop(size=2)(x, None, af.key(0))[0]
    assert y["mask"].shape == (3, 2, 2, 2)
    assert y["mask"][0, 1].any()
    assert not y["mask"][1:].any()
    with pytest.raises(ValueError, match="larger than the frame"):
        af.mask_crop(size=7)(x, None, af.key(0))


def fits(window, boxes, valid, least):
    """By the definition, one box after another; a window is (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = window
    if not 0.5 <= (x1 - x0) / (y1 - y0) <= 2:
        return False
    for (a, b, c, d), here in zip(boxes, valid, strict=True):
        common = max(0.0, min(c, x1) - max(a, x0)) * max(0.0, min(d, y1) - max(b, y0))
        union = (c - a) * (d - b) + (x1 - x0) * (y1 - y0) - common
        held = x0 < (a + c) / 2 < x1 and y0 < (b + d) / 2 < y1
        if here and held and common / union >= least:
            return True
    return False


@pytest.mark.parametrize("least", [0.0, 0.3, 0.7, 1.0])
def test_iou_crop_takes_the_first_window_that_fits(least):
    n, h, w = 30, 60, 80
    generator = torch.Generator().manual_seed(1)
    low = torch.rand(n, 5, 2, generator=generator, dtype=F64) * torch.tensor([w * 0.6, h * 0.6])
    data = torch.cat([low, low + 5 + 25 * torch.rand(n, 5, 2, generator=generator, dtype=F64)], -1)
    valid = torch.rand(n, 5, generator=generator) < 0.7
    columns = torch.arange(float(w), dtype=F64).expand(h, w)
    rows = torch.arange(float(h), dtype=F64)[:, None].expand(h, w)
    x = {"image": torch.stack([columns, rows]).expand(n, 2, h, w), "boxes": af.Boxes(data, valid=valid)}
    y, params = af.iou_crop(min_iou=least, antialias=False)(x, None, af.key(0))
    wide = params["sides"] * torch.tensor([w, h])
    first = params["position"] * (torch.tensor([w, h]) - wide)
    for i in range(n):
        windows = [[*a, *b] for a, b in zip(first[i].tolist(), (first + wide)[i].tolist(), strict=True)]
        found = next((v for v in windows if fits(v, data[i].tolist(), valid[i].tolist(), least)), [0.0, 0.0, w, h])
        middle = (found[0] + found[2]) / 2 - 0.5, (found[1] + found[3]) / 2 - 0.5
        torch.testing.assert_close(
            y["image"][i, :, 29:31, 39:41].mean((-2, -1)).tolist(), list(middle), atol=2e-3, rtol=1e-4
        )


def test_iou_crop_without_boxes_keeps_the_frame():
    x = {"image": torch.rand(2, 1, 6, 8), "boxes": torch.zeros(2, 0, 4)}
    torch.testing.assert_close(af.iou_crop()(x, None, af.key(0))[0]["image"], x["image"])
    none = x | {"boxes": af.Boxes(torch.ones(2, 1, 4), valid=torch.zeros(2, 1, dtype=torch.bool))}
    y = af.iou_crop(antialias=False)(none, None, af.key(0))[0]
    torch.testing.assert_close(y["image"], x["image"])
