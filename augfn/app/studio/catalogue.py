"""What can be added to a pipeline: ops, combinators, policies and recipes, found by their names and those of peers."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import augfn as af
import augfn_nn
from augfn.app.studio.steps import Step
from augfn.core.augmentation import build
from augfn.core.spec import SPECS, Spec
from augfn.files.values import plain
from augfn.policies.recipes import RECIPES

PART = 0.75  # of the frame: a size that has to be given
COMBINATORS = {
    "maybe": ({"p": 0.5}, "Its step with a probability."),
    "one_of": ({}, "One of its steps for each sample."),
    "some_of": ({"n": 1}, "n of its steps for each sample."),
    "repeat": ({"n": 2}, "Its step n times."),
    "mixture": ({}, "A weighted mean of its steps' results and the image."),
    "pipeline": ({}, "Steps in a row, with settings of their own."),
}
POLICIES = {
    "rand_augment": af.rand_augment,
    "trivial_augment": af.trivial_augment,
    "auto_augment": af.auto_augment,
    "augmix": af.augmix,
}
OF_POLICIES = {"rand_augment": "RandAugment", "trivial_augment": "TrivialAugmentWide", "auto_augment": "AutoAugment"}
OTHERS = ("video", "video_classification", "depth", "ct_detection")  # recipes of what the page does not show
KINDS = {
    "geometric": "geometry",
    "photometric": "colour",
    "filter": "filter",
    "noise": "noise",
    "occlusion": "occlusion",
    "mix": "mix",
}


@dataclass(frozen=True)
class Entry:
    """Something to add: its name, its kind in a word, what it does in a sentence, and the names that peers have for it."""

    name: str
    kind: str
    says: str
    peers: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """A line of the list, in which a search looks."""
        return f"{self.name} ({self.kind})" + (f" – {', '.join(self.peers)}" if self.peers else "")


@cache
def entries(ndim: int) -> dict[str, Entry]:
    """All that fits images (2) or volumes (3), by name."""
    peers = peers_of()
    out = {
        n: Entry(n, KINDS[s.kind], first(factory(n).__doc__), peers.get(n, ()))
        for n, s in SPECS.items()
        if fits(s, ndim)
    }
    out |= {n: Entry(n, "combinator", says, peers.get(n, ())) for n, (_, says) in COMBINATORS.items()}
    if ndim == 2:
        out |= {n: Entry(n, "policy", first(f.__doc__), peers.get(n, ())) for n, f in POLICIES.items()}
    for n, f in RECIPES.items():
        if n not in OTHERS and af.recipe(n).ndim == ndim:
            out[f"recipe {n}"] = Entry(f"recipe {n}", "recipe", first(f.__doc__))
    return out


def fits(spec: Spec, ndim: int) -> bool:
    """True of an op that frames of so many dimensions have."""
    if spec.target == "depth":  # which the page does not show
        return False
    if spec.kind == "mix" and {"boxes", "instances", "mask"} & {*spec.wants}:  # the page mixes images alone
        return False
    return spec.ndim == ndim or (ndim == 3 and spec.kind not in ("geometric", "mix"))


def factory(name: str) -> Any:
    """An op's own factory: `af.invert` is the inverse of an augmentation too."""
    from augfn.ops import photometric

    return photometric.invert if name == "invert" else getattr(af, name)


def first(doc: str | None) -> str:
    """The first sentence of a docstring."""
    text = " ".join((doc or "").split("\n\n")[0].split())
    return text.split(" Source:")[0].split(". ")[0].rstrip(".:") + "."


@cache
def peers_of() -> dict[str, tuple[str, ...]]:
    """The names that peers have for each op: those of the classes that bear them, and those of the tables in `names`, whose
    rows are: names there | names here, the nearest first | what to know."""
    out: dict[str, list[str]] = {}
    for name in augfn_nn.__all__:
        spec = getattr(getattr(augfn_nn, name), "spec", None)
        if isinstance(spec, Spec):
            out.setdefault(spec.name, []).append(name)
    for path in sorted(Path(__file__).with_name("names").glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            theirs, _, ours = line.partition("|")
            if not line.startswith("#") and ours.split():
                names = [n.strip().replace("(d)", "d") for n in theirs.split(",")]
                out.setdefault(ours.split()[0], []).extend(names)
    for name, peer in OF_POLICIES.items():
        out.setdefault(name, []).append(peer)
    return {n: tuple(peer for peer in dict.fromkeys(names) if peer != n) for n, names in out.items()}


def step_of(name: str, size: tuple[int, ...]) -> Step:
    """A new step by its name in the list, for frames of this size."""
    if name in COMBINATORS:
        return Step(name, dict(COMBINATORS[name][0]))
    if name in POLICIES:
        return Step.whole(POLICIES[name]())
    if name.startswith("recipe "):
        return Step.whole(af.recipe(name.removeprefix("recipe "), int(PART * min(size))))
    return Step(name, {n: plain(v, n) for n, v in needed(SPECS[name], size).items()})


def needed(spec: Spec, size: tuple[int, ...]) -> dict[str, Any]:
    """The keywords without which an op says nothing: sizes by the frame, others as in its example."""
    share = 1 / PART if spec.name.startswith("pad_to") else PART
    part = tuple(max(1, int(share * n)) for n in size)
    own = {"size": part, "max_size": max(part), "padding": max(1, min(size) // 8)}
    own |= {"axis": "y"} if len(size) == 2 and spec.static.get("axis") == "z" else {}  # an image has no z
    known = {n: own.get(n, v) for n, v in spec.example.items()}
    least = {n: v for n, v in known.items() if n in own or spec.static.get(n) is inspect.Parameter.empty}
    try:
        build(spec, dict(least))
    except (TypeError, ValueError):
        return known
    return least
