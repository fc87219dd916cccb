"""The public interface as two files, which a test compares with the code: what there is, and what a key draws.

    python -m benchmarks.api [--remove]

Writes `tests/data/api.txt`, every public name with its arguments, and `tests/data/draws.json`, the params that each op draws
from one key. A name that is gone, or a draw that changed, is printed, and written with `--remove` alone: what
`notebooks/guides/stability.md` promises then holds no longer, and CHANGELOG.md has to say so.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

import augfn as af
from augfn.core.draw import leaves_of
from augfn.core.spec import SPECS
from augfn.testing import example

DATA = Path(__file__).parents[1] / "tests" / "data"
API, DRAWS = DATA / "api.txt", DATA / "draws.json"
# What is in the `__all__` of these is public, and nothing else.
MODULES = (
    "augfn",
    "augfn.app.viz",
    *(f"augfn.{name}" for name in af._MODULES),
    "augfn_nn",
    "augfn_nn.auto",
    "augfn_nn.container",
    "augfn_nn.derive",
    "augfn_nn.presets",
    "augfn_nn.random_generator",
)

# Of a class that a user makes its arguments are public, which are its attributes too, and these members.
MEMBERS = {
    "AdaptiveDiscriminatorAugmentation": "p real_acc_ema update",
    "Augment": "apply_transform clear_state compute_inverse_transformation compute_transformation forward forward_parameters"
    " generate_parameters get_transformation_matrix identity_matrix inverse key param_items params reseed"
    " set_rng_device_and_dtype transform_matrix transform_tensor",
    "AugmentationSequential": "append extend f get_children_by_indices get_children_by_module_names get_children_by_params"
    " get_forward_sequence get_params_by_module insert is_intensity_only pop",
    "AugmentedDataset": "set_epoch",
    "Boxes": "convert cpu cuda pad pin_memory to xyxy",
    "Derived": "p",
    "Distribution": "draw entropy log_prob noise_shape shape",
    "Keypoints": "cpu cuda pad pin_memory to",
    "Map": "affine linear rotation then",
    "RankSampler": "set_epoch",
    "Scheduled": "epoch progress set_epoch",
}
# Of a class that the library makes, these members alone.
RESULTS = {
    "Ablation": "plot ranking scores seeds table verdicts",
    "Applied": "done dropped failures others out ran",
    "Augmentation": "compiled name params schema",
    "Case": "",
    "Conversion": "differs lacking module pipeline",
    "Curves": "clean curve images key labels leaf level notes plot table tolerance tolerances values",
    "DataSet": "",
    "Estimate": "high low value",
    "Job": "",
    "Options": "",
    "ParamItem": "",
    "PatchParamItem": "",
    "Population": "curves key member metric points save schedule space state table",
    "Record": "",
    "Report": "by_class embedding layers notes ops plot save steps to_pandas worst",
    "Reported": "below metric on point trials validation value values when",
    "Searched": "best complete plot policy save table top value",
    "Space": "dimensions grid paths policy sample",
    "Table": "cells columns sorted to_pandas where",
}


def api() -> str:
    """A line for each public name, and for each public member of a class: `augfn.Boxes.pad(boxes, labels=, ...)`."""
    lines = [line for name in MODULES for line in lines_of(importlib.import_module(name))]
    return "\n".join(lines) + "\n"


def lines_of(module: ModuleType) -> Iterator[str]:
    for name in sorted(module.__all__):
        value, where = getattr(module, name), f"{module.__name__}.{name}"
        made = isinstance(value, type) and name in RESULTS
        yield where if made else where + arguments(value)
        if isinstance(value, type):
            for member in (RESULTS if made else MEMBERS).get(name, "").split():
                yield f"{where}.{member}{arguments(inspect.getattr_static(value, member, None))}"


def arguments(value: Any) -> str:
    """`(x, *, p=)`: names and what may be left out; nothing for what is not called."""
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    made = inspect.isclass(value) and value.__module__.startswith("augfn")  # and not a type such as `tuple[int, ...]`
    if not callable(value) or not (made or inspect.isroutine(value)):
        return ""
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:
        return "(...)"
    shown, starred = [], False
    for p in parameters:
        starred |= p.kind is p.VAR_POSITIONAL
        if p.kind is p.KEYWORD_ONLY and not starred:
            shown, starred = [*shown, "*"], True
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        shown.append(f"{stars}{p.name}" + "=" * (p.default is not p.empty))
    return f"({', '.join(shown)})"


def draws() -> dict[str, dict[str, list[float]]]:
    """What every op draws for two samples by `af.key(0)`, leaf by leaf: the first number of each sample's value."""
    return {name: drawn(name) for name in sorted(SPECS)}


def drawn(name: str) -> dict[str, list[float]]:
    f = example(name)
    x = torch.full((2, 1 if f.bare else 3, *(9, 10, 11)[-f.ndim :]), 0.5)
    leaves = leaves_of(f(x, None, af.key(0))[1])
    return {path: [round(v, 6) for v in leaf.reshape(2, -1)[:, 0].tolist()] for path, leaf in sorted(leaves.items())}


def lost(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The draws that were there and are others now."""
    return [
        f"{op}: {path} drew {values}, draws {new.get(op, {}).get(path)}"
        for op, leaves in old.items()
        for path, values in leaves.items()
        if new.get(op, {}).get(path) != values
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--remove", action="store_true", help="write what is gone or changed too")
    remove = parser.parse_args().remove
    text, numbers = api(), draws()
    gone = sorted(set(API.read_text().splitlines()) - set(text.splitlines())) if API.exists() else []
    gone += lost(json.loads(DRAWS.read_text()), numbers) if DRAWS.exists() else []
    print(*gone, sep="\n")
    if gone and not remove:
        raise SystemExit("these are gone or changed: with --remove they are written, and CHANGELOG.md says so")
    API.write_text(text, encoding="utf-8")
    DRAWS.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    print(f"{API}: {text.count(chr(10))} lines\n{DRAWS}: {len(numbers)} ops")


if __name__ == "__main__":
    main()
