"""The command `augfn analyse`: a model by its name, images from a folder, a policy from a file, a report as a page."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

import augfn as af
from augfn.app.preview import read_image
from augfn.core.augmentation import Augmentation
from augfn.errors import explain, unknown
from augfn.offline.pictures import SUFFIXES

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
LIBRARIES = ("torchvision", "timm")


class Folder(Sequence[Tensor]):
    """Image files as `[3, size, size]`, read when they are asked for: the short side resized, the middle cut out."""

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        self.paths, self.names = list(paths), ["/".join(p.parts[-2:]) for p in paths]
        self.fit = af.pipeline(af.resize(size=size), af.center_crop(size=size))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: Any) -> Any:
        return self.fit(read_image(self.paths[i]))[0]


def readable(folder: Path, pattern: str, limit: int | None) -> tuple[list[Path], list[tuple[Path, Exception]]]:
    """The image files of a folder and of those below it, in order of their names, and those that cannot be opened."""
    good, bad = [], []
    paths = sorted(p for p in folder.glob(pattern) if p.suffix.lower() in SUFFIXES)
    if limit is not None and limit < len(paths):  # evenly from all of them, so from all classes
        paths = [paths[i * len(paths) // limit] for i in range(limit)]
    for path in paths:
        try:
            with Image.open(path) as file:
                file.verify()
            good.append(path)
        except (OSError, ValueError, SyntaxError) as error:
            bad.append((path, error))
    return good, bad


def classes_of(paths: Sequence[Path], folder: Path, known: Sequence[str] | None = None) -> tuple[Tensor, list[str]]:
    """The class of each image: the place of its folder's name among those `known`, in the model's order; else folders whose
    names are numbers are the classes of these numbers, others are in order of their names, as torchvision's ImageFolder."""
    own = [p.relative_to(folder).parts[0] if len(p.relative_to(folder).parts) > 1 else None for p in paths]
    if None in own:
        given, want = str(paths[own.index(None)]), "DIR/<class>/<image> for each image"
        raise ValueError(explain("labels: an image in no folder of a class", given, want, "leave --labels out"))
    names = sorted(p.name for p in folder.iterdir() if p.is_dir())
    if len(names) < 2:
        want, fix = "DIR/<class>/<image> of several classes", "--images with the folder that holds those of the classes"
        raise ValueError(explain("labels: one class alone", names, want, fix))
    if known is not None:
        missing = [n for n in names if n not in known]
        if missing:
            raise ValueError(unknown("class", missing[0], known))
        return torch.tensor([known.index(str(n)) for n in own]), names
    if all(n.isdigit() for n in names):
        return torch.tensor([int(str(n)) for n in own]), names
    return torch.tensor([names.index(str(n)) for n in own]), names


def library_of(name: str) -> tuple[str, str] | None:
    """The library that knows a model, and its name there: `resnet18`, `timm:convnext_tiny`; None for `module:function`."""
    before, colon, after = name.partition(":")
    if colon and before not in LIBRARIES:
        return None
    for library in [before] if colon else LIBRARIES:
        try:
            known = importlib.import_module("torchvision.models" if library == "torchvision" else "timm").list_models()
        except ModuleNotFoundError:
            continue
        wanted = after or name
        if wanted in known:
            return library, wanted
        if colon:
            raise ValueError(
                unknown(f"model of {library}", wanted, [n for n in known if n[:3] == wanted[:3]] or known[:20])
            )
    want = "package.module:function, or the name of a model of torchvision or timm, where they are installed"
    raise ValueError(explain("which model?", name, want, "nets:make, for make() in nets.py beside you"))


def model_of(name: str, weights: Path | None, classes: int | None) -> tuple[nn.Module, tuple[Any, Any] | None]:
    """The model, and the mean and standard deviation that it was made for, where its library says so."""
    library, options = library_of(name), {} if classes is None else {"num_classes": classes}
    if library is None:
        model, scale = from_python(name, options), None
    elif library[0] == "torchvision":
        build = importlib.import_module("torchvision.models").get_model_builder(library[1])
        parts = [n for n in inspect.signature(build).parameters if n == "weights_backbone"]
        model, scale = build(weights=None, **dict.fromkeys(parts), **options), IMAGENET
    else:
        model = importlib.import_module("timm").create_model(library[1], pretrained=False, **options)
        own = getattr(model, "pretrained_cfg", {})
        scale = (own.get("mean", IMAGENET[0]), own.get("std", IMAGENET[1]))
    if weights is not None:
        load(model, weights)
    return model, scale


def from_python(name: str, options: dict[str, Any]) -> nn.Module:
    """What a function of a module of yours makes, found from the folder you are in too."""
    module, _, path = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        if not hasattr(found, part):
            raise ValueError(unknown(f"name in {module}", part, [n for n in vars(found) if n[0] != "_"]))
        found = getattr(found, part)
    model = found if isinstance(found, nn.Module) else found(**options)
    if not isinstance(model, nn.Module):
        raise ValueError(explain(f"{name}: no model", type(model).__name__, "an nn.Module", "return the model"))
    return model


def load(model: nn.Module, path: Path) -> None:
    """Weights from a file of torch or safetensors: a state_dict, alone or under "state_dict" or "model"."""
    if not path.is_file():
        raise ValueError(explain("no such file of weights", str(path), "a file", "--weights FILE"))
    if path.suffix == ".safetensors":
        state = importlib.import_module("safetensors.torch").load_file(path)
    else:
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            want = "a state_dict that torch.save wrote"
            raise ValueError(
                explain("the weights cannot be read", str(path), want, str(error).splitlines()[0])
            ) from None
    state = next((state[n] for n in ("state_dict", "model") if isinstance(state.get(n), dict)), state)
    state = {n.removeprefix("module.").removeprefix("_orig_mod."): t for n, t in state.items()}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        lines = " ".join(str(error).split())
        want = "the state_dict of this model"
        raise ValueError(
            explain("the weights do not fit", lines[:300], want, "--classes N, if the last layer differs")
        ) from None


def prepared(policy: Augmentation, scale: tuple[Any, Any] | None) -> Augmentation:
    """The policy with what normalizes for the model at its end, unless it does so itself."""
    if scale is None or normalizes(policy):
        return policy
    return af.pipeline(policy, af.normalize(mean=tuple(scale[0]), std=tuple(scale[1])))


def normalizes(f: Any) -> bool:
    return f.name == "normalize" or any(map(normalizes, getattr(f, "steps", {}).values()))


def numbers(text: str | None) -> tuple[float, ...] | None:
    """Numbers from "0.485,0.456,0.406"."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(explain("numbers, one for each channel", text, "as 0.485,0.456,0.406", "--mean 0.5")) from None
