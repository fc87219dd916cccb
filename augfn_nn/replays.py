"""Params that kornia has drawn, as the leaves of the class of the same name: a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from augfn.core.draw import Params, leaves_of
from augfn.errors import explain, unknown

# of a leaf: the names of kornia's that it is made of, and how, beside the frame's (width, height)
Rule = tuple[tuple[str, ...], Callable[..., Tensor]]
# what follows from the arguments, or names what was seen
FURTHER = ("center", "src", "dst", "input_size", "output_size", "padding_size", "values")


def same(name: str) -> Rule:
    return (name,), lambda v, sides: v


def pairs(x: str, y: str) -> Rule:
    return (x, y), lambda v, w, sides: torch.stack([v, w], -1)


def ranks(order: Tensor, prob: Tensor, sides: Tensor) -> Tensor:
    """An order of the batch as sort keys of each sample."""
    return (order.argsort() / len(order)).expand(len(prob), -1)


def place(corners: Tensor, frame: Tensor, size: Tensor, sides: Tensor) -> Tensor:
    """The position at which a window of whole pixels is cut."""
    return (corners[:, 0] + 0.5) / (frame - size + 1).flip(-1)


def slanted(x: Tensor, y: Tensor, scale: Tensor, sides: Tensor) -> Tensor:
    """kornia shears before it scales, augfn afterwards."""
    slopes = torch.stack([x, y], -1).deg2rad().tan() * scale / scale.flip(-1)
    return slopes.atan().rad2deg()


def room(x: Tensor, y: Tensor, width: Tensor, height: Tensor, sides: Tensor) -> Tensor:
    """The place of a rectangle in what it leaves of the frame."""
    return torch.stack([x, y], -1) / (sides - torch.stack([width, height], -1)).clamp(min=1)


def outwards(start: Tensor, end: Tensor, sides: Tensor) -> Tensor:
    """How far corners move away from the middle, in half sides."""
    return 2 * (end - start) * (start * 2 - sides + 1).sign() / sides


def extent(corners: Tensor) -> Tensor:
    """(width, height) of a window, from the middles of its outermost pixels."""
    return corners[:, 2] - corners[:, 0] + 1


def position(corners: Tensor, sides: Tensor) -> Tensor:
    return corners[:, 0] / (sides - extent(corners)).clamp(min=1)


JITTER = {n: same(f"{n}_factor") for n in ("brightness", "contrast", "saturation", "hue")}
JITTER["order"] = ("order", "batch_prob"), ranks
PLAIN = (
    "RandomHorizontalFlip RandomVerticalFlip RandomInvert RandomGrayscale RandomEqualize RandomAutoContrast Normalize"
)
PLAIN += " Denormalize CenterCrop Resize PadTo"
TABLE: dict[str, dict[str, Rule]] = {
    **{n: {} for n in PLAIN.split()},
    "RandomAffine": {
        "degrees": (("angle",), lambda v, sides: -v),
        "translate": (("translations",), lambda v, sides: v / sides),
        "scale": (("scale",), lambda v, sides: v[:, 0]),
        "scale_y": (("scale",), lambda v, sides: v[:, 1]),
        "shear": (("shear_x", "shear_y", "scale"), slanted),
    },
    "RandomRotation": {"degrees": same("degrees")},
    "RandomShear": {"shear": pairs("shear_x", "shear_y")},
    "RandomTranslate": {
        "translate": (("translate_x", "translate_y"), lambda v, w, sides: torch.stack([v, w], -1) / sides)
    },
    "RandomPerspective": {
        "distortion_scale": (("batch_prob",), lambda prob, sides: torch.ones_like(prob)),
        "corners": (("start_points", "end_points"), outwards),
    },
    "RandomFisheye": {n: ((n,), lambda v, sides: v.flatten()) for n in ("center_x", "center_y", "gamma")},
    "RandomThinPlateSpline": {
        "scale": (("src",), lambda v, sides: torch.ones(len(v))),
        "control": (("src", "dst"), lambda v, w, sides: w - v),
    },
    "RandomCrop": {"position": (("src", "input_size", "output_size"), place)},
    "RandomResizedCrop": {
        "scale": (("src",), lambda v, sides: extent(v).prod(-1) / sides.prod()),
        "ratio": (("src",), lambda v, sides: extent(v)[:, 0] / extent(v)[:, 1]),
        "position": (("src",), position),
    },
    "RandomErasing": {
        "scale": (("widths", "heights"), lambda w, h, sides: w * h / sides.prod()),
        "ratio": (("widths", "heights"), lambda w, h, sides: w / h),
        "position": (("xs", "ys", "widths", "heights"), room),
    },
    "ColorJitter": JITTER,
    "ColorJiggle": JITTER,
    "RandomBrightness": {
        "shift": (("brightness_factor",), lambda v, sides: v - 1),  # with kornia=True
        "factor": same("brightness_factor"),
    },
    "RandomContrast": {"factor": same("contrast_factor")},
    "RandomSaturation": {"factor": same("saturation_factor")},
    "RandomHue": {"hue": same("hue_factor")},
    "RandomGamma": {"gamma": same("gamma_factor"), "gain": same("gain_factor")},
    "RandomSolarize": {"threshold": same("thresholds"), "addition": same("additions")},
    "RandomPosterize": {"bits": same("bits_factor")},
    "RandomSharpness": {"factor": same("sharpness")},
    "RandomGaussianBlur": {"sigma": same("sigma")},
    "RandomJPEG": {"quality": same("jpeg_quality")},
    "RandomRGBShift": {"shift": (("r_shift", "g_shift", "b_shift"), lambda r, g, b, sides: torch.stack([r, g, b], -1))},
}


def of_kornia(module: Any, given: Mapping[str, Any]) -> Params:
    """The leaves that these params stand for; those of augfn as they are, some or all of kornia's by the table."""
    own = {n: v for n, v in given.items() if n not in ("batch_prob", "forward_input_shape")}
    name, paths = type(module).__name__, {p.rpartition("/")[2]: p for p in leaves_of(module.f.schema)}
    if name != "RandomFisheye" and all(n in paths or isinstance(v, dict) or v is None for n, v in own.items()):
        return own
    rules = TABLE.get(name)
    known = {n for names, _ in (rules or {}).values() for n in names}
    left = [n for n in own if n not in known and n not in FURTHER]
    if rules is None or left:
        want, fix = f"kornia's of {', '.join(TABLE)}, or augfn's", "params=aug._params, of the module of augfn_nn"
        raise ValueError(explain(f"{name}: params in another form", left or [*own], want, fix))
    shape = given.get("forward_input_shape")
    sides = torch.ones(2) if shape is None else torch.as_tensor(shape).cpu()[-2:].flip(-1)
    out = empty(module.f.params)
    for leaf, (names, rule) in rules.items():
        if leaf in paths and all(n in given for n in names):
            put(out, paths[leaf], rule(*(floating(given[n]) for n in names), sides))
    return out


def of_call(module: Any, given: Mapping[str, Any], shape: tuple[int, ...], settings: Iterable[str]) -> Params:
    """The leaves that keywords of a call stand for, on images of this shape; none of them is passed over."""
    what, paths = type(module).__name__, {p.rpartition("/")[2] for p in leaves_of(module.f.schema)}
    rules = [names for leaf, (names, _) in TABLE.get(what, {}).items() if leaf in paths]
    known = {*paths, *(n for names in rules for n in names)} - {"batch_prob"}
    for n in given:
        if n not in known:
            raise TypeError(unknown(f"keyword of a call of {what}", n, known | {*settings}))
        if n not in paths and not any(n in names and given.keys() >= {*names} for names in rules):
            together = next(names for names in rules if n in names)
            want, fix = f"{', '.join(together)}, which are one param", f"{what}(x, {'=..., '.join(together)}=...)"
            raise TypeError(explain(f"{what}: {n} by itself", [*given], want, fix))
    return of_kornia(module, {**given, "forward_input_shape": torch.tensor(shape)})


def empty(tree: Params) -> Params:
    return {n: empty(v) for n, v in tree.items() if isinstance(v, dict)}


def put(tree: Params, path: str, value: Any) -> None:
    *steps, name = path.split("/")
    for step in steps:
        tree = tree.setdefault(step, {})
    tree[name] = value


def floating(value: Tensor) -> Tensor:
    """On the host, where params are drawn, whatever kornia's generators were moved to."""
    value = value.cpu()
    return value if value.is_floating_point() else value.float()
