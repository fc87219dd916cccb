"""What a recipe of torchvision drew, as params of the same recipe converted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

import augfn as af
from augfn_nn.converters.torchvision import LOADS

Values = dict[str, Any]
POLICIES = ("RandAugment", "TrivialAugmentWide", "AutoAugment", "AugMix")


class Drawn(NamedTuple):
    """The values of one call, and the frame (h, w) that it was given."""

    values: Any
    frame: tuple[int, int]


class Recorder:
    """Calls a transform and keeps what each part of it drew, by its identity."""

    def __init__(self, transform: nn.Module) -> None:
        self.transform, self.drawn = transform, dict[int, Drawn]()
        for part in parts_of(transform):
            if type(part).__name__ in POLICIES:
                self.listen(part)
            elif hasattr(part, "make_params"):
                part.make_params = self.kept(part, part.make_params)  # type: ignore[assignment]

    def __call__(self, x: Any) -> Any:
        self.drawn.clear()
        return self.transform(x)

    def kept(self, part: nn.Module, make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def made(inputs: Any) -> Any:
            values = make(inputs)
            self.drawn[id(part)] = Drawn(values, tuple(inputs[0].shape[-2:]))
            return values

        return made

    def listen(self, part: Any) -> None:
        """A policy draws while it applies: its ops with their magnitudes, its sub-policy, its weights."""
        apply, name = part._apply_image_or_video_transform, type(part).__name__

        def applied(x: Any, kind: str, magnitude: float, **how: Any) -> Any:
            self.of(part, x)["ops"].append((id(x), kind, magnitude))
            return apply(x, kind, magnitude, **how)

        part._apply_image_or_video_transform = applied
        if name == "AutoAugment":
            part._policies = Watched(part._policies, lambda x: self.of(part).update(policy=x))
        if name == "AugMix":
            sample = part._sample_dirichlet
            part._sample_dirichlet = lambda a: self.of(part)["weights"].append(w := sample(a)) or w

    def of(self, part: Any, x: Any = None) -> Values:
        empty = Drawn({"ops": [], "weights": []}, (0, 0))
        found = self.drawn.setdefault(id(part), empty)
        if x is not None and found.frame == (0, 0):
            self.drawn[id(part)] = found = Drawn(found.values, tuple(x.shape[-2:]))
        return found.values


def parts_of(t: Any) -> Iterator[Any]:
    """A transform and those within; a Compose keeps a plain list."""
    yield t
    for u in getattr(t, "transforms", []):
        yield from parts_of(u)


class Watched(list):
    """A list that says which row is taken."""

    def __init__(self, rows: Any, tell: Callable[[int], Any]) -> None:
        super().__init__(rows)
        self.tell = tell

    def __getitem__(self, i: Any) -> Any:
        self.tell(i)
        return super().__getitem__(i)


def like(node: Any, new: Any) -> Any:
    """Those of the values that the params have, in their shape."""
    return node | {
        n: torch.as_tensor(v, dtype=torch.float32).reshape(node[n].shape) for n, v in new.items() if n in node
    }


def values_of(t: Any, node: Values, drawn: dict[int, Drawn]) -> Values:
    """The params of what `t` became, with what it drew."""
    name, said = type(t).__name__, drawn.get(id(t))
    if name in ("Compose", "RandomApply"):
        inner = node.get("pipeline", node)
        made = inner | dict(chain(t.transforms, inner, drawn))
        open_ = any(id(u) in drawn for u in parts_of(t))
        return like(node | {"pipeline": made}, {"gate": float(open_)}) if "pipeline" in node else made
    if said is None:
        return like(node, {"gate": 0.0})
    return VALUES.get(name, lambda t, node, said: like(node, {"gate": 1.0}))(t, node, said)


def chain(transforms: Any, node: Values, drawn: dict[int, Drawn]) -> Iterator[tuple[str, Values]]:
    """The steps of a chain by their names; what loads is none here, and `to_float` is none there."""
    names = [n for n in node if n not in ("to_float", "gate")]
    steps = [t for t in transforms if type(t).__name__ not in LOADS]
    return ((n, values_of(t, node[n], drawn)) for n, t in zip(names, steps, strict=True))


def share(offset: Any, room: int) -> float:
    return float(offset) / room if room else 0.0


def window(node: Values, top: Any, left: Any, h: Any, w: Any, frame: tuple[int, int]) -> Values:
    """A rectangle as its share of the area, its ratio and its place."""
    place = [share(left, frame[1] - w), share(top, frame[0] - h)]
    return like(node, {"scale": h * w / (frame[0] * frame[1]), "ratio": w / h, "position": place, "gate": 1.0})


def resized_crop(t: Any, node: Values, said: Drawn) -> Values:
    v = said.values
    return window(node, v["top"], v["left"], v["height"], v["width"], said.frame)


def erased(t: Any, node: Values, said: Drawn) -> Values:
    v = said.values
    return window(node, v["i"], v["j"], v["h"], v["w"], said.frame) if v["v"] is not None else like(node, {"gate": 0.0})


def cropped(t: Any, node: Values, said: Drawn) -> Values:
    v, (left, top, right, bottom) = said.values, said.values["padding"]
    h, w = said.frame[0] + top + bottom, said.frame[1] + left + right
    place = [(v["left"] + 0.5) / (w - v["width"] + 1), (v["top"] + 0.5) / (h - v["height"] + 1)]
    name = "random_crop" if "random_crop" in node else None
    return node | {name: like(node[name], {"position": place})} if name else like(node, {"position": place})


def jittered(t: Any, node: Values, said: Drawn) -> Values:
    names = ("brightness", "contrast", "saturation", "hue")
    ranks = said.values["fn_idx"].argsort().tolist()
    kept = [ranks[i] / 4 for i, n in enumerate(names) if said.values[f"{n}_factor"] is not None]
    known = {n: said.values[f"{n}_factor"] for n in names if said.values[f"{n}_factor"] is not None}
    return like(node, known | {"order": kept if node["order"].numel() == len(kept) else [r / 4 for r in ranks]})


def distorted(t: Any, node: Values, said: Drawn) -> Values:
    v = said.values

    def one(n: str, leaf: str, old: Values) -> Values:
        found = v[f"{n}_factor"]
        return like(old, {"gate": 0.0} if found is None else {leaf: found, "gate": 1.0})

    inner = node["one_of"]
    both = {
        n: {k: one(k, "hue" if k == "hue" else "factor", inner[n][k]) for k in ("contrast", "saturation", "hue")}
        for n in ("pipeline", "pipeline_2")
    }
    first = bool(v["contrast_before"])
    choice = like(inner, {"choice": [float(first), float(not first)]}) | both
    order = v["channel_permutation"]
    shuffle = node["channel_shuffle"]
    keys = shuffle["order"].flatten().clone()
    if order is not None:
        keys[: len(order)] = order.argsort().float() / len(order)
    shuffled = like(shuffle, {"order": keys, "gate": float(order is not None)})
    return node | {
        "brightness": one("brightness", "factor", node["brightness"]),
        "one_of": choice,
        "channel_shuffle": shuffled,
    }


def zoomed(t: Any, node: Values, said: Drawn) -> Values:
    left, top, right, bottom = said.values["padding"]
    place = [share(left, left + right), share(top, top + bottom)]
    return like(node, {"side": (said.frame[0] + top + bottom) / said.frame[0], "position": place, "gate": 1.0})


def with_overlap(t: Any, node: Values, said: Drawn) -> Values:
    """The window as the first try, of the overlap that every window has; none keeps the frame."""
    v, (h, w) = said.values, said.frame
    name = "iou_crop" if v else "identity"
    made = like(node, {"choice": [float(n == name) for n in node if n != "choice"]})
    if not v:
        return made
    inner = {n: x.clone() for n, x in node[name].items()}
    inner["sides"][..., 0, :] = torch.tensor([v["width"] / w, v["height"] / h])
    inner["position"][..., 0, :] = torch.tensor([share(v["left"], w - v["width"]), share(v["top"], h - v["height"])])
    return made | {name: inner | {"min_iou": torch.zeros_like(inner["min_iou"])}}


def affine(t: Any, node: Values, said: Drawn) -> Values:
    v, (h, w) = said.values, said.frame
    moved = [v["translate"][0] / w, v["translate"][1] / h]
    return like(node, {"degrees": -v["angle"], "translate": moved, "scale": v["scale"], "shear": v["shear"]})


def op_values(kind: str, magnitude: float, node: Values, frame: tuple[int, int]) -> Values:
    """An op of a policy, with its magnitude in torchvision's units."""
    unit = node.get("translate")
    tilt = torch.atan(torch.tensor(magnitude)).rad2deg().item()
    pixels = float(int(magnitude))
    known = {
        "ShearX": {"shear": [tilt, 0.0]},
        "ShearY": {"shear": [0.0, tilt]},
        "TranslateX": {"translate": [pixels / (frame[1] if unit is not None and unit.abs().max() <= 1 else 1), 0.0]},
        "TranslateY": {"translate": [0.0, pixels / (frame[0] if unit is not None and unit.abs().max() <= 1 else 1)]},
        "Rotate": {"degrees": magnitude},
        "Posterize": {"bits": float(int(magnitude))},
        "Solarize": {"threshold": magnitude},
    }
    colours = ("Brightness", "Color", "Contrast", "Sharpness")
    return like(node, {"factor": 1 + magnitude} if kind in colours else known.get(kind, {}))


def snake(kind: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


def chosen(node: Values, kind: str, magnitude: float, frame: tuple[int, int]) -> Values:
    """One of the ops."""
    names = [n for n in node if n != "choice"]
    name = snake(kind)
    return like(node, {"choice": [float(n == name) for n in names]}) | {
        name: op_values(kind, magnitude, node[name], frame)
    }


def one_after_another(ops: Any, node: Values, frame: tuple[int, int]) -> Values:
    names = [n for n in node if n.startswith("one_of")]
    made = {n: chosen(node[n], kind, m, frame) for n, (_, kind, m) in zip(names, ops, strict=False)}
    return like(node, {"count": len(ops) + 0.25 if len(names) > len(ops) else len(ops)}) | made


def rand_augment(t: Any, node: Values, said: Drawn) -> Values:
    return node | {"some_of": one_after_another(said.values["ops"], node["some_of"], said.frame)}


def trivial_augment(t: Any, node: Values, said: Drawn) -> Values:
    ((_, kind, magnitude),) = said.values["ops"]
    return node | {"one_of": chosen(node["one_of"], kind, magnitude, said.frame)}


def auto_augment(t: Any, node: Values, said: Drawn) -> Values:
    inner, row = node["one_of"], said.values["policy"]
    names = [n for n in inner if n != "choice"]
    left, steps = list(said.values["ops"]), dict[str, Values]()
    for (step, old), (kind, _, _) in zip(inner[names[row]].items(), t._policies[row], strict=True):
        acts = bool(left) and left[0][1] == kind
        steps[step] = like(op_values(kind, left.pop(0)[2], old, said.frame) if acts else old, {"gate": float(acts)})
    return node | {"one_of": like(inner, {"choice": [float(n == names[row]) for n in names]}) | {names[row]: steps}}


def augmix(t: Any, node: Values, said: Drawn) -> Values:
    inner, (mix, weights) = node["mixture"], said.values["weights"]
    ops, start, chains = said.values["ops"], said.values["ops"][0][0], list[list[Any]]()
    for op in ops:
        if op[0] == start:
            chains.append([])
        chains[-1].append(op)
    made = {f"chain_{i + 1}": one_after_another(c, inner[f"chain_{i + 1}"], said.frame) for i, c in enumerate(chains)}
    return node | {"mixture": like(inner, {"weights": weights, "share": mix[:, 1]}) | made}


VALUES: dict[str, Callable[[Any, Values, Drawn], Values]] = {
    "RandomResizedCrop": resized_crop,
    "RandomCrop": cropped,
    "RandomErasing": erased,
    "ColorJitter": jittered,
    "GaussianBlur": lambda t, node, said: like(node, {"sigma": said.values["sigma"][0]}),
    "RandomPhotometricDistort": distorted,
    "RandomZoomOut": zoomed,
    "RandomIoUCrop": with_overlap,
    "RandomAffine": affine,
    "RandAugment": rand_augment,
    "TrivialAugmentWide": trivial_augment,
    "AutoAugment": auto_augment,
    "AugMix": augmix,
}


def replayed(transform: Any, pipeline: Any, x: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """What torchvision gives for a batch of one photo of uint8, and the pipeline with the values that torchvision drew.

    A window or a canvas is read into the frame, as here."""
    recorder = Recorder(transform)
    torch.manual_seed(seed)
    if any(type(t).__name__ == "RandomIoUCrop" for t in parts_of(transform)):
        kinds = import_module("torchvision.tv_tensors")
        rows = torch.tensor([[0.3, 0.2, 0.6, 0.7]]) * torch.tensor(x.shape[-2:][::-1]).repeat(2)
        theirs = recorder(
            {"image": kinds.Image(x[0]), "boxes": kinds.BoundingBoxes(rows, format="XYXY", canvas_size=x.shape[-2:])}
        )
        theirs, given = theirs["image"][None], {"image": x, "boxes": rows[None]}
    else:
        theirs, given = recorder(x), x
    _, used = pipeline(given, pipeline.params, af.key(seed))
    used = used | dict(chain(getattr(transform, "transforms", [transform]), used, recorder.drawn))
    ours = pipeline(given, used, af.key(seed))[0]
    ours = ours["image"] if isinstance(ours, dict) else ours
    fitted = theirs.shape == ours.shape
    return (
        theirs if fitted else functional.interpolate(theirs, ours.shape[-2:], mode="bilinear", antialias=True)
    ), ours
