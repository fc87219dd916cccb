"""Laws of values: replay, purity, vmap, independence, neutral values, dtypes, stable draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils._pytree import tree_leaves, tree_map

from augfn import random
from augfn.compose import pipeline
from augfn.core.draw import leaves_of
from augfn.distributions import Distribution
from augfn.images import to_float
from augfn.ops.geometric import hflip
from augfn.ops.photometric import brightness, invert
from augfn.ops.volumetric import hflip3d
from augfn.testing.case import ROUNDS, Case, agree, at, cast, claim, example, put, snapshot, stack, targets_for
from augfn.typing import Leaf


def replay(c: Case) -> None:
    """Law 1: f(x, f(x, None, k)[1]) is f(x, None, k)[0], bit for bit; the params are tensors, one value per sample."""
    y, params = c.f(c.x, None, c.key)
    agree("replay", c.f(c.x, params), (y, params))
    leaves = dict(c.leaves())
    for path, value in leaves_of(params).items():
        shape = [*c.batch, *leaves[path].shape]
        claim(
            isinstance(value, Tensor) and value.is_floating_point(),
            f"params[{path!r}] is {value!r}, not a floating tensor",
        )
        claim(list(value.shape) == shape, f"params[{path!r}] has shape {list(value.shape)}, expected {shape}")
    larger = torch.nn.functional.interpolate(c.x.reshape(-1, *c.x.shape[-c.f.ndim - 1 :]), scale_factor=2.0)
    c.f(larger.reshape(*c.x.shape[: -c.f.ndim], *larger.shape[-c.f.ndim :]), params)


def purity(c: Case) -> None:
    """Law 2: no global random state is read or written, no input is changed, no attribute is set by a call."""
    x = targets_for(c.x, c.f.ndim)
    inputs, attributes, state = snapshot((x, c.key, c.f.params)), attributes_of(c.f), torch.get_rng_state()
    y, params = c.f(x, None, c.key)
    drawn = snapshot(params)
    c.f(x, params)
    claim(torch.equal(state, torch.get_rng_state()), "a call changed torch's random state")
    agree("inputs after a call", snapshot((x, c.key, c.f.params)), inputs)
    agree("params after a replay", snapshot(params), drawn)
    claim(attributes_of(c.f) == attributes, "a call set an attribute")
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(torch.Generator().manual_seed(1234).get_state())
        agree("the result under another global seed", c.f(x, None, c.key)[0], y)


def attributes_of(f: Any) -> list[Any]:
    """Names and identities of all that an augmentation, and what is in it, holds."""
    own = [(name, id(value)) for name, value in sorted(vars(f).items())]
    return own + [attributes_of(g) for g in getattr(f, "steps", {}).values()]


def mapped(c: Case) -> None:
    """Law 3: vmap = loop = batch, with per-sample keys and with per-sample params.

    What mixes the samples of a batch says so under vmap over samples; there the law holds for whole batches.
    """
    if c.f.mixes:
        refuses_samples(c)
        c = batch_of_batches(c)
    if not c.batch:
        return
    n, keys = c.batch[0], random.split(c.key, math.prod(c.batch)).reshape(*c.batch, 2)
    ranges = cast(c.f.params, c.x.dtype)
    looped = [c.f(c.x[i], ranges, keys[i]) for i in range(n)]
    whole = stack([y for y, _ in looped]), stack([p for _, p in looped])
    if not c.f.mixes:
        agree("batch and loop", c.f(c.x, ranges, keys), whole, c.tolerance)
    agree("vmap over keys and loop", vmap(lambda x, k: c.f(x, ranges, k))(c.x, keys), whole, c.tolerance)
    if whole[1]:
        agree("vmap over params and loop", vmap(c.f)(c.x, whole[1])[0], whole[0], c.tolerance)
        shared = vmap(lambda p: c.f(c.x[0], p)[0])(whole[1])
        agree("vmap over params alone", shared, stack([c.f(c.x[0], p)[0] for _, p in looped]), c.tolerance)


def refuses_samples(c: Case) -> None:
    try:
        samples = c.x.flatten(0, len(c.batch) - 1)
        vmap(lambda x, k: c.f(x, None, k)[0])(samples, random.split(c.key, len(samples)))
    except ValueError as error:
        claim("outside of vmap" in str(error), f"the error under vmap over samples does not say why: {error}")
    else:
        raise AssertionError("it mixes the samples of a batch, yet vmap over samples raised no error")


def batch_of_batches(c: Case) -> Case:
    return replace(c, x=torch.stack([c.x, c.x.flip(0)]))


def independence(c: Case) -> None:
    """Law 4: the draw for a sample depends on its key alone: not on batch size, position, dtype or device."""
    if not c.batch:
        return
    keys = random.split(c.key, c.batch[0])
    y, drawn = c.f(c.x, None, keys)
    if len(c.batch) == 1:
        agree("one key, or its split, over the batch", c.f(c.x, None, c.key)[1], drawn)
    turned = c.f(c.x.flip(0), None, keys.flip(0))
    agree("draws at another position", tree_map(lambda t: t.flip(0), turned[1]), drawn)
    first = c.f(c.x[:1], None, keys[:1])
    agree("draws in another batch", first[1], tree_map(lambda t: t[:1], drawn))
    if not c.f.mixes:
        agree("results at another position", turned[0].flip(0), y, max(c.tolerance, ROUNDS))
    for dtype in (torch.float16, torch.float64):
        agree(f"draws for {dtype}", c.f(c.x.to(dtype), None, keys)[1], drawn)
    if torch.cuda.is_available():
        agree("draws for cuda", tree_map(lambda t: t.cpu(), c.f(c.x.cuda(), None, keys)[1]), drawn, 1e-6)


# ops whose identity is a static setting
STILL: dict[str, Callable[[tuple[int, ...]], dict[str, Any]]] = {
    "rot90": lambda frame: {"k": 4},
    "center_crop": lambda frame: {"size": frame},
    "random_crop": lambda frame: {"size": frame},
    "resize": lambda frame: {"size": frame},
    "resized_crop": lambda frame: {"size": frame, "scale": 1.0, "ratio": frame[1] / frame[0]},
    "pad": lambda frame: {"padding": 0},
    "normalize": lambda frame: {"mean": 0.0, "std": 1.0},
    "denormalize": lambda frame: {"mean": 0.0, "std": 1.0},
}


def neutral(c: Case) -> None:
    """Law 8: neutral values give the identity, and p = 0 gives it bit for bit, boxes and keypoints included.

    A step that changes the frame or the dtype cannot be gated, and says so.
    """
    allowed = max(c.tolerance, 1e-5)
    if can_rest(c.f):
        rest = {path: leaf.neutral for path, leaf in c.leaves() if leaf.neutral is not None}
        agree(f"neutral values {rest}:", c.f(c.x, at_rest(c))[0], c.x, allowed)
    if c.f.name in STILL:
        agree("neutral settings", example(c.f.name, **STILL[c.f.name](c.frame))(c.x, None, c.key)[0], c.x, allowed)
    if c.takes_gate:
        switched_off(c.gated(0.0))
    else:
        refuses_gate(c)


def can_rest(f: Any) -> bool:
    """True if every op inside has a leaf with a neutral value."""
    if steps := getattr(f, "steps", {}):
        return all(map(can_rest, steps.values()))
    return any(f.schema[name].neutral is not None for name in f.params)


def at_rest(c: Case) -> Any:
    """Drawn params, with the neutral value in every leaf that has one."""
    params = c.f(c.x, None, c.key)[1]
    for path, leaf in c.leaves():
        if leaf.neutral is not None:
            params = put(params, path, torch.full_like(at(params, path), leaf.neutral))
    return params


def switched_off(c: Case) -> None:
    x = targets_for(c.x, c.f.ndim)
    y, params = c.f(x, None, c.key)
    claim(all((at(params, path) == 0).all() for path, leaf in c.leaves() if path == "gate"), "p = 0 drew an open gate")
    if c.f.mixes:
        y |= {n: own_part(y[n], x[n]) for n in ("boxes", "keypoints")}
    agree("p = 0", y, x)


def own_part(rows: Any, before: Any) -> Any:
    """The first of concatenated boxes or keypoints, the sample's own; those of partners have to be invalid."""
    data, valid = tree_leaves(rows)
    n = tree_leaves(before)[0].shape[-2]
    claim(not valid[..., n:].any(), "p = 0 brought boxes or keypoints of the partner")
    names = ("data", "valid") if hasattr(rows, "data") else ("xy", "visible")
    return replace(rows, **dict(zip(names, (data[..., :n, :], valid[..., :n]), strict=True)))


def refuses_gate(c: Case) -> None:
    try:
        c.gated(0.5).f(c.x, None, c.key)
    except ValueError as error:
        claim("cannot be switched per sample" in str(error), f"the error for p does not say why: {error}")
    else:
        raise AssertionError("it changes the frame or the dtype, yet p raised no error")


def dtypes(c: Case) -> None:
    """Law 10: dtype, device and shape are kept, in half precision too, and by autocast the result is not touched; integer
    images raise and name af.to_float, but where the first step converts them."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast_result = c.f(c.x, None, c.key)
    agree("under autocast", cast_result, c.f(c.x, None, c.key))
    name = c.f.bare or ("image" if c.f.ndim == 2 else "volume")
    same = {"mask": targets_for(c.x, c.f.ndim)["mask"]}  # what an op may look at
    wide = c.f({name: c.x.double(), **same}, None, c.key)[0][name]
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        x = {**targets_for(c.x.to(dtype), c.f.ndim), **same, name: c.x.to(dtype)}
        y = c.f(x, None, c.key)[0]
        for target in x:
            pairs = list(zip(tree_leaves(y[target]), tree_leaves(x[target]), strict=True))
            claim(
                all(a.dtype == b.dtype and a.device == b.device for a, b in pairs),
                f"{dtype}: {target} comes back as {[a.dtype for a, _ in pairs]}",
            )
        image = y[name]
        claim(image.shape == wide.shape, f"{dtype}: shape {list(image.shape)}, in float64 {list(wide.shape)}")
        claim(image.isfinite().all(), f"{dtype}: not finite")
        far = (image.double() - wide).abs().mean() if image.numel() else torch.zeros(())
        claim(far < 2e-2, f"{dtype}: differs from float64 by {far:.3g} in the mean")
    whole = (c.x * 255).to(torch.uint8)
    if c.f.takes_integers:
        return agree("an integer image", c.f(whole, None, c.key), c.f(to_float(whole), None, c.key))
    try:
        c.f(whole, None, c.key)
    except TypeError as error:
        word = "af.to_float(depth, max=1000)" if c.f.bare else "af.to_float"
        claim(word in str(error), f"the error for an integer image does not name {word}: {error}")
    else:
        raise AssertionError("an integer image raised no error")


def stable(c: Case) -> None:
    """Law 11: inserting a step or fixing a leaf changes no other leaf."""
    flip = (hflip if c.f.ndim == 2 else hflip3d)(p=0.5)
    drawn = pipeline(step=c.f)(c.x, None, c.key)[1]
    for longer in (
        pipeline(before=flip, step=c.f),
        pipeline(step=c.f, after=invert(p=0.5)),
        pipeline(flip, brightness(), step=c.f),
    ):
        agree("draws after inserting a step", longer(c.x, None, c.key)[1]["step"], drawn["step"])
    drawn = c.f(c.x, None, c.key)[1]
    for path, leaf in c.leaves():
        fixed = put(c.f.params, path, some_value(at(c.f.params, path), leaf, c))
        again = c.f(c.x, fixed, c.key)[1]
        agree(f"draws after fixing {path}", put(again, path, at(drawn, path)), drawn)


def some_value(d: Any, leaf: Leaf, c: Case) -> Tensor:
    """A value inside a distribution's range, for every sample."""
    value = d.draw(torch.full(d.noise_shape, 0.3)) if isinstance(d, Distribution) else d
    return value.expand(*c.batch, *leaf.shape).clone()
