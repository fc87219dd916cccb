"""Warps, symmetries and frames: closed forms, inverses and exact copies."""

import pytest
import torch
from torch.func import grad

import augfn as af
import augfn_nn as A
from augfn.core.targets import read
from augfn.math.maps import Map, centred
from augfn.math.stages import Analytic
from augfn.testing.case import smooth_image
from augfn.undoing import geometry_of

F64 = torch.float64
FRAME = (48, 64)
WARPS = {
    "elastic": {},
    "piecewise_affine": {"scale": 0.05},
    "grid_distortion": {"cells": (0.05, 1.0)},
    "optical_distortion": {"k": (-0.3, 0.6)},
    "fisheye": {},
    "thin_plate_spline": {},
}


def image(*shape, dtype=torch.float32):
    return smooth_image(shape[:-3], shape[-3], shape[-2:], dtype)


def drawn_map(f, batch=16, frame=FRAME, dtype=F64):
    params = f(torch.zeros(batch, 1, *frame, dtype=dtype), None, af.key(1))[1]
    return geometry_of(f, {n: v.to(dtype) for n, v in params.items()}, frame)[0]


def middle_grid(frame=FRAME, share=0.9, dtype=F64):
    axes = [share * centred(n, dtype, torch.device("cpu"))[::4] for n in frame]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1).flatten(0, 1)


# warps


@pytest.mark.parametrize("name", WARPS)
def test_inverse(name):
    m = drawn_map(getattr(af, name)(**WARPS[name]))
    p = middle_grid()
    there = m.inverse(FRAME)(p)
    assert (m(there) - p).abs().max() < 1e-5
    assert (m.inverse(FRAME)(m(p)) - p).abs().max() < 1e-5


FOLDS = {
    "elastic": {"alpha": 0.05},
    "piecewise_affine": {"scale": 0.15},
    "fisheye": {"center_x": 1.0, "center_y": 1.0, "gamma": 1.0},
}


@pytest.mark.parametrize("name", FOLDS)
def test_a_keypoint_of_a_folded_image_is_found_or_not_visible(name):
    f, frame = getattr(af, name)(**FOLDS[name]), (256, 256)
    p = torch.rand(32, 200, 2, dtype=F64) * 255
    y, params = f({"image": torch.zeros(32, 1, *frame), "keypoints": af.Keypoints(p)}, None, af.key(0))
    m = geometry_of(f, params, frame)[0]
    miss = (m(y["keypoints"].xy - 127.5) + 127.5 - p).norm(dim=-1)
    assert miss[y["keypoints"].visible].max() < 0.51
    assert 0.5 < y["keypoints"].visible.double().mean() < 1


@pytest.mark.parametrize("name", WARPS)
@pytest.mark.parametrize("batch", [(), (2,), (0,), (2, 3)])
def test_no_boxes_and_no_keypoints(name, batch):
    image, boxes, points = torch.rand(*batch, 3, 16, 16), torch.zeros(*batch, 0, 4), torch.zeros(*batch, 0, 2)
    y = getattr(af, name)()({"image": image, "boxes": boxes, "keypoints": points}, None, af.key(0))[0]
    assert (y["image"].shape, y["boxes"].shape, y["keypoints"].shape) == (image.shape, boxes.shape, points.shape)


@pytest.mark.parametrize("name", WARPS)
def test_keypoints_follow_in_single_precision_too(name):
    f, p = getattr(af, name)(**WARPS[name]), middle_grid(dtype=torch.float32) + torch.tensor([31.5, 23.5])
    x = {"image": torch.zeros(16, 1, *FRAME), "keypoints": p.expand(16, -1, -1)}
    y, params = f(x, None, af.key(1))
    m = geometry_of(f, params, FRAME)[0]
    back = m(y["keypoints"] - torch.tensor([31.5, 23.5])) + torch.tensor([31.5, 23.5])
    assert (back - p).abs().max() < 2e-3


@pytest.mark.parametrize("name", ["fisheye", "optical_distortion", "thin_plate_spline"])
def test_a_formula_is_gated_and_cut_like_its_values(name):
    m = drawn_map(getattr(af, name)())
    p, gate = middle_grid(), (torch.arange(16) % 2).double()
    some = m.chosen(gate)
    torch.testing.assert_close(some(p) - p, gate[:, None, None] * (m(p) - p))
    torch.testing.assert_close(some.rows(slice(3, 5))(p), some(p)[3:5])
    torch.testing.assert_close(some.rows(torch.tensor([7, 2]))(p), some(p)[[7, 2]])
    assert torch.equal(some.chosen(1 - gate)(p), p.expand(16, *p.shape[-2:]))
    assert some.to(torch.device("cpu")).inverse(FRAME).stages[-1].stage.inverted


def test_a_formula_between_matrices():
    """A turn, a lens and a turn back compose to the lens: it has no direction."""

    def cubed(u, size, values):
        square = u[0] ** 2 + u[1] ** 2
        return u[0] * square * 1e-5, u[1] * square * 1e-5

    lens = Map((Analytic(cubed, torch.zeros(1), FRAME),))
    turn = Map.rotation(torch.tensor(30.0, dtype=F64))
    both = turn.then(lens).then(turn.inverse(FRAME))
    torch.testing.assert_close(both(middle_grid()), lens(middle_grid()))


def test_boxes_follow_a_lens():
    """The moved box holds what the map takes to its inside."""
    x = {"image": torch.zeros(1, *FRAME), "boxes": torch.tensor([[20.0, 10.0, 50.0, 30.0]])}
    box = af.optical_distortion(k=0.4)(x)[0]["boxes"][0]
    m = drawn_map(af.optical_distortion(k=0.4), batch=1)
    edge = (m(box.reshape(1, 2, 2).to(F64) - torch.tensor([32.0, 24.0])) + torch.tensor([32.0, 24.0])).flatten()
    assert (edge - x["boxes"][0]).abs().max() < 1.5


def test_a_long_chain_of_lenses_stays_finite():
    lens = af.fisheye(center_x=0.2, center_y=-0.3, gamma=0.95)
    assert af.repeat(lens, n=12)(torch.rand(1, 1, 18, 16))[0].isfinite().all()


def test_optical_distortion_has_radius_one_at_the_corners():
    m = drawn_map(af.optical_distortion(k=0.25), batch=1, frame=(30, 40))
    p = torch.tensor([[20.0, 15.0], [10.0, 7.5], [40.0, 30.0]], dtype=F64)
    expected = p * torch.tensor([[1.25], [1 + 0.25 / 4], [1.5]], dtype=F64)
    torch.testing.assert_close(m(p)[0], expected)


def test_thin_plate_spline_moves_its_points():
    control = torch.rand(3, 5, 2, dtype=F64) * 2 - 1
    m = geometry_of(af.thin_plate_spline(), {"scale": torch.full((3,), 0.2, dtype=F64), "control": control}, FRAME)[0]
    half = torch.tensor([32.0, 24.0], dtype=F64)
    at = torch.tensor([[-1.0, -1], [-1, 1], [1, -1], [1, 1], [0, 0]], dtype=F64)
    torch.testing.assert_close(m((at + 0.2 * control) * half), (at * half).expand(3, 5, 2))


def test_grid_distortion_keeps_the_border_and_shares_out_the_cells():
    cells = torch.tensor([[1.0, 2.0, 1.0, 0.5, 0.5], [1.0] * 5], dtype=F64)
    m = geometry_of(af.grid_distortion(), {"cells": cells}, (11, 21))[0]
    x = torch.linspace(-10, 10, 6, dtype=F64)
    moved = m(torch.stack([x, torch.full_like(x, -5.0)], -1))
    torch.testing.assert_close(moved[:, 0], torch.tensor([-10.0, -6, 2, 6, 8, 10], dtype=F64))
    torch.testing.assert_close(moved[:, 1], torch.full_like(x, -5.0))


def test_cells_and_gates_of_other_dtypes():
    x = torch.rand(2, 1, 8, 8, dtype=F64)
    for cells in (torch.rand(2, 5, dtype=F64) + 0.5, (torch.rand(2, 5) + 0.5).bfloat16()):
        y, params = af.grid_distortion(cells=cells, p=0.5)(x, {"gate": torch.tensor([1.0, 0.0])})
        assert y[1].equal(x[1])
        assert not y[0].equal(x[0])
        assert params["cells"].dtype == cells.dtype


def test_piecewise_affine_is_linear_between_its_points():
    control = torch.zeros(2, 4, 4)
    control[0, 1, 1] = 1.0
    m = geometry_of(af.piecewise_affine(), {"scale": torch.tensor(0.1), "control": control}, (13, 13))[0]
    line = torch.tensor([[-6.0, -2.0], [-4.0, -2.0], [-2.0, -2.0], [0.0, -2.0], [2.0, -2.0]])
    torch.testing.assert_close((m(line) - line)[:, 0], torch.tensor([0.0, 0.65, 1.3, 0.65, 0.0]))


@pytest.mark.parametrize("name", ["elastic", "piecewise_affine", "grid_distortion"])
def test_a_frame_of_one_pixel_is_an_error(name):
    with pytest.raises(ValueError, match="too small"):
        getattr(af, name)()(torch.zeros(1, 1, 5), None, af.key(0))


def test_intrinsics_cannot_follow_a_lens():
    with pytest.raises(ValueError, match="displacement"):
        af.fisheye()({"image": torch.zeros(1, 8, 8), "intrinsics": torch.eye(3)}, None, af.key(0))


# symmetries

COPIES = {
    "hflip": {},
    "vflip": {"p": 0.5},
    "rot90": {"k": 1},
    "quarter_turn": {},
    "d4": {},
    "center_crop": {"size": 48},
}
SHRINKS = {"resize": {"size": (5, 6)}, "resized_crop": {"size": 6}, "smallest_max_size": {"max_size": 7}}


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("shrink", SHRINKS)
@pytest.mark.parametrize("first", ["copy", "shrink"])
def test_what_copies_takes_nothing_from_antialiasing(copy, shrink, first):
    x = torch.rand(4, 3, 48, 48)
    steps = [getattr(af, copy)(**COPIES[copy]), getattr(af, shrink)(**SHRINKS[shrink])]
    if first == "shrink":
        steps = [steps[1], af.center_crop(size=4) if copy == "center_crop" else steps[0]]
    y, params = af.pipeline(*steps)(x, None, af.key(0))
    torch.testing.assert_close(y, af.pipeline(*steps, fuse=False)(x, params)[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("steps", [["rotate", "hflip", "rotate"], ["hflip", "affine"], ["resized_crop", "vflip"]])
def test_flips_join_what_is_antialiased(steps):
    made = {
        "rotate": af.rotate(degrees=20.0),
        "affine": af.affine(degrees=5.0),
        "resized_crop": af.resized_crop(size=9),
    }
    f = af.pipeline(*(made.get(n) or getattr(af, n)(p=0.5) for n in steps), antialias=True)
    sample = read(torch.rand(2, 3, 16, 16), 2, {})
    assert len(f.actions(f(torch.rand(2, 3, 16, 16), None, af.key(0))[1], sample)) == 1


def turned(x, k):
    y = x.rot90(k % 4, (-2, -1))
    return y.flip(-1) if k >= 4 else y


def places(n, dtype=torch.float32):
    """An image whose two channels are its own coordinates, and those as keypoints."""
    y, x = torch.meshgrid(torch.arange(float(n)), torch.arange(float(n)), indexing="ij")
    return torch.stack([x, y]), torch.stack([x, y], -1).flatten(0, 1)


@pytest.mark.parametrize("k", range(8))
def test_d4_copies_pixels_and_moves_points_alike(k):
    coordinates, points = places(4)
    x = {"image": coordinates, "mask": torch.arange(16).reshape(4, 4), "keypoints": points}
    y = af.d4(symmetry=torch.eye(8)[k])(x)[0]
    assert y["image"].equal(turned(coordinates, k))
    assert y["mask"].equal(turned(x["mask"], k))
    column, row = y["keypoints"].round().long().unbind(-1)
    torch.testing.assert_close(y["image"][:, row, column].T, points)


@pytest.mark.parametrize("name", ["d4", "quarter_turn"])
def test_each_sample_has_its_own_symmetry(name):
    x = torch.rand(64, 3, 5, 5)
    y, params = getattr(af, name)()(x, None, af.key(0))
    (choice,) = params.values()
    picked = choice.argmax(-1)
    assert picked.unique().numel() == choice.shape[-1]
    assert y.equal(torch.stack([turned(a, int(k)) for a, k in zip(x, picked, strict=True)]))


@pytest.mark.parametrize("name", ["d4", "quarter_turn"])
def test_a_frame_that_is_not_square_keeps_its_shape(name):
    x = torch.rand(32, 1, 4, 6)
    y, params = getattr(af, name)()(x, None, af.key(0))
    picked = next(iter(params.values())).argmax(-1)
    assert y.equal(torch.stack([turned(a, int(k - k % 2)) for a, k in zip(x, picked, strict=True)]))


def test_relaxed_symmetries_blend_and_learn():
    x, weights = torch.rand(1, 4, 4, dtype=F64), torch.softmax(torch.arange(8.0, dtype=F64), -1)
    parts = torch.stack([turned(x, k) for k in range(8)])
    blend = (weights[:, None, None, None] * parts).sum(0)
    torch.testing.assert_close(af.d4()(x, {"symmetry": weights})[0], blend)
    slope = grad(lambda w: (af.d4()(x, {"symmetry": w})[0] ** 2).sum())(weights)
    torch.testing.assert_close(slope, (2 * blend * parts).flatten(1).sum(-1))


# frames


@pytest.mark.parametrize(
    ("side", "expected"), [("short", (12, 18)), ("long", (8, 12)), ("vert", (12, 18)), ("horz", (8, 12))]
)
def test_resize_to_one_side(side, expected):
    assert af.resize(size=12, side=side)(torch.rand(1, 20, 30))[0].shape[-2:] == expected
    assert A.Resize(12, side=side)(torch.rand(1, 1, 20, 30)).shape[-2:] == expected
    assert af.resize(size=expected)(x := torch.rand(1, 20, 30))[0].equal(af.resize(size=12, side=side)(x)[0])


def test_sides_of_a_resize():
    x = torch.rand(1, 20, 31)
    assert af.longest_max_size(max_size=10)(x)[0].equal(af.resize(size=10, side="long")(x)[0])
    assert af.smallest_max_size(max_size=10)(x)[0].equal(af.resize(size=10)(x)[0])
    with pytest.raises(ValueError, match="one of short, long, vert, horz"):
        af.resize(size=10, side="width")(x)
    with pytest.raises(ValueError, match="longest_max_size: bad size"):
        af.longest_max_size(max_size=0)(x)


@pytest.mark.parametrize("mode", ["zeros", "border", "reflection", "symmetric"])
def test_pad_to_is_a_pad_of_what_is_missing(mode):
    x = torch.rand(2, 3, 6, 7)
    y = af.pad_to(size=(9, 12), position=torch.tensor([1.0, 0.5]), padding_mode=mode)(x)[0]
    assert y.equal(af.pad(padding=(5, 2, 0, 1), padding_mode=mode)(x)[0])
    assert af.pad_to(size=(4, 9), padding_mode=mode)(x)[0].equal(af.pad(padding=(0, 0, 2, 0), padding_mode=mode)(x)[0])
    assert af.pad_to(size=4)(x)[0].equal(x)


def test_pad_to_places_each_sample():
    x = {"image": torch.ones(64, 1, 2, 2), "mask": torch.ones(64, 2, 2).long(), "keypoints": torch.zeros(64, 1, 2)}
    y = af.pad_to(size=(3, 4), position=(0.0, 1.0), fill_mask=7)(x, None, af.key(0))[0]
    corner = y["keypoints"][:, 0].long()
    assert {tuple(c) for c in corner.tolist()} == {(i, j) for i in range(3) for j in range(2)}
    assert (y["image"].sum((1, 2, 3)) == 4).all()
    for shown, mask, (left, top) in zip(y["image"], y["mask"], corner.tolist(), strict=True):
        assert (shown[0, top : top + 2, left : left + 2] == 1).all()
        assert (mask[top : top + 2, left : left + 2] == 1).all()
        assert (mask == 7).sum() == 8


def test_scale_jitter_just_fits_at_one():
    corners = torch.tensor([[-0.5, -0.5], [39.5, 19.5]])
    x = {"image": torch.rand(1, 20, 40), "keypoints": corners}
    moved = lambda **v: af.scale_jitter(size=(30, 30), **v)(x)[0]["keypoints"]  # noqa: E731
    torch.testing.assert_close(moved(scale=1.0, position=0.0), torch.tensor([[-0.5, -0.5], [29.5, 14.5]]))
    torch.testing.assert_close(moved(scale=1.0, position=1.0), torch.tensor([[-0.5, 14.5], [29.5, 29.5]]))
    torch.testing.assert_close(moved(scale=2.0, position=1.0), torch.tensor([[-30.5, -0.5], [29.5, 29.5]]))


def test_zoom_out_shows_what_the_larger_canvas_shows():
    x = image(2, 3, 20, 24)
    y = af.zoom_out(side=2.0, position=torch.tensor([0.25, 0.5]), fill=0.5)(x)[0]
    canvas = af.pad(padding=(6, 10, 18, 10), fill=0.5)(x)[0]
    torch.testing.assert_close(y, torch.nn.functional.avg_pool2d(canvas, 2))
    assert (y[..., 16:, :] == 0.5).all()


def test_zoom_out_at_one_and_with_another_border():
    x = image(2, 3, 9, 12)
    assert af.zoom_out(side=1.0)(x, None, af.key(0))[0].equal(x)
    y = af.zoom_out(side=3.0, position=0.5, padding_mode="border")(x)[0]
    torch.testing.assert_close(y[..., 0, 0], x[..., 0, 0], atol=1e-5, rtol=0)
    cubic = af.scale_jitter(size=(9, 12), scale=1.0, position=0.0, interpolation="bicubic", antialias=False)(x)[0]
    torch.testing.assert_close(cubic[..., 2:-2, 2:-2], x[..., 2:-2, 2:-2], atol=1e-5, rtol=0)


# modules


def fields(module, name):
    d = module.params[name]
    return [getattr(d, f).flatten().tolist() for f in d.fields]


def test_ranges_of_the_modules():
    assert fields(A.RandomFisheye(torch.tensor([-0.3, 0.2]), (0.0, 0.1), 1.0), "center_x") == [
        [pytest.approx(-0.3)],
        [pytest.approx(0.2)],
    ]
    assert fields(A.OpticalDistortion(0.1), "k") == [[pytest.approx(-0.1)], [pytest.approx(0.1)]]
    assert fields(A.GridDistortion(distort_limit=0.2), "cells") == [
        [pytest.approx(0.8)] * 10,
        [pytest.approx(1.2)] * 10,
    ]
    assert fields(A.GridDistortion(distort_limit=0.0), "cells") == [[1.0] * 10]
    assert fields(A.RandomThinPlateSpline(0.3), "scale") == [[pytest.approx(0.3)]]
    assert fields(A.RandomZoomOut(side_range=(1.0, 2.0)), "side") == [[1.0], [2.0]]
    with pytest.raises(ValueError, match="5 cells along each axis"):
        A.GridDistortion(num_steps=7)
    with pytest.raises(ValueError, match="leave them out"):
        A.PiecewiseAffine(nb_rows=5)


@pytest.mark.filterwarnings("ignore:boxes")  # which left the frame
def test_modules_of_frames():
    x = torch.rand(2, 3, 20, 30)
    assert A.LongestMaxSize(15)(x).shape[-2:] == (10, 15)
    assert A.SmallestMaxSize(10)(x).shape[-2:] == (10, 15)
    assert A.ScaleJitter((16, 18))(x).shape[-2:] == (16, 18)
    assert A.PadTo((25, 25), pad_value=0.5)(x)[..., 20:, :].eq(0.5).all()
    targets = {"image": x, "boxes": torch.tensor([[[3.0, 4, 9, 8]]] * 2), "mask": torch.ones(2, 20, 30).long()}
    for module in (A.BBoxSafeCrop((9, 8)), A.CropNonEmptyMask((9, 8))):
        y = module(targets)
        assert y["image"].shape == (2, 3, 9, 8)
        assert y["mask"].shape == (2, 9, 8)


def test_jigsaw_tile_by_tile():
    f, k = af.jigsaw(grid=(2, 3)), af.key(0)
    x = torch.rand(4, 3, 9, 11)
    y, params = f(x, None, k)
    tiles = [(r, c) for r in (0, 4) for c in (0, 3, 6)]
    places = set()
    for i in range(4):
        found = [
            next(s for s in tiles if x[i, :, s[0] : s[0] + 4, s[1] : s[1] + 3].equal(y[i, :, r : r + 4, c : c + 3]))
            for r, c in tiles
        ]
        assert sorted(found) == tiles
        places.add(tuple(found))
        assert y[i, :, 8:].equal(x[i, :, 8:])
        assert y[i, :, :8, 9:].equal(x[i, :, :8, 9:])
    assert len(places) == 4
    back, valid = af.invert(f)(y, params)
    assert back.equal(x)
    assert valid.all()


def test_boxes_after_a_jigsaw_are_those_around_their_pieces():
    f = af.pipeline(af.jigsaw(grid=(3, 4)), af.hflip(p=0.5))
    boxes = (torch.rand(40, 5, 2) * torch.tensor([20.0, 14.0])).floor()
    boxes = torch.cat([boxes, boxes + 1 + (torch.rand(40, 5, 2) * 10).floor()], -1).clamp(max=24)
    at = torch.arange(30)
    x, y = at[None, :], at[:26, None]
    x1, y1, x2, y2 = (v[..., None, None] for v in boxes.unbind(-1))
    filled = (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
    out, _ = f({"image": filled.float(), "mask": filled, "boxes": boxes}, None, af.key(3))
    rows, columns = out["mask"].any(-1), out["mask"].any(-2)
    first = torch.stack([columns.int().argmax(-1), rows.int().argmax(-1)], -1)
    last = torch.stack([30 - columns.flip(-1).int().argmax(-1), 26 - rows.flip(-1).int().argmax(-1)], -1)
    torch.testing.assert_close(out["boxes"], torch.cat([first, last], -1).float(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(8))
def test_a_jigsaw_within_a_chain_is_undone_with_its_boxes(seed):
    boxes, image = torch.tensor([[[2.0, 3.0, 9.0, 12.0]]]), torch.rand(1, 1, 20, 22)
    for f, params in (
        (af.jigsaw(grid=(3, 2), p=0.5), {"gate": torch.ones(1)}),
        (af.pipeline(af.jigsaw(grid=(3, 2)), af.rotate(degrees=0.0)), None),
        (af.pipeline(af.hflip(), af.jigsaw(grid=(3, 2)), af.center_crop(size=(20, 22))), None),
    ):
        y, drawn = f({"image": image, "boxes": af.Boxes(boxes)}, params, af.key(seed))
        back, _ = af.invert(f, size=(20, 22))(y, drawn)
        torch.testing.assert_close(back["image"], image, atol=1e-4, rtol=0)
        found = back["boxes"].data
        assert (found[..., :2] <= boxes[..., :2] + 1e-3).all()
        assert (found[..., 2:] >= boxes[..., 2:] - 1e-3).all()


def test_turned_boxes_in_a_jigsaw():
    """One that fills a tile is moved, one that is cut is not valid."""
    quads = torch.tensor([[[0.0, 0, 8, 0, 8, 8, 0, 8], [4, 0, 12, 0, 12, 8, 4, 8]]])
    for seed in range(6):
        x = {"image": torch.rand(1, 1, 16, 16), "boxes": af.Boxes(quads, format="xyxyxyxy")}
        y, _ = af.jigsaw(grid=(2, 2))(x, None, af.key(seed))
        assert y["boxes"].valid[0, 0]
        corners = y["boxes"].data[0, 0].reshape(4, 2)
        assert (corners - corners[0]).tolist() == [[0, 0], [8, 0], [8, 8], [0, 8]]
        assert set(corners[0].tolist()) <= {0.0, 8.0}


def test_a_jigsaw_moves_something_and_says_what_it_cannot_cut():
    x = torch.arange(4.0).reshape(1, 1, 4)
    assert not any(af.jigsaw(grid=(1, 2))(x, None, af.key(seed))[0].equal(x) for seed in range(8))
    for grid in (4, (2.5, 2), (3,), (2, 2, 2)):
        with pytest.raises(TypeError, match="two whole numbers"):
            af.jigsaw(grid=grid)
    with pytest.raises(ValueError, match=r"grid=\(1, 4\)"):
        af.jigsaw()(x, None, af.key(0))


def test_a_jigsaw_is_not_read_between_its_tiles():
    """What follows reads the tiles as they lie, not their neighbours from before."""
    x, k = torch.rand(2, 1, 8, 8), af.key(0)
    turned, params = af.pipeline(af.jigsaw(grid=(2, 2)), af.rotate(degrees=20.0))(x, None, k)
    apart = af.rotate(degrees=20.0)(af.jigsaw(grid=(2, 2))(x, params["jigsaw"])[0])[0]
    assert turned.equal(apart)
    with pytest.raises(ValueError, match="1 to 8 rows"):
        af.jigsaw(grid=(9, 1))(x, None, k)


@pytest.mark.parametrize(
    "name", ["RandomD4", "RandomJigsaw", "RandomQuarterTurn", "RandomFisheye", "RandomThinPlateSpline"]
)
def test_modules_have_a_gate_of_one_half(name):
    module = getattr(A, name)()
    x = torch.rand(64, 1, 6, 6)
    y = module(x)
    off = module._params["gate"] == 0
    assert 16 < off.sum() < 48
    assert y[off].equal(x[off])
