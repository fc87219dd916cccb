"""Image files and the targets that they become: modes kept where an augmented image can have them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from augfn.errors import explain, needs, unknown
from augfn.images import CHANNELS, to_float, to_uint8

try:
    from PIL import Image, ImageOps
except ImportError as error:
    raise needs("offline", "augfn.offline", error) from None

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
HOLDS = {  # the modes of augmented images that a format can hold
    "PNG": ("L", "LA", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB"),
    "BMP": ("L", "RGB"),
    "TIFF": ("L", "LA", "RGB", "RGBA", "I;16", "F"),
    "WEBP": ("RGB", "RGBA"),
}
NEAREST = {
    "F": ("I;16", "L", "RGB"),
    "I;16": ("L", "RGB"),
    "LA": ("RGBA", "L"),
    "RGBA": ("RGB",),
    "L": ("RGB",),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 1}
}  # a tenth larger than by default, in a third of the time
DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I")


class Look(NamedTuple):
    """What of a file is no target: its mode, and the profile that says what its colours mean."""

    mode: str
    profile: bytes | None


def upright(path: Path | BinaryIO) -> Any:
    """A file, or its bytes, as a PIL image, turned as its EXIF says. Raises where it holds several frames."""
    with Image.open(path) as file:
        if getattr(file, "n_frames", 1) > 1 and file.format != "MPO":  # of cameras, whose first picture is the picture
            want, fix = "one image in a file", "write each frame to a file of its own, and --kind frames"
            raise ValueError(explain(f"{file.n_frames} frames in one file", name_of(path), want, fix))
        file.load()
        ImageOps.exif_transpose(file, in_place=True)
        return file


def name_of(path: Path | BinaryIO) -> str:
    return str(getattr(path, "name", "the file"))


def mode_of(image: Any) -> str:
    """The mode that its augmented image has: grey, 16 bits, floats and alpha stay, all else becomes RGB."""
    if image.mode in DEEP:
        return "I;16"
    if image.mode == "F":
        return "F"
    grey = image.mode in ("1", "L", "LA", "La")
    return ("L" if grey else "RGB") + ("A" if image.has_transparency_data else "")


def read_image(path: Path | BinaryIO) -> tuple[dict[str, Tensor], Look]:
    """A file as targets: `image` (integers, or floats), and `softmask_alpha`, which moves with it and is not coloured."""
    image = upright(path)
    mode = mode_of(image)
    look = Look(mode, image.info.get("icc_profile") if image.mode == mode else None)
    if mode in ("I;16", "F"):
        pixels = deep(np.asarray(image), path)[None]
    else:
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
        pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    x = torch.from_numpy(np.array(pixels, order="C"))
    return {"image": x[:-1], "softmask_alpha": to_float(x[-1:])} if mode.endswith("A") else {"image": x}, look


def deep(x: np.ndarray, path: Path | BinaryIO) -> np.ndarray:
    """Grey values of 16 bits, or floats; both of full scale."""
    full = 1.0 if x.dtype.kind == "f" else 65535
    if not (np.isfinite(x).all() and x.min() >= 0 and x.max() <= full):
        want, fix = f"0 to {full:g}", "scale them, or write them as an image of 16 bits"
        raise ValueError(
            explain("values beyond full scale", f"{x.min():g} to {x.max():g} in {name_of(path)}", want, fix)
        )
    return x.astype(np.float32 if full == 1 else np.uint16)


def suffix_of(path: str, format: str) -> str:
    """The suffix of an output: the source's (of a GIF, which holds 256 colours, .png), or that of the format."""
    own = Path(path).suffix
    return (".png" if own.lower() == ".gif" else own) if format == "same" else f".{format}"


def check_format(format: str) -> None:
    if format != "same" and f".{format}" not in FORMATS:
        raise ValueError(unknown("format of images", format, ["same", *(s[1:] for s in FORMATS)]))


def held(mode: str, form: str) -> str:
    """The mode in which a format holds an image: the nearest one that it has. JPEG has no alpha, which is laid on white, only
    TIFF has floats, PNG and TIFF have 16 bits, WebP has no grey."""
    return next(m for m in (mode, *NEAREST.get(mode, ())) if m in HOLDS[form])


def encoded(y: dict[str, Tensor], look: Look, suffix: str, quality: int) -> bytes:
    """The bytes of a file with augmented targets."""
    form = FORMATS[suffix.lower()]
    image = picture(y["image"], y.get("softmask_alpha"), look.mode)
    kept = {"icc_profile": look.profile} if look.profile and image.mode == look.mode else {}
    mode = held(image.mode, form)
    given = SETTINGS.get(form, {}) | ({"quality": quality} if form in ("JPEG", "WEBP") else {})
    buffer = io.BytesIO()
    (image if image.mode == mode else converted(image, mode)).save(buffer, form, **given, **kept)
    return buffer.getvalue()


def picture(x: Tensor, alpha: Tensor | None, mode: str) -> Any:
    """Augmented pixels as a PIL image, of the mode that they were read in where they still have its channels and depth."""
    if len(x) == 1 and mode == "F":
        return Image.fromarray(to_float(x)[0].numpy())
    if len(x) == 1 and mode == "I;16" and x.dtype != torch.uint8:
        return Image.fromarray((to_float(x)[0].clamp(0, 1) * 65535).round().to(torch.int32).numpy().astype(np.uint16))
    x = to_uint8(x) if alpha is None else torch.cat([to_uint8(x), to_uint8(alpha)])
    if len(x) not in CHANNELS:
        raise ValueError(explain("channels that no image file has", len(x), "1 to 4", "leave that step out"))
    pixels = x.numpy()
    return Image.fromarray(
        pixels[0] if len(x) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)), CHANNELS[len(x)]
    )


def converted(image: Any, mode: str) -> Any:
    """A PIL image in a mode that its format has."""
    if image.mode == "F":
        image = Image.fromarray((np.asarray(image).clip(0, 1) * 65535).round().astype(np.uint16))
    if image.mode == "I;16" and mode != "I;16":
        image = Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))
    if image.mode in ("LA", "RGBA") and mode in ("L", "RGB"):
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image if image.mode == mode else image.convert(mode)
