"""Advice that works: each mistake is made, its message read, and what it says to do is done, word for word."""

import re
import warnings

import numpy as np
import pytest
import torch
from test_errors import MISTAKES
from torch import nn

import augfn as af
import augfn_nn

BYTES = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
PHOTO = np.zeros((8, 10, 3), np.uint8)
STEPS = {"steps": [af.hflip(), af.vflip()]}
ERRORS = (TypeError, ValueError, AttributeError, IndexError)


def names():
    """What the snippets below speak of."""
    x, key = torch.rand(2, 3, 8, 8), af.key(0)
    boxes = af.Boxes(torch.tensor([[[0.0, 0.0, 4.0, 4.0]]] * 2), labels=torch.tensor([[1], [2]]))
    return {
        "af": af,
        "augfn_nn": augfn_nn,
        "AugmentationSequential": augfn_nn.AugmentationSequential,
        "Augment": augfn_nn.Augment,
        "torch": torch,
        "np": np,
        "nn": nn,
        "x": x,
        "image": x,
        "key": key,
        "mask": torch.zeros(2, 8, 8, dtype=torch.long),
        "keypoints": torch.rand(2, 4, 2),
        "labels": torch.tensor([0, 1]),
        "boxes": boxes,
        "batch": {"image": x, "boxes": boxes},
        "heatmap": torch.rand(2, 5, 2, 2),
        "f": af.rotate(degrees=(-9.0, 9.0)),
        "module": augfn_nn.RandomRotation(9.0, p=1.0),
        "dataset": [torch.rand(3, 8, 8)] * 4,
        "samples": [{"image": torch.rand(3, 8, 8), "boxes": torch.ones(i, 4)} for i in (2, 1)],
        "parameter": nn.Parameter(torch.tensor([-9.0, 9.0])),
        "logits": nn.Parameter(torch.zeros(2)),
        "p": nn.Parameter(torch.tensor(0.5)),
    }


# mistake: (what is written, the advice, what is written then: the advice with its dots filled in[, what names stand for])
FOLLOWED = {
    # images
    "bytes": ("f(image, None, key)", "af.to_float(image)", "f(af.to_float(image), None, key)", {"image": BYTES}),
    "an array": ("f(x, None, key)", "af.to_float(x)", "f(af.to_float(x), None, key)", {"x": PHOTO}),
    "an int64 image": ("af.to_float(x)", "af.to_float(x, max=255)", "af.to_float(x, max=255)", {"x": BYTES.long()}),
    "an int64 image out": (
        "af.to_uint8(x)",
        "af.to_uint8(af.to_float(x, max=255))",
        "af.to_uint8(af.to_float(x, max=255))",
        {"x": BYTES.long()},
    ),
    "axes that cannot be told": ("af.to_float(x)", '"HWC"', 'af.to_float(x, layout="HWC")', {"x": PHOTO[:3]}),
    "a layout of a step": (
        "af.to_float(layout='HWC')",
        "af.to_float(x, layout=...)",
        "f(af.to_float(x, layout='HWC'), None, key)",
        {"x": PHOTO},
    ),
    "a list of images": (
        "af.to_float(images)",
        "[af.to_float(image) for image in images]",
        "[af.to_float(image) for image in images]",
        {"images": [PHOTO, PHOTO[1:]]},
    ),
    "more channels than PIL has": ("af.to_pil(torch.rand(5, 8, 8))", "x[..., :3, :, :]", "af.to_pil(x[..., :3, :, :])"),
    "bits for a full scale": ("af.to_float(x, max='8bit')", "max=255", "af.to_float(x, max=255)"),
    "a conversion behind a gate": (
        "af.maybe(af.to_float(), p=0.5)",
        "af.pipeline(af.to_float(), af.maybe(...))",
        "af.pipeline(af.to_float(), af.maybe(af.hflip()))",
    ),
    "lists that stay of several sizes": (
        "af.hflip()([x[0], x[1, :, :4]])",
        "af.pipeline(..., af.resize(size=(224, 224)))",
        "af.pipeline(af.hflip(), af.resize(size=(224, 224)))([x[0], x[1, :, :4]])",
    ),
    # calls
    "no key": ("f(x)", "af.key(0)", "f(x, None, af.key(0))"),
    "an integer for a key": ("f(x, None, 0)", "af.key(0)", "f(x, None, af.key(0))"),
    "the factory with the image": ("af.hflip(x)", "af.hflip(...)(x, None, key)", "af.hflip(p=0.5)(x, None, key)"),
    "a number by position": ("af.rotate(30)", "af.rotate(degrees=...)", "af.rotate(degrees=30)"),
    "a factory in a pipeline": ("af.pipeline(af.hflip)", "af.hflip(...)", "af.pipeline(af.hflip())"),
    "a module in a pipeline": ("af.pipeline(module)", "module.f", "af.pipeline(module.f)"),
    "a range upside down": ("af.rotate(degrees=(5, -5))", "degrees=(-5, 5)", "af.rotate(degrees=(-5, 5))"),
    "a distribution upside down": ("af.Uniform(2.0, 1.0)", "(1.0, 2.0)", "af.Uniform(*(1.0, 2.0))"),
    "a mistyped op": ("af.rotat()", "'rotate'", "getattr(af, 'rotate')()"),
    "a mistyped class": ("augfn_nn.RandomRotaton(9.0)", "'RandomRotation'", "getattr(augfn_nn, 'RandomRotation')(9.0)"),
    "a mistyped keyword": ("af.rotate(degree=9)", "'degrees'", "af.rotate(**{'degrees': 9})"),
    "a mistyped leaf": ("f(x, {'degree': torch.zeros(2)})", "'degrees'", "f(x, {'degrees': torch.zeros(2)})"),
    "an integer leaf": (
        "f(x, {'degrees': torch.tensor([1, 2])})",
        ".float()",
        "f(x, {'degrees': torch.tensor([1, 2]).float()})",
    ),
    "a crop without a size": ("af.random_crop()", "af.random_crop(size=...)", "af.random_crop(size=4)"),
    "an even kernel": (
        "af.gaussian_blur(kernel_size=4)(x, None, key)",
        "kernel_size=5",
        "af.gaussian_blur(kernel_size=5)(x, None, key)",
    ),
    "a probability that is to learn": (
        "af.hflip(p=p)",
        "p=af.RelaxedBernoulli(torch.logit(p))",
        "af.hflip(p=af.RelaxedBernoulli(torch.logit(p)))",
    ),
    "weights that are to learn": (
        "af.one_of(f, af.hflip(), weights=logits)",
        "weights=af.GumbelChoice(logits)",
        "af.one_of(f, af.hflip(), weights=af.GumbelChoice(logits))",
    ),
    "a Parameter of two numbers": (
        "af.rotate(degrees=parameter)",
        "degrees=af.Interval(parameter)",
        "af.rotate(degrees=af.Interval(parameter))",
    ),
    "a fill by name": ("af.rotate(fill='red')", "fill=0.5", "af.rotate(fill=0.5)"),
    "a frame that does not fit": (
        "af.invert(f)(x, {})",
        "af.invert(f, size=(h, w))",
        "af.invert(f, size=(h, w))(x[..., :4, :4], {})",
        {"f": af.center_crop(size=4), "h": 8, "w": 8},
    ),
    "two conversions in the wrong order": (
        "af.pipeline(af.to_uint8(), f)",
        "to_uint8 last",
        "af.pipeline(f, af.to_uint8())  # to_uint8 last",
    ),
    # targets
    "a name that is not known": (
        "f({'image': x, 'seg': mask}, None, key)",
        "{'seg': 'mask'}",
        "af.pipeline(f, targets={'seg': 'mask'})({'image': x, 'seg': mask}, None, key)",
    ),
    "a path": (
        "f({'image': x, 'path': ['a', 'b']}, None, key)",
        "targets={'path': 'other'}",
        "af.pipeline(f, targets={'path': 'other'})({'image': x, 'path': ['a', 'b']}, None, key)",
    ),
    "a kind that there is not": (
        "af.pipeline(f, targets={'seg': 'msk'})",
        "'mask'",
        "af.pipeline(f, targets={'seg': 'mask'})({'image': x, 'seg': mask}, None, key)",
    ),
    "a mask between labels": (
        "af.pipeline(f, interpolation={'seg': 'bilinear'}, targets={'seg': 'mask'})",
        'targets={"seg": "softmask"}',
        'af.pipeline(f, interpolation={"seg": "bilinear"}, targets={"seg": "softmask"})',
    ),
    "class indices to mixup": (
        "af.mixup()({'image': x, 'label': labels}, None, key)",
        "num_classes=",
        "af.mixup(num_classes=2)({'image': x, 'label': labels}, None, key)",
    ),
    "heat maps of another stride": (
        "f({'image': x, 'heatmap': heatmap}, None, key)",
        "torch.nn.functional.interpolate(heatmap, size=(8, 8))",
        "f({'image': x, 'heatmap': torch.nn.functional.interpolate(heatmap, size=(8, 8))}, None, key)",
    ),
    "a volume to a 2-D op": (
        "f({'volume': torch.rand(1, 4, 8, 8)}, None, key)",
        "affine3d",
        "af.affine3d(degrees=9.0)({'volume': torch.rand(1, 4, 8, 8)}, None, key)",
    ),
    "no image": (
        "f(batch, None, key)",
        "the image",
        "f({**batch, 'image': x}, None, key)  # the image",
        {"batch": {"label": torch.tensor([0, 1])}},
    ),
    "an empty dict": ("f({}, None, key)", '{"image": x}', 'f({"image": x}, None, key)'),
    # boxes and keypoints
    "integer boxes": (
        "af.Boxes(torch.zeros(2, 1, 4).long())",
        "torch.as_tensor(...).float()",
        "af.Boxes(torch.as_tensor(torch.zeros(2, 1, 4).long()).float())",
    ),
    "boxes of a list": (
        "af.Boxes([[[0, 0, 4, 4]], []])",
        "af.Boxes.pad([...])",
        "af.Boxes.pad([[[0, 0, 4, 4]], []])",
    ),
    "boxes of one image": (
        "f({'image': x[0], 'boxes': boxes}, None, key)",
        "af.Boxes(torch.as_tensor(boxes).float())",
        "f({'image': x[0], 'boxes': af.Boxes(torch.as_tensor(boxes).float())}, None, key)",
        {"boxes": [[0, 0, 4, 4]]},
    ),
    "points of one image": (
        "AugmentationSequential(module)({'image': x[0], 'keypoints': keypoints})",
        "af.Keypoints(torch.as_tensor(keypoints).float())",
        "AugmentationSequential(module)({'image': x[0], 'keypoints': af.Keypoints(torch.as_tensor(keypoints).float())})",
        {"keypoints": [[1, 2]]},
    ),
    "a choice with a probability": (
        "af.one_of(f, af.hflip(), p=0.5)",
        "af.maybe(af.one_of(...), p=0.5)",
        "af.maybe(af.one_of(f, af.hflip()), p=0.5)",
    ),
    "a key for params": ("f(x, key)", "f(x, None, key)", "f(x, None, key)"),
    "labels for params": (
        "f(x, labels)",
        '{"image": image, "label": ',
        'f({"image": image, "label": labels}, None, key)',
    ),
    "a probability before the step": ("af.maybe(0.5, f)", "af.maybe(af.hflip(), p=0.5)", "af.maybe(af.hflip(), p=0.5)"),
    "a list for a probability": (
        "af.maybe([f, f])",
        "af.pipeline(*steps), p",
        "af.maybe(af.pipeline(*steps), p=0.5)",
        STEPS,
    ),
    "a list for a number": (
        "af.some_of((0, 2), steps)",
        "af.some_of(n, *steps)",
        "[af.some_of(n, *steps) for n in (1, 2)]",
        STEPS,
    ),
    "no end": ("af.some_of((0, None), f, f)", "some_of((0, 2), ...)", "af.some_of((0, 2), f, f)"),
    "timm's string": ("af.rand_augment('rand-m9')", "af.policy('rand-m9')", "af.policy('rand-m9')"),
    "two ranges for one number": (
        "af.affine(scale=((0.8, 1.2), (0.8, 1.2)))(x, None, key)",
        "scale=(low, high)",
        "[af.affine(scale=(low, high))(x, None, key) for low, high in [(0.8, 1.2)]]",
    ),
    "a class": ("af.RandomErasing", "augfn_nn.RandomErasing", "augfn_nn.RandomErasing"),
    "one view": (
        "af.losses.jsd(logits)",
        "jsd(*logits.chunk(3))",
        "af.losses.jsd(*logits.chunk(3))",
        {"logits": torch.rand(6, 2)},
    ),
    "a list of steps": (
        "af.pipeline([f, af.hflip()])",
        "af.pipeline(*steps)",
        "af.pipeline(*steps)",
        {"steps": [af.hflip()]},
    ),
    "an array in a dict": (
        "af.pipeline(af.to_float(), f)({'image': image}, None, key)",
        "af.to_float(image)",
        "f({'image': af.to_float(image)}, None, key)",
        {"image": PHOTO},
    ),
    "channels last": (
        "af.hue()(x, None, key)",
        "x.movedim(-1, -3)",
        "af.hue()(x.movedim(-1, -3), None, key)",
        {"x": torch.rand(2, 8, 8, 3)},
    ),
    "corners of kornia": (
        "f({'image': x, 'boxes': boxes}, None, key)",
        'af.Boxes(boxes.flatten(-2), format="xyxyxyxy")',
        'f({"image": x, "boxes": af.Boxes(boxes.flatten(-2), format="xyxyxyxy")}, None, key)',
        {"boxes": torch.rand(2, 1, 4, 2)},
    ),
    "lists of points and none": (
        "AugmentationSequential(module, data_keys=['input', 'keypoints'])(x, keypoints)",
        "af.Keypoints.pad(keypoints)",
        "AugmentationSequential(module, data_keys=['input', 'keypoints'])(x, af.Keypoints.pad(keypoints))",
        {"keypoints": [[[1.0, 2.0]], []]},
    ),
    "a mistyped target": (
        "f({'image': x, 'masl': mask}, None, key)",
        "'mask'",
        "f({'image': x, 'mask': mask}, None, key)",
    ),
    "a dense label": (
        "f({'image': x, 'label': mask}, None, key)",
        "targets={'label': 'mask'}",
        "af.pipeline(f, targets={'label': 'mask'})({'image': x, 'label': mask}, None, key)",
    ),
    "one box alone": ("af.Boxes(torch.zeros(4))", "[None]", "af.Boxes(torch.zeros(4)[None])"),
    "labels by name": ("boxes['labels']", "boxes.labels", "boxes.labels"),
    "a coordinate by index": ("boxes[..., 0]", "boxes.data[..., 0]", "boxes.data[..., 0]"),
    "fractions of which frame": (
        "boxes.convert('yolo')",
        "boxes.convert('yolo', size=(height, width))",
        "boxes.convert('yolo', size=(height, width))",
        {"height": 8, "width": 8},
    ),
    "a frame of one number": (
        "boxes.convert('yolo', 8)",
        "boxes.convert('yolo', size=image.shape[-2:])",
        "boxes.convert('yolo', size=image.shape[-2:])",
    ),
    "pixels as fractions": (
        "af.Boxes.pad([[[20, 20, 4, 4]]], format='yolo')",
        'format="cxcywh"',
        'af.Boxes.pad([[[20, 20, 4, 4]]], format="cxcywh")',
    ),
    "a batch to pad that is none": (
        "af.Boxes.pad(boxes)",
        "list(boxes)",
        "af.Boxes.pad(list(boxes))",
        {"boxes": torch.zeros(2, 1, 4)},
    ),
    "a dict to drop_invalid": (
        "af.drop_invalid(batch)",
        'af.drop_invalid(batch["boxes"])',
        'af.drop_invalid(batch["boxes"])',
    ),
    "labels beside their boxes": (
        "af.collate([{**s, 'labels': torch.arange(len(s['boxes']))} for s in samples])",
        "af.Boxes(boxes, labels=labels)",
        "af.collate([{'image': x[0], 'boxes': af.Boxes(boxes, labels=labels)}])",
        {"boxes": torch.ones(2, 4), "labels": torch.arange(2)},
    ),
    "images of several sizes": (
        "af.collate([{'image': x[0]}, {'image': x[0, :, :4]}])",
        'collate(..., sizes="pad")',
        'af.collate([{"image": x[0]}, {"image": x[0, :, :4]}], sizes="pad")',
    ),
    "validity in numbers": (
        "af.Boxes(torch.zeros(2, 3, 4), valid=torch.ones(2, 3))",
        ".bool()",
        "af.Boxes(torch.zeros(2, 3, 4), valid=torch.ones(2, 3).bool())",
    ),
    # modules
    "degrees set afterwards": (
        "setattr(module, 'degrees', 5.0)",
        "RandomRotation(degrees=...)",
        "augfn_nn.RandomRotation(degrees=9.0)",
    ),
    "a module without keepdim": (
        "af.AugmentedDataset(dataset, augfn_nn.RandomRotation(9.0), key)",
        "RandomRotation(..., keepdim=True)",
        "af.AugmentedDataset(dataset, augfn_nn.RandomRotation(9.0, keepdim=True), key)[0]",
    ),
    "a slice of a dataset": (
        "augmented[1:3]",
        "torch.utils.data.Subset(augmented, range(...))",
        "torch.utils.data.Subset(augmented, range(1, 3))[0]",
        {"augmented": af.AugmentedDataset([torch.rand(3, 8, 8)] * 4, af.rotate(), af.key(0))},
    ),
    "an epoch without indices": (
        "aug(x, epoch=1)",
        "aug(x, index=dataset_indices, epoch=epoch)",
        "aug(x, index=dataset_indices, epoch=epoch)",
        {"aug": augfn_nn.RandomRotation(9.0), "dataset_indices": [3, 4], "epoch": 1},
    ),
    "learnable of a container": (
        "AugmentationSequential(augfn_nn.RandomAffine(10), learnable=True)",
        "RandomAffine(10, learnable=True)",
        "AugmentationSequential(augfn_nn.RandomAffine(10, learnable=True))(x)",
    ),
    "an array into a pipeline that converts": (
        "af.pipeline(af.to_float(), af.hflip())(picture, None, key)",
        "af.to_float(",
        "af.pipeline(af.to_float(), af.hflip())(af.to_float(picture), None, key)",
        {"picture": np.zeros((8, 8, 3), np.uint8)},
    ),
    "data keys that do not fit": (
        "AugmentationSequential(module)(x, mask)",
        "data_keys=[...]",
        "AugmentationSequential(module)(x, mask, data_keys=['input', 'mask'])",
    ),
    "several Parameters for one leaf": (
        "augfn_nn.RandomAffine(9.0, translate=(p, p))",
        "torch.nn.Parameter(torch.tensor([0.1, 0.1]))",
        "augfn_nn.RandomAffine(9.0, translate=torch.nn.Parameter(torch.tensor([0.1, 0.1])))",
    ),
    "a size of another ending": ("af.save(f, '/tmp/policy.txt')", "policy.yaml", "af.save(f, '/tmp/policy.yaml')"),
    "a reach of one number": (
        "augfn_nn.RandomResizedCrop((4, 4), scale=0.5)",
        "scale=(0.5, 0.5)",
        "augfn_nn.RandomResizedCrop((4, 4), scale=(0.5, 0.5))",
    ),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_advice_that_is_followed(name):
    wrong, advice, right, *own = FOLLOWED[name]
    here = names() | (own[0] if own else {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ERRORS) as caught:
            eval(wrong, here)
    done = re.split("do this:|Write", str(caught.value), maxsplit=1)[-1]
    assert advice in done, f"{advice!r} is not in: {caught.value}"
    assert all(part in right for part in advice.split("...")), "what is done then is not what was advised"
    eval(right, here)


def test_eighty_mistakes():
    assert len(FOLLOWED) >= 30
    assert len(MISTAKES) + len(FOLLOWED) - len(MISTAKES.keys() & FOLLOWED.keys()) >= 80
