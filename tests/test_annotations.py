"""Boxes that need not be upright, what makes boxes valid, labels that go with them, left and right keypoints."""

import math
from typing import Annotated, Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import vmap

import augfn as af
from augfn.core.augmentation import geometric
from augfn.math.maps import Map
from augfn.math.polygons import area_inside, polygon_area
from augfn.math.stages import Displacement
from augfn.typing import Leaf

IMAGE = torch.zeros(1, 40, 60)


def turned(*row, **known):
    return af.Boxes(torch.tensor([row], dtype=torch.float64), "cxcywhr", **known)


def moved(f, **targets):
    return f({"image": IMAGE.double(), **targets}, None, af.key(0))[0]


@given(st.floats(-10, 50), st.floats(-10, 70), st.floats(2, 60), st.floats(2, 60), st.floats(-90, 90))
@settings(max_examples=40, deadline=None)
def test_area_inside_a_frame_is_that_of_a_fine_raster(y, x, w, h, r):
    corners = turned(x, y, w, h, r).corners()
    grid = torch.stack(torch.meshgrid(torch.arange(0, 60, 0.25), torch.arange(0, 40, 0.25), indexing="xy"), -1) + 0.125
    angle = math.radians(r)
    u, v = (grid - torch.tensor([x, y])).unbind(-1)
    along, across = u * math.cos(angle) - v * math.sin(angle), u * math.sin(angle) + v * math.cos(angle)
    raster = ((along.abs() <= w / 2) & (across.abs() <= h / 2)).sum() / 16
    torch.testing.assert_close(polygon_area(corners)[0], torch.tensor(w * h, dtype=torch.float64))
    assert abs(float(area_inside(corners, (40, 60))[0] - raster)) < 0.3 * (w + h)


def test_the_rectangle_of_a_bent_box_does_not_hang_on_its_first_corner():
    """A box and the same one half a turn on: what a perspective makes of them is the same rectangle."""
    bent = af.perspective(corners=torch.tensor([[-0.6, -0.2], [-0.1, -0.3], [-0.4, 0.0], [0.0, -0.5]]))
    one, other = (moved(bent, boxes=turned(28.0, 18.0, 21.0, 12.0, r))["boxes"].data for r in (35.0, -145.0))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("degrees", [-75.0, -20.0, 0.0, 30.0, 60.0])
def test_a_turned_box_turns_with_the_image(degrees):
    """About the centre (30, 20) of the frame; positive is counter-clockwise for both."""
    out = moved(af.rotate(degrees=degrees), boxes=turned(30.0, 20.0, 12.0, 6.0, 25.0))["boxes"].data[0]
    r = (25 + degrees + 90) % 180 - 90
    torch.testing.assert_close(out, torch.tensor([30.0, 20.0, 12.0, 6.0, r], dtype=torch.float64), atol=1e-5, rtol=0)


def test_quads_move_corner_by_corner_and_are_not_clipped():
    quad = af.Boxes(torch.tensor([[10.0, 5, 20, 5, 20, 15, 10, 15]]), "xyxyxyxy")
    f = af.affine(degrees=33.0, shear=torch.tensor([10.0, 5.0]), translate=torch.tensor([-0.4, 0.1]))
    sample = {"image": IMAGE, "boxes": quad, "keypoints": quad.corners().flatten(-3, -2) - 0.5}
    out = f(sample)[0]
    torch.testing.assert_close(out["boxes"].corners()[0], out["keypoints"] + 0.5, atol=1e-4, rtol=0)
    assert out["boxes"].data.min() < 0


def test_formats_agree_under_a_flip():
    quad = turned(20.0, 12.0, 10.0, 4.0, 30.0)
    corners = af.Boxes(quad.corners().flatten(-2), "xyxyxyxy")
    flipped = moved(af.hflip(), boxes_a=quad, boxes_b=corners)
    torch.testing.assert_close(
        flipped["boxes_a"].data[0], torch.tensor([40.0, 12.0, 10.0, 4.0, -30.0], dtype=torch.float64)
    )
    torch.testing.assert_close(flipped["boxes_a"].xyxy((40, 60)), flipped["boxes_b"].xyxy((40, 60)))


@pytest.mark.parametrize("form", ["cxcywhr", "xyxyxyxy"])
def test_turned_boxes_of_a_batch_are_each_turned(form):
    quads = torch.rand(2, 5, 5) * 20 + 5
    boxes = af.Boxes(quads, "cxcywhr")
    boxes = boxes if form == "cxcywhr" else af.Boxes(boxes.corners().flatten(-2), form)
    f, degrees = af.rotate(), torch.tensor([20.0, -75.0])
    both = f({"image": torch.zeros(2, 1, 40, 60), "boxes": boxes}, {"degrees": degrees})[0]["boxes"]
    for i in range(2):
        one = af.Boxes(boxes.data[i], form)
        alone = f({"image": torch.zeros(1, 40, 60), "boxes": one}, {"degrees": degrees[i]})[0]["boxes"]
        torch.testing.assert_close(both.data[i], alone.data)


def test_validity_of_quads_is_by_exact_area():
    """Half of a square that stands on a corner is left of x = 0: its upright box would say the same, its quarter not."""
    for x, visible in ((0.0, 0.5), (-3.0, 0.08), (3.0, 0.92)):
        for least, valid in ((visible - 0.05, True), (visible + 0.05, False)):
            box = turned(x + 10.0, 20.0, 6.0, 6.0, 45.0, min_visibility=least)
            out = moved(af.translate(translate=torch.tensor([-10 / 60, 0.0])), boxes=box)["boxes"]
            assert bool(out.valid) is valid, (x, least)


def test_the_shorter_side_decides():
    boxes = torch.tensor([[10.0, 10.0, 30.0, 14.0]])
    for side, valid in ((3.0, True), (5.0, False)):
        assert bool(moved(af.hflip(), boxes=af.Boxes(boxes, min_size=side))["boxes"].valid) is valid
        assert bool(moved(af.hflip(), boxes=turned(20.0, 12.0, 20.0, 4.0, 10.0, min_size=side))["boxes"].valid) is valid


@pytest.mark.parametrize(("peer", "own"), [("pascal_voc", "xyxy"), ("COCO", "xywh"), ("albumentations", "xyxyn")])
def test_names_of_the_peers(peer, own):
    assert af.Boxes(torch.zeros(1, 4), peer).format == own


def test_fractions_of_the_frame():
    boxes = af.Boxes(torch.tensor([[0.1, 0.25, 0.5, 0.75]]), "albumentations")
    torch.testing.assert_close(boxes.xyxy((40, 60)), torch.tensor([[6.0, 10.0, 30.0, 30.0]]))
    torch.testing.assert_close(moved(af.hflip(), boxes=boxes)["boxes"].data, torch.tensor([[0.5, 0.25, 0.9, 0.75]]))


def test_turned_boxes_are_for_images():
    with pytest.raises(ValueError, match="turned boxes in a volume"):
        af.hflip3d()({"volume": torch.zeros(1, 4, 4, 4), "boxes": af.Boxes(torch.zeros(1, 5), "cxcywhr")})


def test_labels_go_with_the_boxes():
    boxes = af.Boxes(torch.rand(2, 3, 4), labels=torch.arange(6).reshape(2, 3))
    sample = {"image": torch.rand(2, 3, 8, 8), "boxes": boxes}
    assert torch.equal(af.hflip()(sample)[0]["boxes"].labels, boxes.labels)
    mixed = af.mixup(weight=0.5)(sample, None, af.key(0))[0]["boxes"]
    assert mixed.labels.tolist() == [[0, 1, 2, 3, 4, 5], [3, 4, 5, 0, 1, 2]]
    valid = torch.tensor([[True, False, True], [False, False, True]])
    data, labels = af.drop_invalid(af.Boxes(boxes.data, valid=valid, labels=boxes.labels))
    assert [row.tolist() for row in labels] == [[0, 2], [5]]
    assert [len(row) for row in data] == [2, 1]


@pytest.mark.parametrize("wrapped", [True, False], ids=["with validity", "tensors"])
def test_mixed_samples_keep_the_rows_of_both(wrapped):
    boxes, points = torch.rand(2, 3, 4).sort(-1).values, torch.rand(2, 5, 2)
    rows = {"boxes": boxes, "keypoints": points}
    if wrapped:
        seen = torch.tensor([[True, True, False, True, True], [False, True, True, True, True]])
        rows = {"boxes": af.Boxes(boxes), "keypoints": af.Keypoints(points, seen, swap=((0, 1),))}
    y, _ = af.mixup(weight=0.5)({"image": torch.rand(2, 1, 8, 8), **rows}, None, af.key(0))
    data, xy = (y["boxes"].data, y["keypoints"].xy) if wrapped else (y["boxes"], y["keypoints"])
    assert data.equal(torch.cat([boxes, boxes.flip(0)], 1))
    assert xy.equal(torch.cat([points, points.flip(0)], 1))
    if wrapped:
        assert y["keypoints"].visible.equal(torch.cat([seen, seen.flip(0)], 1))
        assert y["keypoints"].swap == ((0, 1), (5, 6))
        one = af.mixup(weight=1.0)({"image": torch.rand(2, 1, 8, 8), **rows}, None, af.key(0))[0]
        assert one["keypoints"].visible.equal(torch.cat([seen, torch.zeros_like(seen)], 1))


def test_the_heavier_sample_of_a_mix_gives_the_mask():
    x = {"image": torch.rand(2, 1, 4, 4), "mask": torch.arange(2).reshape(2, 1, 1).expand(2, 4, 4)}
    y, _ = af.mixup()(x, {"weight": torch.tensor([0.75, 0.25])}, af.key(0))
    assert y["mask"].equal(torch.zeros_like(x["mask"]))


def test_a_turned_box_without_a_width_stays_finite():
    """It has the direction and the area (none) that it had."""
    sample = {
        "image": torch.zeros(1, 1, 20, 20),
        "boxes": af.Boxes(torch.tensor([[[9.0, 9.0, 0.0, 4.0, 0.0]]]), "cxcywhr"),
    }
    out = af.rotate(degrees=30.0)(sample)[0]["boxes"].data
    assert out.isfinite().all()
    assert out[..., 2].abs().max() < 1e-5


FACE = torch.tensor([[10.0, 10.0], [20.0, 10.0], [15.0, 16.0]])  # left eye, right eye, nose


@pytest.mark.parametrize(
    ("f", "mirrors"),
    [
        (af.hflip(), True),
        (af.vflip(), True),
        (af.pipeline(af.hflip(), af.vflip()), False),
        (af.pipeline(af.hflip(), af.rotate(degrees=20.0)), True),
        (af.rot90(k=1), False),
        (af.affine(degrees=170.0, scale=0.8), False),
        (af.perspective(corners=-1.0), False),
        (af.elastic(alpha=0.01, control=0.3), False),
        (af.hflip(p=0.0), False),
    ],
)
def test_left_and_right_change_places_under_a_mirror(f, mirrors):
    visible = torch.tensor([True, False, True])
    plain = moved(f, keypoints=af.Keypoints(FACE, visible))["keypoints"]
    named = moved(f, keypoints=af.Keypoints(FACE, visible, swap=((0, 1),)))["keypoints"]
    order = [1, 0, 2] if mirrors else [0, 1, 2]
    torch.testing.assert_close(named.xy, plain.xy[order])
    assert named.visible.tolist() == plain.visible[order].tolist()


def test_each_sample_swaps_by_its_own_gate():
    points = FACE.expand(8, 3, 2)
    f = af.hflip(p=0.5)
    sample = {"image": torch.zeros(8, 1, 40, 60), "keypoints": af.Keypoints(points, swap=[[1, 0]])}
    out, params = f(sample, None, af.key(1))
    off = params["gate"] == 0
    assert 0 < off.sum() < 8
    assert torch.equal(out["keypoints"].xy[off], points[off])
    assert torch.equal(out["keypoints"].xy[~off][:, 0], torch.tensor([59 - 20.0, 10]).expand(int((~off).sum()), 2))
    gates = {"gate": params["gate"]}
    each = vmap(lambda g, s: f(s, {"gate": g})[0]["keypoints"].xy)(gates["gate"], sample)
    torch.testing.assert_close(each, out["keypoints"].xy)


@pytest.mark.parametrize("swap", [((0, 3),), ((0, 7),), ((-1, 0),), ((0, 1), (1, 2)), ((0, 1, 2),)])
def test_bad_pairs(swap):
    with pytest.raises(ValueError, match="swap"):
        af.Keypoints(FACE, swap=swap)


def test_turned_boxes_and_pairs_compile():
    f = torch.compile(af.pipeline(af.hflip(p=0.5), af.rotate()), fullgraph=True, backend="aot_eager")
    sample = {
        "image": torch.rand(2, 1, 16, 16),
        "boxes": af.Boxes(torch.tensor([8.0, 8, 4, 2, 30]).expand(2, 1, 5), "cxcywhr", min_visibility=0.2),
        "keypoints": af.Keypoints(torch.rand(2, 3, 2) * 16, swap=((0, 1),)),
    }
    eager = af.pipeline(af.hflip(p=0.5), af.rotate())(sample, None, af.key(3))[0]
    out = f(sample, None, af.key(3))[0]
    torch.testing.assert_close(out["boxes"].data, eager["boxes"].data)
    torch.testing.assert_close(out["keypoints"].xy, eager["keypoints"].xy)


# bends


@pytest.mark.parametrize(
    "f",
    [
        af.elastic(alpha=0.03),
        af.piecewise_affine(scale=0.05),
        af.grid_distortion(),
        af.thin_plate_spline(),
        af.fisheye(),
        af.optical_distortion(k=0.4),
        af.optical_distortion(k=-0.25),
        af.pipeline(af.rotate(degrees=5.0), af.grid_distortion(), af.rotate(degrees=-9.0)),
        af.pipeline(af.affine(degrees=20.0, scale=1.2), af.elastic(alpha=0.02), af.perspective(distortion_scale=0.3)),
    ],
    ids=lambda f: "+".join(getattr(f, "steps", [f.name])),
)
def test_the_box_of_a_bend_holds_what_is_in_it(f):
    """A filled rectangle, rendered three times as fine: no part of it sticks out of its box by more than half a pixel;
    nor the box where the rectangle has not left the frame (what left it is clipped as a box, not as a shape)."""
    n, fine = 256, 3
    boxes = torch.tensor([[13.0, 20, 243, 231], [30, 8, 120, 250], [90, 100, 200, 130], [5, 150, 110, 180]])
    place = torch.arange(n) + 0.5
    low, high = boxes[:, :2], boxes[:, 2:]
    within = [(place > low[:, i, None]) & (place < high[:, i, None]) for i in (0, 1)]
    x = {
        "image": torch.zeros(4, 1, n, n),
        "mask": within[1][:, :, None] & within[0][:, None, :],
        "boxes": af.Boxes(boxes[:, None], clip=False),
    }
    larger = af.pipeline(f, af.resize(size=fine * n, antialias=None))  # fused: one reading
    for seed in range(3):
        params = f(x["image"][:1], None, af.key(seed))[1]
        box = f(x, params)[0]["boxes"].data[:, 0]
        shown = larger({k: x[k] for k in ("image", "mask")}, {f.name: params})[0]["mask"]
        for i, mask in enumerate(shown):
            pixels = (mask.nonzero().flip(-1) + 0.5) / fine
            outline = torch.cat([pixels.amin(0) - 0.5 / fine, pixels.amax(0) + 0.5 / fine])
            beyond = (box[i] - outline) * torch.tensor([1.0, 1, -1, -1])
            assert beyond.max() < 0.5, (seed, i)
            if box[i].min() > 0 and box[i].max() < n:
                assert beyond.min() > -1.0, (seed, i)


def test_the_box_of_a_bend_in_a_volume():
    """A field that moves the middle of a face, which is not on any edge of the box."""
    field = torch.zeros(3, 5, 5, 5)
    field[2, :, 2, 2] = -3.0  # the column in the middle comes from 3 voxels further up

    @geometric(ndim=3)
    def lift(frame, *, height: Annotated[Any, Leaf("factor")] = 1.0):
        return Map((Displacement(field * height[..., None, None, None, None], frame),))

    x = {"volume": torch.zeros(1, 33, 33, 33), "boxes": torch.tensor([[4.0, 4, 12, 29, 29, 20]])}
    box = lift()(x)[0]["boxes"][0]
    torch.testing.assert_close(box, torch.tensor([4.0, 4, 12, 29, 29, 23]), atol=0.3, rtol=0)
