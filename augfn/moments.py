"""Mean and standard deviation of a dataset's channels, streaming and exact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from augfn.errors import explain
from augfn.math.integers import to_unit


class Stats(NamedTuple):
    """Mean and standard deviation of each channel, `[C]`, as `normalize(mean=..., std=...)` takes them."""

    mean: Tensor
    std: Tensor


def channel_stats(loader: Iterable[Any], *, name: str = "image", max: float | None = None) -> Stats:
    """Mean and standard deviation of each channel over all pixels of all images, in float64, in one pass (the batches'
    moments are combined as Chan et al. 1983 do, which loses no digits).

    `loader` gives images `[C, H, W]` or batches `[B, C, H, W]` (videos and volumes likewise: channels are third from the
    right), of any sizes: tensors, tuples of which the first is one, or dicts with a `name`. Integers are divided by their
    full scale, as `to_float` does with `max`. The standard deviation is that of the population.

    >>> import augfn as af
    >>> mean, std = af.channel_stats([torch.zeros(2, 1, 4, 4), torch.ones(1, 4, 8)])
    >>> mean, std
    (tensor([0.5000], dtype=torch.float64), tensor([0.5000], dtype=torch.float64))
    """
    count, mean, square = 0, torch.zeros(()), torch.zeros(())
    for item in loader:
        x = image_of(item, name)
        rows = to_unit(x, max).detach().to(torch.float64).movedim(-3, 0).flatten(1)
        n, own = rows.shape[1], rows.mean(1)
        if not n:
            continue
        if count and len(own) != len(mean):
            given, want = f"{len(own)} channels", f"{len(mean)}, as in the first"
            raise ValueError(explain("channel_stats: images differ", given, want, "one kind of images at a time"))
        apart, own_square = own - mean, ((rows - own[:, None]) ** 2).sum(1)
        total = count + n
        mean = own if not count else mean + apart * (n / total)
        square = own_square if not count else square + own_square + apart**2 * (count * n / total)
        count = total
    if not count:
        raise ValueError(explain("channel_stats: no images", loader, "at least one", "a loader that gives images"))
    return Stats(mean, (square / count).sqrt())


def image_of(item: Any, name: str) -> Tensor:
    """The image of what a loader gives."""
    if isinstance(item, Mapping):
        if name not in item:
            raise ValueError(explain("channel_stats: no such name", name, f"one of {list(item)}", 'name="image"'))
        item = item[name]
    elif isinstance(item, list | tuple):
        item = item[0]
    if not isinstance(item, Tensor) or item.ndim < 3:
        fix = "af.to_float(image), channels first"
        raise TypeError(explain("channel_stats: not an image", item, "a tensor [..., C, H, W]", fix))
    return item
