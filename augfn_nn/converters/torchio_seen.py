"""What the conversion of TorchIO's transforms knows of the volumes where one stands, and how it reads what they keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from augfn.core.augmentation import Augmentation
from augfn_nn.converters.by_frame import Triple
from augfn_nn.converters.notes import Notes
from augfn_nn.converters.values import one_each

AXES = "zyx"  # of TorchIO's axes 0, 1, 2
NAMED = {"L": 0, "R": 0, "A": 1, "P": 1, "T": 1, "B": 1, "S": 2, "I": 2}
INTERPOLATIONS = {"linear": "bilinear", "nearest": "nearest"}


@dataclass
class Seen:
    """What is known of the volumes where a transform stands: the size of a voxel in mm, and the lowest value."""

    notes: Notes
    spacing: Triple | None = None
    low: float | None = None

    def voxel(self, t: Any) -> Triple:
        """The size of a voxel along TorchIO's axes."""
        if self.spacing is None:
            self.notes.differ(t, "takes voxels of 1 mm (a Resample before it tells another size)")
        return self.spacing or (1.0, 1.0, 1.0)

    def outside(self, t: Any, value: Any = "minimum", label: float = 0.0) -> dict[str, Any]:
        """What lies beyond the frame."""
        if not isinstance(value, str):
            return {"fill": float(value), "fill_mask": float(label)}
        if value == "minimum" and self.low is not None:
            self.notes.differ(
                t,
                f"beyond the frame lies {self.low:g}, the lowest level known, in TorchIO the minimum there is",
            )
            return {"fill": self.low, "fill_mask": float(label)}
        if label:
            raise ValueError(f"default_pad_label={label} beside default_pad_value={value!r}: give a number for both")
        self.notes.differ(t, f"beyond the frame the border repeats, of labels too; in TorchIO lies the {value} there")
        return {"padding_mode": "border"}

    def merge(self, other: Seen) -> None:
        """What holds whether that was done or this was."""
        self.spacing = self.spacing if self.spacing == other.spacing else None
        self.low = self.low if self.low == other.low else None


def sextet(values: Sequence[Any]) -> tuple[list[float], list[float]]:
    """Lows and highs in augfn's order (x, y, z), of three numbers or three ranges along TorchIO's axes."""
    given = [float(v) for v in values]
    ends = (given, given) if len(given) == 3 else (given[::2], given[1::2])
    return ends[0][::-1], ends[1][::-1]


def along_axes(axes: Any, make: Callable[[str], Augmentation]) -> Augmentation:
    """One of the axes."""
    return one_each([make(AXES[index_of(axis)]) for axis in (axes if isinstance(axes, list | tuple) else (axes,))])


def index_of(axis: Any) -> int:
    """An axis by its number or its anatomical name."""
    return NAMED[axis[0].upper()] if isinstance(axis, str) else int(axis)


def sampled(t: Any) -> Any:
    if t.image_interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"image_interpolation={t.image_interpolation!r} has no counterpart ('linear' and 'nearest' have)"
        )
    return INTERPOLATIONS[t.image_interpolation]


def labels(t: Any, seen: Seen) -> None:
    if getattr(t, "label_interpolation", "nearest") != "nearest":
        seen.notes.differ(t, "masks are read nearest (of one-hot labels between voxels: data key 'softmask')")
