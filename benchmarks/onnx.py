"""Which ops run as ONNX: each 2-D op is exported with its params as inputs, and run in onnxruntime.

    python -m benchmarks.onnx [--out benchmarks/results] [--only NAME ...]

Exported at one draw, run at that and at another (another image, other params): both have to agree with augfn to 1e-4.
Writes `onnx.md`. Needs onnx, onnxscript and onnxruntime.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from augfn import random
from augfn.core.augmentation import Augmentation
from augfn.core.spec import SPECS
from augfn.testing.case import case
from benchmarks.measure import environment, header, table

ALLOWED = 1e-4
PACKAGES = ("augfn", "torch", "onnx", "onnxscript", "onnxruntime")


class Replay(nn.Module):
    """An augmentation of images for given params, as a module."""

    def __init__(self, f: Augmentation) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor, params: dict[str, Any]) -> Tensor:
        return self.f(x, params)[0]


@dataclass(frozen=True)
class Row:
    """One op: how far its program is from augfn, or why there is none."""

    op: str
    kind: str
    far: float | None = None
    why: str = ""

    @property
    def agrees(self) -> bool:
        return self.far is not None and self.far <= ALLOWED


def flat_ops() -> list[str]:
    return [name for name, spec in SPECS.items() if spec.ndim == 2]


def exported(f: Augmentation, x: Tensor, params: dict[str, Any]) -> Any:
    """The ONNX program of a replay; its inputs are the image and every leaf of the params."""
    return torch.onnx.export(Replay(f).eval(), (x,), kwargs={"params": params}, dynamo=True, verbose=False)


def tried(name: str) -> Row:
    """Export one op and compare."""
    c = case(name, (3,), None, 3, torch.float32, 0)
    kind = SPECS[name].kind
    (x, params), other = [(x, c.f(x, None, random.key(seed))[1]) for seed, x in enumerate((c.x, c.x.flip(-1)))]
    try:
        program = exported(c.f, x, params)
        pairs = [(program(a, params=p)[0], c.f(a, p)[0]) for a, p in ((x, params), other)]
    except Exception as error:  # an op that cannot be exported is a row of the table
        return Row(name, kind, why=reason(error))
    return Row(name, kind, far=max(float((given - wanted).abs().max()) for given, wanted in pairs))


def reason(error: BaseException) -> str:
    """The operator that is missing, where the error names it."""
    text, cause = str(error), error.__cause__
    while cause is not None:
        text, cause = f"{text} {cause}", cause.__cause__
    found = re.search(r"op='([\w.]+)'", text) or re.search(r"implementation for (\w+)", text)
    return f"`{found[1]}`" if found else textwrap.shorten(text.replace("|", "/"), 160, placeholder=" ...")


def page(rows: Sequence[Row], command: str) -> str:
    good = [r for r in rows if r.agrees]
    head = ("op", "kind", "largest difference", "what ONNX lacks")
    lines = ((r.op, r.kind, "" if r.far is None else f"{r.far:.1e}", r.why) for r in rows)
    env = environment(command, torch.get_num_threads()) | {"versions": {name: version(name) for name in PACKAGES}}
    return "\n\n".join(
        [
            "# Ops as ONNX",
            f"{len(good)} of {len(rows)} 2-D ops, with their params as inputs, run in onnxruntime and agree with augfn "
            f"to {ALLOWED:g}.",
            header(env),
            table(head, lines),
        ]
    )


def rows_of(names: Sequence[str]) -> Iterator[Row]:
    for name in tqdm(names, disable=None):
        torch._dynamo.reset()
        yield tried(name)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=flat_ops())
    given = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    rows = []
    for row in rows_of(given.only or flat_ops()):
        rows.append(row)
        print(row.op, "ok" if row.agrees else "no", row.far, row.why, flush=True)
    if not given.only:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "onnx.md").write_text(page(rows, "python -m benchmarks.onnx") + "\n")


if __name__ == "__main__":
    sys.exit(main())
