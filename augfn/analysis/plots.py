"""Figures of reports and curves (needs `pip install 'augfn[analysis]'`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

try:
    from matplotlib import colormaps
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
except ImportError as error:
    raise ImportError("plots need matplotlib: pip install matplotlib (it is in augfn[analysis])") from error

from augfn.analysis.tables import Estimate, Table

COLORS = colormaps["tab10"].colors  # type: ignore[attr-defined]
LONG = 26  # letters of a layer's name
NAMES = {"cka": "CKA", "relative_l2": "relative L2", "jsd": "JSD"}


def named(measure: str) -> str:
    return NAMES.get(measure, measure.replace("_", " "))


def drawn(figure: Any, path: str | Path | None) -> Any:
    """The figure, written where a path is given."""
    if figure.canvas is None or type(figure) is Figure:
        FigureCanvasAgg(figure)
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


def band(ax: Axes, x: Sequence[float], found: Sequence[Estimate], label: str, color: Any) -> None:
    """A curve of estimates with the band of their intervals."""
    ax.plot(x, [e.value for e in found], "o-", ms=3, lw=1.2, color=color, label=label)
    ax.fill_between(x, [e.low for e in found], [e.high for e in found], color=color, alpha=0.2, lw=0)


def of_report(layers: Table, ops: Table, embedding: Table, path: str | Path | None = None) -> Figure:
    """The tables of a report: the layers, the share of each op by layer, and the predictions."""
    some = len(layers)
    figure = Figure(figsize=(min(max(9.0, 0.28 * some), 24), 9.5), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, height_ratios=(3, 2.4, 2))
    of_layers(top, layers)
    of_ops(middle, ops.where(measure="relative_l2"), layers["layer"])
    of_embedding(bottom, embedding)
    return drawn(figure, path)


def of_layers(ax: Axes, table: Table) -> None:
    """Every measure over the layers, whose names stand below the shares of the ops."""
    for i, m in enumerate(table.columns[1:]):
        band(ax, [*range(len(table))], table[m], named(m), COLORS[i % len(COLORS)])
    ax.set_title("Layers: relative L2 is 0, all else 1 where nothing changes", fontsize=9, loc="left")
    axis_of_layers(ax, [""] * len(table))
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))


def axis_of_layers(ax: Axes, names: Sequence[str]) -> None:
    step = -(-len(names) // 80)
    shown = [n if i % step == 0 else "" for i, n in enumerate(names)]
    shown = [n if len(n) <= LONG else f"…{n[-LONG:]}" for n in shown]
    ax.set_xticks(range(len(names)), shown, rotation=90, fontsize=7)
    ax.set_xlim(-0.6, len(names) - 0.4)
    ax.grid(axis="y", alpha=0.3)


def of_ops(ax: Axes, table: Table, layers: Sequence[str]) -> None:
    """Bars: the Shapley values of the ops at each layer, one above the other; they sum to the whole."""
    names = [n for n in layers if n in table["layer"]]
    up = dict.fromkeys(names, 0.0)
    for i, op in enumerate(dict.fromkeys(table["op"])):
        rows = {row["layer"]: row["shapley"] for row in table.where(op=op)}
        values = [rows[n] for n in names]
        at = [up[n] for n in names]
        ax.bar(range(len(names)), [e.value for e in values], 0.75, at, color=COLORS[i % len(COLORS)], label=op)
        up = {n: up[n] + rows[n].value for n in names}
    ax.set_title("What each op adds to the relative L2 (Shapley values; they sum to the whole)", fontsize=9, loc="left")
    axis_of_layers(ax, names or ["no shares were measured"])
    if names:
        ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))


def of_embedding(ax: Axes, table: Table) -> None:
    for shift, which in ((-0.15, "clean"), (0.15, "augmented")):
        pairs = [(i + shift, row[which]) for i, row in enumerate(table) if row[which].value == row[which].value]
        x, found = [p[0] for p in pairs], [p[1] for p in pairs]
        reach = [
            [max(e.value - e.low, 0.0) if e.low == e.low else 0.0 for e in found],
            [max(e.high - e.value, 0.0) if e.high == e.high else 0.0 for e in found],
        ]
        color = COLORS[0 if which == "augmented" else 7]
        ax.errorbar(x, [e.value for e in found], reach, fmt="o", color=color, capsize=3, label=which)
    ax.set_xticks(range(len(table)), [named(m).replace(" ", "\n") for m in table["measure"]], fontsize=8)
    ax.set_title("Embedding and predictions", fontsize=9, loc="left")
    ax.grid(axis="y", alpha=0.3)
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))


def of_curves(
    x: Sequence[float],
    curves: Mapping[str, Sequence[Estimate]],
    names: tuple[str, str],
    path: str | Path | None = None,
    ax: Axes | None = None,
) -> Any:
    """Curves by their labels, over x; `names` of the two axes. On axes that are given, or as a figure."""
    figure = Figure(figsize=(6.5, 4), layout="constrained") if ax is None else ax.figure
    ax = figure.subplots() if ax is None else ax
    before = len(ax.lines)
    for i, (label, found) in enumerate(curves.items(), before):
        band(ax, x, found, label, COLORS[i % len(COLORS)])
    ax.set(xlabel=names[0], ylabel=named(names[1]))
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    return drawn(figure, path)
