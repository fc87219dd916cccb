"""Occlusion and mixing of volumes: MONAI's and kornia's results, loops over voxels, scenes of balls, and the laws in 3-D."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.func import grad, vmap

import augfn as af
from augfn import random
from augfn.core.actions import Occlusion
from augfn.core.draw import leaves_of
from augfn.core.mixing import PAINT
from augfn.core.rules import TABLE
from augfn.testing import LAWS, check, example
from augfn.testing.case import agree, case, kinds_of, smooth_image, targets_for

KEY = af.key(0)
FRAME = (8, 10, 12)
SIDES = torch.tensor(FRAME[::-1], dtype=torch.float32)
ONES = {"volume": torch.ones(1, *FRAME)}


def at(position, *lead):
    """A place (x, y, z), one for all, as a leaf."""
    return torch.tensor(position).expand(*lead, 3)


# others' results

ORACLE = np.load(Path(__file__).parent / "data" / "volumes.npz")
KNOWN = {f"{e['op']}/{e['i']}": e["params"] for e in json.loads(bytes(ORACLE["meta"]))["entries"]}
DIFFERS = {"patch_swap/0": "no op exchanges two boxes of one volume"}


def theirs(name):
    return torch.from_numpy(ORACLE[name])


def pair():
    image = theirs("image")
    return torch.stack([image, 0.8 * image.flip(0)])


def mixup(p):
    return {"": af.mixup(weight=p["lam"])({"volume": pair()}, None, KEY)[0]["volume"]}


def cutmix(p):
    """Its box has the edge n sqrt(1 - lam) and begins at a corner: [2, 9), [1, 11), [3, 13) of (D, H, W). Ours lies about a
    centre, and is cut by the far border too."""
    centre = (torch.tensor([8.0, 6.0, 6.0]) + 0.5) / torch.tensor([13.0, 11.0, 9.0])  # of half sides 5, 5, 4
    y, _ = af.cutmix(weight=1 - 0.92**3, position=centre.expand(2, 3))(sample := {"volume": pair()}, None, KEY)
    changed = (y["volume"] != sample["volume"]).any(1)[0].nonzero()
    assert changed.amin(0).tolist() == p["corner_dhw"]
    return {"": y["volume"]}


def transplantation(p):
    label = theirs("label")
    masks = torch.cat([label, label.roll(2, -2)]).long()
    f = af.transplant(classes=(p["label"],), partner=torch.tensor(p["donor"]))
    y, _ = f({"volume": pair(), "mask": masks}, None, KEY)
    return {"": y["volume"], "/label": y["mask"].float()}


def coarse_dropout(p):
    holes = torch.tensor(p["holes_lo_hi_dhw"], dtype=torch.float32).flip(-1)  # [2, low and high, xyz]
    size = torch.tensor([13.0, 11.0, 9.0])
    low, sides = holes[:, 0], holes[:, 1] - holes[:, 0]
    given = torch.cat([sides / size, low / (size - sides)], -1)
    width, height, depth, *position = (torch.cat([v, torch.zeros(14)]) for v in given.unbind(-1))
    f = af.coarse_dropout(
        holes=2.0, width=width, height=height, depth=depth, position=torch.stack(position, -1), fill=p["fill"]
    )
    return {"": f({"volume": theirs("image")})[0]["volume"]}


OURS = {
    "mixup/0": mixup,
    "cutmix/0": cutmix,
    "transplantation/0": transplantation,
    "coarse_dropout/0": coarse_dropout,
}


@pytest.mark.parametrize("name", OURS)
def test_results_are_theirs(name):
    for part, found in OURS[name](KNOWN[name]).items():
        torch.testing.assert_close(found, theirs(name + part), atol=1e-5, rtol=0)


def test_every_entry_is_equal_or_has_a_reason():
    mine = {n for n in KNOWN if n.split("/")[0] in {"patch_swap", *(o.split("/")[0] for o in OURS)}}
    assert mine == OURS.keys() | DIFFERS.keys()


# what is hidden


@pytest.mark.parametrize("frame", [(20, 24, 22), (3, 40, 44)])
def test_erase_hides_its_share_of_the_volume_wherever_it_lies(frame):
    """With sides w = s sqrt(ratio), h = s / sqrt(ratio), d = s; a thin volume's depth is that of the box."""
    x = {"volume": torch.ones(16, 1, *frame)}
    y, p = af.erase(scale=(0.02, 0.1), ratio=(0.5, 2.0))(x, None, KEY)
    hidden = 1 - y["volume"][:, 0]
    torch.testing.assert_close(hidden.mean((1, 2, 3)), p["scale"], atol=1e-5, rtol=1e-4)
    depth, height, width = (hidden.amax(axes).sum(-1) for axes in ((2, 3), (1, 3), (1, 2)))
    s = (p["scale"] * math.prod(frame)) ** (1 / 3)
    flat = s.clamp(max=frame[0])
    area = p["scale"] * math.prod(frame) / flat
    for found, want in ((depth, flat), (width, (area * p["ratio"]).sqrt()), (height, (area / p["ratio"]).sqrt())):
        torch.testing.assert_close(found, want, atol=0.6, rtol=0)  # of the edges' pixels the largest share is seen
    for place, i in ((0.0, 0), (1.0, -1)):
        y, _ = af.erase(scale=0.1, ratio=1.0, position=place)(x, None, KEY)
        assert (y["volume"][..., i, i, i] == 0).all()


def test_holes_are_the_boxes_that_are_asked_for():
    """Cubes hang over the border; a hole's depth is the mean of the other two fractions where none is given; the last hole is
    smaller along each axis."""
    y, _ = af.cutout(size=0.5, position=at([0.0, 0.5, 1.0], 4))(ONES)
    want = torch.ones(FRAME)
    want[6:, 3:7, :2] = 0
    assert y["volume"][0].equal(want)
    y, _ = af.coarse_dropout(holes=1.0, height=0.4, width=0.6, position=0.0)({"volume": torch.ones(1, 10, 10, 10)})
    torch.testing.assert_close(1 - y["volume"].mean(), torch.tensor(0.6 * 0.4 * 0.5))
    two = torch.stack([at([0.0, 0.0, 0.0]), *[at([1.0, 1.0, 1.0])] * 15])
    y, _ = af.coarse_dropout(holes=1.5, height=0.4, width=0.5, depth=0.25, position=two)(ONES)
    want = torch.ones(FRAME)
    want[:2, :4, :6] = want[7:, 8:, 9:] = 0
    torch.testing.assert_close(y["volume"][0], want, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="depth of an image"):
        af.coarse_dropout(depth=(0.1, 0.2))(torch.ones(1, 8, 8), None, KEY)


def test_a_grid_of_cubes():
    y, _ = af.grid_mask(period=0.5, ratio=0.5, angle=0.0, offset=0.0)({"volume": torch.ones(1, 8, 8, 16)})
    hidden = torch.arange(16) % 4 < 2
    want = hidden[:8, None, None] & hidden[:8, None] & hidden
    torch.testing.assert_close(1 - y["volume"][0], want.float(), atol=1e-5, rtol=0)
    moved, _ = af.grid_mask(period=0.5, ratio=0.5, angle=0.0, offset=at([0.0, 0.0, 0.25]))(
        {"volume": torch.ones(1, 8, 8, 16)}
    )
    torch.testing.assert_close(moved["volume"], y["volume"].roll(1, -3), atol=1e-5, rtol=0)
    turned, _ = af.grid_mask(period=0.5, ratio=0.5, angle=30.0, offset=0.0)({"volume": torch.ones(1, 8, 8, 16)})
    flat, _ = af.grid_mask(period=0.5, ratio=0.5, angle=30.0, offset=0.0)(torch.ones(1, 8, 16))
    torch.testing.assert_close(turned["volume"][:, 0], flat, atol=1e-5, rtol=0)
    torch.testing.assert_close(turned["volume"][:, 2], torch.ones(1, 8, 16), atol=1e-5, rtol=0)


@pytest.mark.parametrize("planes", [False, True])
def test_whole_objects_of_a_volume_are_dropped(planes):
    mask = torch.arange(64).reshape(1, 4, 4, 4).repeat_interleave(2, -1).expand(20, 4, 4, 8)
    x = {"volume": torch.ones(20, 2, 4, 4, 8), "mask": mask[:, None] if planes else mask}
    y, _ = af.mask_dropout(p_object=0.3)(x, None, KEY)
    kept = y["volume"][:, 1] == 1
    assert kept[:, 0, 0, :2].all()
    assert y["mask"].reshape(mask.shape).equal(torch.where(kept, mask, 0))
    assert float((~kept).float().mean()) == pytest.approx(0.3, abs=0.04)
    with pytest.raises(ValueError, match="D, H, W"):
        af.mask_dropout()({"volume": ONES["volume"], "mask": torch.zeros(3, *FRAME)}, None, KEY)


@pytest.mark.parametrize("name", ["erase_noise", "patch"])
def test_slices_share_the_rectangle_of_what_is_planar(name):
    x = smooth_image((3,), 2, FRAME, torch.float32)
    y, p = getattr(af, name)(scale=0.3)({"volume": x}, None, KEY)
    changed = (y["volume"] != x).any(1)
    assert p["position"].shape == (3, 2)
    assert changed.any()
    assert changed.equal(changed[:, :1].expand_as(changed))


@pytest.mark.parametrize("name", ["erase", "cutout", "coarse_dropout", "grid_mask", "cutmix", "resizemix", "gridmix"])
def test_draws_of_images_are_those_of_their_streams(name):
    """A leaf that is larger in volumes still reads the first words of its stream for an image, entry after entry."""
    f = getattr(af, name)()
    x = torch.rand(3, 1, 8, 9)
    for path, value in f(x, None, KEY)[1].items():
        drawn, n = f.params[path], value[0].numel()
        if type(drawn) is af.Uniform:
            u = random.stream_uniform(KEY, (3,), (random.salt(path),) * n, tuple(range(n)))
            assert value.reshape(3, n).equal(drawn.draw(u)), path
    volume = f({"volume": torch.rand(3, 1, *FRAME)}, None, KEY)[1]
    assert any(volume[path].shape != value.shape for path, value in f(x, None, KEY)[1].items())


# what is mixed


def test_cutmix_box_by_box():
    """Half sides floor(cbrt(1 - weight) n / 2) about a whole voxel, clipped; the label is what is left of the volume."""
    x = torch.rand(8, 2, *FRAME)
    y, p = af.cutmix()({"volume": x, "label": torch.eye(8)}, None, KEY)
    order = p["order"].argsort().tolist()
    for i in range(8):
        other = order[(order.index(i) + 1) % 8]
        half = float((1 - p["weight"][i]) ** (1 / 3)) / 2
        want, window = x[i].clone(), [slice(None)]
        for a, n in zip((2, 1, 0), FRAME, strict=True):
            centre, reach = int(p["position"][i, a] * n), int(half * n)
            window.append(slice(max(centre - reach, 0), min(centre + reach, n)))
        want[tuple(window)] = x[other][tuple(window)]
        assert y["volume"][i].equal(want)
        share = math.prod(w.stop - w.start for w in window[1:]) / math.prod(FRAME)
        torch.testing.assert_close(y["label"][i, other], torch.tensor(share))


def test_the_weight_of_a_cut_is_a_share_of_the_volume():
    x = {"volume": torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1, 1).expand(2, 1, 64, 64, 64).contiguous()}
    for weight in (0.25, 0.5, 0.875):
        y, _ = af.cutmix(weight=weight, position=0.5)(x, None, KEY)
        torch.testing.assert_close(y["volume"].mean((1, 2, 3, 4))[1], torch.tensor(weight), atol=0.06, rtol=0)


@pytest.mark.parametrize("name", ["mixup", "cutmix", "resizemix", "gridmix", "fmix", "patchmix"])
def test_labels_masks_and_points_show_the_same_sample(name):
    n = 8
    levels = torch.arange(1.0, n + 1)
    x = {
        "volume": levels.reshape(n, 1, 1, 1, 1).expand(n, 2, *FRAME).contiguous(),
        "mask": levels.long().reshape(n, 1, 1, 1).expand(n, *FRAME).contiguous(),
        "keypoints": af.Keypoints(torch.rand(n, 40, 3) * (SIDES - 1)),
        "label": torch.eye(n),
    }
    y, _ = getattr(af, name)()(x, None, KEY)
    torch.testing.assert_close(y["volume"].mean((1, 2, 3, 4)), y["label"] @ levels)
    if name == "mixup":
        return
    if name != "resizemix":
        assert y["volume"][:, 0].equal(y["mask"].float())
    shown = values_at(y["mask"], y["keypoints"].xy)
    own = torch.arange(1, n + 1)[:, None]
    assert y["keypoints"].visible[:, :40].equal(shown[:, :40] == own)
    assert (shown != own)[:, 40:][y["keypoints"].visible[:, 40:]].all()


def values_at(mask, points):
    """Values `[n, k]` of `[n, D, H, W]` at the voxels of points `[n, k, 3]`."""
    column, row, plane = points.round().long().unbind(-1)
    return mask[torch.arange(len(mask))[:, None], plane, row, column]


@pytest.mark.parametrize("gate", [None, 0.5])
def test_boxes_are_copied_as_they_are_selected(gate):
    """Fast as without autograd, plain as with it."""
    f = af.cutmix() if gate is None else af.maybe(af.cutmix(), p=gate)
    x = targets_for(smooth_image((8,), 3, FRAME, torch.float32), 3) | {"label": torch.eye(8)}
    before = x["volume"].clone()
    y, params = f(x, None, KEY)
    plain, _ = f({**x, "volume": before.clone().requires_grad_()}, params)
    agree("fast and plain", y, {**plain, "volume": plain["volume"].detach()})
    assert x["volume"].equal(before)
    if gate:
        assert y["volume"][params["gate"] == 0].equal(before[params["gate"] == 0])


def test_what_does_not_take_volumes_says_what_does():
    with pytest.raises(ValueError, match=r"cutmix.*mixup"):
        af.pipeline(af.hflip3d(p=0.5), af.mosaic())(torch.rand(4, 1, 4, 8, 8), None, KEY)


# balls: every object has a number, so that a voxel says whose it is

SPACE, BALLS = (20, 22, 30), 3


def balls(n, seed):
    """Volumes with three balls each, apart from each other, their boxes, masks and centres; numbers from 1 on."""
    u = af.uniform(af.key(1000 + seed), (n, BALLS, 4))
    radius = 2.0 + 2.0 * u[..., 3:]
    room = torch.tensor([2.0, SPACE[1] - 9.0, SPACE[0] - 9.0])
    third = torch.tensor([10.0, 0.0, 0.0]) * torch.arange(BALLS)[:, None]
    centre = (third + 4 + u[..., :3] * room).round()
    grid = torch.stack(torch.meshgrid(*(torch.arange(s) for s in SPACE), indexing="ij")[::-1], -1)
    inside = ((grid - centre[..., None, None, None, :]) ** 2).sum(-1) <= (radius**2)[..., None, None]
    number = torch.arange(1, n * BALLS + 1).reshape(n, BALLS)
    mask = (inside * number[..., None, None, None]).sum(1)
    reach = radius.floor()
    return {
        "volume": mask[:, None].float(),
        "mask": mask,
        "instances": inside,
        "boxes": af.Boxes(torch.cat([centre - reach, centre + reach + 1], -1), labels=number, min_visibility=1e-3),
        "keypoints": af.Keypoints(centre),
    }


def around(region):
    """The box (xyzxyz) around the voxels of a region."""
    places = region.nonzero().flip(-1)
    return [*places.amin(0).tolist(), *(places.amax(0) + 1).tolist()]


def test_the_scene_is_what_it_says():
    x = balls(5, 0)
    assert x["instances"].flatten(2).any(-1).all()
    for i in range(5):
        for j in range(BALLS):
            assert x["boxes"].data[i, j].tolist() == around(x["instances"][i, j])


SCENES = {
    "erase": af.erase(scale=(0.05, 0.4), p=0.9),
    "coarse_dropout": af.coarse_dropout(holes=(4.0, 10.0), height=(0.2, 0.4), width=(0.2, 0.4), depth=(0.2, 0.5)),
    "cutout": af.cutout(size=(0.3, 0.8), holes=4),
    "grid_mask": af.grid_mask(),
    "mask_dropout": af.mask_dropout(),
    "cutmix": af.cutmix(),
    "gridmix": af.gridmix(),
    "fmix": af.fmix(),
    "copy_paste": af.copy_paste(),
    "after a turn": af.pipeline(af.hflip3d(p=0.5), af.dflip3d(p=0.5), af.cutmix(p=0.8), af.coarse_dropout(p=0.8)),
}


@pytest.mark.parametrize("name", SCENES)
def test_points_and_boxes_of_balls_are_those_of_their_voxels(name):
    """Of 30 scenes: a visible point lies on its own ball, a valid box is the one around what is left of it, `seen` its share."""
    counts = {"points": 0, "hidden": 0, "whole": 0, "cut": 0, "gone": 0}
    for seed in range(3):
        x = balls(10, seed)
        whole = torch.cat([torch.zeros(1), x["instances"].flatten(2).sum(-1).flatten().float()])
        y, _ = SCENES[name](x, None, af.key(seed))
        boxes, points, mask = y["boxes"], y["keypoints"], y["mask"]
        number, n = boxes.labels, points.xy.shape[-2]
        mine = values_at(mask, points.xy) == number
        assert n == BALLS * (2 if "mix" in kinds_of(SCENES[name]) else 1)
        assert mine[points.visible].all()
        assert not mine[~points.visible].any()
        for i, k in np.ndindex(10, n):
            region = mask[i] == number[i, k]
            assert region.equal(y["instances"][i, k])
            left = int(region.sum())
            assert bool(boxes.valid[i, k]) == (left > 0)
            if left:
                assert boxes.data[i, k].tolist() == around(region)
                assert boxes.seen[i, k].item() == pytest.approx(left / float(whole[number[i, k]]), abs=1e-5)
            counts["whole" if left == whole[number[i, k]] else "cut" if left else "gone"] += 1
        counts["points"] += int(points.visible.sum())
        counts["hidden"] += int((~points.visible).sum())
    assert min(counts["points"], counts["hidden"], counts["whole"], counts["cut"] + counts["gone"]) > 5, counts


@pytest.mark.parametrize("name", ["cutmix", "gridmix", "fmix", "patchmix"])
def test_boxes_without_masks_are_those_of_their_voxels(name):
    """A box is that of the voxels inside of it which show its sample, `seen` their share."""
    n, per = 6, 3
    numbers = torch.arange(n * per).reshape(n, per)
    low = (torch.rand(n, per, 3) * (SIDES - 6)).round()
    high = torch.minimum(low + (2 + 4 * torch.rand(n, per, 3)).round(), SIDES)
    x = {
        "volume": torch.arange(1.0, n + 1).reshape(n, 1, 1, 1, 1).expand(n, 1, *FRAME).contiguous(),
        "boxes": af.Boxes(torch.cat([low, high], -1), labels=numbers, min_visibility=1e-3),
    }
    grid = torch.stack(torch.meshgrid(*(torch.arange(s) + 0.5 for s in FRAME), indexing="ij")[::-1], -1)
    tried = 0
    for seed in range(8):
        y, _ = getattr(af, name)()(x, None, af.key(seed))
        boxes = y["boxes"]
        for i, k in np.ndindex(*boxes.valid.shape):
            of, j = divmod(int(boxes.labels[i, k]), per)
            inside = ((grid > low[of, j]) & (grid < high[of, j])).all(-1)
            region = inside & (y["volume"][i, 0] == of + 1)
            assert bool(boxes.valid[i, k]) == bool(region.any())
            if region.any():
                tried += 1
                assert boxes.data[i, k].tolist() == around(region)
                assert boxes.seen[i, k].item() == pytest.approx(int(region.sum()) / int(inside.sum()), abs=1e-4)
    assert tried > 50


def test_hidden_shares_of_boxes_without_masks():
    """Of the parts of voxels that a box and what is hidden have in common."""
    low = torch.rand(4, 5, 3) * (SIDES - 4)
    boxes = torch.cat([low, torch.minimum(low + 1 + 3 * torch.rand(4, 5, 3), SIDES)], -1)
    x = {"volume": torch.ones(4, 1, *FRAME), "boxes": af.Boxes(boxes, min_visibility=0.4)}
    y, _ = af.erase(scale=(0.2, 0.5))(x, None, KEY)
    hidden = 1 - y["volume"][:, 0]
    for i, k in np.ndindex(4, 5):
        ends = boxes[i, k].reshape(2, 3).flip(-1).T.tolist()
        lines = [
            (torch.arange(n + 1.0)[1:].clamp(max=b) - torch.arange(float(n)).clamp(min=a)).clamp(min=0)
            for n, (a, b) in zip(FRAME, ends, strict=True)
        ]
        weight = torch.einsum("i,j,k->ijk", *lines)
        seen = 1 - float((weight * hidden[i]).sum() / weight.sum())
        assert y["boxes"].seen[i, k].item() == pytest.approx(seen, abs=1e-4)
        assert bool(y["boxes"].valid[i, k]) == (seen >= 0.4) or abs(seen - 0.4) < 1e-3
    assert y["boxes"].data.equal(boxes)
    assert 0 < y["boxes"].valid.sum() < 20


def test_objects_without_masks_are_pasted_as_boxes():
    boxes = torch.tensor([[[0.0, 0, 0, 4, 4, 4]], [[4.0, 4, 4, 8, 8, 8]]])
    volume = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1, 1).expand(2, 1, 8, 8, 8).contiguous()
    y, _ = af.copy_paste(chance=1.0)({"volume": volume, "boxes": af.Boxes(boxes)}, None, KEY)
    assert y["volume"].sum((1, 2, 3, 4)).tolist() == [64, 448]
    assert (y["volume"][0, 0, 4:, 4:, 4:] == 1).all()
    assert (y["volume"][1, 0, :4, :4, :4] == 0).all()
    assert y["boxes"].valid.all()


# laws

MIXING = ("mixup", "cutmix", "resizemix", "gridmix", "fmix", "patchmix", "copy_paste", "transplant")
LAWFUL = {
    "erase": af.erase(),
    "cutout": af.cutout(size=(0.6, 1.0), holes=4),
    "coarse_dropout": af.coarse_dropout(holes=(4.0, 8.0), height=(0.3, 0.5), width=(0.3, 0.5)),
    "with a depth": af.coarse_dropout(holes=(4.0, 8.0), height=(0.3, 0.5), width=(0.3, 0.5), depth=(0.3, 0.6)),
    "grid_mask": example("grid_mask"),
    "mask_dropout": example("mask_dropout"),
    **{n: example(n) for n in MIXING},
}


def on_volumes(name):
    """Next to a step of three dimensions a bare tensor is a volume."""
    return af.pipeline(af.hflip3d(p=0.5), LAWFUL[name])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", LAWFUL)
def test_laws(name, dtype):
    """All but replay, whose twin for volumes is below, and compilation."""
    check(on_volumes(name), dtype=dtype, laws=sorted(LAWS.keys() - {7}))


@pytest.mark.parametrize("name", LAWFUL)
def test_replay_and_compile(name):
    c = case(on_volumes(name))
    y, params = c.f(c.x, None, c.key)
    agree("replay", c.f(c.x, params), (y, params))
    shapes = {path: (*c.batch, *leaf.shape) for path, leaf in c.leaves()}
    assert {path: tuple(v.shape) for path, v in leaves_of(params).items()} == shapes
    check(c.f, laws=[7])


@pytest.mark.parametrize("name", LAWFUL)
@pytest.mark.parametrize("batch", [(), (1,), (2, 3)])
def test_any_batch(name, batch):
    f = on_volumes(name)
    if not (f.mixes and not batch):
        check(f, batch=batch, channels=1, laws=[2, 3, 4, 8, 10])


def test_a_dict_with_a_volume_needs_no_other_step():
    """The same draws, without a step of three dimensions; gradients and vmap over its samples."""
    x = smooth_image((3,), 1, FRAME, torch.float64)
    f = af.erase(scale=(0.2, 0.4))
    y, p = f({"volume": x}, None, KEY)
    assert p["position"].shape == (3, 3)
    each = vmap(lambda x, p: f({"volume": x}, p)[0]["volume"])(x, p)
    torch.testing.assert_close(each, y["volume"])
    slope = grad(lambda p: f({"volume": x}, p)[0]["volume"].square().sum())(p)
    assert all(v.abs().sum() > 0 for v in slope.values())
    fast, _ = f.compiled(backend="eager")({"volume": x}, None, KEY)
    torch.testing.assert_close(fast["volume"], y["volume"])


def test_the_law_of_places_can_fail_in_volumes(monkeypatch):
    blind = lambda action, t, s: t.value  # noqa: E731
    with monkeypatch.context() as m:
        m.setitem(TABLE, (Occlusion, "keypoints"), blind)
        with pytest.raises(AssertionError, match="law 9"):
            check(on_volumes("erase"), laws=[9])
    monkeypatch.setitem(PAINT, "mask", lambda x, other, layer, s: x)
    with pytest.raises(AssertionError, match="law 9"):
        check(on_volumes("cutmix"), laws=[9])
