"""Searching a policy: images that it augments shall look like others to a critic, and keep their class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from augfn import random
from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params
from augfn.errors import explain, warn
from augfn.learn.critic import critic_loss, policy_losses
from augfn.learn.policy import check as check_augmentation
from augfn.learn.policy import discrete, held, tensors_of, with_params
from augfn.learn.score import surrogate_loss
from augfn.progress import shown

Batch = tuple[Tensor, Tensor | None, Tensor, Tensor | None]  # real images, labels, images to augment, their labels
Pair = tuple[Tensor, Tensor | None]
Optimizer = Callable[[Iterable[Tensor]], torch.optim.Optimizer]
ADAM: Optimizer = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.9))
CRITIC_ADAM: Optimizer = partial(torch.optim.Adam, lr=1e-3, betas=(0.0, 0.9))


class Found(NamedTuple):
    """What a search has found: the `policy` as it is used (`af.save` writes it), and the `state` to go on from, a dict of
    tensors and numbers for `torch.save`. `state["losses"] [steps, 2]`: the critic's and the policy's of each step."""

    policy: Augmentation
    state: dict[str, Any]


def search_policy(
    policy: Augmentation,
    data: Pair | Callable[[Tensor], Batch],
    critic: nn.Module,
    *,
    steps: int,
    key: Tensor,
    batch: int = 128,
    source: Pair | None = None,
    n_critic: int = 3,
    warmup: int = 30,
    penalty: float = 10.0,
    class_weight: float = 0.1,
    decay: float = 0.95,
    optimizer: Optimizer = ADAM,
    critic_optimizer: Optimizer = CRITIC_ADAM,
    state: dict[str, Any] | None = None,
    progress: bool = False,
) -> Found:
    """Search the ranges, probabilities and choices of a policy against a critic that learns (Faster AutoAugment).

    A step lets the critic D take `n_critic` steps of `critic_loss` and then, after `warmup` steps, the policy one on

        mean_i [ class_weight * cross_entropy(logits(y_i), label_i) - D(y_i) ],     y = policy(x)

    so that augmented images are those of the data, and of their class.

    | argument | meaning |
    |---|---|
    | `policy` | an augmentation that keeps the frame; of its params those tensors learn that require a gradient (see `learnable`
    and `searchable`). Their distributions say which gradient it is (see `surrogate_loss`), and they stay in their
    intervals (see `held`). Numbers that are computed of one another, such as the ends of `Uniform(-w, w)`, learn apart;
    `Span` ties them |
    | `data` | images `[N, C, H, W]` and labels `[N]` (or None: no class loss), of which each step takes real ones and others to
    augment; or a function of a key that gives a batch of both, each with its labels: (real, labels, other, labels) |
    | `critic` | as in `critic_loss`; it is trained in place, in the mode that it is in. With dropout a search is not repeatable |
    | `steps` | how many in all, those of `state` and of `warmup` included: no more than `warmup` change no policy (a warning) |
    | `key` | of the whole search: step i reads `fold_in(key, i)` |
    | `batch` | real images, and as many others; taken again where there are fewer |
    | `source` | other images to augment, and their labels; None: those of `data` that a step does not show as real |
    | `n_critic`, `warmup`, `penalty`, `class_weight` | see above, and `critic_loss` |
    | `decay` | of the moving average of the policy's numbers, which is what is found; 0: the last |
    | `optimizer`, `critic_optimizer` | from tensors to an optimizer, `functools.partial(torch.optim.Adam, lr=1e-2)` |
    | `state` | of a search with the same arguments, to go on from: the result is that of one without a break, bit for bit |
    | `progress` | show a bar (needs tqdm) |

    The `policy` given is not changed. To keep states on the way, search in turns: `for n in range(100, 1001, 100): found =
    search_policy(..., steps=n, state=found.state)`. Raises ValueError where nothing learns, for data that does not
    fit, and for a policy that mixes images where there are labels. Source: Hataya et al. 2020, "Faster AutoAugment"; ranges
    in place of its two-point magnitudes.

    >>> import augfn as af
    >>> images, net = torch.rand(16, 1, 4, 4), nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    >>> start = af.learn.learnable(af.brightness(factor=(0.5, 1.0), clip="none"))
    >>> found = search_policy(start, (images, None), net, steps=2, warmup=0, key=af.key(0), batch=8)
    >>> found.state["step"], found.policy.params["factor"].low.requires_grad
    (2, False)
    """
    check_augmentation("search_policy", policy)
    numbers = [t for t in tensors_of(policy.params).values() if t.requires_grad]
    check(numbers, steps, batch, n_critic, warmup, decay)
    batches = data if callable(data) else Halves(data, source, batch)
    if callable(data) and source is not None:
        raise ValueError(explain("search_policy: source beside a function", source, "one of both", "leave source out"))
    for name, made in (("optimizer", optimizer), ("critic_optimizer", critic_optimizer)):
        if not callable(made):
            want, fix = (
                "a function from tensors to an optimizer",
                f"{name}=functools.partial(torch.optim.Adam, lr=1e-2)",
            )
            raise TypeError(explain(f"search_policy: {name}", made, want, fix))
    if state is None and 0 < steps <= warmup:
        warn(
            f"search_policy: all {steps} steps are warm-up (warmup={warmup}): the policy found is the one that was given"
        )
    if not isinstance(critic, nn.Module):
        raise TypeError(
            explain("search_policy: critic", critic, "a module whose parameters learn", "a torch.nn.Module")
        )
    if not any(p.requires_grad for p in critic.parameters()):
        fix = "critic.requires_grad_()"
        raise ValueError(explain("search_policy: critic", "no parameter that learns", "a critic that learns", fix))
    if not (state is None or isinstance(state, dict)):
        raise TypeError(explain("search_policy: state", type(state).__name__, "that of a search", "state=found.state"))
    search = Search(policy, critic, numbers, optimizer, critic_optimizer, state)
    for step in shown(range(search.step, steps), progress, "steps"):
        at = random.fold_in(key, step)
        first = second = torch.zeros(())
        for i in range(n_critic):
            first = search.teach(batches, random.fold_in(at, i), penalty, class_weight)
        if step >= warmup:
            second = search.learn(batches, random.fold_in(at, n_critic), class_weight, decay, step - warmup)
        search.losses.append(torch.stack([first.detach().cpu(), second.detach().cpu()]))
        search.step = step + 1
    return Found(discrete(with_params(policy, search.params(search.average))), search.state())


class Search:
    """A search under way: the numbers that learn, their average, the critic and both optimizers."""

    def __init__(
        self,
        policy: Augmentation,
        critic: nn.Module,
        numbers: list[Tensor],
        optimizer: Optimizer,
        critic_optimizer: Optimizer,
        state: dict[str, Any] | None,
    ) -> None:
        self.policy, self.critic = policy, critic
        self.leaves, self.tree = tree_flatten(policy.params)
        begin = numbers if state is None else state["numbers"]
        average = numbers if state is None else state["average"]
        if [t.shape for t in begin] != [t.shape for t in numbers]:
            given, want = [list(t.shape) for t in begin], [list(t.shape) for t in numbers]
            raise ValueError(explain("search_policy: the state of another policy", given, str(want), "the same policy"))
        self.numbers = [t.detach().clone().requires_grad_() for t in begin]
        self.average = [t.detach().clone() for t in average]
        self.optimizers = critic_optimizer(critic.parameters()), optimizer(self.numbers)
        self.step, self.losses = 0, list[Tensor]()
        if state is not None:
            self.step, self.losses = state["step"], [*state["losses"]]
            critic.load_state_dict(state["critic"])
            for own, known in zip(self.optimizers, state["optimizers"], strict=True):
                own.load_state_dict(copied(known))  # Adam would change them in place

    def params(self, numbers: list[Tensor]) -> Params:
        """The policy's params at these numbers, each in its interval."""
        left = iter(numbers)
        given = [next(left).requires_grad_() if t.requires_grad else t for t in self.leaves]
        return held(tree_unflatten(given, self.tree), self.policy.schema)

    @torch.enable_grad()
    def teach(self, batches: Callable[[Tensor], Batch], key: Tensor, penalty: float, class_weight: float) -> Tensor:
        """A step of the critic."""
        real, labels, other, own = batches(random.fold_in(key, 0))
        if self.policy.mixes and own is not None:
            want, fix = "steps of one image each, whose labels stay", "leave mixes out, or labels: (images, None)"
            raise ValueError(explain("search_policy: a policy that mixes images, and labels", self.policy, want, fix))
        with torch.no_grad():
            fake = self.policy(other, self.params(self.numbers), random.fold_in(key, 1))[0]
        how = {"penalty": penalty, "labels": labels, "class_weight": class_weight}
        if fake.shape != real.shape:
            want, fix = (
                f"{list(real.shape)}, as the real ones",
                "a policy that keeps the frame, and batches of one size",
            )
            raise ValueError(explain("search_policy: the augmented images", fake, want, fix))
        loss = critic_loss(self.critic, real, fake, random.fold_in(key, 2), **how)
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()
        return loss

    @torch.enable_grad()
    def learn(
        self, batches: Callable[[Tensor], Batch], key: Tensor, class_weight: float, decay: float, step: int
    ) -> Tensor:
        """A step of the policy."""
        _, _, other, labels = batches(random.fold_in(key, 0))
        ranges = self.params(self.numbers)
        fake, drawn = self.policy(other, ranges, random.fold_in(key, 1))
        losses = policy_losses(self.critic, fake, labels, class_weight)
        loss = surrogate_loss(self.policy, losses, drawn, ranges)
        slopes = torch.autograd.grad(loss, self.numbers, allow_unused=True, materialize_grads=True)
        for t, slope in zip(self.numbers, slopes, strict=True):
            t.grad = slope
        self.optimizers[1].step()
        keep = min(decay, (1 + step) / (10 + step)) if decay else 0.0  # which forgets the start
        self.average = [
            torch.lerp(t.detach(), a.detach(), keep) for t, a in zip(self.numbers, self.average, strict=True)
        ]
        return loss

    def state(self) -> dict[str, Any]:
        """All that the next steps depend on, in copies."""
        losses = torch.stack(self.losses) if self.losses else torch.zeros(0, 2)
        return copied(
            {
                "step": self.step,
                "numbers": self.numbers,
                "average": self.average,
                "critic": dict(self.critic.state_dict()),
                "optimizers": [o.state_dict() for o in self.optimizers],
                "losses": losses,
            }
        )


class Halves:
    """Batches of a data set: real images, and different ones to augment."""

    def __init__(self, data: Pair, source: Pair | None, batch: int) -> None:
        self.data, self.source, self.batch = data, source, batch
        for name, pair in (("data", data), ("source", source)):
            if pair is not None and (len(pair) != 2 or (pair[1] is not None and len(pair[0]) != len(pair[1]))):
                want, fix = "images [N, C, H, W] and as many labels [N], or None", "(images, labels)"
                raise ValueError(explain(f"search_policy: {name}", pair, want, fix))
            if pair is not None and not all(x is None or isinstance(x, Tensor) for x in pair):
                given = [type(x).__name__ for x in pair]
                raise TypeError(
                    explain(f"search_policy: {name}", given, "two tensors", "af.to_float(x), torch.tensor(y)")
                )
        if len(data[0]) < 2:
            raise ValueError(explain("search_policy: data", len(data[0]), "at least two images", "(images, labels)"))

    def __call__(self, key: Tensor) -> Batch:
        n = len(self.data[0])
        order = random.uniform(key, (n,)).argsort()
        if self.source is None:
            return *rows(self.data, order[: n // 2], self.batch), *rows(self.data, order[n // 2 :], self.batch)
        other = random.uniform(random.fold_in(key, 1), (len(self.source[0]),)).argsort()
        return *rows(self.data, order, self.batch), *rows(self.source, other, self.batch)


def rows(pair: Pair, order: Tensor, n: int) -> Pair:
    """n samples in that order, from its start again where it ends."""
    images, labels = pair
    at = order[torch.arange(n) % len(order)].to(images.device)
    return images[at], None if labels is None else labels[at.to(labels.device)]


def copied(state: Any) -> Any:
    """The same with copies of the tensors, free of graphs."""
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {k: copied(v) for k, v in state.items()}
    return [copied(v) for v in state] if isinstance(state, list) else state


def check(numbers: list[Tensor], steps: int, batch: int, n_critic: int, warmup: int, decay: float) -> None:
    if not numbers:
        want, fix = "params with tensors that require a gradient", "af.learn.learnable(policy)"
        raise ValueError(explain("search_policy: nothing learns", "plain ranges", want, fix))
    whole = ("steps", steps, 0, 300), ("batch", batch, 1, 128), ("n_critic", n_critic, 1, 3), ("warmup", warmup, 0, 30)
    for name, n, least, usual in whole:
        if isinstance(n, bool) or not isinstance(n, int) or n < least:
            raise ValueError(
                explain(f"search_policy: {name}", n, f"a whole number, at least {least}", f"{name}={usual}")
            )
    if not 0 <= decay < 1:
        raise ValueError(explain("search_policy: decay", decay, "0 <= decay < 1", "decay=0.95"))
