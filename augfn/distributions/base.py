"""What all distributions share: tensors in a frozen pytree node, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import GetAttrKey, register_pytree_node

from augfn.errors import explain, show
from augfn.math.shapes import common_shape

D = TypeVar("D", bound="Distribution")
Limits = Mapping[str, tuple[float | None, float | None]]  # by field, None where there is no end


class Distribution:
    """Base of all distributions; `fields` are tensors (pytree leaves), `static` plain values (pytree context).

    >>> class Triangular(Distribution):
    ...     fields = ("width",)
    ...     def __init__(self, width):
    ...         self._set(width=width)
    ...     def draw(self, u):
    ...         return self.width * (1 - (2 * (1 - u)).sqrt())
    >>> Triangular(2.0).draw(torch.tensor([0.5, 0.875]))
    tensor([0., 1.])

    A subclass has a `log_prob(value)` where it is asked for, and `entropy()` if it is discrete. For modules that learn it
    may say what its fields are: `values` are of the leaf's own kind and interval, `ordered` two of them of which the
    first is not above the second; `limits` are those of other fields; `settings` do not learn.
    """

    fields: ClassVar[tuple[str, ...]] = ()
    static: ClassVar[tuple[str, ...]] = ()
    values: ClassVar[tuple[str, ...]] = ()
    ordered: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[Limits] = {}
    settings: ClassVar[tuple[str, ...]] = ()
    shape: tuple[int, ...]
    hard: bool = False  # True if every value that is drawn is exactly 0 or 1

    def __init_subclass__(cls) -> None:
        def flatten(d: Any) -> tuple[list[Any], tuple[Any, ...]]:
            return [getattr(d, f) for f in cls.fields], tuple(getattr(d, s) for s in cls.static)

        def unflatten(leaves: Any, context: tuple[Any, ...]) -> Any:
            d = object.__new__(cls)
            d.__dict__.update(zip(cls.fields, leaves, strict=True), **dict(zip(cls.static, context, strict=True)))
            return d

        def with_keys(d: Any) -> tuple[list[Any], tuple[Any, ...]]:
            leaves, context = flatten(d)
            return [(GetAttrKey(f), x) for f, x in zip(cls.fields, leaves, strict=True)], context

        name = f"augfn.distributions.{cls.__name__}"
        register_pytree_node(cls, flatten, unflatten, serialized_type_name=name, flatten_with_keys_fn=with_keys)

    def _set(self, **values: Any) -> None:
        self.__dict__.update({k: as_tensor(v) if k in self.fields else v for k, v in values.items()})
        self.__dict__["shape"] = self.value_shape()

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            explain(
                f"a {type(self).__name__} is frozen",
                f"{name} = {show(value)}",
                "a new distribution",
                f"build one: {type(self).__name__}(...)",
            )
        )

    def renewed(self: D, **fields: Tensor) -> D:
        """The same on other tensors; past the constructor, whose checks would double the cost of a small call."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        new.__dict__.update(fields)
        return new

    def value_shape(self) -> tuple[int, ...]:
        return common_shape(*(getattr(self, f).shape for f in self.fields))

    def __getattr__(self, name: str) -> Any:
        if name == "shape":  # of one that was built past `_set`, as torch's tree functions do
            return self.value_shape()
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return self.shape

    def tensors(self, like: Tensor) -> list[Tensor]:
        """The fields on the device of the noise."""
        here = like.device
        found = [getattr(self, f) for f in self.fields]
        return [t if t.device == here else t.to(here) for t in found]

    def draw(self, u: Tensor) -> Tensor:
        raise NotImplementedError

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density of values `[*b, *shape]` (of what is discrete: the log mass), differentiable in the fields.

        One for each number, `[*b, *shape]`; of choices one for each vector. Outside the support it is -inf. With
        `entropy` it is what a score-function estimator needs.
        """
        name = type(self).__name__
        fix = f"define log_prob(self, value) in {name}"
        raise NotImplementedError(explain(f"{name} has no log_prob", self, "a distribution with a density", fix))

    def entropy(self) -> Tensor:
        """The entropy in nats of what is discrete: for each number, of a choice for each vector."""
        name, fix = type(self).__name__, "the mean of -d.log_prob(draws); the relaxed ones have one with hard=True"
        raise NotImplementedError(explain(f"{name} has no entropy", self, "a discrete distribution", fix))

    def __repr__(self) -> str:
        parts = [f"{f}={brief(getattr(self, f))}" for f in self.fields + self.static]
        return f"{type(self).__name__}({', '.join(parts)})"


def as_tensor(value: Any) -> Tensor:
    """A tensor as it is; numbers and nested sequences as float32, whatever torch's default dtype."""
    if isinstance(value, Tensor):
        if not value.is_floating_point():
            raise TypeError(
                explain("a distribution takes floating values", value, "a floating tensor", "call .float() on it")
            )
        return value
    return torch.tensor(value, dtype=torch.float32)


def brief(value: Any) -> str:
    own = type(value) in (Tensor, torch.nn.Parameter) and not value.is_meta  # which hold numbers
    if own and value.numel() <= 4:
        numbers = [round(v, 4) for v in value.detach().flatten().tolist()]
        return str(numbers if value.ndim else numbers[0])
    return show(value)


def check_order(name: str, low: Any, high: Any) -> None:
    """Plain numbers are checked here; tensors may be learned and are free to cross."""
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return
    numbers = isinstance(low, float | int) and isinstance(high, float | int)
    double = partial(torch.tensor, dtype=torch.float64)
    if low > high if numbers else (double(low) > double(high)).any():
        raise ValueError(
            explain(f"{name}: the range is upside down", (low, high), "low <= high", f"swap them: ({high}, {low})")
        )
