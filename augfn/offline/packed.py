"""Data sets of files that hold many samples each: a job is one file, read and written sample by sample."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from torch import Tensor

from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params
from augfn.core.targets import kind_of
from augfn.errors import explain
from augfn.files.values import one_line
from augfn.offline.folders import images_in, stamp_of
from augfn.offline.jobs import Job, Options, Record, plain, suited, whole
from augfn.offline.pairs import EXACT, encoded_mask, read_mask
from augfn.offline.pictures import check_format, encoded, read_image, suffix_of
from augfn.random import sample_keys

EMBED = "dataset.with_format('arrow').map(datasets.table.embed_table_storage, batched=True) before to_parquet"


class Picture(NamedTuple):
    """The bytes of an image file, of this suffix."""

    data: bytes
    suffix: str


class Stored(io.BytesIO):
    """Bytes with a name, by which errors call them."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name

    def __repr__(self) -> str:
        return self.name


class Item(NamedTuple):
    """A sample as it is stored: its name within its file, its pictures by target (image, mask, mask_lanes), and all else."""

    name: str
    pictures: dict[str, Picture]
    rest: Any


@dataclass
class Packed:
    """Files in the order of their paths, whose samples are numbered on from file to file. A file that cannot be read to its end
    counts one more, which fails."""

    source: Path
    out: Path
    options: Options
    paths: list[str]
    counts: list[int]
    clip = False
    suffix = ""

    @classmethod
    def of(cls, source: Path, out: Path, options: Options) -> Packed:
        check_format(options.format)
        folder, paths = (
            (source, images_in(source, (cls.suffix,))) if source.is_dir() else (source.parent, [source.name])
        )
        return cls(folder, out, options, paths, [cls.count(folder / path) for path in paths])

    @staticmethod
    def count(path: Path) -> int:
        """The samples of a file, without their pixels. Raises where its pictures are not known to be images or masks."""
        raise NotImplementedError

    def items(self, path: Path) -> Iterator[Item]:
        """The samples of a file, one after the other."""
        raise NotImplementedError

    def write(self, path: Path, items: Iterable[Item], file: BinaryIO) -> None:
        """A file of changed samples, of which `path` is the source."""
        raise NotImplementedError

    def outputs(self, path: str, item: Item) -> dict[str, str]:
        """The names of a sample's pictures in the file at this path, by target."""
        raise NotImplementedError

    def jobs(self, copies: int) -> list[Job]:
        return [Job(unit, copy) for unit in range(len(self.paths)) for copy in range(copies)]

    def listing(self) -> list[str]:
        return [f"{p} {stamp_of(self.source / p)}" for p in self.paths]

    def files(self, job: Job) -> list[str]:
        return [self.options.named(self.paths[job.unit], job.copy)]

    def do(self, job: Job, f: Augmentation, key: Tensor) -> list[Record]:
        records: list[Record] = []
        changed = self.changed(job, f, key, records)
        first = next(changed, None)
        if first is not None:
            path = self.files(job)[0]
            with whole(self.out, path) as file:
                self.write(self.source / self.paths[job.unit], chain([first], changed), file)
        return records

    def changed(self, job: Job, f: Augmentation, key: Tensor, records: list[Record]) -> Iterator[Item]:
        """The samples of a file augmented, each alone; what is known of each is added to `records`."""
        path = self.paths[job.unit]
        for index, item in enumerate(to_the_end(self.items(self.source / path)), self.first(job.unit)):
            about = {"index": index, "copy": job.copy, "source": path}
            try:
                if isinstance(item, Exception):
                    raise item
                about["source"] = f"{path}/{item.name}"
                sample, looks = decoded(item)
                y, params = f(suited(sample, f), None, sample_keys(key, index, job.copy))
                made = self.made(item, y, looks)
            except Exception as error:  # whatever is wrong with one sample, the others are still done
                records.append(about | {"error": one_line(error).replace(f"{self.source}/", "")})
                continue
            names = self.outputs(self.files(job)[0], made)
            masks = [name for target, name in names.items() if target != "image"]
            more = {"masks": masks} if masks else {}
            records.append(about | {"output": names["image"], "params": plain(params)} | more)
            yield made

    def made(self, item: Item, y: dict[str, Any], looks: dict[str, Any]) -> Item:
        """The augmented sample as it is stored."""
        pictures = {}
        for target, (_, own) in item.pictures.items():
            if target == "image":
                suffix = suffix_of(f"x{own}", self.options.format)
                data = encoded(y, looks[target], suffix, self.options.quality)
            else:
                suffix = own if own in EXACT else ".png"
                data = encoded_mask(y[target], looks[target], suffix)
            pictures[target] = Picture(data, suffix)
        return item._replace(pictures=pictures)

    def first(self, unit: int) -> int:
        """The number of the first sample of a file in the data set."""
        return list(accumulate(self.counts[:unit], initial=0))[-1]

    def finish(self, records: list[Record]) -> None:
        pass

    def stored(self, record: Record) -> Item:
        """The stored sample of a record."""
        unit = record["unit"]
        return next(islice(self.items(self.source / self.paths[unit]), record["index"] - self.first(unit), None))

    def sample(self, record: Record) -> dict[str, Any]:
        return decoded(self.stored(record))[0]

    def again(self, record: Record, f: Augmentation, params: Params) -> dict[str, bytes]:
        item = self.stored(record)
        sample, looks = decoded(item)
        made = self.made(item, f(suited(sample, f), params)[0], looks)
        names = self.outputs(self.files(Job(record["unit"], record["copy"]))[0], made)
        return {path: made.pictures[target].data for target, path in names.items()}


def to_the_end(items: Iterator[Item]) -> Iterator[Item | Exception]:
    """The items of a file; where it cannot be read any further, the last one is the error."""
    try:
        yield from items
    except Exception as error:  # of a file that is torn, or of another format
        yield error


def decoded(item: Item) -> tuple[dict[str, Any], dict[str, Any]]:
    """The targets of a sample, and for each picture what else its file needs."""
    sample, looks = {}, {}
    for target, picture in item.pictures.items():
        if not picture.data:
            raise ValueError(explain(f"{target}: no bytes", "the path of a file alone", "the file itself", EMBED))
        file = Stored(picture.data, f"{item.name} ({target})")
        if target == "image":
            targets, looks[target] = read_image(file)
            sample |= targets
        else:
            sample[target], looks[target] = read_mask(file)
    if "image" not in sample:
        raise ValueError("no image in this sample")
    return sample, looks


def target_of(name: str) -> str | None:
    """`image`, or the name of a mask; None where a name tells neither."""
    try:
        kind = kind_of(name, {})
    except ValueError:
        return None
    return {"image": "image", "mask": name if name.startswith("mask") else f"mask_{name}"}.get(kind)
