"""The pages of the ops: one for each, from its signature, its docstring and the catalogue's pictures."""

from __future__ import annotations

import inspect
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

import augfn as af
import augfn_nn
from augfn.core.augmentation import Op
from augfn.core.spec import OF_CLIPS, SPECS, Spec, signature_of
from augfn.typing import Leaf
from benchmarks import catalogue
from benchmarks.equivalents import PEERS, peers_names
from notebooks.site.doctests import with_imports
from notebooks.site.signatures import written
from notebooks.site.text import docstring, escaped, front, table

PICTURES = Path(__file__).parents[2] / "benchmarks/results/catalogue"
THUMB = 72  # pixels
FAMILIES = {
    "geometric": "Flips, turns, affine maps",
    "symmetry": "Symmetries and tiles",
    "crop": "Crops, resizes, pads",
    "frames": "Frames that fit",
    "warp": "Warps",
    "photometric": "Colour",
    "linear": "Linear maps of colour",
    "tone": "Tone, steps, compression",
    "levels": "Levels and histograms",
    "channels": "Channels",
    "illumination": "Illumination",
    "filters": "Filters",
    "blurs": "Blurs with a cause",
    "noise": "Noise",
    "weather": "Weather",
    "occlude": "Occlusion",
    "mix": "Mixing samples",
    "volumetric": "Geometry of volumes",
    "volume_frames": "Crops and sizes of volumes",
    "volume_warp": "Warps of volumes",
    "scanner": "Scanners",
    "depth": "Depth maps",
    "clips": "Clips of video",
}
KNOWN: dict[str, Spec] = SPECS | OF_CLIPS
# What is made of ops, or stands beside them in a pipeline; the other names of `augfn` are on the pages of the API.
BESIDE = {
    "Combinators": (
        "pipeline",
        "maybe",
        "one_of",
        "some_of",
        "repeat",
        "mixture",
        "views",
        "patchwise",
        "identity",
        "opaque",
    ),
    "Policies": ("rand_augment", "trivial_augment", "auto_augment", "augmix", "policy", "recipe"),
    "Numbers in and out": ("to_float", "to_uint8", "to_pil"),
    "Prediction": ("tta",),
}
WORDS = {
    "p": "probability that a sample is changed; the gate is drawn per sample, and is a leaf `gate`",
    "interpolation": '"bilinear", "nearest" or "bicubic"; None: the pipeline\'s, else bilinear',
    "padding_mode": '"zeros", "border", "reflection" and others, beyond the frame; None: the pipeline\'s, else zeros',
    "fill": "value beyond the frame, or of what is hidden; None: the pipeline's, else 0",
    "fill_mask": "the label there; None: the pipeline's, else 0",
    "antialias": "smooth before shrinking; None: the pipeline's",
    "clip": '"none", "clamp" to [0, 1], or "ste": clamped with the gradient of the identity',
    "channels": "the channels that are changed; None: all",
    "per_channel": "True: a draw for each channel",
    "p_channel": "probability of each channel",
    "num_classes": "how many classes there are, where labels are their indices",
    "partners": '"next": in the order of the sort keys; "other_class": the next one of another class (see `mixup`)',
    "grad": '"none": the true gradient, 0 on steps; "ste": straight through; "soft": the slope of a smooth twin',
    "kernel_size": "pixels of the kernel, odd",
    "octaves": "how many scales a field of clouds has",
}
PEER_BEFORE = re.compile(r"(?:torchvision|kornia|albumentations|MONAI|TorchIO|scikit-image|imgaug|timm|numpy)(?:'s)? $")


def families() -> dict[str, list[str]]:
    """The ops of each family, in the order of the source; a family without a title is an error here."""
    found = defaultdict(list)
    for name, spec in KNOWN.items():
        found[spec.body.__module__.rpartition(".")[2]].append(name)
    return {title: found.pop(family) for family, title in FAMILIES.items() if family in found} | dict(found)


@cache
def modules() -> dict[str, list[str]]:
    """The classes of augfn_nn of each op."""
    found = defaultdict(list)
    for name in augfn_nn.__all__:
        spec = getattr(getattr(augfn_nn, name), "spec", None)
        if isinstance(spec, Spec):
            found[spec.name].append(name)
    return found


def pages() -> Iterator[tuple[str, str]]:
    """Places and texts of the pages of ops."""
    for name in KNOWN:
        yield f"ops/{name}.md", page(name)


def pictures() -> Iterator[tuple[str, Path | bytes]]:
    """Places of the pictures, and what is there: files as they are, thumbnails made of them."""
    for path in sorted(PICTURES.glob("*.jpg")):
        yield f"ops/{path.name}", path
        yield f"ops/small/{path.stem}.webp", thumbnail(path)


def thumbnail(path: Path) -> bytes:
    """The last draw of the catalogue's row of five, small, without the white around it."""
    from PIL import Image

    with Image.open(path) as row:
        width, height = row.size
        last = row.crop((width - width // 5, height - width // 5, width, height))
    drawn = last.crop(last.convert("L").point(lambda v: 255 * (v < 200)).getbbox())
    buffer = io.BytesIO()
    drawn.resize((THUMB, THUMB)).save(buffer, "webp", quality=55)
    return buffer.getvalue()


def page(name: str) -> str:
    spec = KNOWN[name]
    signature = signature_of(spec, Op).replace(return_annotation=inspect.Signature.empty)
    names = peers_names(name)
    details, source = catalogue.details(spec), catalogue.source(spec)
    example = with_imports(spec.body.__doc__, {"torch": torch, "af": af}).partition(">>>")
    parts = [
        front(
            title=name,
            description=catalogue.summary(spec),
            tags=words_for_search(name),
            search={"boost": 4 - spec.ndim},
        )
        + f"# {name}",
        escaped(catalogue.summary(spec)) + ".",
        figure(name),
        f"<div markdown data-search-exclude>\n\n```python\naf.{name}{written(signature, len(name) + 3)}\n```\n\n</div>",
        docstring(linked(details, spec)),
        *([f"Source: {escaped(source)}."] if source and "Source:" not in details else []),
        *(["## Example", docstring("".join(example[1:]))] if example[1] else []),
        "## Params",
        leaves(spec),
        "## Settings",
        settings(spec),
        "## Targets",
        targets(spec),
        "## Names elsewhere",
        elsewhere(names),
        "## Module",
        module_of(name),
    ]
    return "\n\n".join(p for p in parts if p) + "\n"


def linked(text: str, spec: Spec) -> str:
    """Text in which other ops lead to their pages; what follows a peer's name, or is a source, is not ours."""
    said, source, rest = text.partition("Source")
    others = KNOWN.keys() - {spec.name, *spec.leaves, *spec.static}

    def link(found: re.Match[str]) -> str:
        ours = found[1] in others and not PEER_BEFORE.search(said[: found.start()])
        return f"[{found[0]}]({found[1]}.md)" if ours else found[0]

    return re.sub(r"`(\w+)`(?! target)", link, said) + source + rest


def words_for_search(name: str) -> list[str]:
    """The names under which the search finds an op first: its own, and those for which it is the nearest."""
    known = peers_names(name, first=True).values()
    return list(dict.fromkeys([name, *modules()[name], *(n for names in known for n in names)]))


def figure(name: str) -> str:
    if not (PICTURES / f"{name}.jpg").exists():
        return ""
    made = f"python -m benchmarks.catalogue --only {name}"
    words = f"*The image, then four draws of the default ranges (`{made}`).*"
    return f"![{name}: an image and four draws]({name}.jpg){{.row}}\n\n{words}"


def leaves(spec: Spec) -> str:
    """The leaves of `params`, drawn for each sample."""
    if not spec.leaves:
        return "None: what it does is fixed (but for the gate, where `p` is below 1)."
    head = ("leaf", "unit", "interval", "neutral", "default", "gradient")
    rows = [row(name, leaf, spec.defaults[name]) for name, leaf in spec.leaves.items()]
    return (
        "Drawn for each sample, replayed, edited ([params](../learn/params.md)), learned ([ranges](../learn/ranges.md)).\n\n"
        + table(head, rows)
    )


def row(name: str, leaf: Leaf, default: Any) -> list[str]:
    shown, *cells, flat = catalogue.leaf_cells(name, leaf, default)
    volume = f" (of a volume `{list(leaf.volume)}`)" if leaf.volume else ""
    return [shown + volume, *cells, f"none: {flat}" if flat else "yes"]


def settings(spec: Spec) -> str:
    """Keywords that decide a shape or a branch: of the op, then of its kind."""
    own = [
        [f"`{n}`", "needed" if v is inspect.Parameter.empty else f"`{v!r}`", WORDS.get(n, "as said above")]
        for n, v in spec.static.items()
    ]
    shown = {"p": 1.0, "clip": spec.clip, "per_channel": False, "p_channel": 1.0}
    common = [[f"`{n}`", f"`{shown.get(n)!r}`", WORDS[n]] for n in spec.common]
    return table(("keyword", "default", "meaning"), [*own, *common])


def targets(spec: Spec) -> str:
    if spec.kind == "temporal":
        return "Takes a `video`; every target that has frames, such as masks or boxes, follows."
    changed = ", ".join(f"`{kind}`" for kind in catalogue.changed(spec).split(", "))
    marks = ["It reads volumes `[*batch, C, D, H, W]`."] * (spec.ndim == 3)
    marks += ["It needs three channels (RGB)."] * spec.requires_rgb
    kind = f"Kind: `{spec.kind}`."
    return " ".join([f"Changes: {changed} ([targets](../learn/targets.md)).", *marks, kind])


def elsewhere(names: Mapping[str, tuple[str, ...]]) -> str:
    if not names:
        return "None of the peers has it."
    rows = [[PEERS[peer], ", ".join(f"`{n}`" for n in known)] for peer, known in names.items()]
    return table(("library", "names"), rows)


def module_of(name: str) -> str:
    """The classes of augfn_nn, with their signatures."""
    if not modules()[name]:
        return f"None; `augfn_nn.Augment(af.{name}(...))` is one."
    lines = [f"augfn_nn.{n}{written(getattr(augfn_nn, n).signature, len(n) + 9)}" for n in modules()[name]]
    return "```python\n" + "\n".join(lines) + "\n```"
