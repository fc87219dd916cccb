"""Values in policy files: numbers, pairs, names, and what is tagged: `{uniform: {low: 0, high: 1}}`, `{tensor: [1, 2]}`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augfn import distributions as dist
from augfn.distributions import Distribution
from augfn.errors import explain, unknown

DISTRIBUTIONS: dict[str, type[Distribution]] = {
    "uniform": dist.Uniform,
    "interval": dist.Interval,
    "inverse_uniform": dist.InverseUniform,
    "knots": dist.Knots,
    "quantiles": dist.Quantiles,
    "span": dist.Span,
    "log_uniform": dist.LogUniform,
    "log_normal": dist.LogNormal,
    "normal": dist.Normal,
    "truncated_normal": dist.TruncatedNormal,
    "beta": dist.Beta,
    "dirichlet": dist.Dirichlet,
    "exponential": dist.Exponential,
    "magnitude": dist.Magnitude,
    "constant": dist.Constant,
    "bernoulli": dist.Bernoulli,
    "relaxed_bernoulli": dist.RelaxedBernoulli,
    "logit_bernoulli": dist.LogitBernoulli,
    "choice": dist.Choice,
    "gumbel_choice": dist.GumbelChoice,
    "logit_choice": dist.LogitChoice,
}
NAMES = {cls: name for name, cls in DISTRIBUTIONS.items()}
DTYPES = {str(d).removeprefix("torch."): d for d in (torch.float16, torch.bfloat16, torch.float32, torch.float64)}
DTYPES |= {str(d).removeprefix("torch."): d for d in (torch.uint8, torch.int32, torch.int64, torch.bool)}


class PolicyError(ValueError):
    """What is wrong with a policy, and where; one line."""


def one_line(error: object) -> str:
    """A message of several lines (see `augfn.errors`) in one.

    >>> one_line("bad range.\\n  given:    [2, 1]\\n  expected: low <= high")
    'bad range; given: [2, 1]; expected: low <= high'
    """
    lines = [" ".join(line.split()).rstrip(".") for line in str(error).splitlines()]
    return "; ".join(line for line in lines if line) or type(error).__name__


def fail(where: str, *parts: Any) -> PolicyError:
    return PolicyError(f"{where}: {one_line(explain(*parts))}")


def located(where: str, make: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
    """What `make` returns; its error becomes a `PolicyError` that says where in the file it is."""
    try:
        return make(*args, **keywords)
    except PolicyError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise PolicyError(f"{where}: {one_line(error)}") from None


def table(config: Any, where: str, names: Iterable[str] = ()) -> dict[str, Any]:
    """A mapping (nothing is the empty one), whose keys are limited to `names` where they are given."""
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise fail(where, "not a mapping", config, "keywords in braces or on lines of their own", "{p: 0.5}")
    for key in config:
        if names and key not in names:
            raise PolicyError(f"{where}: {one_line(unknown('keyword', key, names))}")
    return config


def loaded(name: str) -> Any:
    """What a module that is imported already has under `module:name`; None if there is none."""
    module, _, short = name.rpartition(":")
    return getattr(sys.modules.get(module), short, None)


# reading


def value(config: Any, where: str) -> Any:
    """A number, a name, a pair, nested pairs, a distribution such as `{normal: [0, 5]}`, or a tensor."""
    if isinstance(config, list):
        return tuple(value(c, where) for c in config)
    if isinstance(config, dict):
        return tensor(config, where) if "tensor" in config else distribution(config, where)
    if isinstance(config, str):
        config = numeral(config)
    if (
        isinstance(config, float)
        and not math.isfinite(config)
        and not (math.isnan(config) and where.endswith("missing"))
    ):
        raise fail(where, "not a number", config, "finite numbers", "stay finite")
    return config


def numeral(text: str) -> float | str:
    """YAML 1.1 takes 1e-3, without a point, for a text; JSON has no infinity but as one."""
    try:
        return float(text)
    except ValueError:
        return text


def tensor(config: dict[str, Any], where: str) -> Tensor:
    """`{tensor: [...], dtype: float32}`; float32 unless it is said."""
    given = table(config, where, ("tensor", "dtype"))
    dtype = given.get("dtype", "float32")
    if dtype not in DTYPES:
        raise PolicyError(f"{where}: {one_line(unknown('dtype', dtype, DTYPES))}")
    return located(where, torch.tensor, numbers(given["tensor"]), dtype=DTYPES[dtype])


def numbers(config: Any) -> Any:
    return (
        [numbers(c) for c in config]
        if isinstance(config, list)
        else numeral(config)
        if isinstance(config, str)
        else config
    )


def distribution(config: dict[Any, Any], where: str) -> Distribution:
    name, given = next(iter(config.items())) if len(config) == 1 else (list(config), None)
    make = DISTRIBUTIONS.get(name) or loaded(name) if isinstance(name, str) else None
    if make is None or not (isinstance(make, type) and issubclass(make, Distribution)):
        raise PolicyError(f"{where}: {one_line(unknown('distribution', name, DISTRIBUTIONS))}")
    if isinstance(given, dict) and "tensor" not in given:
        return located(where, make, **{str(k): field(v, where) for k, v in given.items()})
    return located(where, make, *[field(v, where) for v in (given if isinstance(given, list) else [given])])


def field(config: Any, where: str) -> Any:
    """A field of a distribution: a number, a list of them, a tensor or a flag."""
    return tensor(config, where) if isinstance(config, dict) and "tensor" in config else value(config, where)


# writing


def plain(x: Any, what: str) -> Any:
    """A setting as plain data."""
    if isinstance(x, Tensor):
        return tagged(x)
    if isinstance(x, Distribution):
        return described(x)
    if isinstance(x, tuple | list):
        return [plain(v, what) for v in x]
    if isinstance(x, np.generic | np.ndarray):
        return plain(x.tolist(), what)
    if x is None or isinstance(x, bool | int | float | str):
        return x
    raise TypeError(
        explain(f"{what} has no place in a file", x, "numbers, names, pairs, tensors", "torch.save(f, path)")
    )


def tagged(t: Tensor) -> dict[str, Any]:
    """A tensor with its dtype, as it is now."""
    name = str(t.dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise TypeError(explain("a tensor in a file", t, f"one of {', '.join(DTYPES)}", "convert it"))
    return {"tensor": listed(t)} | ({} if t.dtype == torch.float32 else {"dtype": name})


def listed(t: Tensor) -> Any:
    """The numbers, each with as few digits as tell it from its neighbours in its dtype."""
    t = t.detach().cpu()
    if t.dtype == torch.float32:
        return shortest(t.numpy())
    return [listed(row) for row in t] if t.ndim else finite(t.tolist())


def shortest(a: np.ndarray) -> Any:
    return [shortest(row) for row in a] if a.ndim else finite(float(str(a[()])))


def finite(x: Any) -> Any:
    """A number; of what is not finite its name, which JSON knows too."""
    return x if not isinstance(x, float) or math.isfinite(x) else str(x)


def described(d: Distribution) -> dict[str, Any]:
    """`{name: fields}`."""
    cls = type(d)
    name = NAMES.get(cls) or f"{cls.__module__}:{cls.__qualname__}"
    crossed = bool(d.ordered) and bool((getattr(d, d.ordered[0]) > getattr(d, d.ordered[1])).any())
    fields = {n: number(getattr(d, n), crossed and n in d.ordered) for n in d.fields}
    return {name: fields | {n: plain(getattr(d, n), f"{name}: {n}") for n in d.static}}


def number(t: Tensor, exact: bool = False) -> Any:
    """A field in short: a number or a list of float32. What a constructor would refuse stays a tensor, unchecked."""
    short = t.dtype == torch.float32 and t.ndim < 2 and bool(t.isfinite().all()) and not exact
    return listed(t) if short else tagged(t)
