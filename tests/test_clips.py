"""Clips: annotations of every frame, one draw for a clip, paths over time, optical flow, which frames are seen."""

import pytest
import torch
from torch.nn import functional as F

import augfn as af
from augfn.core.augmentation import build
from augfn.core.spec import OF_CLIPS
from augfn.testing.case import agree, snapshot

T, H, W = 6, 64, 80


def clip_of(seed, s):
    """A rectangle on a straight way before a pattern: mask, box, centre in each of T frames, and the flow to the next; s times
    as large as 64 x 80."""
    g = torch.Generator().manual_seed(seed)
    half = s * (8 + 5 * torch.rand(2, generator=g))
    start = s * (torch.tensor([28.0, 24.0]) + 14 * torch.rand(2, generator=g))
    step = (torch.rand(2, generator=g) - 0.5) * 3 * s
    centre = start + step * torch.arange(T)[:, None]  # [T, 2], between pixels
    x, y = torch.arange(W * s).float(), torch.arange(H * s).float()[:, None]
    inside = ((x - centre[:, 0, None, None]).abs() <= half[0]) & ((y - centre[:, 1, None, None]).abs() <= half[1])
    ground = 0.3 + 0.1 * torch.sin(x / 6) * torch.cos(y / 7)
    texture = 0.7 + 0.1 * torch.sin((x - centre[:, 0, None, None]) / 5) * torch.cos((y - centre[:, 1, None, None]) / 6)
    return {
        "video": torch.where(inside, texture, ground)[:, None],
        "mask": inside.long(),
        "boxes": torch.cat([centre - half + 0.5, centre + half + 0.5], -1)[:, None],
        "keypoints": centre[:, None],
        "flow": torch.where(inside[:, None], step.reshape(2, 1, 1), torch.zeros(2, 1, 1)),
    }


def clips(n, s=1):
    each = [clip_of(i, s) for i in range(n)]
    x = {k: torch.stack([e[k] for e in each]) for k in each[0]}
    return x | {"boxes": af.Boxes(x["boxes"], clip=False), "keypoints": af.Keypoints(x["keypoints"])}


SHAKE = af.affine(
    degrees=af.Knots(-12.0, 12.0),
    translate=af.Knots((-0.04, -0.04), (0.04, 0.04)),
    scale=af.Knots(0.95, 1.15, n=3),
)
CAMERAS = {
    "one draw": af.affine(degrees=(-20, 20), translate=(-0.05, 0.05), scale=(0.9, 1.2)),
    "path": SHAKE,
    "path and flip": af.pipeline(af.hflip(p=0.5), SHAKE, af.brightness(factor=af.Knots(0.7, 1.3))),
    "crop": af.pipeline(SHAKE, af.random_crop(size=(56, 60))),
    "frame by frame": af.affine(degrees=af.Knots(-5.0, 5.0, n=None)),
}


LARGE = {**CAMERAS, "crop": af.pipeline(SHAKE, af.resized_crop(size=(170, 210), scale=(0.8, 1.0)))}


@pytest.mark.parametrize("how", LARGE)
def test_tracks_agree_with_what_is_rendered(how):
    """Boxes and centres with the masks, in each frame of 100 clips (of 25 for other cameras than the path)."""
    x = {n: v for n, v in clips(100 if how == "path" else 25, 3).items() if n not in ("video", "flow")}
    x["mask"] = x["mask"].to(torch.uint8)
    x["video"] = x["mask"][:, :, None].half()
    y, params = LARGE[how](x, None, af.key(3))
    seen, boxes, points = y["mask"].bool(), y["boxes"].data[:, :, 0], y["keypoints"].xy[:, :, 0]
    h, w = seen.shape[-2:]
    low, high = boxes.chunk(2, -1)
    whole = (low >= 0).all(-1) & (high[..., 0] <= w) & (high[..., 1] <= h)
    rows, columns = seen.any(-1).int(), seen.any(-2).int()
    found = [columns.argmax(-1), rows.argmax(-1), w - columns.flip(-1).argmax(-1), h - rows.flip(-1).argmax(-1)]
    found = torch.stack(found, -1).float()
    both = (torch.minimum(high, found[..., 2:]) - torch.maximum(low, found[..., :2])).clamp(min=0).prod(-1)
    areas = [(b[..., 2:] - b[..., :2]).prod(-1) for b in (boxes, found)]
    iou = both / (areas[0] + areas[1] - both)
    assert whole.float().mean() > 0.6
    assert iou[whole].min() >= 0.9
    grid = torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")[::-1], -1).float()
    middle = (grid * seen[..., None]).sum((-3, -2)) / seen.sum((-2, -1))[..., None]
    far = (middle - points)[whole].norm(dim=-1)  # of whole pixels, twice rounded
    assert far.max() < 1.1
    assert far.mean() < 0.4
    agree("replay", LARGE[how](x, params)[0], y)


@pytest.mark.parametrize("how", CAMERAS)
def test_flow_warps_one_frame_to_the_next(how):
    """The next frame, read where the flow points, is this frame, as it was before; and where the camera has no path the end
    points are those of the map."""
    x = clips(40)
    f = CAMERAS[how]
    y = f({n: x[n] for n in ("video", "mask", "flow")}, None, af.key(5))[0]
    if how == "path and flip":  # the light changes from frame to frame
        y |= f({n: x[n] for n in ("mask", "flow")} | {"video": x["video"] * 0 + x["video"][:, :1]}, None, af.key(5))[0]
        return
    for before, after in zip(range(T - 1), range(1, T), strict=True):
        flow = y["flow"][:, before]
        h, w = flow.shape[-2:]
        grid = torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")[::-1], -1).float()
        ends = grid + flow.movedim(1, -1)
        inside = ((ends >= 2) & (ends <= torch.tensor([w - 3.0, h - 3.0]))).all(-1)
        size = torch.tensor([w, h])
        read = F.grid_sample(y["video"][:, after], (2 * ends + 1) / size - 1, align_corners=False)[:, 0]
        mask = y["mask"].float()
        edge = F.max_pool2d(mask[:, before, None], 9, 1, 4) - (1 - F.max_pool2d(1 - mask[:, before, None], 9, 1, 4))
        there = F.grid_sample(mask[:, after, None], (2 * ends + 1) / size - 1, align_corners=False)[:, 0]
        kept = inside & (edge[:, 0] == 0) & ((there - mask[:, before]).abs() < 1e-3)
        # ends that come from outside of the scene show the fill
        kept = kept & (y["video"][:, before, 0] > 0.15) & (read > 0.15)
        assert kept.float().mean() > 0.3
        assert (read - y["video"][:, before, 0])[kept].abs().quantile(0.99) < 0.01


@pytest.mark.parametrize("how", ["one draw", "path", "crop", "frame by frame"])
def test_end_points_of_flow_are_those_of_keypoints(how):
    """A point of a frame, its flow, and the same point in the next frame as a keypoint: below .1 pixels."""
    x, f = clips(100), CAMERAS[how]
    x["keypoints"] = af.Keypoints(x["keypoints"].xy.round())
    centre = x["keypoints"].xy[:, :, 0]
    x["flow"] = torch.zeros_like(x["flow"])
    for t in range(T - 1):  # the same flow for all pixels of a frame, that of its keypoint
        x["flow"][:, t] = (centre[:, t + 1] - centre[:, t])[:, :, None, None]
    y, _params = f({n: x[n] for n in ("video", "flow", "keypoints")}, None, af.key(11))
    points = y["keypoints"].xy[:, :, 0]
    h, w = y["flow"].shape[-2:]
    for t in range(T - 1):
        where = (2 * points[:, t] + 1) / torch.tensor([w, h]) - 1
        inside = ((points[:, t] >= 1) & (points[:, t] <= torch.tensor([w - 2.0, h - 2.0]))).all(-1)
        flow = F.grid_sample(y["flow"][:, t], where[:, None, None], align_corners=False)[:, :, 0, 0]
        assert inside.sum() > 50
        assert (points[:, t] + flow - points[:, t + 1])[inside].norm(dim=-1).max() < 0.1


BENT = {
    "flip": af.hflip(),
    "turn": af.rot90(),
    "perspective": af.perspective(distortion_scale=0.3),
    "elastic": af.elastic(alpha=0.02),
    "crop": af.random_crop(size=(40, 50)),
}


@pytest.mark.parametrize("how", BENT)
def test_flow_follows_every_map(how):
    """Of a field that turns: its end points are those of keypoints."""
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(60.0), indexing="ij")
    flow = torch.stack([2 + 0.03 * (y - 24), 1 - 0.03 * (x - 30)])
    starts = torch.tensor([[20.0, 15], [30, 24], [40, 30], [25, 33]])
    ends = starts + torch.stack([flow[:, int(b), int(a)] for a, b in starts])
    f = BENT[how]
    if how == "turn":
        flow, size = flow[..., 6:54], 48
        starts, ends = starts - torch.tensor([6.0, 0]), ends - torch.tensor([6.0, 0])
        y, x = y[..., :size], x[..., :size]
    z, _ = f(
        {"image": x[None, None] / 60, "flow": flow[None], "keypoints": torch.cat([starts, ends])[None]}, None, af.key(2)
    )
    first, second = z["keypoints"][0].chunk(2)
    size = torch.tensor(z["flow"].shape[:1:-1])
    inside = ((first >= 1) & (first <= size - 2)).all(-1)
    got = F.grid_sample(z["flow"], ((2 * first + 1) / size - 1)[None, None], align_corners=False)[0, :, 0].mT
    assert inside.any()
    assert (first + got - second)[inside].abs().max() < 0.06


def test_what_is_not_over_time_is_drawn_once_for_a_clip():
    x = clips(3)
    f = af.pipeline(af.hflip(p=0.5), SHAKE, af.gaussian_noise(std=0.1))
    y, params = f(x, None, af.key(0))
    assert params["affine"]["degrees"].shape == (3, T)
    assert params["affine"]["translate"].shape == (3, T, 2)
    assert params["hflip"]["gate"].shape == (3,)
    assert params["gaussian_noise"]["std"].shape == (3,)
    still = af.gaussian_noise(std=0.1)(x, None, af.key(0))[0]["video"] - x["video"]
    noise = f(x, {**params, "gaussian_noise": {**params["gaussian_noise"], "std": torch.tensor(0.0)}})[0]["video"]
    noise = y["video"] - noise
    assert (noise[:, 0] - noise[:, 1]).std() > 0.05
    assert (still[:, 0] - still[:, 1]).std() > 0.05
    alone = {n: v[1:2] for n, v in x.items() if isinstance(v, torch.Tensor)}
    keys = af.split(af.key(0), 3)
    agree("another batch", f(alone, None, keys[1:2])[0]["video"], y["video"][1:2])


def test_a_path_stays_in_its_range_and_bends_smoothly():
    path = af.Knots(2.0, 3.0, n=4)
    clip = {"video": torch.rand(200, 31, 1, 4, 4)}
    values = af.rotate(degrees=path)(clip, None, af.key(0))[1]["degrees"]
    assert values.min() >= 2
    assert values.max() <= 3
    assert values.diff(dim=1).abs().max() < 0.16
    linear = af.rotate(degrees=af.Knots(2.0, 3.0, n=4, between="linear"))(clip, None, af.key(0))[1]["degrees"]
    agree("knots are the same", linear[:, ::10], values[:, ::10], 1e-6)
    agree("lines between them", linear[:, 5], (linear[:, 0] + linear[:, 10]) / 2, 1e-5)
    once = af.rotate(degrees=af.Knots(2.0, 3.0, n=1))(clip, None, af.key(0))[1]["degrees"]
    assert (once == once[:, :1]).all()


def test_paths_learn_compile_and_map():
    low = torch.tensor(-4.0, requires_grad=True)
    x = {"video": torch.rand(2, 5, 1, 12, 12)}
    f = af.rotate(degrees=af.Knots(low, 4.0, n=3))
    f(x, None, af.key(0))[0]["video"].square().mean().backward()
    assert low.grad.abs() > 0
    g = af.pipeline(af.rotate(degrees=af.Knots(-4.0, 4.0, n=3)), af.brightness(factor=(0.5, 1.5)))
    made = torch.compile(lambda v, k: g({"video": v}, None, k)[0]["video"], fullgraph=True, backend="eager")
    agree("compiled", made(x["video"], af.key(1)), g(x, None, af.key(1))[0]["video"], 1e-5)
    keys = af.split(af.key(1), 2)
    one = torch.func.vmap(lambda v, k: g({"video": v}, None, k)[0]["video"])(x["video"], keys)
    agree("mapped", one, g(x, None, keys)[0]["video"], 1e-5)


@pytest.mark.parametrize(
    ("f", "x", "words"),
    [
        (af.rotate(degrees=af.Knots(-1.0, 1.0)), {"image": torch.rand(2, 3, 8, 8)}, "a path over time needs a clip"),
        (af.time_reverse(), {"image": torch.rand(2, 3, 8, 8)}, "chooses frames of a clip"),
        (af.time_reverse(), {"video": torch.rand(2, 4, 3, 8, 8), "flow": torch.zeros(2, 4, 2, 8, 8)}, "no longer next"),
        (af.time_crop(size=2, p=0.5), {"video": torch.rand(2, 4, 3, 8, 8)}, "cannot be switched"),
        (af.time_crop(size=9), {"video": torch.rand(2, 4, 3, 8, 8)}, "at most 4"),
        (
            af.pipeline(af.time_reverse(), af.rotate(degrees=af.Knots(-1.0, 1.0))),
            {"video": torch.rand(2, 4, 3, 8, 8)},
            "one of both in a call",
        ),
    ],
)
def test_what_has_no_meaning_is_said(f, x, words):
    with pytest.raises(ValueError, match=words):
        f(x, None, af.key(0))


@pytest.mark.parametrize("given", [{"n": 0}, {"n": 1.5}, {"between": "cubic"}])
def test_knots_are_checked(given):
    with pytest.raises(TypeError, match="two ends"):
        af.Knots((-3.0, 3.0))
    with pytest.raises(ValueError, match="Knots"):
        af.Knots(0.0, 1.0, **given)


# which frames


def numbered(batch=2, frames=6):
    """A clip whose targets tell the number of their frame."""
    n = torch.arange(frames).float()
    rows = n[:, None, None].expand(batch, frames, 2, 1)
    return {
        "video": n[:, None, None, None].expand(batch, frames, 3, 9, 10).clone(),
        "mask": n.long()[:, None, None].expand(batch, frames, 9, 10).clone(),
        "mask_deep": n.long()[:, None, None, None].expand(batch, frames, 2, 9, 10).clone(),
        "depth": n[:, None, None, None].expand(batch, frames, 1, 9, 10) + 1,
        "boxes": af.Boxes(rows + torch.tensor([0.0, 0.0, 1.0, 2.0]), labels=rows[..., 0].long()),
        "boxes_xywh": rows + torch.tensor([0.0, 0.0, 1.0, 1.0]) * 1,
        "keypoints": rows.expand(-1, -1, -1, 2).clone(),
        "keypoints_people": rows[..., None].expand(batch, frames, 2, 3, 2).clone(),
        "label": torch.arange(batch),
    }


@pytest.mark.parametrize("name", OF_CLIPS)
def test_all_targets_of_a_frame_come_along(name):
    f = build(OF_CLIPS[name], OF_CLIPS[name].example)
    x = numbered()
    before = snapshot(x)
    y, params = f(x, None, af.key(4))
    agree("inputs", snapshot(x), before)
    seen = y["video"][:, :, 0, 0, 0]
    assert seen.shape[0] == 2
    agree("mask", y["mask"][..., 0, 0].float(), seen)
    agree("mask with channels", y["mask_deep"][..., 0, 0, 0].float(), seen)
    agree("depth", y["depth"][..., 0, 0, 0], seen + 1)
    agree("boxes", y["boxes"].data[..., 0, 0], seen)
    agree("labels", y["boxes"].labels[..., 1].float(), seen)
    agree("plain boxes", y["boxes_xywh"][..., 0, 0], seen)
    agree("points", y["keypoints"][..., 0, 0], seen)
    agree("people", y["keypoints_people"][..., 1, 2, 0], seen)
    agree("label", y["label"], x["label"])
    agree("replay", f(x, params)[0], y)
    keys = af.split(af.key(4), 2)
    alone = f({"video": x["video"][1:]}, None, keys[1:])[0]["video"]
    agree("alone", alone, y["video"][1:])
    mapped = torch.func.vmap(lambda v, k: f({"video": v}, None, k)[0]["video"])(x["video"], keys)
    agree("mapped", mapped, y["video"])
    made = torch.compile(lambda v, k: f({"video": v}, None, k)[0]["video"], fullgraph=True, backend="eager")
    agree("compiled", made(x["video"], af.key(4)), y["video"])


def test_frames_are_chosen_as_documented():
    x = numbered(batch=1, frames=8)

    def seen(f):
        return f(x, None, af.key(0))[0]["video"][0, :, 0, 0, 0].tolist()

    assert seen(af.time_crop(size=3, position=0.0)) == [0, 1, 2]
    assert seen(af.time_crop(size=3, position=1.0)) == [5, 6, 7]
    assert seen(af.time_subsample(size=4)) == [1, 3, 5, 7]
    assert seen(af.time_subsample(size=4, offset=0.0)) == [0, 2, 4, 6]
    assert seen(af.time_speed(factor=2.0)) == [0, 2, 4, 6, 7, 7, 7, 7]
    assert seen(af.time_speed(factor=0.5, position=0.0, size=4)) == [0, 1, 1, 2]
    assert seen(af.frame_dropout(p_frame=0.0)) == list(range(8))
    assert seen(af.pipeline(af.time_crop(size=4, position=0.0), af.time_reverse())) == [3, 2, 1, 0]


def test_a_time_crop_keeps_flow_and_mixes_with_space():
    x = {"video": torch.rand(2, 6, 1, 8, 8), "flow": torch.rand(2, 6, 2, 8, 8)}
    f = af.pipeline(af.time_crop(size=3), af.hflip())
    y, params = f(x, None, af.key(0))
    assert y["flow"].shape == (2, 3, 2, 8, 8)
    first = (params["time_crop"]["position"] * 4).floor().long()
    wanted = torch.stack([x["flow"][i, n : n + 3] for i, n in enumerate(first)]).flip(-1)
    agree("flow", y["flow"], torch.stack([-wanted[:, :, 0], wanted[:, :, 1]], 2), 1e-5)


def test_mixing_keeps_the_rows_of_each_frame():
    x = numbered()
    y = af.mixup(num_classes=2)({n: x[n] for n in ("video", "boxes", "keypoints", "label")}, None, af.key(1))[0]
    assert y["boxes"].data.shape == (2, 6, 4, 4)
    agree("own and the partner's", y["boxes"].data[0, :, :, 0], torch.arange(6.0)[:, None].expand(6, 4))


def test_volumes_over_time():
    """One draw for a series of volumes, with annotations for each."""
    x = {
        "video": torch.rand(2, 3, 1, 6, 7, 8),
        "mask": torch.randint(0, 3, (2, 3, 6, 7, 8)),
        "boxes": torch.tensor([2.0, 2, 2, 5, 5, 4]).expand(2, 3, 2, 6),
        "keypoints": torch.rand(2, 3, 4, 3) * 5,
        "flow": torch.zeros(2, 3, 3, 6, 7, 8),
    }
    f = af.pipeline(af.hflip3d(), af.random_crop3d(size=(4, 5, 6)))
    y, params = f(x, None, af.key(0))
    each = f({"volume": x["video"][:, 1], "mask": x["mask"][:, 1]}, params)[0]
    agree("volumes", y["video"][:, 1], each["volume"])
    agree("masks", y["mask"][:, 1], each["mask"])
    assert y["boxes"].shape == (2, 3, 2, 6)
    assert y["keypoints"].shape == (2, 3, 4, 3)
    drift = af.rotate3d(degrees=af.Knots(-10.0, 10.0))(x, None, af.key(0))
    assert drift[1]["degrees"].shape == (2, 3, 3)


def test_a_path_is_undone_frame_by_frame():
    x = clips(2)
    f = af.pipeline(af.hflip(p=0.5), af.affine(degrees=af.Knots(-10.0, 10.0), scale=(0.9, 1.1)))
    y, params = f({n: x[n] for n in ("video", "keypoints", "mask")}, None, af.key(0))
    back, valid = af.invert(f)(y, params)
    assert valid.shape == (2, T, H, W)
    assert (back["keypoints"].xy - x["keypoints"].xy).abs().max() < 1e-2
    assert (back["mask"] == x["mask"])[valid.bool()].float().mean() > 0.98


def test_what_a_path_returns_goes_on():
    """Intrinsics of each frame, and labels of each frame, are taken along."""
    x = {
        "video": torch.rand(2, 6, 3, 16, 16),
        "intrinsics": torch.eye(3).expand(2, 3, 3),
        "label": torch.arange(6).expand(2, 6),
    }
    y = af.affine(translate=af.Knots(-0.1, 0.1))(x, None, af.key(0))[0]
    assert y["intrinsics"].shape == (2, 6, 3, 3)
    z = af.pipeline(af.hflip(), af.time_crop(size=2, position=1.0))(y, None, af.key(0))[0]
    assert z["intrinsics"].shape == (2, 2, 3, 3)
    each = af.hflip()({"image": y["video"][:, 5], "intrinsics": y["intrinsics"][:, 5]})[0]["intrinsics"]
    agree("of a frame", z["intrinsics"][:, 1], each, 1e-5)
    agree("labels", z["label"], torch.tensor([[4, 5]] * 2))


def test_a_video_of_volumes_is_told_by_what_lies_on_it():
    v = torch.rand(2, 3, 2, 4, 5, 6)
    x = {"video": v, "affine": torch.eye(4).expand(2, 4, 4)}
    agree("time", af.time_reverse()(x)[0]["video"], v.flip(1))
    agree("score", af.zscore()(x)[0]["video"][:, 1], af.zscore()({"volume": v[:, 1]})[0]["volume"], 1e-5)
