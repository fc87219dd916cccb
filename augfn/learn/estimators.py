"""Gradients of expected losses to the probabilities of gates and choices, without bias."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from augfn import random
from augfn.core.draw import leaves_of, nested
from augfn.distributions import Bernoulli, Choice, Distribution, GumbelChoice, RelaxedBernoulli
from augfn.errors import explain
from augfn.learn.score import others
from augfn.math.variates import HALF_STEP, one_hot

Values = Callable[[Any], Tensor]
TEMPERATURE = 0.5  # of the relaxed values of Bernoulli and Choice, which have none of their own


def relax(
    loss: Values,
    params: Any,
    key: Tensor,
    control: Values | float | Tensor | None = None,
    *,
    n: int,
) -> Tensor:
    """The losses `[n]` of n draws of all gates and choices, whose gradient to their probabilities is RELAX's estimator:

        (f(b) - c(s~)) d log p(b) + d c(s) - d c(s~)

    with the loss f, hard draws b, a control variate c, relaxed values s = sigmoid(z / T) or softmax(z / T) of noisy logits z
    that give b, and s~ of others that are drawn given b. It is unbiased for any c; a good one takes the variance away.

    | argument | meaning |
    |---|---|
    | `loss(drawn)` | the losses `[n]`, i-th of the i-th draw alone; `drawn` is as `params`, with a hard draw `[n, ...]` in the
    place of each gate and choice |
    | `params` | an augmentation's params, or one distribution. What is drawn: `Bernoulli`, `RelaxedBernoulli`, `Choice`,
    `GumbelChoice`, of relaxed ones those with hard=True; the logits of a leaf of several numbers, such as a gate for each
    channel, are as many. All else stays as it is, so that the augmentation draws it, and its gradient is that of the draw |
    | `key` | one key |
    | `control(relaxed)` | c as a function of the same tree with relaxed values, `[n]`, such as a small net, a multiple of `loss`
    itself (REBAR), or both. A number, or a tensor `[]` or `[n]`: a constant baseline. None: the mean loss of the other draws
    (for n = 1: none). Both are REINFORCE with a baseline |
    | `n` | how many draws: as many as there are images, where each is augmented by a draw of its own |

    `relax(...).mean().backward()` reaches logits, ranges and the net's weights alike. The control variate learns to lower the
    variance: the gradient of the squared estimate to its weights is unbiased too. Take that alone, as below: what
    `backward()` leaves in the control's own `.grad` is noise. Samples must not see each other's draws, as they do through
    BatchNorm in training.

    Temperatures do not learn. Raises ValueError where nothing is there to draw, n is not positive, a loss or control has
    another shape, or a control is given for a distribution that has no relaxation here. Source: Grathwohl et al. 2018,
    "Backpropagation through the void" (RELAX); Tucker et al. 2017 (REBAR); for augmentation Li et al. 2020 (DADA).

    >>> import augfn as af
    >>> logits = torch.zeros((), requires_grad=True)
    >>> control = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    >>> f = lambda b: (b - 0.45) ** 2  # E f is p .3025 + (1 - p) .2025: its slope at p = 1/2 is .1 p (1 - p) = .025
    >>> def estimate(step):
    ...     found = relax(f, af.RelaxedBernoulli(logits), af.key(step), lambda s: control(s[:, None])[:, 0], n=256)
    ...     return torch.autograd.grad(found.mean(), logits, create_graph=True)[0]
    >>> optimizer = torch.optim.Adam(control.parameters(), 0.03)
    >>> for step in range(8):
    ...     slopes = torch.autograd.grad(estimate(step).square(), list(control.parameters()), materialize_grads=True)
    ...     for weight, slope in zip(control.parameters(), slopes):
    ...         weight.grad = slope
    ...     optimizer.step()
    >>> abs(estimate(99).item() - 0.025) < 0.01
    True
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(explain("relax: n", n, "a positive number of draws", "n=len(images)"))
    tree = params if isinstance(params, dict) else {"": params}
    leaves = leaves_of(tree)
    drawn = {path: d for path, d in leaves.items() if isinstance(d, Distribution) and d.hard}
    if not drawn:
        want = "the params of an augmentation with at least one gate or choice; of relaxed ones hard=True"
        fix = "f.params, of f = af.learn.learnable(af.hflip(p=0.5))"
        raise ValueError(explain("relax: nothing to draw", params, want, fix))
    keys = {path: random.fold_in(key, random.salt(path)) for path in drawn}

    def found(what: str, function: Values, values: dict[str, Tensor]) -> Tensor:
        whole = nested(tree, iter([values.get(path, leaf) for path, leaf in leaves.items()]))
        return checked(what, function(whole if isinstance(params, dict) else whole[""]), n)

    if not callable(control):
        if isinstance(control, Tensor) and control.shape not in ((), (n,)):
            want, fix = f"one number, or one for each draw [{n}]", "control=losses.mean()"
            raise ValueError(explain("relax: the baseline", control, want, fix))
        hard = {path: d.draw(uniform(keys[path], (n, *d.noise_shape), d)).detach() for path, d in drawn.items()}
        f = found("loss", loss, hard)
        level = others(f.detach()) if control is None else control
        return with_gradient(f, (f.detach() - level) * score(drawn, hard))
    z = {path: noisy(d, uniform(keys[path], (n, *d.shape), d)) for path, d in drawn.items()}
    hard = {path: outcome(d, z[path]) for path, d in drawn.items()}
    given = {
        path: noisy_given(d, hard[path], uniform(random.fold_in(keys[path], 1), (n, *d.shape), d))
        for path, d in drawn.items()
    }
    s, s_given = ({path: relaxed(d, values[path]) for path, d in drawn.items()} for values in (z, given))
    f, still = found("loss", loss, hard), {path: value.detach() for path, value in s_given.items()}
    c, c_given, level = (found("control", control, values) for values in (s, s_given, still))
    return with_gradient(f, (f.detach() - level) * score(drawn, hard) + c - c_given)


def with_gradient(value: Tensor, correction: Tensor) -> Tensor:
    """The value, with the gradient of the correction added to its own."""
    return value + (correction - correction.detach())


def score(drawn: dict[str, Any], values: dict[str, Tensor]) -> Tensor:
    """The log mass `[n]` of all draws together."""
    each = [d.log_prob(values[path]) for path, d in drawn.items()]
    return torch.stack([log.reshape(len(log), -1).sum(1) for log in each]).sum(0)


def uniform(key: Tensor, shape: tuple[int, ...], d: Distribution) -> Tensor:
    """Noise inside (0, 1), in the precision and on the device of the distribution."""
    field = getattr(d, d.fields[0])
    return random.uniform(key.to(field.device), shape).to(field.dtype)


def checked(what: str, found: Any, n: int) -> Tensor:
    if not isinstance(found, Tensor) or found.shape != (n,):
        want, fix = f"one number for each draw [{n}]", 'F.cross_entropy(logits, y, reduction="none")'
        raise ValueError(explain(f"relax: the {what}", found, want, fix))
    return found


# noisy logits z, with b = [z > 0], or the place of the largest


def logits_of(d: Distribution) -> Tensor:
    """The logits of a gate; of a choice the logarithms of the probabilities. Those of 0 and 1 are finite, for without that
    their gradient would be NaN."""
    if isinstance(d, RelaxedBernoulli):
        return d.logits
    if isinstance(d, Bernoulli):
        return log(d.probs) - log(1 - d.probs)
    if isinstance(d, GumbelChoice):
        return torch.log_softmax(d.logits, -1)
    if isinstance(d, Choice):
        return log(d.weights) - torch.log(d.weights.sum(-1, keepdim=True))
    want, fix = "Bernoulli, RelaxedBernoulli, Choice or GumbelChoice", "control=None"
    raise ValueError(explain("relax: no relaxation of a distribution", d, want, fix))


def log(x: Tensor) -> Tensor:
    return torch.log(x.clamp_min(torch.finfo(x.dtype).tiny))


def is_gate(d: Distribution) -> bool:
    return isinstance(d, Bernoulli | RelaxedBernoulli)


def logistic(u: Tensor) -> Tensor:
    return torch.log(u + HALF_STEP) - torch.log1p(-(u + HALF_STEP))


def exponential(u: Tensor) -> Tensor:
    return -torch.log(u + HALF_STEP)


def noisy(d: Distribution, u: Tensor) -> Tensor:
    logits = logits_of(d)
    return logits + (logistic(u) if is_gate(d) else -torch.log(exponential(u)))


def outcome(d: Distribution, z: Tensor) -> Tensor:
    return (z > 0).to(z.dtype) if is_gate(d) else one_hot(z.argmax(-1), z)


def noisy_given(d: Distribution, hard: Tensor, u: Tensor) -> Tensor:
    """z among those that give this outcome, as a function of the logits.

    A gate's is +- log(1 + v / ((1 - v) P(other outcome))). Of a choice the largest is Gumbel, -log e, and the others are
    -log(e' / p + e), with e and e' exponential.
    """
    logits = logits_of(d)
    if is_gate(d):
        sign = 2 * hard - 1
        return sign * softplus(logistic(u) + softplus(sign * logits))
    e = exponential(u)
    top = (e * hard).sum(-1, keepdim=True)
    rest = torch.logaddexp(torch.log(e) - logits, torch.log(top))
    return -torch.where(hard > 0.5, torch.log(top), rest)


def relaxed(d: Distribution, z: Tensor) -> Tensor:
    z = z / getattr(d, "temperature", z.new_tensor(TEMPERATURE)).detach().to(z)
    return torch.sigmoid(z) if is_gate(d) else torch.softmax(z, -1)
