"""Laws of places: targets move together, and turns agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from augfn import random
from augfn.compose import pipeline
from augfn.core.actions import Deferred, Geometric
from augfn.core.boxes import Boxes, Keypoints
from augfn.core.draw import Params
from augfn.core.fusing import fuse
from augfn.core.targets import read
from augfn.ops.geometric import hflip, rot90, vflip
from augfn.ops.volumetric import dflip3d, hflip3d, vflip3d
from augfn.run.rows import run
from augfn.testing.case import Case, Sighted, agree, at, claim, kinds_of, put, targets_for
from augfn.undoing import geometry_of, invert

SCENES = {2: (13, 15), 3: (7, 9, 11)}
CUT = (26, 30)  # of ops that cut the frame, with room for whole landmarks
SAMPLES = 16
RADIUS = 2.0  # of a landmark, in pixels: a bright blob, a disc in the mask, half a side of the box


def together(c: Case) -> None:
    """Law 9: a bright landmark, its keypoint, box and mask land on the same place.

    Colour, filters and noise leave places alone; what is hidden is hidden in every target; mixing keeps both samples' rows.
    """
    kinds = kinds_of(c.f)
    if "mix" not in kinds and ("geometric" in kinds or "occlusion" not in kinds):
        moves_together(c)
    if "occlusion" in kinds and kinds <= {"geometric", "occlusion"}:
        hides_together(c)
    if "mix" in kinds and kinds <= {"geometric", "mix"}:
        mixes_together(c)


def moves_together(c: Case) -> None:
    cut = "jigsaw" in ops_of(c.f)
    frame = CUT if cut else SCENES[c.f.ndim]
    places = landmarks(frame, c.x.dtype)
    if cut:  # along the middle, away from which the landmarks are put
        places = places + (RADIUS + 1) * (places - (torch.tensor(frame[::-1]) - 1) / 2).sign()
    rgb = scene(places, frame, c.f.ndim, 3)
    painted, params = c.f(rgb, None, c.key)
    moved = geometry(c, rgb, params)
    if "occlusion" not in kinds_of(c.f):
        for name in rgb.keys() - ({c.f.bare} if c.f.bare else {"image", "volume"}):
            agree(f"place of {name}", painted[name], moved[name])
    y = geometry(c, scene(places, frame, c.f.ndim, 1 + c.f.ndim), params)
    claim(lands(y, places, c.f.ndim) > 0, "no landmark stayed in the frame, so that the law was not tried")
    if c.f.ndim == 2 and not (isinstance(c.f, Sighted) or c.f.bare):  # whose map is not known from params alone
        follows_intrinsics(c, places, params, y["keypoints"])


def ops_of(f: Any) -> set[str]:
    """The names of all ops inside."""
    return {f.name}.union(*map(ops_of, getattr(f, "steps", {}).values()))


def landmarks(frame: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """One place for each sample, near the middle and between pixels `[SAMPLES, d]`."""
    shift = random.uniform(random.key(7), (SAMPLES, len(frame)), -0.15, 0.15).to(dtype)
    size = torch.tensor(frame[::-1], dtype=dtype)
    return (size - 1) / 2 + shift * size


def scene(places: Tensor, frame: tuple[int, ...], ndim: int, channels: int) -> dict[str, Any]:
    """Blob, disc, box and keypoint at each sample's place; the further channels hold the coordinates x, y[, z]."""
    axes = torch.meshgrid(*(torch.arange(n, dtype=places.dtype) for n in frame), indexing="ij")[::-1]
    grid = torch.stack(axes).expand(len(places), ndim, *frame)
    square = ((grid - places.reshape(*places.shape, *[1] * ndim)) ** 2).sum(1, keepdim=True)
    blob = torch.exp(-square / (2 * RADIUS**2))
    image = torch.cat([blob, grid], 1) if channels == ndim + 1 else blob.expand(-1, channels, *frame) * 0.9 + 0.05
    out = {
        "image" if ndim == 2 else "volume": image.contiguous(),
        "mask": (square <= RADIUS**2).squeeze(1).long(),
        "instances": (square <= RADIUS**2).to(torch.uint8),
        "boxes": Boxes(torch.cat([places + 0.5 - RADIUS, places + 0.5 + RADIUS], -1)[:, None], clip=False),
        "keypoints": Keypoints(places[:, None]),
    }
    return out | ({"depth": 1 + blob} if ndim == 2 else {})


def geometry(c: Case, x: Any, params: Params) -> Any:
    """The geometric steps of an augmentation alone."""
    sample = read(x, c.f.ndim, {})
    actions = c.f.planned(params, sample.size)
    for planned in fuse(actions) if c.f.fused else actions:
        action = planned.seen(sample) if isinstance(planned, Deferred) else planned
        if isinstance(action, Geometric):
            sample = run([replace(action, gate=planned.gate)], sample)
    return sample.output()


def lands(y: dict[str, Any], places: Tensor, ndim: int) -> int:
    """Compare image, mask, box and keypoint at every keypoint that is seen a pixel away from the border; how many there were."""
    image, mask, boxes, keypoints = (y[n] for n in ("image" if ndim == 2 else "volume", "mask", "boxes", "keypoints"))
    size = torch.tensor(image.shape[: -len(places[0]) - 1 : -1], dtype=places.dtype)
    seen = 0
    for i, place in enumerate(keypoints.xy[:, 0]):
        if not (keypoints.visible[i].all() and (place >= 1).all() and (place <= size - 2).all()):
            continue
        seen += 1
        light, *source = point_value(image[i], place)
        box = boxes.data[i, 0]
        far = (torch.stack(source) - places[i]).abs().max()
        claim(far < 0.1, f"sample {i}: the pixel under the keypoint comes from {far:.3f} px beside the landmark")
        claim(light > 0.65, f"sample {i}: the landmark is dark under its keypoint, {light:.2f}")
        claim(point_value(mask[i, None].to(image.dtype), place.round())[0] == 1, f"sample {i}: the mask is elsewhere")
        low, high = box.chunk(2)
        claim(
            ((low + high) / 2 - 0.5 - place).abs().max() < RADIUS / 2,
            f"sample {i}: the box {box.tolist()} is not about {place.tolist()}",
        )
        disc_in_box(mask[i], low, high, i)
        claim(y["instances"][i, 0].equal((mask[i] == 1).to(torch.uint8)), f"sample {i}: its instance mask is elsewhere")
        claim(boxes.valid[i].all(), f"sample {i}: the landmark is seen, its box is not valid")
    return seen


def disc_in_box(mask: Tensor, low: Tensor, high: Tensor, i: int) -> None:
    """The mask's pixels (their centres) lie in the box, to half a pixel of the scene, and reach most of it where it is in the
    frame."""
    half = 0.5 * ((high - low) / (2 * RADIUS)).clamp(min=1)
    pixels = mask.nonzero().flip(-1) + 0.5
    size = torch.tensor(mask.shape[::-1])
    first, last = pixels.amin(0), pixels.amax(0)
    claim((first >= low - half).all() and (last <= high + half).all(), f"sample {i}: the mask reaches out of the box")
    inside = (low >= 0).all() and (high <= size).all()
    claim(
        not inside or ((last - first + 1) > 0.5 * (high - low)).all(), f"sample {i}: the mask fills little of the box"
    )


def point_value(image: Tensor, place: Tensor) -> list[Tensor]:
    """Values `[C]` of an image `[C, *frame]` at a place (x, y[, z]), linear between pixels."""
    for axis, where in zip(range(image.ndim - 1, 0, -1), place, strict=True):
        low = int(where.floor().clamp(0, image.shape[axis] - 1))
        high = min(low + 1, image.shape[axis] - 1)
        image = torch.lerp(image.select(axis, low), image.select(axis, high), (where - low).to(image.dtype))
        image = image.unsqueeze(axis)
    return list(image.flatten())


def follows_intrinsics(c: Case, places: Tensor, params: Params, keypoints: Keypoints) -> None:
    """A camera whose pixels are the scene's rays: K' projects each landmark's ray to its moved keypoint."""
    x = {
        "image": scene(places, SCENES[2], 2, 3)["image"],
        "intrinsics": torch.eye(3, dtype=places.dtype).expand(SAMPLES, 3, 3),
    }
    m, _, _ = geometry_of(c.f, params, SCENES[2])
    if not m.rigid:
        return refuses_intrinsics(c, x, params)
    k = c.f(x, params)[0]["intrinsics"]
    ray = torch.cat([places, torch.ones_like(places[:, :1])], -1)
    pixel = (k @ ray[..., None])[..., 0]
    agree("intrinsics and keypoints", pixel[:, :2] / pixel[:, 2:], keypoints.xy[:, 0], 1e-3)


def refuses_intrinsics(c: Case, x: Any, params: Params) -> None:
    try:
        c.f(x, params)
    except ValueError as error:
        claim("displacement" in str(error), f"the error for intrinsics does not say why: {error}")
    else:
        raise AssertionError("a displacement has no matrix, yet intrinsics raised no error")


def copies(c: Case, x: Any, params: Params) -> bool:
    """True if its geometry, if any, copies pixels within the frame, so that what is hidden or mixed is so afterwards too."""
    size = read(x, c.f.ndim, {}).size
    for action in c.f.planned(params, size):
        moves = isinstance(action, Geometric) and not (action.map.exact and action.size(size) == size)
        if moves or (isinstance(action, Deferred) and action.moves):
            return False
        size = action.size(size)
    return True


def hides_together(c: Case) -> None:
    """A keypoint is hidden where the image and the mask are filled; a box loses validity with its visibility. Tried where
    geometry, if any, copies pixels."""
    d, frame = c.f.ndim, SCENES[c.f.ndim]
    name = "image" if d == 2 else "volume"
    x = scene(landmarks(frame, c.x.dtype).round(), frame, d, 3)
    x[name], x["mask"] = torch.ones_like(x[name]), torch.ones_like(x["mask"])
    x["boxes"] = replace(x["boxes"], min_visibility=0.5)
    y, params = c.f(x, None, c.key)
    if not copies(c, x, params):
        return
    places = y["keypoints"].xy[:, 0]
    light = torch.stack([point_value(image, place)[0] for image, place in zip(y[name], places, strict=True)])
    level = torch.stack(
        [point_value(mask[None].to(light), place)[0] for mask, place in zip(y["mask"], places, strict=True)]
    )
    claim(((light > 0.5) == y["keypoints"].visible[:, 0]).all(), "image and keypoints are not hidden alike")
    claim(((level > 0.5) == y["keypoints"].visible[:, 0]).all(), "mask and keypoints are not hidden alike")
    claim((~y["keypoints"].visible).any() and y["keypoints"].visible.any(), "the law needs hidden and seen landmarks")
    claim((~y["boxes"].valid).any() and y["boxes"].valid.any(), "the law needs hidden and seen boxes")
    agree("boxes stay where they are", y["boxes"].data, geometry(c, x, params)["boxes"].data, c.tolerance)


def mixes_together(c: Case) -> None:
    """Of images of one level each the mean is that of the label's weights; where a pixel shows one sample alone, so does the
    mask; rows of both samples are there, and a visible point lies on its own sample's pixels. Tried where geometry, if any,
    copies pixels."""
    n, d, frame = SAMPLES, c.f.ndim, SCENES[c.f.ndim]
    name, along = "image" if d == 2 else "volume", (..., *(None,) * d)
    level = torch.arange(1, n + 1, dtype=c.x.dtype) / n
    x = targets_for(level[:, None][along].expand(n, 3, *frame).contiguous(), d)
    x["label"] = torch.eye(n, dtype=c.x.dtype)
    x["mask"] = torch.arange(1, n + 1)[along].expand(n, *frame).contiguous()
    y, params = c.f(x, None, c.key)
    if not copies(c, x, params):
        return
    image = y[name]
    stays, fill = image.shape[-d:] == x[name].shape[-d:], getattr(c.f, "static", {}).get("fill", 0.0)
    painted = torch.ones_like(image) if stays else ((image - fill).abs() > 1e-4).to(image)
    mean = (image * painted).flatten(1).sum(1) / painted.flatten(1).sum(1)
    agree("the mean is that of the label", mean, y["label"] @ level, max(10 * c.tolerance, 1e-6))
    shown = image[:, 0] * n
    alone = (shown - shown.round()).abs() < 1e-3
    same = ((y["mask"] - shown).abs() < 1e-2) | ~alone | (painted[:, 0] == 0)
    claim(same.all(), "the mask shows another sample than the image")
    points, before = y["keypoints"], x["keypoints"].xy.shape[-2]
    claim(points.xy.shape[-2] > before, "the partner's points are missing")
    if stays:
        agree("own points stay", points.xy[..., :before, :], geometry(c, x, params)["keypoints"].xy)
    index = torch.zeros(points.xy.shape[:-1], dtype=torch.long)
    for axis, m in enumerate(image.shape[-d:]):
        index = index * m + points.xy[..., d - 1 - axis].round().clamp(0, m - 1).long()
    level_at, alone_at = (v.flatten(1).gather(1, index) for v in (shown, alone))
    own = torch.arange(1, n + 1)[:, None]
    wrong = points.visible.bool() & alone_at & ((level_at - own).abs() > 1e-2)
    claim(not wrong[:, :before].any(), "a point that is covered is visible")
    other = points.visible.bool() & alone_at & ((level_at - own).abs() < 1e-2)
    claim(
        not (other[:, before:] & (y["label"].diagonal() < 1)[:, None]).any(),
        "a partner's point is visible where it is not",
    )
    claim(y["boxes"].data.shape[-2] >= 2 * x["boxes"].data.shape[-2], "the partner's boxes are missing")


def turns(c: Case) -> None:
    """Law 12: round turns agree. There and back is the identity; half a turn is two flips, for image, boxes and keypoints;
    a quarter turn is `rot90`, so that all rotations share one sign. Steps that move nothing have nothing to turn, and those
    that look at other targets have no inverse that is known from params alone.
    """
    if not kinds_of(c.f) <= {"geometric"} or isinstance(c.f, Sighted):
        return
    there_and_back(c)
    if "degrees" in c.f.params:
        half_turn(c)
        quarter_turn(c)


def there_and_back(c: Case) -> None:
    x = targets_for(c.x, c.f.ndim)
    x.pop("depth", None)
    y, params = c.f(x, None, c.key)
    back, valid = invert(c.f, size=c.frame)(y, params)
    agree("keypoints, there and back", back["keypoints"].xy, x["keypoints"].xy, 2e-3)
    claim(valid.shape == (*c.batch, *c.frame), f"the validity mask of the inverse has shape {list(valid.shape)}")
    name = "image" if c.f.ndim == 2 else "volume"
    claim(back[name].shape == c.x.shape, f"the inverse brings back {list(back[name].shape)}")


def only_degrees(c: Case, degrees: list[float]) -> Params:
    """Params that turn by these degrees (one, or a vector) and do nothing else."""
    params = c.f(c.x, None, c.key)[1]
    for path, leaf in c.leaves():
        value = at(params, path)
        goal = torch.tensor(degrees if leaf.shape else degrees[0]) if path == "degrees" else torch.tensor(leaf.neutral)
        params = put(params, path, goal.to(value).expand(value.shape))
    return params


def half_turn(c: Case) -> None:
    pairs = [([180.0], hflip, vflip)] if c.f.ndim == 2 else HALF_TURNS_3D
    x = targets_for(c.x, c.f.ndim)
    for degrees, first, second in pairs:
        turned = c.f(x, only_degrees(c, degrees))[0]
        agree(f"{degrees} degrees and two flips", turned, pipeline(first(), second())(x)[0], max(1e-3, c.tolerance))


HALF_TURNS_3D = [
    ([0.0, 0.0, 180.0], hflip3d, vflip3d),
    ([180.0, 0.0, 0.0], vflip3d, dflip3d),
    ([0.0, 180.0, 0.0], dflip3d, hflip3d),
]


def quarter_turn(c: Case) -> None:
    """Counter-clockwise for positive degrees, as `rot90`; in 3-D slice by slice, for a turn about z."""
    side = min(c.frame[-2:])
    x = c.x[..., :side, :side]
    flat = x if c.f.ndim == 2 else x.transpose(-3, -4)
    wanted = rot90()(flat)[0]
    turned = c.f(x, only_degrees(c, [90.0] if c.f.ndim == 2 else [0.0, 0.0, 90.0]))[0]
    agree(
        "90 degrees and a quarter turn",
        turned,
        wanted if c.f.ndim == 2 else wanted.transpose(-3, -4),
        max(1e-4, c.tolerance),
    )
