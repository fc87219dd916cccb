"""The job of `benchmarks.offline` with albumentations, as its users write it: OpenCV reads and writes, polygons are keypoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from augfn.offline.segments import area_of, box_of, box_of_mask, clipped, decoded, run_lengths

do_of_worker: Any = None


def begin(source: Path, out: Path) -> None:
    global do_of_worker
    do_of_worker = job(source, out)[0]


def run(i: int) -> Any:
    return do_of_worker(i)


def count(source: Path) -> int:
    return len(listed(source)[0])


def listed(source: Path) -> tuple[list[str], dict[int, list[dict[str, Any]]] | None]:
    """The images, and the annotations of each where there are such."""
    file = source / "annotations.json"
    if not file.exists():
        return sorted(p.name for p in source.iterdir()), None
    data = json.loads(file.read_text())
    at = {image["id"]: i for i, image in enumerate(data["images"])}
    own: dict[int, list[dict[str, Any]]] = {i: [] for i in at.values()}
    for a in data["annotations"]:
        own[at[a["image_id"]]].append(a)
    return [image["file_name"] for image in data["images"]], own


def job(source: Path, out: Path) -> tuple[Callable[[int], Any], int]:
    """`do(i)`, which reads, augments and writes one image, and how many there are."""
    import albumentations as A
    import cv2

    cv2.setNumThreads(1)
    names, own = listed(source)
    steps = [
        A.HorizontalFlip(p=0.5),
        A.Affine(rotate=(-20, 20), scale=(0.8, 1.25), translate_percent=(-0.15, 0.15), p=1.0),
        A.RandomBrightnessContrast(brightness_limit=(-0.3, 0.0), contrast_limit=0.0, brightness_by_max=False, p=1.0),
    ]
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)

    def written(i: int, image: np.ndarray) -> None:
        options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if names[i].endswith("png") else [cv2.IMWRITE_JPEG_QUALITY, 95]
        cv2.imwrite(str(out / names[i]), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)

    def read(i: int) -> np.ndarray:
        return cv2.cvtColor(cv2.imread(str(source / names[i])), cv2.COLOR_BGR2RGB)

    if own is None:
        plain = A.Compose(steps)
        return lambda i: written(i, plain(image=read(i))["image"]), len(names)
    f = A.Compose(
        steps,
        bbox_params=A.BboxParams(format="coco", label_fields=["rows"]),
        keypoint_params=A.KeypointParams(format="xy", remove_invisible=False),
    )

    def do(i: int) -> Any:
        image, annotations = read(i), own[i]
        size = image.shape[:2]
        parts = [a["segmentation"] if isinstance(a["segmentation"], list) else [] for a in annotations]
        points = [np.reshape(p, (-1, 2)) for part in parts for p in part]
        poses = [np.reshape(a.get("keypoints", []), (-1, 3))[:, :2] for a in annotations]
        masks = [decoded(a["segmentation"], size) for a in annotations if isinstance(a["segmentation"], dict)]
        keypoints = np.concatenate([*points, *poses])
        y = f(
            image=image,
            masks=masks,
            bboxes=[a["bbox"] for a in annotations],
            rows=list(range(len(annotations))),
            keypoints=keypoints,
        )
        written(i, y["image"])
        return after(annotations, parts, poses, y, size)

    return do, len(names)


def after(annotations: Any, parts: Any, poses: Any, y: Any, size: tuple[int, int]) -> list[dict[str, Any]]:
    """The annotations of the augmented image, in COCO's form."""
    boxes = dict(zip(map(int, y["rows"]), y["bboxes"], strict=True))
    kept, at, masks = [], 0, iter(y["masks"])
    moved = np.asarray(y["keypoints"])
    joints = sum(len(p) // 2 for part in parts for p in part)
    for i, a in enumerate(annotations):
        new = {"bbox": [float(v) for v in boxes[i]]} if i in boxes else {}
        rings = []
        for p in parts[i]:
            rings += clipped(moved[at : at + len(p) // 2], size)
            at += len(p) // 2
        if rings:
            new |= {"segmentation": [r.ravel().tolist() for r in rings], "bbox": box_of(rings)}
            new |= {"area": sum(map(area_of, rings))}
        elif isinstance(a["segmentation"], dict):
            mask = next(masks)
            if mask.any():
                new |= {"segmentation": run_lengths(mask, False), "bbox": box_of_mask(mask), "area": float(mask.sum())}
        if len(poses[i]):
            xy = moved[joints : joints + len(poses[i])]
            inside = ((xy >= -0.5) & (xy < (size[1] - 0.5, size[0] - 0.5))).all(-1, keepdims=True)
            new |= {"keypoints": (np.concatenate([xy, 2 * inside], -1) * inside).ravel().tolist()}
        joints += len(poses[i])
        if new:
            kept.append(a | new)
    return kept
