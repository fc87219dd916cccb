"""The catalogue of ops: a page made from the registry, and one picture per op.

    python -m benchmarks.catalogue [--out benchmarks/results/catalogue] [--only NAME ...]

Writes `catalogue.md` (a table per kind, from the ops' signatures and docstrings) and `<op>.jpg`: a photo, and four
draws of the op's default ranges. `--only` draws the pictures of some ops; the page always lists all.
"""

from __future__ import annotations

import argparse
import inspect
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

import augfn as af
from augfn.app import viz
from augfn.core.actions import Color, Depths, Geometric, Mixing, Occlusion, Pixels
from augfn.core.rules import targets_of
from augfn.core.spec import OF_CLIPS, SPECS, Spec
from augfn.random import salt
from augfn.typing import Leaf
from benchmarks.measure import environment, header, table
from benchmarks.registry import default, required

SIDE, DRAWS, LARGEST = 160, 4, 40_000  # pixels of the photo, draws beside it, bytes of a picture
OPS: dict[str, Spec] = SPECS | OF_CLIPS
HEAD = ("op", "what it does", "leaves of `params`", "static keywords", "changes", "source")
TITLES = {
    "geometric": "Geometric: moves pixels",
    "photometric": "Photometric: new colours, point by point",
    "filter": "Filters: every pixel from its neighbourhood",
    "noise": "Noise: a random field",
    "occlusion": "Occlusion: parts are hidden",
    "mix": "Mixing: samples of the batch meet",
    "temporal": "Clips: which frames are seen",
}
ACTIONS = {
    "geometric": Geometric,
    "photometric": Pixels,
    "filter": Pixels,
    "noise": Pixels,
    "occlusion": Occlusion,
    "mix": Mixing,
}
ON_TARGETS = ("geometric", "occlusion", "mix")  # kinds whose pictures show what happens to mask, boxes and keypoints
# required static keywords, in place of the examples' tiny ones; those of an op that wants others
FARTHEST = 5.0  # metres
FITTING: dict[str, Any] = {"size": (120, 140), "max_size": 120, "padding": 16}
OWN: dict[str, dict[str, Any]] = {
    "pad_to": {"size": (200, 190)},
    "depth_normalize": {"max": FARTHEST},
    "anisotropy": {"axis": "y"},
    **{n: {"size": (24, 90, 100)} for n in ("center_crop3d", "random_crop3d", "foreground_crop3d")},
    "resize3d": {"size": (24, 90, 100)},
    "pad_to3d": {"size": (56, 200, 190)},
    "time_crop": {"size": 5},
    "time_subsample": {"size": 4},
    "spacing3d": {"source": (1.0, 1.0, 1.0), "spacing": (1.5, 1.5, 1.5)},
}
NOTES = """\
* A **leaf** is drawn per sample, lives in `params`, and can be replayed, edited and learned: unit, range, neutral
  value (at which the op is the identity), default. "No gradient" says why mathematics forces a zero gradient;
  every other leaf has one.
* **Static keywords** decide a shape or a branch. `p` (the gate, per sample) is there for every op.
* Every picture: the photo, then four draws of the default ranges with one fixed key per op."""


# the page


def documentation(spec: Spec) -> str:
    """The first paragraph, and all that follows it up to the example."""
    return inspect.cleandoc(spec.body.__doc__ or "").split(">>>")[0]


def summary(spec: Spec) -> str:
    first = " ".join(documentation(spec).split("\n\n")[0].split())
    return re.split(r"\s*Source:", first)[0].rstrip(" :.")


def details(spec: Spec) -> str:
    """What the docstring says beyond its first paragraph: formulas, units, gradients."""
    return documentation(spec).partition("\n\n")[2].strip()


def source(spec: Spec) -> str:
    found = re.search(r"Source:\s*(.*?)(?:\n\n|\Z)", documentation(spec), re.S)
    return " ".join(found.group(1).split()).rstrip(" .") if found else ""


def leaf_cells(name: str, leaf: Leaf, default: Any) -> tuple[str, str, str, str, str, str]:
    """Name and shape, unit, interval, neutral value, default, and why there is no gradient; empty where there is nothing."""
    low, high = ("-∞" if leaf.low is None else f"{leaf.low:g}", "∞" if leaf.high is None else f"{leaf.high:g}")
    shape = f" `{list(leaf.shape)}`" if leaf.shape else ""
    neutral = "" if leaf.neutral is None else f"{leaf.neutral:g}"
    start = "not set" if default is None else f"`{default!r}`"
    return f"`{name}`{shape}", leaf.unit, f"{low} … {high}", neutral, start, leaf.flat


def leaf_text(name: str, leaf: Leaf, default: Any) -> str:
    shown, unit, interval, neutral, start, flat = leaf_cells(name, leaf, default)
    parts = [unit, interval, *([f"neutral {neutral}"] if neutral else []), f"default {start}"]
    return f"{shown}: {', '.join(parts)}" + (f". No gradient: {flat}" if flat else "")


def settings(spec: Spec) -> str:
    own = [n if v is inspect.Parameter.empty else f"{n}={v!r}" for n, v in spec.static.items()]
    return ", ".join(f"`{text}`" for text in [*own, *([f"clip={spec.clip!r}"] if "clip" in spec.common else [])])


def changed(spec: Spec) -> str:
    """The kinds of targets that the op changes, by the table of rules."""
    if spec.target == "depth":
        return ", ".join(targets_of(Depths))
    if spec.kind == "temporal":
        return "video, and with it every target that has frames"
    action = Color if spec.kind == "photometric" and "x" not in spec.wants else ACTIONS[spec.kind]
    flat = spec.ndim == 2 and spec.kind in ("geometric", "occlusion")
    others = ("volume",) if flat else ("image", "video", "depth", "intrinsics") if spec.ndim == 3 else ()
    return ", ".join(target for target in targets_of(action) if target not in others)


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def line(name: str, pictures: Path | None) -> list[str]:
    """The op's row; its name links to its picture, where there is one."""
    spec = OPS[name]
    shown = f"[`{name}`]({name}.jpg)" if pictures and (pictures / f"{name}.jpg").exists() else f"`{name}`"
    leaves = "<br>".join(leaf_text(n, leaf, spec.defaults[n]) for n, leaf in spec.leaves.items())
    marks = " (3-D)" * (spec.ndim == 3) + " (three channels)" * spec.requires_rgb
    return [cell(t) for t in (shown + marks, summary(spec), leaves, settings(spec), changed(spec), source(spec))]


def page(env: dict[str, Any], pictures: Path | None = None) -> str:
    parts = ["# Catalogue of ops", f"{header(env)}\n* ops: {len(OPS)}", NOTES]
    for kind, title in TITLES.items():
        names = sorted(n for n, spec in OPS.items() if spec.kind == kind)
        listing = table(HEAD, [line(n, pictures) for n in names]).replace("---:", "---")
        parts += [f"## {title}", f"Kind `{kind}`, {len(names)} ops. Keywords of the kind: {common_of(names)}.", listing]
        shown = [n for n in names if pictures and (pictures / f"{n}.jpg").exists()]
        parts += [f"**{n}**\n\n![{n}]({n}.jpg)\n\n{details(OPS[n])}".rstrip() for n in shown]
    return "\n\n".join(parts)


def common_of(names: Sequence[str]) -> str:
    """The keywords that any op of these has from its kind."""
    found = dict.fromkeys(keyword for n in names for keyword in OPS[n].common)
    return ", ".join(f"`{keyword}`" for keyword in found)


# the pictures


def pictures_of_two() -> Tensor:
    """Two photos `[2, 3, SIDE, SIDE]` in [0, 1]: scikit-image's astronaut and coffee."""
    from skimage import data
    from skimage.transform import resize

    squares = (data.astronaut(), data.coffee()[:400, 100:500])
    small = [torch.from_numpy(np.asarray(resize(p / 255.0, (SIDE, SIDE), anti_aliasing=True))) for p in squares]
    return torch.stack(small).movedim(-1, 1).float().contiguous()


def ellipse(x: float, y: float, width: float, height: float) -> Tensor:
    """A filled ellipse `[SIDE, SIDE]`, all lengths in fractions of the side."""
    rows, columns = torch.meshgrid(torch.linspace(0, 1, SIDE), torch.linspace(0, 1, SIDE), indexing="ij")
    return (((columns - x) / width) ** 2 + ((rows - y) / height) ** 2 < 0.25).long()


def sample(photos: Tensor) -> dict[str, Any]:
    """The photos with a mask (her face, the cup), two boxes and five keypoints each."""
    masks = torch.stack([ellipse(0.44, 0.22, 0.24, 0.33), ellipse(0.51, 0.35, 0.65, 0.55)])
    face, cup = [[0.3, 0.03, 0.59, 0.4], [0.02, 0.04, 0.23, 0.64]], [[0.17, 0.05, 0.84, 0.75], [0.6, 0.72, 0.8, 0.85]]
    eyes = [[0.39, 0.2], [0.48, 0.2], [0.44, 0.25], [0.4, 0.28], [0.48, 0.28]]
    rim = [[0.19, 0.35], [0.35, 0.12], [0.51, 0.07], [0.7, 0.13], [0.83, 0.35]]
    return {
        "image": photos,
        "mask": masks,
        "boxes": af.Boxes(torch.tensor([face, cup]) * SIDE),
        "keypoints": af.Keypoints(torch.tensor([eyes, rim]) * SIDE),
    }


def depth_map() -> Tensor:
    """The distance in metres `[1, SIDE, SIDE]` of scikit-image's motorcycle, by its disparity; 0 where that is not known."""
    from skimage import data

    disparity = torch.from_numpy(data.stereo_motorcycle()[2].copy()).float()
    known = disparity.isfinite() & (disparity > 0)
    z = torch.where(known, 994.978 * 0.193001 / (torch.where(known, disparity, 1.0) + 31.086), 0.0)
    rows, columns = (torch.linspace(0, n - 1, SIDE).long() for n in z.shape)
    return z[rows][:, columns][None]


def turning(photo: Tensor) -> Tensor:
    """A clip `[9, 3, SIDE, SIDE]` in which a photo turns, with a bar below that grows with time."""
    clip = af.rotate(degrees=torch.arange(9) * 10.0)(photo.expand(9, -1, -1, -1))[0].clone()
    for i, frame in enumerate(clip):
        frame[:, -SIDE // 8 :] = 0.0
        frame[:2, -SIDE // 8 :, : SIDE * (i + 1) // 9] = 1.0
    return clip


def sheet(clip: Tensor) -> Tensor:
    """The frames of a clip, at most nine, in three rows; white where there is none."""
    frames = torch.ones(9, *clip.shape[1:])
    frames[: len(clip)] = clip
    rows = torch.nn.functional.pad(torch.nn.functional.avg_pool2d(frames, 2), (2, 2, 2, 2), value=1.0).split(3)
    return torch.cat([torch.cat(list(row), -1) for row in rows], -2)


def for_show(name: str) -> Any:
    """The op with its default ranges, and static settings that suit the photo."""
    fitting = {n: FITTING[n] for n in required(OPS[name]) if n in FITTING}
    return default(name, **fitting | OWN.get(name, {}))


def drawn(name: str, photos: Tensor) -> list[Any]:
    """The original and four draws, each a sample without batch dims; of a volume its slice at a quarter of the depth."""
    spec, f = OPS[name], for_show(name)
    keys = af.split(af.fold_in(af.key(0), salt(name) & 0x7FFFFFFF), DRAWS)
    if spec.ndim == 3:
        depth = torch.linspace(0.4, 1, 48)[:, None, None]
        volume = photos[0, :, None] * depth
        x = {"volume": volume, "mask": ellipse(0.44, 0.22, 0.24, 0.33).expand(48, -1, -1)}
        return [v[:, v.shape[1] // 4] for v in (volume, *(f(x, None, k)[0]["volume"] for k in keys))]
    if spec.kind == "temporal":
        clip = turning(photos[0])
        return [sheet(v) for v in (clip, *(f({"video": clip}, None, k)[0]["video"] for k in keys))]
    if spec.target == "depth":
        x = depth_map()
        shown = [z if name == "depth_normalize" else z / FARTHEST for z in (f(x, None, k)[0] for k in keys)]
        return [z.clamp(0, 1).expand(3, -1, -1) for z in (x / FARTHEST, *shown)]
    x = sample(photos)
    results = [x, *(f(x, None, k)[0] for k in keys)]
    first = [viz.unbatch(r)[0] for r in results]
    return first if spec.kind in ON_TARGETS or set(spec.wants) & {"mask", "boxes"} else [r["image"] for r in first]


def picture(name: str, photos: Tensor, path: Path) -> Path:
    """One row of pictures, as a JPEG of less than LARGEST bytes."""
    figure = viz.grid(drawn(name, photos), titles=[name, *(f"draw {i + 1}" for i in range(DRAWS))], cell=1.5)
    path.write_bytes(next(data for data in encodings(figure) if len(data) < LARGEST))
    return path


def encodings(figure: Any) -> Iterator[bytes]:
    """The figure as JPEG, from good to poor."""
    for quality in (75, 65, 55, 45, 35, 25, 15):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="jpg", dpi=100, pil_kwargs={"quality": quality, "optimize": True})
        yield buffer.getvalue()


def pictures(names: Iterable[str], folder: Path) -> list[Path]:
    photos = pictures_of_two()
    return [picture(n, photos, folder / f"{n}.jpg") for n in tqdm(list(names), desc="pictures", disable=None)]


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.catalogue", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/catalogue"), help="folder of the page")
    parser.add_argument("--only", nargs="*", choices=sorted(OPS), metavar="NAME", help="ops to draw; all by default")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    command = " ".join(["python -m benchmarks.catalogue", *arguments])
    options.out.mkdir(parents=True, exist_ok=True)
    made = pictures(sorted(OPS) if options.only is None else options.only, options.out)
    path = options.out / "catalogue.md"
    path.write_text(page(environment(command, torch.get_num_threads()), options.out).rstrip() + "\n")
    print(f"written: {path}, {len(made)} pictures")


if __name__ == "__main__":
    main(sys.argv[1:])
