"""timm's policies as strings: `rand-m9-n3-mstd0.5-inc1`, `augmix-m5-w4-d2`, `original-mstd0.5`, `3a`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from augfn.compose import one_of, pipeline, some_of
from augfn.core.combined import Pipeline
from augfn.errors import explain, unknown
from augfn.policies import published
from augfn.policies.published import INCREASING, MIX, RAND, branches, level_of, mixed, reading, sub_policies
from augfn.policies.spaces import timm_space
from augfn.policies.tables import AUTO_AUGMENT

# tokens of each kind: how their values are read, and their defaults
TOKENS: dict[str, dict[str, tuple[Callable[[str], Any], Any]]] = {
    "rand": {
        "m": (int, 10),
        "n": (int, 2),
        "p": (float, 0.5),
        "mstd": (float, 0.0),
        "mmax": (int, None),
        "inc": (int, 0),
        "t": (str, ""),
    },
    "augmix": {
        "m": (int, 3),
        "w": (int, 3),
        "d": (int, -1),
        "a": (float, 1.0),
        "b": (int, 0),
        "mstd": (float, math.inf),
    },
    **{name: {"mstd": (float, 0.0)} for name in ("original", "originalr", "v0", "v0r", "3a")},
}
NUMBERS = {int: "a whole number", float: "a number"}
SETS = ("weights", "3a", "3aw")  # t: weighted RandAugment, 3-Augment as a set, and that weighted
ODDS = {"Rotate": 3.0, "ShearX": 2.0, "ShearY": 2.0, "TranslateXRel": 1.0, "TranslateYRel": 1.0, "Color": 0.25}
ODDS |= {"Sharpness": 0.25, "AutoContrast": 0.25}  # all others .05
THREE = "Solarize Desaturate GaussianBlur"
THREE_ODDS = {"Solarize": 6.0, "Desaturate": 6.0, "GaussianBlur": 6.0, "Rotate": 3.0, "ShearX": 2.0, "ShearY": 2.0}
WIDE = "Posterize AutoContrast Color Sharpness Contrast Brightness Equalize Invert"  # of odds 1


def policy(text: str, *, interpolation: str | None = None, fill: Any = None, translate_pct: float = 0.45) -> Pipeline:
    """A policy from timm's string, every token of it.

    * `rand`: m (level, 10), n (ops, 2), p (of each op, .5), mstd (0; above 100: the level is uniform from 0 to m), mmax
      (largest level, 10), inc (1: a higher level is a stronger op), t (a set of ops: weights, 3a, 3aw).
    * `augmix`: m (3), w (chains, 3), d (depth, -1: 1 to 3), a (Dirichlet's and Beta's, 1), mstd, and b, which
      says how timm computes the same sum.
    * `original`, `originalr`, `v0`, `v0r` (AutoAugment), `3a` (3-Augment): mstd.

    Unlike timm, a token that is not understood is an error, levels are read bilinear (timm: bilinear or bicubic at
    random; `interpolation=`), and outside of the frame there is a grey of 128 (`fill=`).

    >>> import torch, augfn as af
    >>> y, params = af.policy("rand-m9-n3-mstd0.5-inc1")(torch.rand(4, 3, 32, 32), None, af.key(0))
    >>> list(params["some_of"])
    ['count', 'one_of', 'one_of_2', 'one_of_3']
    """
    kind, given = parse(text)
    known = TOKENS[kind]
    t = {name: given.get(name, default) for name, (_, default) in known.items()}
    how = reading("timm", interpolation, fill)
    if kind == "rand":
        return pipeline(rand(t, translate_pct), **how)
    if kind == "augmix":
        space = timm_space(translate_pct=translate_pct)
        draw = level_of(min(t["m"], 10), t["mstd"], 1.0)
        depth = (1, 3) if t["d"] < 1 else t["d"]
        return pipeline(mixed({n: space[n] for n in MIX.split()}, draw, t["w"], depth, t["a"]), **how)
    space = timm_space(translate_pct=translate_pct)
    if kind == "3a":
        levels = {"Solarize": 5, "Desaturate": 10, "GaussianBlurRand": 10}
        made = {n: space[n](level_of(m, t["mstd"], 1.0)) for n, m in levels.items()}
        return pipeline(one_of(**{published.snake(n): f for n, f in made.items()}), **how)
    name, own = ("v0" if kind.startswith("v0") else "imagenet"), {}
    if kind != "v0":
        own = {"Posterize": "PosterizeIncreasing" if kind.endswith("r") else "PosterizeOriginal"}
    renamed = own | {"TranslateX": "TranslateXRel", "TranslateY": "TranslateYRel"}
    return pipeline(one_of(**sub_policies(AUTO_AUGMENT[name], space, renamed, t["mstd"])), **how)


def rand(t: Mapping[str, Any], translate_pct: float) -> Any:
    """RandAugment; weighted sets draw without replacement."""
    top = t["mmax"] or 10
    space = timm_space(max(top, 1), translate_pct)
    draw = level_of(min(t["m"], top), t["mstd"], t["p"])
    if t["t"] == "3a":
        names, odds = THREE.split(), None
    elif t["t"] == "3aw":
        names = [*THREE_ODDS, *WIDE.split()]
        odds = [THREE_ODDS.get(n, 1.0) for n in names]
    else:
        names = RAND.split()
        odds = [ODDS.get(n, 0.05) for n in names] if t["t"] == "weights" else None
    increasing = bool(t["inc"] or t["t"])  # the sets that have a name are of the increasing forms
    names = [n + "Increasing" * (increasing and n in INCREASING) for n in names]
    ops = branches({n: space[n] for n in names}, draw)
    if odds is None:
        return some_of(t["n"], **ops, replace=True)
    return some_of(min(t["n"], len(ops)), **ops, order="random", weights=odds)


def parse(text: str) -> tuple[str, dict[str, Any]]:
    """The kind, and the values of its tokens.

    >>> parse("rand-m9-inc1")
    ('rand', {'m': 9, 'inc': 1})
    """
    kind, *tokens = text.split("-") if isinstance(text, str) else [text]
    if kind not in TOKENS:
        raise ValueError(unknown("policy", kind, TOKENS))
    known, out = TOKENS[kind], dict[str, Any]()
    tokens = rejoined(tokens)
    for token in tokens:
        found = re.fullmatch(r"([a-z]+?)(-?[\d.]+|inf|weights|3aw?)", token)
        key, value = found.groups() if found else (token, "")
        if key not in known:
            raise ValueError(unknown(f"token of {kind}", token, known))
        read = known[key][0]
        if (key == "t" and value not in SETS) or (key != "t" and not number(value, read)):
            want = f"one of {SETS}" if key == "t" else f"{key} and {NUMBERS[read]}"
            right = f"{key}{SETS[0] if key == 't' else known[key][1] or 1}"
            fix = f'af.policy("{"-".join([kind, *(right if t == token else t for t in tokens)])}")'
            raise ValueError(explain(f"policy: token {token!r}", text, want, fix))
        out[key] = read(value)
    return kind, out


def rejoined(tokens: list[str]) -> list[str]:
    """`d-1`, which a split at "-" takes apart."""
    out: list[str] = []
    for token in tokens:
        if out and out[-1] == "d" and token.isdigit():
            out[-1] = f"d-{token}"
        else:
            out.append(token)
    return out


def number(text: str, read: Callable[[str], Any]) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True
