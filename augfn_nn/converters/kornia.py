"""kornia's modules: the class of the same name with the arguments that the module keeps."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

import augfn_nn
from augfn_nn import auto
from augfn_nn.converters.notes import Notes

SEQUENTIAL = ("random_apply", "random_apply_weights")
CONTAINERS: dict[str, tuple[str, ...]] = {  # with the arguments that they keep under their names
    "AugmentationSequential": (*SEQUENTIAL, "same_on_batch", "keepdim", "data_keys", "extra_args"),
    "ImageSequential": (*SEQUENTIAL, "same_on_batch", "keepdim", "if_unsupported_ops"),
    "VideoSequential": (*SEQUENTIAL, "data_format", "same_on_frame", "if_unsupported_ops"),
    "PatchSequential": (*SEQUENTIAL, "same_on_batch", "keepdim", "grid_size", "padding", "patchwise_apply"),
    "ManyToManyAugmentationDispather": (),
    "ManyToOneAugmentationDispather": ("strict",),
}
POLICIES: dict[str, tuple[str, ...]] = {"AutoAugment": (), "RandAugment": ("n", "m"), "TrivialAugment": ()}
RESIZED = "antialias=True is torch's triangle, where kornia blurs by a Gaussian; align_corners=True is not followed"
DIFFERS = {
    "AugmentationSequential": "in eval() what is random is left out; boxes are continuous edges (a flip is W - x) and clipped",
    **dict.fromkeys(("Resize", "LongestMaxSize", "SmallestMaxSize"), RESIZED),
    "RandomResizedCrop": "pixel edges meet, where its align_corners=True keeps the middles of corner pixels",
    "RandomMotionBlur": "another kernel: a streak of even weight, turned about its middle",
    "RandomErasing": "an edge within a pixel covers it in part",
    "RandomRotation90": "copies pixels, and swaps height and width",
    "RandomElasticTransform": "a smooth field of the same width and standard deviation, with at most 8 x 8 bends",
    "RandomCutMixV2": "labels come back soft with num_classes",
    "RandomMixUpV2": "labels come back soft with num_classes",
}
# the classes of the ops of policies
POLICY_STEPS = {"".join(w.title() for w in n.split("_")): n for n in auto.STEPS if n != "color"} | {"Saturate": "color"}
FISHEYE = ("center_x", "center_y", "gamma")


def converted(module: Any, notes: Notes) -> Any:
    """A module of kornia as one of augfn; a module or function of anyone else as it is."""
    name = type(module).__name__
    if type(module) is nn.Sequential:
        known = [made for child in module if (made := converted(child, notes)) is not None]
        return augfn_nn.ImageSequential(*known) if known else None
    if not hasattr(type(module), "__module__") or not type(module).__module__.startswith("kornia."):
        if any(c.__module__.startswith("kornia.augmentation") for c in type(module).__mro__):
            return notes.lack(module, "a class of your own: let it subclass augfn_nn's base of the same name")
        return module
    if name in DIFFERS and (name != "RandomResizedCrop" or module.flags.get("align_corners")):
        notes.differ(module, DIFFERS[name])
    if name in POLICIES:
        return asked(module, policy(module, notes))
    if not hasattr(augfn_nn, name):
        return notes.lack(module, "no counterpart")
    if name in CONTAINERS:
        return asked(module, container(module, notes))
    if str(getattr(module, "flags", {}).get("padding_mode")).endswith("REFLECTION"):
        notes.differ(module, "reflection is about the middle of the outermost pixels, as with align_corners=True")
    made = notes.tried(module, lambda: getattr(augfn_nn, name)(**arguments(module), kornia=True))
    if made is not None:
        made.p_batch = float(getattr(module, "p_batch", 1.0))
    return made


def asked(module: Any, made: Any) -> Any:
    """The same, with a matrix or without."""
    if made is not None and hasattr(module, "_transformation_matrix_arg"):
        made.matrix_mode = module._transformation_matrix_arg
    return made


def container(module: Any, notes: Notes) -> Any:
    """A container of what its children are; with fewer children, a choice among them has no counterpart."""
    known = module.augmentations if hasattr(module, "augmentations") else module.children()
    children = [converted(child, notes) for child in known]
    left = [child for child in children if child is not None]
    given = {n: getattr(module, n if hasattr(module, n) else f"_{n}") for n in CONTAINERS[type(module).__name__]}
    if len(left) < len(children) and given.get("random_apply", False) is not False:
        return notes.lack(module, "a choice of which one is lacking")
    if given.get("random_apply") is False:
        del given["random_apply_weights"]
    elif "random_apply" in given:
        low, high = given["random_apply"]  # kornia keeps one more than the most
        given["random_apply"] = (low, high - 1)
    return getattr(augfn_nn, type(module).__name__)(*left, **given)


def policy(module: Any, notes: Notes) -> Any:
    """A published policy, or one of one's own; kornia keeps the name of none, but its steps tell."""
    kind, ours = type(module), getattr(auto, type(module).__name__)
    given = {n: getattr(module, n) for n in POLICIES[kind.__name__]}
    choices = [{"policy": n} for n in ("imagenet", "cifar10", "svhn")] if kind.__name__ == "AutoAugment" else [given]
    for choice in choices:
        if repr(kind(**choice)) == repr(module):
            notes.differ(module, "draws for each image, with the papers' tables")
            return ours(**choice)
    notes.differ(module, "draws for each image")
    return notes.tried(module, lambda: ours(**given, policy=entries(module), kornia=True))


def entries(module: Any) -> list[list[tuple[str, Any, Any]]]:
    """The ops of a policy of kornia's, as its policies are written."""
    form = binned if type(module).__name__ == "AutoAugment" else ranged
    return [[form(POLICY_STEPS[type(step).__name__], step) for step in sub.children()] for sub in module.children()]


def binned(name: str, step: Any) -> tuple[str, Any, Any]:
    """Name, probability, interval of ten."""
    first, last = auto.STEPS[name].ends or (0.0, 1.0)
    low = first if step.magnitude_range is None else float(step.magnitude_range[0])
    return name, float(step.op.p), round(10 * (low - first) / (last - first))


def ranged(name: str, step: Any) -> tuple[str, Any, Any]:
    """Name, lowest and highest magnitude."""
    low, high = (0.0, 1.0) if step.magnitude_range is None else map(float, step.magnitude_range)
    return name, -high if step.symmetric_megnitude else low, high


def arguments(module: Any) -> dict[str, Any]:
    """What the module was made with: kornia keeps it in its flags, in itself, or in what draws."""
    names = list(inspect.signature(type(module).__init__).parameters)[1:]
    found = {n: kept(module, n) for n in names}
    found = {n: v for n, v in found.items() if v is not inspect.Parameter.empty}
    if [*map(str, found.get("data_keys", ()))] == ["DataKey.IMAGE"]:
        del found["data_keys"]
    return found


def kept(module: Any, name: str) -> Any:
    own = f"{type(module).__name__}.{name}"
    if own in OTHERWISE:
        return OTHERWISE[own](module)
    if name in (flags := getattr(module, "flags", {})):
        return flags[name]
    for place in (module, getattr(module, "_param_generator", None)):
        value = getattr(place, name, None)
        if hasattr(place, name) and not inspect.ismethod(value):
            return value
    return OTHERWISE[name](module) if name in OTHERWISE else inspect.Parameter.empty


def sampled(name: str) -> Callable[[Any], Any]:
    """The range from which kornia's generator draws this."""
    return lambda module: next(s[0] for s in module._param_generator.samplers if s[1] == name)


def planckian(module: Any) -> tuple[str, list[int] | None]:
    """The mode, and the rows of its table, None for all."""
    for mode in ("blackbody", "CIED"):
        table = type(module)(mode).pl
        same = (module.pl[:, None] == table[None]).all(-1)
        if same.any(-1).all():
            rows = same.int().argmax(-1).tolist()
            return mode, None if rows == list(range(len(table))) else rows
    raise ValueError("no table of kornia's")


OTHERWISE: dict[str, Callable[[Any], Any]] = {  # what kornia keeps under another name, or in another form
    **{f"RandomFisheye.{n}": lambda module, n=n: getattr(module._param_generator, n).flatten() for n in FISHEYE},
    "RandomRotation90.times": lambda module: tuple(int(v) for v in module._param_generator.times),
    "order": lambda module: getattr(module, "_fixed_order", None),
    "max_size": lambda module: module.flags["size"],
    "gamma": sampled("gamma_factor"),
    "gain": sampled("gain_factor"),
    "r_shift_limit": sampled("r_shift"),
    "g_shift_limit": sampled("g_shift"),
    "b_shift_limit": sampled("b_shift"),
    "salt_vs_pepper": lambda module: module._param_generator.salt_and_pepper,
    "bits": lambda module: module._param_generator.bits_factor,
    "scale": lambda module: float(module.dist.high),
    "mode": lambda module: planckian(module)[0],
    "select_from": lambda module: planckian(module)[1],
}
