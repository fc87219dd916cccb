"""Score-function gradients: for what a draw cannot carry a gradient to, by the log-probability of what was drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from augfn.core.augmentation import Augmentation
from augfn.core.combined import Maybe, OneOf
from augfn.core.draw import Params, leaves_of, merge
from augfn.distributions import Distribution
from augfn.errors import explain
from augfn.learn.policy import check
from augfn.run.mode import asks_gradient


def surrogate_loss(f: Augmentation, losses: Tensor, drawn: Params, ranges: Params | None = None) -> Tensor:
    """The mean of `losses`, whose gradient is that of the expected loss in every number of the ranges:

        mean_i [ l_i + (l_i - b_i) sum_j log p_j(d_ij) ],     b_i = mean of the other samples' losses

    The first term carries the gradient of draws that are differentiable (ranges, relaxed and straight-through gates); the
    second is there for the leaves j whose distribution learns while its draw has no gradient, such as `LogitBernoulli`,
    `LogitChoice` and `Bernoulli`: so the distribution says which estimator it is. Both are unbiased (the
    straight-through gradient is not).

    | argument | meaning |
    |---|---|
    | `f` | the augmentation that was called; the leaves of a branch that was not chosen are left out, which lowers the variance |
    | `losses` | one for each sample, `[B]` |
    | `drawn` | the params that the call returned |
    | `ranges` | those it was called with; what they leave out, or None: the augmentation's own |

    The value is that of the mean loss. Raises ValueError for losses of another shape, of none, and for params that are not
    drawn, or of another augmentation; TypeError for what is no augmentation, and for losses that are not floating.

    Sources: Williams 1992 (REINFORCE); Schulman et al. 2015 (surrogate losses); the baseline is that of Kool et al. 2019.

    >>> import augfn as af
    >>> logit = torch.tensor(0.0, requires_grad=True)
    >>> f = af.brightness(factor=0.5, p=af.LogitBernoulli(logit))
    >>> y, drawn = f(torch.ones(4000, 1, 1, 1), None, af.key(0))
    >>> surrogate_loss(f, y.flatten(), drawn).backward()
    >>> torch.isclose(logit.grad, torch.tensor(-0.125), atol=0.01)  # of 1 - sigmoid(logit) / 2
    tensor(True)
    """
    check("surrogate_loss", f)
    if not isinstance(losses, Tensor) or not losses.is_floating_point():
        want = "surrogate_loss(f, losses, drawn), with losses a floating tensor [B]"
        fix = 'losses = F.cross_entropy(logits, y, reduction="none")'
        raise TypeError(explain("surrogate_loss: losses", losses, want, fix))
    if losses.ndim != 1 or not len(losses):
        want, fix = "one for each sample, [B]", 'reduction="none"'
        raise ValueError(explain("surrogate_loss: losses", losses, want, fix))
    given, values = leaves_of(merge(ranges, f.params, f.schema, f.name)), leaves_of(drawn)
    weights = dict(relevance(f, drawn))
    ranged = [path for path, d in given.items() if isinstance(d, Distribution)]
    if any(isinstance(d, Distribution) for d in values.values()) or (ranged and not any(p in values for p in ranged)):
        want, fix = f"the params that the call returned, with {', '.join(ranged)}", "y, drawn = f(x, None, key)"
        raise ValueError(explain("surrogate_loss: params that are not drawn", drawn, want, fix))
    score = torch.zeros_like(losses)
    for path, d in given.items():
        if (
            isinstance(d, Distribution)
            and path in values
            and not learns(values[path])
            and learns(*[getattr(d, n) for n in d.fields])
        ):
            log = d.log_prob(values[path]).to(losses)
            if log.shape[:1] != losses.shape:
                want, fix = f"one for each sample, [{len(log)}]", 'reduction="none"'
                raise ValueError(explain("surrogate_loss: losses", losses, want, fix))
            weight = weights[path]
            score = score + log.reshape(len(losses), -1).sum(-1) * (1.0 if weight is None else weight.to(losses))
    return (losses + (losses - others(losses)).detach() * (score - score.detach())).mean()


def learns(*tensors: Tensor) -> bool:
    return any(asks_gradient(t) for t in tensors)


def others(losses: Tensor) -> Tensor:
    """The mean of the other samples' losses; 0 where there are none."""
    return (losses.sum() - losses) / max(len(losses) - 1, 1)


def relevance(
    f: Any, drawn: Params, prefix: str = "", weight: Tensor | None = None
) -> Iterator[tuple[str, Tensor | None]]:
    """For every leaf whether it has an effect on a sample, `[B]` of 0 and 1; None: on all."""
    steps = getattr(f, "steps", {})
    yield from ((f"{prefix}{n}", weight) for n, v in drawn.items() if isinstance(v, Tensor))
    for i, (name, g) in enumerate(steps.items()):
        if name not in drawn:
            continue
        own = weight
        if isinstance(f, OneOf | Maybe):
            gate = (drawn["choice"][..., i] if isinstance(f, OneOf) else drawn["gate"]).detach()
            gate = (gate > 0).to(gate.dtype)  # a relaxed gate lets all that lies behind it act
            own = gate if weight is None else weight * gate
        yield from relevance(g, drawn[name], f"{prefix}{name}/", own)
