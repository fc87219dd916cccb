"""Augmentation in many processes: across ranks of a training, and on Ray (extra `ray`)."""

from augfn.distributed.on_ray import indexed, ray_map
from augfn.distributed.ranks import IndexedDataset, RankSampler

__all__ = ["IndexedDataset", "RankSampler", "indexed", "ray_map"]
