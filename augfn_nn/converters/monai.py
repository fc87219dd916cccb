"""MONAI's transforms, of arrays and of dictionaries: what each is here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn_nn.converters import monai_intensity as intensity
from augfn_nn.converters import monai_spatial as spatial
from augfn_nn.converters.functions import EachSample
from augfn_nn.converters.monai_data import Data, base_name, is_monai, kept, keys_of, many
from augfn_nn.converters.monai_module import BENDS, Dictionaries
from augfn_nn.converters.notes import Notes
from augfn_nn.converters.values import gated
from augfn_nn.sequential import AugmentationSequential

LOADS = {"LoadImage", "EnsureChannelFirst", "EnsureType", "ToTensor", "ToNumpy", "CastToType", "ToDevice", "Identity"}
LOADS |= {"SelectItems", "DeleteItems"}
FUNCTIONS = ("Lambda", "RandLambda")
TABLE, EXPECTED = spatial.TABLE | intensity.TABLE, spatial.EXPECTED | intensity.EXPECTED
DIFFERS, LACKING = spatial.DIFFERS | intensity.DIFFERS, spatial.LACKING | intensity.LACKING


def converted(t: Any, notes: Notes) -> AugmentationSequential | None:
    """A transform of MONAI as a module that takes its dictionaries, or images or volumes alone."""
    data = data_of(t, notes)
    steps = [f for _, f in steps_of(t, data)]
    if not steps:
        return None
    keys = [*data.images, *data.masks]
    kind = "image" if data.ndim == 2 else "volume"
    others = {k: "other" for u in leaves_of(t) for k in (*keys_of(u), "label") if keys and k not in keys}
    known = {"data_keys": keys or [kind], "targets": data.targets | others, "unknown": "pass"}
    module = Dictionaries(*steps, keepdim=True, **known)
    module.bends = any(base_name(u) in BENDS for u in leaves_of(t))
    return module


def data_of(t: Any, notes: Notes) -> Data:
    """Its images and masks, before the first step."""
    leaves = list(leaves_of(t))
    return Data(leaves, [u for u in leaves if base_name(u) in TABLE or base_name(u) in FUNCTIONS], notes)


def leaves_of(t: Any) -> Iterator[Any]:
    """The transforms that a composition holds."""
    if base_name(t) in GROUPS and is_monai(t):
        for u in t.transforms:
            yield from leaves_of(u)
    else:
        yield t


def steps_of(t: Any, d: Data) -> list[tuple[Any, Augmentation]]:
    """What is left of it, each step beside its transform."""
    composed = base_name(t) == "Compose" and is_monai(t)
    if composed:
        whole(t, d)
    known = t.transforms if composed else [t]
    found = [(u, f) for u in known if (f := step(u, d)) is not None]
    if d.warps > 1:
        d.notes.differ(t, "geometry is read once, as with lazy=True; MONAI's is else read at every step")
    return found


def whole(t: Any, d: Data) -> None:
    """Say what a composition sets for the transforms in it."""
    if getattr(t, "overrides", None):
        d.notes.lack(t, f"overrides={t.overrides}: give each transform its own")


def step(t: Any, d: Data) -> Augmentation | None:
    """One transform, acting with its prob."""
    name = base_name(t)
    if not is_monai(t) or name in FUNCTIONS:
        return opaque(t, d)
    if name in LOADS:
        return d.notes.differ(
            t, "left out: takes tensors of floats, channels first (of a MetaTensor the function gives a plain tensor)"
        )
    if name in GROUPS:
        return group(name, t, d)
    if name not in TABLE:
        return d.notes.lack(t, LACKING.get(name, "no counterpart"))
    s = kept(t)
    for n, (usual, why) in EXPECTED.get(name, {}).items():
        for value in many(getattr(s, n, None)) or [None]:
            if value not in usual and hasattr(s, n):
                return d.notes.lack(t, f"{n}={value} has no counterpart{why}")
    if lacks_keys(name, t, d):
        return None
    made = d.notes.tried(t, lambda: made_of(name, t, s, d))
    if made is None:
        return None
    if name in DIFFERS:
        d.notes.differ(t, DIFFERS[name])
    if name in intensity.TOGETHER and not getattr(s, "channel_wise", False):
        d.notes.differ(t, intensity.TOGETHER[name])
    return made


def made_of(name: str, t: Any, s: Any, d: Data) -> Augmentation:
    f = TABLE[name](t, s, d)
    f = gated(f, float(getattr(s, "prob", 1.0)))
    d.warps += name in spatial.WARPS
    return spatial.framed(t, s, d, f) if name in spatial.FRAMED else f


def lacks_keys(name: str, t: Any, d: Data) -> bool:
    """True, and a line, if it acts on others than the steps here do: space moves all, intensity is that of all images."""
    keys = set(keys_of(t))
    if not keys:
        return False
    wanted = set(d.images) | (set(d.masks) if name in spatial.TABLE else set())
    if keys == wanted:
        return False
    left = sorted(map(str, wanted - keys))
    if left or not wanted:
        why = f"without {left}, which a step here changes too" if left else "of masks: intensity is that of images"
        d.notes.lack(t, f"keys={sorted(map(str, keys))} {why}")
        return True
    d.notes.differ(t, f"the masks {sorted(map(str, keys - wanted))} keep their values: intensity is that of images")
    return False


def opaque(t: Any, d: Data) -> Augmentation | None:
    """A function, of each sample by itself."""
    keys = keys_of(t)
    if not is_monai(t) and (d.images or d.masks or not callable(t)):
        return d.notes.lack(t, "no transform of MONAI: a function of the whole dictionary")
    functions = many(getattr(t, "func", t))
    kinds = [k for k, names in (("image", d.images), ("mask", d.masks)) if keys and set(keys) == set(names)]
    if len(set(functions)) != 1 or functions[0] is None or (keys and not kinds):
        return d.notes.lack(t, f"keys={list(keys)}: one function, of all images or of all masks, has a counterpart")
    kept_apart = [v for v in many(getattr(t, "overwrite", True)) if v is not True]
    if kept_apart:
        return d.notes.lack(t, f"overwrite={kept_apart[0]} has no counterpart")
    d.notes.differ(t, "called on each sample by itself, as af.opaque; the frame must stay")
    d.unit = False
    at = kinds or ["image"]
    own = [d.targets.get(keys[0], at[0])] if keys else ["image", "volume"]
    made = d.notes.tried(t, lambda: af.opaque(EachSample(functions[0]), kinds=own, name="function"))
    return made and gated(made, float(getattr(t, "prob", 1.0)) if is_monai(t) else 1.0)


def group(name: str, t: Any, d: Data) -> Augmentation | None:
    whole(t, d)
    parts = []
    for u in t.transforms:
        frame = d.frame
        parts.append(step(u, d))
        if name != "Compose" and d.frame != frame:
            d.frame = None
    left = [f for f in parts if f is not None]
    if len(left) < len(parts) and name != "Compose":
        return d.notes.lack(t, "a choice of which one is lacking or loads")
    return d.notes.tried(t, lambda: GROUPS[name](t, left)) if left else None


def several(t: Any, parts: list[Augmentation]) -> Augmentation:
    low, high = t.min_num_transforms, t.max_num_transforms
    weights = None if t.weights is None else tuple(map(float, t.weights))
    return af.some_of((low, high) if low < high else low, *parts, replace=t.replace, order="random", weights=weights)


GROUPS: dict[str, Callable[[Any, list[Augmentation]], Augmentation]] = {
    "Compose": lambda t, parts: af.pipeline(*parts),
    "OneOf": lambda t, parts: af.one_of(*parts, weights=tuple(map(float, t.weights))),
    "SomeOf": several,
    "RandomOrder": lambda t, parts: af.some_of(len(parts), *parts, order="random"),
}
