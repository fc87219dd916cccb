"""What the peers' arguments mean: their shorthands, other names and settings, in the words of the factories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from augfn.core.augmentation import Augmentation
from augfn.core.spec import SAMPLING, Spec, of_config
from augfn.distributions import Constant, Distribution, Interval, LogUniform, Span, Uniform
from augfn.errors import explain, unknown, warn
from augfn.ops.crop import pad, random_crop
from augfn.typing import Leaf

Size = int | tuple[int, int]  # (h, w)
ALIASES = {"resample": "interpolation", "fill_value": "fill"}
HALF_PIXEL = (
    "leave it out: maps take pixels' centres to pixels' centres, resizes keep the frame's edges, whatever it says"
)
# keywords of the peers that say what holds here anyway: the accepted values, and what to do about others
NEUTRAL: dict[str, tuple[tuple[Any, ...], str]] = {
    "align_corners": ((True, False, None), HALF_PIXEL),
    "cropping_mode": (("slice", "resample"), "leave it out: crops copy pixels, resized crops sample them"),
    "ensure_perm": ((True, False), "leave it out: at least two tiles change places"),
    "separable": ((True, False), "leave it out"),
    "expand": ((False,), "Pad before it"),
    "center": ((None,), "Pad or crop before it: turns are about the image's centre"),
    "inplace": ((False,), "leave it out: inputs are never changed"),
    "data_keys": ((None, ["input"], ["image"]), "name the targets in AugmentationSequential"),
}


WIDTH = ((-1.0,), (1.0,))  # x as -x to x
ENDS = ((1.0, 0.0), (0.0, 1.0))  # (low, high) as they are


def widths(n: int) -> tuple[Any, ...]:
    """n numbers as -x to x each."""
    return tuple(tuple(tuple(sign if i == j else 0.0 for j in range(n)) for sign in (-1.0, 1.0)) for i in range(n))


def rows(n: int) -> tuple[Any, ...]:
    """2 n numbers as n ranges (low, high)."""
    unit = [tuple(float(i == j) for j in range(2 * n)) for i in range(2 * n)]
    return tuple(zip(unit[::2], unit[1::2], strict=True))


ROWS = rows(2)


def name_of(value: Any) -> str:
    """A name in lower case: of a string, or of an enum's member (kornia's Resample, torchvision's)."""
    name = getattr(value, "name", value)
    if not isinstance(name, str):
        raise TypeError(explain("not a name", value, "a string or an enum's member", "'bilinear', 'mask', ..."))
    return name.lower()


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def plain(value: Any) -> Any:
    """Tensors and arrays as numbers and tuples, except those that learn; sequences as tuples."""
    if hasattr(value, "tolist"):
        learns = isinstance(value, Tensor) and (value.requires_grad or isinstance(value, nn.Parameter))
        return value if learns else plain(value.tolist())
    value = of_config(value)
    return tuple(map(plain, value)) if isinstance(value, list | tuple) else value


def learned(what: str, leaf: Leaf, value: Any) -> Any:
    """A Parameter `[*leaf.shape, 2]` is a range (low, high) that learns, `[2]` that of each entry, and so are two; one
    number is a value that learns. All else is left as it is."""
    if isinstance(value, tuple) and any(isinstance(t, Tensor | Distribution) for t in tree_leaves(value)):
        flat = all(is_number(v) or (isinstance(v, Tensor) and not v.ndim) for v in value)
        if len(value) == 2 and flat and not leaf.shape:
            return Uniform(*value)
        fix = f"one Parameter {[*leaf.shape, 2]} as af.Interval(parameter), in Augment(af.<op>(...))"
        raise ValueError(
            explain(f"{what}: several Parameters", value, "one that holds all ends, or plain numbers", fix)
        )
    if not isinstance(value, Tensor):
        return value
    want = [*leaf.shape, 2]
    if not value.ndim and not leaf.shape:
        return Constant(value)
    if list(value.shape) not in (want, [2], [*(leaf.volume or ()), 2]):
        words = "a (low, high) row for each entry" if leaf.shape else "low and high"
        rows_ = [[-10.0, 10.0]] * leaf.shape[0] if leaf.shape else [-10.0, 10.0]
        fix = f"torch.nn.Parameter(torch.tensor({rows_})), low and high" + ", or one number" * (not leaf.shape)
        raise ValueError(explain(f"{what}: a Parameter of another shape", value, f"{want}: {words}", fix))
    return Interval(value)


def around(value: Any, centre: float = 0.0, floor: float | None = None) -> Any:
    """A single number x is centre - x to centre + x, not below the floor (one that learns: as it is); all else is left
    as it is."""
    if isinstance(value, Tensor) and not value.ndim:
        return Span(value, WIDTH, centre)
    if not is_number(value):
        return value
    if value < 0:
        expected = "a number >= 0, or a pair (low, high)"
        raise ValueError(explain("a single number is a reach", value, expected, f"({value}, {-value})"))
    low = centre - value if floor is None else max(centre - value, floor)
    return (low, centre + value) if value else centre


def jitter(brightness: Any, contrast: Any, saturation: Any, hue: Any, off: tuple[Any, Any]) -> dict[str, Any]:
    """ColorJitter's four; `off` is what stands for 0: (factor, hue)."""
    factors = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
    out = {n: off[0] if is_zero(v) else around(v, 1.0, 0.0) for n, v in factors.items()}
    return out | {"hue": off[1] if is_zero(hue) else around(hue)}


def is_zero(value: Any) -> bool:
    return value is None or (is_number(value) and value == 0)


def pair(what: str, value: Any) -> Any:
    """A range has two ends; a number alone means a reach elsewhere."""
    if is_number(value):
        fix = f"{what}=({value}, {value}) fixes it"
        raise ValueError(explain(f"{what}: a single number", value, "a pair (low, high)", fix))
    return value


def one_less(what: str, value: Any) -> Any:
    """The range of 1 - x, for x in a range."""
    if isinstance(value, Tensor) and list(value.shape) == [2]:
        return Span(value, ((0.0, -1.0), (-1.0, 0.0)), 1.0)
    low, high = pair(what, value)
    return 1 - high, 1 - low


def reach(value: Any, axes: int) -> Any:
    """(a, b) is ±a along x, ±b along y: a number for each axis; so is a Parameter of as many."""
    if isinstance(value, Tensor) and list(value.shape) == [axes]:
        return Span(value, widths(axes))
    learns = any(isinstance(v, Tensor) for v in tree_leaves(value))
    if learns and not (isinstance(value, Tensor) and list(value.shape) == [axes, 2]):
        fix = f"torch.nn.Parameter(torch.tensor({[0.1] * axes}))"
        raise ValueError(explain("translate: Parameters", value, f"one Parameter [{axes}], or [{axes}, 2]", fix))
    if not is_number(value) and not isinstance(value, tuple):
        return value
    if is_number(value) or len(value) != axes or any(is_number(v) and not 0 <= v <= 1 for v in value):
        expected = f"{axes} fractions of the size, 0 to 1: the largest shift along each axis"
        raise ValueError(explain("translate: bad reach", value, expected, f"translate={(0.1,) * axes}"))
    return tuple((-v, v) if is_number(v) else v for v in value)


def zoom(value: Any) -> dict[str, Any]:
    """(a, b) for both axes; (a, b, c, d): a to b along x, c to d along y."""
    if isinstance(value, Tensor) and list(value.shape) == [4]:
        return {"scale": Span(value, ROWS[0]), "scale_y": Span(value, ROWS[1])}
    if isinstance(value, tuple) and len(value) == 4:
        return {"scale": value[:2], "scale_y": value[2:]}
    return {"scale": pair("scale", value)}


def slant(value: Any) -> Any:
    """A number s or (a, b) shears along x alone; (a, b, c, d): a to b along x, c to d along y."""
    if isinstance(value, Tensor):
        known = {(): (WIDTH, ((0.0,), (0.0,))), (2,): (((1.0, 0.0), (0.0, 1.0)), ((0.0, 0.0),) * 2), (4,): ROWS}
        return Span(value, known[tuple(value.shape)]) if tuple(value.shape) in known else value
    value = around(value)
    if is_number(value):
        return ((value, value), (0.0, 0.0))
    if isinstance(value, tuple) and len(value) == 4:
        return (value[:2], value[2:])
    return (value, (0.0, 0.0)) if isinstance(value, tuple) and all(map(is_number, value)) else value


def zoom3(value: Any) -> dict[str, Any]:
    """(a, b) for all axes; three pairs: along x, y, z."""
    names = ("scale", "scale_y", "scale_z")
    if isinstance(value, Tensor) and list(value.shape) == [3, 2]:
        return {n: Span(value, row) for n, row in zip(names, rows(3), strict=True)}
    if isinstance(value, tuple) and len(value) == 3:
        return {n: pair("scale", v) for n, v in zip(names, value, strict=True)}
    return {"scale": pair("scale", value)}


def turns(value: Any, axes: int = 3) -> Any:
    """Of three axes: a number is ± for each, (a, b) the range of each, (a, b, c) is ±a, ±b, ±c."""
    if isinstance(value, Tensor) and list(value.shape) == [axes]:
        return Span(value, widths(axes))
    value = around(value)
    return tuple(axis(around(v)) for v in value) if isinstance(value, tuple) and len(value) == axes else value


def other_way(what: str, value: Any, kornia: bool | None) -> Any:
    """Angles in kornia's sense of turning, which is the other one, for `kornia=True`; for None a warning where that makes a
    difference."""
    flat = value if isinstance(value, tuple) else (value,)
    if not all(is_number(v) or (isinstance(v, tuple) and all(map(is_number, v))) for v in flat):
        if kornia:
            want, fix = "numbers", "the angles of a distribution the other way round, without kornia=True"
            raise ValueError(explain(f"{what}: kornia=True", value, want, fix))
        return value
    turned = reversed_(value)
    if turned != value and kornia is None:
        want, fix = (
            "a range about 0",
            f"{what}(..., kornia=True) turns as there, kornia=False as here, without a warning",
        )
        warn(explain(f"{what}: kornia turns the other way", value, want, fix))
    return turned if kornia else value


def reversed_(value: Any) -> Any:
    """Numbers, and ranges of such, with the other sign."""
    if is_number(value):
        return -value
    if len(value) == 2 and all(map(is_number, value)):
        return -value[1], -value[0]
    return tuple(map(reversed_, value))


# of kornia's facets xy, xz, yx, yz, zx, zy, whose second letter moves with the first: x with y, x with z, y with x, ...
FACETS = (2, 4, 0, 5, 1, 3)


def slants(value: Any) -> Any:
    """kornia's six shears: a number is ± for each, (a, b) the range of each, six are ± each, six pairs are ranges."""
    if isinstance(value, Tensor) and list(value.shape) in ([6], [6, 2]):
        each = widths(6) if value.ndim == 1 else rows(6)
        return Span(value, tuple(each[i] for i in FACETS))
    value = turns(value, 6)
    return tuple(value[i] for i in FACETS) if isinstance(value, tuple) and len(value) == 6 else value


def inside(what: str, value: Any, bound: float) -> Any:
    """Numbers in the peers' units would be far too large."""
    if any(is_number(v) and v >= bound for v in (value if isinstance(value, tuple) else (value,))):
        want, fix = f"a fraction of the shorter side, below {bound:g}", f"{what}=0.03; pixels divided by min(H, W)"
        raise ValueError(explain(f"{what}: in other units", value, want, fix))
    return value


def only(what: str, given: Any, accepted: tuple[Any, ...], fix: str) -> None:
    """An argument of the peers that has one meaning here."""
    if given not in accepted:
        raise ValueError(explain(what, given, " or ".join(map(repr, accepted)), fix))


def log_range(value: Any) -> Any:
    return LogUniform(*value) if isinstance(value, tuple) else value


def upside_down(ratio: Any) -> Any:
    """A range of height / width as one of width / height."""
    if not isinstance(ratio, tuple) or len(ratio) != 2 or not all(is_number(r) and r > 0 for r in ratio):
        fix = "ratio=(0.3, 3.3); what learns goes to Augment(af.erase(ratio=...)), as width / height"
        raise ValueError(explain("bad ratio", ratio, "a pair (low, high) of positive numbers", fix))
    return 1 / ratio[1], 1 / ratio[0]


def sort_keys(order: Any) -> Any:
    """ColorJitter's four in this order, as sort keys."""
    if order is None:
        return None
    if sorted(order) != [0, 1, 2, 3]:
        raise ValueError(explain("bad order", order, "each of 0, 1, 2, 3 once", "order=(0, 1, 2, 3)"))
    return Constant([list(order).index(i) / 4 for i in range(4)])


def axis(value: Any) -> Any:
    """The range of one axis; None does not move."""
    return (0.0, 0.0) if value is None else (value, value) if is_number(value) else value


def moves(*given: Any) -> Any:
    """The ranges of the axes; one Parameter [2] may be that of one of them."""
    there = [i for i, v in enumerate(given) if v is not None]
    own = given[there[0]] if len(there) == 1 else None
    if isinstance(own, Tensor) and list(own.shape) == [2]:
        return Span(own, tuple(rows(1)[0] if i == there[0] else ((0.0, 0.0),) * 2 for i in range(len(given))))
    return tuple(map(axis, given))


def sides3(padding: Any) -> Any:
    """(left, right, top, bottom, front, back), F.pad's order, as the factory's: low sides (x, y, z), then high ones."""
    return padding[::2] + padding[1::2] if isinstance(padding, tuple) and len(padding) == 6 else padding


def sampling_of(keywords: Mapping[str, Any], what: str) -> dict[str, Any]:
    """interpolation, padding_mode, fill, fill_mask, antialias; also under the peers' names and in upper case."""
    out: dict[str, Any] = {}
    for name, value in keywords.items():
        own = ALIASES.get(name, name)
        if name in NEUTRAL:
            neutral(what, name, value)
        elif own not in SAMPLING:
            raise TypeError(unknown(f"setting of {what}", name, [*SAMPLING, *ALIASES]))
        elif out.get(own) is None:
            out[own] = READ.get(own, plain)(value)
    if out.get("padding_mode") == "fill":
        out["padding_mode"] = None
    return out


def neutral(what: str, name: str, value: Any) -> None:
    accepted, fix = NEUTRAL[name]
    only(f"{what}: {name}", value, accepted, fix)


def interpolation_name(value: Any) -> str | None:
    value = numbered(value, ("nearest", "bilinear", "bicubic"))
    name = None if value is None else name_of(value).replace("_", "-")
    return "nearest" if name == "nearest-exact" else name


def numbered(value: Any, names: tuple[str, ...]) -> Any:
    """The name of a number of kornia's enums."""
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names)
    return names[value] if whole else value


def padding_name(value: Any) -> str | None:
    value = numbered(value, ("zeros", "border", "reflection"))
    name = None if value is None else name_of(value)
    return "border" if name == "replicate" else name


def border(fill: Any, mode: Any) -> dict[str, Any]:
    """What a pad shows: a fill, or the image's own pixels."""
    name = padding_name(mode)
    return {"fill": fill} if name in ("constant", "zeros", "fill") else {"padding_mode": name}


READ: dict[str, Callable[[Any], Any]] = {"interpolation": interpolation_name, "padding_mode": padding_name}


class PadByFrame(Augmentation):
    """A pad by what the frame that it meets lacks of `size`: right and bottom, or on both sides."""

    spec: Spec = pad.spec  # type: ignore[attr-defined]

    def __init__(self, size: Any, both: bool, outside: dict[str, Any]) -> None:
        super().__init__("pad_to", {}, {})
        self.least, self.both, self.outside = (size, size) if isinstance(size, int) else tuple(size), both, outside

    def plan(self, params: Any, size: Any, sampling: Any) -> Any:
        bottom, right = (max(want - n, 0) for want, n in zip(self.least, size, strict=True))
        padding = (right * self.both, bottom * self.both, right, bottom)
        return pad(padding=padding, **self.outside).plan({}, size, sampling)


class WindowByFrame(Augmentation):
    """A window of a size, or of half the sides of the frame that it meets, padded where that is smaller."""

    spec: Spec = random_crop.spec  # type: ignore[attr-defined]

    def __init__(self, size: Any, position: Any) -> None:
        f = random_crop(size=1, position=position)
        super().__init__("window", f.params, f.schema)
        self.least = (size, size) if isinstance(size, int) else None if size is None else tuple(size)

    def plan(self, params: Any, size: Any, sampling: Any) -> Any:
        target = self.least or tuple(n // 2 for n in size)
        first = PadByFrame(target, True, {}).plan({}, size, sampling)
        larger = tuple(max(n, m) for n, m in zip(size, target, strict=True))
        return [*first, *random_crop(size=target).plan(params, larger, sampling)]
