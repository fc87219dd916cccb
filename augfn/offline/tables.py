"""Parquet files with columns of images, as Hugging Face's `datasets` writes them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from augfn.errors import explain
from augfn.offline.packed import Item, Packed, Picture, target_of
from augfn.offline.pictures import FORMATS


class Row(NamedTuple):
    """Where a sample stands: its row group, as a table, the row in it, and which columns hold its pictures, by target."""

    group: int
    table: pa.Table
    row: int
    columns: dict[str, str]


class Tables(Packed):
    """The Parquet files of a folder; the rows of `train.parquet` go, in their order and row groups, to `train.parquet` (of copies
    `train-c1.parquet`).

    Pictures are in columns of bytes, or of structs with `bytes` and `path`. The names `image` and `mask`, `mask_lanes`, ... tell
    which are read nearest; a struct column of another name is the image, where it is the only one. All other columns are
    passed on as they are, as are types, metadata and compression.
    """

    suffix = ".parquet"

    @staticmethod
    def count(path: Path) -> int:
        try:
            with pq.ParquetFile(path) as file:
                columns_in(file.schema_arrow)
                return file.metadata.num_rows
        except (pa.ArrowException, OSError):
            return 1  # which `items` will fail at

    def items(self, path: Path) -> Iterator[Item]:
        with pq.ParquetFile(path) as file:
            columns, number = columns_in(file.schema_arrow), 0
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                for row in range(len(table)):
                    values = {t: data_of(table[name][row].as_py()) for t, name in columns.items()}
                    pictures = {
                        t: Picture(data, suffix_of_data(data)) for t, data in values.items() if data is not None
                    }
                    yield Item(str(number), pictures, Row(group, table, row, columns))
                    number += 1

    def write(self, path: Path, items: Iterable[Item], file: BinaryIO) -> None:
        with pq.ParquetFile(path) as source:
            schema, form = source.schema_arrow, compression_of(source.metadata)
        with pq.ParquetWriter(file, schema, compression=form) as writer:  # pyright: ignore[reportArgumentType]
            for _, some in groupby(items, lambda item: item.rest.group):
                writer.write_table(table_of(list(some)))

    def outputs(self, path: str, item: Item) -> dict[str, str]:
        return {t: f"{path}/{item.name}/{item.rest.columns[t]}" for t in item.pictures}


def columns_in(schema: pa.Schema) -> dict[str, str]:
    """The columns of pictures, by target."""
    known = [f.name for f in schema if is_struct(f.type) or (is_bytes(f.type) and target_of(f.name))]
    found: dict[str, str] = {}
    for name in known:
        target = target_of(name) or ("image" if len(known) == 1 else None)
        if target is None or target in found:
            want, fix = "one column `image`, and `mask` or `mask_...`", "dataset.rename_column(name, 'mask')"
            raise ValueError(explain("columns of pictures of which nothing is known", known, want, fix))
        found[target] = name
    if "image" not in found:
        want, fix = "a column `image` of bytes, or of structs with bytes and path", "rename the column of images"
        raise ValueError(explain("a table without images", schema.names, want, fix))
    return found


def is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def is_struct(kind: pa.DataType) -> bool:
    """As Hugging Face writes an image: its bytes, and the path that it had."""
    return pa.types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}


def data_of(value: Any) -> bytes | None:
    """The bytes of an entry, empty where it is the path of a file alone; None where it is null."""
    if isinstance(value, dict):
        return value["bytes"] or (None if value["path"] is None else b"")
    return value or None


def suffix_of_data(data: bytes) -> str:
    """The suffix of the format that bytes are of."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            form = "JPEG" if image.format == "MPO" else image.format
    except OSError:
        form = None  # which decoding says
    return next((suffix for suffix, name in FORMATS.items() if name == form), f".{form or 'png'}".lower())


def table_of(items: list[Item]) -> pa.Table:
    """The rows of one row group that were done, with their new pictures."""
    _, table, _, columns = items[0].rest
    new = table.take([item.rest.row for item in items])
    for target, name in columns.items():
        before, at = new[name].to_pylist(), new.schema.get_field_index(name)
        values = [entry(old, item.pictures.get(target)) for old, item in zip(before, items, strict=True)]
        new = new.set_column(at, new.schema.field(at), pa.array(values, new.schema.field(at).type))
    return new


def entry(old: Any, picture: Picture | None) -> Any:
    """A picture as its column holds it; its path has the suffix of what it is now."""
    if picture is None or not isinstance(old, dict):
        return picture and picture.data
    stem, suffix = os.path.splitext(old["path"] or "")
    same = FORMATS.get(suffix.lower()) == FORMATS[picture.suffix]
    return {"bytes": picture.data, "path": old["path"] if same or not stem else stem + picture.suffix}


def compression_of(metadata: Any) -> str | dict[str, str]:
    """The compression of each column, as in the first row group."""
    if not metadata.num_row_groups:
        return "snappy"
    group = metadata.row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    return {c.path_in_schema: "NONE" if c.compression == "UNCOMPRESSED" else c.compression for c in columns}
