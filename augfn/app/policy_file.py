"""Policies as YAML: names of ops and combinators, with their ranges.

```yaml
pipeline:
  - hflip: {p: 0.5}
  - affine: {degrees: [-15, 15], scale: {log_uniform: [0.8, 1.25]}, p: 0.8}
  - one_of:
      - rotate
      - color_jitter: {brightness: [0.8, 1.2]}
  - some_of: {n: [1, 2], steps: [grayscale, vflip, solarize]}
padding_mode: reflection
```

A step is a name (`module:name` of an op that a loaded module defines), or a name with its keywords. As in a factory a
number is a fixed value and a pair is a range. Beside the steps stand the settings of `af.pipeline`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from augfn import compose
from augfn import distributions as dist
from augfn.core.augmentation import Augmentation, build
from augfn.core.spec import SPECS, Spec
from augfn.errors import explain, unknown

SETTINGS = ("interpolation", "padding_mode", "fill", "fill_mask", "antialias", "fuse")
DISTRIBUTIONS: dict[str, Callable[..., dist.Distribution]] = {
    "uniform": dist.Uniform,
    "log_uniform": dist.LogUniform,
    "normal": dist.Normal,
    "truncated_normal": dist.TruncatedNormal,
    "beta": dist.Beta,
}


class PolicyError(ValueError):
    """What is wrong with a policy, and where; one line."""


def load(path: str | Path) -> Augmentation:
    """The pipeline that a YAML file describes. Raises `PolicyError`, or `OSError` where the file cannot be read."""
    try:
        return parse(Path(path).read_text(encoding="utf-8"))
    except (PolicyError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: {one_line(error)}") from None


def parse(text: str) -> Augmentation:
    """The pipeline that a YAML text describes.

    >>> parse("pipeline: [hflip, rotate: {degrees: [-10, 10]}]")
    pipeline(hflip(), rotate(degrees=Uniform(low=-10.0, high=10.0)))
    """
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PolicyError(f"not valid YAML: {one_line(error)}") from None
    if not isinstance(config, dict) or "pipeline" not in config:
        raise fail("policy", "no pipeline", config, "a list of steps under 'pipeline:'", "pipeline: [hflip]")
    return sequence(config["pipeline"], {k: v for k, v in config.items() if k != "pipeline"}, "pipeline")


def one_line(error: object) -> str:
    """A message of several lines (see `augfn.errors`) in one.

    >>> one_line("bad range.\\n  given:    [2, 1]\\n  expected: low <= high")
    'bad range; given: [2, 1]; expected: low <= high'
    """
    lines = [" ".join(line.split()).rstrip(".") for line in str(error).splitlines()]
    return "; ".join(line for line in lines if line) or type(error).__name__


def located(where: str, make: Callable[..., Augmentation], *args: Any, **keywords: Any) -> Augmentation:
    """What `make` returns; its error becomes a `PolicyError` that says where in the file it is."""
    try:
        return make(*args, **keywords)
    except PolicyError:
        raise
    except (TypeError, ValueError) as error:
        raise PolicyError(f"{where}: {one_line(error)}") from None


def fail(where: str, *parts: Any) -> PolicyError:
    return PolicyError(f"{where}: {one_line(explain(*parts))}")


def step(config: Any, where: str) -> Augmentation:
    """A name, or a mapping of one name to its keywords."""
    if isinstance(config, str):
        config = {config: None}
    if not isinstance(config, dict) or len(config) != 1:
        raise fail(where, "not a step", config, "a name, or one name with its keywords", "hflip: {p: 0.5}")
    name, keywords = next(iter(config.items()))
    if name in COMBINATORS:
        return COMBINATORS[name](keywords, f"{where}.{name}")
    spec = spec_of_step(name)
    if spec is None:
        known = [n for n, s in SPECS.items() if for_one_image(s)]
        raise PolicyError(f"{where}: {one_line(unknown('op', name, [*known, *COMBINATORS]))}")
    if not for_one_image(spec):
        raise fail(where, "an op for batches or volumes", name, "ops of a single image", f"leave {name} out")
    given = table(keywords, f"{where}.{name}")
    values = {key: value(v, f"{where}.{name}.{key}") for key, v in given.items()}
    if not isinstance(values.get("p"), dist.Distribution):
        probability(values.get("p", 1.0), f"{where}.{name}.p")
    return located(f"{where}.{name}", build, spec, values)


def spec_of_step(name: Any) -> Spec | None:
    """An op of augfn by its name, one of a module that is loaded by `module:name`."""
    module, _, short = str(name).rpartition(":")
    if not module:
        return SPECS.get(name)
    factory = getattr(sys.modules.get(module), short, None)
    return getattr(factory, "spec", None)


def for_one_image(spec: Spec) -> bool:
    return spec.kind != "mix" and spec.ndim == 2


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


def steps_of(config: Any, where: str) -> list[Augmentation]:
    if not isinstance(config, list) or not config:
        raise fail(where, "no steps", config, "a list with at least one step", "[hflip, rotate]")
    return [step(c, f"{where}[{i}]") for i, c in enumerate(config)]


def value(config: Any, where: str) -> Any:
    """A number, a name, a pair, nested pairs, or a distribution such as `{normal: [0, 5]}`."""
    if isinstance(config, list):
        return tuple(value(c, where) for c in config)
    if isinstance(config, dict):
        return distribution(config, where)
    if isinstance(config, str):
        config = numeral(config)
    if isinstance(config, float) and not math.isfinite(config):
        raise fail(where, "not a number", config, "finite numbers", "stay finite")
    return config


def numeral(text: str) -> float | str:
    """YAML 1.1 takes 1e-3, without a point, for a text."""
    try:
        return float(text)
    except ValueError:
        return text


def distribution(config: dict[Any, Any], where: str) -> dist.Distribution:
    name, given = next(iter(config.items())) if len(config) == 1 else (list(config), None)
    if not isinstance(name, str) or name not in DISTRIBUTIONS:
        raise PolicyError(f"{where}: {one_line(unknown('distribution', name, DISTRIBUTIONS))}")
    make = DISTRIBUTIONS[name]
    try:
        if isinstance(given, dict):
            return make(**{str(k): value(v, where) for k, v in given.items()})
        return make(*value(given if isinstance(given, list) else [given], where))
    except PolicyError:
        raise
    except (TypeError, ValueError) as error:
        raise PolicyError(f"{where}: {one_line(error)}") from None


# combinators


def sequence(config: Any, settings: Any, where: str) -> Augmentation:
    """Steps with the settings of `af.pipeline`."""
    given = {k: value(v, f"{where}.{k}") for k, v in table(settings, where, SETTINGS).items()}
    for key in ("fill", "fill_mask"):
        numbers = given.get(key, 0.0)
        if not all(isinstance(n, int | float) for n in (numbers if isinstance(numbers, tuple) else [numbers])):
            raise fail(
                f"{where}.{key}", "not a colour", numbers, "a number, or one per channel, in [0, 1]", f"{key}: 0.5"
            )
    return located(where, compose.pipeline, *steps_of(config, where), **given)


def nested(config: Any, where: str) -> Augmentation:
    if isinstance(config, list):
        return sequence(config, {}, where)
    given = table(config, where, ("steps", *SETTINGS))
    return sequence(given.get("steps"), {k: v for k, v in given.items() if k != "steps"}, where)


def one_of(config: Any, where: str) -> Augmentation:
    given = table({"steps": config} if isinstance(config, list) else config, where, ("steps", "weights"))
    branches = steps_of(given.get("steps"), where)
    weights = value(given.get("weights", [1.0] * len(branches)), f"{where}.weights")
    good = isinstance(weights, tuple) and all(isinstance(w, int | float) and w >= 0 for w in weights)
    if not good or not sum(weights):
        expected = "one number per step, none negative, not all zero"
        raise fail(f"{where}.weights", "bad weights", weights, expected, "weights: [2, 1]")
    return located(where, compose.one_of, *branches, weights=[float(w) for w in weights])


def some_of(config: Any, where: str) -> Augmentation:
    given = table(config, where, ("n", "steps"))
    n = tuple(given["n"]) if isinstance(given.get("n"), list) else given.get("n")
    ends = n if isinstance(n, tuple) else (n, n)
    if len(ends) != 2 or not all(isinstance(k, int) and not isinstance(k, bool) for k in ends):
        raise fail(f"{where}.n", "bad count", n, "a whole number, or a pair (inclusive)", "n: [1, 2]")
    return located(where, compose.some_of, n, *steps_of(given.get("steps"), where))


def maybe(config: Any, where: str) -> Augmentation:
    given = table(config, where, ("p", "step"))
    p = value(given.get("p", 0.5), f"{where}.p")
    return located(where, compose.maybe, step(given.get("step"), where), probability(p, f"{where}.p"))


def repeat(config: Any, where: str) -> Augmentation:
    given = table(config, where, ("n", "step"))
    return located(where, compose.repeat, step(given.get("step"), where), given.get("n"))


def probability(p: Any, where: str) -> float:
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
        raise fail(where, "not a probability", p, "0 <= p <= 1", "p: 0.5")
    return p


COMBINATORS = {"pipeline": nested, "one_of": one_of, "some_of": some_of, "maybe": maybe, "repeat": repeat}
