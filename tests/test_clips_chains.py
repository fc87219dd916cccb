"""Clips: steps in time after mixing, behind gates and beside paths; what belongs to a frame and what to the clip."""

import pytest
import torch

import augfn as af

B, T = 3, 4
K = af.key(0)


def clips():
    """Rows whose numbers say of which clip and frame they are."""
    b, t = torch.arange(float(B))[:, None, None], torch.arange(float(T))[None, :, None]
    low = torch.stack([t + b * 0, b + t * 0], -1).expand(B, T, 2, 2) + torch.tensor([[0.0], [2.0]])
    video = (torch.arange(float(B * T)).reshape(B, T, 1, 1, 1) / (B * T)).expand(B, T, 3, 8, 8)
    return {
        "video": video,
        "boxes": torch.cat([low, low + 1], -1),
        "bbox_coco": torch.cat([low, torch.ones(B, T, 2, 2)], -1),
        "keypoints": af.Keypoints(low, swap=((0, 1),)),
        "instances": torch.zeros(B, T, 2, 8, 8, dtype=torch.bool),
        "label": torch.eye(B),
    }


def no_instances(x):
    return {n: v for n, v in x.items() if n not in ("instances", "bbox_coco")}


ROLL = torch.tensor([1.0, 2.0, 0.0])


@pytest.mark.parametrize("left", [("instances",), ("boxes",), ("bbox_coco",)])
def test_frames_keep_their_rows_after_mixing(left):
    x = {n: v for n, v in clips().items() if n not in left}
    x = no_instances(x) if "instances" not in left and "boxes" not in left else x
    x.pop("instances", None)
    mix = af.mixup(weight=0.5, partner=ROLL)
    mixed, _ = mix(x, None, K)
    for f, of in ((af.time_reverse(), [3, 2, 1, 0]), (af.time_subsample(size=2), [1, 3])):
        y, _ = af.pipeline(mix, f)(x, None, K)
        for name in ("boxes", "bbox_coco", "video"):
            assert name not in y or torch.equal(y[name], mixed[name][:, of]), name
        assert torch.equal(y["keypoints"].xy, mixed["keypoints"].xy[:, of])
        assert y["keypoints"].swap == mixed["keypoints"].swap == ((0, 1), (2, 3))


def test_instance_masks_keep_their_frames_after_mixing():
    x = clips()
    x["instances"] = torch.arange(B * T * 2).reshape(B, T, 2, 1, 1).expand(B, T, 2, 8, 8).to(torch.uint8)
    x = {n: x[n] for n in ("video", "instances")}
    mix = af.mixup(weight=0.5, partner=ROLL)
    y, _ = af.pipeline(mix, af.time_reverse())(x, None, K)
    assert torch.equal(y["instances"], mix(x, None, K)[0]["instances"].flip(1))


def test_a_gated_step_in_time_after_mixing():
    x = {n: v for n, v in clips().items() if n != "instances" and n != "boxes"}
    mix = af.mixup(weight=0.5, partner=ROLL)
    mixed, _ = mix(x, None, K)
    gates = torch.tensor([1.0, 0.0, 1.0])
    y, _ = af.pipeline(mix, af.time_reverse(p=0.5))(x, {"time_reverse": {"gate": gates}}, K)
    for i, gate in enumerate(gates.tolist()):
        for name in ("video", "bbox_coco"):
            assert torch.equal(y[name][i], mixed[name][i].flip(0) if gate else mixed[name][i])


def test_mixing_twice_around_a_step_in_time():
    x = {n: v for n, v in clips().items() if n in ("video", "keypoints", "bbox_coco")}
    mix = af.mixup(weight=0.5, partner=ROLL)
    y, _ = af.pipeline(mix, af.time_crop(size=2, position=1.0), mix, af.hflip())(x, None, K)
    step, _ = mix(x, None, K)
    step = {n: v if n == "keypoints" else v[:, 2:] for n, v in step.items()}
    step["keypoints"] = af.Keypoints(step["keypoints"].xy[:, 2:], swap=step["keypoints"].swap)
    step, _ = af.pipeline(mix, af.hflip())(step, None, K)
    assert torch.equal(y["bbox_coco"], step["bbox_coco"])
    assert torch.equal(y["video"], step["video"])
    assert torch.equal(y["keypoints"].xy, step["keypoints"].xy)
    assert y["keypoints"].swap == step["keypoints"].swap


def test_sides_of_poses_are_exchanged_after_a_cut_in_time():
    x = {n: v for n, v in clips().items() if n in ("video", "keypoints")}
    y, _ = af.pipeline(af.time_crop(size=2, position=0.0), af.hflip())(x, None, K)
    whole, _ = af.hflip()(x, None, K)
    assert torch.equal(y["keypoints"].xy, whole["keypoints"].xy[:, :2])


PATH = af.rotate(degrees=af.Knots(-5.0, 5.0))


@pytest.mark.parametrize("step", [af.mixup(), af.maybe(af.cutmix(), 0.5), af.mask_crop(size=4), af.mask_dropout()])
def test_steps_that_look_beyond_a_frame_refuse_a_path_beside_them(step):
    x = {"video": torch.rand(B, T, 3, 8, 8), "mask": torch.ones(B, T, 8, 8, dtype=torch.long)}
    with pytest.raises(ValueError, match="runs a clip frame by frame"):
        af.pipeline(PATH, step)(x, None, K)


def test_a_path_beside_a_step_on_rgb_looks_at_channels():
    x = {"video": torch.rand(1, T, 1, 8, 8)}
    with pytest.raises(ValueError, match="needs three channels"):
        af.pipeline(PATH, af.saturation(factor=0.5, p=0.0))(x, None, K)


def test_views_along_paths():
    x = {"video": torch.rand(2, T, 3, 8, 8)}
    (one, two), params = af.views(PATH, 2)(x, None, K)
    assert params["view_1"]["degrees"].shape == (2, T)
    assert not torch.equal(one["video"], two["video"])
    assert torch.equal(PATH(x, params["view_2"])[0]["video"], two["video"])


CUT = af.time_crop(size=2)
SWITCHED = {
    "p": af.time_crop(size=2, p=0.5),
    "maybe": af.maybe(CUT, 0.5),
    "one_of": af.one_of(CUT, af.identity()),
    "relaxed": af.maybe(CUT, af.RelaxedBernoulli(torch.tensor(0.0))),
    "some_of": af.some_of(1, CUT, af.hflip()),
}


@pytest.mark.parametrize("how", SWITCHED)
def test_another_number_of_frames_cannot_be_switched(how):
    for key in map(af.key, range(4)):  # whatever a gate's draw
        with pytest.raises(ValueError, match="changes the number of frames cannot be switched"):
            SWITCHED[how]({"video": torch.rand(1 if how == "p" else 8, T, 3, 8, 8)}, None, key)


def test_what_belongs_to_the_clip_is_not_cut_in_time():
    """Where a size of it is that of the frames by chance."""
    t = 8
    x = {"video": torch.rand(2, t, 3, t, t), "mask": torch.zeros(2, t, t).long(), "image": torch.rand(2, t, t, t)}
    x |= {"label": torch.rand(2, t), "label_all": torch.rand(2, t, 5), "label_each": torch.zeros(2, t).long()}
    x |= {"label_flags": torch.zeros(2, t, dtype=torch.bool), "label_several": torch.zeros(2, t, 5).long()}
    x |= {"heatmap": torch.rand(2, t, t, t), "mask_each": torch.zeros(2, t, t, t).long()}
    y, _ = CUT(x, None, K)
    cut = {n for n, v in y.items() if v.shape[1] == 2}
    assert cut == {"video", "label_all", "label_each", "label_flags", "label_several", "mask_each"}


def test_steps_in_time_are_not_undone():
    x = {"video": torch.rand(2, T, 3, 8, 8)}
    for f in (af.time_reverse(), af.pipeline(af.hflip(), CUT)):
        y, params = f(x, None, K)
        with pytest.raises(ValueError, match="frames are not put back"):
            af.invert(f)(y, params)


BAD = {
    "another length": (af.hflip(), {"video": (2, 4, 3, 8, 8), "video_2": (2, 2, 3, 8, 8)}, "a clip of another length"),
    "no frames": (af.time_reverse(), {"video": (2, 0, 3, 8, 8)}, "a video of no frames"),
}


@pytest.mark.parametrize("case", BAD)
def test_clips_that_cannot_be(case):
    f, shapes, said = BAD[case]
    with pytest.raises(ValueError, match=said):
        f({n: torch.rand(s) for n, s in shapes.items()}, None, K)


@pytest.mark.parametrize("op", [af.mask_dropout(), af.mask_crop(size=4), af.transplant()])
def test_steps_that_look_at_a_mask_want_one_for_the_clip(op):
    x = {"video": torch.rand(2, T, 3, 8, 8), "mask": torch.ones(2, T, 8, 8, dtype=torch.long)}
    with pytest.raises(ValueError, match="another one in each frame"):
        op(x, None, K)
    assert op(x | {"mask": x["mask"][:, 0]}, None, K)[0]["video"].shape[:2] == (2, T)


def test_of_two_masks_that_of_the_name_is_looked_at():
    x = {
        "image": torch.rand(2, 3, 8, 8),
        "mask": torch.zeros(2, 8, 8).long(),
        "mask_lesion": torch.ones(2, 8, 8).long(),
    }
    y, _ = af.mask_dropout(p_object=1.0)(x, None, K)
    assert torch.equal(y["image"], x["image"])


def test_a_gate_has_no_path():
    with pytest.raises(ValueError, match="p over time"):
        af.gamma(p=af.Knots(0.0, 1.0))


def test_what_is_given_once_moves_with_every_frame_along_a_path():
    mask = torch.zeros(2, 16, 16, dtype=torch.long)
    mask[:, 4:9, 5:12] = 1
    x = {"video": mask[:, None, None].expand(2, T, 1, 16, 16).float(), "mask": mask}
    x |= {
        "boxes": torch.tensor([5.0, 4.0, 12.0, 9.0]).expand(2, 1, 4),
        "keypoints": torch.tensor([8.0, 6.0]).expand(2, 1, 2),
    }
    f = af.translate(translate=af.Knots((-0.1, -0.1), (0.1, 0.1)), interpolation="nearest")
    y, params = f(x, None, K)
    each = {n: v[:, None].expand(2, T, *v.shape[1:]) if n != "video" else v for n, v in x.items()}
    z, _ = f(each, params)
    assert all(torch.equal(y[n], z[n]) for n in x)
    assert torch.equal(y["video"][:, :, 0].long(), y["mask"])


def test_boxes_of_clips_are_padded_frame_by_frame():
    lists = [[[[0, 0, 2, 2]], []], [[[0, 0, 1, 1], [0, 0, 3, 3]], [[1, 1, 2, 2]]]]
    boxes = af.Boxes.pad(lists, labels=[[[1], []], [[2, 3], [4]]])
    assert boxes.data.shape == (2, 2, 2, 4)
    assert boxes.valid.tolist() == [[[True, False], [False, False]], [[True, True], [True, False]]]
    assert boxes.labels.tolist() == [[[1, 0], [0, 0]], [[2, 3], [4, 0]]]
    assert af.Boxes.pad([[], []]).data.shape == (2, 0, 4)
    with pytest.raises(ValueError, match="of so many frames"):
        af.Boxes.pad([lists[0], lists[1][:1]])
    with pytest.raises(ValueError, match=r"boxes\[1\]\[1\]\[0\] is no box"):
        af.Boxes.pad([lists[0], [[], [[5, 5, 1, 1]]]])


@pytest.mark.parametrize("plain", [False, True])
def test_a_batch_of_clips_with_boxes(plain):
    def clip(n):
        low = torch.rand(T, n, 2)
        boxes = af.Boxes(torch.cat([low, low + 2], -1), labels=torch.ones(T, n))
        x = {"video": torch.rand(T, 3, 8, 8), "boxes": boxes.data if plain else boxes}
        return x | {"instances": torch.ones(T, n, 8, 8)}

    batch = af.collate([clip(1), clip(3)])
    assert batch["boxes"].data.shape == (2, T, 3, 4)
    assert batch["boxes"].valid.sum((1, 2)).tolist() == [T, 3 * T]
    y, _ = af.pipeline(af.hflip(), af.time_reverse())(batch, None, K)
    assert y["instances"].shape == (2, T, 3, 8, 8)


def test_flow_of_the_last_frame():
    x = {"video": torch.rand(2, T, 3, 8, 8), "flow": torch.rand(2, T - 1, 2, 8, 8)}
    with pytest.raises(ValueError, match="one of zeros for the last frame"):
        af.hflip()(x, None, K)
    flow = x["flow"]
    x["flow"] = torch.cat([flow, 0 * flow[..., -1:, :, :, :]], -4)
    assert af.hflip()(x, None, K)[0]["flow"].shape == (2, T, 2, 8, 8)


def test_masks_of_clips_belong_to_their_boxes():
    def clip(boxes, masks):
        low = torch.rand(T, boxes, 2)
        return {
            "video": torch.rand(T, 3, 8, 8),
            "boxes": torch.cat([low, low + 2], -1),
            "instances": torch.ones(T, masks, 8, 8),
        }

    with pytest.raises(ValueError, match="2 masks, 1 boxes"):
        af.collate([clip(1, 2), clip(2, 1)])
    y, _ = af.hflip()([clip(1, 1), clip(2, 2)], None, K)
    assert y["instances"].shape == (2, T, 2, 8, 8)


def test_points_of_volumes_and_their_clips_in_lists():
    points = torch.tensor([[1.0, 2.0, 3.0], [2.0, 1.0, 1.0]])
    for x in (
        {"volume": torch.rand(1, 4, 8, 8), "keypoints": points},
        {"video": torch.rand(T, 1, 4, 8, 8), "keypoints": points.expand(T, 2, 3)},
    ):
        want = points * torch.tensor([-1.0, 1.0, 1.0]) + torch.tensor([7.0, 0.0, 0.0])
        for k in (
            af.hflip3d()([x, x], None, K)[0]["keypoints"],
            af.hflip3d()(af.collate([x, x]), None, K)[0]["keypoints"],
        ):
            assert torch.equal(k.xy, want.expand_as(k.xy))
            assert k.visible.dtype == torch.bool


def test_names_tell_the_format_of_boxes_in_lists():
    a = {"image": torch.rand(3, 20, 20), "bbox_coco": torch.tensor([[2.0, 3.0, 5.0, 4.0]])}
    b = {"image": torch.rand(3, 20, 20), "bbox_coco": torch.tensor([[2.0, 3.0, 5.0, 4.0], [1.0, 1.0, 6.0, 6.0]])}
    for y in (af.hflip()(af.collate([a, b]), None, K)[0], af.hflip()([a, b], None, K)[0]):
        assert y["bbox_coco"].format == "xywh"
        assert y["bbox_coco"].data[0, 0].tolist() == [13.0, 3.0, 5.0, 4.0]
