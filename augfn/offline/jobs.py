"""What a data set on disk is to those that augment it: jobs, each done alone and written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol
from uuid import uuid4

import torch
from torch import Tensor

from augfn.core.augmentation import Augmentation, Op
from augfn.core.draw import Params
from augfn.errors import explain, needs, unknown
from augfn.files.values import listed, one_line, tagged
from augfn.files.values import tensor as read_tensor
from augfn.images import to_float
from augfn.random import sample_keys

STATE = ".augfn"  # the folder of OUT that holds what is needed while a run goes on
Record = dict[str, Any]
"""What is known of one sample that was done: `index` in the data set, `copy`, `source`, `output` (relative to OUT), `params`, and
what `finish` needs; of one that failed `index`, `copy`, `source` and `error`, one line."""


class Job(NamedTuple):
    """One unit of work: an image, a clip, a shard, a file of a table."""

    unit: int
    copy: int  # 0 .. copies - 1, the epoch of the sample's key


@dataclass(frozen=True)
class Options:
    """How outputs are named and written.

    * `copies`: of each sample; with more than one their names end in -c0, -c1, ...
    * `format`: "same", or the suffix of all images that are written: "png", "jpg", "webp", "bmp", "tiff".
    * `quality`: of JPEG and WebP, 1 to 100.
    * `annotations`: the JSON file, where it is not found by its name.
    """

    copies: int = 1
    format: str = "same"
    quality: int = 95
    annotations: str | None = None

    def named(self, path: str, copy: int, suffix: str | None = None) -> str:
        """The relative path of an output: the source's, with the copy and the suffix."""
        stem, own = os.path.splitext(path)
        return f"{stem}{f'-c{copy}' if self.copies > 1 else ''}{own if suffix is None else suffix}"


class DataSet(Protocol):
    """A data set on disk, made by `of(source, out, options)`. It is pickled, and sent to each worker once."""

    clip: bool  # samples are clips, whose policy may choose frames

    def jobs(self, copies: int) -> list[Job]: ...

    def listing(self) -> list[str]:
        """What the data set consists of, a line for each file with its size and its time: tells whether it has changed."""
        ...

    def files(self, job: Job) -> list[str]:
        """The paths, relative to OUT, that the job writes (of a clip its folder)."""
        ...

    def do(self, job: Job, f: Augmentation, key: Tensor) -> list[Record]:
        """Read, augment and write the samples of the job, each alone. What is wrong with a sample becomes its record; an
        OSError while writing is raised, and stops the run."""
        ...

    def finish(self, records: list[Record]) -> None:
        """Write what is of the whole data set, from the records of all samples that were done, by (index, copy)."""
        ...

    def again(self, record: Record, f: Augmentation, params: Params) -> dict[str, bytes]:
        """The files of a record by their relative paths, made anew from its source."""
        ...

    def sample(self, record: Record) -> dict[str, Any]:
        """The targets of the source of a record, as the augmentation gets them."""
        ...


KINDS = {
    "folder": "augfn.offline.folders:Folder",
    "masks": "augfn.offline.pairs:Pairs",
    "frames": "augfn.offline.clips:Clips",
    "coco": "augfn.offline.coco:Coco",
    "webdataset": "augfn.offline.shards:Shards",
    "parquet": "augfn.offline.tables:Tables",
}
NAMES = ("annotations.json", "_annotations.coco.json")  # of COCO's file, where it is not said


def kind_in(source: Path, options: Options) -> str:
    """What a data set is, by what lies in it. (Frames look like a folder of images: they are to be said.)"""
    if options.annotations or any((source / name).is_file() for name in NAMES):
        return "coco"
    if (source / "images").is_dir() and (source / "masks").is_dir():
        return "masks"
    for suffix, kind in ((".tar", "webdataset"), (".parquet", "parquet")):
        if source.suffix == suffix or (source.is_dir() and any(source.rglob(f"*{suffix}"))):
            return kind
    return "folder"


def opened(source: Path, out: Path, kind: str, options: Options) -> tuple[str, DataSet]:
    """The data set of a kind, and which it is."""
    if not source.exists():
        raise FileNotFoundError(2, "No such file or directory", str(source))
    kind = kind_in(source, options) if kind == "auto" else kind
    if kind not in KINDS:
        raise ValueError(unknown("kind of data set", kind, ["auto", *KINDS]))
    module, _, name = KINDS[kind].partition(":")
    try:
        return kind, getattr(import_module(module), name).of(source, out, options)
    except ModuleNotFoundError as error:
        raise needs("offline", f"apply of {kind}", error) from None


def check_policy(f: Augmentation, clips: bool) -> None:
    """Raises where an augmentation is not one of a single image (or clip) to one that a file can hold."""
    if f.mixes or f.ndim == 3 or getattr(f, "many", False):
        want, fix = "ops of a single image", "leave volumes, mixing and views to the training loop"
        raise ValueError(explain("a policy for data on disk", f, want, fix))
    for g in ops_of(f):
        if g.name == "normalize":
            want, fix = "pixels from 0 to 1", "normalize in the training loop, where the file is read"
            raise ValueError(explain("normalized pixels cannot be written to an image", g, want, fix))
        if g.spec.kind == "temporal" and not clips:
            raise ValueError(explain("a step that chooses frames", g, "clips", "--kind frames, or leave it out"))


def ops_of(f: Augmentation) -> list[Op]:
    """The ops of an augmentation, at any depth."""
    inner = [op for g in getattr(f, "steps", {}).values() for op in ops_of(g)]
    return [f, *inner] if isinstance(f, Op) else inner


def suited(sample: Mapping[str, Any], f: Augmentation) -> dict[str, Any]:
    """Targets as read, as a policy takes them: floats in [0, 1] unless it begins with a conversion, three channels where a
    step needs them."""
    pixels = {n: x for n, x in sample.items() if n in ("image", "video")}
    pixels = pixels if f.takes_integers else {n: to_float(x) for n, x in pixels.items()}
    if any(map(needs_rgb, ops_of(f))):
        pixels = {n: x.expand(*x.shape[:-3], 3, *x.shape[-2:]) if x.shape[-3] == 1 else x for n, x in pixels.items()}
    return {**sample, **pixels}


def needs_rgb(op: Op) -> bool:
    """Whether it needs three channels, for those of its leaves that it has."""
    return op.channels is None and (op.spec.requires_rgb or not op.params.keys().isdisjoint(("hue", "saturation")))


def plain(params: Params) -> dict[str, Any]:
    """Drawn params as plain data, of which `drawn` makes the same tensors again."""
    return {
        n: plain(v) if isinstance(v, dict) else listed(v) if v.dtype == torch.float32 else tagged(v)
        for n, v in params.items()
    }


def drawn(data: Mapping[str, Any]) -> Params:
    """The params that `plain` wrote.

    >>> drawn(plain({"rotate": {"degrees": torch.tensor(0.1)}}))
    {'rotate': {'degrees': tensor(0.1000)}}
    """
    return {
        n: drawn(v) if is_nested(v) else read_tensor(v if isinstance(v, dict) else {"tensor": v}, n)
        for n, v in data.items()
    }


def is_nested(value: Any) -> bool:
    return isinstance(value, dict) and not ("tensor" in value and not isinstance(value["tensor"], dict))


def utf8(text: str) -> bytes:
    """A text as bytes; of a file name that is no UTF-8 the odd ones are escaped, as JSON does."""
    return text.encode("utf-8", "backslashreplace")


def write_whole(out: Path, path: str, data: bytes) -> None:
    """Write a file of OUT: it is there whole, or not at all."""
    with whole(out, path) as file:
        file.write(data)


@contextmanager
def whole(out: Path, path: str) -> Iterator[BinaryIO]:
    """A file of OUT to write to, which is there once it is closed."""
    parts, target = out / STATE / "parts", out / path
    part = parts / f"{uuid4().hex}{target.suffix[:16]}"  # a name of its own, on every machine
    if not target.parent.resolve().is_relative_to(out.resolve()):
        want, fix = "folders of the output itself", "remove the link"
        raise ValueError(explain("a link in the output leads out of it", str(target.parent), want, fix))
    for folder in (parts, target.parent):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            yield file
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


class OneByOne:
    """A data set whose units are its samples. A kind reads a sample, and says what files it becomes."""

    clip = False
    source: Path
    out: Path
    options: Options

    def __len__(self) -> int:
        raise NotImplementedError

    def name(self, unit: int) -> str:
        """The relative path of a sample's source."""
        raise NotImplementedError

    def read(self, unit: int) -> tuple[dict[str, Any], Any]:
        """The targets of a sample, and what else its files need (modes, palettes, fields that are passed on)."""
        raise NotImplementedError

    def suited(self, sample: dict[str, Any], f: Augmentation) -> dict[str, Any]:
        """The targets as the policy takes them."""
        return suited(sample, f)

    def made(self, job: Job, y: dict[str, Any], rest: Any) -> tuple[dict[str, bytes], Record]:
        """The files of an augmented sample by their relative paths, the output's own first, and what belongs in its record."""
        raise NotImplementedError

    def jobs(self, copies: int) -> list[Job]:
        return [Job(unit, copy) for unit in range(len(self)) for copy in range(copies)]

    def do(self, job: Job, f: Augmentation, key: Tensor) -> list[Record]:
        about = {"index": job.unit, "copy": job.copy, "source": self.name(job.unit)}
        try:
            sample, rest = self.read(job.unit)
            y, params = f(self.suited(sample, f), None, sample_keys(key, job.unit, job.copy))
            files, more = self.made(job, y, rest)
        except Exception as error:  # whatever is wrong with one sample, the others are still done
            return [about | {"error": one_line(error).replace(f"{self.source}/", "")}]  # wherever the source lies
        for path, data in files.items():
            write_whole(self.out, path, data)
        return [about | {"output": next(iter(files)), "params": plain(params)} | more]

    def finish(self, records: list[Record]) -> None:
        pass

    def sample(self, record: Record) -> dict[str, Any]:
        return self.read(record["index"])[0]

    def again(self, record: Record, f: Augmentation, params: Params) -> dict[str, bytes]:
        sample, rest = self.read(record["index"])
        return self.made(Job(record["index"], record["copy"]), f(self.suited(sample, f), params)[0], rest)[0]
