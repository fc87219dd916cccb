"""Ready-made modules for a purpose."""

from augfn_nn.presets.ada import AdaptiveDiscriminatorAugmentation

__all__ = ["AdaptiveDiscriminatorAugmentation"]
