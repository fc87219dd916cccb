"""Learning with ranges: gradients of a validation loss through training, critics, searches, and the worst case in them.

Every function is usable alone, with a model and a loop of one's own.
"""

from augfn.adversarial import worst_case
from augfn.learn.critic import critic_loss, gradient_penalty, policy_losses
from augfn.learn.estimators import relax
from augfn.learn.implicit import bilevel, hypergradient
from augfn.learn.invariance import augerino_loss, range_widths, reverse_gradient
from augfn.learn.local_features import affine_params, affine_shape, hardnet_loss, orientation, upright
from augfn.learn.matching import fit
from augfn.learn.policy import discrete, learnable, search_space, searchable, shares
from augfn.learn.score import surrogate_loss
from augfn.learn.search import search_policy
from augfn.policies.gan import ada_params, ada_probability

__all__ = [
    "ada_params",
    "ada_probability",
    "affine_params",
    "affine_shape",
    "augerino_loss",
    "bilevel",
    "critic_loss",
    "discrete",
    "fit",
    "gradient_penalty",
    "hardnet_loss",
    "hypergradient",
    "learnable",
    "orientation",
    "policy_losses",
    "range_widths",
    "relax",
    "reverse_gradient",
    "search_policy",
    "search_space",
    "searchable",
    "shares",
    "surrogate_loss",
    "upright",
    "worst_case",
]
