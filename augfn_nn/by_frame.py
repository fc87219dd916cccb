"""What only a frame decides: holes in pixels, and a turn that holds all of the image."""

from __future__ import annotations

from typing import Any

import torch
from torch.serialization import add_safe_globals

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.typing import Range

Pair = tuple[float, float]


class HolesByFrame(Augmentation):
    """`af.coarse_dropout` of a whole number of holes, whose sides are fractions of the frame, or `pixels` as far as it has as
    many."""

    def __init__(self, fewest: int, most: int, pixels: dict[str, Pair], **known: Any) -> None:
        holes = af.Uniform(float(fewest), most + 1.0) if fewest < most else float(fewest)
        self.f = af.coarse_dropout(holes=holes, **{n: af.Uniform(0.0, 1.0) for n in pixels}, **known)
        super().__init__("coarse_dropout", self.f.params, self.f.schema, spatial=self.f.spatial)
        self.pixels = pixels

    def plan(self, params: Any, size: Any, sampling: Any) -> Any:
        sides = {**params, "holes": params["holes"].floor()}
        for name, (low, high) in self.pixels.items():
            n = size[-2:][name == "width"]
            sides[name] = ((low + (high - low) * params[name]) / n).clamp(max=1.0)
        return self.f.plan(sides, size, sampling)


class RotationByFrame(Augmentation):
    """`af.rotate`, then a zoom that fits the turned frame into the frame."""

    def __init__(self, degrees: Range) -> None:
        f = af.rotate(degrees=degrees)
        super().__init__("rotate", f.params, f.schema)

    def plan(self, params: Any, size: Any, sampling: Any) -> Any:
        height, width = size
        angle = torch.deg2rad(params["degrees"])
        sin, cos = angle.sin().abs(), angle.cos().abs()
        zoom = {"scale": width / (height * sin + width * cos), "scale_y": height / (height * cos + width * sin)}
        f = af.pipeline(af.rotate(), af.scale(scale_y=1.0))
        return f.plan({"rotate": params, "scale": zoom}, size, sampling)


add_safe_globals([HolesByFrame, RotationByFrame])
