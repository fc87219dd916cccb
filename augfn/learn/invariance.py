"""Learned invariances: ranges that a loss holds as wide as it bears them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

from augfn.core.draw import Params, leaves_of
from augfn.distributions import Interval, Knots, LogUniform, Span, Uniform
from augfn.errors import explain, unknown
from augfn.run.peek import peek


def augerino_loss(
    task_loss: Tensor,
    params: Params,
    weight: float | Tensor = 0.1,
    *,
    units: Mapping[str, float] | None = None,
    limit: float = math.inf,
) -> Tensor:
    """The task's loss, less a reward for wide ranges:

        loss - weight ||W||_2,     W_i = (high_i - low_i) / unit_i

    where the reward is left out, with its gradient, as soon as one W_i reaches the limit. Training draws one sample of each
    image. The ranges grow until the task's loss resists: to the largest that leave the labels as they are.

    | argument | meaning |
    |---|---|
    | `task_loss` | any shape, such as the mean cross entropy of augmented images |
    | `params` | an augmentation's params with their distributions, as they were drawn from |
    | `weight` | lambda >= 0, neutral 0; it decides how far a range goes: try several |
    | `units` | which ranges count, by path, and how much of each is 1: `{"rotate/degrees": 57.3}` for radians. None:
    all that there are, as they are |
    | `limit` | in these units; the paper's code has 10 |

    What is a range: `Uniform`, `Interval`, `Span`, `Knots`, and, in the logarithm, `LogUniform`. Start wide: a narrow range
    moves little, since a weak gradient of the task decides on it before the net has learned what it may ignore. One number for
    (-w, w) is `Span(w, [[-1.0], [1.0]])`; of softplus(raw) it stays positive without a clamp. The reward has no gradient at
    width 0. A net is tested with the mean of its log probabilities over some copies: `af.tta(lambda x:
    net(x).log_softmax(-1), f, n=4)(x, key, params)`.

    Raises ValueError where no range is found, a path in `units` is unknown, or no range; for a unit or limit that is not
    positive, and a negative weight; TypeError for a loss that is no tensor. Source: Benton et
    al. 2020, "Learning invariances in neural networks from training data" (Augerino); there W is the full width too.

    >>> import augfn as af
    >>> w = torch.tensor(30.0, requires_grad=True)  # degrees
    >>> params = {"rotate": {"degrees": af.Span(w, [[-1.0], [1.0]])}}
    >>> loss = augerino_loss(torch.tensor(2.0), params, 0.5, units={"rotate/degrees": 10.0})
    >>> loss.backward()
    >>> loss.item(), w.grad.item()
    (-1.0, -0.1)
    """
    if not isinstance(task_loss, Tensor):
        raise TypeError(explain("augerino_loss: task_loss", task_loss, "a tensor", "F.cross_entropy(net(y), labels)"))
    known = peek(weight) if isinstance(weight, Tensor) else weight
    if not (known is None or known >= 0) or not limit > 0:
        given, want = {"weight": weight, "limit": limit}, "weight >= 0 and limit > 0"
        raise ValueError(explain("augerino_loss", given, want, "weight=0.1"))
    each = torch.cat([w.reshape(-1) for w in range_widths(params, units).values()])
    reward = torch.where((each.detach().abs() < limit).all(), torch.linalg.vector_norm(each), 0.0)
    return task_loss - weight * reward.to(task_loss)


def range_widths(params: Params, units: Mapping[str, float] | None = None) -> dict[str, Tensor]:
    """The full width high - low of each range by its path, in its unit; of `LogUniform` that of the logarithms.

    `units` and errors as in `augerino_loss`.

    >>> import augfn as af
    >>> f = af.pipeline(af.rotate(degrees=(-15, 15)), af.hflip(p=0.5))
    >>> range_widths(f.params, {"rotate/degrees": 90.0})
    {'rotate/degrees': tensor(0.3333)}
    """
    if not isinstance(params, Mapping) or not (units is None or isinstance(units, Mapping)):
        given = units if isinstance(params, Mapping) else params
        want = "params, a dict with their distributions, and units by path"
        fix = 'range_widths(f.params, {"rotate/degrees": 57.3}), and so for augerino_loss'
        raise TypeError(explain("range_widths", given, want, fix))
    leaves = leaves_of(params)  # type: ignore[arg-type]
    if units is None:
        units = {path: 1.0 for path, leaf in leaves.items() if isinstance(leaf, WIDE)}
    if not units:
        want, fix = "at least one range", "af.rotate(degrees=(-15, 15)).params"
        raise ValueError(explain("range_widths: no ranges", params, want, fix))
    found = {}
    for path, unit in units.items():
        if path not in leaves:
            raise ValueError(unknown("range", path, leaves))
        if not unit > 0:
            raise ValueError(explain(f"range_widths: the unit of {path}", unit, "a positive number", f'"{path}": 1.0'))
        found[path] = width_of(path, leaves[path]) / unit
    return found


WIDE = (Uniform, Interval, Span, Knots, LogUniform)


def width_of(path: str, leaf: Any) -> Tensor:
    if isinstance(leaf, Interval):
        return leaf.bounds[..., 1] - leaf.bounds[..., 0]
    if isinstance(leaf, Span):
        low, high = leaf.ends(leaf.x).unbind(-1)
        return high - low
    if isinstance(leaf, LogUniform):
        return leaf.high.log() - leaf.low.log()
    if isinstance(leaf, Uniform | Knots):
        return leaf.high - leaf.low
    names = ", ".join(kind.__name__ for kind in WIDE)
    fix = "af.Uniform(low, high), or leave it out of units"
    raise ValueError(explain(f"range_widths: {path} is no range", leaf, f"one of {names}", fix))


def reverse_gradient(params: Any, scale: float | Tensor = 1.0) -> Any:
    """The same values, with gradients times -scale: what lies behind ascends the loss that what lies before descends.

    For adversarial ranges (AdvAugment): one loss, one backward and one optimizer train the net against the ranges, and the
    ranges against the net. `params`: any pytree; floating tensors, those of distributions too, are reversed. An ascent has no
    end of its own: keep ranges inside by `augfn_nn.Augment(f, learnable=True)`, whose `params` are handed in here, or by a
    bijection such as a sigmoid. `augfn.learn.worst_case` is the same for each image's own params.

    Raises TypeError for what holds no tensor, such as an augmentation itself (hand in its `params`).

    A curriculum by gradient: a `Curriculum` takes a tensor, so that `progress = sigmoid(raw)` learns by the same loss.

    Sources: Ganin and Lempitsky 2015 (the reversal); Zhang et al. 2020, "Adversarial AutoAugment".

    >>> import augfn as af
    >>> bounds = torch.tensor([0.8, 1.2], requires_grad=True)
    >>> params = reverse_gradient({"factor": af.Interval(bounds)})
    >>> y, _ = af.brightness(clip="none")(torch.ones(64, 1, 1, 1), params, af.key(0))
    >>> (y.mean() - 2).square().backward()  # brighter is better, so the ranges turn darker: SGD goes by -grad
    >>> (bounds.grad > 0).tolist()
    [True, True]
    """
    leaves = tree_leaves(params)
    if leaves and not any(isinstance(x, Tensor) for x in leaves):
        want, fix = (
            "a pytree with tensors, such as the params of an augmentation",
            "reverse_gradient(f.params)",
        )
        raise TypeError(explain("reverse_gradient: nothing to reverse", params, want, fix))
    return tree_map_only(Tensor, lambda x: reversed_of(x, scale) if x.is_floating_point() else x, params)


def reversed_of(x: Tensor, scale: float | Tensor) -> Tensor:
    step = torch.where(x.isfinite(), x - x.detach(), 0.0)  # an open end stays
    return x.detach() - scale * step
