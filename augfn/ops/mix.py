"""Mixing: every sample meets a partner from the batch."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial, reduce
from typing import Annotated, Any

import torch
from torch import Tensor

from augfn import random
from augfn.core.actions import Layer, Size
from augfn.core.augmentation import mixing
from augfn.core.partners import Partners, taken
from augfn.distributions import Beta, Uniform
from augfn.errors import explain
from augfn.math.maps import Gather, Map
from augfn.math.resample import Sampling, fill_like
from augfn.math.shapes import expand
from augfn.math.variates import seed_key
from augfn.math.windows import lines_of, put_each, rectangle, spans_of, summed
from augfn.random import unit
from augfn.typing import Leaf, Seed, SortKey, Weight

WHOLE = "a cut has whole pixels"
SIDES = "0 = left, top or front, 1 = right, bottom or back"
ORDERED = "an order is piecewise constant in its sort keys"
CutWeight = Annotated[
    Any, Leaf("area (of a volume, volume) of the own sample", neutral=1.0, low=0.0, high=1.0, flat=WHOLE)
]
CutPosition = Annotated[
    Any, Leaf(f"centre of the cut (x, y[, z]): {SIDES}", (2,), low=0.0, high=1.0, flat=WHOLE, volume=(3,))
]
Centre = Annotated[
    Any, Leaf("where the images meet: 0 = left or top, 1 = right or bottom", (2,), low=0.0, high=1.0, flat=WHOLE)
]
Position = Annotated[Any, Leaf(f"position (x, y[, z]): {SIDES}", (2,), low=0.0, high=1.0, volume=(3,))]
Cells = Annotated[Any, Leaf("sort keys of 4 x 4[ x 4] cells", (16,), low=0.0, high=1.0, flat=ORDERED, volume=(64,))]
Chance = Annotated[
    Any, Leaf("probability of an object to be pasted", low=0.0, high=1.0, flat="a box is pasted or is not")
]
Side = Annotated[Any, Leaf("side of what is pasted, of the own side", low=1e-3, high=1.0)]


@mixing
def mixup(who: Partners, *, weight: Weight = Beta(1.0, 1.0)) -> Any:
    """Blend with a partner: y = weight x + (1 - weight) x_partner, and the labels alike.

    Partners: each sample's is the next in the order of the samples' sort keys (nobody is its own partner in a batch of
    two or more); `partners="other_class"`: the next one whose label is another (where there is none, the sample itself);
    `partner`: the number of the one wanted. The weight is that of the own sample, one per sample (for one per batch hand in one
    number, or use a module with `same_on_batch`). Class indices need `num_classes` and become
    soft labels. Masks, depth and intrinsics are those of the heavier sample; boxes and keypoints of both are kept,
    with validity. Under vmap over samples it raises: there is no batch to mix. Source: Zhang et al. 2018.

    >>> y, _ = af.mixup(weight=0.75)(torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1), None, af.key(0))
    >>> y.flatten()
    tensor([0.2500, 0.7500])
    """
    return [Layer(who(), 1 - weight, 1 - weight)]


@mixing
def cutmix(
    who: Partners,
    frame: Size,
    *,
    weight: CutWeight = Beta(1.0, 1.0),
    position: CutPosition = Uniform(0.0, 1.0),
) -> Any:
    """Paste a rectangle of the partner at its own place: half sides floor(sqrt(1 - weight) side / 2), about a pixel drawn
    uniformly, clipped to the frame; labels by the areas that are left after that.

    Of a volume a box with half sides floor(cbrt(1 - weight) side / 2), so that the weight is a share of the volume (MONAI's
    `CutMix` keeps the square root there, and pastes (1 - weight)^1.5).

    Own boxes are those around what is not covered, the partner's those around what was pasted; masks, keypoints and labels
    likewise. Partners as in `mixup`. Source: Yun et al. 2019, torchvision `CutMix` (with one draw per sample).

    >>> x = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 8, 8)
    >>> y, _ = af.cutmix(weight=0.75, position=0.5)(x, None, af.key(0))
    >>> y.mean((1, 2, 3))
    tensor([0.2500, 0.7500])
    """
    part = 1 - weight.detach()
    half = (torch.sqrt(part) if len(frame) == 2 else part ** (1 / len(frame))) / 2
    spans = []
    for i, n in enumerate(frame):
        centre = torch.floor(position[..., -i - 1].detach() * n).clamp(max=n - 1)
        reach = torch.floor(half * n)
        spans.append(((centre - reach).clamp(min=0), (centre + reach).clamp(max=n)))
    window = as_tensor(spans)
    cover = rectangle(window, frame)
    return [Layer(who(), cover, share_of(cover, who.order), hard=True, spans=window)]


@mixing
def resizemix(
    who: Partners,
    frame: Size,
    *,
    scale: Side = Uniform(0.1, 0.8),
    position: Position = Uniform(0.0, 1.0),
) -> Any:
    """Paste the whole partner, resized to `scale` of the sides, at a place drawn uniformly; its label has the share of the
    pixels that it covers. Partners as in `mixup`. Source: Qin et al. 2020.

    >>> x = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 8, 8)
    >>> y, _ = af.resizemix(scale=0.5, position=0.0)(x, None, af.key(0))
    >>> y[0, 0, 3:5, 3:5]
    tensor([[1., 0.],
            [0., 0.]])
    """
    like, d = torch.tensor(frame[::-1], dtype=scale.dtype, device=scale.device), len(frame)
    side = scale[..., None] * like
    low = position.to(side) * (like - side)
    spans = [(low[..., axis], low[..., axis] + side[..., axis]) for axis in reversed(range(d))]
    cover = rectangle(as_tensor(spans).round(), frame)
    inner = torch.diag_embed((1 / scale)[..., None].expand(*scale.shape, d))
    middle = low + side / 2 - like / 2
    rows = torch.cat([inner, -(inner @ middle[..., None])], -1)
    return [Layer(who(), cover, share_of(cover, who.order), Map.affine(rows), hard=True)]


@mixing
def gridmix(
    who: Partners,
    frame: Size,
    *,
    weight: CutWeight = Beta(1.0, 1.0),
    cells: Cells = Uniform(0.0, 1.0),
    patch: int | None = None,
) -> Any:
    """Take the cells of a grid from one of two images: of 4 x 4 cells round(16 (1 - weight)) from the partner, in random
    places (of a volume 4 x 4 x 4); labels by the area. Partners as in `mixup`. Source: Baek et al. 2021 (GridMix).

    `patch`: cells of so many pixels along each axis instead, whose sort keys follow from the first two of `cells`. Source: kornia
    `PatchMix`.

    >>> x = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 8, 8)
    >>> y, _ = af.gridmix(weight=0.25)(x, None, af.key(0))
    >>> y.mean((1, 2, 3))
    tensor([0.7500, 0.2500])
    """
    grid = (4,) * len(frame)
    if patch is not None:
        grid = tuple(-(-n // patch) for n in frame)
        cells = random.uniform(seed_key(cells[..., :2].detach()), (math.prod(grid),))
    rank = cells.argsort(-1).argsort(-1)
    taken = rank < torch.round((1 - weight.detach()) * cells.shape[-1])[..., None]
    cover = on_grid(taken, frame, grid, patch)
    return [Layer(who(), cover, share_of(cover, who.order), hard=True)]


@mixing
def fmix(
    who: Partners,
    frame: Size,
    *,
    weight: CutWeight = Beta(1.0, 1.0),
    seed: Seed = Uniform(0.0, 1.0),
    decay: float = 3.0,
) -> Any:
    """Cut along the level set of a smooth random field: of noise whose amplitude falls with the frequency to the power
    `decay`, the largest (1 - weight) of the pixels show the partner; labels by the area. Partners as in `mixup`. Source:
    Harris et al. 2020 (who cut volumes too).

    >>> x = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 8, 8)
    >>> y, _ = af.fmix(weight=0.25)(x, None, af.key(0))
    >>> y.mean((1, 2, 3))
    tensor([0.7500, 0.2500])
    """
    noise, axes = random.normal_field(seed_key(seed), frame), tuple(range(-len(frame), 0))
    squares = torch.fft.rfftfreq(frame[-1], device=noise.device) ** 2
    for n in reversed(frame[:-1]):
        along = torch.fft.fftfreq(n, device=noise.device) ** 2
        squares = along.reshape(-1, *[1] * squares.ndim) + squares
    frequency = torch.sqrt(squares).clamp(min=1 / max(frame))
    if noise.numel():  # the transform takes no empty batch
        noise = torch.fft.irfftn(torch.fft.rfftn(noise, dim=axes) / frequency**decay, frame, axes)
    rank = noise.flatten(axes[0]).argsort(-1, descending=True).argsort(-1)
    cover = (rank < torch.round((1 - weight.detach()) * math.prod(frame))[..., None]).unflatten(-1, frame)
    return [Layer(who(), cover, share_of(cover, who.order), hard=True)]


@mixing(partners=3)
def patchmix(
    who: Partners,
    frame: Size,
    *,
    weight: CutWeight = Beta(1.0, 1.0),
    cells: Cells = Uniform(0.0, 1.0),
) -> Any:
    """Take each of 4 x 4 cells (of a volume 4 x 4 x 4) from one of four images: the own with the probability `weight`, else
    one of the next three in the order of the samples' sort keys; labels by the area. Source: in the manner of
    Cascante-Bonilla et al. 2021.

    >>> y, _ = af.patchmix(weight=1.0)(torch.rand(4, 3, 8, 8), None, af.key(0))
    >>> y.shape
    torch.Size([4, 3, 8, 8])
    """
    w = weight.detach()[..., None]
    source = torch.where(cells < w, -1.0, torch.floor((cells - w) / (1 - w).clamp(min=1e-6) * 3).clamp(0, 2))
    layers = []
    for k in range(3):
        cover = on_grid(source == k, frame, (4,) * len(frame))
        layers.append(Layer(who(k + 1), cover, share_of(cover, who.order), hard=True))
    return layers


@mixing(partners=3)
def mosaic(
    who: Partners,
    frame: Size,
    *,
    centre: Centre = Uniform(0.25, 0.75),
    fill: float = 114 / 255,
    fill_mask: float = 0.0,
) -> Any:
    """Four images in a frame of twice the sides, that meet in a point drawn from its middle half: the own image top left,
    and the next three in the order of the samples' sort keys; each is cut where it leaves the frame, and what none covers
    is `fill` (in masks `fill_mask`). Labels by the areas that are covered. For images and videos; not for volumes.

    As in YOLO, a random affine map and a crop to the size of one image follow: `af.pipeline(af.mosaic(),
    af.affine(translate=..., scale=(0.5, 1.5)), af.center_crop(size=...))`; boxes of less than two pixels or a tenth of
    their area are dropped by `Boxes(min_size=2, min_visibility=0.1)`. Source: Bochkovskiy et al. 2020, YOLOv5.

    >>> y, _ = af.mosaic()({"image": torch.rand(4, 3, 8, 6), "label": torch.eye(4)}, None, af.key(0))
    >>> y["image"].shape, y["label"].sum(-1).round(decimals=4)
    (torch.Size([4, 3, 16, 12]), tensor([1., 1., 1., 1.]))
    """
    if len(frame) != 2:
        want, fix = "images and videos", "af.cutmix(), af.gridmix() or af.mixup(), which take volumes too"
        raise ValueError(explain("mosaic: four images of a volume", f"frame {list(frame)}", want, fix))
    h, w = frame
    like = torch.tensor((w, h), dtype=centre.dtype, device=centre.device)
    meet = torch.round(centre.detach() * 2 * like)
    maps, covers, corners, spans = [], [], [], []
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        away = torch.tensor((dx, dy), dtype=centre.dtype, device=centre.device)
        shift = like - meet + (1 - 2 * away) * like / 2
        eye = torch.eye(2, dtype=centre.dtype, device=centre.device).expand(*shift.shape, 2)
        maps.append(Map.affine(torch.cat([eye, shift[..., None]], -1), size=(2 * h, 2 * w)))
        corners.append(meet + (away - 1) * like)
        spans.append(spans_of(frame, (2 * h, 2 * w), corners[-1]))
        covers.append(rectangle(spans[-1], (2 * h, 2 * w)))
    put = Gather(partial(put_on_frame, size=(2 * h, 2 * w)), corners[0])
    own = replace(maps[0], gather=put, flush=True, whole=True)
    areas = torch.stack([v.diff(dim=-1).clamp(min=0).prod(-2)[..., 0] for v in spans], -1).to(who.order)
    shares = (areas / areas.sum(-1, keepdim=True)).unbind(-1)
    layers = [
        Layer(who(k), covers[k], shares[k], maps[k], hard=True, spans=spans[k], corner=corners[k]) for k in (1, 2, 3)
    ]
    return layers, own, fill, fill_mask


@mixing
def copy_paste(
    who: Partners,
    frame: Size,
    boxes: Any = None,
    instances: Any = None,
    *,
    chance: Chance = 0.5,
    seed: Seed = Uniform(0.0, 1.0),
) -> Any:
    """Paste objects of the partner at their places, each with the probability `chance`: the pixels of their instance masks
    (a target `instances [B, N, H, W]`, of volumes `[B, N, D, H, W]`, one for each box), or without such the pixels in their
    boxes.

    Own boxes are those around what is not covered (and not valid where nothing is left, or less than their
    `min_visibility`), pasted ones are added, and so are instance masks; masks and keypoints follow. Labels by the area.

    Move the images before, by `affine(scale=(0.1, 2.0), ...)`, as the source does. Partners as in `mixup`. Source: Ghiasi
    et al. 2021.

    >>> boxes = af.Boxes(torch.tensor([[[0.0, 0.0, 4.0, 4.0]], [[4.0, 4.0, 8.0, 8.0]]]))
    >>> x = {"image": torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 8, 8), "boxes": boxes}
    >>> y, _ = af.copy_paste(chance=1.0)(x, None, af.key(0))
    >>> y["image"].sum((1, 2, 3)), y["boxes"].valid
    (tensor([16., 48.]), tensor([[True, True],
            [True, True]]))
    """
    if boxes is None and instances is None:
        want, fix = "a dict with boxes or instance masks", 'f({"image": x, "boxes": boxes}, None, key)'
        raise ValueError(explain("copy_paste looks at objects", "neither boxes nor instances", want, fix))
    partner, b = who(), who.order.ndim
    masks = None if instances is None else taken(instances != 0, partner, b)
    there = [] if masks is None else [masks.flatten(b + 1).any(-1)]  # without a mask there is nothing to paste
    there += [] if boxes is None else [taken(boxes.valid, partner, b)]
    drawn = random.uniform(seed_key(seed), (there[0].shape[-1],)) < chance[..., None]
    comes = reduce(torch.logical_and, there, drawn.to(there[0].device))
    if masks is not None:
        union = (masks & expand(comes, masks.ndim)).any(b)
    else:
        assert boxes is not None
        union = in_boxes(taken(boxes.xyxy(frame), partner, b), comes, frame)
    return [Layer(partner, union, share_of(union, who.order), comes=comes, hard=True)]


@mixing
def transplant(
    who: Partners,
    mask: Tensor,
    frame: Size,
    *,
    key: SortKey = Uniform(0.0, 1.0),
    classes: tuple[int, ...] | None = None,
    excluded: tuple[int, ...] = (0,),
) -> Any:
    """Paste what the partner's mask gives to one of `classes`, drawn uniformly, at its place, image and mask; None: to one of the
    labels that it has, but `excluded` (where it has none, nothing). Labels by the area. Partners as in `mixup`. Source: kornia
    `RandomTransplantation`.

    >>> mask = torch.zeros(2, 4, 4, dtype=torch.long)
    >>> mask[1, :2] = 1
    >>> x = {"image": torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 1, 4, 4), "mask": mask}
    >>> y, _ = af.transplant()(x, None, af.key(0))
    >>> y["image"][0].sum(), y["mask"][0].sum()
    (tensor(8.), tensor(8))
    """
    b, d, partner = who.order.ndim, len(frame), who()
    theirs = taken(mask.to(torch.int64), partner, b)
    flat = theirs if theirs.ndim == b + d else theirs.select(b, 0)
    if classes is None:
        wanted = one_of_labels(flat, key.detach().to(mask.device), b, excluded)
    else:
        drawn = torch.floor(key.detach() * len(classes)).clamp(max=len(classes) - 1).long()
        wanted = torch.tensor(classes, device=mask.device)[drawn.to(mask.device)]
    cover = flat == expand(wanted, b + d)
    if classes is None:
        cover = cover & ~among(flat, excluded)
    return [Layer(partner, cover, share_of(cover, who.order), hard=True)]


def one_of_labels(mask: Tensor, key: Tensor, b: int, excluded: tuple[int, ...]) -> Tensor:
    """One of the labels `[*b]` that a mask has, all equally likely: each has a number of its own, of which the largest wins."""
    seeds = seed_key(torch.stack([key, torch.zeros_like(key)], -1))
    flat = mask.flatten(b)
    numbers = unit(random.stream_bits(seeds[..., None, :], 0, flat)).masked_fill(among(flat, excluded), -1.0)
    return flat.gather(-1, numbers.argmax(-1, keepdim=True))[..., 0]


def among(mask: Tensor, labels: tuple[int, ...]) -> Tensor:
    """Where a mask has one of these labels."""
    return reduce(torch.logical_or, [mask == k for k in labels], torch.zeros_like(mask, dtype=torch.bool))


def in_boxes(xyxy: Tensor, comes: Tensor, frame: Size) -> Tensor:
    """True in the frame `[*b, *frame]` where a pixel's centre lies in one of the boxes `[*b, N, 2 d]` that come."""
    first, *others = lines_of(torch.stack(xyxy.chunk(2, -1), -1).flip(-2) - 0.5, frame)
    return summed([v.to(xyxy.dtype) for v in (first & comes[..., None], *others)]) > 0


def on_grid(cells: Tensor, frame: Size, grid: Size, patch: int | None = None) -> Tensor:
    """Values of the cells of a grid `[*b, n]` over the frame; of equal cells, or of so many pixels."""
    out = cells.unflatten(-1, grid)
    for i, (size, n) in enumerate(zip(reversed(frame), reversed(grid), strict=True), 1):
        place = torch.arange(size, device=cells.device)
        out = out.index_select(-i, place * n // size if patch is None else place // patch)
    return out


def as_tensor(spans: Any) -> Tensor:
    """(start, end) `[*b]` of each axis as `[*b, d, 2]`."""
    return torch.stack([torch.stack(ends, -1) for ends in spans], -2)


def put_on_frame(x: Tensor, how: Sampling, corner: Tensor, *, size: Size) -> Tensor:
    """`x [*b, k, H, W]` on a larger frame, with fill around it."""
    return put_each(x, fill_like(x, how.fill or 0.0, 2).to(x.dtype), corner, size)


def share_of(cover: Tensor, like: Tensor) -> Tensor:
    """The share of the frame that is covered, `[*b]`."""
    covered = cover.flatten(like.ndim)
    return covered.sum(-1).to(like.dtype) / covered.shape[-1]
