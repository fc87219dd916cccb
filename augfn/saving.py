"""Saving: what `torch.save` writes of augfn is read again by `torch.load(weights_only=True)`.

That reader makes only what is registered: here the values and augmentations of augfn's own, which run nothing when they
are made. A pipeline with an op of another module is read after `torch.serialization.add_safe_globals([spec_at])` with
`spec_at` of `augfn.core.spec`, which imports that module.
"""

from __future__ import annotations

from torch.serialization import add_safe_globals

from augfn import distributions
from augfn.compose import Combined
from augfn.core.augmentation import Op
from augfn.core.boxes import Boxes, Keypoints
from augfn.core.spec import own_spec
from augfn.images import Conversion
from augfn.math.resample import Sampling
from augfn.typing import Leaf

SAFE = [getattr(distributions, name) for name in distributions.__all__]
SAFE += [Op, *Combined.__subclasses__(), Conversion, own_spec, Boxes, Keypoints, Leaf, Sampling]
add_safe_globals(SAFE)
