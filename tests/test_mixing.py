"""Mixing: what the sources' own loops give, sample by sample, and detection through mosaic and copy-paste."""

import math
import os
from unittest import mock

import pytest
import torch
from conftest import ROUNDS

import augfn as af
from augfn_nn import Augment, RandomCutMix

K = af.key(0)
N = 8
LEVELS = torch.arange(1.0, N + 1)
FULL = bool(os.environ.get("AUGFN_FULL"))
FLAT = LEVELS[:, None, None, None].expand(N, 3, 12, 17).contiguous()
OPS = {
    "cutmix": af.cutmix(),
    "resizemix": af.resizemix(),
    "gridmix": af.gridmix(),
    "fmix": af.fmix(),
    "patchmix": af.patchmix(),
    "mixup": af.mixup(),
}


def test_cutmix_is_torchvisions_loop():
    """Half sides int(.5 sqrt(1 - lam) side) about a whole pixel, clipped; the weight is what is left of the area."""
    x = torch.rand(N, 3, 12, 17)
    y, p = af.cutmix()({"image": x, "label": torch.eye(N)}, None, K)
    order = p["order"].argsort()
    partner = {int(order[i]): int(order[(i + 1) % N]) for i in range(N)}
    for i in range(N):
        r = math.sqrt(1 - float(p["weight"][i])) / 2
        (cx, cy), (rw, rh) = (int(p["position"][i, a] * n) for a, n in ((0, 17), (1, 12))), (int(r * 17), int(r * 12))
        x1, x2, y1, y2 = max(cx - rw, 0), min(cx + rw, 17), max(cy - rh, 0), min(cy + rh, 12)
        want = x[i].clone()
        want[:, y1:y2, x1:x2] = x[partner[i], :, y1:y2, x1:x2]
        assert y["image"][i].equal(want)
        left = 1 - (x2 - x1) * (y2 - y1) / (12 * 17)
        torch.testing.assert_close(y["label"][i, i], torch.tensor(left))
        torch.testing.assert_close(y["label"][i, partner[i]], torch.tensor(1 - left))


@pytest.mark.parametrize("name", OPS)
def test_labels_are_shares_of_the_image(name):
    y, _ = OPS[name]({"image": FLAT, "label": torch.eye(N)}, None, K)
    torch.testing.assert_close(y["label"].sum(-1), torch.ones(N))
    torch.testing.assert_close(y["image"].mean((1, 2, 3)), y["label"] @ LEVELS)


@pytest.mark.parametrize("name", OPS)
def test_indices_become_soft_labels(name):
    f = getattr(af, name)(num_classes=N)
    y, params = f({"image": FLAT, "label": torch.arange(N)}, None, K)
    soft, _ = f({"image": FLAT, "label": torch.eye(N)}, params)
    torch.testing.assert_close(y["label"], soft["label"])
    with pytest.raises(ValueError, match="num_classes"):
        OPS[name]({"image": FLAT, "label": torch.arange(N)}, None, K)


@pytest.mark.parametrize("name", [n for n in OPS if n != "mixup"])
def test_masks_and_points_show_the_same_sample(name):
    x = {"image": FLAT, "mask": LEVELS.long()[:, None, None].expand(N, 12, 17).contiguous()}
    x["keypoints"] = af.Keypoints(torch.rand(N, 40, 2) * torch.tensor([16.0, 11.0]))
    y, _ = OPS[name](x, None, K)
    if name != "resizemix":  # whose rim is read between pixels of one level
        assert y["image"][:, 0].equal(y["mask"].float())
    k = y["keypoints"]
    at = k.xy[:, :40].round().long()
    shown = y["mask"].flatten(1).gather(1, at[..., 1] * 17 + at[..., 0])
    assert k.visible[:, :40].equal(shown == torch.arange(1, N + 1)[:, None])


def test_an_unmixed_sample_is_left_bit_for_bit():
    x = {
        "image": torch.rand(64, 3, 8, 8),
        "label": torch.eye(64),
        "boxes": af.Boxes(torch.tensor([[[1.0, 1, 6.3, 6.7]]] * 64)),
    }
    x["image"][3, 0, 0, 0] = torch.nan
    f = af.one_of(af.mixup(), af.cutmix(), af.identity(), weights=[0.3, 0.5, 0.2])
    y, params = f(x, None, K)
    free = params["choice"][:, 2] == 1
    assert 0 < free.sum() < 64
    assert y["image"][free].nan_to_num(7).equal(x["image"][free].nan_to_num(7))
    assert y["label"][free].equal(x["label"][free])
    assert y["boxes"].data[free][:, :1].equal(x["boxes"].data[free])
    assert not y["boxes"].valid[free][:, 1:].any()


def test_choices_of_mixes_per_sample_and_per_batch():
    f = af.one_of(af.mixup(), af.cutmix(), af.identity(), weights=[0.3, 0.5, 0.2])
    x = torch.rand(4000, 1, 2, 2)
    counts = f(x, None, K)[1]["choice"].sum(0) / 4000
    torch.testing.assert_close(counts, torch.tensor([0.3, 0.5, 0.2]), atol=0.03, rtol=0)
    shared = Augment(f, same_on_batch=True)
    shared(x[:16])
    assert all((v == v[:1]).all() for v in shared._params.values() if isinstance(v, torch.Tensor))


@pytest.mark.parametrize("name", ["patchmix", "gridmix", "fmix", "mosaic"])
def test_boxes_of_several_layers_are_those_of_their_pixels(name):
    """Every pixel tells whose it is: a valid box is that of the pixels of its sample inside of it, `seen` their share."""
    boxes = torch.rand(6, 4, 2) * 16
    boxes = torch.cat([boxes, boxes + 3 + 9 * torch.rand(6, 4, 2)], -1).round().clamp(max=24)
    image = torch.arange(1.0, 7.0).reshape(6, 1, 1, 1).expand(6, 1, 24, 24).contiguous()
    rows = torch.arange(24).reshape(6, 4)
    x = {"image": image, "boxes": af.Boxes(boxes, labels=rows, min_visibility=1e-3), "mask": boxes_filled(boxes, 24)}
    f = getattr(af, name)()
    for seed in range(20):
        y, p = f(x, None, af.key(seed))
        order = p["order"].argsort().tolist()
        at = {s: i for i, s in enumerate(order)}
        for i in range(6):
            for j in range(len(y["boxes"].valid[i])):
                k = order[(at[i] + j // 4) % 6]
                region = (y["image"][i, 0] == k + 1) & (y["mask"][i, j % 4] == 1)
                box, pixels = around(region)
                assert bool(y["boxes"].valid[i, j]) == (pixels > 0), (seed, i, j)
                if pixels:
                    assert y["boxes"].data[i, j].tolist() == pytest.approx(box, rel=0, abs=ROUNDS)
                    whole = (boxes[k, j % 4, 2:] - boxes[k, j % 4, :2]).prod()
                    assert y["boxes"].seen[i, j].item() == pytest.approx(pixels / whole.item(), abs=1e-4)


def boxes_filled(boxes, side):
    """For each box a channel that is 1 inside of it."""
    x1, y1, x2, y2 = (v[..., None, None] for v in boxes.unbind(-1))
    at = torch.arange(side) + 0.5
    return ((at[:, None] >= y1) & (at[:, None] < y2) & (at >= x1) & (at < x2)).long()


@pytest.mark.parametrize("n", [1, 2])
def test_a_choice_of_a_mosaic_has_as_many_rows_for_all(n):
    f = af.maybe(af.pipeline(af.mosaic(num_classes=3), af.resize(size=(12, 20))), p=0.5)
    x = {
        "image": torch.rand(2, 3, 12, 20),
        "boxes": af.Boxes(torch.tensor([[1.0, 1.0, 6.0, 6.0]]).repeat(2, n, 1), labels=torch.full((2, n), 7)),
        "keypoints": af.Keypoints(torch.full((2, n, 2), 3.0)),
        "instances": torch.ones(2, n, 12, 20),
        "label": torch.tensor([2, 1]),
    }
    y, _ = f(x, {"gate": torch.tensor([0.0, 1.0])}, K)
    assert y["boxes"].valid[0].tolist() == [True] * n + [False] * 3 * n
    assert y["boxes"].data[0, :n].equal(x["boxes"].data[0])
    assert y["keypoints"].visible[0].tolist() == [True] * n + [False] * 3 * n
    assert y["instances"].shape == (2, 4 * n, 12, 20)
    assert y["label"][0].tolist() == [0.0, 0.0, 1.0]


def test_mixes_of_a_choice_find_their_partners_as_they_came():
    f = af.one_of(af.mixup(weight=0.5), af.cutmix(weight=0.5, position=0.5), af.patchmix(), af.identity())
    x = {"image": torch.eye(60).reshape(60, 60, 1, 1).expand(-1, -1, 8, 8), "label": torch.eye(60)}
    y, p = f(x, None, K)
    seen = (y["image"] > 0).flatten(2).any(-1).sum(1)
    patches = p["choice"][:, 2] == 1
    assert seen[~patches].max() == 2
    torch.testing.assert_close(y["image"].mean((2, 3)), y["label"])


@pytest.mark.parametrize(
    ("f", "label", "advice"),
    [
        (af.mixup(num_classes=3), torch.eye(3).long(), r"label\.float"),
        (af.mixup(num_classes=10), torch.eye(3), "num_classes=10"),
        (
            af.one_of(af.mixup(num_classes=3), af.cutmix(num_classes=5)),
            torch.arange(3),
            "num_classes=5 in all branches",
        ),
    ],
)
def test_labels_that_are_not_of_these_classes(f, label, advice):
    with pytest.raises(ValueError, match=advice):
        f({"image": torch.rand(3, 1, 4, 4), "label": label}, None, K)


def test_a_column_of_class_indices_is_one_of_labels():
    y, _ = af.mixup(weight=1.0, num_classes=3)(
        {"image": torch.rand(3, 1, 4, 4), "label": torch.arange(3)[:, None]}, None, K
    )
    assert y["label"].equal(torch.eye(3))


def test_masks_that_may_be_instances():
    x = {"image": torch.rand(2, 1, 8, 8), "boxes": af.Boxes(torch.rand(2, 3, 4)), "masks": torch.ones(2, 3, 8, 8)}
    with pytest.warns(UserWarning, match="'instances'"):
        af.mixup()(x, None, K)


@pytest.mark.parametrize("soft", [False, True])
def test_partners_of_another_class(soft):
    label = torch.tensor([0, 0, 1, 1, 2, 2, 2])
    x = {"image": torch.arange(7.0).reshape(7, 1, 1, 1), "label": torch.eye(3)[label] if soft else label}
    for seed in range(20):
        y, p = af.mixup(weight=0.0, partners="other_class", num_classes=3)(x, None, af.key(seed))
        rank = p["order"].argsort().argsort().tolist()
        for i, found in enumerate(y["image"].flatten().long().tolist()):
            others = [j for j in range(7) if label[j] != label[i]]
            assert found == min(others, key=lambda j, i=i: (rank[j] - rank[i]) % 7)
    alone = {"image": x["image"], "label": torch.zeros(7, dtype=torch.long)}
    y, _ = af.mixup(partners="other_class", num_classes=3)(alone, None, K)
    torch.testing.assert_close(y["image"], x["image"])
    few = af.patchmix(partners="other_class", num_classes=3, weight=0.0)
    assert few(x | {"image": x["image"].expand(7, 1, 8, 8)}, None, K)[0]["label"][:2, 0].tolist() == [0, 0]


def test_partners_that_are_given():
    x = torch.arange(4.0).reshape(4, 1, 1, 1)
    y, p = af.mixup(weight=0.5)(x, {"partner": torch.arange(4.0).flip(0)}, K)  # timm's: the first with the last
    assert y.flatten().tolist() == [1.5] * 4
    assert af.mixup(weight=0.5)(x, p)[0].equal(y)
    three = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [3.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    y, _ = af.mosaic(partner=three)(x.expand(4, 1, 4, 4), None, K)
    shown = [set(v[v != torch.tensor(114 / 255)].tolist()) for v in y]
    assert shown == [{0.0, 1.0, 2.0, 3.0}, {0.0, 1.0}, {2.0, 3.0}, {2.0, 3.0}]


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda x: af.mixup(partners="same"), "other_class"),
        (lambda x: af.mixup(partner=4.0)(x, None, K), "numbers from 0 to 3"),
        (lambda x: af.mixup(partners="other_class")(x, None, K), "the label"),
    ],
)
def test_partners_that_there_are_not(call, advice):
    with pytest.raises(ValueError, match=advice):
        call(torch.rand(4, 1, 2, 2))


def test_replay_compile_and_module():
    x = {"image": torch.rand(N, 3, 12, 17), "label": torch.eye(N)}
    for name, f in OPS.items():
        y, params = f(x, None, K)
        assert f(x, params)[0]["image"].equal(y["image"]), name
    other = af.cutmix(partners="other_class")
    torch.testing.assert_close(other.compiled(backend="eager")(x, None, K)[0], other(x, None, K)[0])
    z, _ = af.cutmix().compiled(backend="eager")(x, None, K)
    torch.testing.assert_close(z["image"], af.cutmix()(x, None, K)[0]["image"])
    aug = RandomCutMix(cut_size=(0.2, 0.3))
    assert aug(x)["image"].shape == (N, 3, 12, 17)


def test_gradients_reach_the_image_and_the_weight():
    x = torch.rand(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(2, dtype=torch.float64, requires_grad=True)
    order = torch.rand(2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x, w: af.mixup()(x, {"weight": w, "order": order})[0], (x, weight))
    assert torch.autograd.gradcheck(lambda x: af.fmix()(x, af.fmix()(x, None, K)[1])[0], (x,))


@pytest.mark.parametrize("name", ["cutmix", "resizemix", "gridmix", "fmix", "patchmix", "mosaic"])
def test_cuts_are_for_videos_too(name):
    y, _ = getattr(af, name)()({"video": torch.rand(3, 4, 1, 8, 8), "label": torch.eye(3)}, None, K)
    assert y["video"].ndim == 5


def test_mosaic_tile_by_tile():
    x = {"image": torch.rand(5, 1, 8, 6), "label": torch.eye(5)}
    y, p = af.mosaic()(x, None, K)
    order = p["order"].argsort()
    at = {int(order[i]): i for i in range(5)}
    for i in range(5):
        canvas = torch.full((1, 16, 12), 114 / 255)
        cx, cy = (int(torch.round(p["centre"][i, a] * n)) for a, n in ((0, 12), (1, 16)))
        for k, (dy, dx) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            tile, left, top = x["image"][order[(at[i] + k) % 5]], cx - 6 * (1 - dx), cy - 8 * (1 - dy)
            for r in range(8):
                for c in range(6):
                    if 0 <= top + r < 16 and 0 <= left + c < 12:
                        canvas[0, top + r, left + c] = tile[0, r, c]
        torch.testing.assert_close(y["image"][i], canvas, atol=1e-5, rtol=0)


@pytest.mark.parametrize("gate", [None, 0.5])
@pytest.mark.parametrize("name", ["cutmix", "mosaic"])
def test_rectangles_are_copied_as_they_are_selected(name, gate):
    """Fast as without autograd, plain as with it; of boxes what their rows and columns say, and what all pixels do."""
    f = getattr(af, name)()
    f = f if gate is None or name == "mosaic" else af.maybe(f, p=gate)
    image, boxes = torch.rand(8, 3, 20, 24), torch.rand(8, 5, 2) * 12
    boxes = torch.cat([boxes, boxes + 1 + 7 * torch.rand(8, 5, 2)], -1)
    labels = torch.arange(40).reshape(8, 5)
    x = {
        "image": image,
        "video": image[:, None],
        "boxes": af.Boxes(boxes, labels=labels, min_visibility=0.2),
        "label": torch.eye(8),
    }
    y, params = f(x, None, K)
    plain, _ = f({**x, "image": image.clone().requires_grad_()}, params)
    assert y["image"].equal(plain["image"].detach())
    assert y["video"].equal(y["image"][:, None])
    assert image.equal(x["image"])
    with mock.patch("augfn.core.mixing.cover_for", lambda b, layer, size: (layer.cover.to(b.data.dtype),)):
        slow, _ = f(x, params)
    for field in ("valid", "labels"):
        assert getattr(y["boxes"], field).equal(getattr(slow["boxes"], field))
    for field in ("data", "seen"):
        torch.testing.assert_close(getattr(y["boxes"], field), getattr(slow["boxes"], field), atol=1e-5, rtol=0)


# detection: 500 scenes of known geometry

SIDE, OBJECTS = 128, 3


def scenes(n, key):
    """Images with filled rectangles and ellipses; for each object a channel of a mask, in which its box is filled with the
    number of its sample."""
    u = af.uniform(key, (n, OBJECTS, 4))
    side = 24 + 40 * u[..., :2]
    low = u[..., 2:] * (SIDE - side)
    boxes = torch.cat([low, low + side], -1).round()
    at = torch.arange(SIDE) + 0.5
    x, y = at[None, None, None, :], at[None, None, :, None]
    x1, y1, x2, y2 = (v[..., None, None] for v in boxes.unbind(-1))
    filled = (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
    ellipse = ((2 * x - x1 - x2) / (x2 - x1)) ** 2 + ((2 * y - y1 - y2) / (y2 - y1)) ** 2 <= 1
    objects = torch.where(torch.arange(OBJECTS)[:, None, None] % 2 == 0, filled, ellipse)
    mask = filled * torch.arange(1, n + 1)[:, None, None, None]
    return boxes, objects.float(), mask


def around(region):
    """The box around the pixels of a region, and their number."""
    rows, columns = region.any(-1).nonzero().flatten(), region.any(-2).nonzero().flatten()
    if not len(rows):
        return None, 0
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1], int(region.sum())


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def judged(y, which, pieces, objects=None):
    """All surviving boxes agree with what is rendered of them, none is a ghost, and what is well visible survives."""
    found = {"kept": 0, "below": 0, "ghosts": 0, "lost": 0, "outside": 0}
    for i in range(len(y["mask"])):
        for row, (channel, sample) in enumerate(which(i)):
            region = y["mask"][i, channel] == sample
            box, pixels = around(region)
            valid, given = bool(y["boxes"].valid[i, row]), y["boxes"].data[i, row].tolist()
            if not valid:
                found["lost"] += pixels > pieces and min(box[2] - box[0], box[3] - box[1]) >= 4
                continue
            found["kept"] += 1
            if box is None:
                found["ghosts"] += 1
                continue
            small = min(given[2] - given[0], given[3] - given[1]) < 16
            found["below"] += (not small) and iou(box, given) < 0.9
            found["outside"] += any(a < b - 1.01 for a, b in zip(box[:2], given[:2], strict=True)) or any(
                a > b + 1.01 for a, b in zip(box[2:], given[2:], strict=True)
            )
    return found


def test_boxes_of_a_mosaic_that_is_moved_are_those_of_its_tiles():
    kept = 0
    f = af.pipeline(af.mosaic(), af.affine(translate=((-0.1, 0.1),) * 2, scale=(0.7, 1.3)), af.hflip(p=0.5))
    for seed in range(25):
        boxes, objects, mask = scenes(10, af.key(seed))
        x = {"image": objects, "mask": mask, "boxes": af.Boxes(boxes, min_size=2.0)}
        y, p = f(x, None, af.key(100 + seed))
        order = p["mosaic"]["order"].argsort().tolist()
        at = {s: i for i, s in enumerate(order)}

        def which(i, order=order, at=at):
            return [(k, order[(at[i] + t) % 10] + 1) for t in range(4) for k in range(OBJECTS)]

        found = judged(y, which, 80)
        kept += found.pop("kept")
        assert not any(found.values()), (seed, found)
    assert kept > 1500


def copied(f, seed):
    """What is judged of copy-paste in ten scenes."""
    boxes, objects, mask = scenes(10, af.key(1000 + seed))
    x = {"image": objects, "mask": mask, "boxes": af.Boxes(boxes, min_size=2.0, min_visibility=0.1)}
    y, p = f(x, None, af.key(seed))
    order = p["copy_paste"]["order"].argsort().tolist()
    at = {s: i for i, s in enumerate(order)}

    def which(i):
        return [(k, s + 1) for s in (i, order[(at[i] + 1) % 10]) for k in range(OBJECTS)]

    return judged(y, which, 10**9)  # partners' boxes that were not drawn may be seen in part


def ellipses(boxes):
    """Instance masks of ellipses in boxes."""
    x1, y1, x2, y2 = (v[..., None, None] for v in boxes.unbind(-1))
    at = torch.arange(SIDE) + 0.5
    x, y = at[None, :], at[:, None]
    return ((2 * x - x1 - x2) / (x2 - x1)) ** 2 + ((2 * y - y1 - y2) / (y2 - y1)) ** 2 <= 1


def test_boxes_with_instance_masks_are_those_of_the_masks():
    """Mosaic, copy-paste, a turn and a flip of 100 scenes (with AUGFN_FULL=1 of 500), in which every object is an ellipse."""
    turn = af.affine(degrees=(-45, 45), translate=((-0.1, 0.1),) * 2, scale=(0.7, 1.3))
    f = af.pipeline(af.mosaic(), af.copy_paste(), turn, af.hflip(p=0.5), af.center_crop(size=SIDE))
    kept, filter_ = 0, {"min_size": 2.0, "min_visibility": 0.1}
    for seed in range(50 if FULL else 10):
        boxes, _, _ = scenes(10, af.key(seed))
        number = torch.arange(10 * OBJECTS).reshape(10, OBJECTS)
        x = {"instances": ellipses(boxes), "boxes": af.Boxes(boxes, labels=number, **filter_)}
        x["image"] = (x["instances"] * (number[..., None, None] + 1.0)).amax(1, keepdim=True)
        y, _ = f(x, None, af.key(seed))
        masks, b = y["instances"], y["boxes"]
        assert masks.shape[:2] == b.valid.shape == (10, 24)
        there = masks.flatten(2).any(-1)
        assert not (b.valid & ~there).any()
        for i, k in b.valid.nonzero().tolist():
            box, _ = around(masks[i, k])
            assert iou(box, b.data[i, k].tolist()) >= 0.9, (seed, i, k)
        shown = y["image"][:, 0].round()  # of a pixel inside of a mask its own number, or the blend at an edge
        held = torch.where(masks, b.labels[..., None, None] + 1.0, 0.0).amax(1)
        assert ((shown == held) | (held == 0)).float().mean() > 0.95
        lost = there & ~b.valid & (masks.flatten(2).sum(-1) > 600)  # a tenth of the largest one
        assert not lost.any(), (seed, lost.nonzero())
        kept += int(b.valid.sum())
    assert kept > 600


def test_instance_masks_are_pasted_hidden_and_left_alone():
    boxes = torch.tensor([[[0.0, 0.0, 4.0, 4.0]], [[3.0, 3.0, 6.0, 6.0]]])
    masks = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    masks[0, 0, 1:4, :4] = True
    masks[1, 0, 3:5, 3:6] = True  # a part of its box
    image = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 8, 8).contiguous()
    x = {"image": image, "boxes": af.Boxes(boxes, min_visibility=0.9), "instances": masks}
    y, _ = af.copy_paste(chance=1.0)(x, None, K)
    assert y["image"][0].sum() == 6  # the mask's pixels, not the box's
    assert y["instances"][0, 0].sum() == 11
    assert y["boxes"].data[0].tolist() == [[0, 1, 4, 4], [3, 3, 6, 6]]
    assert y["boxes"].valid.tolist() == [[True, True], [False, True]]  # 11 of 12 pixels are left, and 5 of 6
    same, _ = af.maybe(af.copy_paste(chance=1.0), p=0.0)(x, None, K)
    assert same["boxes"].data[:, :1].equal(boxes)
    assert same["instances"][:, :1].equal(masks)
    hidden, _ = af.erase(scale=0.25, ratio=1.0, position=0.0)(x, None, K)
    assert hidden["instances"][0].sum() == 0
    assert hidden["boxes"].valid.tolist() == [[False], [False]]  # again 5 of 6
    turned, _ = af.rotate(degrees=90.0)(x, None, K)
    assert turned["boxes"].data[1].tolist() == [[3, 2, 5, 5]]
    alone, _ = af.copy_paste(chance=1.0)({"image": image, "instances": masks}, None, K)
    assert alone["image"].equal(y["image"])


def test_a_box_whose_mask_is_empty_is_one_without():
    """Nothing of it is pasted; what is moved, hidden or covered follows the box."""
    image = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 16, 16).contiguous()
    boxes = af.Boxes(torch.tensor([[[2.0, 2.0, 6.0, 6.0]], [[9.0, 9.0, 14.0, 14.0]]]), min_visibility=0.5)
    x = {"image": image, "boxes": boxes, "instances": torch.zeros(2, 1, 16, 16)}
    y, _ = af.copy_paste(chance=1.0)(x, None, K)
    assert y["image"].equal(image)
    assert y["boxes"].valid.tolist() == [[True, False]] * 2
    bare = {n: v for n, v in x.items() if n != "instances"}
    for f in (
        af.cutmix(weight=0.3, position=0.5),
        af.cutout(size=1.0),
        af.hflip(),
        af.center_crop(size=8),
        af.mosaic(),
    ):
        with_masks, _ = f(x, None, K)
        without, _ = f(bare, None, K)
        assert with_masks["boxes"].valid.equal(without["boxes"].valid), f
        assert with_masks["boxes"].data.equal(without["boxes"].data), f


def test_a_loose_box_is_fitted_wherever_its_mask_is_moved():
    masks = torch.zeros(1, 2, 16, 16)
    masks[0, 0, 6:10, 6:10] = 1
    masks[0, 1, 6:10, 4:8] = 1
    boxes = torch.tensor([[[4.0, 4.0, 12.0, 12.0], [2.0, 4.0, 10.0, 12.0]]])
    y, _ = af.hflip()({"image": torch.rand(1, 1, 16, 16), "boxes": boxes, "instances": masks})
    assert y["boxes"].tolist() == [[[6, 6, 10, 10], [8, 6, 12, 10]]]


def test_a_mix_within_a_choice_sees_the_whole_batch():
    """Of a large batch too, which is otherwise run in slices."""
    z = torch.arange(512.0).reshape(-1, 1, 1, 1).expand(512, 3, 64, 64)
    f = af.maybe(af.pipeline(af.cutmix(weight=0.0, position=0.5), af.resize(size=32), af.resize(size=64)), p=0.5)
    params = {"gate": torch.ones(512), "pipeline": {"cutmix": {"partner": torch.zeros(512)}}}
    assert f(z, params, K)[0][:, 0, 32, 32].unique().tolist() == [0.0]


def test_plain_boxes_named_by_their_format_lose_their_area():
    x = {
        "image": torch.rand(2, 1, 16, 16),
        "boxes_xywh": torch.tensor([[[4.0, 4.0, 4.0, 4.0]], [[0.0, 0.0, 16.0, 16.0]]]),
    }
    y, _ = af.cutmix(weight=0.5, position=0.5)(x, None, K)
    assert y["boxes_xywh"][0].tolist() == [[0, 0, 0, 0], [3, 3, 10, 10]]


def test_instance_masks_of_several_numbers_are_one_batch():
    one, two = torch.ones(1, 6, 6, dtype=torch.bool), torch.ones(2, 6, 6, dtype=torch.bool)
    samples = [
        {"image": torch.rand(3, 6, 6), "instances": m, "boxes": torch.tensor([[0.0, 0.0, 6.0, 6.0]] * len(m))}
        for m in (one, two)
    ]
    for batch in (af.collate(samples), af.hflip()([{**s, "boxes": af.Boxes(s["boxes"])} for s in samples], None, K)[0]):
        assert batch["boxes"].valid.tolist() == [[True, False], [True, True]]
        assert batch["instances"].flatten(2).sum(-1).tolist() == [[36, 0], [36, 36]]
    y, _ = af.rotate(degrees=10.0)(af.collate(samples), None, K)
    masks, _ = af.drop_invalid(y["boxes"], y["instances"])
    assert [len(m) for m in masks] == [1, 2]


@pytest.mark.parametrize(
    ("masks", "more", "advice"),
    [
        (torch.zeros(2, 3, 8, 8), {}, "empty masks where a box is not valid"),
        (torch.zeros(2, 1, 8, 8), {"boxes_b": torch.zeros(2, 1, 4)}, "call the others 'mask'"),
        (torch.zeros(2, 8, 8), {}, "frame of 8x8"),
    ],
)
def test_instance_masks_that_belong_to_no_boxes(masks, more, advice):
    x = {"image": torch.zeros(2, 1, 8, 8), "boxes": torch.ones(2, 1, 4), "instances": masks, **more}
    with pytest.raises(ValueError, match=advice):
        af.hflip()(x, None, K)


MOVED = (af.affine(translate=((-0.1, 0.1),) * 2, scale=(0.7, 1.3)), af.hflip(p=0.5))


def test_boxes_after_copy_paste_are_those_of_what_is_left():
    """Images are moved, then pasted, as in the source."""
    f, kept = af.pipeline(*MOVED, af.copy_paste(chance=0.5)), 0
    for seed in range(25):
        found = copied(f, seed)
        kept += found.pop("kept")
        assert not any(found.values()), (seed, found)
    assert kept > 800


def test_what_is_pasted_and_then_cut_by_the_frame():
    """What is left of a box that was covered need not be a rectangle; where the frame cuts it afterwards, a box may be larger
    than what is seen, for one in a hundred."""
    f = af.pipeline(af.copy_paste(chance=0.5), *MOVED)
    found = [copied(f, seed) for seed in range(25)]
    total = {n: sum(one[n] for one in found) for n in found[0]}
    assert total["below"] + total["ghosts"] < total["kept"] / 50
    assert not total["lost"]
    assert not total["outside"]


def test_transplants_in_a_volume_with_its_boxes():
    """Pixel by pixel: what the partner's mask covers of a box is its partner's, the rest its own."""
    boxes = torch.tensor([[[1.0, 1.0, 1.0, 7.0, 6.0, 5.0]], [[2.0, 0.0, 2.0, 8.0, 4.0, 6.0]]])
    mask = torch.zeros(2, 6, 8, 9, dtype=torch.long)
    mask[1, :, :, :4] = 1
    mask[0, 2:4, 3:, 5:] = 1
    image = torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1, 1).expand(2, 1, 6, 8, 9).contiguous()
    x = {"volume": image, "mask": mask, "boxes": af.Boxes(boxes, min_visibility=1e-3)}
    y, _ = af.transplant()(x, None, K)
    at = torch.meshgrid(*(torch.arange(n) + 0.5 for n in (6, 8, 9)), indexing="ij")[::-1]
    for i in range(2):
        for j, k in enumerate((i, 1 - i)):
            low, high = boxes[k, 0].chunk(2)
            inside = torch.stack([(a >= lo) & (a < hi) for a, lo, hi in zip(at, low, high, strict=True)]).all(0)
            region = inside & (y["volume"][i, 0] == k + 1)
            assert y["boxes"].seen[i, j].item() == pytest.approx((region.sum() / inside.sum()).item())
            lines = [region.any(0).any(0), region.any(0).any(-1), region.any(-1).any(-1)]
            places = [v.nonzero().flatten() for v in lines]
            want = [*(p[0].item() for p in places), *(p[-1].item() + 1 for p in places)]
            assert y["boxes"].data[i, j].tolist() == want
