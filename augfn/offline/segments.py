"""Segmentations of COCO: polygons, whose corners move as points, and run lengths, which move as masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from pycocotools import mask as coco_mask

STEP = 8.0  # pixels between the points of an edge
BENT = 0.1  # pixels that an edge may bend and is still written as straight
LEAST = 0.01  # square pixels: less is no polygon, but rounding

Points = np.ndarray
Size = tuple[int, int]


def decoded(rle: dict[str, Any], size: Size) -> np.ndarray:
    """The mask `[h, w]` of run lengths, compressed or not. Raises where they are not of every pixel of the image, of which
    pycocotools leaves the others as it finds them in memory.

    >>> decoded({"size": [2, 2], "counts": [1, 2, 1]}, (2, 2)).tolist()
    [[0, 1], [1, 0]]
    """
    if tuple(rle["size"]) != size:
        raise ValueError(f"a mask of {rle['size']} for an image of {list(size)} (height, width)")
    counts = rle["counts"].encode() if isinstance(rle["counts"], str) else rle["counts"]
    runs = np.array(unpacked(counts) if isinstance(counts, bytes) else counts, dtype=np.int64)
    if (runs < 0).any() or runs.sum() != size[0] * size[1]:
        raise ValueError(f"run lengths of {runs.sum()} pixels for a mask of {size[0] * size[1]}")
    return np.repeat(np.arange(len(runs), dtype=np.uint8) % 2, runs).reshape(size[::-1]).T


def unpacked(counts: bytes) -> list[int]:
    """The numbers of compressed run lengths: of 5 bits a character, lowest first, each from the third on less the last but one.

    >>> unpacked(coco_mask.encode(np.asfortranarray([[0, 1], [1, 0]], dtype=np.uint8))["counts"])
    [1, 2, 1]
    """
    runs, number, shift = [], 0, 0
    for code in counts:
        bits = code - 48
        number, shift = number | (bits & 31) << shift, shift + 5
        if not bits & 32:  # the last character of a number, of which 16 is the sign
            number -= bool(bits & 16) << shift
            runs.append(number + (runs[-2] if len(runs) > 2 else 0))
            number, shift = 0, 0
    return runs


def run_lengths(mask: np.ndarray, plain: bool) -> dict[str, Any]:
    """A mask as COCO's run lengths; `plain`: as numbers."""
    if plain:
        flat = np.concatenate([[0], mask.T.ravel() != 0, [0]]).astype(np.int8)
        ends = np.concatenate([[0], np.flatnonzero(np.diff(flat)), [mask.size]])
        counts = np.diff(ends)
        return {"size": list(mask.shape), "counts": counts[:-1].tolist() if counts[-1] == 0 else counts.tolist()}
    rle: Any = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(mask.shape), "counts": rle["counts"].decode("ascii")}


def box_of_mask(mask: np.ndarray) -> list[float]:
    """x, y, width and height of the box around what is not 0."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    return [float(left), float(top), float(columns[-1] + 1 - left), float(rows[-1] + 1 - top)]


def corners_of(part: Sequence[float]) -> Points:
    if len(part) % 2:
        raise ValueError(f"a polygon of {len(part)} numbers, which are no pairs x, y")
    return np.asarray(part, dtype=np.float64).reshape(-1, 2)


def dense(corners: Points) -> tuple[Points, np.ndarray]:
    """Points `[m, 2]` along the edges of a polygon `[n, 2]`, and which of them are its corners.

    >>> dense(np.array([[0.0, 0.0], [16.0, 0.0], [0.0, 1.0]]))[0].tolist()[:3]
    [[0.0, 0.0], [8.0, 0.0], [16.0, 0.0]]
    """
    edges = np.roll(corners, -1, 0) - corners
    n = np.ceil(np.hypot(*edges.T) / STEP).clip(1).astype(int)
    edge = np.repeat(np.arange(len(corners)), n)
    along = (np.arange(n.sum()) - np.repeat(n.cumsum() - n, n)) / n[edge]
    return corners[edge] + edges[edge] * along[:, None], along == 0


def straightened(points: Points, corner: np.ndarray) -> Points:
    """The corners, and the points of those edges that are bent."""
    edge, ends = corner.cumsum() - 1, points[corner]
    chord = np.roll(ends, -1, 0) - ends
    away = points - ends[edge]
    off = np.abs(away[:, 0] * chord[edge, 1] - away[:, 1] * chord[edge, 0])
    off = off / np.hypot(*chord.T).clip(1e-9)[edge]
    most = np.zeros(len(ends))
    np.maximum.at(most, edge, off)
    return points[corner | (most[edge] > BENT)]


def clipped(part: Points, size: Size) -> list[Points]:
    """The parts of a polygon within a frame (height, width); of one that crosses itself what is inside by the even-odd rule.

    >>> [p.tolist() for p in clipped(np.array([[-2.0, 0.0], [2.0, 0.0], [2.0, 1.0], [-2.0, 1.0]]), (4, 4))]
    [[[0.0, 0.0], [0.0, 1.0], [2.0, 1.0], [2.0, 0.0]]]
    """
    h, w = size
    if len(part) < 3 or not np.isfinite(part).all():
        return []
    if (part >= 0).all() and (part <= (w, h)).all():
        return [part] if area_of(part) > LEAST else []
    whole = shapely.Polygon(part)
    whole = whole if whole.is_valid else shapely.make_valid(whole)
    pieces = [s for p in polygons_in(whole.intersection(shapely.box(0, 0, w, h))) for s in solid(p)]
    rings = [np.asarray(p.exterior.coords)[:-1] for p in pieces]
    return [ring for ring in rings if area_of(ring) > LEAST]


def polygons_in(shape: Any) -> list[Any]:
    if shape.geom_type == "Polygon":
        return [] if shape.is_empty else [shape]
    return [p for part in getattr(shape, "geoms", []) for p in polygons_in(part)]


def solid(shape: Any) -> list[Any]:
    """A polygon as ones without holes, which COCO's have not: cut in two through each hole."""
    if not shape.interiors:
        return [shape]
    x, (left, top, right, bottom) = shape.interiors[0].centroid.x, shape.bounds
    halves = [shapely.box(left, top, x, bottom), shapely.box(x, top, right, bottom)]
    return [s for half in halves for p in polygons_in(shape.intersection(half)) for s in solid(p)]


def area_of(part: Points) -> float:
    """The shoelace formula."""
    (x, y), (u, v) = part.T - part[:1].T, np.roll(part, -1, 0).T - part[:1].T
    return float(abs((x * v - y * u).sum()) / 2)


def box_of(parts: Sequence[Points]) -> list[float]:
    """x, y, width and height of the box around polygons."""
    low, high = np.concatenate(parts).min(0), np.concatenate(parts).max(0)
    return [*low.tolist(), *(high - low).tolist()]
