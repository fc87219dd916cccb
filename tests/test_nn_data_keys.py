"""Data keys: names, order and kinds of what AugmentationSequential is given, in positions or in a dict."""

import enum

import numpy as np
import pytest
import torch
from conftest import ROUNDS
from PIL import Image
from torch.utils._pytree import tree_leaves

import augfn as af
from augfn.testing.case import agree
from augfn_nn import (
    AugmentationSequential,
    CenterCrop,
    RandomGaussianNoise,
    RandomHorizontalFlip,
    RandomHorizontalFlip3D,
    RandomMixUp,
    RandomRotation,
)


def flips(**keywords):
    return AugmentationSequential(RandomHorizontalFlip(p=1.0), **keywords)


def same(a, b):
    for x, y in zip(tree_leaves(a), tree_leaves(b), strict=True):
        assert x.equal(y)


class DataKey(enum.Enum):
    INPUT = 0
    MASK = 1
    BBOX_XYXY = 3


class Format(enum.Enum):
    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWH = "CXCYWH"


class BoundingBoxes(torch.Tensor):  # stand-ins, since torchvision is not needed
    __module__ = "torchvision.tv_tensors"


class Video(torch.Tensor):
    __module__ = "torchvision.tv_tensors"


@pytest.mark.parametrize(
    ("form", "given", "want"),
    [
        (Format.XYXY, [2.0, 3.0, 6.0, 8.0], [14.0, 3.0, 18.0, 8.0]),
        (Format.XYWH, [2.0, 3.0, 4.0, 5.0], [14.0, 3.0, 4.0, 5.0]),
        (Format.CXCYWH, [4.0, 5.5, 4.0, 5.0], [16.0, 5.5, 4.0, 5.0]),
    ],
)
def test_boxes_of_torchvision_are_of_their_own_format(form, given, want):
    boxes = torch.tensor([given]).as_subclass(BoundingBoxes)
    boxes.format, boxes.canvas_size = form, (16, 20)
    x = torch.rand(3, 16, 20)
    y = flips(data_keys=["input", "bbox"], keepdim=True)(x, boxes)[1]  # a sample, as torchvision's datasets give it
    assert type(y) is torch.Tensor
    assert y.tolist() == [want]
    assert flips()({"image": x, "boxes": boxes})["boxes"].tolist() == [[want]]
    alone = RandomHorizontalFlip(p=1.0)({"image": x, "boxes": boxes})["boxes"]
    assert (alone.format, alone.data.tolist()) == (form.name.lower(), [[want]])


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("bbox_xyxy", torch.tensor([[[1.0, 1.0, 3.0, 4.0], [2.0, 2.0, 5.0, 6.0]]])),
        ("bbox_xywh", torch.tensor([[[1.0, 1.0, 3.0, 4.0]]])),
        ("bbox", torch.tensor([[[[1.0, 1.0], [3.0, 1.0], [3.0, 4.0], [1.0, 4.0]]]])),
        ("mask", torch.arange(80).reshape(1, 1, 8, 10)),
        ("softmask", torch.arange(80.0).reshape(1, 1, 8, 10)),
    ],
)
@pytest.mark.parametrize("keepdim", [False, True])
def test_a_batch_of_one_beside_an_image_without(key, given, keepdim):
    x = torch.rand(3, 8, 10)
    image, got = flips(data_keys=["input", key], keepdim=keepdim)(x, given)
    assert image.shape == (x if keepdim else x[None]).shape
    assert got.equal(flips(data_keys=["input", key])(x[None], given)[1])


def test_a_batch_of_one_in_a_dict():
    x = {"image": torch.rand(3, 8, 10), "boxes": af.Boxes.pad([[[1, 1, 3, 4]]], labels=[[7]])}
    y = RandomHorizontalFlip(p=1.0)(x)
    assert y["boxes"].data.tolist() == [[[7.0, 1.0, 9.0, 4.0]]]
    assert y["image"].shape == (1, 3, 8, 10)


def test_targets_by_keywords_are_a_dict():
    x, m = torch.rand(3, 8, 10), torch.ones(8, 10)
    aug = flips(targets={"seg": "mask"}, keepdim=True)
    same(aug(image=x, seg=m), aug({"image": x, "seg": m}))
    same(aug(image=x, params=aug._params), {"image": x.flip(-1)})
    with pytest.raises(ValueError, match=r"unknown data key(?s:.)*'ground': 'mask'"):
        aug(image=x, ground=m)
    with pytest.raises(TypeError, match=r"'mask'(?s:.)*extra_args(?s:.)*image=x, mask=m"):
        aug(x, mask=m)
    with pytest.raises(TypeError, match="did you mean 'params'"):
        aug(x, param={})


def test_a_clip_of_torchvision_is_a_video():
    clip = torch.rand(5, 3, 8, 8).as_subclass(Video)
    with pytest.raises(ValueError, match=r"one draw for all frames(?s:.)*video"):
        flips()(clip)
    assert flips(data_keys=["video"])(clip[None]).shape == (1, 5, 3, 8, 8)


def test_targets_of_volumes_and_clips():
    volume, affine, spacing = torch.rand(2, 1, 4, 5, 6), torch.eye(4).expand(2, 4, 4), torch.ones(2, 3)
    aug = AugmentationSequential(RandomHorizontalFlip3D(p=1.0), data_keys=["volume", "affine", "spacing"])
    flipped = aug(volume, affine, spacing)
    assert flipped[1][0, 0].tolist() == [-1.0, 0.0, 0.0, 5.0]
    same(list(aug({"volume": volume, "affine": affine, "spacing": spacing}).values()), flipped)
    clip = {"video": torch.rand(2, 3, 3, 4, 5), "flow": torch.ones(2, 3, 2, 4, 5)}
    assert (flips()(clip)["flow"][:, :, 0] == -1).all()


@pytest.mark.parametrize("keys", [["input", "mask"], ["IMAGE", "Mask"], [DataKey.INPUT, DataKey.MASK]])
def test_keys_in_any_case_and_as_enums(images, masks, keys):
    same(flips(data_keys=keys)(images, masks), [images.flip(-1), masks.flip(-1)])


def test_every_kind_of_target(images):
    keys = ["input", "mask", "bbox", "bbox_xywh", "keypoints", "class", "depth", "intrinsics", "mask", "bbox_yolo"]
    boxes = torch.tensor([[[1.0, 2.0, 5.0, 6.0]]]).expand(4, 1, 4)
    sizes = torch.tensor([[[1.0, 2.0, 4.0, 4.0]]]).expand(4, 1, 4)
    yolo = torch.tensor([[[0.25, 0.5, 0.25, 0.5]]]).expand(4, 1, 4)
    points, label = torch.tensor([[[3.0, 4.0]]]).expand(4, 1, 2), torch.arange(4)
    depth, camera, mask = (
        torch.rand(4, 1, 12, 16),
        torch.eye(3).expand(4, 3, 3),
        torch.ones(4, 12, 16, dtype=torch.bool),
    )
    given = [images, mask, boxes, sizes, points, label, depth, camera, mask.long(), yolo]
    out = dict(zip(range(10), flips(data_keys=keys)(*given), strict=True))
    assert [v.shape for v in out.values()] == [v.shape for v in given]
    assert [v.dtype for v in out.values()] == [v.dtype for v in given]
    assert out[2][0].tolist() == [[11.0, 2.0, 15.0, 6.0]]
    assert out[3][0].tolist() == [[11.0, 2.0, 4.0, 4.0]]
    assert out[4][0].tolist() == [[12.0, 4.0]]
    assert out[5].equal(label)
    agree("the matrix", out[7][0], torch.tensor([[-1.0, 0.0, 15.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), ROUNDS)
    torch.testing.assert_close(out[9][0], torch.tensor([[0.75, 0.5, 0.25, 0.5]]))


def test_boxes_and_keypoints_objects_keep_their_flags(images):
    boxes = af.Boxes(torch.tensor([[[0.0, 0.0, 2.0, 2.0]]]).expand(4, 1, 4))
    points = af.Keypoints(torch.zeros(4, 1, 2))
    aug = AugmentationSequential(CenterCrop(8), data_keys=["input", "bbox_xyxy", "keypoints"])
    _, b, k = aug(images, boxes, points)
    assert not b.valid.any()
    assert not k.visible.any()


def test_video_and_volume():
    clip = torch.rand(2, 5, 3, 8, 8)
    out = AugmentationSequential(RandomRotation(30, p=1.0), data_keys=["video"])
    same_frames = clip[:, :1].expand(2, 5, 3, 8, 8)
    turned = out(same_frames)
    assert turned.equal(turned[:, :1].expand_as(turned))
    volume, mask = torch.rand(2, 1, 4, 8, 8), torch.rand(2, 4, 8, 8)
    aug = AugmentationSequential(RandomHorizontalFlip3D(p=1.0), data_keys=["input", "mask"])
    same(aug(volume, mask), [volume.flip(-1), mask.flip(-1)])
    assert aug.transform_matrix.shape == (2, 4, 4)


def test_mixing_blends_labels(images):
    aug = AugmentationSequential(RandomMixUp(num_classes=4), data_keys=["input", "label"])
    _, soft = aug(images, torch.arange(4))
    torch.testing.assert_close(soft.sum(-1), torch.ones(4))
    torch.testing.assert_close(soft.diagonal(), aug._params["mixup"]["weight"])


def test_a_dict_is_understood_by_its_names(images, masks):
    sample = {"mask_lanes": masks, "image": images, "image_right": images, "bbox_xywh-left": torch.ones(4, 2, 4)}
    out = flips()(sample)
    assert list(out) == list(sample)
    same([out["mask_lanes"], out["image_right"]], [masks.flip(-1), images.flip(-1)])
    assert out["bbox_xywh-left"][0, 0].tolist() == [14.0, 1.0, 1.0, 1.0]
    assert list(sample) == ["mask_lanes", "image", "image_right", "bbox_xywh-left"]
    assert flips()({"input": images, "class": torch.arange(4)})["class"].tolist() == [0, 1, 2, 3]


def test_dict_and_positions_draw_the_same(images, masks):
    aug = AugmentationSequential(RandomRotation(30), RandomGaussianNoise(p=1.0), data_keys=["input", "mask"])
    a, b = aug(images, masks, generator=af.key(0)), aug({"image": images, "mask": masks}, generator=af.key(0))
    same(a, list(b.values()))


def test_a_tensor_keeps_the_rank_of_its_mask(images):
    mask = torch.rand(4, 12, 16)
    assert flips(data_keys=["input", "mask"])(images, mask)[1].shape == mask.shape


def test_extra_args(images, masks):
    extra = {"input": {"resample": "nearest"}, DataKey.MASK: {"resample": "NEAREST", "align_corners": None, "fill": 9}}
    aug = AugmentationSequential(RandomRotation((30, 30), p=1.0), data_keys=["input", "mask"], extra_args=extra)
    y, m = aug(images, masks)
    want, _ = af.rotate(degrees=30.0, interpolation="nearest", fill_mask=9)({"image": images, "mask": masks})
    same([y, m], list(want.values()))
    assert (m == 9).any()


def test_masks_and_points_as_arrays():
    """Numbers and types stay; a mask [H, W] or [H, W, C] beside an image [H, W, C], or with a batch, or of PIL."""
    image, mask = np.zeros((6, 8, 3), np.uint8), np.zeros((6, 8), np.int16)
    mask[:, :2] = 300
    aug = flips(data_keys=["input", "mask", "keypoints"])
    for given in (mask, mask[..., None], Image.fromarray(mask.astype(np.uint8))):
        _, m, k = aug(image, given, np.ones((1, 2), np.float32))
        assert m.dtype == torch.from_numpy(np.array(given)).dtype
        assert m[..., -2:].unique().tolist() == [int(np.array(given).max())]
        assert not m[..., :-2].any()
        assert k.flatten().tolist() == [6.0, 1.0]
    assert flips(keepdim=True)({"image": image, "mask": mask})["mask"].shape == mask.shape
    out = flips()({"image": image[None].repeat(2, 0), "mask": mask[None, ..., None].repeat(2, 0)})
    assert out["mask"].shape == (2, 1, 6, 8)
    cube = np.arange(512).reshape(8, 8, 8)  # a batch, whatever the sizes
    for images in (np.zeros((8, 8, 8, 3), np.uint8), torch.zeros(8, 3, 8, 8)):
        out = flips()({"image": images, "mask": cube})
        assert torch.equal(out["mask"], torch.from_numpy(cube).flip(-1))


def test_rows_beside_a_batch_of_one_image_are_its():
    boxes, points = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 4.0, 3.0]]), torch.tensor([[0.0, 1.0]])
    aug = flips(data_keys=["input", "bbox_xyxy", "bbox_xywh", "keypoints"])
    given = (torch.rand(1, 3, 4, 8), boxes, boxes.long(), points)
    out = aug(*given)
    assert out[1].tolist() == [[6.0, 0.0, 8.0, 2.0], [4.0, 1.0, 7.0, 3.0]]
    assert out[2].tolist() == [[6.0, 0.0, 2.0, 2.0], [3.0, 1.0, 4.0, 3.0]]
    assert out[3].tolist() == [[7.0, 1.0]]
    same(aug.inverse(*out)[1:], [boxes, boxes, points])
    same(flips(data_keys=None)({"image": given[0], "bbox_xyxy": boxes[:0]})["bbox_xyxy"], boxes[:0])
    with pytest.raises(ValueError, match=r"boxes_xyxy\[:, None\], if that is one for each sample"):
        flips(data_keys=["input", "bbox_xyxy"])(torch.rand(2, 3, 4, 8), boxes)
