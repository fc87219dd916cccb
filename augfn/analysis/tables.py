"""Tables of estimates, to print, to read row by row, and to hand to pandas."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from augfn.errors import unknown


class Estimate(NamedTuple):
    """A value with the ends of its confidence interval (NaN where it has none).

    >>> print(Estimate(0.5, 0.4, 0.61))
    0.5 [0.4, 0.61]
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")

    def __str__(self) -> str:
        ends = f" [{short(self.low)}, {short(self.high)}]" if self.low == self.low else ""
        return short(self.value) + ends

    __repr__ = __str__


def order(v: Any) -> Any:
    """What is sorted by: a value, what is no number as the least."""
    v = v.value if isinstance(v, Estimate) else v
    return -math.inf if v != v else v


def short(v: float) -> str:
    return "-" if v != v else f"{v:.3g}"


class Table(Sequence[dict[str, Any]]):
    """Rows of named columns; an entry is a text, a number or an Estimate.

    >>> t = Table(("layer", "cosine"), [("conv1", Estimate(0.9, 0.8, 0.95)), ("fc", Estimate(0.5, 0.4, 0.6))])
    >>> print(t)
    layer  cosine
    conv1  0.9 [0.8, 0.95]
    fc     0.5 [0.4, 0.6]
    >>> t[-1]["cosine"].value, t.where(layer="conv1")[0]["cosine"].low
    (0.5, 0.8)
    """

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.columns, self.rows = tuple(columns), [tuple(row) for row in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, str):
            return [row[self.place(i)] for row in self.rows]
        if isinstance(i, slice):
            return Table(self.columns, self.rows[i])
        return dict(zip(self.columns, self.rows[i], strict=True))

    def place(self, column: str) -> int:
        if column not in self.columns:
            raise KeyError(unknown("column", column, self.columns))
        return self.columns.index(column)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[i] for i in range(len(self)))

    def where(self, **wanted: Any) -> Table:
        """The rows with these entries."""
        for n in wanted:
            self.place(n)
        return Table(self.columns, [tuple(r.values()) for r in self if all(r[n] == v for n, v in wanted.items())])

    def sorted(self, column: str, reverse: bool = True) -> Table:
        """The rows by a column, the largest first."""
        i = self.place(column)
        return Table(self.columns, sorted(self.rows, key=lambda row: order(row[i]), reverse=reverse))

    def cells(self) -> list[list[str]]:
        return [[short(v) if isinstance(v, float) else str(v) for v in row] for row in self.rows]

    def __str__(self) -> str:
        lines = [list(self.columns), *self.cells()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(c)}</th>" for c in self.columns)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in self.cells())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_pandas(self) -> Any:
        """A DataFrame; of an estimate `x` the columns are `x`, `x_low`, `x_high` (needs `pip install 'augfn[analysis]'`)."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas needs pandas: pip install pandas (it is in augfn[analysis])") from error
        records = []
        for row in self:
            record = {}
            for n, v in row.items():
                ends = (v.value, v.low, v.high) if isinstance(v, Estimate) else (v,)
                record |= dict(zip((n, f"{n}_low", f"{n}_high"), ends, strict=False))
            records.append(record)
        return pandas.DataFrame(records, columns=None if records else list(self.columns))
