"""Reading: an augmentation from plain data, names of ops and combinators with their ranges.

```yaml
augfn: 1
pipeline:
  - to_float
  - hflip: {p: 0.5}
  - affine: {degrees: [-15, 15], scale: {log_uniform: [0.8, 1.25]}, p: 0.8}
    as: warp
  - one_of:
      - rotate
      - color_jitter: {brightness: [0.8, 1.2]}
  - some_of: {n: [1, 2], steps: [grayscale, vflip, solarize]}
padding_mode: reflection
```

A step is a name (`module:name` of an op that a module defines which is imported already), or a name with its keywords;
`as` names it in the params. As in a factory a number is a fixed value and a pair is a range. Beside the steps stand the
settings of `af.pipeline`. `augfn` is the version of the form; a file may leave it out.
"""

from __future__ import annotations

from typing import Any

from augfn import compose, images, multiview
from augfn import distributions as dist
from augfn.core.augmentation import Augmentation, build
from augfn.core.spec import OF_CLIPS, SPECS, Spec
from augfn.errors import unknown
from augfn.files.values import PolicyError, fail, loaded, located, one_line, table, value
from augfn.files.writing import VERSION

SETTINGS = ("interpolation", "padding_mode", "fill", "fill_mask", "antialias", "fuse", "targets")


def made(config: Any) -> Augmentation:
    """The augmentation that the data of a file describe."""
    config = dict(config) if isinstance(config, dict) else config
    version = config.pop("augfn", VERSION) if isinstance(config, dict) else VERSION
    if version != VERSION:
        raise fail(
            "policy",
            "a version that is not known",
            version,
            f"augfn: {VERSION}",
            "read it with the augfn that wrote it",
        )
    if isinstance(config, dict) and "pipeline" in config:
        return sequence(config["pipeline"], {k: v for k, v in config.items() if k != "pipeline"}, "pipeline")
    if not isinstance(config, dict) or len(config) != 1:
        fix = "write 'pipeline:' above the list" if isinstance(config, list) else "pipeline: [hflip]"
        if isinstance(config, dict) and "transform" in config:  # as albumentations writes it
            fix = "augfn_nn.convert of what yaml.safe_load or json.load gives"
        raise fail("policy", "no pipeline", config, "a list of steps under 'pipeline:'", fix)
    return step(config, "policy")


def step(config: Any, where: str) -> Augmentation:
    """A name, or a mapping of one name to its keywords."""
    if isinstance(config, str):
        config = {config: None}
    if not isinstance(config, dict) or [type(name) for name in config] != [str]:
        raise fail(where, "not a step", config, "a name, or one name with its keywords", "hflip: {p: 0.5}")
    name, keywords = next(iter(config.items()))
    if name in COMBINATORS:
        return COMBINATORS[name](keywords, f"{where}.{name}")
    if name in CONVERSIONS:
        make, names = CONVERSIONS[name]
        given = table(keywords, f"{where}.{name}")
        for key in given:
            if key not in names:
                raise PolicyError(f"{where}.{name}: {one_line(unknown('keyword', key, names))}")
        return located(f"{where}.{name}", make, **given)
    spec = spec_of_step(name)
    if spec is None and ":" in name:
        module = name.split(":")[0]
        want = "an op of augfn, or of a module that was imported before the file is read"
        fix = f"import {module}, which defines it" if module != "__main__" else "define it in a module, not in a script"
        raise fail(where, "unknown op", name, want, fix)
    if spec is None:
        raise PolicyError(f"{where}: {one_line(unknown('op', name, [*SPECS, *OF_CLIPS, *COMBINATORS, *CONVERSIONS]))}")
    given = table(keywords, f"{where}.{name}")
    values = {key: value(v, f"{where}.{name}.{key}") for key, v in given.items()}
    values["p"] = probability(values.get("p", 1.0), f"{where}.{name}.p")
    return located(f"{where}.{name}", build, spec, {k: v for k, v in values.items() if k in given})


def spec_of_step(name: Any) -> Spec | None:
    """An op of augfn by its name, one of a module that is loaded by `module:name`."""
    found = getattr(loaded(str(name)), "spec", None) if ":" in str(name) else (SPECS | OF_CLIPS).get(name)
    return found if isinstance(found, Spec) else None


def steps_of(config: Any, where: str) -> tuple[list[Augmentation], dict[str, Augmentation]]:
    """The steps, and those that have a name of their own."""
    if not isinstance(config, list) or not config:
        fix = (
            "[" + ", ".join(f"{n}: {{...}}" for n in config) + "]"
            if isinstance(config, dict) and config
            else "[hflip, rotate]"
        )
        raise fail(where, "no steps", config, "a list with at least one step", fix)
    free, named = [], dict[str, Augmentation]()
    for i, c in enumerate(config):
        here = f"{where}[{i}]"
        own = c["as"] if isinstance(c, dict) and len(c) == 2 and "as" in c else None
        f = step(c if own is None else {n: v for n, v in c.items() if n != "as"}, here)
        if own is None and named:
            want, fix = "steps with a name of their own last", f"as: {f.name}"
            raise fail(here, "a step without a name after one with it", f.name, want, fix)
        if own is None:
            free.append(f)
        elif not isinstance(own, str) or own in named:
            raise fail(here, "not a name of its own", own, "another name for each step", "as: warp")
        else:
            named[own] = f
    return free, named


# combinators


def sequence(config: Any, settings: Any, where: str) -> Augmentation:
    """Steps with the settings of `af.pipeline`."""
    given = table(settings, where, SETTINGS)
    given = {k: v if isinstance(v, dict) else value(v, f"{where}.{k}") for k, v in given.items()}
    table(given.get("targets"), f"{where}.targets")
    for key in ("fill", "fill_mask"):
        numbers = given.get(key, 0.0)
        if not all(isinstance(n, int | float) for n in (numbers if isinstance(numbers, tuple) else [numbers])):
            raise fail(
                f"{where}.{key}", "not a colour", numbers, "a number, or one per channel, in [0, 1]", f"{key}: 0.5"
            )
    return combined(compose.pipeline, config, where, **given)


def combined(make: Any, config: Any, where: str, *first: Any, **settings: Any) -> Augmentation:
    free, named = steps_of(config, where)
    return located(where, make, *first, *free, **settings, **named)


def nested(config: Any, where: str) -> Augmentation:
    if isinstance(config, list):
        return sequence(config, {}, where)
    given = table(config, where, ("steps", *SETTINGS))
    return sequence(given.get("steps"), {k: v for k, v in given.items() if k != "steps"}, where)


def one_of(config: Any, where: str) -> Augmentation:
    given = table({"steps": config} if isinstance(config, list) else config, where, ("steps", "weights"))
    count = len(given["steps"]) if isinstance(given.get("steps"), list) else 0
    weights = value(given.get("weights", [1.0] * count), f"{where}.weights")
    if not isinstance(weights, dist.Distribution):
        good = isinstance(weights, tuple) and all(isinstance(w, int | float) and w >= 0 for w in weights)
        if count and (not good or not sum(weights)):
            expected = "one number per step, none negative, not all zero"
            raise fail(f"{where}.weights", "bad weights", weights, expected, "weights: [2, 1]")
        weights = [float(w) for w in weights]
    return combined(compose.one_of, given.get("steps"), where, weights=weights)


def some_of(config: Any, where: str) -> Augmentation:
    given = table(config, where, ("n", "steps", "replace", "order", "weights"))
    how = {k: given[k] for k in ("replace", "order", "weights") if k in given}
    n = tuple(given["n"]) if isinstance(given.get("n"), list) else given.get("n")
    ends = n if isinstance(n, tuple) else (n, n)
    if len(ends) != 2 or not all(isinstance(k, int) and not isinstance(k, bool) for k in ends):
        raise fail(f"{where}.n", "bad count", n, "a whole number, or a pair (inclusive)", "n: [1, 2]")
    return combined(compose.some_of, given.get("steps"), where, n, **how)


def mixture(config: Any, where: str) -> Augmentation:
    given = table({"steps": config} if isinstance(config, list) else config, where, ("steps", "weights", "share"))
    parts = {k: value(given[k], f"{where}.{k}") for k in ("weights", "share") if k in given}
    return combined(compose.mixture, given.get("steps"), where, **parts)


def views(config: Any, where: str) -> Augmentation:
    return combined(multiview.views, config, where)


def nothing(config: Any, where: str) -> Augmentation:
    table(config, where, ("",))
    return compose.identity()


def maybe(config: Any, where: str) -> Augmentation:
    given = table(config, where, ("p", "step"))
    p = value(given.get("p", 0.5), f"{where}.p")
    return located(where, compose.maybe, step(given.get("step"), where), probability(p, f"{where}.p"))


def repeat(config: Any, where: str) -> Augmentation:
    given = table(config, where, ("n", "step"))
    return located(where, compose.repeat, step(given.get("step"), where), given.get("n"))


def probability(p: Any, where: str) -> Any:
    """A number from 0 to 1, or a distribution of gates."""
    if not isinstance(p, dist.Distribution) and (
        isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1
    ):
        raise fail(where, "not a probability", p, "0 <= p <= 1", "p: 0.5")
    return p


COMBINATORS = {
    "pipeline": nested,
    "one_of": one_of,
    "some_of": some_of,
    "maybe": maybe,
    "repeat": repeat,
    "mixture": mixture,
    "views": views,
    "identity": nothing,
}
CONVERSIONS: dict[str, Any] = {"to_float": (images.to_float, ("max",)), "to_uint8": (images.to_uint8, ())}
