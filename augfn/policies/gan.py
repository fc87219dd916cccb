"""Augmentation of what a GAN's discriminator sees, real and generated images alike: DiffAugment, and ADA with its probability."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from augfn.compose import pipeline
from augfn.core.augmentation import Augmentation
from augfn.core.combined import Pipeline
from augfn.core.draw import Params
from augfn.distributions import Bernoulli, LogNormal, Normal
from augfn.errors import explain
from augfn.ops.geometric import affine, hflip, rotate, stretch, translate
from augfn.ops.linear import hue_rotation, linear_contrast, linear_saturation, luma_flip
from augfn.ops.occlude import cutout
from augfn.ops.photometric import brightness_shift, contrast, saturation
from augfn.ops.symmetry import quarter_turn


def diff_augment(size: int) -> Augmentation:
    """DiffAugment, color,translation,cutout, of images in [0, 1] (there [-1, 1]): brightness .25, saturation 0 to 2, contrast
    .5 to 1.5, shift by whole pixels up to an eighth, a hole of half the side; nothing is clipped. (Saturation is about the
    luma; there about the channels' mean.) Zhao et al. 2020."""
    return pipeline(
        brightness_shift(shift=(-0.25, 0.25), clip="none"),
        saturation(factor=(0.0, 2.0), clip="none"),
        contrast(factor=(0.5, 1.5), clip="none"),
        translate(translate=((-0.125, 0.125),) * 2, whole=True),
        cutout(size=0.5),
    )


def octaves(std: float) -> LogNormal:
    """2 to the power of a normal number."""
    return LogNormal(0.0, std * math.log(2))


def ada(size: int, p: float = 0.0) -> Augmentation:
    """ADA's `bgc`, of images in [0, 1] (there [-1, 1]): flips, quarter turns, whole shifts, zoom, turns, stretch, shifts as one
    resample with reflection (without ADA's sampling at twice the size); brightness, contrast, luma flip, hue, saturation as one
    matrix; nothing is clipped. Each with the probability p; `af.learn.ada_params(f, p)` has that of a step, and
    `af.learn.ada_probability` says the next one. Karras et al. 2020."""
    gate, part, turn = shares(probability(p)).values()
    return pipeline(
        hflip(p=Bernoulli(part)),
        quarter_turn(p=Bernoulli(gate)),
        translate(translate=((-0.125, 0.125),) * 2, whole=True, p=Bernoulli(gate)),
        zoom=affine(scale=octaves(0.2), p=Bernoulli(gate)),
        rotate=rotate(degrees=(-180, 180), p=Bernoulli(turn)),
        stretch=stretch(factor=octaves(0.2), p=Bernoulli(gate)),
        rotate_after=rotate(degrees=(-180, 180), p=Bernoulli(turn)),
        shift=translate(translate=Normal(0.0, 0.125), p=Bernoulli(gate)),
        brightness=brightness_shift(shift=Normal(0.0, 0.1), clip="none", p=Bernoulli(gate)),
        contrast=linear_contrast(factor=octaves(0.5), p=Bernoulli(gate)),
        luma_flip=luma_flip(p=Bernoulli(part)),
        hue=hue_rotation(hue=(-0.5, 0.5), p=Bernoulli(gate)),
        saturation=linear_saturation(factor=octaves(1.0), p=Bernoulli(gate)),
        padding_mode="reflection",
    )


def probability(p: Tensor | float) -> Tensor:
    if isinstance(p, int | float) and not 0 <= p <= 1:
        raise ValueError(explain("ada: not a probability", p, "0 to 1", "p=0.5"))
    return torch.as_tensor(p, dtype=torch.float32)


HALVED, TURNED = ("hflip", "luma_flip"), ("rotate", "rotate_after")


def shares(p: Tensor) -> dict[str, Tensor]:
    """The probability of a step; of a coin that is thrown after it; of each of two turns, of which one acts with it."""
    p = p.clamp(0, 1)
    return {"step": p, "coin": p / 2, "turn": 1 - torch.sqrt(1 - p)}


def ada_params(f: Pipeline, p: Tensor | float) -> Params:
    """The params of `recipe("ada")` at the probability p (a number, or a tensor: then without a new trace when compiled). Within
    a larger pipeline they are those of that step: `{"pipeline": ada_params(f, p)}`.

    >>> import augfn as af
    >>> f = af.recipe("ada", size=32)
    >>> params = af.learn.ada_params(f, 0.75)
    >>> params["zoom"]["gate"], params["rotate"]["gate"], params["hflip"]["gate"]
    (Bernoulli(probs=0.75), Bernoulli(probs=0.5), Bernoulli(probs=0.375))
    """
    if not f.params or not all(isinstance(step, dict) and "gate" in step for step in f.params.values()):
        raise ValueError(explain("ada_params: steps without a gate", f, "those of ADA", 'af.recipe("ada", size=32)'))
    step, coin, turn = shares(probability(p)).values()
    gates = {n: Bernoulli(coin if n in HALVED else turn if n in TURNED else step) for n in f.params}
    return {n: {**params, "gate": gates[n]} for n, params in f.params.items()}


def ada_probability(
    p: Tensor | float, real: Tensor, images: int | None = None, *, target: float = 0.6, horizon: int = 500_000
) -> Tensor:
    """The next probability: p + sign(r - target) images / horizon, within 0 and 1, where r = mean sign(D(real)) says how surely
    the discriminator knows (augmented) real images since the last change.

    * `real`: its outputs (logits) for them, of say four minibatches. `images`: how many that were, by default as many as
      outputs. `horizon`: in how many images p may go from 0 to 1.

    No gradient. Source: Karras et al. 2020.

    >>> ada_probability(0.5, torch.tensor([2.0, 1.0, 3.0, -1.0]), images=5000)
    tensor(0.4900)
    """
    r = real.detach().float().sign().mean()
    now = torch.as_tensor(p, dtype=r.dtype, device=r.device).detach()
    return (now + torch.sign(r - target) * (real.numel() if images is None else images) / horizon).clamp(0, 1)
