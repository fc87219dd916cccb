"""The worst case over an augmentation's params: where in its ranges a model's loss on an image is highest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._pytree import tree_map_only

from augfn import random
from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params, checked_key, draw, leaves_of, nested, noise_of, noise_shape, parts_of
from augfn.core.targets import Sample
from augfn.distributions import Beta, Dirichlet, Distribution
from augfn.errors import explain, warn
from augfn.models import device_of, evaluating, first_tensor
from augfn.run.host import HOST, home_of

Loss = Callable[[Any, Tensor], Tensor]
METHODS = ("gradient", "random")
SCOUTS = 5  # draws before an ascent, a quarter of the budget of ten steps
FLOATS: dict[str, Any] = {"dtype": torch.float32, "device": HOST}  # as noise is
STEPWISE = (Beta, Dirichlet)  # drawn by rejection, which jumps with its noise
TOP = 1 - 2.0**-23  # noise is below 1
# of an ascent, in units of the noise: its first step, how it grows and shrinks, and the move that is none
FIRST, GROWN, SHRUNK, LEAST = 0.25, 1.2, 0.5, 1 / 64


def worst_case(
    model: Callable[[Tensor], Any],
    images: Tensor,
    labels: Tensor,
    augment: Any,
    steps: int = 10,
    key: Any = None,
    *,
    loss: Loss | None = None,
    method: str = "gradient",
    restarts: int | None = None,
) -> Params:
    """For each image the params of `augment`, inside its ranges, at which the model's loss is the highest that was seen:

        argmax over u in [0, 1)^n of loss(model(augment(image, params(u))), label)

    Params are a differentiable function of uniform noise u, so the search is in its unit cube: no step leaves a range,
    whatever its distribution, and a step has one unit for degrees, factors and shifts. What is fixed stays fixed.

    | argument | meaning |
    |---|---|
    | `model` | gives outputs for images; a module is in `eval()` meanwhile, and its parameters get no gradient (of
    DistributedDataParallel take the `.module`; of a recurrent net on CUDA switch cuDNN off) |
    | `images`, `labels` | one batch `[B, C, H, W]` (volumes: `[B, C, D, H, W]`), and what the loss takes, `[B, ...]` |
    | `augment` | an augmentation of one image each, crops included, or a module of augfn_nn with its ranges as they are |
    | `steps` | the budget: 2 `steps` evaluations for each image, of which a forward is one and one with a gradient two |
    | `key` | one key, or one for each image `[B, 2]`: then an image's result does not depend on its batch |
    | `loss` | `loss(outputs, labels)`, one number for each image `[B]`; by default the cross entropy of the
    logits (the first of several outputs; of dense ones the mean over places) to classes `[B]` or soft labels `[B, K]`.
    NaN counts as the highest |
    | `method` | "random": the best of 2 `steps` independent draws. "gradient": draws, an ascent from the best of them,
    again draws, and so on |
    | `restarts` | so many ascents are planned for: each follows on a quarter of its part of the budget in draws. None:
    on 5 draws, or a quarter of the budget |

    An ascent goes by the sign of the gradient, each number of u with a step of its own, from 1/4 on, which grows by 1.2
    while the sign stays and halves where it changes (Rprop), until no number moves by 1/64. Where the gradient is zero,
    as on a plateau, only a draw that is better than all before starts another ascent: so two evaluations are all that
    is lost there against random draws. What a draw jumps with (gates, choices, seeds, orders, Beta and Dirichlet) has
    no gradient, and stays as it was drawn while the rest ascends.

    Returns params `[B]` as `augment(images, None, key)[1]` does, whose own draw is the first that is tried: so the loss is
    never below that one's; it can be below that of the image as it is. `augment(images, params)` replays them,
    `af.explain(params, sample=i)` tells them.

    Raises TypeError for what is no augmentation, ValueError for mixes and views, labels or a loss of another length, and
    where nothing is random. Sources: Engstrom et al. 2019, "Exploring the landscape of spatial robustness" (for the
    best of random draws); Riedmiller and Braun 1993 (Rprop).

    >>> import augfn as af
    >>> bright = lambda x: torch.stack([x.mean((1, 2, 3)), torch.full((len(x),), 0.5)], 1)  # class 0 is bright
    >>> params = worst_case(bright, torch.ones(2, 1, 4, 4), torch.tensor([0, 0]), af.brightness(factor=(0.2, 0.9)), key=af.key(0))
    >>> params["factor"]
    tensor([0.2000, 0.2000])
    """
    f, ranges = augmentation_of(augment, "worst_case")
    return worst_params(model, images, labels, f, ranges, steps, key, loss=loss, method=method, restarts=restarts)


def worst_params(
    model: Callable[[Tensor], Any],
    images: Tensor,
    labels: Tensor,
    f: Augmentation,
    ranges: Params,
    steps: int,
    key: Any,
    *,
    loss: Loss | None = None,
    method: str = "gradient",
    restarts: int | None = None,
) -> Params:
    """`worst_case` over other ranges than the augmentation's own."""
    check(steps, method, restarts)
    with torch.inference_mode(False), evaluating(model):
        attack = attacked(model, images, labels, f, ranges, loss)
        best = Best.of(attack)
        for seen in trajectory(attack, attack.keys(key), steps, method, restarts):
            best.look(seen)
        return attack.cube.params(best.noise, torch.arange(len(best.noise), device=HOST))


class Seen(NamedTuple):
    """One evaluation of some images: which, at which noise `[n, N]`, their losses `[n]`, and what it cost for each."""

    rows: Tensor
    noise: Tensor
    loss: Tensor
    cost: int


@dataclass(frozen=True)
class Cube:
    """The params of each sample as a function of the noise `[n, N]` that they are drawn from, which is on the host.

    `shapes`: the noise of each leaf that is drawn, one after the other; `fixed [B, ...]`: the leaves that are not. `home`
    is where leaves are.
    """

    f: Augmentation
    ranges: Params
    shapes: dict[str, tuple[int, ...]]
    fixed: dict[str, Tensor]
    home: torch.device

    def keys(self, key: Any, n: int, what: str) -> Tensor:
        """A key for each sample `[n, 2]`."""
        if key is None:
            raise ValueError(explain(f"{what}: a key is needed to draw", [*self.shapes], "a key", "key=af.key(0)"))
        key = checked_key(key, (n,)).cpu()
        return random.split(key, n) if key.ndim == 1 else key.expand(n, 2)

    def noise(self, keys: Tensor) -> Tensor:
        return noise_of(self.shapes, self.f.salts, (len(keys),), keys, HOST)

    def params(self, noise: Tensor, rows: Tensor) -> Params:
        """The params of some samples, at their noise."""
        leaves = leaves_of(self.ranges)
        values = {path: t[rows] for path, t in self.fixed.items()}
        for path, u in parts_of(noise, self.shapes).items():
            values[path] = leaves[path].draw((u.detach() if isinstance(leaves[path], STEPWISE) else u).to(self.home))
        return nested(self.ranges, iter([values[path] for path in leaves]))


def cube_of(f: Augmentation, ranges: Params, sample: Sample, what: str) -> Cube:
    """Where the params of a batch are searched, checked."""
    batch, meanings = sample.batch, f.sized(sample, {})
    ranges = tree_map_only(Tensor, Tensor.detach, ranges)
    leaves = leaves_of(ranges)
    shapes = {p: noise_shape(d, meanings[p], p) for p, d in leaves.items() if isinstance(d, Distribution)}
    shapes = {p: shape for p, shape in shapes.items() if math.prod(shape)}
    if not shapes:
        fix = "give it a range, af.rotate(degrees=(-15, 15))"
        raise ValueError(explain(f"{what}: nothing to search", f, "at least one leaf that is drawn", fix))
    still = {path: leaf for path, leaf in leaves.items() if path not in shapes}
    home = home_of(leaves, sample.device)
    return Cube(f, ranges, shapes, draw(still, still, meanings, f.salts, batch, None, home), home)


@dataclass(frozen=True)
class Attack:
    """The loss of each image as a function of the noise `[n, N]` of its params."""

    model: Callable[[Tensor], Any]
    images: Tensor
    labels: Tensor
    cube: Cube
    loss: Loss

    def keys(self, key: Any) -> Tensor:
        return self.cube.keys(key, len(self.images), "worst_case")

    def evaluate(self, noise: Tensor, rows: Tensor) -> Tensor:
        """The loss of some images, at their noise."""
        f, params = self.cube.f, self.cube.params(noise, rows)
        y = f.on(f.read(self.images[rows]), params, None)[0]
        y = y.to(*device_of(self.model)) if isinstance(self.model, nn.Module) else y
        found = self.loss(self.model(y), self.labels[rows])
        if not isinstance(found, Tensor) or found.shape != (len(rows),):
            want, fix = f"one number for each image [{len(rows)}]", 'loss=nn.CrossEntropyLoss(reduction="none")'
            raise ValueError(explain("worst_case: the loss", found, want, fix))
        return found.to(HOST, torch.float32).nan_to_num(torch.inf, torch.inf)

    def slopes(self, noise: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The losses, and their gradient to the noise, zero where there is none."""
        noise = noise.detach().requires_grad_()
        found = self.evaluate(noise, rows)
        if not found.requires_grad:
            return found, torch.zeros_like(noise)
        slope = torch.autograd.grad(found.sum(), noise, materialize_grads=True)[0]
        return found.detach(), slope.nan_to_num(0.0)


def augmentation_of(augment: Any, what: str) -> tuple[Augmentation, Params]:
    """A function and its ranges, or those of a module around one, which are as they are now."""
    f = getattr(augment, "f", augment)
    if not isinstance(f, Augmentation):
        want, fix = "an augmentation of augfn, or a module around one", "af.pipeline(af.rotate(degrees=(-15, 15)))"
        raise TypeError(explain(f"{what}: not an augmentation", augment, want, fix))
    if f.mixes or getattr(f, "many", False):
        want, fix = "steps of one image each", "leave mixes and views out"
        raise ValueError(explain(f"{what}: a step that mixes images, or gives several", f.name, want, fix))
    if getattr(augment, "shared", None):
        warn(f"{what}: same_on_batch is not followed: each image has draws of its own")
    return f, augment.params


def attacked(
    model: Callable[[Tensor], Any], images: Tensor, labels: Tensor, f: Augmentation, ranges: Params, loss: Loss | None
) -> Attack:
    """What is searched, checked."""
    if not isinstance(images, Tensor):
        raise TypeError(explain("worst_case: images", images, "a batch [B, C, H, W]", "af.to_float(images)"))
    sample = f.read(images)
    batch = sample.batch
    if len(batch) != 1:
        raise ValueError(explain("worst_case: images", images, "one batch [B, C, H, W]", "image[None], label[None]"))
    if not isinstance(labels, Tensor) or labels.shape[:1] != batch:
        want = f"a tensor of one for each image, [{batch[0]}] or [{batch[0]}, K]"
        raise ValueError(explain("worst_case: labels", labels, want, "the labels of these images"))
    return Attack(model, images.detach(), labels, cube_of(f, ranges, sample, "worst_case"), loss or per_image)


def per_image(outputs: Any, labels: Tensor) -> Tensor:
    logits = first_tensor(outputs)
    labels = labels.to(logits.device, logits.dtype if labels.is_floating_point() else torch.int64)
    if labels.is_floating_point() or labels.ndim == logits.ndim - 1:
        found = cross_entropy(logits, labels, reduction="none")
        return found.flatten(1).mean(1) if found.ndim > 1 else found
    want, fix = (
        f"classes {[len(logits), *logits.shape[2:]]}, or soft labels {list(logits.shape)}",
        "labels.argmax(1), of one-hot",
    )
    raise ValueError(explain("worst_case: labels", labels, want, fix))


def check(steps: int, method: str, restarts: int | None) -> None:
    if method not in METHODS:
        raise ValueError(explain("worst_case: method", method, f"one of {METHODS}", 'method="gradient"'))
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(explain("worst_case: steps", steps, "a whole number from 1 on", "steps=10"))
    if restarts is not None and (isinstance(restarts, bool) or not isinstance(restarts, int) or restarts < 1):
        raise ValueError(explain("worst_case: restarts", restarts, "a whole number from 1 on, or None", "restarts=2"))


# the search


@dataclass
class Best:
    """The highest loss that was seen of each image `[B]`, and where `[B, N]`."""

    noise: Tensor
    loss: Tensor

    @classmethod
    def of(cls, attack: Attack) -> Best:
        n, size = len(attack.images), sum(map(math.prod, attack.cube.shapes.values()))
        return cls(torch.zeros(n, size, **FLOATS), torch.full((n,), -torch.inf, **FLOATS))

    def look(self, seen: Seen) -> Tensor:
        """Keep what is better; the images of which it is."""
        better = seen.loss > self.loss[seen.rows]
        rows = seen.rows[better]
        self.noise[rows], self.loss[rows] = seen.noise[better], seen.loss[better]
        return rows


def trajectory(
    attack: Attack, keys: Tensor, steps: int, method: str = "gradient", restarts: int | None = None
) -> Iterator[Seen]:
    """All evaluations of a search, in order: draws, and from the best of so many an ascent (none, for random ones). The
    k-th draw of an image is the same for every method."""
    budget = 2 * steps
    scouts = max(1, min(budget // 4, SCOUTS) if restarts is None else budget // (4 * restarts))
    n = len(keys)
    best, start = Best.of(attack), Best.of(attack)  # of all, and of the draws since the last ascent
    spent, drawn, since = torch.zeros(
        3, n, dtype=torch.int64, device=HOST
    )  # evaluations, draws, draws since the last ascent
    climbs, fresh, flat = torch.zeros(
        3, n, dtype=torch.bool, device=HOST
    )  # ascends; has a new best draw; had no gradient
    at, slope, step = torch.zeros(3, *best.noise.shape, **FLOATS)
    while True:
        climbs &= spent + 2 <= budget
        draws, ascents = torch.where(~climbs & (spent < budget))[0], torch.where(climbs)[0]
        if not len(draws) + len(ascents):
            return
        if len(draws):
            u = attack.cube.noise(numbered(keys[draws], drawn[draws]))
            with torch.no_grad():
                seen = Seen(draws, u, attack.evaluate(u, draws), 1)
            yield seen
            spent[draws] += 1
            drawn[draws] += 1
            since[draws] += 1
            start.look(seen)
            fresh[best.look(seen)] = True
        if len(ascents):
            u = at[ascents]
            with torch.enable_grad():
                losses, found = attack.slopes(u, ascents)
            yield (seen := Seen(ascents, u, losses, 2))
            spent[ascents] += 2
            best.look(seen)
            flat[ascents] &= (found == 0).all(-1)
            at[ascents], step[ascents] = ascended(u, found, slope[ascents], step[ascents])
            slope[ascents] = found
            rest = ascents[(at[ascents] - u).abs().amax(-1) < LEAST]
            climbs[rest], fresh[rest], since[rest], start.loss[rest] = False, False, 0, -torch.inf
        if method == "gradient":
            begin = ~climbs & (since >= scouts) & (fresh | ~flat) & (spent + 4 <= budget)
            at[begin], slope[begin], step[begin] = start.noise[begin], 0.0, FIRST
            climbs |= begin
            flat |= begin


def ascended(u: Tensor, slope: Tensor, before: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """One step of Rprop within the cube: where it leads, and how long it was.

    >>> u, slope = torch.tensor([0.5, 0.5, 0.5]), torch.tensor([1.0, -1.0, 0.0])
    >>> ascended(u, slope, torch.tensor([3.0, 3.0, 3.0]), torch.full((3,), 0.25))
    (tensor([0.8000, 0.3750, 0.5000]), tensor([0.3000, 0.1250, 0.2500]))
    """
    same = slope.sign() * before.sign()
    step = torch.where(same > 0, step * GROWN, torch.where(same < 0, step * SHRUNK, step))
    return (u + step * slope.sign()).clamp(0, TOP), step


def numbered(keys: Tensor, number: Tensor) -> Tensor:
    """The keys of an image's draws: the 0th is its own."""
    return torch.where((number == 0)[:, None], keys, random.fold_in(keys, number))
