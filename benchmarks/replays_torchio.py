"""What TorchIO drew for a subject, read from its history, as params of the converted pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from augfn.math.kspace import exponents
from augfn_nn.converters.notes import Notes
from augfn_nn.converters.torchio import step
from augfn_nn.converters.torchio_seen import Seen

FLIPS = ("dflip3d", "vflip3d", "hflip3d")  # of TorchIO's axes 0, 1, 2


def put(node: dict[str, Any], name: str, value: Any) -> None:
    """A value in the place of a drawn one, of its shape."""
    like = node[name]
    node[name] = torch.as_tensor(np.array(value), dtype=like.dtype).expand(like.shape[1:]).reshape(like.shape).clone()


def chosen(node: dict[str, Any], which: int) -> dict[str, Any]:
    """Choose a branch of a choice, and give its params."""
    node["choice"] = torch.zeros_like(node["choice"])
    node["choice"][..., which] = 1
    return node[[n for n in node if n != "choice"][which]]


def along(node: dict[str, Any], t: Any, axis: int) -> dict[str, Any]:
    """The branch of an axis, where there is a choice."""
    return chosen(node, t.axes.index(axis)) if "choice" in node else node


def flips(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    for axis, name in enumerate(FLIPS):
        if "gate" in node.get(name, {}):
            put(node[name], "gate", float(axis in args["axes"]))


def affine(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    put(node["rotate3d"], "degrees", args["degrees"][::-1])
    if "translate3d" in node:
        put(node["translate3d"], "translate", args["translation"][::-1])
    for name, value in zip(("scale", "scale_y", "scale_z"), args["scales"][::-1], strict=True):
        if name in node.get("scale3d", {}):
            put(node["scale3d"], name, value)


def elastic(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    put(node, "control", np.moveaxis(args["control_points"], -1, 0))


def anisotropy(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    target = args["target"]
    axis = int(np.argmax(target))
    put(along(node, t, axis), "factor", target[axis])


def motion(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    put(node, "times", args["times"]["volume"])
    for name, value in (("degrees", args["degrees"]), ("translate", args["translation"])):
        put(node, name, value["volume"][:, ::-1] * np.array([-1, 1, 1]))


def ghosting(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    own = along(node, t, args["axis"]["volume"])
    put(own, "ghosts", args["num_ghosts"]["volume"])
    put(own, "intensity", args["intensity"]["volume"])


def spike(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    put(node, "intensity", args["intensity"]["volume"])
    put(node, "position", args["spikes_positions"]["volume"][0, ::-1])


def bias(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    """TorchIO's coefficients go by the powers of axis 0, then of axis 1, then of axis 2."""
    order = args["order"]["volume"]
    given = iter(args["coefficients"]["volume"])
    known = {
        (k, j, i): next(given) for i in range(order + 1) for j in range(order + 1 - i) for k in range(order + 1 - i - j)
    }
    put(node, "coefficients", [known.get(e, 0.0) for e in exponents(3, 3)])


def blur(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    for name, value in zip(("sigma", "sigma_y", "sigma_z"), args["std"]["volume"][::-1], strict=True):
        put(node, name, value)


def noise(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    """The mean: fields of noise differ."""
    put(node, "mean", args["mean"]["volume"])
    put(node, "std", 0.0)


def gamma(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    put(node, "gamma", args["gamma"]["volume"])


def window(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    if t.location == "random" and "cropping" in args:
        start, end = (np.array(args["cropping"][i::2]) for i in (0, 1))
        put(node["random_crop3d"], "position", ((start + 0.5) / (start + end + 1))[::-1])


SETTERS: dict[str, Callable[[dict[str, Any], Any, dict[str, Any]], None]] = {
    "RandomFlip": flips,
    "RandomAffine": affine,
    "RandomElasticDeformation": elastic,
    "RandomAnisotropy": anisotropy,
    "RandomMotion": motion,
    "RandomGhosting": ghosting,
    "RandomSpike": spike,
    "RandomBiasField": bias,
    "RandomBlur": blur,
    "RandomNoise": noise,
    "RandomGamma": gamma,
    "CropOrPad": window,
}


def act(t: Any, subject: Any, node: dict[str, Any], library: Any) -> Any:
    """Apply a transform as TorchIO does, and set what it drew in the params of its counterpart."""
    groups = {"Compose": lambda: t.transforms, "OneOf": lambda: [*t.transforms_dict]}
    name, gate = type(t).__name__, "gate" in node
    inner = next(v for n, v in node.items() if n != "gate") if gate else node
    if name in groups:
        acts = torch.rand(1).item() <= t.probability
        if gate:
            put(node, "gate", float(acts))
        if not acts:
            return subject
        if name == "Compose":
            return in_a_row(t.transforms, subject, inner, library)
        which = int(torch.multinomial(torch.Tensor(list(t.transforms_dict.values())), 1))
        return act(groups[name]()[which], subject, chosen(inner, which), library)
    before = len(subject.applied_transforms)
    after = t(subject)
    drawn = after.applied_transforms[before:]
    if gate:
        put(node, "gate", float(bool(drawn)))
    if name == "RandomNoise" and drawn:
        after = library.Noise(**drawn[0][1] | {"std": dict.fromkeys(drawn[0][1]["std"], 0.0)})(subject)
    if name in SETTERS and (drawn or name == "RandomFlip"):
        SETTERS[name](inner, t, drawn[-1][1] if name == "CropOrPad" else drawn[0][1] if drawn else {"axes": ()})
    return after


def in_a_row(transforms: Iterable[Any], subject: Any, node: dict[str, Any], library: Any) -> Any:
    """Those that do not lack, with the params of their steps in turn; what is left out does nothing to tensors."""
    names = iter([n for n in node if n != "volumes"])
    for t in transforms:
        notes = Notes()
        if step(t, Seen(notes)) is not None:
            subject = act(t, subject, node[next(names)], library)
        elif not notes.lacking:
            subject = t(subject)
    return subject
