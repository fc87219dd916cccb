"""A container as a list of its modules."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from augfn.errors import explain
from augfn.run.compiling import own_code
from augfn_nn.augment import as_key
from augfn_nn.choosing import Choosing, base_name
from augfn_nn.items import ParamItem, tree_of


class Listed(nn.Module):
    """What a container's modules are, and how they are changed."""

    names: dict[str, str]
    choosing: Choosing
    forward: Any
    picked: Any

    @staticmethod
    def held(module: Any) -> Any:
        """What it is given, as a module."""
        raise NotImplementedError

    def hold(self, children: Sequence[Any]) -> None:
        """Register the modules."""
        raise NotImplementedError

    @property
    def steps(self) -> dict[str, Any]:
        """The modules by their steps' names."""
        raise NotImplementedError

    def change(self, children: Sequence[Any], weights: Any = None) -> Any:
        """Other modules, with all settings, and weights where there are such."""
        if self.choosing.weights is not None and weights is None:
            want, fix = "a weight for each", f"{type(self).__name__}(..., random_apply_weights=...)"
            raise ValueError(explain("random_apply_weights of other modules", self.choosing.weights, want, fix))
        self.choosing = Choosing(self.choosing.apply, weights, self.choosing.per, len(children))
        self.hold([self.held(m) for m in children])
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        """A module that is set is added at the end, as it would be in kornia; what is chosen is said when it is made."""
        if name in ("random_apply", "random_apply_weights", "random_apply_per", "extra_args"):
            fix = f"{type(self).__name__}(..., {name}={value!r})"
            raise AttributeError(explain(f"{name} is set when a container is made", value, "an argument", fix))
        if isinstance(value, nn.Module) and "names" in self.__dict__ and name not in ("ranges", *self.names.values()):
            self.append(value)
        else:
            super().__setattr__(name, value)

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Add a module at the end, under the name that its place gives it."""
        setattr(self, name, module)

    def __setitem__(self, index: int, module: Any) -> None:
        children: list[Any] = self.listed()
        children[index] = module
        self.change(children, self.choosing.weights)

    def __delitem__(self, index: int) -> None:
        self.pop(index)

    def append(self, module: Any) -> Any:
        """Add a module at the end."""
        return self.change([*self.listed(), module])

    def extend(self, modules: Sequence[Any]) -> Any:
        """Add modules at the end."""
        return self.change([*self.listed(), *modules])

    def insert(self, index: int, module: Any) -> Any:
        """Add a module before the one of this number."""
        children: list[Any] = self.listed()
        children.insert(index, module)
        return self.change(children)

    def pop(self, index: int = -1) -> nn.Module:
        """Take a module out."""
        children = self.listed()
        taken, weights = children.pop(index), self.choosing.weights
        left = None if weights is None else [w for i, w in enumerate(weights) if i != index % len(weights)]
        self.change(children, left)
        return taken

    # kornia's ways to its modules

    def get_forward_sequence(self, params: Any = None) -> Iterator[tuple[str, nn.Module]]:
        """Names and modules in the order in which they act: of these params, else of a new choice."""
        if params is not None:
            return self.get_children_by_params(params)
        f = self.picked(as_key(None), None) if self.choosing.per_batch else None
        steps = self.names if f is None else [base_name(n) for n in f.steps if base_name(n) in self.names]
        return ((self.names[n], self.steps[n]) for n in steps)

    def get_children_by_params(self, params: Any) -> Iterator[tuple[str, nn.Module]]:
        """Names and modules of these params, in their order."""
        tree = tree_of(self, params) or {}
        names = [self.names[base_name(n)] for n, p in tree.items() if p is not None and base_name(n) in self.names]
        return ((n, self._modules[n]) for n in names)  # type: ignore[misc]

    def get_children_by_indices(self, indices: Any) -> Iterator[tuple[str, nn.Module]]:
        """Names and modules of these numbers."""
        known = [*self.names.values()]
        return ((known[int(i)], self._modules[known[int(i)]]) for i in indices)  # type: ignore[misc]

    def get_children_by_module_names(self, names: Any) -> Iterator[tuple[str, nn.Module]]:
        """Names and modules of these names."""
        return ((n, self.get_submodule(n)) for n in names)

    def get_params_by_module(self, named_modules: Any) -> Iterator[ParamItem]:
        """Items without params, one for each name."""
        return (ParamItem(name, None) for name, _ in named_modules)

    def update_attribute(self, same_on_batch: bool | None = None, keepdim: bool | None = None) -> None:
        """Set both for all modules; None leaves them theirs."""
        for name, value in (("same_on_batch", same_on_batch), ("keepdim", keepdim)):
            if value is not None:
                setattr(self, name, value)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: Any) -> Any:
        found = list(self.steps.values())[i]
        if not isinstance(i, slice):
            return found
        other = copy.copy(self)
        for held_ in ("_modules", "_buffers", "_parameters"):
            other.__dict__[held_] = dict(self.__dict__[held_])
        other._buffers["key"] = self._buffers["key"].clone()  # type: ignore[union-attr]
        other.names, other.forward = dict(self.names), own_code(other.forward.__func__.__get__(other))  # type: ignore[attr-defined]
        weights = self.choosing.weights
        return other.change(found, None if weights is None else weights[i])

    def listed(self) -> list[Any]:
        """Its modules, in their order."""
        return [self._modules[name] for name in self.names.values()]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.listed())
