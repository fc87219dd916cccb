"""Distributions: frozen pytree nodes with tensor leaves, each a differentiable function of uniform noise.

`d.shape` is the shape of one sample's value, `d.noise_shape` that of the uniform numbers it takes, and `d.draw(u)`
maps noise `[*b, *noise_shape]` to values `[*b, *shape]`. A draw is a smooth function of the distribution's tensors, so
a loss reaches the ranges, and the next draw follows an optimizer's step.
"""

from augfn.distributions.base import Distribution
from augfn.distributions.continuous import (
    Beta,
    Constant,
    Dirichlet,
    Exponential,
    Interval,
    LogNormal,
    LogUniform,
    Normal,
    Span,
    TruncatedNormal,
    Uniform,
)
from augfn.distributions.discrete import Bernoulli, Choice, GumbelChoice, LogitBernoulli, LogitChoice, RelaxedBernoulli
from augfn.distributions.magnitude import Magnitude
from augfn.distributions.paths import Knots
from augfn.distributions.quantiles import InverseUniform, Quantiles

__all__ = [
    "Bernoulli",
    "Beta",
    "Choice",
    "Constant",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "GumbelChoice",
    "Interval",
    "InverseUniform",
    "Knots",
    "LogNormal",
    "LogUniform",
    "LogitBernoulli",
    "LogitChoice",
    "Magnitude",
    "Normal",
    "Quantiles",
    "RelaxedBernoulli",
    "Span",
    "TruncatedNormal",
    "Uniform",
]
