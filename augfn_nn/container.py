"""The containers under kornia's path `augmentation.container`."""

from augfn_nn.containers import (
    ImageSequential,
    ManyToManyAugmentationDispather,
    ManyToOneAugmentationDispather,
    VideoSequential,
)
from augfn_nn.items import ParamItem, PatchParamItem
from augfn_nn.patches import PatchSequential
from augfn_nn.sequential import AugmentationSequential

__all__ = [
    "AugmentationSequential",
    "ImageSequential",
    "ManyToManyAugmentationDispather",
    "ManyToOneAugmentationDispather",
    "ParamItem",
    "PatchParamItem",
    "PatchSequential",
    "VideoSequential",
]
