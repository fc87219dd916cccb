"""The share of a box that is to be seen: over all steps, and of turned boxes too."""

import math
from typing import Annotated, Any

import pytest
import torch
from torch.func import vmap
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import augfn as af
from augfn.core.augmentation import occlusion
from augfn.distributions import Uniform
from augfn.typing import Leaf

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


# what rounding must not decide


TOUCHING = torch.tensor([[[0.0, 0.0, 413.0, 301.0], [0.0, 20.0, 3.7, 23.1], [409.3, 297.9, 413.0, 301.0]]])


@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("n", [1, 40])
def test_a_box_wholly_seen_is_kept_by_any_chain(n, clip, fuse):
    """Boxes that touch the frame, small ones too, after flips, half turns and zooms there and back."""
    there, back = af.scale(scale=0.7), af.scale(scale=1 / 0.7)
    f = af.pipeline(
        af.hflip(), af.rotate(degrees=180.0), there, back, af.vflip(), af.resize(size=(301, 413)), fuse=fuse
    )
    sample = {"image": torch.zeros(1, 1, 301, 413), "boxes": af.Boxes(TOUCHING, clip=clip, min_visibility=1.0)}
    for _ in range(n):
        sample = f(sample)[0]
    assert sample["boxes"].valid.all()
    assert sample["boxes"].seen.min() > 1 - 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_rounding_in_any_dtype(dtype):
    sample = {"image": torch.zeros(1, 1, 301, 413), "boxes": af.Boxes(TOUCHING.to(dtype), min_visibility=1.0)}
    for degrees in (180.0, 360.0):
        assert af.rotate(degrees=degrees)(sample)[0]["boxes"].valid[0, 0]


def test_turned_boxes_wholly_seen_are_kept():
    quads = torch.tensor([[[0.0, 0, 413, 0, 413, 301, 0, 301], [3.7, 0, 7.1, 3.3, 3.3, 7.1, 0, 3.7]]])
    f = af.pipeline(*[af.rotate(degrees=d) for d in (37.0, -127.0, 180.0, -90.0)] * 5)
    b = moved(f, af.Boxes(quads[0], "xyxyxyxy", min_visibility=1.0), 413)
    assert b.valid.all()


def test_the_least_share_counts_as_enough():
    for share in (0.1, 0.3, 0.6, 0.7):
        f = af.translate(translate=torch.tensor([share - 1.0, 0.0]))
        assert moved(f, af.Boxes(WHOLE, min_visibility=share)).valid.all(), share
        assert not moved(f, af.Boxes(WHOLE, min_visibility=share + 0.001)).valid.any(), share


# on the border, and improper boxes


@pytest.mark.parametrize(
    "f", [af.hflip(), af.vflip(), af.rot90(k=2), af.rotate(degrees=180.0), af.resize(size=(17, 7))]
)
def test_a_point_on_the_border_stays_visible(f):
    """The frame is closed: pixels reach from -1/2 to n - 1/2, both included."""
    h, w = 30, 41
    edge = torch.tensor([[-0.5, -0.5], [w - 0.5, 3.0], [4.0, h - 0.5], [-0.6, 3.0], [4.0, h - 0.4]])
    x = {"image": torch.zeros(1, h, w), "keypoints": af.Keypoints(edge)}
    once = f(x)[0]
    twice = f(once)[0]
    for y in (once, twice):
        assert y["keypoints"].visible.tolist() == [True, True, True, False, False]


IMPROPER = torch.tensor(
    [[30.0, 5.0, 10.0, 20.0], [10.0, 20.0, 30.0, 5.0], [math.nan, 5.0, 10.0, 20.0], [5.0, 5.0, 9.0, 9.0]]
)


@pytest.mark.parametrize(
    "f",
    [af.brightness(factor=1.0), af.hflip(), af.rotate(degrees=90.0), af.erase(), af.elastic(alpha=0.0), af.rot90()],
    ids=lambda f: f.name,
)
@pytest.mark.parametrize("known", [{}, {"clip": False}, {"min_visibility": 0.1}])
def test_improper_boxes_are_invalid_in_every_call(f, known):
    b = moved(af.pipeline(f, f, fuse=False), af.Boxes(IMPROPER, **known))
    assert b.valid.tolist()[:3] == [False] * 3
    assert b.valid[3] or "min_visibility" in known


def test_no_step_repairs_a_box():
    with pytest.warns(UserWarning, match="end before they begin"):
        out = moved(af.pipeline(af.hflip(), af.vflip(), fuse=False), IMPROPER)
    assert out[:2, 0].gt(out[:2, 2]).all()
    assert out[2].isnan().any()
    assert moved(af.pipeline(af.hflip(), af.hflip(), fuse=False), IMPROPER[3:])[0].equal(IMPROPER[3])


@pytest.mark.parametrize(
    ("form", "row", "valid"),
    [
        ("xywh", [5.0, 5.0, -3.0, 4.0], False),
        ("xywh", [5.0, 5.0, 3.0, 4.0], True),
        ("cxcywh", [5.0, 5.0, 3.0, math.nan], False),
        ("yolo", [0.5, 0.5, 0.2, -0.1], False),
        ("xyxyn", [0.5, 0.5, 0.2, 0.6], False),
        ("cxcywhr", [20.0, 20.0, 5.0, -5.0, 10.0], False),
        ("cxcywhr", [20.0, 20.0, 5.0, 5.0, math.nan], False),
        ("cxcywhr", [20.0, 20.0, 5.0, 5.0, 10.0], True),
        ("xyxyxyxy", [1.0, 1.0, 5.0, 1.0, 5.0, math.nan, 1.0, 5.0], False),
        ("xyxyxyxy", [5.0, 1.0, 1.0, 1.0, 1.0, 5.0, 5.0, 5.0], True),
    ],
)
def test_improper_boxes_of_every_format(form, row, valid):
    for f in (af.brightness(factor=1.0), af.hflip()):
        assert bool(moved(f, af.Boxes(torch.tensor([row]), form)).valid) is valid


@pytest.mark.parametrize("f", [af.brightness(factor=1.0), af.hflip(), af.hflip(p=0.0)])
def test_what_has_no_area_in_the_frame_is_invalid(f):
    rows = torch.tensor([[5.0, 5.0, 5.0, 9.0], [-8.0, -8.0, -2.0, -2.0], [-8.0, -8.0, 5.0, 5.0]])
    assert moved(f, af.Boxes(rows)).valid.tolist() == [False, False, True]
    assert moved(f, af.Boxes(rows, clip=False)).valid.tolist()[2]


def test_what_was_outside_does_not_come_into_view():
    x = {"image": torch.zeros(1, 25, 25), "keypoints": af.Keypoints(torch.tensor([[-1.0, -1.0], [5.0, 2.0]]))}
    x["boxes"] = af.Boxes(torch.tensor([[-8.0, -8.0, -2.0, -2.0]]))
    for f in (af.pad(padding=10), af.translate(translate=0.4), af.hflip(p=0.0)):
        y = f(x, None, af.key(0))[0]
        assert y["keypoints"].visible.tolist() == [False, True]
        assert not y["boxes"].valid.any()


def test_pixels_are_no_fractions():
    x = {"image": torch.zeros(1, 25, 25), "boxes": af.Boxes(torch.tensor([[10.0, 10.0, 20.0, 20.0]]), format="yolo")}
    with pytest.raises(ValueError, match="cxcywh"):
        af.hflip()(x)


# occlusion


def counted(hidden, box):
    """The hidden share of a box, by a fine grid of points in it."""
    low, high = box.chunk(2)
    t = (torch.arange(64, dtype=torch.float64) + 0.5) / 64
    axes = [(a + (b - a) * t).long().clamp(0, n - 1) for a, b, n in zip(low, high, reversed(hidden.shape), strict=True)]
    grid = torch.meshgrid(*reversed(axes), indexing="ij")
    return hidden[grid].double().mean()


@occlusion
def speckles(frame, *, seed: Annotated[Any, Leaf("any number")] = Uniform(0.0, 1.0)):
    """Each pixel hidden by a share of its own."""
    return speckled(seed, frame)


@occlusion(ndim=3)
def speckles3d(frame, *, seed: Annotated[Any, Leaf("any number")] = Uniform(0.0, 1.0)):
    """Each voxel hidden by a share of its own."""
    return speckled(seed, frame)


def speckled(seed, frame):
    place = torch.arange(math.prod(frame), dtype=seed.dtype).reshape(frame)
    return (torch.sin(place * 12.9898 + seed.reshape(*seed.shape, *[1] * len(frame)) * 78.233) * 43758.5).frac().abs()


@pytest.mark.parametrize("d", [2, 3])
def test_the_hidden_share_is_that_of_counted_pixels(d):
    frame, f = ((20, 24), speckles()) if d == 2 else ((10, 12, 14), speckles3d())
    low = torch.rand(2, 5, d) * 6
    boxes = torch.cat([low, low + 1 + torch.rand(2, 5, d) * 3], -1)
    kind = "image" if d == 2 else "volume"
    x = {
        kind: torch.ones(2, 1, *frame),
        "mask": torch.zeros(2, *frame, dtype=torch.int64),
        "boxes": af.Boxes(boxes, min_visibility=0.01),
        "keypoints": af.Keypoints(torch.rand(2, 9, d) * 9),
    }
    y, params = f(x, None, af.key(0))
    hidden = speckled(params["seed"], frame)
    torch.testing.assert_close(y[kind][:, 0], 1 - hidden)
    for i in range(2):
        for box, seen in zip(boxes[i], y["boxes"].seen[i], strict=True):
            assert abs(float(1 - counted(hidden[i], box) - seen)) < 0.02
        at = x["keypoints"].xy[i].round().long().flip(-1)
        assert y["keypoints"].visible[i].equal(hidden[i][tuple(at.unbind(-1))] < 0.5)
    each = vmap(lambda t, p: f(t, p)[0]["boxes"].seen)(x, params)
    torch.testing.assert_close(each, y["boxes"].seen)


def test_occlusion_of_many_boxes_needs_little_memory(monkeypatch):
    """No tensor holds a frame for every box; of turned boxes only some at a time."""
    n, frame = 300, (160, 160)
    low = torch.rand(2, n, 2) * 100
    upright = af.Boxes(torch.cat([low, low + 30], -1), min_visibility=0.2)
    quads = torch.cat([low + 20, torch.full((2, n, 2), 20.0), torch.rand(2, n, 1) * 90], -1)
    monkeypatch.setattr("augfn.core.annotations.TURNED_PIXELS", 1 << 17)
    largest = [0]

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            largest[0] = max(
                [
                    largest[0],
                    *(t.untyped_storage().nbytes() // 4 for t in tree_leaves(out) if isinstance(t, torch.Tensor)),
                ]
            )
            return out

    for boxes, most in ((upright, 2 * n * frame[0]), (af.Boxes(quads, "cxcywhr", min_visibility=0.2), 1 << 17)):
        x = {"image": torch.ones(2, 1, *frame), "boxes": boxes}
        largest[0] = 0
        with Watch():
            f, params = (
                af.erase(),
                {"scale": torch.tensor(0.2), "ratio": torch.tensor(1.0), "position": torch.tensor([0.5, 0.5])},
            )
            f(x, params)
        assert 0 < largest[0] <= most
