"""Saving: policies as YAML or JSON files, and what `torch.load(weights_only=True)` may make.

That reader makes only what is registered: here the values and augmentations of augfn's own, which run nothing when they
are made. A pipeline with an op of another module is read after `torch.serialization.add_safe_globals([spec_at])` with
`spec_at` of `augfn.core.spec`, which imports that module.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch.serialization import add_safe_globals

from augfn import distributions
from augfn.core.augmentation import Augmentation, Op
from augfn.core.boxes import Boxes, Keypoints
from augfn.core.combined import Combined, Identity
from augfn.core.draw import leaves_of
from augfn.core.spec import own_spec
from augfn.errors import explain
from augfn.files.reading import made
from augfn.files.values import PolicyError, one_line
from augfn.files.writing import written
from augfn.images import Conversion
from augfn.math.resample import Sampling
from augfn.run.looks import check_leaves
from augfn.typing import Leaf

SAFE = [getattr(distributions, name) for name in distributions.__all__]
SAFE += [Op, *Combined.__subclasses__(), Identity, Conversion, own_spec, Boxes, Keypoints, Leaf, Sampling]
add_safe_globals(SAFE)

SUFFIXES = (".yaml", ".yml", ".json")


def save(f: Any, path: str | Path) -> None:
    """Write an augmentation, or a module with its ranges as they are now, to a YAML or JSON file, as the suffix says.

    The file holds names and numbers, and `load` of it draws the same for the same key. YAML needs pyyaml (in the extra
    `demo`), JSON nothing. What learns is written as it is now, and comes back as plain ranges.

    Raises TypeError for what has no place in a file: an augmentation that is no op or combinator (`torch.save` keeps it),
    or an op that its module does not have under its own name.

    >>> import augfn as af, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "policy.json")
    >>> save(af.pipeline(af.hflip(p=0.5), af.rotate(degrees=(-10, 10))), path)
    >>> load(path)
    pipeline(hflip(gate=Bernoulli(probs=0.5)), rotate(degrees=Uniform(low=-10.0, high=10.0)))
    """
    suffix, own = suffix_of(path), getattr(f, "f", f)
    if not isinstance(own, Augmentation):
        want = "an augmentation of augfn, or a module around one"
        raise TypeError(explain("save: not an augmentation", f, want, "af.save(af.pipeline(...), path)"))
    if getattr(f, "shared", None):
        want, fix = "a draw for each sample", "af.save(module.f, path), and same_on_batch where it is loaded"
        raise TypeError(explain("save: same_on_batch has no place in a file", f, want, fix))
    if getattr(f, "chooses", False):
        want, fix = "a choice for each sample", 'af.pipeline(af.some_of(...)), or random_apply_per="sample"'
        raise TypeError(explain("save: a choice for the batch (random_apply, p_batch)", f, want, fix))
    check_leaves(own.name, leaves_of(f.params), own.meanings)
    data = written(own, f.params)
    Path(path).write_text(text_of(data, suffix), encoding="utf-8")


def text_of(data: Any, suffix: str) -> str:
    """Plain data as JSON or YAML."""
    if suffix == ".json":
        return json.dumps(data, indent=1)
    return yaml().safe_dump(data, sort_keys=False, default_flow_style=None)


def load(path: str | Path) -> Augmentation:
    """The augmentation that a YAML or JSON file describes, one that `save` wrote or that was written by hand.

    Nothing in the file is run; an op of another module, `module:name`, is known only where that module is imported.
    Raises `PolicyError`, one line that says what is wrong and where; OSError where the file cannot be read.

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "policy.json")
    >>> with open(path, "w") as file:
    ...     _ = file.write('{"pipeline": ["to_float", {"hflip": {"p": 0.5}}]}')
    >>> load(path)
    pipeline(to_float(), hflip(gate=Bernoulli(probs=0.5)))
    """
    suffix = suffix_of(path)
    try:
        return parse(Path(path).read_text(encoding="utf-8-sig"), suffix == ".json")
    except (PolicyError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: {one_line(error)}") from None


def parse(text: str, is_json: bool = False) -> Augmentation:
    """The augmentation that a YAML text describes.

    >>> parse("pipeline: [hflip, rotate: {degrees: [-10, 10]}]")
    pipeline(hflip(), rotate(degrees=Uniform(low=-10.0, high=10.0)))
    """
    return made(data_of(text, is_json))


def data_of(text: str, is_json: bool = False) -> Any:
    """What a YAML or JSON text holds, each key of it once."""
    if is_json:
        try:
            return json.loads(text, object_pairs_hook=once)
        except json.JSONDecodeError as error:
            raise PolicyError(f"not valid JSON: {one_line(error)}") from None
    form = yaml()

    class Once(form.SafeLoader):
        """A loader that refuses a key that is there twice, of which YAML takes the last."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            once([(self.construct_object(key, deep=True), None) for key, _ in node.value])
            return super().construct_mapping(node, deep)

    try:
        return form.load(text, Once)
    except form.YAMLError as error:
        raise PolicyError(f"not valid YAML: {one_line(error)}") from None


def once(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """A mapping whose keys are there once."""
    out = dict(pairs)
    if len(out) < len(pairs):
        keys = [key for key, _ in pairs]
        raise PolicyError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} is there twice: leave one out")
    return out


def suffix_of(path: str | Path) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(explain("which form has the file?", str(path), f"one of {', '.join(SUFFIXES)}", "policy.yaml"))
    return suffix


def yaml() -> Any:
    try:
        import yaml as module
    except ImportError as error:
        fix = "pip install pyyaml (it is in augfn[demo]), or a .json file"
        raise ImportError(explain("YAML needs pyyaml", "no module yaml", "pyyaml", fix)) from error
    return module
