"""Applying a policy to a data set on disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from augfn import __version__, random, saving
from augfn.core.augmentation import Augmentation
from augfn.errors import explain, unknown
from augfn.files.writing import written
from augfn.offline.engines import ENGINES, WorkersDied
from augfn.offline.folders import others_in
from augfn.offline.jobs import DataSet, Job, Options, Record, check_policy, opened
from augfn.offline.journal import Journal, digest_of
from augfn.progress import shown

LONGEST = 255  # bytes of a file's name


@dataclass(frozen=True)
class Applied:
    """What a run has made: the records of all samples, those that failed among them, in the order of samples and copies."""

    out: Path
    records: list[Record]
    ran: int  # jobs that this call has done; the others were done before
    others: Sequence[str] = ()  # files of a folder of images that are none: they are left behind, labels too

    @property
    def done(self) -> list[Record]:
        return [r for r in self.records if "error" not in r]

    @property
    def failures(self) -> list[Record]:
        return [r for r in self.records if "error" in r]

    @property
    def dropped(self) -> int:
        """Annotations that have left their frames."""
        return sum(r.get("dropped", 0) for r in self.records)


def apply(
    source: str | Path,
    out: str | Path,
    policy: str | Path | Augmentation,
    *,
    copies: int = 1,
    workers: int = 0,
    engine: str = "local",
    seed: int = 0,
    overwrite: bool = False,
    kind: str = "auto",
    format: str = "same",
    quality: int = 95,
    annotations: str | Path | None = None,
    progress: bool = False,
) -> Applied:
    """Augment a data set on disk, each sample alone: the same bytes for any number of workers, any engine and any order.

    * `source`, `out`: folders; `out` is new or empty, or what the same call has begun (it goes on then), and outside of
      `source`, whose files have kept their sizes and times. `overwrite`: files that are there already may be replaced.
    * `policy`: a YAML or JSON file (see `af.load`), or an augmentation.
    * `copies`: of each sample. Sample i has in copy c the key `sample_keys(key(seed), i, c)`, i its place in the order of
      paths, so that it is what `af.AugmentedDataset` gives in epoch c.
    * `workers`: processes, for which a script needs its `if __name__ == "__main__":`; 0 is this process. `engine`: "local"
      or "ray", on the cluster that RAY_ADDRESS or `ray.init` has told of, else on one of this machine.
    * `kind`: "folder" (of images, at any depth), "coco", "masks" (folders `images` and `masks` with the same names),
      "frames" (a folder of frames is a clip, with one draw), "webdataset", "parquet"; "auto" looks what is there, and takes
      frames for a folder of images.
    * `format`: "same" or the suffix of what is written; `quality` of JPEG and WebP. `annotations`: COCO's file, where it
      is not `annotations.json` in `source`.

    Of a shard, the image of a sample ends in `.jpg`, `.png`, ... or `.image.jpg`, masks in `.mask.png` or `.mask_lanes.png`; of a
    table, the columns `image`, `mask`, `mask_lanes`, ... hold bytes, or structs of bytes and path. All else in them is passed on
    as it is, boxes too, which a turn would have to move. An output is named `train-0.tar/key.jpg`, `train.parquet/7/image`.

    Files are whole or not there. `out/manifest.jsonl` holds the params of every output (`read_manifest`), of which `replay`
    makes the same bytes again. Samples that cannot be read or augmented are in `failures`, the rest is done. What stops
    a run (a full disk is an OSError) loses nothing: the same call goes on.

    Images keep their mode: grey, grey with alpha, RGB, RGBA, 16 bits, floats in [0, 1]. What does not: palettes, CMYK and
    other spaces become RGB, 1 bit becomes grey, grey becomes RGB where the policy needs three channels, a GIF becomes
    a PNG; JPEG lays alpha on white. 16 bits in three channels are read as 8, as Pillow does. Values beyond [0, 1] are cut off.
    EXIF's turn is applied, other metadata than the colour profile are left out. Bytes are the same on machines whose
    processors have the same instructions, with the same torch and Pillow.

    Raises ValueError where nothing is begun: `out` holds other files, or another run; two outputs would have one name; a policy
    of volumes, mixing or views, or one that normalizes. OSError where a file cannot be written, RuntimeError where workers
    die again and again.

    >>> import augfn as af, tempfile, numpy as np
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "cats").mkdir()
    >>> Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(folder / "cats" / "a.png")
    >>> made = apply(folder / "cats", folder / "more", af.pipeline(af.hflip(p=0.5), af.rotate()), copies=2)
    >>> [r["output"] for r in made.done], made.failures
    (['a-c0.png', 'a-c1.png'], [])
    """
    source, out = Path(source).resolve(), Path(out).resolve()
    check(source, out, engine, copies=(copies, 1), workers=(workers, 0), quality=(quality, 1))
    f = saving.load(policy) if isinstance(policy, str | Path) else policy
    where = None if annotations is None else str(Path(annotations).resolve())
    options = Options(copies, format, quality, where)
    kind, data = opened(source, out, kind, options)
    if annotations is not None and kind != "coco":
        fix = "leave annotations out, or kind='coco'"
        raise ValueError(explain("annotations for another kind of data set", kind, "coco", fix))
    check_policy(f, data.clip)
    settings = settings_of(source, kind, written(f), seed, options, data)
    jobs = data.jobs(copies)
    check_names(data, jobs)
    journal = Journal(out, settings, overwrite)
    left = [job for job in jobs if not is_done(out, data, job, journal.jobs.get(job, []))]
    journal.begin()
    try:
        work = partial(data.do, f=f, key=random.key(seed))
        with closing(ENGINES[engine](work, left, workers)) as done:
            for job, records in shown(done, progress, "jobs", total=len(jobs), initial=len(jobs) - len(left)):
                journal.add(job, records)
        records = journal.records()
        data.finish([r for r in records if "error" not in r])
        journal.finish()
    except WorkersDied as error:
        raise RuntimeError(f"{error}; the last one makes {data.files(error.left[-1])[0]}") from None
    finally:
        journal.stop()
    return Applied(out, records, len(left), others_in(source) if kind == "folder" else ())


def check(source: Path, out: Path, engine: str, **numbers: tuple[int, int]) -> None:
    """Raises where a call makes no sense; `numbers`: what was given, and the least that makes sense."""
    if out.is_relative_to(source):
        want, fix = "a folder outside of the source", f"{source}-augmented"
        raise ValueError(explain("the output lies in the source", str(out), want, fix))
    if source.is_relative_to(out):
        want = "a folder that does not hold the source"
        raise ValueError(explain("the source lies in the output", str(out), want, f"{source}-augmented"))
    for name, (given, least) in numbers.items():
        if given < least or (name == "quality" and given > 100):
            want = f"{least} to 100" if name == "quality" else f"{least} or more"
            raise ValueError(explain(f"apply: {name}", given, want, f"{name}={95 if name == 'quality' else 4}"))
    if engine not in ENGINES:
        raise ValueError(unknown("engine", engine, ENGINES))


def settings_of(
    source: Path, kind: str, policy: dict[str, Any], seed: int, options: Options, data: DataSet
) -> dict[str, Any]:
    """What makes a run: of two calls with the same settings the second goes on where the first has stopped."""
    import PIL

    versions = {"augfn": __version__, "torch": torch.__version__, "pillow": PIL.__version__}
    own = {"kind": kind, "seed": seed, "copies": options.copies, "format": options.format, "quality": options.quality}
    known = {"annotations": options.annotations, "policy": policy, "versions": versions}
    return {"source": str(source), **own, **known, "digest": digest_of(data.listing())}


def check_names(data: DataSet, jobs: list[Job]) -> None:
    """Raises where two outputs would be one file, or one has a name that no file can have."""
    owner: dict[str, Job] = {}
    for job in jobs:
        for path in data.files(job):
            if len(os.fsencode(os.path.basename(path))) > LONGEST:
                want, fix = f"at most {LONGEST} bytes", "shorter names in the source"
                raise ValueError(explain("the name of an output is too long", path, want, fix))
            if owner.setdefault(path, job) != job:
                want, fix = "a name of its own for each output", "--format same, or other names in the source"
                raise ValueError(explain("two sources become one file", path, want, fix))


def is_done(out: Path, data: DataSet, job: Job, records: list[Record]) -> bool:
    """Whether a job has its records, none of a failure, and its files are still there."""
    good = bool(records) and not any("error" in r for r in records)
    return good and all((out / path).exists() for path in data.files(job))
