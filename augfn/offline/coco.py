"""Images with annotations in COCO's form: boxes, polygons, run-length masks and keypoints move with their images."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from augfn.core.augmentation import Augmentation
from augfn.core.boxes import Boxes, Keypoints
from augfn.errors import explain
from augfn.offline.folders import stamp_of
from augfn.offline.jobs import NAMES, Job, OneByOne, Options, Record, ops_of, suited, utf8, write_whole
from augfn.offline.pictures import check_format, encoded, read_image, suffix_of
from augfn.offline.segments import (
    LEAST,
    area_of,
    box_of,
    box_of_mask,
    clipped,
    corners_of,
    decoded,
    dense,
    run_lengths,
    straightened,
)

HALF = 0.5  # COCO's edges are continuous, a pixel of augfn has its centre at a whole number
DIGITS = 3  # of what is written
# Of how many numbers a field consists, at the most how many it has, and what they are.
NUMBERS = {"bbox": (4, 4, "x, y, width, height"), "keypoints": (3, math.inf, "x, y, visibility, for each of them")}


class Outline(NamedTuple):
    """Where the points of one polygon lie in the list of all, and which of them are its corners."""

    points: slice
    corner: np.ndarray


class Layout(NamedTuple):
    """How the targets of a sample belong to its annotations."""

    outlines: list[list[Outline]]  # of each annotation, one for each of its polygons
    joints: list[slice]  # of each annotation, in the list of all keypoints


@dataclass
class Coco(OneByOne):
    """The images that a COCO file lists, in its order, with all that it says of them.

    * Boxes, polygons, masks, keypoints (with `num_keypoints`), area, width and height are those of the augmented image; where
      nothing has moved they stay as they are, digit by digit. All other fields are passed on.
    * A polygon or a mask says where its object is: box and area are those of what is left of it in the frame. What nothing
      is left of is dropped, and counted in the record (`dropped`).
    * What has a box alone keeps its share of it: its area grows as the box does. Polygons without an area say nothing, and go.
      An annotation of the whole image, such as a caption, stays as it is.
    * Keypoints out of the frame, or hidden by a hole, become 0 0 0. Those whose names say left and right change places in a
      mirror.
    * Of one copy ids stay, of several images and annotations are numbered from 1, in the order of the manifest.
    """

    source: Path
    out: Path
    options: Options
    file: Path
    root: str
    entries: list[bytes]  # of each image itself and its annotations: less to send to workers than objects
    names: list[str]
    rest: dict[str, Any]

    @classmethod
    def of(cls, source: Path, out: Path, options: Options) -> Coco:
        check_format(options.format)
        file = Path(options.annotations) if options.annotations else found_in(source)
        data = json.loads(file.read_text(encoding="utf-8-sig"))
        if not isinstance(data, dict) or not all(isinstance(data.get(n), list) for n in ("images", "annotations")):
            want = 'an object with the lists "images" and "annotations"'
            raise ValueError(explain("not a COCO file", str(file), want, "--annotations the file of the instances"))
        check_fields(data["images"], data["annotations"])
        own = defaultdict(list)
        for a in data["annotations"]:
            own[a["image_id"]].append(a)
        images = data.pop("images")
        check_images(images, own)
        names = [Path(image["file_name"]).as_posix() for image in images]
        root = root_of(source, names)
        entries = [json.dumps([image, own[image["id"]]]).encode() for image in images]
        del data["annotations"]
        return cls(source, out, options, file, root, entries, names, data)

    def __len__(self) -> int:
        return len(self.entries)

    def name(self, unit: int) -> str:
        return self.root + self.names[unit]

    def listing(self) -> list[str]:
        told = hashlib.sha256(self.file.read_bytes()).hexdigest()
        return [told, *(f"{self.name(i)} {stamp_of(self.source / self.name(i))}" for i in range(len(self)))]

    def files(self, job: Job) -> list[str]:
        path = self.name(job.unit)
        return [self.options.named(path, job.copy, suffix_of(path, self.options.format))]

    def read(self, unit: int) -> tuple[dict[str, Any], Any]:
        image, annotations = json.loads(self.entries[unit])
        targets, look = read_image(self.source / self.name(unit))
        h, w = size = int(targets["image"].shape[-2]), int(targets["image"].shape[-1])
        if (image.get("height", h), image.get("width", w)) != size:
            given, want = f"{w} x {h}", f"{image.get('width')} x {image.get('height')}, as the annotations say"
            raise ValueError(explain("the size of the image (upright, as its EXIF says)", given, want, "mend the file"))
        more, layout = targets_of(annotations, size, self.swaps())
        return targets | more, (look, image, annotations, more, layout, size)

    def suited(self, sample: dict[str, Any], f: Augmentation) -> dict[str, Any]:
        """Without the boxes of what has polygons, which say where it is, unless a step looks at boxes."""
        y, boxes = suited(sample, f), sample.get("boxes")
        if boxes is None or any("boxes" in op.needs for op in ops_of(f)):
            return y
        keep = boxes.labels[:, 1] == 0
        own: dict[str, Any] = {n: getattr(boxes, n)[keep] for n in ("data", "valid", "labels")}
        own = {"boxes": replace(boxes, **own)} | {n: y[n][keep] for n in ("instances",) if n in y}
        return {n: own.get(n, x) for n, x in y.items() if n not in own or keep.any()}

    def swaps(self) -> dict[Any, list[tuple[int, int]]]:
        """Of each category the pairs of keypoints whose names differ in left and right."""
        return {c["id"]: pairs_of(c.get("keypoints") or []) for c in self.rest.get("categories", [])}

    def made(self, job: Job, y: dict[str, Any], rest: Any) -> tuple[dict[str, bytes], Record]:
        look, image, annotations, before, layout, size = rest
        path = self.files(job)[0]
        h, w = (int(n) for n in y["image"].shape[-2:])
        same = (h, w) == size
        there = y["boxes"].labels[:, 0].tolist() if "boxes" in y else []
        rows = dict(zip(there, range(len(there)), strict=True))
        found = [after(a, i, rows.get(i, 0), before, y, layout, (h, w), same) for i, a in enumerate(annotations)]
        kept = [a for a in found if a is not None]
        image = image | {"file_name": path.removeprefix(self.root), "height": h, "width": w}
        data = {path: encoded(y, look, os.path.splitext(path)[1], self.options.quality)}
        return data, {"image": image, "annotations": kept, "dropped": len(found) - len(kept)}

    def finish(self, records: list[Record]) -> None:
        images, annotations = [r["image"] for r in records], [a for r in records for a in r["annotations"]]
        owner = [i for i, r in enumerate(records) for _ in r["annotations"]]
        ids = list(range(1, len(images) + 1)) if self.options.copies > 1 else [image["id"] for image in images]
        own = [a.get("id") for a in annotations]
        if self.options.copies > 1 or None in own or len(set(own)) < len(own):
            own = list(range(1, len(own) + 1))
        data = self.rest | {
            "images": [image | {"id": i} for image, i in zip(images, ids, strict=True)],
            "annotations": [
                a | {"id": n, "image_id": ids[at]} for a, n, at in zip(annotations, own, owner, strict=True)
            ],
        }
        inside = self.file.is_relative_to(self.source)
        path = str(self.file.relative_to(self.source)) if inside else self.file.name
        write_whole(self.out, path, utf8(json.dumps(data, ensure_ascii=False)))


def found_in(source: Path) -> Path:
    for name in NAMES:
        if (source / name).is_file():
            return source / name
    want, fix = f"one of {', '.join(NAMES)}", "--annotations instances.json"
    raise ValueError(explain("no file of annotations", str(source), want, fix))


def check_fields(images: list[Any], annotations: list[Any]) -> None:
    """Raises where an image or an annotation lacks what tells it, or is of a form that is not known."""
    for entries, names in ((images, ("id", "file_name")), (annotations, ("image_id",))):
        for entry in entries:
            if not isinstance(entry, dict) or not all(name in entry for name in names):
                raise ValueError(explain("an entry of a COCO file", entry, " and ".join(names), "mend the file"))
    if any("segments_info" in a for a in annotations):
        want, fix = "boxes, polygons, run lengths or keypoints", "--kind masks for the PNG files of the segments"
        raise ValueError(explain("a COCO file of panoptic segments", "segments_info", want, fix))


def root_of(source: Path, names: list[str]) -> str:
    """From where `file_name` counts: IN, its folder `images`, or the one other folder in it that has the images."""

    def holds(root: str) -> bool:
        return any((source / root / name).exists() for name in names)

    known = next((root for root in ("", "images/") if not names or holds(root)), None)
    found = (
        [known]
        if known is not None
        else [f"{p.name}/" for p in sorted(source.iterdir()) if p.is_dir() and holds(p.name)]
    )
    if len(found) == 1:
        return found[0]
    given = f"{names[0]} in {'none' if not found else ', '.join(found)} of its folders"
    raise ValueError(
        explain(
            f"the images that COCO's file lists are not in {source}",
            given,
            "one folder that has them",
            "IN as the folder of images",
        )
    )


def check_images(images: list[dict[str, Any]], own: dict[Any, Any]) -> None:
    """Raises where images are not one for each id, their files would lie elsewhere, or annotations have none."""
    ids = {image["id"] for image in images}
    if len(ids) < len(images):
        raise ValueError(
            explain("images with one id", f"{len(images)} images, {len(ids)} ids", "an id each", "renumber")
        )
    for image in images:
        path = Path(image["file_name"])
        if path.is_absolute() or ".." in path.parts:
            want = "a path below the folder of images"
            raise ValueError(explain("file_name of an image", str(path), want, "IN as the folder above all of them"))
    if strays := sorted(map(str, own.keys() - ids)):
        given, fix = f"{len(strays)} ids, such as {strays[0]}", "leave their annotations out of the file"
        raise ValueError(explain("annotations of images that are not listed", given, "an image for each", fix))


def pairs_of(names: list[str]) -> list[tuple[int, int]]:
    """Pairs of places of the names that differ in left and right.

    >>> pairs_of(["nose", "left_eye", "right_eye"])
    [(1, 2)]
    """
    at = {name: i for i, name in enumerate(names)}
    sides = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"))
    pairs = ((i, at.get(reduce(lambda text, side: text.replace(*side), sides, name), i)) for name, i in at.items())
    return [(i, j) for i, j in pairs if i != j]


def check_numbers(a: dict[str, Any]) -> None:
    for name, (n, most, want) in NUMBERS.items():
        given = a.get(name) or []
        numbers = isinstance(given, list) and all(isinstance(v, int | float) for v in given)
        if not numbers or len(given) % n or len(given) > most:
            raise ValueError(explain(f"{name} of annotation {a.get('id')}", given, want, "mend the file"))


def targets_of(
    annotations: list[dict[str, Any]], size: tuple[int, int], swaps: dict[Any, list[tuple[int, int]]]
) -> tuple[dict[str, Any], Layout]:
    """Annotations as targets: their boxes, the corners of all polygons in one list, all keypoints in another, and the masks."""
    for a in annotations:
        check_numbers(a)
    boxes = torch.tensor([a.get("bbox") or [0.0] * 4 for a in annotations], dtype=torch.float64).reshape(-1, 4)
    outlines, joints, points, poses, swap, count = [], [], [], [], [], 0
    for a in annotations:
        parts = a.get("segmentation")
        own = []
        for part in map(corners_of, parts if isinstance(parts, list) else []):
            if area_of(part) <= LEAST:  # of an annotation tool: a click, a line
                continue
            line, corner = dense(part)
            own.append(Outline(slice(count, count := count + len(line)), corner))
            points.append(line)
        outlines.append(own)
        pose = np.asarray(a.get("keypoints") or [], dtype=np.float64).reshape(-1, 3)
        start = sum(map(len, poses))
        joints.append(slice(start, start + len(pose)))
        swap += [(i + start, j + start) for i, j in swaps.get(a.get("category_id"), []) if max(i, j) < len(pose)]
        poses.append(pose)
    told = torch.tensor([(i, bool(own)) for i, own in enumerate(outlines)])  # by itself, without its box
    targets: dict[str, Any] = {"boxes": Boxes(boxes, "xywh", labels=told)} if len(annotations) else {}
    if points:
        targets["keypoints_outline"] = Keypoints(torch.from_numpy(np.concatenate(points) - HALF))
    if any(map(len, poses)):
        pose = torch.from_numpy(np.concatenate(poses))
        targets["keypoints_pose"] = Keypoints(pose[:, :2], pose[:, 2], tuple(swap))
    if any(isinstance(a.get("segmentation"), dict) for a in annotations):
        targets["instances"] = torch.from_numpy(np.stack([mask_of(a, size) for a in annotations]))
    return targets, Layout(outlines, joints)


def mask_of(a: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    """The mask of an annotation with run lengths; of another an empty one."""
    given = a.get("segmentation")
    return decoded(given, size) if isinstance(given, dict) else np.zeros(size, np.uint8)


def after(
    a: dict[str, Any],
    i: int,
    row: int,
    before: dict[str, Any],
    y: dict[str, Any],
    layout: Layout,
    size: tuple[int, int],
    same: bool,
) -> dict[str, Any] | None:
    """An annotation of the augmented image, the i-th of the source; None where nothing of it is left. `row`: where its box and
    mask are now."""
    new = pose_after(a, layout.joints[i], before, y, same)
    given = a.get("segmentation")
    if isinstance(given, dict):
        mask = y["instances"][row].numpy()
        if same and np.array_equal(mask, before["instances"][i].numpy()):
            return new
        if not mask.any():
            return None
        rle = run_lengths(mask, isinstance(given["counts"], list))
        return placed(new, box_of_mask(mask), float(np.count_nonzero(mask)), rle)
    if layout.outlines[i]:
        moved = y["keypoints_outline"].xy.numpy()
        own = [(moved[o.points], before["keypoints_outline"].xy.numpy()[o.points]) for o in layout.outlines[i]]
        if same and all(np.array_equal(*pair) for pair in own):
            return new
        lines = [straightened(p + HALF, o.corner) for (p, _), o in zip(own, layout.outlines[i], strict=True)]
        parts = [p for line in lines for p in clipped(line, size)]
        flat = [rounded(p.ravel().tolist()) for p in parts]
        return placed(new, box_of(parts), sum(map(area_of, parts)), flat) if parts else None
    if not a.get("bbox"):
        gone = a.get("keypoints") and any(a["keypoints"][2::3]) and not any(new["keypoints"][2::3])
        return None if gone or given else new
    box, old = y["boxes"].data[row], before["boxes"].data[i]
    if same and box.equal(old):
        return new
    if not y["boxes"].valid[row]:
        return None
    area = float(box[2:].prod())
    area *= (a.get("area") or 0) / float(old[2:].prod()) or 1.0
    return placed(new, box.tolist(), area, [] if given else None)


def placed(a: dict[str, Any], box: list[float], area: float, segmentation: Any) -> dict[str, Any] | None:
    """The annotation in its new place, in the fields that it had; None where its box is nothing but rounding."""
    x, y, w, h = box
    low, high = np.array([[x, y], [x + w, y + h]]).round(DIGITS)  # so that an edge in the frame stays in it
    if (low >= high).any():
        return None
    new = {"bbox": rounded([*low.tolist(), *(high - low).tolist()]), "area": round(area, DIGITS)}
    new = {n: v for n, v in new.items() if n in a}
    return a | new | ({} if segmentation is None else {"segmentation": segmentation})


def pose_after(a: dict[str, Any], own: slice, before: dict[str, Any], y: dict[str, Any], same: bool) -> dict[str, Any]:
    """The annotation with its keypoints moved; those that are not to be seen are 0 0 0."""
    if own.start == own.stop:
        return a
    old, new = before["keypoints_pose"], y["keypoints_pose"]
    if same and new.xy[own].equal(old.xy[own]) and new.visible[own].equal(old.visible[own]):
        return a
    there = new.visible[own] > 0
    rows = torch.cat([new.xy[own], new.visible[own][:, None]], 1) * there[:, None]
    flat = [int(v) if i % 3 == 2 else v for i, v in enumerate(rounded(rows.flatten().tolist()))]
    return a | {"keypoints": flat} | ({"num_keypoints": int(there.sum())} if "num_keypoints" in a else {})


def rounded(numbers: list[float]) -> list[float]:
    return [round(n, DIGITS) + 0.0 for n in numbers]  # not -0.0
