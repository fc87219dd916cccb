"""Pipelines that are pasted: policy files, and those of kornia, torchvision and albumentations as Python or JSON.

Python is parsed, never run: names of the peers' transforms, called with literal arguments.
"""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import nn

import augfn_nn
from augfn import saving
from augfn.app.studio.steps import Step
from augfn.errors import explain, unknown
from augfn.files import reading
from augfn.files.values import PolicyError
from augfn_nn.augment import Base

PREFIXES = {"K": "kornia", "T": "torchvision", "v2": "torchvision", "transforms": "torchvision", "A": "albumentations"}
PEERS = ("kornia", "torchvision", "albumentations")
CV2 = {"BORDER_CONSTANT": 0, "BORDER_REPLICATE": 1, "BORDER_REFLECT": 2, "BORDER_REFLECT_101": 4, "BORDER_DEFAULT": 4}
CV2 |= {"INTER_NEAREST": 0, "INTER_LINEAR": 1, "INTER_CUBIC": 2, "INTER_AREA": 3, "INTER_LANCZOS4": 4}
LONGEST = 100_000  # characters of what is pasted


def parsed(text: str, name: str = "") -> tuple[Step, list[str]]:
    """The pipeline that a text holds, and what differs from the peer, a line each. Raises ValueError or TypeError, ImportError
    where a peer's own classes are needed and not installed."""
    if len(text) > LONGEST:
        raise ValueError(explain("too long a text", f"{len(text)} characters", f"at most {LONGEST}", "one pipeline"))
    if not text.strip():
        raise ValueError(
            "nothing to load: paste a policy (YAML or JSON), or a pipeline of kornia, torchvision or albumentations"
        )
    is_json = name.lower().endswith(".json") or text.lstrip().startswith("{")
    try:
        data: Any = saving.data_of(text, is_json)
    except PolicyError:
        if is_json or name:
            raise
        data = None
    if isinstance(data, dict) and "transform" in data:
        return converted(data)
    if isinstance(data, dict | list):
        return Step.whole(reading.made(data)), []
    return from_python(text)


def converted(x: Any) -> tuple[Step, list[str]]:
    """By `augfn_nn.convert`, without what has no counterpart, which is said."""
    found = augfn_nn.convert(x, partly=True)
    return of_module(found.module), [f"left out: {line}" for line in found.lacking] + found.differs


def of_module(module: Any) -> Step:
    """The steps of a module, with its ranges."""
    if getattr(module, "chooses", False):
        want, fix = "a choice for each sample", 'random_apply_per="sample"'
        raise ValueError(
            explain("a choice for the batch (random_apply, p_batch) has no place in a pipeline", module, want, fix)
        )
    return Step.whole(module.f, module.params)


def from_python(text: str) -> tuple[Step, list[str]]:
    """A pipeline of a peer, written in Python: the value of the last line, beside imports."""
    try:
        body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        words = getattr(error, "msg", str(error))
        raise ValueError(
            f"neither YAML with a pipeline nor Python ({words}, line {getattr(error, 'lineno', '?')})"
        ) from None
    peers = dict(PREFIXES)
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            root = (getattr(node, "module", None) or node.names[0].name).split(".")[0]
            peers |= {(a.asname or a.name).split(".")[0]: root for a in node.names}
    last = body[-1] if body else None
    value = getattr(last, "value", None)
    if not isinstance(last, ast.Expr | ast.Assign | ast.AnnAssign) or not isinstance(value, ast.Call):
        want, fix = "a call such as A.Compose([...])", "paste the pipeline alone"
        raise ValueError(explain("no pipeline", text.strip()[:60], want, fix))
    peer = peer_of(value, peers)
    module = Reader(peer).call(value)
    if peer == "kornia":
        left = ["same_on_batch: each sample has a draw of its own here"] if getattr(module, "shared", None) else []
        return of_module(module), left
    return converted(module)


def peer_of(node: ast.Call, peers: dict[str, str]) -> str:
    """Whose pipeline it is: what its first name stands for; of a bare name, that of the classes here which have it."""
    name = dotted(node.func)
    root = name.split(".")[0]
    peer = root if root in PEERS else peers.get(root)
    if peer is None and "." not in name and hasattr(augfn_nn, name):
        peer = "kornia"
    if peer not in PEERS:
        fix = "K. for kornia, T. or v2. for torchvision, A. for albumentations, or the import line above it"
        raise ValueError(explain("whose pipeline is it?", name, f"one of {', '.join(PEERS)}", fix))
    return peer


def dotted(node: ast.expr) -> str:
    """A name such as K.RandomAffine."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    raise ValueError(explain(f"line {node.lineno}", ast.unparse(node)[:60], "the name of a transform", "write it out"))


class Reader:
    """Calls of one peer's transforms, made without running anything that was pasted."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.known: Callable[[str], Any] = {"kornia": of_kornia, "torchvision": of_torchvision}.get(
            peer, of_albumentations
        )

    def call(self, node: ast.Call) -> Any:
        name = dotted(node.func).rsplit(".", 1)[-1]
        make = self.known(name)
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            raise ValueError(explain(name, ast.unparse(node)[:60], "arguments written out", "no * and **"))
        args = [self.value(a) for a in node.args]
        given = {str(k.arg): self.value(k.value) for k in node.keywords}
        if self.peer == "kornia" and "kornia" in inspect.signature(make).parameters:
            given.setdefault("kornia", True)
        try:
            return make(*args, **given)
        except (TypeError, ValueError, RuntimeError, AssertionError) as error:
            raise ValueError(f"{name}: {error}") from None

    def value(self, node: ast.expr) -> Any:
        """A literal, a list of transforms, one transform, or a constant that peers have for a setting."""
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.List | ast.Tuple):
            return [*map(self.value, node.elts)] if isinstance(node, ast.List) else tuple(map(self.value, node.elts))
        if isinstance(node, ast.Attribute):
            return self.constant(dotted(node))
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, RecursionError):
            want, fix = "numbers, names in quotes, lists", "write the value out"
            raise ValueError(explain(f"line {node.lineno}: not a literal", ast.unparse(node)[:60], want, fix)) from None

    def constant(self, name: str) -> Any:
        *_, kind, member = ["", *name.split(".")]
        if kind == "cv2" and member in CV2:
            return CV2[member]
        if kind == "torch" and isinstance(getattr(torch, member, None), torch.dtype):
            return getattr(torch, member)
        if kind in ("InterpolationMode", "Resample", "AutoAugmentPolicy"):
            if self.peer == "torchvision":
                return getattr(getattr(import_module("torchvision.transforms"), kind), member)
            return member.lower()
        want, fix = (
            "numbers, names in quotes, cv2.BORDER_..., cv2.INTER_..., InterpolationMode...",
            "write the value out",
        )
        raise ValueError(explain("a name that is not known", name, want, fix))


def of_kornia(name: str) -> Any:
    """The class of augfn_nn of this name, which takes kornia's arguments."""
    if name == "Sequential":
        return nn.Sequential
    made = getattr(augfn_nn, name, None) if name in augfn_nn.__all__ else None
    if not (isinstance(made, type) and issubclass(made, Base)):
        names = [n for n in augfn_nn.__all__ if isinstance(c := getattr(augfn_nn, n), type) and issubclass(c, Base)]
        raise ValueError(unknown("transform of kornia", name, names).replace("\n", " ")[:400])
    return made


def of_torchvision(name: str) -> Any:
    try:
        module = import_module("torchvision.transforms.v2")
    except (ImportError, RuntimeError) as error:  # of another build of torch its operators are not found
        fix = "pip install torchvision, built for the torch that you have"
        raise ImportError(explain("a pipeline of torchvision", str(error), "torchvision's classes", fix)) from None
    return own_class(module, name, nn.Module, "torchvision")


def of_albumentations(name: str) -> Any:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import would ask a server whether there is a newer one
    try:
        module = import_module("albumentations")
    except ImportError as error:
        fix = "pip install albumentations, or paste json.dumps(transform.to_dict()), which needs nothing"
        raise ImportError(explain("a pipeline of albumentations", str(error), "its classes", fix)) from None
    return own_class(module, name, module.core.serialization.Serializable, "albumentations")


def own_class(module: Any, name: str, base: type, peer: str) -> Any:
    """A transform of a module by its public name."""
    found = getattr(module, name, None) if not name.startswith("_") else None
    if not (isinstance(found, type) and issubclass(found, base)):
        names = [n for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, base)]
        raise ValueError(unknown(f"transform of {peer}", name, names))
    return found
