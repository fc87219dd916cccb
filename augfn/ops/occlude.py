"""Occlusion: parts of the image are hidden."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.distributions import LogUniform, Uniform
from augfn.kinds import Size
from augfn.op import occlusion
from augfn.ops.crop import rectangle
from augfn.ops.geometric import frame_like
from augfn.typing import Leaf, Position2, Ratio

Share = Annotated[Any, Leaf("fraction of the area", neutral=0.0, low=0.0, high=1.0)]


@occlusion
def erase(
    frame: Size,
    *,
    scale: Share = Uniform(0.02, 0.33),
    ratio: Ratio = LogUniform(0.3, 3.3),
    position: Position2 = Uniform(0.0, 1.0),
) -> Tensor:
    """Hide a rectangle of a given share of the area and aspect ratio (width / height), wholly inside the frame.

    Edges lie between pixels: a pixel is hidden by the share that the rectangle covers, so every leaf has a gradient.
    Masks are filled (`fill_mask`) where more than half is covered. Source: Zhong et al. 2020, torchvision
    `RandomErasing`.

    >>> af.erase(scale=0.25, ratio=1.0, position=0.0)(torch.ones(1, 2, 2))[0]
    tensor([[[0., 1.],
             [1., 1.]]])
    """
    limit = frame_like(frame, scale)
    sides = rectangle(scale, ratio, limit)
    start = position * (limit - sides)
    columns, rows = (cover(start[..., i], sides[..., i], n) for i, n in enumerate(frame[::-1]))
    return rows[..., :, None] * columns[..., None, :]


def cover(start: Tensor, length: Tensor, n: int) -> Tensor:
    """The share of each of n pixels that [start, start + length] covers, `[*b, n]`."""
    edge = torch.arange(n, dtype=start.dtype, device=start.device)
    start = start[..., None]
    return (torch.minimum(edge + 1, start + length[..., None]) - torch.maximum(edge, start)).clamp(min=0)
