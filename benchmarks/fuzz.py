"""Random pipelines against the laws that hold for any pipeline.

    python -m benchmarks.fuzz [--cases 2000] [--seed 0] [--ops 60] [--only NAME ...]

A case is a seed: it names the sample (image, mask, boxes, keypoints, depth, video, ...), the program (ops in random
order and nesting) and the key, as long as the registry stays the same. A case that breaks a law is cut down to as few
steps as still break it, and printed as code; `--seed N --cases 1` runs it again. The exit status is 1 if any case
failed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

import augfn as af
from augfn.core.spec import SPECS
from benchmarks.fuzz_laws import LAWS, Trial, entries, part
from benchmarks.fuzz_programs import Group, Maker, Op, some_sample


class Broken(AssertionError):
    """A law that does not hold; `kind` tells one way of failing from another."""

    def __init__(self, law: str, error: Exception) -> None:
        word = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        super().__init__(f"{law}: {word}{error}")
        self.kind = (law, type(error), str(error).split(".\n")[0] if "do this:" in str(error) else "")


# cases


def trial(r: Random, ops: int, only: tuple[str, ...] = ()) -> tuple[Trial, Maker]:
    """Everything of a case, from one source of choices."""
    x, ndim = some_sample(r)
    maker = Maker(r, x, ndim, only)
    program = maker.program(min(ops, r.choice((1, 2, 3, 5, 8, 12, 20, 40, 60))))
    return Trial(program, x, ndim, af.key(r.randint(0, 2**31 - 1))), maker


def examine(t: Trial) -> None:
    """Try every law; raises Broken for the first that does not hold."""
    for law in LAWS:
        try:
            law(t)
        except Exception as error:
            raise Broken(law.__name__, error) from error


def broken(t: Trial) -> Broken | None:
    try:
        examine(t)
    except Broken as error:
        return error
    return None


def shrunk(t: Trial, error: Broken, budget: int = 400) -> Trial:
    """The smallest trial found that still fails in the same way."""
    progress = True
    while progress and budget > 0:
        progress = False
        for smaller in simpler(t):
            budget -= 1
            found = broken(smaller) if budget >= 0 else None
            if found and found.kind == error.kind:
                t, progress = smaller, True
                break
    return t


def simpler(t: Trial) -> Iterator[Trial]:
    """The trial with one thing less: a step, a level of nesting, a target, the batch, a keyword."""
    for program in cuts(t.program):
        if isinstance(program, Group) and program.kind == "pipeline":
            yield replace(t, program=program)
    if isinstance(t.x, dict):
        for name in t.x:
            rest = {n: v for n, v in t.x.items() if n != name}
            if {"image", "volume", "video"} & rest.keys():
                yield replace(t, x=rest)
    if len(t.batch) > 1:
        yield replace(t, x=part(t.x, 0))


def cuts(p: Any) -> Iterator[Any]:
    if isinstance(p, Op):
        yield from (replace(p, keywords={k: v for k, v in p.keywords.items() if k != n}) for n in p.keywords)
        return
    half = len(p.steps) // 2
    for keep in (p.steps[:half], p.steps[half:]) if half > 1 else ():
        yield replace(p, steps=keep)
    for i, step in enumerate(p.steps):
        if len(p.steps) > 1:
            yield replace(p, steps=p.steps[:i] + p.steps[i + 1 :])
        inner = step.steps if isinstance(step, Group) else ()
        for new in [*inner, *cuts(step)]:
            yield replace(p, steps=(*p.steps[:i], new, *p.steps[i + 1 :]))
    if p.kind == "pipeline":
        yield from (replace(p, settings={k: v for k, v in p.settings.items() if k != n}) for n in p.settings)


def report(case: str, t: Trial, error: Broken) -> str:
    """What a reader needs to see it again."""
    given = {n: describe(v) for n, v in entries(t.x)}
    return f"{case}: {error}\n  f = {t.program.code()}\n  x: {given}\n  key: {t.key.tolist()}"


def describe(value: Any) -> str:
    first = tree_leaves(value)[0]
    return f"{type(value).__name__} {str(first.dtype).removeprefix('torch.')} {list(first.shape)}"


# the command


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=2000, help="how many cases")
    parser.add_argument("--seed", type=int, default=0, help="the first case; the others count up from it")
    parser.add_argument("--ops", type=int, default=60, help="most ops in a program")
    parser.add_argument("--only", nargs="*", default=(), choices=sorted(SPECS), metavar="NAME", help="ops to use")
    parser.add_argument("--failures", type=int, default=10, help="stop after so many")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    from tqdm import tqdm

    options = parse(arguments)
    torch.set_num_threads(1)  # the tensors are tiny
    used, refused, groups, failed = Counter(), Counter(), Counter(), 0
    for seed in tqdm(range(options.seed, options.seed + options.cases), desc="cases", mininterval=1):
        t, maker = trial(Random(seed), options.ops, tuple(options.only))
        used.update(op.name for op in t.program.ops())
        groups.update(t.program.groups())
        refused.update(maker.refused)
        if error := broken(t):
            failed += 1
            small = shrunk(t, error)
            tqdm.write(report(f"seed {seed}", small, broken(small) or error))
        if failed >= options.failures:
            break
    print(summary(options, used, refused, groups, failed))
    return 1 if failed else 0


def summary(options: Any, used: Counter, refused: Counter, groups: Counter, failed: int) -> str:
    never = sorted(set(options.only or SPECS) - set(used))
    least = ", ".join(f"{n} {k}" for n, k in used.most_common()[:-6:-1])
    lines = [
        f"{options.cases} cases from seed {options.seed}: {failed} failed",
        f"{sum(used.values())} ops of {len(used)} names; least often: {least}; never: {', '.join(never) or 'none'}",
        f"combinators: {', '.join(f'{n} {k}' for n, k in groups.most_common())}",
        f"refused most often: {', '.join(f'{n} {k}' for n, k in refused.most_common(5))}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
