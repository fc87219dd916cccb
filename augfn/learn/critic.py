"""Critics of images: the Wasserstein loss that tells augmented images from real ones, and its gradient penalty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from augfn import random
from augfn.errors import explain
from augfn.run.mode import is_functional

Critic = Callable[[Tensor], Any]


def critic_loss(
    critic: Critic,
    real: Tensor,
    fake: Tensor,
    key: Tensor,
    *,
    penalty: float = 10.0,
    labels: Tensor | None = None,
    class_weight: float = 0.1,
) -> Tensor:
    """What a critic D minimises to tell real images x from augmented ones y:

        mean D(y) - mean D(x) + penalty * gradient_penalty + class_weight * cross_entropy(logits(x), labels)

    | argument | meaning |
    |---|---|
    | `critic(images)` | one score for each image, `[B]` or `[B, 1]`, or a pair of it and the logits of a classifier `[B, K]`;
    a sample's score must not depend on the others (GroupNorm or LayerNorm rather than BatchNorm) |
    | `real`, `fake` | images `[B, ...]` of one shape; different images, since a critic of pairs teaches to do nothing |
    | `key` | one, of the points between them |
    | `penalty` | the weight of the gradient penalty, 0 for none |
    | `labels` | of the real images, for the class loss; None: none |

    No gradient reaches `fake`. Returns a scalar. Raises ValueError for shapes that do not fit, an empty batch, labels without
    logits, and negative weights.

    It works under `torch.func` and, as one graph, under `torch.compile`: compile the loss, or the step around it, rather than
    the critic, since torch has no second derivative of a critic that is compiled by itself. There the critic may change no
    buffers (BatchNorm in training does), and its `autograd.Function`s need `setup_context`.

    Sources: Gulrajani et al. 2017 (WGAN-GP); Hataya et al. 2020 (Faster AutoAugment).

    >>> import augfn as af
    >>> mean = lambda x: 2 * x.mean((1, 2, 3))
    >>> critic_loss(mean, torch.ones(4, 1, 2, 2), torch.zeros(4, 1, 2, 2), af.key(0))  # -2 + 10 (|2 / 4| 2 - 1)^2
    tensor(-2.)
    """
    check("critic_loss", real, fake)
    if not (penalty >= 0 and class_weight >= 0):
        given = {"penalty": penalty, "class_weight": class_weight}
        raise ValueError(explain("critic_loss: weights", given, "0 or more", "penalty=10.0, class_weight=0.1"))
    fake = fake.detach()
    score, logits = outputs_of(critic, real)
    loss = outputs_of(critic, fake)[0].mean() - score.mean()
    if penalty:
        loss = loss + penalty * gradient_penalty(critic, real, fake, key)
    return loss if labels is None else loss + class_weight * F.cross_entropy(with_logits(logits), labels)


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, key: Tensor, *, norm: float = 1.0) -> Tensor:
    """How far the slope of a critic is from `norm`, at a random point between each real image and a fake one:

        mean_i (|grad D(z_i)| - norm)^2,     z_i = e_i real_i + (1 - e_i) fake_i,     e_i ~ U(0, 1)

    The norm is that of each sample's own gradient, over all its pixels. `critic`, `real`, `fake`, `key` are those of
    `critic_loss`. No gradient reaches the images. Returns a scalar, differentiable in the critic. Source: Gulrajani et al.
    2017.

    >>> import augfn as af
    >>> real, fake, slope = torch.rand(4, 3), torch.rand(4, 3), torch.tensor([2.0, 2.0, 1.0])
    >>> gradient_penalty(lambda x: x @ slope, real, fake, af.key(0))  # (3 - 1)^2, wherever it is asked
    tensor(4.)
    """
    check("gradient_penalty", real, fake)
    if isinstance(key, Tensor) and key.ndim > 1:
        raise ValueError(explain("gradient_penalty: key", key, "one key [2] for the batch", "key=af.key(0)"))
    kind = torch.promote_types(real.dtype, fake.dtype)  # under autocast generated images are in half precision
    if not kind.is_floating_point:
        raise TypeError(explain("gradient_penalty: images", real, "floating images", "af.to_float(images)"))
    share = random.uniform(key, (len(real),)).to(real.device, kind).reshape(-1, *[1] * (real.ndim - 1))
    between = torch.lerp(fake.detach().to(kind), real.detach().to(kind), share)
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):  # the only attention with a second derivative
        slopes = slopes_of(critic, between)
    slopes = slopes.flatten(1).to(torch.promote_types(kind, torch.float32))  # the square of 256 is infinite in float16
    return ((torch.linalg.vector_norm(slopes, dim=1) - norm) ** 2).mean()


def slopes_of(critic: Critic, images: Tensor) -> Tensor:
    """The gradient of each score to its image, differentiable in the critic.

    `torch.func.grad` takes fewer critics than `autograd.grad`: none with BatchNorm in training, checkpoints, or a compiled
    part. So it is for where the other has no place.
    """

    def score(x: Tensor) -> Tensor:
        total = outputs_of(critic, x)[0].sum()
        if not total.requires_grad:
            want = "a score that is differentiable in the images"
            fix = "a critic without detach() and no_grad(), and no inference_mode() around it"
            raise ValueError(explain("gradient_penalty: a critic without a gradient", total, want, fix))
        return total

    if is_functional():
        return torch.func.grad(score)(images)
    images.requires_grad_()
    return torch.autograd.grad(score(images), images, create_graph=True, materialize_grads=True)[0]


def policy_losses(critic: Critic, fake: Tensor, labels: Tensor | None = None, class_weight: float = 0.1) -> Tensor:
    """What a policy minimises against a critic D, for each augmented image `[B]`: class_weight * cross_entropy - D(y).

    >>> policy_losses(lambda x: x.mean((1, 2, 3)), torch.ones(2, 1, 4, 4))
    tensor([-1., -1.])
    """
    score, logits = outputs_of(critic, fake)
    if labels is None:
        return -score
    return class_weight * F.cross_entropy(with_logits(logits), labels, reduction="none") - score


def outputs_of(critic: Critic, images: Tensor) -> tuple[Tensor, Tensor | None]:
    """The score of each image `[B]`, and the logits where there are any."""
    made = critic(images.clone())  # a first layer that works in place changes no one's images, and no leaf
    score, logits = made if isinstance(made, tuple) else (made, None)
    if not isinstance(score, Tensor) or score.shape not in ((len(images),), (len(images), 1)):
        want = f"a score for each image, [{len(images)}], or (scores, logits)"
        raise ValueError(explain("a critic's output", score, want, "return self.head(features).flatten()"))
    return score.reshape(-1), logits


def with_logits(logits: Tensor | None) -> Tensor:
    if logits is None:
        want, fix = "a pair (scores, logits)", "return both, or leave labels out"
        raise ValueError(explain("labels, and a critic without a classifier", "scores alone", want, fix))
    return logits


def check(what: str, real: Tensor, fake: Tensor) -> None:
    if not (isinstance(real, Tensor) and isinstance(fake, Tensor)):
        given = [type(x).__name__ for x in (real, fake)]
        raise TypeError(explain(f"{what}: real and fake images", given, "two tensors [B, ...]", "torch.stack(images)"))
    if real.shape != fake.shape or real.ndim < 2 or not len(real):
        given = [list(real.shape), list(fake.shape)]
        want = "one shape [B, ...], B at least 1"
        raise ValueError(explain(f"{what}: real and fake images", given, want, "batches of one size"))
