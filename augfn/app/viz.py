"""Pictures: grids of samples, their masks, heat maps, boxes and keypoints drawn on them (needs `pip install 'augfn[viz]'`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from torch import Tensor
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves, tree_map_only

from augfn.core.augmentation import Augmentation
from augfn.core.boxes import Boxes, Keypoints
from augfn.core.targets import Target, read
from augfn.errors import explain
from augfn.learn.policy import shares

__all__ = ["grid", "policy", "save", "show", "unbatch"]

PALETTE = colormaps["Set1"].colors  # type: ignore[attr-defined]
MASKS = ((0.0, 0.9, 1.0), (1.0, 0.2, 0.9), (0.7, 1.0, 0.0), (1.0, 0.75, 0.0), (0.4, 0.4, 1.0))  # rarely seen in photos


def unbatch(batch: Any) -> list[Any]:
    """The samples of a batch with one leading dimension: a tensor, or a dict of targets.

    >>> [sorted(s) for s in unbatch({"image": torch.zeros(2, 3, 4, 4), "mask": torch.zeros(2, 4, 4)})]
    [['image', 'mask'], ['image', 'mask']]
    """
    return [tree_map_only(Tensor, lambda t, i=i: t[i], batch) for i in range(len(tree_leaves(batch)[0]))]


def grid(
    samples: Sequence[Any],
    columns: int | None = None,
    titles: Sequence[str] = (),
    rows: Sequence[str] = (),
    targets: Mapping[str, str] | None = None,
    cell: float = 1.8,
) -> Figure:
    """A figure of samples, row by row.

    | argument | meaning |
    |---|---|
    | `samples` | images `[C, H, W]`, or dicts of an image and its targets, without batch dimensions (see `unbatch`) |
    | `columns` | samples per row; all in one row by default |
    | `titles`, `rows` | one text above each sample, as far as they reach; one beside each row |
    | `targets` | kinds of names that do not tell them, as in `af.pipeline` |
    | `cell` | width and height of one sample in inches |

    Values are clipped to [0, 1]. Boxes that are not valid and keypoints that are not visible are left out.

    >>> figure = grid([torch.rand(3, 8, 8)] * 4, columns=2)
    >>> len(figure.axes)
    4
    """
    if isinstance(samples, Tensor | Mapping):
        given, want = type(samples).__name__, "a list of samples"
        raise TypeError(explain("grid: a batch", given, want, "viz.grid(viz.unbatch(batch))"))
    if not samples:
        raise ValueError(
            explain("grid: nothing to show", samples, "at least one sample", "viz.grid(viz.unbatch(batch))")
        )
    columns = columns or len(samples)
    lines = -(-len(samples) // columns)
    figure = Figure(
        figsize=(cell * columns + 0.3 * bool(rows), (cell + 0.25 * bool(titles)) * lines), layout="constrained"
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, columns, squeeze=False)
    for i, ax in enumerate(axes.flat):
        if i >= len(samples):
            ax.set_visible(False)
            continue
        show(ax, samples[i], targets)
        if i < len(titles):
            ax.set_title(titles[i], fontsize=8)
        if i % columns == 0 and i // columns < len(rows):
            ax.set_ylabel(rows[i // columns], fontsize=8)
    return figure


def policy(f: Augmentation, before: Augmentation | None = None) -> Figure:
    """A picture of what a policy does: for each op how often it acts on an image (light), and that times its strength (dark,
    see `augfn.learn.shares`), summed over its places, the most first.

    `before`: the policy at the beginning of a search, whose masses are marked.

    >>> import augfn as af
    >>> figure = policy(af.one_of(af.hflip(p=0.5), af.invert(), weights=[3.0, 1.0]))
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['hflip', 'invert']
    """
    found, start = summed(f), summed(before) if before is not None else {}
    names = sorted({**found, **start}, key=lambda n: -found.get(n, (0.0, 0.0))[1])
    figure = Figure(figsize=(6, 1.0 + 0.28 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    for i, name in enumerate(names):
        chance, mass = found.get(name, (0.0, 0.0))
        ax.barh(i, chance, color=PALETTE[1], alpha=0.3, label="chance" if i == 0 else None)
        ax.barh(i, mass, color=PALETTE[1], label="chance times strength" if i == 0 else None)
    if start:
        marks = [start.get(name, (0.0, 0.0))[1] for name in names]
        ax.plot(marks, range(len(names)), "k|", markersize=10, label="before the search")
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("times an image", fontsize=8)
    ax.tick_params(axis="x", labelsize=8)
    ax.legend(fontsize=7, loc="lower right")
    return figure


def summed(f: Augmentation) -> dict[str, tuple[float, float]]:
    """Chance and mass of each op, over all its places."""
    out: dict[str, tuple[float, float]] = {}
    for path, name, chance, strength in shares(f):
        name = path.rpartition("/")[2] if "/" in path else name
        before = out.get(name, (0.0, 0.0))
        out[name] = before[0] + chance, before[1] + chance * strength
    return out


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure (the suffix names the format), and return where it lies."""
    path = Path(path)
    path = path if path.suffix else path.with_suffix(".png")
    figure.savefig(path, dpi=120)
    return path


def show(ax: Axes, sample: Any, targets: Mapping[str, str] | None = None) -> None:
    """Draw one sample: the image, then what lies on it."""
    found = read(sample, 2, targets or {})
    if found.batch:
        given = f"batch dims {list(found.batch)}"
        raise ValueError(explain("viz: a batch where one sample is drawn", given, "[C, H, W]", "viz.unbatch(batch)"))
    by_kind = sorted(found.targets.values(), key=lambda t: list(LAYERS).index(t.kind) if t.kind in LAYERS else -1)
    for target in by_kind:
        if target.kind in LAYERS:
            LAYERS[target.kind](ax, target, found.size)
    h, w = found.size
    ax.set(xlim=(-0.5, w - 0.5), ylim=(h - 0.5, -0.5), xticks=[], yticks=[])


def draw_image(ax: Axes, t: Target, size: tuple[int, ...]) -> None:
    x = t.value.detach().cpu().float().clamp(0, 1)
    pixels = x[:3].movedim(0, -1) if len(x) >= 3 else x[0]
    ax.imshow(pixels.numpy(), cmap="gray", vmin=0, vmax=1)


def draw_mask(ax: Axes, t: Target, size: tuple[int, ...]) -> None:
    """Labels 1, 2, ... in colours of their own; of several channels each is one label."""
    layers = t.value.detach().cpu()
    layers = layers if layers.ndim == 3 else layers[None]
    if len(layers) == 1:
        labels = [int(v) for v in layers.unique().tolist() if v > 0]
        layers = torch.stack([layers[0] == v for v in labels]) if labels else layers[:0]
    else:
        labels = list(range(1, len(layers) + 1))
    overlay = torch.zeros(*size, 4)
    for label, layer in zip(labels, layers > 0, strict=True):
        color = MASKS[(label - 1) % len(MASKS)]
        overlay[layer] = torch.tensor([*color, 0.3])
        overlay[outline(layer)] = torch.tensor([*color, 1.0])
    ax.imshow(overlay.numpy(), interpolation="nearest")


def draw_heatmap(ax: Axes, t: Target, size: tuple[int, ...]) -> None:
    """The largest of the channels, from clear at 0 to yellow at the highest value."""
    level = t.value.detach().cpu().float().amax(0).clamp(min=0)
    level = level / level.amax().clamp(min=1e-6)
    ax.imshow(level.numpy(), cmap="plasma", alpha=(0.8 * level).numpy(), vmin=0, vmax=1)


def outline(mask: Tensor) -> Tensor:
    """The pixels of a mask `[H, W]` that have a neighbour outside of it; as thick as shows when a large frame is shrunk."""
    reach = 1 + max(mask.shape) // 250
    inside = -F.max_pool2d(-mask[None].float(), 2 * reach + 1, 1, reach)[0]
    return mask & (inside == 0)


def draw_boxes(ax: Axes, t: Target, size: tuple[int, ...]) -> None:
    boxes = t.value if isinstance(t.value, Boxes) else Boxes(t.value)
    upright = boxes.xyxy(size)[..., [0, 1, 2, 1, 2, 3, 0, 3]].unflatten(-1, (4, 2))
    corners = (boxes.corners() if boxes.turned else upright).detach().cpu() - 0.5  # axes count from pixel centres
    for i, points in enumerate(corners.numpy()):
        if boxes.valid[i]:
            color = PALETTE[(i + 2) % len(PALETTE)]
            ax.add_patch(Polygon(points, fill=False, edgecolor=color, linewidth=1.5))


def draw_keypoints(ax: Axes, t: Target, size: tuple[int, ...]) -> None:
    points = t.value if isinstance(t.value, Keypoints) else Keypoints(t.value)
    xy = points.xy[points.visible.bool()].detach().cpu()
    ax.scatter(xy[:, 0], xy[:, 1], s=12, c="yellow", edgecolors="black", linewidths=0.6, zorder=3)


LAYERS = {
    "image": draw_image,
    "mask": draw_mask,
    "heatmap": draw_heatmap,
    "boxes": draw_boxes,
    "keypoints": draw_keypoints,
}
