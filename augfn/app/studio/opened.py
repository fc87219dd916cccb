"""What is open on the page: an image or a volume with its mask, boxes and keypoints, read from bytes, and its reduced copy."""

from __future__ import annotations

import copy
import gzip
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

import augfn as af
from augfn.app.preview import LARGEST, read_image
from augfn.core.boxes import Boxes, Keypoints
from augfn.errors import explain, needs
from augfn.files.values import one_line
from augfn.images import FEW

FILE = 256 * 2**20  # bytes of a file
PIXELS = 64_000_000  # of an image
VALUES = 256 * 2**20 // 4  # of a volume
SIDES = {2: 512, 3: 96}  # pixels of the longest side of the copy that is previewed: of images, of volumes
SEEN = 1e-6  # the least share of a box: so that what is left of each is counted
LABELS = 255  # of a mask
FLAT = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")  # modes of pillow that hold a number for each pixel
VOLUMES = (".npy", ".nii", ".nii.gz")


@dataclass
class Item:
    """An image `[3, H, W]` or a volume `[C, D, H, W]` in [0, 1], and what lies on it, in its own pixels. Raises ValueError for
    values that are not finite.

    * `mask`: labels `[H, W]` or `[D, H, W]`, uint8; `boxes`: rows x1 y1 x2 y2 label; `points`: rows x y.
    * `small`: the copy that is previewed, `scale` times as large.
    """

    name: str
    full: Tensor
    mask: Tensor | None = None
    boxes: list[tuple[float, ...]] = field(default_factory=list)
    points: list[tuple[float, float]] = field(default_factory=list)
    note: str = ""
    small: Tensor = field(init=False)
    small_mask: Tensor | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if not self.full.isfinite().all():
            raise ValueError(explain(f"{self.name}: not finite", "NaN or infinity", "numbers", "numpy.nan_to_num(x)"))
        self.small = self.full if self.scale == 1 else reduced(self.full, self.size)
        self.set_mask(self.mask)

    def copy(self) -> Item:
        """For another page: the same pixels, with boxes, points and a mask that can be changed."""
        new = copy.copy(self)
        new.boxes, new.points = [*self.boxes], [*self.points]
        return new

    @property
    def ndim(self) -> int:
        return self.full.ndim - 1

    @property
    def frame(self) -> tuple[int, ...]:
        return tuple(self.full.shape[1:])

    @property
    def size(self) -> tuple[int, ...]:
        """The frame of the copy."""
        return tuple(max(1, round(n * self.scale)) for n in self.frame)

    @property
    def scale(self) -> float:
        return min(1.0, SIDES[self.ndim] / max(self.frame))

    def set_mask(self, mask: Tensor | None) -> None:
        """Another mask, of the size of the image. Raises ValueError where it has another."""
        if mask is not None and tuple(mask.shape) != self.frame:
            given, want = list(mask.shape), f"{list(self.frame)}, as {self.name}"
            raise ValueError(explain("a mask of another size", given, want, "open the mask of this image"))
        self.mask = mask
        self.small_mask = mask if mask is None or self.scale == 1 else nearest(mask, self.size)

    def sample(self, whole: bool = False, min_visibility: float = 0.0) -> dict[str, Any]:
        """The targets: of the copy, or of the whole image."""
        s = 1.0 if whole else self.scale
        kind = "image" if self.ndim == 2 else "volume"
        out: dict[str, Any] = {kind: self.full if whole else self.small}
        mask = self.mask if whole else self.small_mask
        if mask is not None:
            out["mask"] = mask
        if self.boxes:
            rows = torch.tensor(self.boxes, dtype=torch.float32)
            labels = rows[:, -1].long()
            out["boxes"] = Boxes(rows[:, :-1] * s, labels=labels, min_visibility=max(SEEN, min_visibility))
        if self.points:
            out["keypoints"] = Keypoints((torch.tensor(self.points, dtype=torch.float32) + 0.5) * s - 0.5)
        return out

    def paint(self, line: list[tuple[float, float]], width: float, label: int) -> None:
        """Draw a stroke of a label (0 erases) into the mask."""
        if self.ndim != 2:
            raise ValueError("a mask is drawn on images; that of a volume is loaded from a file")
        h, w = self.frame
        picture = Image.fromarray(
            torch.zeros(h, w, dtype=torch.uint8).numpy() if self.mask is None else self.mask.numpy()
        )
        pen = ImageDraw.Draw(picture)
        points = [(float(x), float(y)) for x, y in line]
        pen.line(points, fill=label, width=max(1, round(width)), joint="curve")
        for x, y in points:
            r = width / 2
            pen.ellipse((x - r, y - r, x + r, y + r), fill=label)
        self.set_mask(torch.from_numpy(np.array(picture)))


def reduced(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """A smaller copy, averaged."""
    if len(size) == 3:
        return af.resize3d(size=size)({"volume": x})[0]["volume"]
    return af.resize(size=size)(x)[0]


def nearest(mask: Tensor, size: tuple[int, ...]) -> Tensor:
    """Labels at the centres of larger pixels."""
    for dim, (n, old) in enumerate(zip(size, mask.shape, strict=True)):
        mask = mask.index_select(dim, ((torch.arange(n) + 0.5) * old / n).long())
    return mask


# files, from their bytes: none is opened by its name


def read(name: str, data: bytes) -> Item:
    """An image or a volume. Raises ValueError, with what is wrong with it."""
    if len(data) > FILE:
        raise ValueError(explain(name, f"{len(data) / 2**20:.0f} MB", f"at most {FILE // 2**20} MB", "shrink it first"))
    if not data:
        raise ValueError(explain(name, "no bytes", "an image or a volume", "look at the file"))
    lower = name.lower()
    if lower.endswith(".npy"):
        return of_array(name, array_in(name, data))
    if lower.endswith((".nii", ".nii.gz")):
        return of_values(name, nifti(name, data, mask=False)["volume"])
    return of_picture(name, data)


def of_picture(name: str, data: bytes) -> Item:
    """An image file as RGB."""
    try:
        with Image.open(io.BytesIO(data)) as file:
            w, h = size_of(name, file)
            frames = 1 if file.format == "MPO" else getattr(file, "n_frames", 1)
        x = read_image(io.BytesIO(data))  # type: ignore[arg-type]
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        want = f"an image that pillow reads (PNG, JPEG, WebP, TIFF), or a volume ({', '.join(VOLUMES)})"
        raise ValueError(explain(name, reason(error), want, "save it as PNG")) from None
    notes = [f"Of {frames} pictures the first was read."] * (frames > 1)
    notes += [f"Of {w} x {h} pixels it was read at {LARGEST} a side."] * (max(w, h) > LARGEST)
    return Item(name, x, note=" ".join(notes))


def size_of(name: str, file: Image.Image) -> tuple[int, int]:
    """Width and height of a file that is not decoded yet. Raises ValueError where they are too large."""
    w, h = file.size
    if w * h > PIXELS:
        want, fix = f"at most {PIXELS // 10**6} megapixels", "shrink it first"
        raise ValueError(explain(name, f"{w} x {h} pixels", want, fix))
    return w, h


def reason(error: Exception) -> str:
    """What pillow says, without the object in memory that it names."""
    text = str(error)
    return "no image" if "cannot identify" in text else text or type(error).__name__


def array_in(name: str, data: bytes) -> np.ndarray:
    """The numbers of an .npy file, in the byte order of this machine."""
    try:
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise ValueError(explain(name, str(error), "an array as numpy.save writes it", "numpy.save it again")) from None
    if array.dtype.kind not in "fiub" or not array.size or array.size > VALUES:
        want = f"1 to {VALUES // 10**6} million real numbers"
        raise ValueError(explain(name, f"{array.dtype} {list(array.shape)}", want, "numpy.save such an array"))
    wide = array.dtype.kind == "f" and array.dtype.itemsize > 8  # long double, which torch has not
    return array.astype(np.float64 if wide else array.dtype.newbyteorder("="), copy=False)


def of_array(name: str, array: np.ndarray) -> Item:
    """[H, W] and [H, W, C] are images, [D, H, W] and [C, D, H, W] volumes."""
    flat = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in FEW)
    if not flat and not (array.ndim == 3 or (array.ndim == 4 and array.shape[0] in FEW)):
        want = "[H, W], [H, W, C], [D, H, W] or [C, D, H, W], with 1 to 4 channels"
        raise ValueError(explain(name, list(array.shape), want, "x.transpose(...) it first"))
    first = array.transpose(2, 0, 1) if flat and array.ndim == 3 else array if array.ndim == 4 else array[None]
    x = torch.from_numpy(np.ascontiguousarray(first))
    return of_values(name, x if not flat else x[:3] if len(x) > 2 else x[:1].expand(3, -1, -1).contiguous())


def of_values(name: str, x: Tensor) -> Item:
    """Values in [0, 1]: bytes by 255, others that are not there stretched from the least to the largest, which is said."""
    if x.dtype == torch.uint8:
        return Item(name, af.to_float(x))
    values = x.double()
    low, high = float(values.amin()), float(values.amax())
    if low >= 0 and high <= 1:
        return Item(name, x.float())
    note = f"Values {low:g} to {high:g} are shown, and augmented, as 0 to 1."
    return Item(name, ((values - low) / max(high - low, 1e-12)).float(), note=note)


def nifti(name: str, data: bytes, mask: bool) -> dict[str, Tensor]:
    """A NIfTI file as `augfn.read_volume` reads it."""
    from augfn.nifti import case_of, checked, nibabel

    try:
        nib = nibabel()
    except ImportError as error:
        raise needs("medical", f"a volume such as {name}", error) from None
    try:
        raw = gzip.GzipFile(fileobj=io.BytesIO(data)).read(4 * VALUES + 1) if data[:2] == b"\x1f\x8b" else data
        if len(raw) > 4 * VALUES:
            raise ValueError(f"more than {VALUES // 10**6} million numbers: crop it first")
        new = raw[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")  # of NIfTI-2 a longer header
        return case_of(checked(nib, (nib.Nifti2Image if new else nib.Nifti1Image).from_bytes(raw)), mask)
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        MemoryError,
        nib.filebasedimages.ImageFileError,
        nib.spatialimages.HeaderDataError,
        nib.wrapstruct.WrapStructError,
    ) as e:
        raise ValueError(explain(name, one_line(e), "a NIfTI file, .nii or .nii.gz", "convert it first")) from None


def mask_in(name: str, data: bytes) -> Tensor:
    """The labels of a mask file, 0 to 255: an image with a palette or grey values, an array, or a NIfTI file."""
    lower = name.lower()
    if lower.endswith(".npy"):
        values = torch.from_numpy(array_in(name, data)).double()
        labels = values.long()
        if (labels != values).any():
            raise ValueError(
                explain(f"{name}: labels", "fractions, NaN or infinity", "whole numbers", "numpy.round(x)")
            )
    elif lower.endswith((".nii", ".nii.gz")):
        labels = nifti(name, data, mask=True)["mask"]
    else:
        try:
            with Image.open(io.BytesIO(data)) as file:
                size_of(name, file)
                if file.mode not in FLAT:
                    want, fix = "one channel of whole numbers", "save the labels as a PNG of the mode L"
                    raise ValueError(explain(f"{name}: no mask of labels", file.mode, want, fix))
                labels = torch.from_numpy(np.array(file).astype(np.int64))
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(explain(name, reason(error), "a mask as PNG, .npy or .nii", "save it as PNG")) from None
    if labels.min() < 0 or labels.max() > LABELS:
        given = f"{int(labels.min())} to {int(labels.max())}"
        raise ValueError(explain(f"{name}: labels", given, f"0 to {LABELS}", "number them from 1"))
    return labels.to(torch.uint8)


def annotate(item: Item, name: str, data: Mapping[str, Any]) -> str:
    """Boxes, mask and keypoints of an image from a COCO file; what was found, in words.

    The image is that whose `file_name` ends as that of what is open, or the only one of the file. Labels are the categories'
    ids, in the mask their numbers in the image where an id is not 1 to 255.
    """
    try:
        from pycocotools import mask as coco_mask

        from augfn.offline.coco import check_fields
        from augfn.offline.segments import clipped, corners_of, decoded
    except ImportError as error:
        raise needs("studio", "COCO", error) from None
    if not isinstance(data, Mapping) or not all(isinstance(data.get(n), list) for n in ("images", "annotations")):
        want, given = 'an object with the lists "images" and "annotations"', list(data)[:5]
        raise ValueError(explain(f"{name}: not a COCO file", given, want, "the JSON of the instances"))
    check_fields(data["images"], data["annotations"])
    if item.ndim != 2:
        raise ValueError("COCO's annotations are of images, and a volume is open")
    own = [i for i in data["images"] if str(i["file_name"]).replace("\\", "/").split("/")[-1] == item.name]
    own = own or (data["images"] if len(data["images"]) == 1 else [])
    if not own:
        names = ", ".join(str(i["file_name"]) for i in data["images"][:4])
        raise ValueError(explain(f"{name}: no image named {item.name}", names, "its file_name", "open that image"))
    h, w = item.frame
    said = (own[0].get("height") or h, own[0].get("width") or w)
    if said != (h, w):
        given, fix = (
            f"{said[1]} x {said[0]}",
            f"open that image; one beyond {LARGEST} pixels a side, which is read smaller, ",
        )
        raise ValueError(
            explain(
                f"{name}: the size of {item.name}", given, f"{w} x {h}", fix + "has to be shrunk with its annotations"
            )
        )
    mask, boxes, points = np.zeros((h, w), np.uint8), [], []
    rows = [a for a in data["annotations"] if a["image_id"] == own[0]["id"]]
    ids = set[int]()
    for a in rows:
        with at_fault(name, a):
            ids.add(int(a.get("category_id", 1)))
    numbers = {category: min(i, LABELS) for i, category in enumerate(sorted(ids), 1)}
    near = all(0 < category <= LABELS for category in ids)
    for a in rows:
        category = int(a.get("category_id", 1))
        with at_fault(name, a):
            boxes += [(x, y, x + bw, y + bh, float(category)) for x, y, bw, bh in rows_of(a.get("bbox"), 4)]
            points += [(x - 0.5, y - 0.5) for x, y, there in rows_of(a.get("keypoints"), 3) if there > 0]
            runs: Any = a.get("segmentation")
            if runs and not isinstance(runs, dict):
                rings = [ring.ravel().tolist() for part in runs for ring in clipped(corners_of(part), (h, w))]
                runs = rings and coco_mask.merge(coco_mask.frPyObjects(rings, h, w))
            if runs:
                mask[decoded(runs, (h, w)) > 0] = category if near else numbers[category]
    item.boxes, item.points = boxes, points
    item.set_mask(torch.from_numpy(mask) if mask.any() else None)
    found = "yes" if mask.any() else "no"
    found += (
        f", its labels number the categories, whose ids are not all 1 to {LABELS}" if not near and mask.any() else ""
    )
    return f"Loaded for {item.name}: boxes {len(boxes)}, keypoints {len(points)}, mask {found}."


@contextmanager
def at_fault(name: str, a: Mapping[str, Any]) -> Iterator[None]:
    """What is wrong is wrong with this annotation."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        which = f"{name}: annotation {a.get('id', 'without an id')}"
        raise ValueError(explain(which, f"{type(error).__name__}: {error}", "COCO's form", "mend the file")) from None


def rows_of(numbers: Any, n: int) -> list[list[float]]:
    """Finite numbers in rows of n; nothing is none."""
    rows = np.asarray(numbers or [], dtype=float).reshape(-1, n)
    if not np.isfinite(rows).all():
        raise ValueError("numbers that are not finite")
    return rows.tolist()


def photo() -> Item:
    """The photo that is shown where none is open."""
    from augfn.app import demo

    sample = demo.photo()
    boxes = [(*row, float(i + 1)) for i, row in enumerate(sample["boxes"].data.tolist())]
    points = [tuple(p) for p in sample["keypoints"].xy.tolist()]
    return Item("astronaut.png", sample["image"], sample["mask"].to(torch.uint8), boxes, points)
