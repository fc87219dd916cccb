"""What the layers of a model give, heard by forward hooks (or node by node) while it runs; hooks are always removed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_flatten_with_path

from augfn.errors import explain, unknown, warn

Layers = str | type | re.Pattern[str] | Iterable[str | type | re.Pattern[str]] | None
Hear = Callable[[str, Tensor], None]
PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def bare(model: nn.Module) -> nn.Module:
    """The module inside wrappers that compile it or spread it over devices, with a word on what that means."""
    if not isinstance(model, nn.Module):
        fix = "wrap a function: class Net(nn.Module) with it as forward"
        raise TypeError(explain("capture: not a module", model, "an nn.Module", fix))
    if isinstance(model, torch.jit.ScriptModule):
        want = "a module whose layers Python calls"
        raise TypeError(
            explain("capture: a scripted model", type(model).__name__, want, "give the nn.Module it came from")
        )
    while True:
        if isinstance(model, PARALLEL):
            warn(f"{type(model).__name__}: its layers are captured on one device, in the module that it holds")
            model = model.module
        elif isinstance(model, torch._dynamo.OptimizedModule):
            model = model._orig_mod
            warn("a compiled model: it runs as it was before compilation while its layers are captured")
        else:
            return model


def matches(name: str, module: nn.Module | None, which: str | type | re.Pattern[str]) -> bool:
    """True if a layer has this name, fits this pattern (of a shell, or compiled by re), or is of this type."""
    if isinstance(which, str):
        return fnmatchcase(name, which)
    return bool(which.fullmatch(name)) if isinstance(which, re.Pattern) else isinstance(module, which)


def chosen(found: dict[str, Any], layers: Layers, module_of: Callable[[Any], Any] = lambda m: m) -> list[str]:
    """The names that `layers` asks for, in order; each entry finds something."""
    several = isinstance(layers, Iterable) and not isinstance(layers, str | type)
    some: list[Any] = [*layers] if several else [layers]  # type: ignore[misc]
    wrong = [e for e in some if not isinstance(e, str | type | re.Pattern)]
    if wrong or not some:
        given = wrong[0] if wrong else layers
        want, fix = "names, patterns or types of modules", 'layers=["conv1"]; labels go by name: labels=labels'
        raise TypeError(explain("layers", given, want, fix))
    hits = {entry: [n for n in found if matches(n, module_of(found[n]), entry)] for entry in some}
    missing = [entry for entry, names in hits.items() if not names]
    if missing:
        entry = getattr(missing[0], "__name__", missing[0])
        raise ValueError(unknown("layer of the model", entry, found))
    return [n for n in found if any(n in names for names in hits.values())]


def layers_of(model: nn.Module, layers: Layers = None) -> list[str]:
    """Names of the modules that `layers` asks for; None: those that hold weights of their own, else those without children.

    >>> layers_of(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2)))
    ['0', '3']
    """
    found = {n: m for n, m in model.named_modules() if n and not isinstance(m, torch.jit.ScriptModule)}
    if layers is not None:
        return chosen(found, layers)
    found = {n: m for n, m in found.items() if "parametrizations" not in n.split(".")}  # which give weights
    own = [n for n, m in found.items() if next(m.parameters(recurse=False), None) is not None]
    return own or [n for n, m in found.items() if next(m.children(), None) is None]


def named_tensors(name: str, output: Any) -> Iterator[tuple[str, Tensor]]:
    """The floating tensors in what a layer gives; of several each has its place in its name: `lstm[0]`, `out[aux]`."""
    pairs = [(p, t) for p, t in tree_flatten_with_path(output)[0] if isinstance(t, Tensor) and t.is_floating_point()]
    for path, t in pairs:
        inner = "".join(f"[{getattr(p, 'idx', getattr(p, 'key', p))}]" for p in path) if len(pairs) > 1 else ""
        yield name + inner, t


class Tap:
    """A model that is heard while it runs: `tap(x, hear)` returns its output, and calls `hear(name, tensor)` for each chosen
    layer, in the order in which they run.

    * `layers`: names, patterns (`"layer1.*"`, a compiled `re`) or types of modules; None: those that hold weights.
    * `nodes=True`: `layers` are the names of `torch.fx` nodes (functions and methods too, such as an addition), or types
      of the modules they call; None: all of them. The model must be one that `torch.fx.symbolic_trace` can trace.

    A module that runs several times is `relu`, `relu#2`, `relu#3`; of what is no single tensor each one has its place in the
    name. What is heard may be overwritten by the next layer (`ReLU(inplace=True)`): clone what is kept. Hooks are
    there during a call alone, and removed if it fails; the output is the same with and without. Compiled parts run uncompiled
    while they are heard; wrappers (DataParallel, compiled) are taken off with a warning.

    >>> tap = Tap(nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)), [nn.Linear])
    >>> y = tap(torch.ones(5, 3), lambda name, t: print(name, tuple(t.shape)))
    0 (5, 4)
    2 (5, 2)
    """

    def __init__(self, model: nn.Module, layers: Layers = None, *, nodes: bool = False) -> None:
        self.model, self.nodes = bare(model), nodes
        self.mode, self.graph = modes(self.model), traced(self.model) if nodes else None
        self.names = layers_of(self.model, layers) if self.graph is None else nodes_of(self.graph, layers)
        if not self.names:
            want = "a model with modules inside"
            raise ValueError(explain("capture: no layers", type(self.model).__name__, want, "Tap(model, nodes=True)"))
        self.compiled = any(
            isinstance(m, torch._dynamo.OptimizedModule) or m._compiled_call_impl is not None
            for m in self.model.modules()
        )

    def __call__(self, x: Any, hear: Hear) -> Any:
        if self.graph is not None:
            if self.mode != (mode := modes(self.model)):  # a graph holds what dropout does in the mode it was traced in
                self.mode, self.graph = mode, traced(self.model)
            return Heard(self.graph, set(self.names), hear).run(x)
        counts: Counter[str] = Counter()
        modules = dict(self.model.named_modules())
        stance = torch.compiler.set_stance("force_eager") if self.compiled else nullcontext()

        def hook(name: str, output: Any) -> None:
            counts[name] += 1
            for full, t in named_tensors(name if counts[name] == 1 else f"{name}#{counts[name]}", output):
                hear(full, t)

        hooks = [modules[n].register_forward_hook(lambda _, __, out, n=n: hook(n, out)) for n in self.names]
        try:
            with stance, no_fast_path():
                return self.model(x)
        finally:
            for handle in hooks:
                handle.remove()


@contextmanager
def no_fast_path() -> Iterator[None]:
    """torch's own transformer layers call their parts, rather than one kernel for all of them."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class Heard(fx.Interpreter):
    """A traced model, node by node."""

    def __init__(self, graph: fx.GraphModule, names: set[str], hear: Hear) -> None:
        super().__init__(graph)
        self.names, self.hear = names, hear

    def run_node(self, n: fx.Node) -> Any:
        out = super().run_node(n)
        if n.name in self.names:
            for full, t in named_tensors(n.name, out):
                self.hear(full, t)
        return out


def modes(model: nn.Module) -> tuple[bool, ...]:
    return tuple(m.training for m in model.modules())


def traced(model: nn.Module) -> fx.GraphModule:
    try:
        return fx.symbolic_trace(model)
    except Exception as error:
        want, fix = "a model that torch.fx.symbolic_trace can trace", "Tap(model, layers) with names of modules"
        raise ValueError(explain(f"capture: nodes of {type(model).__name__}", str(error), want, fix)) from error


def nodes_of(graph: fx.GraphModule, layers: Layers) -> list[str]:
    calls = ("call_module", "call_function", "call_method")
    found = {n.name: n for n in graph.graph.nodes if n.op in calls}
    modules = dict(graph.named_modules())
    return [*found] if layers is None else chosen(found, layers, lambda n: modules.get(str(n.target)))


def activations(model: nn.Module, x: Any, layers: Layers = None, *, nodes: bool = False) -> dict[str, Tensor]:
    """What the layers of a model give for `x`, by their names: clones, with the graph if gradients are recorded.

    `layers`, `nodes` and the names are those of `Tap`. The model runs as it is, in the mode that it is in.
    A layer that was asked for by its own name and did not run is an error.

    >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    >>> {name: tuple(t.shape) for name, t in activations(net, torch.ones(5, 3), "*").items()}
    {'0': (5, 4), '1': (5, 4), '2': (5, 2)}
    """
    taken: dict[str, Tensor] = {}
    tap = Tap(model, layers, nodes=nodes)
    tap(x, lambda name, t: taken.update({name: t.clone()}))
    require_heard(layers, taken)
    return taken


def require_heard(layers: Layers, heard: Iterable[str]) -> None:
    """What was asked for by its own name has run."""
    names = {re.sub(r"[#\[].*", "", n) for n in heard}
    some = [layers] if isinstance(layers, str) else [*layers] if isinstance(layers, Iterable) else []
    silent = [n for n in some if isinstance(n, str) and not set("*?[") & set(n) and n not in names]
    if silent:
        fix = "its parent, or nodes=True: torch.nn.MultiheadAttention reads the weights of its out_proj without calling it"
        raise ValueError(explain(f"layer {silent[0]!r} is never called", silent[0], "a layer that runs", fix))


def layouts(run: Callable[..., Any], x: Tensor) -> tuple[dict[str, int | None], Any]:
    """The dimension along which images lie in what each layer gives, told by batches of two and of three; None where there is
    none (such as a table of positions). And the output for three."""
    shapes: list[dict[str, torch.Size]] = []
    output = None
    for n in (2, 3):
        found: dict[str, torch.Size] = {}
        output = run(x[torch.arange(n) % len(x)], lambda name, t, found=found: found.update({name: t.shape}))
        shapes.append(found)
    return {name: growing(a, shapes[1].get(name)) for name, a in shapes[0].items()}, output


def growing(a: Sequence[int], b: Sequence[int] | None) -> int | None:
    """The one dimension that grows from two to three.

    >>> growing((2, 3, 8), (3, 3, 8)), growing((9, 2, 8), (9, 3, 8)), growing((8, 4), (12, 4)), growing((9, 8), (9, 8))
    (0, 1, 0, None)
    """
    if b is None or len(a) != len(b):
        return None
    other = [i for i, (p, q) in enumerate(zip(a, b, strict=True)) if p != q]
    return other[0] if len(other) == 1 and 3 * a[other[0]] == 2 * b[other[0]] else None


def by_sample(t: Tensor, n: int, dim: int | None) -> Tensor | None:
    """An activation with its n images first; those that lie in a row, such as windows of one image, are joined. None where
    there are no images."""
    if dim is None or t.ndim <= dim or t.shape[dim] % n or not t.numel():
        return None
    t = t.movedim(dim, 0)
    return t if len(t) == n else t.unflatten(0, (n, -1))
