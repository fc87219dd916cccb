"""The peers' pipelines (kornia, torchvision v2, albumentations), and the photos that all contestants work on.

Every builder returns `call(step) -> output`, which draws fresh parameters each time. The ranges are those of
`AFFINE` and `JITTER`, the same for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

Call = Callable[[int], Any]
Targets = dict[str, Tensor]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DEGREES, TRANSLATE, SCALE, SHEAR = 15.0, 0.1, (0.9, 1.1), 5.0
SHEAR_BOTH: Any = (-SHEAR, SHEAR, -SHEAR, SHEAR)  # in x and y
JITTER = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.05}

POOLED = "float spatial_scale, SymInt pooled_height, SymInt pooled_width"
SHAPE = "SymInt batch_size, SymInt channels, SymInt height, SymInt width"
CONV = "Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias"
CONV_SIZES = (
    "SymInt stride_h, SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, "
    "SymInt groups, SymInt offset_groups, bool use_mask"
)
TORCHVISION_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    f"roi_align(Tensor input, Tensor rois, {POOLED}, int sampling_ratio, bool aligned) -> Tensor",
    f"_roi_align_backward(Tensor grad, Tensor rois, {POOLED}, {SHAPE}, int sampling_ratio, bool aligned) -> Tensor",
    "qroi_align(Tensor input, Tensor rois, float input_scale, int input_zero_point, float rois_scale, "
    f"int rois_zero_point, {POOLED}, int sampling_ratio, bool aligned) -> Tensor",
    f"ps_roi_align(Tensor input, Tensor rois, {POOLED}, int sampling_ratio) -> (Tensor, Tensor)",
    f"_ps_roi_align_backward(Tensor grad, Tensor rois, Tensor map, {POOLED}, int sampling_ratio, {SHAPE}) -> Tensor",
    f"roi_pool(Tensor input, Tensor rois, {POOLED}) -> (Tensor, Tensor)",
    f"_roi_pool_backward(Tensor grad, Tensor rois, Tensor argmax, {POOLED}, {SHAPE}) -> Tensor",
    f"ps_roi_pool(Tensor input, Tensor rois, {POOLED}) -> (Tensor, Tensor)",
    f"_ps_roi_pool_backward(Tensor grad, Tensor rois, Tensor mapping, {POOLED}, {SHAPE}) -> Tensor",
    f"deform_conv2d({CONV}, {CONV_SIZES}) -> Tensor",
    f"_deform_conv2d_backward(Tensor grad, {CONV}, {CONV_SIZES}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)


def torchvision_v2() -> Any:
    """`torchvision.transforms.v2`, also where torchvision's binary was built for another torch.

    Importing torchvision needs its C++ operators to be declared. The transforms use none of them, so where the binary
    does not load, bare declarations stand in.
    """
    declare_operators()
    from torchvision.transforms import v2

    return v2


def declare_operators() -> None:
    """Declare torchvision's operators unless its own binary, or an earlier call, has done so."""
    if hasattr(torch.ops.torchvision, "nms") or _binary_loads():
        return
    global _library  # a Library takes its declarations along when it is collected
    _library = torch.library.Library("torchvision", "DEF")
    for schema in TORCHVISION_OPERATORS:
        _library.define(schema)


_library: torch.library.Library | None = None


def _binary_loads() -> bool:
    spec = find_spec("torchvision")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for binary in sorted(Path(folder).glob("_C*.so")):
            try:
                torch.ops.load_library(str(binary))
                return True
            except OSError:
                pass
    return False


def photos(size: int, batch: int, distinct: int = 24) -> np.ndarray:
    """Real photos as `uint8 [batch, size, size, 3]`: square crops of three scikit-image pictures, resized and tiled."""
    from skimage import data

    pictures = (data.astronaut(), data.chelsea(), data.coffee())
    rng = np.random.default_rng(0)
    crops = np.stack([_crop(pictures[i % 3], size, rng) for i in range(min(batch, distinct))])
    return np.concatenate([crops] * -(-batch // len(crops)))[:batch]


def _crop(picture: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    side = int(rng.uniform(0.6, 1.0) * min(picture.shape[:2]))
    top, left = (int(rng.integers(0, n - side + 1)) for n in picture.shape[:2])
    crop = torch.from_numpy(picture[top : top + side, left : left + side].copy()).permute(2, 0, 1)[None].float()
    crop = torch.nn.functional.interpolate(crop, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return crop[0].round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def to_float(images: np.ndarray) -> Tensor:
    """`uint8 [B, H, W, C]` to `float32 [B, C, H, W]` in [0, 1], contiguous."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div(255).contiguous()


def sequential(
    library: Any, data_keys: list[str], normalize: bool = False, flip: bool = False, order: Sequence[int] | None = None
) -> Any:
    """`AugmentationSequential` of (flip,) affine, jitter (, normalise), from `kornia.augmentation` or `augfn_nn`."""
    fixed = {} if order is None else {"order": order}
    steps = [library.RandomHorizontalFlip(p=0.5)] if flip else []
    steps += [library.RandomAffine(DEGREES, (TRANSLATE, TRANSLATE), SCALE, SHEAR_BOTH, p=1.0)]
    steps += [library.ColorJitter(**JITTER, p=1.0, **fixed)]
    steps += [library.Normalize(torch.tensor(MEAN), torch.tensor(STD))] if normalize else []
    return library.AugmentationSequential(*steps, data_keys=data_keys)


def kornia_pipeline(x: Tensor, compiled: bool = False) -> Call:
    """The pipeline in kornia: parameters per sample, the jitter's order per batch.

    Compiled, the order is fixed, as kornia's documentation asks: a drawn one breaks the graph.
    """
    import kornia.augmentation as K

    if not compiled:
        augment = sequential(K, ["input"], normalize=True)
        return lambda step: augment(x)
    compiled_augment = torch.compile(sequential(K, ["input"], normalize=True, order=range(4)), dynamic=False)
    return lambda step: compiled_augment(x)


def torchvision_compose(*, normalize: bool, flip: bool) -> Any:
    """Torchvision's `Compose` of (flip,) affine, colour jitter (, normalise)."""
    v2 = torchvision_v2()
    mode = v2.InterpolationMode.BILINEAR
    affine = v2.RandomAffine(DEGREES, (TRANSLATE, TRANSLATE), SCALE, SHEAR_BOTH, interpolation=mode)
    steps = [affine, v2.ColorJitter(**JITTER)]
    steps = [v2.RandomHorizontalFlip(p=0.5)] * flip + steps
    return v2.Compose(steps + [v2.Normalize(MEAN, STD)] * normalize)


def torchvision_batch(x: Tensor) -> Call:
    """One draw for the whole batch: torchvision's fastest use, with less variety than all others."""
    augment = torchvision_compose(normalize=True, flip=False)
    return lambda step: augment(x)


def torchvision_samples(x: Tensor) -> Call:
    """One draw per sample, in a Python loop."""
    augment = torchvision_compose(normalize=True, flip=False)
    return lambda step: torch.stack([augment(image) for image in x])


def albumentations_compose() -> Any:
    """Albumentations' `Compose` of affine, colour jitter and normalise."""
    import albumentations as A

    both: dict[str, Any] = {"x": (-TRANSLATE, TRANSLATE), "y": (-TRANSLATE, TRANSLATE)}
    slant: dict[str, Any] = {"x": (-SHEAR, SHEAR), "y": (-SHEAR, SHEAR)}
    rotate = (-DEGREES, DEGREES)
    affine = A.Affine(scale=SCALE, translate_percent=both, rotate=rotate, shear=slant, keep_ratio=True, p=1.0)
    return A.Compose([affine, A.ColorJitter(**JITTER, p=1.0), A.Normalize(MEAN, STD)])


def albumentations_pipeline(images: np.ndarray) -> Call:
    """Albumentations on `uint8 [H, W, C]` arrays, one at a time, stacked to `float32 [B, H, W, C]`."""
    augment = albumentations_compose()
    return lambda step: np.stack([augment(image=image)["image"] for image in images])


def small_targets() -> Targets:
    """One 16 px image with its mask, keypoints and boxes."""
    return {
        "image": to_float(photos(16, 1)),
        "mask": (torch.arange(256).view(1, 1, 16, 16) % 3 == 0).float(),
        "keypoints": torch.tensor([[[3.0, 4.0], [12.0, 9.0]]]),
        "boxes": torch.tensor([[[2.0, 3.0, 9.0, 12.0], [5.0, 1.0, 14.0, 8.0]]]),
    }


DATA_KEYS = ["input", "mask", "keypoints", "bbox_xyxy"]


def module_small(library: Any, targets: Targets, every: bool) -> Call:
    """Flip, affine and jitter of one tiny image by the modules of `kornia.augmentation` or `augfn_nn`."""
    keys = DATA_KEYS if every else DATA_KEYS[:1]
    augment = sequential(library, keys, flip=True)
    values = list(targets.values())[: len(keys)]
    return lambda step: augment(*values)


def torchvision_small(targets: Targets, every: bool) -> Call:
    """The same in torchvision, which tells targets apart by their tensor class."""
    augment = torchvision_compose(normalize=False, flip=True)
    tv_tensors: Any = import_module("torchvision.tv_tensors")
    height, width = targets["image"].shape[-2:]
    size = (height, width)
    values: list[Any] = [tv_tensors.Image(targets["image"])]
    if every:
        values.append(tv_tensors.Mask(targets["mask"]))
        values.append(tv_tensors.KeyPoints(targets["keypoints"][0], canvas_size=size))
        values.append(tv_tensors.BoundingBoxes(targets["boxes"][0], format="XYXY", canvas_size=size))
    return lambda step: augment(*values)


def kornia_chain(x: Tensor, count: int) -> Call:
    """The first `count` of eight geometric operations in kornia, each of which resamples or copies on its own."""
    import kornia.augmentation as K

    shift = (TRANSLATE, TRANSLATE)
    steps = [
        K.RandomAffine(DEGREES, shift, SCALE, SHEAR_BOTH, p=1.0),
        K.RandomHorizontalFlip(p=0.5),
        K.RandomRotation(DEGREES, p=1.0),
        K.RandomTranslate((-TRANSLATE, TRANSLATE), (-TRANSLATE, TRANSLATE), p=1.0),
        K.RandomAffine(0.0, scale=SCALE, p=1.0),
        K.RandomVerticalFlip(p=0.5),
        K.RandomShear(SHEAR, p=1.0),
        K.RandomPerspective(0.1, p=1.0),
    ]
    augment = K.AugmentationSequential(*steps[:count], data_keys=["input"])
    return lambda step: augment(x)
