"""WebDataset shards: tar files in which what belongs to a sample has one name and several endings."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from webdataset.tariterators import group_by_keys
from webdataset.writer import TarWriter

from augfn.errors import explain
from augfn.offline.packed import Item, Packed, Picture, target_of
from augfn.offline.pictures import SUFFIXES

META = re.compile("__[^/]*__")  # what WebDataset keeps of a shard itself


class Shards(Packed):
    """The shards of a folder; the samples of `train-0.tar` go, in their order, to `train-0.tar` (of copies to `train-0-c1.tar`).

    The image is the member that ends in `.jpg`, `.png`, `.webp`, ... or `.image.jpg`; masks, which are read nearest, end in
    `.mask.png` or `.mask_lanes.png`. All other members, such as `.cls`, `.txt` and `.json`, are passed on as they are
    (boxes in them too, which a turn would have to move).
    Left out are, as WebDataset leaves them out, links, names without an ending, and `__meta__`.
    Members are sorted by their endings and have no date and no owner, so that a shard is the same bytes each time.
    """

    suffix = ".tar"

    @staticmethod
    def count(path: Path) -> int:
        n = 0
        try:
            for sample in samples_in(path, data=False):
                pictures_in(sample)
                n += 1
        except (tarfile.TarError, OSError):
            n += 1  # the sample at which `items` will fail
        return n

    def items(self, path: Path) -> Iterator[Item]:
        for sample in samples_in(path):
            pictures = {t: Picture(sample[e], suffix_in(e)) for t, e in pictures_in(sample).items()}
            yield Item(sample["__key__"], pictures, sample)

    def write(self, path: Path, items: Iterable[Item], file: BinaryIO) -> None:
        with TarWriter(file, encoder=False, mtime=0, user="", group="", format="PAX_FORMAT") as writer:
            for item in items:
                before = pictures_in(item.rest)
                kept = {n: v for n, v in item.rest.items() if n not in before.values()}
                writer.write(kept | {ending(before[t], p.suffix): p.data for t, p in item.pictures.items()})

    def outputs(self, path: str, item: Item) -> dict[str, str]:
        before = pictures_in(item.rest)
        return {t: f"{path}/{item.name}.{ending(before[t], p.suffix)}" for t, p in item.pictures.items()}


def samples_in(path: Path, data: bool = True) -> Iterator[dict[str, Any]]:
    """The samples of a shard, a dict by endings, grouped as WebDataset does; without `data` what they hold is not read."""
    with tarfile.open(path, "r:") as tar:
        try:
            yield from group_by_keys(members_of(tar, data))
        except ValueError as error:  # of two members of one name
            raise tarfile.ReadError(str(error.args[0])) from None


def members_of(tar: tarfile.TarFile, data: bool) -> Iterator[dict[str, Any]]:
    for member in tar:
        if member.isreg() and not META.fullmatch(member.name):
            file = tar.extractfile(member) if data else None
            yield {"fname": member.name, "data": file.read() if file else b"", "__url__": str(tar.name)}
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # at which tarfile stops in silence
        raise tarfile.ReadError("the shard is torn: it has no end")


def pictures_in(sample: dict[str, Any]) -> dict[str, str]:
    """The endings of the pictures of a sample, by target."""
    found: dict[str, str] = {}
    for end in sorted(sample):
        if suffix_in(end) not in SUFFIXES or end.startswith("__"):
            continue
        name = end.rpartition(".")[0]
        target = target_of(name) if name else "image"
        if target is None or target in found:
            given = f"{sample['__key__']}.{end}" + ("" if target is None else f" beside .{found[target]}")
            want, fix = (
                "one image (.jpg, .png, .image.png) and masks (.mask.png, .mask_lanes.png)",
                "rename the members",
            )
            raise ValueError(explain("a picture in a shard of which nothing is known", given, want, fix))
        found[target] = end
    return found


def suffix_in(end: str) -> str:
    """The suffix of a file, of an ending: .png of mask.png."""
    return f".{end.rpartition('.')[2]}"


def ending(end: str, suffix: str) -> str:
    """The ending with another suffix of a file."""
    return f"{end.rpartition('.')[0]}{suffix}".lstrip(".")
