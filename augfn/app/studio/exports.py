"""A pipeline as a policy file, as Python functions and as modules, and a draw's params as Python."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from torch import Tensor

import augfn_nn
from augfn.app.studio.steps import ONE, Step
from augfn.core.augmentation import Op
from augfn.core.spec import Spec
from augfn.files import reading
from augfn.files.values import DISTRIBUTIONS, DTYPES, listed
from augfn.files.writing import written
from augfn.saving import text_of

TAB = "    "
WIDTH = 110  # characters of a line
FIRST = {"repeat": ("n",), "maybe": ("p",)}  # settings that stand behind the step by position


def as_yaml(root: Step) -> str:
    """The file that `augfn.load` reads."""
    return text_of(root.file(), ".yaml")


def as_functions(root: Step, use: str) -> str:
    """The pipeline as `augfn` has it, and how it is used."""
    return f"import torch\nimport augfn as af\n\nf = {call(root)}\n\n{use}\n"


def as_modules(root: Step, use: str) -> str:
    """The pipeline as a module: each step its class where that means the very same, else an `Augment` of the function."""
    head = "import torch\nimport augfn as af\nimport augfn_nn as K\n\n"
    if root.name != "pipeline" or root.given or any(s.own for s in root.steps):
        return f"{head}aug = {joined('K.Augment', [call(root)])}\n\n{use}\n"
    steps = [module(s) for s in root.steps if s.on] or ["af.identity()"]
    return f"{head}aug = {joined('K.AugmentationSequential', [*steps, 'keepdim=True'])}\n\n{use}\n"


def as_params(params: dict[str, Any]) -> str:
    """A draw's params (a batch of one) as Python: `f(x, params)` replays it on an image `[C, H, W]`."""
    return f"params = {tree(params)}\n"


def tree(params: Any, depth: int = 0) -> str:
    if isinstance(params, Tensor):
        return f"torch.tensor({listed(params[0])})"
    pad = TAB * (depth + 1)
    rows = [f"{pad}{n!r}: {tree(v, depth + 1)},\n" for n, v in params.items()]
    return "{\n" + "".join(rows) + TAB * depth + "}" if rows else "{}"


# steps


def call(step: Step) -> str:
    """A step as the call of its factory."""
    given = dict(step.given)
    factory = f"af.{step.name}" if ":" not in step.name else f"augfn.files.values.loaded({step.name!r})"
    if not step.group:
        return joined(factory, [keyword(n, v) for n, v in given.items()])
    on = [s for s in step.steps if s.on] or [Step("identity")]
    free = [call(s) for s in (on[:1] if step.name in ONE else on) if not s.own]
    named = [(s.own, call(s)) for s in on if s.own]
    if step.name == "some_of":
        free = [python(given.pop("n")), *free]
    free += [python(given.pop(n)) for n in FIRST.get(step.name, ()) if n in given]
    spread = [f"{n}={c}" if str(n).isidentifier() else f"**{{{n!r}: {c}}}" for n, c in named]
    return joined(factory, [*free, *(keyword(n, v) for n, v in given.items()), *spread])


def keyword(name: str, value: Any) -> str:
    return f"{name}={python(value)}"


def joined(factory: str, parts: list[str]) -> str:
    """A call on one line where there is room, else with an argument a line."""
    line = f"{factory}({', '.join(parts)})"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    rows = [TAB + part.replace("\n", "\n" + TAB) + ",\n" for part in parts]
    return f"{factory}(\n{''.join(rows)})"


def python(value: Any) -> str:
    """A value of a file as Python has it."""
    if isinstance(value, list):
        return f"({', '.join(map(python, value))}{',' if len(value) == 1 else ''})"
    if not isinstance(value, dict):
        return repr(value)
    if "tensor" in value:
        kind = value.get("dtype", "float32")
        return f"torch.tensor({value['tensor']}{'' if kind == 'float32' else f', dtype={DTYPES[kind]}'})"
    name, fields = next(iter(value.items()))
    if name not in DISTRIBUTIONS:
        return repr(value)
    cls = f"af.{DISTRIBUTIONS[name].__name__}"
    if isinstance(fields, dict) and "tensor" not in fields:
        return f"{cls}({', '.join(keyword(n, v) for n, v in fields.items())})"
    return f"{cls}({', '.join(map(python, fields if isinstance(fields, list) else [fields]))})"


def module(step: Step) -> str:
    """The class of an op with these arguments, if it makes the very same; else the function, as a module around it."""
    if step.group or ":" in step.name:
        return call(step)
    op = reading.step(step.data(), step.name)
    if isinstance(op, Op):
        for name in classes(op.spec):
            for given in arguments(step.given, written(op)[op.name] or {}):
                if same(name, given, op):
                    return joined(f"K.{name}", [keyword(n, v) for n, v in given.items()])
    return call(step)


def classes(spec: Spec) -> list[str]:
    """The names of the classes of an op."""
    return [n for n in augfn_nn.__all__ if getattr(getattr(augfn_nn, n), "spec", None) is spec]


def arguments(*forms: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Keywords to try, with the probability that a class takes another default for."""
    for given in forms:
        yield {"p": 1.0, **given}
        yield given


def same(name: str, given: dict[str, Any], op: Op) -> bool:
    """True if the class with these arguments is this op."""
    cls = getattr(augfn_nn, name)
    if not given.keys() <= inspect.signature(cls).parameters.keys():
        return False
    try:
        made = cls(**{n: reading.value(v, n) for n, v in given.items()})
        return isinstance(made.f, Op) and written(made.f, made.params) == written(op)
    except (TypeError, ValueError, RuntimeError):
        return False
