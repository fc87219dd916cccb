"""Samples as pictures: a slice of a volume, values outside of [0, 1], and the mask, boxes and keypoints drawn over."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

import augfn as af
from augfn.app import viz
from augfn.core.boxes import Boxes, Keypoints

AXES = {"axial (z)": 0, "coronal (y)": 1, "sagittal (x)": 2}
SHADE = 0.35  # of a mask over the image
SLACK = 0.01  # beyond [0, 1] that is rounding


class Look(NamedTuple):
    """What is drawn over the image, and which slice of a volume is shown: its axis (0: z) and where, from 0 to 1."""

    mask: bool = True
    boxes: bool = True
    points: bool = True
    axis: int = 0
    at: float = 0.5


def span_of(x: Tensor) -> tuple[float, float]:
    """The values that are shown black and white: 0 and 1, or the least and the largest of what lies beyond."""
    low, high = float(x.amin()), float(x.amax())
    return (low, high) if (low < -SLACK or high > 1 + SLACK) and high > low else (0.0, 1.0)


def plane(sample: Mapping[str, Any], look: Look) -> tuple[Tensor, Tensor | None]:
    """The image `[C, h, w]` and the mask `[h, w]` that are shown."""
    x = sample["image"] if "image" in sample else sample["volume"]
    x = af.to_float(x) if not x.is_floating_point() else x
    low, high = span_of(x)
    mask = sample.get("mask")
    if x.ndim == 4:
        i = min(int(look.at * x.shape[1 + look.axis]), x.shape[1 + look.axis] - 1)
        x, mask = x.select(1 + look.axis, i), None if mask is None else mask.select(look.axis, i)
    x = ((x - low) / (high - low)).clamp(0, 1)
    return (x[:3] if len(x) > 2 else x[:1].expand(3, -1, -1)), mask


def picture(sample: Mapping[str, Any], look: Look = Look(), side: int | None = None) -> Image.Image:
    """A sample without batch dimensions as an image, `side` pixels long at most."""
    x, mask = plane(sample, look)
    image = Image.fromarray(np.ascontiguousarray((x * 255 + 0.5).to(torch.uint8).movedim(0, -1).numpy()))
    width = image.width
    if side is not None and max(image.size) > side:
        image.thumbnail((side, side), reducing_gap=2.0)
    if look.mask and mask is not None:
        labels = Image.fromarray(mask.to(torch.uint8).numpy()).resize(image.size, Image.Resampling.NEAREST)
        image = shaded(np.asarray(image), np.asarray(labels))
    scale = image.width / width
    pen = ImageDraw.Draw(image)
    boxes, points = sample.get("boxes"), sample.get("keypoints")
    if look.boxes and isinstance(boxes, Boxes) and boxes.data.shape[-1] == 4:
        for i, (box, there) in enumerate(zip(boxes.data.tolist(), boxes.valid.tolist(), strict=True)):
            if there:
                x1, y1, x2, y2 = (v * scale for v in box)
                pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=color(i), width=2)
    if look.points and isinstance(points, Keypoints) and points.xy.shape[-1] == 2:
        for (px, py), there in zip(points.xy.tolist(), points.visible.tolist(), strict=True):
            if there:
                cx, cy = ((v + 0.5) * scale for v in (px, py))
                pen.ellipse((cx - 3, cy - 3, cx + 3, cy + 3), fill=(255, 225, 0), outline=(0, 0, 0))
    return image


def color(i: int) -> tuple[int, int, int]:
    """Of the box of this number."""
    r, g, b = viz.PALETTE[(i + 2) % len(viz.PALETTE)]
    return int(255 * r), int(255 * g), int(255 * b)


def shaded(pixels: np.ndarray, labels: np.ndarray) -> Image.Image:
    """Each label in a colour of its own, with its outline."""
    colors = np.array([(0, 0, 0), *viz.MASKS])[np.where(labels > 0, (labels - 1) % len(viz.MASKS) + 1, 0)] * 255
    share = np.where(labels > 0, SHADE, 0.0)
    for axis in (0, 1):
        share[(np.roll(labels, 1, axis) != labels) & (labels > 0)] = 1.0
    share = share[..., None]
    return Image.fromarray((pixels * (1 - share) + colors * share).astype(np.uint8))


def encoded(image: Image.Image) -> str:
    """A picture within the page itself, so that no other page can ask for it."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
