"""Rendered scenes with COCO annotations: shapes whose boxes, masks and keypoints are known in closed form.

Every object of a scene has a colour of its own, on black: so that which pixels are its own can be read from the image alone,
also after geometry (read nearest) and a change of brightness.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from augfn.offline.segments import decoded

SIZES = ((256, 320), (288, 288), (320, 240))  # height, width
CELLS = 3, 2  # across, down: an object in each, so that none hides another
COLOURS = np.array(
    [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 0.45, 0), (0.45, 0, 1), (0, 1, 0.45)]
)  # of the objects, the last three of the joints of the figure
JOINTS = ("nose", "left_hand", "right_hand")
BLOB = 4.0  # half of the side of what marks a joint, in pixels
FIGURE, PLAIN = 1, 2
CATEGORIES = [
    {"id": FIGURE, "name": "figure", "keypoints": list(JOINTS), "skeleton": []},
    {"id": PLAIN, "name": "shape"},
]


def turned(corners: Any, degrees: float, centre: Any) -> np.ndarray:
    a = np.deg2rad(degrees)
    return np.asarray(corners) @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + centre


def shape_of(kind: int, r: float, degrees: float, centre: Any) -> np.ndarray:
    """Corners of a rectangle, an ellipse (of 48 corners), an L or a triangle, within r pixels of the centre."""
    t = np.arange(48) * (2 * np.pi / 48)
    shapes = (
        [(-0.8, -0.5), (0.8, -0.5), (0.8, 0.5), (-0.8, 0.5)],
        np.stack([0.95 * np.cos(t), 0.6 * np.sin(t)], -1),
        [(-0.6, -0.7), (0.0, -0.7), (0.0, 0.1), (0.6, 0.1), (0.6, 0.7), (-0.6, 0.7)],
        [(-0.8, 0.5), (0.8, 0.5), (0.1, -0.9)],
    )
    return turned(np.asarray(shapes[kind]) * r, degrees, centre)


def inside(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """True for the pixels `[h, w]` whose centres lie in a polygon, by the even-odd rule."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    found = np.zeros(size, bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, 0), strict=True):
        if y1 != y2:
            found ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return found


def scene(number: int) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The pixels `[h, w, 3]` of a scene, and its annotations without ids: a figure with joints, and shapes, of which some have
    run lengths and all others polygons. `colour` says which of COLOURS is an object's."""
    draw = np.random.default_rng(number)
    size = SIZES[number % len(SIZES)]
    pixels, annotations = np.zeros((*size, 3)), []
    for cell in range(CELLS[0] * CELLS[1]):
        step = np.array([size[1] / CELLS[0], size[0] / CELLS[1]])
        r = 0.42 * step.min() * draw.uniform(0.75, 1.0)
        centre = (np.array([cell % CELLS[0], cell // CELLS[0]]) + 0.5) * step + draw.uniform(-3, 3, 2)
        degrees = draw.uniform(-25, 25) if cell == 0 else draw.uniform(0, 360)
        corners = shape_of(0 if cell == 0 else int(draw.integers(4)), r, degrees, centre)
        mask = inside(corners, size)
        pixels[mask] = COLOURS[cell]
        a: dict[str, Any] = {"category_id": PLAIN, "iscrowd": 0, "colour": cell}
        if cell == 0:
            points = turned(np.array([(0, -0.25), (-0.55, 0.2), (0.55, 0.2)]) * r, degrees, centre)
            for joint, point in enumerate(points):
                block = np.array([(-BLOB, -BLOB), (BLOB, -BLOB), (BLOB, BLOB), (-BLOB, BLOB)])
                pixels[inside(turned(block, degrees, point), size)] = COLOURS[6 + joint]
            keypoints = np.concatenate([points - 0.5, np.full((3, 1), 2)], 1)  # of pixel centres
            a |= {"category_id": FIGURE, "keypoints": keypoints.ravel().tolist(), "num_keypoints": 3}
        rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
        if cell % 3 == 2:
            counts = {"size": list(size), "counts": rle["counts"].decode("ascii")}
            a |= {"segmentation": counts, "bbox": coco_mask.toBbox(rle).tolist(), "area": float(mask.sum())}
        else:
            low, high = corners.min(0), corners.max(0)
            x, y = corners.T
            area = abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2
            box = [*low.tolist(), *(high - low).tolist()]
            a |= {"segmentation": [corners.ravel().tolist()], "bbox": box, "area": float(area)}
        annotations.append(a)
    return np.round(pixels * 200).astype(np.uint8), annotations


def write(folder: Path, n: int, suffix: str = ".png") -> None:
    """A data set of n scenes: images, and annotations.json."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(n):
        pixels, own = scene(number)
        name, (h, w) = f"images/{number:05d}{suffix}", pixels.shape[:2]
        Image.fromarray(pixels).save(folder / name)
        images.append({"id": 7 + number, "file_name": name, "height": h, "width": w, "scene": number})
        annotations += [a | {"id": 100 + len(annotations) + i, "image_id": 7 + number} for i, a in enumerate(own)]
    data = {"info": {"scenes": n}, "images": images, "annotations": annotations, "categories": CATEGORIES}
    (folder / "annotations.json").write_text(json.dumps(data))


def owners(pixels: np.ndarray) -> np.ndarray:
    """Which of COLOURS each pixel `[h, w, 3]` has, whatever its brightness; -1 where it is black."""
    x = pixels.astype(np.float64)
    length = np.linalg.norm(x, axis=-1)
    unit = COLOURS / np.linalg.norm(COLOURS, axis=-1, keepdims=True)
    return np.where(length > 20, (x @ unit.T).argmax(-1), -1)


def agreement(folder: Path, mirrored: dict[str, bool]) -> dict[str, Any]:
    """How far the annotations of a folder of augmented scenes lie from what is to be seen in its images.

    `mirrored`: whether an image was flipped, by its name. Of each object: the intersection over union of its mask and the
    pixels of its colour, how far the edges of its box are from theirs, of a joint the distance from the middle of its block.
    Objects of fewer than 150 pixels count as lost or kept alone.
    """
    data = json.loads((folder / "annotations.json").read_text())
    own: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in data["images"]}
    for a in data["annotations"]:
        own[a["image_id"]].append(a)
    overlaps, edges, joints, masks, lost, bad = [], [], [], 0, 0, []
    for image in data["images"]:
        pixels = np.asarray(Image.open(folder / image["file_name"]))
        who = owners(pixels)
        assert pixels.shape[:2] == (image["height"], image["width"])
        known = {a["colour"]: a for a in own[image["id"]]}
        for colour in range(6):
            seen = (who == colour) | ((who >= 6) if colour == 0 else False)
            a = known.get(colour)
            if a is None:
                lost += 1
                if seen.sum() > 8:  # a sliver may fall between pixel centres
                    bad.append(f"{image['file_name']}: object {colour} was dropped, {seen.sum()} pixels show it")
                continue
            if seen.sum() < 150:
                continue
            mask = mask_of(a, seen.shape)
            overlaps.append((mask & seen).sum() / (mask | seen).sum())
            masks += int(isinstance(a["segmentation"], dict) and (mask == seen).all())
            x, y, w, h = a["bbox"]
            rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
            ends = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
            edges.append(max(abs(p - q) for p, q in zip((x, y, x + w, y + h), ends, strict=True)))
            if colour == 0:
                joints += joints_of(a, who, mirrored[image["file_name"]])
    return {
        "images": len(data["images"]),
        "annotations": len(data["annotations"]),
        "lost": lost,
        "iou_min": float(np.min(overlaps)),
        "iou_median": float(np.median(overlaps)),
        "box_max": float(np.max(edges)),
        "box_median": float(np.median(edges)),
        "joints": len(joints),
        "joint_max": float(np.max(joints)),
        "joint_median": float(np.median(joints)),
        "masks_exact": masks,
        "wrong": bad,
    }


def mask_of(a: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    given = a["segmentation"]
    rle = given if isinstance(given, dict) else coco_mask.merge(coco_mask.frPyObjects(given, *size))
    return decoded(rle, size).astype(bool)


def joints_of(a: dict[str, Any], who: np.ndarray, mirrored: bool) -> list[float]:
    """Distances of the joints that show whole from the middles of their blocks; under a mirror left is what was right."""
    points, found = np.reshape(a["keypoints"], (-1, 3)), []
    order = (0, 2, 1) if mirrored else (0, 1, 2)
    for point, joint in zip(points, order, strict=True):
        rows, columns = np.nonzero(who == 6 + joint)
        h, w = who.shape
        cut = not len(rows) or min(rows.min(), columns.min()) == 0 or rows.max() == h - 1 or columns.max() == w - 1
        if point[2] and not cut:
            found.append(float(np.hypot(columns.mean() - point[0], rows.mean() - point[1])))
    return found
