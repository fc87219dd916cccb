"""Views: several augmentations of one batch from one key."""

from __future__ import annotations

from typing import Any

from augfn.compose import named
from augfn.core.augmentation import Augmentation
from augfn.core.combined import Combined
from augfn.core.draw import Params
from augfn.core.targets import Sample
from augfn.core.timed import drawn_for
from augfn.errors import explain


class Views(Combined):
    """Its steps, each on the sample as it came; what comes out is a tuple."""

    many = True

    def on(self, sample: Sample, tree: Params, generator: Any) -> tuple[Any, Params]:
        drawn = drawn_for(self, sample, tree, generator)
        return tuple(f.on(sample, drawn[n], None)[0] for n, f in self.steps.items()), drawn


def views(*fs: Any, **named_views: Augmentation) -> Views:
    """Several views of a batch: `views(f, n)` draws n times from f, `views(f, g, ...)` once from each (multi-crop: of any
    sizes).

    `f(x, None, key)` returns a tuple of the views and the params of all of them, under `view_1`, `view_2`, ..., so that
    an equivariance loss can undo what each did: `af.invert(f)(y, params["view_1"])`, where `f.steps["view_1"]` is what made
    the first one.

    >>> import torch, augfn as af
    >>> f = af.views(af.pipeline(af.resized_crop(size=8), af.hflip(p=0.5)), 2)
    >>> (first, second), params = f(torch.rand(4, 3, 16, 16), None, af.key(0))
    >>> first.shape, list(params)
    (torch.Size([4, 3, 8, 8]), ['view_1', 'view_2'])
    """
    if len(fs) == 2 and isinstance(fs[1], int) and not isinstance(fs[1], bool):
        f, n = fs
        if n < 1:
            raise ValueError(explain("views: how many?", n, "a positive whole number", "views(f, 2)"))
        fs = (f,) * n
    steps = {f"view_{i + 1}": f for i, f in enumerate(fs)} | named_views
    known = named([], steps, "views")
    return Views("views", known, {}, {})
