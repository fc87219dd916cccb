"""Rows of the ops that move pixels: how to build each here and in the peers (see `ops_peers`)."""

from __future__ import annotations

import torch

from benchmarks.ops_peers import Row
from benchmarks.peers import DEGREES, SCALE, SHEAR, SHEAR_BOTH, TRANSLATE

BILINEAR = "bilinear"


def geometric_rows() -> list[Row]:
    """Geometry that keeps the frame."""
    shift, turn = (TRANSLATE, TRANSLATE), (-DEGREES, DEGREES)
    both = (-TRANSLATE, TRANSLATE)
    center, bend = torch.tensor([-0.3, 0.3]), torch.tensor([0.9, 1.0])
    return [
        Row(
            "hflip",
            None,
            lambda K: K.RandomHorizontalFlip(p=1.0),
            lambda v2: v2.RandomHorizontalFlip(p=1.0),
            lambda A: A.HorizontalFlip(p=1.0),
        ),
        Row(
            "vflip",
            None,
            lambda K: K.RandomVerticalFlip(p=1.0),
            lambda v2: v2.RandomVerticalFlip(p=1.0),
            lambda A: A.VerticalFlip(p=1.0),
        ),
        Row(
            "rot90",
            lambda a: a.rot90(k=1),
            lambda K: K.RandomRotation90((1, 1), p=1.0),
            lambda v2: v2.RandomRotation((90, 90), BILINEAR),
        ),
        Row(
            "quarter_turn", None, lambda K: K.RandomRotation90((-3, 3), p=1.0), None, lambda A: A.RandomRotate90(p=1.0)
        ),
        Row(
            "rotate",
            lambda a: a.rotate(degrees=turn),
            lambda K: K.RandomRotation(DEGREES, p=1.0),
            lambda v2: v2.RandomRotation(DEGREES, BILINEAR),
            lambda A: A.Rotate(turn, p=1.0),
        ),
        Row(
            "affine",
            lambda a: a.affine(degrees=turn, translate=both, scale=SCALE, shear=(-SHEAR, SHEAR)),
            lambda K: K.RandomAffine(DEGREES, shift, SCALE, SHEAR_BOTH, p=1.0),
            lambda v2: v2.RandomAffine(DEGREES, shift, SCALE, SHEAR_BOTH, BILINEAR),
            lambda A: A.Affine(SCALE, both, rotate=turn, shear=(-SHEAR, SHEAR), p=1.0),
        ),
        Row(
            "translate",
            lambda a: a.translate(translate=both),
            lambda K: K.RandomTranslate(both, both, p=1.0),
            lambda v2: v2.RandomAffine(0, shift, interpolation=BILINEAR),
            lambda A: A.Affine(translate_percent=both, p=1.0),
            "torchvision rounds to whole pixels",
        ),
        Row(
            "scale",
            lambda a: a.scale(scale=SCALE),
            lambda K: K.RandomAffine(0.0, scale=SCALE, p=1.0),
            lambda v2: v2.RandomAffine(0, scale=SCALE, interpolation=BILINEAR),
            lambda A: A.Affine(scale=SCALE, p=1.0),
        ),
        Row(
            "shear",
            lambda a: a.shear(shear=(-SHEAR, SHEAR)),
            lambda K: K.RandomShear(SHEAR_BOTH, p=1.0),
            lambda v2: v2.RandomAffine(0, shear=SHEAR_BOTH, interpolation=BILINEAR),
            lambda A: A.Affine(shear=(-SHEAR, SHEAR), p=1.0),
        ),
        Row(
            "perspective",
            lambda a: a.perspective(distortion_scale=0.5),
            lambda K: K.RandomPerspective(0.5, p=1.0),
            lambda v2: v2.RandomPerspective(0.5, p=1.0),
            lambda A: A.Perspective(p=1.0),
        ),
        Row(
            "elastic",
            None,
            lambda K: K.RandomElasticTransform(p=1.0),
            lambda v2: v2.ElasticTransform(),
            lambda A: A.ElasticTransform(alpha=50, sigma=5, p=1.0),
            "a control grid here, a noise per pixel that is blurred in the peers",
        ),
        Row("fisheye", None, lambda K: K.RandomFisheye(center, center, bend, p=1.0)),
        Row(
            "thin_plate_spline",
            None,
            lambda K: K.RandomThinPlateSpline(0.2, p=1.0),
            albumentations=lambda A: A.ThinPlateSpline(p=1.0),
        ),
    ]


def frame_rows(size: int) -> list[Row]:
    """Geometry that changes the frame of `size` pixels."""
    cut, more = size * 5 // 7, size + 32
    both = (cut, cut)
    return [
        Row(
            "center_crop",
            lambda a: a.center_crop(size=cut),
            lambda K: K.CenterCrop(cut),
            lambda v2: v2.CenterCrop(cut),
            lambda A: A.CenterCrop(cut, cut, p=1.0),
            "torchvision returns a view of the input, in 0.01 ms, which is then copied",
        ),
        Row(
            "random_crop",
            lambda a: a.random_crop(size=cut),
            lambda K: K.RandomCrop(both),
            lambda v2: v2.RandomCrop(cut),
            lambda A: A.RandomCrop(cut, cut, p=1.0),
            "torchvision returns a view, in 0.01 ms, which is then copied: the same window for all",
        ),
        Row(
            "resized_crop",
            lambda a: a.resized_crop(size=cut, antialias=False),
            lambda K: K.RandomResizedCrop(both),
            lambda v2: v2.RandomResizedCrop(cut, antialias=False),
            lambda A: A.RandomResizedCrop(both, p=1.0),
            "not antialiased, as kornia's; here the default is",
        ),
        Row(
            "resize",
            lambda a: a.resize(size=cut),
            lambda K: K.Resize(both, antialias=True),
            lambda v2: v2.Resize(both),
            lambda A: A.Resize(cut, cut, p=1.0),
            "antialiased in all tensor libraries",
        ),
        Row(
            "longest_max_size",
            lambda a: a.longest_max_size(max_size=cut, antialias=False),
            lambda K: K.LongestMaxSize(cut),
            albumentations=lambda A: A.LongestMaxSize(cut, p=1.0),
            note="not antialiased, as kornia's; here the default is",
        ),
        Row(
            "smallest_max_size",
            lambda a: a.smallest_max_size(max_size=cut, antialias=False),
            lambda K: K.SmallestMaxSize(cut),
            lambda v2: v2.Resize(cut, antialias=False),
            lambda A: A.SmallestMaxSize(cut, p=1.0),
            "not antialiased, as kornia's; here the default is",
        ),
        Row(
            "pad",
            lambda a: a.pad(padding=16),
            torchvision=lambda v2: v2.Pad(16),
            albumentations=lambda A: A.Pad(16, p=1.0),
        ),
        Row(
            "pad_to",
            lambda a: a.pad_to(size=(more, more)),
            lambda K: K.PadTo((more, more)),
            albumentations=lambda A: A.PadIfNeeded(more, more, p=1.0),
        ),
    ]
