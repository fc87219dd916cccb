"""Targets: how each kind is read, what geometry, colour, occlusion and mixing do to it, and its validity."""

import math

import pytest
import torch
from conftest import ROUNDS
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.flop_counter import FlopCounterMode

import augfn as af
from augfn.core.draw import leaves_of
from augfn.core.spec import SPECS
from augfn.core.targets import LAYOUT, kind_of, read
from augfn.math.resample import SIGNED
from augfn.testing import example
from augfn.testing.case import agree, cast, put, smooth_image, targets_for

K = af.key(0)
H, W = 15, 41
IMAGE = smooth_image((2,), 3, (H, W), torch.float32)
BOX = torch.tensor([[[10.0, 5.0, 20.0, 15.0]]]).expand(2, 1, 4)
POINT = torch.tensor([[[10.0, 5.0]]]).expand(2, 1, 2)


def image_with(**targets):
    return {"image": IMAGE, **targets}


# reading


@pytest.mark.parametrize(
    ("name", "kind"),
    [("image", "image"), ("image_right", "image"), ("mask_lanes", "mask"), ("boxes_1", "boxes"), ("seg", "mask")],
)
def test_kind_is_the_name_or_its_stem_or_given(name, kind):
    assert kind_of(name, {"seg": "mask"}) == kind


def test_pipeline_names_kinds():
    f = af.pipeline(af.hflip(), targets={"seg": "mask", "cam": "image"})
    y, _ = f({"cam": IMAGE, "seg": torch.arange(W).expand(2, H, W)})
    agree("cam", y["cam"], IMAGE.flip(-1))
    assert y["seg"][0, 0, 0] == W - 1


def test_a_combinator_knows_the_names_of_its_steps():
    inner = af.pipeline(af.hflip(), targets={"seg": "mask"})
    for f in (af.maybe(inner), af.repeat(inner, 2), af.pipeline(inner, targets={"cam": "image"})):
        x = {"image": IMAGE, "seg": torch.zeros(2, H, W)}
        assert list(f(x, None, K)[0]) == ["image", "seg"]


@pytest.mark.filterwarnings("ignore:boxes")  # which left the frame
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)], ids=str)
def test_leading_dims(batch):
    """Every target has the batch's leading dims, which are those of the frame."""
    x = {
        "image": torch.rand(*batch, 3, 8, 9),
        "mask": torch.zeros(*batch, 8, 9, dtype=torch.uint8),
        "mask_two": torch.zeros(*batch, 2, 8, 9, dtype=torch.bool),
        "depth": torch.rand(*batch, 1, 8, 9),
        "boxes": torch.rand(*batch, 4, 4),
        "boxes_kept": af.Boxes(torch.rand(*batch, 4, 4)),
        "keypoints": torch.rand(*batch, 5, 2),
        "keypoints_kept": af.Keypoints(torch.rand(*batch, 5, 2)),
        "intrinsics": torch.eye(3).expand(*batch, 3, 3),
        "label": torch.zeros(batch, dtype=torch.long),
    }
    assert read(x, 2, {}).batch == batch
    y, params = af.rotate()(x, None, K)
    assert params["degrees"].shape == batch
    assert list(y) == list(x)
    for name in x:
        shapes = [(t.shape, t.dtype) for t in tree_leaves(y[name])]
        assert shapes == [(t.shape, t.dtype) for t in tree_leaves(x[name])], name


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("batch", [(0,), (2, 0)], ids=str)
def test_an_empty_batch_is_a_batch(name, batch):
    f = example(name)
    x = targets_for(torch.rand(*batch, 3, *(9, 10, 11)[-f.ndim :]), f.ndim)
    y, params = f(x, None, K)
    assert all(t.shape[: len(batch)] == batch for t in tree_leaves((y, params)))
    agree("replay", f(x, params)[0], y)


def test_every_kind_has_a_layout_in_one_world():
    assert all(any(world is not None for world in layout) for layout in LAYOUT.values())


def test_bare_tensor_and_dict_agree():
    for f, x, name in (
        (af.gaussian_noise(), IMAGE, "image"),
        (af.pipeline(af.hflip3d(), af.gaussian_noise()), torch.rand(2, 1, 4, 5, 6), "volume"),
    ):
        agree(name, f(x, None, K)[0], f({name: x}, None, K)[0][name])


@pytest.mark.parametrize("value", [torch.rand(2, 3), {}, None, [3]])
def test_not_a_target(value):
    with pytest.raises((TypeError, ValueError)):
        af.hflip()(value)


# boxes and keypoints


def test_flip_convention():
    """Points are pixel centres (W - 1 - x), boxes are continuous edges (W - x)."""
    y, _ = af.hflip()(image_with(boxes=BOX, keypoints=POINT))
    assert y["boxes"][0, 0].tolist() == [21.0, 5.0, 31.0, 15.0]
    assert y["keypoints"][0, 0].tolist() == [30.0, 5.0]
    y, _ = af.vflip()(image_with(boxes=BOX, keypoints=POINT))
    assert y["boxes"][0, 0].tolist() == [10.0, 0.0, 20.0, 10.0]
    assert y["keypoints"][0, 0].tolist() == [10.0, 9.0]


def test_resize_convention():
    """Edges scale with the frame, centres by the half-pixel rule."""
    y, _ = af.resize(size=(2 * H, 2 * W))(image_with(boxes=BOX, keypoints=POINT))
    torch.testing.assert_close(y["boxes"], 2 * BOX)
    torch.testing.assert_close(y["keypoints"], 2 * POINT + 0.5)


FORMATS = {
    "xyxy": lambda x0, y0, x1, y1: (x0, y0, x1, y1),
    "xywh": lambda x0, y0, x1, y1: (x0, y0, x1 - x0, y1 - y0),
    "cxcywh": lambda x0, y0, x1, y1: ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0),
}


def boxes_in(form, xyxy, size):
    if form == "yolo":
        h, w = size
        return boxes_in("cxcywh", xyxy, size) / torch.tensor([w, h, w, h])
    return torch.stack(FORMATS[form](*xyxy.unbind(-1)), -1)


@pytest.mark.parametrize("form", [*FORMATS, "yolo"])
@pytest.mark.parametrize(
    "op", [af.hflip(), af.rotate(degrees=20), af.resize(size=(20, 30)), af.center_crop(size=(9, 25))]
)
def test_formats_agree(op, form):
    boxes = torch.tensor([[[10.0, 5.0, 20.0, 12.0], [0.0, 0.0, 41.0, 15.0]]]).expand(2, 2, 4)
    wanted, _ = op(image_with(boxes=af.Boxes(boxes)))
    given, _ = op(image_with(boxes=af.Boxes(boxes_in(form, boxes, (H, W)), form)))
    size = given["image"].shape[-2:]
    torch.testing.assert_close(given["boxes"].data, boxes_in(form, wanted["boxes"].data, size), atol=1e-5, rtol=1e-5)
    assert torch.equal(given["boxes"].valid, wanted["boxes"].valid)


def crop(boxes, **keywords):
    """The window [4, 24) x [3, 13) of the frame."""
    f = af.pipeline(af.random_crop(size=(10, 20)))
    position = torch.tensor([4.5 / (W - 20 + 1), 3.5 / (H - 10 + 1)])
    data = torch.tensor([boxes]).expand(2, -1, -1)
    return f(image_with(boxes=af.Boxes(data, **keywords)), {"random_crop": {"position": position[None]}})[0]["boxes"]


def test_boxes_are_clipped_and_lose_validity():
    out = crop([[0.0, 0.0, 8.0, 5.0], [30.0, 5.0, 35.0, 9.0], [10.0, 5.0, 12.0, 8.0]])
    want = torch.tensor([[0.0, 0.0, 4.0, 2.0], [20.0, 2.0, 20.0, 6.0], [6.0, 2.0, 8.0, 5.0]])
    agree("the boxes", out.data[0], want, ROUNDS)
    assert out.valid[0].tolist() == [True, False, True]


def test_boxes_need_not_be_clipped():
    out = crop([[0.0, 0.0, 8.0, 5.0]], clip=False)
    agree("the box", out.data[0], torch.tensor([[-4.0, -3.0, 4.0, 2.0]]), ROUNDS)


@pytest.mark.parametrize(
    ("keywords", "valid"),
    [
        ({}, True),
        ({"min_area": 7.9}, True),
        pytest.param({"min_area": 8.0}, False, marks=pytest.mark.whole),  # exactly
        ({"min_visibility": 0.2}, True),
        ({"min_visibility": 0.21}, False),
    ],
)
def test_thresholds_of_validity(keywords, valid):
    """A box of 8 x 5 of which 4 x 2, a fifth, is left."""
    assert crop([[0.0, 0.0, 8.0, 5.0]], **keywords).valid[0].item() is valid


def test_validity_does_not_come_back():
    f = af.pipeline(
        af.translate(translate=torch.tensor([0.9, 0.0])),
        af.brightness(),
        af.translate(translate=torch.tensor([-0.9, 0.0])),
    )
    y, _ = f(image_with(boxes=af.Boxes(BOX), keypoints=af.Keypoints(POINT)), None, K)
    assert not y["boxes"].valid.any()
    assert not y["keypoints"].visible.any()


def test_fused_steps_lose_nothing_between():
    """The same there and back as one resample: what leaves the frame in between is back."""
    f = af.pipeline(af.translate(translate=torch.tensor([0.9, 0.0])), af.translate(translate=torch.tensor([-0.9, 0.0])))
    y, _ = f(image_with(boxes=af.Boxes(BOX), keypoints=af.Keypoints(POINT)), None, K)
    assert y["boxes"].valid.all()
    torch.testing.assert_close(y["boxes"].data, BOX, atol=1e-4, rtol=0)


@pytest.mark.parametrize("degrees", [17.0, 45.0, 90.0])
def test_rotated_box_is_the_box_about_its_corners(degrees):
    y, _ = af.rotate(degrees=degrees)(image_with(boxes=af.Boxes(BOX, clip=False)))
    a = math.radians(degrees)
    centre = torch.tensor([W / 2, H / 2])
    corners = torch.tensor([[10.0, 5.0], [20.0, 5.0], [20.0, 15.0], [10.0, 15.0]]) - centre
    turned = corners @ torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]]) + centre
    wanted = torch.cat([turned.amin(0), turned.amax(0)])
    torch.testing.assert_close(y["boxes"].data[0, 0], wanted, atol=1e-4, rtol=0)


def test_keypoints_lose_visibility_beyond_half_a_pixel():
    points = torch.tensor([[[0.0, 0.0], [-0.5, 3.0], [-0.6, 3.0], [W - 0.5, 3.0], [W - 0.6, 3.0]]]).expand(2, 5, 2)
    y, _ = af.resize(size=(H, W))(image_with(keypoints=af.Keypoints(points)))
    assert y["keypoints"].visible[0].tolist() == [True, True, False, True, True]


@pytest.mark.filterwarnings("ignore:boxes")  # which left the frame
def test_plain_tensors_carry_no_flags():
    y, _ = af.translate(translate=2.0)(image_with(boxes=BOX, keypoints=POINT))
    assert isinstance(y["boxes"], torch.Tensor)
    assert y["keypoints"][0, 0].tolist() == [10.0 + 2 * W, 5.0 + 2 * H]


def test_drop_invalid():
    boxes = af.Boxes(torch.rand(2, 3, 4), valid=torch.tensor([[True, False, True], [False, False, False]]))
    names = torch.arange(6).reshape(2, 3)
    kept, labels = af.drop_invalid(boxes, names)
    assert [len(b) for b in kept] == [2, 0]
    assert labels[0].tolist() == [0, 2]


@pytest.mark.parametrize(
    "target", [af.Boxes(torch.rand(2, 3, 4), "yolo", min_area=2.0), af.Keypoints(torch.rand(2, 3, 2))]
)
def test_nodes(target):
    """Pytree nodes: tree_map reaches the tensors and keeps the settings; vmap maps over them."""
    twice = tree_map(lambda t: t.repeat(1, 2, *[1] * (t.ndim - 2)), target)
    assert type(twice) is type(target)
    assert getattr(twice, "format", "yolo") == "yolo"
    assert [t.shape[1] for t in tree_leaves(twice)] == [6, 6]
    name = type(target).__name__.lower()
    keys = af.split(K, 2)
    f = lambda x, k: af.rotate()(x, None, k)[0]  # noqa: E731
    agree("vmap", torch.func.vmap(f)(image_with(**{name: target}), keys), f(image_with(**{name: target}), keys), 1e-5)


# masks, depth, label


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool, torch.float32])
def test_masks_are_read_nearest(dtype):
    labels = torch.tensor([0, 3, 200, 7])
    mask = labels[torch.randint(4, (2, H, W))].to(dtype)
    y, _ = af.rotate(degrees=20)(image_with(mask=mask, mask_channel=mask[:, None]))
    assert y["mask"].dtype == dtype
    assert set(y["mask"].unique().tolist()) <= set(mask.unique().tolist()) | {0}
    agree("a channel", y["mask_channel"][:, 0], y["mask"])


def test_fill_of_masks_is_their_own():
    mask = torch.ones(2, H, W, dtype=torch.long)
    y, _ = af.rotate(degrees=45, fill=0.5, fill_mask=255)(image_with(mask=mask, depth=torch.ones(2, 1, H, W)))
    assert set(y["mask"].unique().tolist()) == {1, 255}
    assert set(y["depth"].unique().tolist()) == {0.0, 1.0}
    assert y["image"][0, 0, 0, 0] == 0.5


def test_a_fill_that_shows_nowhere_may_be_any():
    x = image_with(mask=torch.ones(2, H, W, dtype=torch.bool))
    for f in (
        af.pipeline(af.hflip(), fill_mask=255),
        af.rotate(padding_mode="border", fill_mask=255),
        af.d4(fill_mask=9),
    ):
        assert f(x, None, K)[0]["mask"].all()
    with pytest.raises(ValueError, match="fill_mask does not fit"):
        af.rotate(fill_mask=255)(x, None, K)


def test_depth_is_not_a_colour():
    x = image_with(depth=10 * torch.rand(2, 1, H, W), label=torch.tensor([1, 2]))
    f = af.pipeline(af.brightness(), af.gaussian_blur(), af.gaussian_noise(), af.color_twist(), af.erase())
    y, _ = f(x, None, K)
    agree("depth", y["depth"], x["depth"])
    agree("label", y["label"], x["label"])
    assert not torch.equal(y["image"], x["image"])


# video and pairs of images


@pytest.mark.parametrize(
    "name",
    [
        "rotate",
        "hflip",
        "elastic",
        "brightness",
        "contrast",
        "color_jitter",
        "color_twist",
        "hue",
        "gaussian_blur",
        "erase",
        "resized_crop",
        "perspective",
    ],
)
def test_video_has_one_draw_per_clip(name):
    video = smooth_image((2, 4), 3, (H, W), torch.float32)
    f = example(name)
    y, params = f({"video": video}, None, K)
    assert all(v.shape[:1] == (2,) for v in params.values())
    for t in range(4):
        frame = f({"image": video[:, t]}, params)[0]["image"]
        agree(f"frame {t}", y["video"][:, t], frame, 1e-5)


def test_video_fill_per_channel():
    f = af.erase(scale=1.0, ratio=W / H, fill=(0.1, 0.2, 0.3))
    y, _ = f({"video": torch.rand(2, 4, 3, H, W)}, None, K)
    torch.testing.assert_close(y["video"], torch.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1).expand(2, 4, 3, H, W))


def test_two_images_share_all_but_the_noise():
    x = {"image_left": IMAGE, "image_right": IMAGE}
    y, _ = af.pipeline(af.rotate(), af.color_jitter(brightness=(0.5, 1.5)))(x, None, K)
    agree("right and left", y["image_right"], y["image_left"])
    y, _ = af.gaussian_noise(std=0.1)(x, None, K)
    assert (y["image_right"] - y["image_left"]).std() > 0.1


def test_intrinsics_follow_the_frame():
    """Focal length and centre of a camera, through a flip, a resize and a crop."""
    camera = torch.tensor([[50.0, 0.0, 20.0], [0.0, 60.0, 7.0], [0.0, 0.0, 1.0]]).expand(2, 3, 3)
    y, _ = af.hflip()(image_with(intrinsics=camera))
    assert y["intrinsics"][0].tolist() == [[-50.0, 0.0, W - 1 - 20.0], [0.0, 60.0, 7.0], [0.0, 0.0, 1.0]]
    y, _ = af.center_crop(size=(H - 2, W - 4))(image_with(intrinsics=camera))
    torch.testing.assert_close(y["intrinsics"][0, :2, 2], torch.tensor([18.0, 6.0]))


# occlusion


def test_hidden_share_of_boxes():
    """A box loses validity when less than `min_visibility` of it is seen, by a count of finely divided pixels."""
    f = af.erase(scale=0.2, ratio=1.0)
    boxes = torch.rand(2, 20, 2, generator=torch.Generator().manual_seed(3)) * torch.tensor([W - 12.0, H - 8.0])
    boxes = torch.cat([boxes, boxes + torch.tensor([11.0, 7.0])], -1)
    x = {"image": torch.ones(2, 1, H, W), "boxes": af.Boxes(boxes, min_visibility=0.6)}
    y, _ = f(x, None, K)
    fine = y["image"].repeat_interleave(20, -1).repeat_interleave(20, -2)
    for b in range(2):
        for box, valid in zip(boxes[b], y["boxes"].valid[b], strict=True):
            x0, y0, x1, y1 = (20 * box).round().int().tolist()
            share = fine[b, 0, y0:y1, x0:x1].mean()
            assert valid == (share >= 0.6) or abs(share - 0.6) < 0.02
    assert 0 < y["boxes"].valid.sum() < 40


# volumes


def test_volume_targets():
    """Boxes of six numbers, keypoints of three, masks: a flip of each axis."""
    size = (4, 5, 7)
    x = {
        "volume": smooth_image((2,), 1, size, torch.float32),
        "mask": torch.randint(5, (2, *size)),
        "boxes": torch.tensor([[[1.0, 1.0, 0.0, 3.0, 4.0, 2.0]]]).expand(2, 1, 6),
        "keypoints": torch.tensor([[[1.0, 2.0, 3.0]]]).expand(2, 1, 3),
    }
    y, _ = af.pipeline(af.hflip3d(), af.vflip3d(), af.dflip3d())(x)
    agree("volume", y["volume"], x["volume"].flip((-1, -2, -3)))
    agree("mask", y["mask"], x["mask"].flip((-1, -2, -3)))
    torch.testing.assert_close(y["boxes"][0, 0], torch.tensor([4.0, 1.0, 2.0, 6.0, 4.0, 4.0]))
    torch.testing.assert_close(y["keypoints"][0, 0], torch.tensor([5.0, 2.0, 0.0]))


@pytest.mark.parametrize("batch", [(), (2,)], ids=str)
def test_fill_of_a_volume_per_channel(batch):
    volume = torch.rand(*batch, 2, 6, 6, 6)
    y, _ = af.rotate3d(degrees=torch.tensor([0.0, 0.0, 45.0]), fill=(0.1, 0.7))(volume)
    torch.testing.assert_close(y[..., 0, 0, 0], torch.tensor([0.1, 0.7]).expand(*batch, 2))


@pytest.mark.parametrize(("n", "size"), [(500, 250), (224, 112), (100, 224), (97, 61)])
def test_masks_are_resized_without_an_irregular_step(n, size):
    mask = torch.arange(n).expand(4, n)
    y = af.resize(size=(4, size))({"image": torch.rand(1, 4, n), "mask": mask})[0]["mask"]
    exact = torch.nn.functional.interpolate(mask[None, None].double(), (4, size), mode="nearest-exact")[0, 0]
    assert y.equal(exact.long())


LABELS = torch.tensor([0, 1, 2**53 + 1, 2**62 + 3])
WIDTHS = {torch.uint16: 2**16, torch.uint32: 2**32, torch.uint64: 2**64, torch.int64: 2**64, torch.uint8: 2**8}


@pytest.mark.parametrize("dtype", [pytest.param(d, marks=[pytest.mark.whole] * (d in SIGNED)) for d in WIDTHS], ids=str)
@pytest.mark.parametrize("name", [n for n in SPECS if n != "mask_dropout"])  # which looks for objects of one label
def test_labels_of_any_width_are_copied(name, dtype):
    """A mask of large numbers moves as the mask of their names 0, 1, 2, 3 does."""
    f = af.transplant(classes=(1,)) if name == "transplant" else example(name)  # else a label is drawn by its number
    labels = (
        LABELS.to(dtype)
        if dtype in (torch.int64, torch.uint64)
        else torch.tensor([0, 1, 2, WIDTHS[dtype] - 1], dtype=dtype)
    )
    x = targets_for(smooth_image((3,), 3, (9, 11) if f.ndim == 2 else (6, 7, 9), torch.float32), f.ndim)
    names = x["mask"] % 4
    y, params = f({**x, "mask": names}, None, af.key(0))
    got = f({**x, "mask": labels.view(SIGNED.get(dtype, dtype))[names].view(dtype)}, params)[0]["mask"]
    want = labels.view(SIGNED.get(dtype, dtype))[y["mask"]].view(dtype)
    assert got.dtype == dtype
    assert torch.equal(got.view(SIGNED.get(dtype, dtype)), want.view(SIGNED.get(dtype, dtype)))


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint64])
def test_unsigned_masks_take_their_largest_fill(dtype):
    fill = torch.iinfo(dtype).max if dtype == torch.uint16 else 2**63
    mask = torch.ones(1, 4, 4, dtype=torch.int16 if dtype == torch.uint16 else torch.int64).view(dtype)
    for f in (af.pad(padding=1, fill_mask=fill), af.translate(translate=0.25, fill_mask=fill)):
        y = f({"image": torch.zeros(1, 3, 4, 4), "mask": mask})[0]["mask"]
        assert y.dtype == dtype
        assert y[0, 0, 0].item() == fill


def test_labels_are_exact_under_vmap_and_compile():
    f = af.pipeline(af.hflip(p=0.5), af.rotate(degrees=(-40, 40)), padding_mode="border")
    x = {"image": torch.rand(3, 3, 9, 9), "mask": LABELS[torch.arange(243).reshape(3, 9, 9) % 4]}
    y, params = f(x, None, af.key(0))
    assert set(y["mask"].unique().tolist()) == set(LABELS.tolist())
    assert torch.equal(torch.func.vmap(f)(x, params)[0]["mask"], y["mask"])
    assert torch.equal(torch.compile(f, fullgraph=True, backend="aot_eager")(x, params)[0]["mask"], y["mask"])


@pytest.mark.parametrize("name", SPECS)
def test_outputs_are_contiguous(name):
    f = example(name)
    image = smooth_image((2,), 3, (20, 24) if f.ndim == 2 else (6, 7, 9), torch.float32)
    for x in (image, image.clone().requires_grad_()):
        whole = targets_for(x, f.ndim)
        if f.ndim == 2:
            whole["video"] = torch.stack([x, x.flip(-1)], 1)
        for target, y in f(whole, None, af.key(0))[0].items():
            for t in tree_leaves(y):
                assert t.is_contiguous(), target


@pytest.mark.parametrize("name", SPECS)
def test_leaves_may_be_wider_than_the_image(name):
    """In float64, all of them or one beside others, drawn or as ranges."""
    f = example(name)
    x = targets_for(smooth_image((2,), 3, (9, 11) if f.ndim == 2 else (6, 7, 9), torch.float32), f.ndim)
    image = "image" if f.ndim == 2 else "volume"
    y, params = f(x, None, af.key(0))
    paths = leaves_of(params)
    for wide in (cast(params, torch.float64), *(put(params, p, v.double()) for p, v in paths.items())):
        z = f(x, wide)[0]
        assert z[image].dtype == torch.float32
        torch.testing.assert_close(z[image], y[image], atol=1e-4, rtol=0)
    assert f(x, cast(f.params, torch.float64), af.key(0))[0][image].dtype == torch.float32


@pytest.mark.parametrize("name", SPECS)
def test_the_default_dtype_may_be_float64(name):
    torch.set_default_dtype(torch.float64)
    try:
        f = example(name)
        x = targets_for(smooth_image((2,), 3, (9, 11) if f.ndim == 2 else (6, 7, 9), torch.float32), f.ndim)
        y, params = f(x, None, af.key(0))
        for drawn in (params, cast(params, torch.float32), cast(params, torch.float64)):
            z = f(x, drawn)[0]
            assert [t.dtype for t in tree_leaves(z)] == [t.dtype for t in tree_leaves(y)]
        image = "image" if f.ndim == 2 else "volume"
        assert y[image].dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


ALONG_AN_AXIS = (
    "ghosting",
    "motion_artifact",
)  # circulant products along one axis, as fast as transforms at these sides


@pytest.mark.parametrize("name", [n for n in SPECS if n not in ALONG_AN_AXIS])
def test_products_are_linear_in_pixels(name):
    """Of matrices and convolutions, with gradients to the image and the leaves: dense weights along a side would be cubic."""

    def flops(side):
        spec = SPECS[name]
        dims = spec.ndim
        f = example(name, **({"size": (side,) * dims} if spec.kind == "geometric" and "size" in spec.static else {}))
        x = smooth_image((2,), 1 if f.bare else 3, (side,) * f.ndim, torch.float32)
        params = tree_map(lambda t: t.requires_grad_(), f(x, None, af.key(0))[1])
        with FlopCounterMode(display=False) as counter:
            f(x.requires_grad_(), params)[0].sum().backward()
        return counter.get_total_flops()

    small, large = (flops(side) for side in ((16, 32) if SPECS[name].ndim == 2 else (8, 16)))
    assert large <= 1.1 * small * 2 ** SPECS[name].ndim
