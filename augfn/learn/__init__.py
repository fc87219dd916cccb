"""Learning with ranges: gradients of a validation loss through training, critics, searches, and the worst case in them.

Every function is usable alone, with a model and a loop of one's own.
"""

from augfn.adversarial import worst_case
from augfn.learn.implicit import hypergradient
from augfn.learn.local_features import affine_params, affine_shape, hardnet_loss, orientation, upright
from augfn.policies.gan import ada_params, ada_probability

__all__ = [
    "ada_params",
    "ada_probability",
    "affine_params",
    "affine_shape",
    "hardnet_loss",
    "hypergradient",
    "orientation",
    "upright",
    "worst_case",
]
