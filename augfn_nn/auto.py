"""Published policies as modules, under kornia's names; each image has a draw of its own (in kornia the batch has one)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch.serialization import add_safe_globals

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.errors import explain, unknown
from augfn_nn.asked import matrix_mode
from augfn_nn.augment import Augment

__all__ = ["AutoAugment", "RandAugment", "TrivialAugment"]

Ends = tuple[float, float]
X, Y = (1.0, 0.0), (0.0, 1.0)


class Step(NamedTuple):
    """An op of a policy: its leaf, the ends of AutoAugment's scale, what a magnitude is in the leaf's units, and the axis."""

    op: Any
    leaf: str = ""
    ends: Ends | None = None
    unit: Callable[[float], float] = float
    along: Ends | None = None
    signed: bool = False  # a magnitude has a random sign
    fixed: tuple[tuple[str, Any], ...] = ()


def sheared(along: Ends, unit: Callable[[float], float]) -> Step:
    return Step(af.shear, "shear", (-0.3, 0.3), unit, along, True)


def slope(v: float) -> float:
    return math.degrees(math.atan(v))


FACTOR = (0.1, 1.9)
STEPS = {  # by kornia's names
    "shear_x": sheared(X, slope),
    "shear_y": sheared(Y, slope),
    "translate_x": Step(af.translate, "translate", (-0.5, 0.5), along=X, signed=True),
    "translate_y": Step(af.translate, "translate", (-0.5, 0.5), along=Y, signed=True),
    "rotate": Step(af.rotate, "degrees", (-30.0, 30.0), signed=True),
    "auto_contrast": Step(af.autocontrast),
    "invert": Step(af.invert),
    "equalize": Step(af.equalize),
    "solarize": Step(af.solarize, "threshold", (0.0, 1.0)),
    "solarize_add": Step(af.solarize_add, "addition", (0.0, 1.0)),
    "posterize": Step(af.posterize, "bits", (4.0, 8.0)),
    "contrast": Step(af.contrast, "factor", FACTOR),
    "brightness": Step(af.brightness, "factor", FACTOR),
    "sharpness": Step(af.sharpness, "factor", FACTOR),
    "color": Step(af.saturation, "factor", FACTOR),
}
KORNIA = STEPS | {  # with its formulas and units
    "shear_x": sheared(X, lambda v: 180 * v),
    "shear_y": sheared(Y, lambda v: 180 * v),
    "solarize_add": Step(af.solarize, "addition", (0.0, 1.0), fixed=(("threshold", (0.0, 1.0)),)),
    "contrast": Step(af.brightness, "factor", FACTOR),
    "brightness": Step(af.brightness_shift, "shift", FACTOR, lambda v: v - 1),
    "color": Step(af.hsv_saturation, "factor", FACTOR),
}
Entry = tuple[str, Any, Any]


def step_of(name: str, kornia: bool | None) -> Step:
    steps = KORNIA if kornia else STEPS
    if name not in steps:
        raise ValueError(unknown("op of a policy", name, steps))
    return steps[name]


def made(step: Step, ends: Any, p: float = 1.0, level: float | None = None) -> Augmentation:
    """The op with its magnitude between two ends, or at a level between them."""
    gate = {} if p == 1 else {"p": p}
    if not step.leaf:
        return step.op(**gate)
    low, high = ends
    least = 0.0 if step.signed and level is not None else low
    ends = step.unit(least), step.unit(high)
    value: Any = ends
    if level is not None and step.signed:
        value = af.Magnitude(level, list(ends), signed=True, along=step.along)
    elif level is not None:
        at = 1 - level if step.leaf == "bits" else level
        value = ends[0] + at * (ends[1] - ends[0])
        value = float(int(value)) if step.leaf == "bits" else value
    elif step.along is not None:
        value = (ends, (0.0, 0.0)) if step.along == X else ((0.0, 0.0), ends)
    return step.op(**{step.leaf: value}, **dict(step.fixed), **gate)


def entries(what: str, policy: Any, one: bool) -> Sequence[Sequence[Entry]]:
    """A policy of one's own: lists of (name, a, b)."""
    good = isinstance(policy, list | tuple) and bool(policy)
    good = good and all(isinstance(sub, list | tuple) and all(len(e) == 3 for e in sub) for sub in policy)
    if not good or any(len(sub) != 1 if one else not sub for sub in policy):
        want = '[[("name", low, high)], ...]' if one else '[[("name", probability, bin), ...], ...]'
        raise ValueError(explain(f"{what}: policy", policy, want, f'{what}(..., policy=[[("rotate", -30.0, 30.0)]])'))
    return policy


def choices(what: str, policy: Any, kornia: bool | None, level: float | None = None) -> list[Augmentation]:
    """The ops of a policy of one's own, each with its range."""
    out = []
    for ((name, low, high),) in entries(what, policy, True):
        step = step_of(name, kornia)
        if step.signed and low != -high:
            raise ValueError(
                explain(f"{what}: {name}", (low, high), "(-x, x)", f'("{name}", {-abs(high)}, {abs(high)})')
            )
        out.append(made(step, (low, high), level=level))
    return out


def sub_policy(sub: Sequence[Entry], kornia: bool | None) -> Augmentation:
    """Ops in a row, each with its probability, and its magnitude from one of ten intervals."""
    return af.pipeline(*(made(step_of(n, kornia), interval(n, b, kornia), p) for n, p, b in sub))


def interval(name: str, number: Any, kornia: bool | None) -> Ends | None:
    ends = step_of(name, kornia).ends
    if ends is None:
        return None
    if number not in range(10):
        raise ValueError(explain(f"AutoAugment: {name}", number, "an interval 0 to 9", f'("{name}", 0.5, 5)'))
    low, width = ends[0], (ends[1] - ends[0]) / 10
    return low + number * width, low + (number + 1) * width


class AutoAugment(Augment):
    """`af.auto_augment`: one of 25 sub-policies; `policy` is "imagenet", "cifar10" or "svhn".

    Or one of your own in kornia's form, `[[("posterize", 0.4, 8), ("rotate", 0.6, 9)], ...]`: name, probability, interval of ten.
    With `kornia=True` by kornia's formulas and units (a shear of 0.3 is 54 degrees, else a slope).

    >>> import torch
    >>> AutoAugment("cifar10")(torch.rand(2, 3, 8, 8)).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(
        self,
        policy: Any = "imagenet",
        transformation_matrix_mode: str = "silent",
        *,
        kornia: bool | None = None,
        **flags: Any,
    ) -> None:
        if isinstance(policy, str):
            f: Any = af.auto_augment("cifar10" if policy == "cifar" else policy)
        else:
            f = af.one_of(*(sub_policy(sub, kornia) for sub in entries("AutoAugment", policy, False)))
        super().__init__(f, **flags)
        self.matrix_mode = matrix_mode("AutoAugment", transformation_matrix_mode)


class RandAugment(Augment):
    """`af.rand_augment`: n ops at the level m, of 30.

    Or with a `policy` of your own in kornia's form, `[[("rotate", -30.0, 30.0)], ...]`: n different ops of it in random order, at
    m / 30 of their ranges, and with a random sign where they go both ways; `kornia=True`: by kornia's formulas and units.

    >>> import torch
    >>> RandAugment(n=2, m=10)(torch.rand(2, 3, 8, 8)).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(
        self,
        n: int,
        m: int,
        policy: Any = None,
        transformation_matrix_mode: str = "silent",
        *,
        kornia: bool | None = None,
        **flags: Any,
    ) -> None:
        if policy is None:
            f: Any = af.rand_augment(n, m)
        else:
            if not 0 < m < 30:
                raise ValueError(explain("RandAugment: m", m, "a level between 0 and 30", "RandAugment(2, 10)"))
            f = af.some_of(n, *choices("RandAugment", policy, kornia, m / 30), order="random")
        super().__init__(f, **flags)
        self.matrix_mode = matrix_mode("RandAugment", transformation_matrix_mode)


class TrivialAugment(Augment):
    """`af.trivial_augment`: one op at any level; or one of a `policy` of your own, as in `RandAugment`.

    >>> import torch
    >>> TrivialAugment()(torch.rand(2, 3, 8, 8)).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(
        self,
        policy: Any = None,
        transformation_matrix_mode: str = "silent",
        *,
        kornia: bool | None = None,
        **flags: Any,
    ) -> None:
        f = af.trivial_augment() if policy is None else af.one_of(*choices("TrivialAugment", policy, kornia))
        super().__init__(f, **flags)
        self.matrix_mode = matrix_mode("TrivialAugment", transformation_matrix_mode)


add_safe_globals([AutoAugment, RandAugment, TrivialAugment])
