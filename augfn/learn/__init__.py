"""Learning with ranges: gradients of a validation loss through training, critics, searches, and the worst case in them.

Every function is usable alone, with a model and a loop of one's own.
"""

from augfn.adversarial import worst_case
from augfn.learn.critic import critic_loss, gradient_penalty, policy_losses
from augfn.learn.implicit import hypergradient
from augfn.learn.policy import discrete, learnable, search_space, searchable, shares
from augfn.learn.score import surrogate_loss
from augfn.learn.search import search_policy
from augfn.policies.gan import ada_params, ada_probability

__all__ = [
    "ada_params",
    "ada_probability",
    "critic_loss",
    "discrete",
    "gradient_penalty",
    "hypergradient",
    "learnable",
    "policy_losses",
    "search_policy",
    "search_space",
    "searchable",
    "shares",
    "surrogate_loss",
    "worst_case",
]
