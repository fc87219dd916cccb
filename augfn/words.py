"""What was done to a sample, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from augfn.core.spec import SPECS
from augfn.errors import explain as message

PER_BRANCH = ("choice", "keys", "times", "weights")
# leaves that say nothing to a reader
SILENT = ("seed", "order", "partner", "keys", "control", "corners", "position", "center", "centre", "phase", "field")
MOVES = ("shear", "translate")  # named beside others
# a leaf's words, with its number as {}; others are "name number"
WORDS = {
    "degrees": "{} degrees",
    "bits": "to {} bits",
    "threshold": "above {}",
    "factor": "by {}",
    "shear": "{} degrees",
    "translate": "by {}",
    "sigma": "with sigma {}",
    "gamma": "{}",
    "hue": "hue by {} turns",
    "scale": "scale {}",
    "weight": "with weight {}",
    "quality": "at quality {}",
}


def explain(params: Mapping[str, Any], sample: int = 0) -> str:
    """What params that were drawn by a pipeline do to one sample of the batch, in words; of a choice what was chosen, of gates
    those that are open. (An op's own params do not name it; those of views are explained one by one: `params["view_1"]`.)

    >>> import torch, augfn as af
    >>> f = af.pipeline(af.rotate(degrees=12.0), af.hflip(p=0.0), af.posterize(bits=4.0))
    >>> af.explain(f(torch.rand(2, 3, 8, 8), None, af.key(0))[1])
    'rotate 12 degrees, then posterize to 4 bits'
    """
    if not isinstance(params, Mapping):
        fix = "y, params = f(x, None, key); af.explain(params, sample=0)"
        raise TypeError(message("explain: not params", params, "the dict that a call returns", fix))
    if params and all(n.startswith("view_") for n in params):
        return "; ".join(f"{n}: {explain(p, sample)}" for n, p in params.items())
    values = [t for t in tree_leaves(params) if isinstance(t, Tensor) and t.ndim]
    most = max((len(t) for t in values), default=1)
    if not 0 <= sample < most:
        raise ValueError(message("explain: sample", sample, f"0 to {most - 1}", "the number of a sample of the batch"))
    return ", then ".join(said("", params, sample)) or "nothing"


def done(params: Mapping[str, Any], i: int) -> list[str]:
    """The steps that acted, in their order."""
    steps = {n: p for n, p in params.items() if isinstance(p, Mapping) or p is None}
    own = {n: value_of(p, i, n in PER_BRANCH) for n, p in params.items() if isinstance(p, Tensor)}
    if "choice" in own:
        weights = own["choice"]
        return [] if not weights.any() else said(*[*steps.items()][int(weights.argmax())], i)
    if "times" in own:
        chosen = [[*steps][k] for k in own["times"].argsort().tolist()[: int(own["count"])]]
        return [w for n in chosen for w in said(n, steps[n], i)]
    if "keys" in own and "count" in own:
        rank = own["keys"].argsort().argsort()
        chosen = [n for n, r in zip(steps, rank.tolist(), strict=True) if r < int(own["count"])]
        return [w for n in chosen for w in said(n, steps[n], i)]
    if "count" in own:
        steps = dict([*steps.items()][: int(own["count"])])
    if "share" in own and "weights" in own:
        parts = zip(steps.items(), own["weights"].tolist(), strict=True)
        mixed = [f"{w:.2g} x {' and '.join(said(n, p, i)) or 'as it is'}" for (n, p), w in parts]
        return [f"mix {number(own['share'])} of ({'; '.join(mixed)})"]
    return [w for n, p in steps.items() for w in said(n, p, i)]


def said(name: str, params: Any, i: int) -> list[str]:
    """A step, or the steps that it is made of."""
    if params is None:
        return []
    gate, channels = params.get("gate"), params.get("channel_gate")
    if any(isinstance(g, Tensor) and not (value_of(g, i) > 0).any() for g in (gate, channels)):
        return []
    if any(isinstance(p, Mapping) for p in params.values()):
        return done(params, i)
    if name == "identity" or not (name or params):
        return []
    op = re.sub(r"_\d+$", "", name)
    tensors = {n: v for n, v in params.items() if n not in ("gate", "channel_gate") and isinstance(v, Tensor)}
    parts = [phrase(n, value_of(v, i, is_vector(op, n))) for n, v in tensors.items()]
    if len(parts) > 1:  # of affine: which of the angles is it?
        parts = [f"{n} {part}" if n in MOVES and part else part for n, part in zip(tensors, parts, strict=True)]
    share = [f"({number(value_of(gate, i))})"] if isinstance(gate, Tensor) and (value_of(gate, i) < 1).any() else []
    return [" ".join([*filter(None, [op]), *filter(None, parts), *share])]


def is_vector(op: str, name: str) -> bool:
    """True if a leaf holds several numbers: in this op, or if its name is not known in all that have such a leaf."""
    alike = [spec.leaves[name].shape for spec in SPECS.values() if name in spec.leaves]
    if op in SPECS and name in SPECS[op].leaves:
        alike = [SPECS[op].leaves[name].shape]
    return bool(alike) and all(alike)


def value_of(t: Tensor, i: int, vector: bool = False) -> Tensor:
    """One sample's value; a vector may come without a batch."""
    t = t.detach().cpu()
    return t[min(i, len(t) - 1)] if t.ndim > vector else t


def phrase(name: str, value: Tensor) -> str:
    if name in SILENT or value.numel() > 4:
        return ""
    return WORDS.get(name, f"{name} {{}}").format(number(value))


def number(value: Tensor) -> str:
    """A number, or several, as short as a reader wants them."""
    texts = [f"{v:.3g}" for v in (value.flatten() + 0.0).tolist()]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
