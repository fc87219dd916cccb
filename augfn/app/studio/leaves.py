"""The numbers of a step: for each a dial with its unit and interval from the schema, and how one is turned."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

from augfn.app.studio.steps import Step
from augfn.core.augmentation import Op
from augfn.core.spec import CLIPS
from augfn.files import reading
from augfn.files.values import plain
from augfn.files.writing import leaf_value
from augfn.tune.customary import WIDEST
from augfn.typing import Interpolation, Leaf, Padding

AXES = "xyz"
PARTS = 200  # of the interval of a dial, about
HIDDEN = ("seed", "order", "partner")  # leaves that name noise and partners
P = Leaf("probability", neutral=1.0, low=0.0, high=1.0)
CHOICES = {"interpolation": get_args(Interpolation), "padding_mode": get_args(Padding), "clip": CLIPS}
ENDS = {"low": 0, "high": 1}


class Dial(NamedTuple):
    """One number: where it stands in the value of its leaf, what it is now, and between what it moves."""

    at: tuple[Any, ...]
    label: str
    value: float
    low: float
    high: float
    step: float


@dataclass(frozen=True)
class Row:
    """A leaf of an op: its value as in a file (None: it is not there), what it means, its form and its dials."""

    name: str
    meaning: Leaf
    value: Any
    form: str  # "fixed", "range", the name of another distribution, or "off"
    dials: tuple[Dial, ...]

    @property
    def interval(self) -> str:
        """The valid interval in words."""
        low, high = self.meaning.low, self.meaning.high
        if low is None and high is None:
            return "any number"
        if low is not None and 0 < low < 1e-3:
            return "above 0" if high is None else f"above 0, to {high:g}"
        return f"from {low:g}" if high is None else f"to {high:g}" if low is None else f"{low:g} to {high:g}"


class Setting(NamedTuple):
    """A keyword of an op that is not drawn: its value as in a file, and what can be chosen (else it is written)."""

    name: str
    value: Any
    choices: tuple[Any, ...] = ()


def rows_of(step: Step) -> list[Row]:
    """The leaves of an op, then its probability."""
    op = None if step.group else reading.step({step.name: step.given or None}, step.name)
    if not isinstance(op, Op):
        return []
    rows = []
    for name, meaning in op.schema.items():
        if name in HIDDEN or name == "gate":
            continue
        value = compact(leaf_value(op.params[name], meaning)) if name in op.params else None
        rows.append(Row(name, meaning, value, form_of(value), tuple(dials_of(value, meaning))))
    chance = [] if "p" not in op.spec.common else [step.given.get("p", 1.0)]
    return rows + [Row("p", P, p, form_of(p), tuple(dials_of(p, P))) for p in chance]


def compact(value: Any) -> Any:
    """One range for many numbers that have the same, such as those of holes."""
    if not isinstance(value, dict) or [*value] != ["uniform"]:
        return value
    ends = [value["uniform"][n] for n in ("low", "high")]
    many = all(isinstance(e, list) and len(e) > len(AXES) and len(set(map(str, e))) == 1 for e in ends)
    return [e[0] for e in ends] if many else value


def form_of(value: Any) -> str:
    if value is None:
        return "off"
    if isinstance(value, dict):
        name = str(next(iter(value)))
        return {"uniform": "range", "constant": "fixed"}.get(name, name)
    return "range" if isinstance(value, list) else "fixed"


def ends_of(meaning: Leaf, values: list[float]) -> tuple[float, float]:
    """Between what a dial moves: the valid interval; where that is open, a customary one, wide enough for what is there."""
    wide = WIDEST.get(meaning.unit, (0.0 if meaning.low is not None else -1.0, 1.0))
    low = wide[0] if meaning.low is None or 0 < meaning.low < wide[0] else meaning.low
    high = wide[1] if meaning.high is None else meaning.high
    if meaning.high is None and values and meaning.unit not in WIDEST:
        high = max(high, 2 * max(values))
    return min([low, *values]), max([high, *values])


def tick(low: float, high: float) -> float:
    """A round number, about a two-hundredth of the interval.

    >>> tick(-180, 180), tick(0, 1)
    (2.0, 0.005)
    """
    rough = max(high - low, 1e-9) / PARTS
    ten = 10.0 ** math.floor(math.log10(rough))
    return min((m * ten for m in (1, 2, 5, 10)), key=lambda s: abs(s - rough))


def dials_of(value: Any, meaning: Leaf) -> Iterator[Dial]:
    """A dial for each number of a value."""
    table = (value.get("magnitude") or {}).get("table") if isinstance(value, dict) else None
    numbers = [(at, v) for at, v in numbers_of(value) if table is None or at[-1] == "level"]
    places = [v for at, v in numbers if not is_shape(at)]
    low, high = ends_of(meaning, places)
    for at, v in numbers:
        ends = (low, high) if not is_shape(at) else (0.0, max(2 * v, (high - low) / 2, 1.0))
        ends = ends if table is None else (0.0, len(table) - 1.0)
        yield Dial(at, label_of(at, meaning), v, *ends, tick(*ends))


def is_shape(at: tuple[Any, ...]) -> bool:
    """True of a number that is no value of the leaf: the spread or the shape of a distribution."""
    return any(n in ("std", "alpha", "beta", "rate", "level") for n in at)


def label_of(at: tuple[Any, ...], meaning: Leaf) -> str:
    """The field, or which end, then the axis."""
    words = [("low", "high")[n] if len(at) == 1 else AXES[n] if n < 3 else f"{n + 1}" for n in at if isinstance(n, int)]
    fields = [n for n in at[1:] if isinstance(n, str) and n != "value"]
    return " ".join([*fields, *words]) or "value"


def numbers_of(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], float]]:
    """The numbers of a value with where they stand; of tensors and tables none."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield at, float(value)
    elif isinstance(value, dict) and "tensor" not in value and len(at) < 2:
        for n, v in value.items():
            yield from numbers_of(v, (*at, n))
    elif isinstance(value, list) and len(value) <= 6:
        for i, v in enumerate(value):
            yield from numbers_of(v, (*at, i))


def turned(value: Any, at: tuple[Any, ...], number: float) -> Any:
    """The value with another number; the other end of a range goes along where it would be passed.

    >>> turned([-10.0, 10.0], (0,), 20.0)
    [20.0, 20.0]
    """
    if not at:
        return number
    new = copy.deepcopy(value)
    put(new, at, number)
    other = at
    for i, n in enumerate(at):
        if n in ENDS and isinstance(n, str):
            other = (*at[:i], "high" if n == "low" else "low", *at[i + 1 :])
        elif isinstance(value, list) and len(at) == 1:
            other = (1 - n,)
    if other != at:
        low_end = at[-1] == 0 if isinstance(value, list) else "low" in at
        there = get(new, other)
        if (low_end and there < number) or (not low_end and there > number):
            put(new, other, number)
    return new


def get(value: Any, at: tuple[Any, ...]) -> Any:
    for n in at:
        value = value[n]
    return value


def put(value: Any, at: tuple[Any, ...], number: float) -> None:
    get(value, at[:-1])[at[-1]] = number


def reformed(row: Row, form: str) -> Any:
    """The value in another form, about the same place: fixed at the middle of a range, a range about a fixed value."""
    if form == "off":
        return None
    low, high = ends_of(row.meaning, [])
    neutral = row.meaning.neutral if row.meaning.neutral is not None else (low + high) / 2
    values = [d.value for d in row.dials if not is_shape(d.at)] or [neutral]
    middle = sum(values) / len(values)
    if form == "fixed":
        return round(middle, 6)
    reach = (high - low) / 10
    ends = [max(low, middle - reach), min(high, middle + reach)]
    spread = round(reach / 2, 6)
    forms: dict[str, Any] = {
        "range": [round(e, 6) for e in ends],
        "normal": {"normal": {"mean": middle, "std": spread}},
        "truncated_normal": {"truncated_normal": {"mean": middle, "std": spread, "low": low, "high": high}},
    }
    return forms[form]


def settings_of(step: Step) -> list[Setting]:
    """The keywords of an op that are not drawn."""
    op = None if step.group else reading.step({step.name: step.given or None}, step.name)
    if not isinstance(op, Op):
        return []
    own = [(n, op.static[n], choices_in(op.spec.types.get(n))) for n in op.spec.static]
    known = {"clip": op.clip, "per_channel": op.per_channel, "channels": op.channels}
    common = [
        (n, known.get(n, getattr(op.spec.sampling, n, None)), CHOICES.get(n, ()))
        for n in op.spec.common
        if n not in ("p", "p_channel")
    ]
    now = [(n, step.given[n] if n in step.given else plain(v, n), c) for n, v, c in [*own, *common]]
    return [Setting(n, v, (True, False) if isinstance(v, bool) else c) for n, v, c in now]


def choices_in(annotation: Any) -> tuple[Any, ...]:
    """What a Literal names."""
    found = get_args(annotation)
    return tuple(found) if found and all(isinstance(v, str) for v in found) else ()
