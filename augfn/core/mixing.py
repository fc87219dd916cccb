"""Mixing: what is painted over the samples of a batch, and what that does to each kind of target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from augfn.core.actions import Geometric, Layer, Mixing, Size, blend
from augfn.core.annotations import at_points, kept, visible_part
from augfn.core.boxes import Boxes, Keypoints
from augfn.core.instances import fitted, objects_of
from augfn.core.partners import taken
from augfn.core.targets import Sample, Target
from augfn.errors import explain, warn
from augfn.math.resample import Sampling, to_wide
from augfn.math.shapes import cast, expand
from augfn.math.windows import lines_of, placed, places
from augfn.run.peek import peek
from augfn.run.twins import twin

CACHED = 1 << 20  # bytes of an image that are mixed at a time
EDGE = Sampling(padding_mode="border")  # what a layer's map reads lies within the partner, but for half a pixel
Move = Callable[[Geometric, Sample], Sample]


def mixed(action: Mixing, s: Sample, move: Move) -> Sample:
    """The sample with all layers painted over it. `move` applies a geometric action."""
    outside = Sampling(fill=action.fill, fill_mask=action.fill_mask)
    base = s if action.own is None else move(Geometric(action.own, outside), s)
    out = dict(base.targets)
    objects = objects_of(s)
    look_at_masks(s)
    several = len(action.layers) > 1 and any(layer.spans is None for layer in action.layers)
    waiting: dict[str, list[Any]] = {}  # boxes of partners, until all layers are known
    for layer in action.layers:
        copied = layer.map is None or layer.corner is not None
        over = partners(layer, s, () if copied else VALUES)
        if layer.map is not None:
            over = move(Geometric(layer.map, EDGE), over)
        for name, t in out.items():
            if name in objects:
                continue
            if t.kind in VALUES and copied:
                mine = s.targets[name].value
                out[name] = Target(t.kind, paint_partner(t.value, mine, layer, base, t.value is not mine))
            elif t.kind == "boxes" and several:
                waiting.setdefault(name, []).append(over.targets[name].value)
            elif t.kind in PAINT:
                out[name] = Target(t.kind, PAINT[t.kind](t.value, over.targets[name].value, layer, base))
        if objects:
            pairs = [(out[n].value, over.targets[n].value) for n in objects]
            painted = paint_objects(*pairs, layer, base)
            out |= {n: Target(out[n].kind, v) for n, v in zip(objects, painted, strict=True)}
    for name, others in waiting.items():
        out[name] = Target("boxes", boxes_of_layers(action, out[name].value, others, base))
    for name, t in s.targets.items():
        if t.kind == "label":
            out[name] = Target("label", labels(action, t.value, len(s.batch)))
    return base.changed(out, base.size)


def look_at_masks(s: Sample) -> None:
    """A warning for `masks`, as torchvision calls instance masks, as many as boxes: here they are the channels of one."""
    rows = [t.value.valid.shape[-1] for t in s.targets.values() if t.kind == "boxes" and isinstance(t.value, Boxes)]
    b, d = len(s.batch), len(s.size)
    for name, t in s.targets.items():
        if name == "masks" and t.kind == "mask" and t.value.ndim == b + d + 1 and rows == [t.value.shape[b]]:
            want, fix = "instance masks under the name 'instances'", f"targets={{{name!r}: 'instances'}}"
            warn(explain(f"{name}: as many channels as boxes, mixed as one mask", t.value, want, fix))


def partners(layer: Layer, s: Sample, values: tuple[str, ...]) -> Sample:
    """The partners, in the place of the samples; of images and the like those of the kinds `values`."""
    b = len(s.batch)
    wanted = {n: t for n, t in s.targets.items() if t.kind not in VALUES or t.kind in values}
    take = partial(of_partner, layer, b=b)
    return replace(s, targets={n: Target(t.kind, tree_map_only(Tensor, take, t.value)) for n, t in wanted.items()})


def of_partner(layer: Layer, x: Tensor, b: int) -> Tensor:
    return taken(x, layer.partner, b)


def over_frame(cover: Tensor, x: Tensor, s: Sample) -> Tensor:
    """A cover `[*b]` or `[*b, *frame]` over `x [*b, ..., *frame]`."""
    b, d = len(s.batch), len(s.size)
    if cover.ndim == b:
        return expand(cover, x.ndim)
    return cover.reshape(cover.shape[:b] + (1,) * (x.ndim - b - d) + cover.shape[b:])


def chosen(cover: Tensor) -> Tensor:
    """Where the partner shows, if one has to be chosen."""
    return cover if cover.dtype == torch.bool else cover > 0.5


# images


def is_inside(x: Tensor, other: Tensor, cover: Tensor) -> bool:
    """True if a cover of one number for each sample lies between the ends, so that nothing has to be kept bit for bit."""
    return cover.numel() == cover.shape[0] and bool(((cover > 0) & (cover < 1)).all()) and x.dtype == cover.dtype


@twin(blend, fits=is_inside)
def mix_images(x: Tensor, other: Tensor, cover: Tensor) -> Tensor:
    """`blend`, in one pass."""
    return torch.lerp(x, other, cover)


def paint_values(x: Tensor, other: Tensor, layer: Layer, s: Sample) -> Tensor:
    cover = over_frame(layer.cover, x, s)
    return torch.where(chosen(cover), other, x) if layer.hard else mix_images(x, other, cast(cover, x.dtype))


def paint_taken(x: Tensor, source: Tensor, layer: Layer, s: Sample, owned: bool = False) -> Tensor:
    """The partners that lie in `source`, as they are or moved by whole pixels, painted over x. `owned`: nobody else has x."""
    other = of_partner(layer, source, len(s.batch))
    return paint_values(x, other if layer.corner is None else placed(other, s.size, layer.corner), layer, s)


def is_one_batch(x: Tensor, source: Tensor, layer: Layer, s: Sample, owned: bool = False) -> bool:
    known = peek(layer.cover) is not None and not layer.cover.requires_grad
    return known and len(s.batch) == 1 and x.dtype == source.dtype and x.device.type == "cpu"


@twin(paint_taken, fits=is_one_batch)
def paint_partner(x: Tensor, source: Tensor, layer: Layer, s: Sample, owned: bool = False) -> Tensor:
    """`paint_taken`: rectangles copied, else some samples at a time, so that what is taken stays in the cache."""
    if layer.hard and layer.spans is not None:
        return paint_windows(x if owned else x.clone(), source, layer)
    if layer.corner is not None:
        return paint_taken(x, source, layer, s)
    out, cover = torch.empty_like(x), over_frame(layer.cover, x, s)
    step = max(1, CACHED * len(x) // max(1, x.numel() * x.itemsize))
    shares = layer.share.detach().tolist()
    for low in range(0, len(x), step):
        at = slice(low, low + step)
        if not any(shares[at]):  # what nothing is painted over stays as it is
            out[at] = x[at]
            continue
        other, c = source.index_select(0, layer.partner[at]), cover[at]
        if layer.hard:
            torch.where(chosen(c), other, x[at], out=out[at])
        elif is_inside(x[at], other, c):
            torch.lerp(x[at], other, c, out=out[at])
        else:
            out[at] = blend(x[at], other, c)
    return out


def paint_windows(out: Tensor, source: Tensor, layer: Layer) -> Tensor:
    """The rectangles of the partners, written into `out`."""
    shares, partner = layer.share.tolist(), layer.partner.tolist()
    for i, to, of in places(layer.corner, layer.spans):  # type: ignore[arg-type]
        if shares[i]:  # 0 behind a closed gate
            out[i][to] = source[partner[i]][of]
    return out


def paint_choice(x: Tensor, other: Tensor, layer: Layer, s: Sample) -> Tensor:
    """Of what cannot be blended the one that shows more."""
    return torch.where(chosen(over_frame(layer.cover, x, s)), other, x)


def paint_whole(x: Tensor, other: Tensor, layer: Layer, s: Sample) -> Tensor:
    """Of what belongs to the whole frame that of the larger share."""
    return torch.where(expand(layer.share, x.ndim) > 0.5, other, x)


# annotations


def paint_boxes(x: Any, other: Any, layer: Layer, s: Sample) -> Any:
    """Own boxes, without what is covered, then those of the partner, of which the covered part is seen."""
    own, new = (v if isinstance(v, Boxes) else Boxes(v) for v in (x, other))
    if layer.comes is not None:
        new = replace(new, valid=new.valid & layer.comes)
    if layer.cover.ndim > len(s.batch):
        cover = cover_for(own, layer, s.size)
        own, new = visible_part(own, cover, s.size, hidden=True), visible_part(new, cover, s.size)
    else:
        own = replace(own, valid=own.valid & (layer.cover < 1)[..., None])
        new = replace(new, valid=new.valid & (layer.cover > 0)[..., None])
    if not isinstance(x, Boxes):
        rows = [v.data if layer.cover.ndim <= len(s.batch) else v.data * v.valid[..., None] for v in (own, new)]
        return torch.cat(rows, -2)
    return joined(own, new, len(s.batch))


def boxes_of_layers(action: Mixing, own: Any, others: list[Any], s: Sample) -> Any:
    """Own boxes, then those of each layer's partner, of what no later layer covers."""
    frame = (*s.batch, *s.size)
    hides, shows = [], []
    for layer in action.layers:
        whole = layer.cover.ndim == len(s.batch)
        cover = layer.cover[(..., *(None,) * (len(frame) - layer.cover.ndim))].expand(frame)
        hides.append(cover >= 1 if whole else chosen(cover))
        shows.append(cover > 0 if whole else chosen(cover))
    rows = []
    for k, value in enumerate([own, *others]):
        b = value if isinstance(value, Boxes) else Boxes(value)
        comes = action.layers[k - 1].comes if k else None
        shown = shows[k - 1] if k else torch.ones_like(shows[0])
        shown = reduce(torch.logical_and, [~later for later in hides[k:]], shown)
        b = b if comes is None else replace(b, valid=b.valid & comes)
        rows.append(visible_part(b, ((~shown).to(to_wide(b.data).dtype),), s.size, hidden=True))
    found = reduce(partial(joined, b=len(s.batch)), rows)
    return found if isinstance(own, Boxes) else found.data * found.valid[..., None]


def cover_for(b: Boxes, layer: Layer, size: Size) -> tuple[Tensor, ...]:
    """The cover as boxes look at it: of a rectangle the rows and the columns, else (in a volume) all of it."""
    dtype = to_wide(b.data).dtype
    if layer.spans is None or not layer.hard or b.turned or len(size) != 2:
        return (chosen(layer.cover).to(dtype),)
    rows, columns = lines_of(layer.spans, size)
    there = layer.share > 0  # 0 behind a closed gate
    return (rows & there[..., None]).to(dtype), columns.to(dtype)


def joined(own: Boxes, new: Boxes, b: int) -> Boxes:
    """The rows of both."""
    held = {"data": -2, "valid": -1, "seen": -1, "labels": b}
    rows = {
        n: torch.cat([getattr(own, n), getattr(new, n)], dim) for n, dim in held.items() if getattr(own, n) is not None
    }
    return replace(own, **rows)


def paint_instances(x: Tensor, other: Tensor, layer: Layer, s: Sample) -> Tensor:
    """Own instance masks without what is covered, then what is covered of the partner's."""
    cover, b = over_frame(layer.cover, x, s), len(s.batch)
    own, new = (cover < 1, cover > 0) if layer.cover.ndim == b else (~chosen(cover), chosen(cover))
    if layer.comes is not None:
        new = new & expand(layer.comes, x.ndim)
    return torch.cat([torch.where(here, t, torch.zeros_like(t)) for t, here in ((x, own), (other, new))], b)


def paint_objects(boxes: tuple[Any, Any], masks: tuple[Tensor, Tensor], layer: Layer, s: Sample) -> tuple[Any, Tensor]:
    """Boxes and their instance masks, own and the partner's, which say what of each object is to be seen."""
    own, new = (v if isinstance(v, Boxes) else Boxes(v) for v in boxes)
    if layer.comes is not None:
        new = replace(new, valid=new.valid & layer.comes)
    after = paint_instances(*masks, layer, s)
    before = torch.cat(masks, len(s.batch))
    found = fitted(joined(own, new, len(s.batch)), paint_boxes(own, new, layer, s), before, after, s.size)
    return found if isinstance(boxes[0], Boxes) else found.data * found.valid[..., None], after


def paint_keypoints(x: Any, other: Any, layer: Layer, s: Sample) -> Any:
    """Own points, hidden where they are covered, then those of the partner, hidden where they are not."""
    if not isinstance(x, Keypoints):
        return torch.cat([x, other], -2)
    if layer.cover.ndim > len(s.batch):
        shown = (~at_points(layer.cover, x.xy, s.size), at_points(layer.cover, other.xy, s.size))
    else:
        shown = ((layer.cover < 1)[..., None], (layer.cover > 0)[..., None])
    n = other.xy.shape[-2]
    more = tuple((i + x.xy.shape[-2], j + x.xy.shape[-2]) for i, j in other.swap) if n else ()
    visible = torch.cat([kept(v.visible, seen) for v, seen in zip((x, other), shown, strict=True)], -1)
    return Keypoints(torch.cat([x.xy, other.xy], -2), visible, x.swap + more)


VALUES = ("image", "video", "volume", "softmask", "heatmap")
PAINT: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(VALUES, paint_values),
    **dict.fromkeys(("mask", "depth"), paint_choice),
    "intrinsics": paint_whole,
    "instances": paint_instances,
    "boxes": paint_boxes,
    "keypoints": paint_keypoints,
}


# labels


def labels(action: Mixing, y: Tensor, b: int) -> Tensor:
    """Soft labels, blended by the shares; class indices become soft labels first."""
    if not y.is_floating_point():
        y = one_hot(y, action.classes, action.layers[0].share.dtype, b)
    elif action.classes is not None and (y.ndim == b or y.shape[-1] != action.classes):
        want, fix = (
            f"[*batch, {action.classes}], since num_classes={action.classes}",
            "one number of classes in all mixes",
        )
        raise ValueError(explain("soft labels of another number of classes", y, want, fix))
    rest = 1 - reduce(torch.add, [layer.share for layer in action.layers])
    total = y * expand(rest, y.ndim).to(y.dtype)
    for layer in action.layers:
        total = total + of_partner(layer, y, b) * expand(layer.share, y.ndim).to(y.dtype)
    return total


def one_hot(y: Tensor, classes: int | None, dtype: torch.dtype, b: int) -> Tensor:
    """Class indices `[*b]` or `[*b, 1]` as soft labels `[*b, K]`."""
    if y.ndim > b and tuple(y.shape[b:]) != (1,):
        want = "one index for each sample [*batch], or soft labels [*batch, K] of floats"
        fix = "one-hot labels as label.float(); labels of boxes in af.Boxes(boxes, labels=labels)"
        raise ValueError(explain("integers that are no class indices", y, want, fix))
    y = y[..., 0] if y.ndim > b else y
    if classes is None:
        want, fix = "soft labels [*batch, K]", "set num_classes=K, or pass one-hot floats"
        raise ValueError(explain("class indices cannot be blended", y, want, fix))
    values = peek(y)
    if values is not None and ((values < 0) | (values >= classes)).any():
        want, fix = f"0 to {classes - 1}, since num_classes={classes}", "more classes, or labels from 0 on"
        raise ValueError(explain("a label outside the classes", sorted({*values.ravel().tolist()}), want, fix))
    return (y[..., None] == torch.arange(classes, device=y.device)).to(dtype)
