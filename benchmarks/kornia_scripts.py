"""More calls as a script of kornia's makes them: settings, targets, clips, patches, mixes, replays, inverses, parts of modules.

`SCRIPTS[name](K)`, as in `benchmarks.kornia_calls`.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn, tensor

from benchmarks.kornia_calls import of

X = torch.rand(2, 3, 32, 40)
MASK = (X[:, :1] > 0.5).float()
BOXES = torch.tensor([[[2.0, 3.0, 10.0, 12.0]]]).expand(2, -1, -1)
CORNERS = torch.tensor([[[[2.0, 3.0], [10.0, 3.0], [10.0, 12.0], [2.0, 12.0]]]]).expand(2, -1, -1, -1)
POINTS = BOXES[..., :2]
CLIP = X[:, None].repeat(1, 2, 1, 1, 1)
BYTES = (X.movedim(1, -1).numpy() * 255).astype(np.uint8)
POLICY = [[("posterize", 0.4, 8), ("rotate", 0.6, 9)], [("shear_x", 0.5, 5), ("equalize", 1.0, None)]]


def two(K: Any) -> tuple[Any, Any]:
    return K.RandomHorizontalFlip(p=1.0), K.RandomAffine(10, p=1.0)


def chain(K: Any, *keys: str, **known: Any) -> Any:
    return K.AugmentationSequential(*two(K), **({"data_keys": [*keys]} if keys else {}), **known)


def there_and_back(aug: Any, *given: Any) -> Any:
    out = aug(*given)
    return aug.inverse(*out) if isinstance(out, list) else aug.inverse(out)


def after(aug: Any, x: Any, ask: Callable[[Any], Any]) -> Any:
    """What a module is asked for after a call."""
    aug(x)
    return ask(aug)


def edited(K: Any) -> Any:
    """One of two images is switched off in the params of a call."""
    aug = K.RandomHorizontalFlip(p=1.0)
    params = aug.forward_parameters(X.shape)
    params["batch_prob"] = tensor([True, False])
    return aug(X, params=params)


def turned(K: Any) -> Any:
    aug = K.RandomRotation(10.0, p=1.0)
    params = aug.forward_parameters(X.shape)
    params["degrees"] = tensor([90.0, 90.0])
    return aug(X, params=params)


def same_again(K: Any) -> Any:
    aug = K.AugmentationSequential(*two(K), random_apply=(1, 2))
    first = aug(X)
    return first, bool(torch.equal(first, aug(X, params=aug._params)))


def by_hand(K: Any) -> Any:
    """The steps of a call, one after another."""
    aug = K.RandomAffine(10, p=1.0)
    params = aug.forward_parameters(X.shape)
    matrix = aug.compute_transformation(X, params, aug.flags)
    return matrix, aug.compute_inverse_transformation(matrix), aug.apply_transform(X, params, aug.flags, matrix)


def generated(K: Any) -> Any:
    return sorted(K.RandomRotation(10.0).generate_parameters(X.shape))


def device_and_dtype(K: Any) -> Any:
    aug = chain(K)
    for child in aug.children():
        child.set_rng_device_and_dtype(torch.device("cpu"), torch.float64)
    return aug(X)


def bilinear_masks(K: Any) -> Any:
    from kornia.constants import DataKey, Resample

    how = {DataKey.MASK: {"resample": Resample.BILINEAR, "align_corners": True}}
    return chain(K, "input", "mask", extra_args=how)(X, MASK)


def contrastive(K: Any) -> Any:
    steps = K.RandomResizedCrop((16, 16), scale=(0.2, 1.0)), K.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8)
    blur = K.RandomGrayscale(p=0.2), K.RandomGaussianBlur((5, 5), (0.1, 2.0), p=0.5)
    view = nn.Sequential(*steps, *blur, K.Normalize(tensor([0.5] * 3), tensor([0.2] * 3)))
    return view(X), view(X)


NAMED = [edited, turned, same_again, by_hand, generated, device_and_dtype, bilinear_masks, contrastive]
SCRIPTS: dict[str, Callable[[Any], Any]] = {f.__name__: f for f in NAMED} | {
    # settings
    "align_corners of a resize": lambda K: K.Resize((16, 16), align_corners=True)(X),
    "align_corners of a resized crop": lambda K: K.RandomResizedCrop((16, 16), align_corners=True)(X),
    "align_corners of a longest side": lambda K: K.LongestMaxSize(16, align_corners=True)(X),
    "a resized crop that resamples": lambda K: K.RandomResizedCrop((16, 16), cropping_mode="resample")(X),
    "a crop of padded frames": lambda K: K.RandomCrop((32, 32), padding=(1, 2, 3, 4), padding_mode="reflect")(X),
    "a crop that pads": lambda K: K.RandomCrop((64, 64), pad_if_needed=True)(X),
    "a resized crop of more than all": lambda K: K.RandomResizedCrop((64, 64), scale=(1.5, 2.0))(X),
    "a crop without a batch": lambda K: K.CenterCrop(8, keepdim=True)(X[0]),
    "four scales, four shears": lambda K: K.RandomAffine(
        0.0, scale=(0.8, 1.2, 0.9, 1.1), shear=(-5.0, 5.0, -3.0, 3.0), p=1.0
    )(X),
    "affine of tensors": lambda K: K.RandomAffine(tensor([-20.0, 20.0]), tensor([0.1, 0.1]), tensor([0.8, 1.2]), p=1.0)(
        X
    ),
    "affine with a fill": lambda K: K.RandomAffine(
        10.0, padding_mode="fill", fill_value=tensor([0.1, 0.2, 0.3]), p=1.0
    )(X),
    "perspective both ways": lambda K: K.RandomPerspective(0.5, sampling_method="area_preserving", p=1.0)(X),
    "erasing with a value": lambda K: K.RandomErasing((0.1, 0.2), (0.5, 2.0), value=0.5, p=1.0)(X),
    "blur with a border": lambda K: K.RandomGaussianBlur(
        (3, 5), (0.5, 1.0), border_type="replicate", separable=False, p=1.0
    )(X),
    "motion blur of ranges": lambda K: K.RandomMotionBlur(
        (3, 7), (-30.0, 30.0), (-1.0, 1.0), border_type="replicate", p=1.0
    )(X),
    "jitter of tensors": lambda K: K.ColorJitter(
        tensor([0.8, 1.2]), tensor([0.7, 1.3]), tensor([0.6, 1.4]), tensor([-0.1, 0.1])
    )(X),
    "planckian of some": lambda K: K.RandomPlanckianJitter(mode="CIED", select_from=[1, 2], p=1.0)(X),
    "rain": lambda K: K.RandomRain(p=1.0, drop_height=(1, 2), drop_width=(1, 2), number_of_drops=(2, 5))(X),
    "snow": lambda K: K.RandomSnow(p=1.0, snow_coefficient=(0.1, 0.6), brightness=(1.0, 5.0))(X),
    "affine of volumes": lambda K: K.RandomAffine3D(
        ((-10.0, 10.0), (-5.0, 5.0), (0.0, 3.0)), translate=(0.1, 0.1, 0.1), p=1.0
    )(torch.rand(1, 1, 8, 16, 16)),
    "crop of volumes that pads": lambda K: K.RandomCrop3D((20, 8, 8), pad_if_needed=True)(torch.rand(1, 1, 16, 16, 16)),
    # one call
    "align_corners of a call": lambda K: K.RandomAffine(10, p=1.0)(X, align_corners=True),
    "degrees of a call": lambda K: K.RandomRotation(10, p=1.0)(X, degrees=tensor([10.0, 20.0]), save_kwargs=True),
    "angle of a call": lambda K: K.RandomAffine(10, p=1.0)(X, angle=tensor([10.0, 20.0])),
    "extra_args of a call": lambda K: K.ImageSequential(*two(K))(X, extra_args={}),
    "data keys of a call": lambda K: chain(K)(X, MASK, data_keys=["input", "mask"]),
    # targets
    "all targets": lambda K: chain(K, "input", "mask", "bbox_xyxy", "keypoints", "class")(
        X, MASK, BOXES, POINTS, tensor([1, 2])
    ),
    "corners of boxes": lambda K: chain(K, "input", "bbox")(X, CORNERS),
    "boxes in lists": lambda K: chain(K, "input", "bbox_xyxy")(X, [BOXES[0], BOXES[0].repeat(2, 1)]),
    "no boxes": lambda K: chain(K, "input", "bbox_xyxy")(X, torch.zeros(2, 0, 4)),
    "boxes beside a resize": lambda K: K.AugmentationSequential(
        K.Resize((16, 20)), data_keys=["input", "bbox_xyxy", "keypoints"]
    )(X, BOXES, POINTS),
    "whole numbers": lambda K: chain(K, "input", "mask", "keypoints")(X, MASK.long(), POINTS.long()),
    "masks of true and false": lambda K: chain(K, "input", "mask")(X, MASK.bool()),
    "a mask for all": lambda K: chain(K, "input", "mask")(X, MASK[:1]),
    "arrays": lambda K: chain(K, "input", "mask")(BYTES, BYTES[..., :1]),
    "arrays out": lambda K: chain(K)(BYTES, output_type="numpy").shape,
    "two images": lambda K: chain(K, "input", "input")(X, X),
    "a dict with labels": lambda K: chain(K, data_keys=None)({"image": X, "mask": MASK, "label": tensor([1, 2])}),
    "targets of a bend": lambda K: K.AugmentationSequential(
        K.RandomElasticTransform(p=1.0), data_keys=["input", "mask"]
    )(X, MASK),
    # clips, patches, mixes
    "clips with boxes": lambda K: K.AugmentationSequential(
        K.VideoSequential(*two(K)), data_keys=["input", "bbox", "keypoints"]
    )(CLIP, CORNERS[:, None].expand(-1, 2, -1, -1, -1), POINTS[:, None].expand(-1, 2, -1, -1)),
    "clips there and back": lambda K: there_and_back(K.VideoSequential(*two(K)), CLIP),
    "clips of one of two": lambda K: K.VideoSequential(*two(K), random_apply=1)(CLIP),
    "patches beside masks": lambda K: K.AugmentationSequential(
        K.PatchSequential(K.ColorJiggle(0.1, p=1.0), grid_size=(2, 2), patchwise_apply=False),
        data_keys=["input", "mask"],
    )(X, MASK),
    "a mix that does nothing": lambda K: K.RandomMixUpV2(p=0.0)(X, tensor([0, 1]), data_keys=["input", "class"]),
    "a mix of a tensor's range": lambda K: K.RandomMixUpV2(tensor([0.0, 0.5]), same_on_batch=True, p=1.0)(X),
    "a cut of a tensor's range": lambda K: K.RandomCutMixV2(
        cut_size=tensor([0.0, 0.5]), p=1.0, data_keys=["input", "class"]
    )(X, tensor([0, 1])),
    "tiles with data keys": lambda K: K.RandomJigsaw((4, 4), p=1.0, data_keys=["input"])(torch.rand(2, 3, 32, 32)),
    # there and back
    "a crop there and back": lambda K: there_and_back(K.AugmentationSequential(K.CenterCrop((16, 16))), X),
    "a resize there and back": lambda K: there_and_back(K.AugmentationSequential(K.Resize((16, 20))), X),
    "a dict there and back": lambda K: there_and_back(chain(K, data_keys=None), {"image": X, "keypoints": POINTS}),
    "a mask back alone": lambda K: after(chain(K), X, lambda a: a.inverse(MASK, data_keys=["mask"])),
    "a mask alone by params": lambda K: after(chain(K), X, lambda a: a(MASK, params=a._params, data_keys=["mask"])),
    # parts
    "no matrix": lambda K: after(chain(K, transformation_matrix_mode="skip"), X, lambda a: a.transform_matrix is None),
    "a rigid matrix": lambda K: after(chain(K, transformation_matrix_mode="rigid"), X, lambda a: a.transform_matrix),
    "a matrix of params": lambda K: after(
        chain(K), X, lambda a: a.get_transformation_matrix(X, a._params, recompute=True)
    ),
    "the order of modules": lambda K: [n for n, _ in chain(K).get_forward_sequence()],
    "modules of params": lambda K: after(chain(K), X, lambda a: [n for n, _ in a.get_children_by_params(a._params)]),
    "modules of numbers": lambda K: [n for n, _ in chain(K).get_children_by_indices(tensor([1, 0]))],
    "modules by name": lambda K: type(chain(K).get_submodule("RandomAffine_1")).__name__,
    "names of foreign modules": lambda K: [n for n, _ in K.ImageSequential(nn.Hardtanh(), *two(K)).named_children()],
    "a state that is cleared": lambda K: after(chain(K), X, lambda a: (a.clear_state(), a._params is None)[1]),
    "settings for all modules": lambda K: after(
        K.ImageSequential(*two(K)), X, lambda a: (a.update_attribute(same_on_batch=True), a[1].same_on_batch)[1]
    ),
    "images with a batch": lambda K: K.RandomAffine(10).transform_tensor(X[0]),
    # policies
    "sub-policies of one's own": lambda K: of(K, "auto", "AutoAugment")(POLICY)(X),
    "ops of one's own at a level": lambda K: of(K, "auto", "RandAugment")(
        1, 10, [[("rotate", -30.0, 30.0)], [("translate_x", -0.3, 0.3)]]
    )(X),
    "one op of one's own": lambda K: of(K, "auto", "TrivialAugment")(
        [[("rotate", -30.0, 30.0)], [("color", 0.1, 1.9)]]
    )(X),
    # copies
    "a pickled container": lambda K: pickle.loads(pickle.dumps(chain(K)))(X),
    "a copied container": lambda K: after(chain(K), X, lambda a: copy.deepcopy(a)(X)),
    "a container in double precision": lambda K: chain(K).to(torch.float64)(X.double()),
    "half precision": lambda K: K.AugmentationSequential(*two(K), K.ColorJitter(0.1, 0.1, 0.1, 0.1))(X.half()),
    "an empty batch": lambda K: chain(K)(X[:0]),
    # what is refused here
    "arguments by position after an op's own": lambda K: K.RandomAffine(10, None, None, None, "nearest", False, True)(
        X
    ),
    "a crop larger than the frame": lambda K: K.RandomCrop((64, 64))(X),
    "a fisheye of a negative exponent": lambda K: K.RandomFisheye(
        tensor([-0.3, 0.3]), tensor([-0.3, 0.3]), tensor([-1.0, -0.5]), p=1.0
    )(X),
    "a mosaic of nine": lambda K: K.RandomMosaic((32, 32), (3, 3), p=1.0)(torch.rand(4, 3, 32, 32)),
    "a mosaic of large boxes": lambda K: K.RandomMosaic(
        (32, 32), min_bbox_size=2.0, p=1.0, data_keys=["input", "bbox_xyxy"]
    )(X, BOXES),
    "several cuts": lambda K: K.RandomCutMixV2(num_mix=3)(X, tensor([0, 1])),
    "an empty container": lambda K: K.ImageSequential()(X),
}
