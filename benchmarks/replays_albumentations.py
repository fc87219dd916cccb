"""What a recipe of albumentations drew, as params of the same recipe converted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

import augfn as af
from augfn_nn.converters.albumentations import GROUPS, LOADS
from benchmarks.replays_torchvision import like, window

Values = dict[str, Any]
UNLIKE = ("GaussNoise", "ISONoise", "MotionBlur", "CLAHE")  # drawn pixel by pixel, or made otherwise: as `differs` says


def parts_of(t: Any) -> Iterator[Any]:
    yield t
    for u in inner(t):
        yield from parts_of(u)


def inner(t: Any) -> list[Any]:
    """The parts of a composition (ColorJitter keeps functions under the same name)."""
    return list(t.transforms) if type(t).__name__ in GROUPS else []


def acted(t: Any) -> bool:
    """Whether a transform, or one within, was applied in the last call."""
    return any(bool(u.params) for u in parts_of(t) if not inner(u))


def values_of(t: Any, node: Values) -> Values:
    """The params of what `t` became, with what it drew."""
    name = type(t).__name__
    if "gate" in node and len(node) == 2:
        (name,) = (n for n in node if n != "gate")
        opened = like(node, {"gate": float(acted(t))})
        return opened | {name: values_of(t, node[name])} if acted(t) else opened
    if name in ("OneOf", "OneOrOther"):
        return one_of([acted(u) for u in t.transforms], node, t.transforms)
    if name == "SomeOf":
        return some_of(t, node)
    if inner(t):
        return node | dict(chain(t.transforms, node))
    return VALUES[name](t, node, t.params) if name in VALUES and t.params else node


def chain(transforms: Any, node: Values) -> Iterator[tuple[str, Values]]:
    names = [n for n in node if n not in ("to_float", "keys", "count", "choice", "gate")]
    steps = [t for t in transforms if type(t).__name__ not in LOADS]
    return ((n, values_of(t, node[n])) for n, t in zip(names, steps, strict=True))


def one_of(which: list[bool], node: Values, transforms: Any) -> Values:
    return like(node, {"choice": [float(a) for a in which]}) | dict(chain(transforms, node))


def some_of(t: Any, node: Values) -> Values:
    """Those that acted come first; one that was picked and did not act by its own p is closed."""
    keys = [0.0 if acted(u) else 1.0 for u in t.transforms]
    made = dict(chain(t.transforms, node))
    return like(node, {"keys": keys, "count": float(max(1, keys.count(0.0)))}) | made


def resized_crop(t: Any, node: Values, p: Values) -> Values:
    left, top, right, bottom = p["crop_coords"]
    return window(node, top, left, bottom - top, right - left, p["shape"][:2])


def cropped(t: Any, node: Values, p: Values) -> Values:
    (left, top, right, bottom), (h, w) = p["crop_coords"], p["shape"][:2]
    return like(node, {"position": [(left + 0.5) / (w - (right - left) + 1), (top + 0.5) / (h - (bottom - top) + 1)]})


def affine(t: Any, node: Values, p: Values) -> Values:
    """Scale, turn and shift; the shift is what its matrix leaves."""
    h, w = p["shape"][:2]
    # its matrix moves the middle of the frame by the shift
    middle = np.array([w / 2 - 0.5, h / 2 - 0.5, 1.0])
    moved = p["matrix"] @ middle - middle
    known = {
        "scale": {"scale": p["scale"]["x"], "scale_y": p["scale"]["y"]},
        "rotate": {"degrees": p["rotate"]},
        "translate": {"translate": [moved[0] / w, moved[1] / h]},
    }
    return node | {n: like(node[n], v) for n, v in known.items() if n in node}


def jittered(t: Any, node: Values, p: Values) -> Values:
    names = ("brightness", "contrast", "saturation", "hue")
    ranks = np.argsort(p["order"]) / 4
    return like(node, {n: p[n] for n in names} | {"order": ranks})


def lit(t: Any, node: Values, p: Values) -> Values:
    known = {"brightness": {"factor": p["alpha"]}, "brightness_shift": {"shift": p["beta"] / 255}}
    return node | {n: like(node[n], v) for n, v in known.items()}


def dropped(t: Any, node: Values, p: Values) -> Values:
    (h, w), n = p["shape"][:2], node["height"].shape[-1]
    boxes = np.zeros((n, 4))
    boxes[: len(p["holes"])] = p["holes"]
    left, top, right, bottom = boxes.T
    place = np.stack([left / np.maximum(w - (right - left), 1), top / np.maximum(h - (bottom - top), 1)], -1)
    known = {"holes": len(p["holes"]), "height": (bottom - top) / h, "width": (right - left) / w, "position": place}
    return like(node, known)


def blurred(t: Any, node: Values, p: Values) -> Values:
    """Sigma of a Gaussian, from the ratio of its middle to the next."""
    kernel = p["kernel"].ravel()
    middle = len(kernel) // 2
    return like(node, {"sigma": (2 * np.log(kernel[middle] / kernel[middle + 1])) ** -0.5})


def by_size(t: Any, node: Values, p: Values) -> Values:
    """The choice of a kernel's size."""
    size = p["kernel"] if np.ndim(p["kernel"]) == 0 else p["kernel"].shape[0]
    names = [n for n in node if n != "choice"]
    sizes = range(max(3, t.blur_limit[0]), t.blur_limit[1] + 1, 2)
    return like(node, {"choice": [float(k == size) for k in sizes]}) if len(names) == len(sizes) else node


D4 = ("e", "r90", "r180", "r270", "h", "hvt", "v", "t")


VALUES: dict[str, Callable[[Any, Values, Values], Values]] = {
    "RandomResizedCrop": resized_crop,
    "RandomCrop": cropped,
    "ShiftScaleRotate": affine,
    "Affine": affine,
    "Rotate": lambda t, node, p: like(node, {"degrees": np.rad2deg(np.arctan2(p["matrix"][0, 1], p["matrix"][0, 0]))}),
    "ColorJitter": jittered,
    "RandomBrightnessContrast": lit,
    "RGBShift": lambda t, node, p: like(node, {"shift": p["noise_map"] / 255}),
    "HueSaturationValue": lambda t, node, p: like(
        node, {"hue": p["hue_shift"] / 180, "saturation": p["sat_shift"] / 255, "value": p["val_shift"] / 255}
    ),
    "RandomGamma": lambda t, node, p: like(node, {"gamma": p["gamma"]}),
    "SquareSymmetry": lambda t, node, p: like(node, {"symmetry": [float(k == p["group_element"]) for k in D4]}),
    "D4": lambda t, node, p: like(node, {"symmetry": [float(k == p["group_element"]) for k in D4]}),
    "RandomRotate90": lambda t, node, p: like(node, {"turns": [float(k == p["factor"]) for k in range(4)]}),
    "CoarseDropout": dropped,
    "GaussianBlur": blurred,
    "MedianBlur": by_size,
    "ChannelShuffle": lambda t, node, p: node | {"order": ranked(node["order"], p["channels_shuffled"])},
}


def ranked(keys: Tensor, order: Any) -> Tensor:
    """Sort keys that give this order."""
    keys = keys.clone()
    keys[..., : len(order)] = torch.as_tensor(np.argsort(order) / len(order), dtype=keys.dtype)
    return keys


def replayed(compose: Any, pipeline: Any, x: Tensor, seed: int) -> tuple[Tensor, Tensor] | None:
    """What albumentations gives for a photo of uint8, and the pipeline with the values that it drew; None where it drew
    what cannot be mapped."""
    for i, t in enumerate(parts_of(compose)):  # Compose gives all of its parts one seed
        t.set_random_seed(1000 * seed + i)
        t.params = {}
    boxes = {"bboxes": [[4, 4, 30, 30]], "kinds": [0]} if "bboxes" in compose.processors else {}
    said = compose(image=np.ascontiguousarray(x[0].permute(1, 2, 0).numpy()), **boxes)["image"]
    if any(type(t).__name__ in UNLIKE and t.params for t in parts_of(compose) if not inner(t)):
        return None
    theirs = torch.from_numpy(said).permute(2, 0, 1)[None]
    _, used = pipeline(x, pipeline.params, af.key(seed))
    used = used | dict(chain(compose.transforms, used))
    theirs = theirs if theirs.is_floating_point() else theirs.float() / 255
    return theirs, pipeline(x, used, af.key(seed))[0]
