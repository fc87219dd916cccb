"""What a run has made, looked at again: its manifest, the bytes of an output, and the way back to its source."""

from __future__ import annotations

import io
from pathlib import Path

from torch import Tensor

from augfn.core.augmentation import Augmentation
from augfn.errors import explain, unknown
from augfn.files.reading import made
from augfn.images import to_float
from augfn.offline.engines import one_thread
from augfn.offline.jobs import DataSet, Options, Record, drawn, opened
from augfn.offline.journal import MANIFEST, RUN, read_lines, run_of
from augfn.offline.pictures import read_image
from augfn.undoing import invert as inverse_of


def read_manifest(out: str | Path) -> list[Record]:
    """The records of all samples of a finished run, in the order of samples and copies.

    Each has `index` and `copy`, `source`, and `output` with `params`, the drawn tensors, or `error`; `masks`, the names of
    those that go with it; of COCO `image`, `annotations` and the number `dropped` too. A record's params replay its sample:
    `f(x, record["params"])`.

    >>> import augfn as af, tempfile, torch
    >>> from augfn.offline import apply
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "in").mkdir()
    >>> af.to_pil(torch.rand(3, 8, 8)).save(folder / "in" / "a.png")
    >>> made = apply(folder / "in", folder / "out", af.rotate(degrees=(-9, 9)))
    >>> record = read_manifest(folder / "out")[0]
    >>> record["source"], record["output"], record["params"]["degrees"].abs() <= 9
    ('a.png', 'a.png', tensor(True))
    """
    path = Path(out) / MANIFEST
    if not path.exists():
        want, fix = f"a finished run, with its {MANIFEST}", "the same `augfn apply` again, which goes on"
        raise FileNotFoundError(explain("no manifest", str(out), want, fix))
    return [r if "error" in r else r | {"params": drawn(r["params"])} for r in read_lines(path)]


def replay(out: str | Path, name: str, source: str | Path | None = None) -> bytes:
    """The bytes of one output, made again from its source and its params: those of the file.

    * `name`: the output, relative to `out` (of a clip one of its frames).
    * `source`: the folder that was augmented, where it is no longer where it was.

    >>> import augfn as af, tempfile, torch
    >>> from augfn.offline import apply
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "in").mkdir()
    >>> af.to_pil(torch.rand(3, 8, 8)).save(folder / "in" / "a.png")
    >>> made = apply(folder / "in", folder / "out", af.rotate(degrees=(-9, 9)))
    >>> replay(folder / "out", "a.png") == (folder / "out" / "a.png").read_bytes()
    True
    """
    data, f, record = found(Path(out), name, source)
    return made_again(data, f, record, name)


def invert(out: str | Path, name: str, source: str | Path | None = None) -> tuple[Tensor, Tensor]:
    """An output put back into the frame of its source, and where it was seen: `(x [C, H, W], valid [H, W])`, as `af.invert`.

    Colour and noise are not undone. Arguments as in `replay`.

    >>> import augfn as af, tempfile, torch
    >>> from augfn.offline import apply
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "in").mkdir()
    >>> af.to_pil(torch.rand(3, 8, 8)).save(folder / "in" / "a.png")
    >>> made = apply(folder / "in", folder / "out", af.hflip(p=0.5))
    >>> x, valid = invert(folder / "out", "a.png")
    >>> af.to_uint8(x).equal(af.to_uint8(read_image(folder / "in" / "a.png")[0]["image"])), valid.all()
    (True, tensor(True))
    """
    data, f, record = found(Path(out), name, source)
    before = data.sample(record)
    frame = before.get("video", before.get("image"))
    if frame is None:
        raise ValueError(explain("invert: no image", list(before), "the output of an image", "another name"))
    image = to_float(read_image(io.BytesIO(made_again(data, f, record, name)))[0]["image"])
    return inverse_of(f, size=tuple(frame.shape[-2:]))(image, record["params"])


def made_again(data: DataSet, f: Augmentation, record: Record, name: str) -> bytes:
    """The bytes of an output, or of one frame of a clip."""
    with one_thread():
        files = data.again(record, f, record["params"])
    if name not in files:
        raise ValueError(unknown(f"file of {record['output']}", name, files))
    return files[name]


def found(out: Path, name: str, source: str | Path | None) -> tuple[DataSet, Augmentation, Record]:
    """The data set, the policy and the record of an output."""
    manifest, run = read_manifest(out), run_of(out)
    if run is None:
        raise FileNotFoundError(explain("not the output of apply", str(out), f"a folder with {RUN}", "another folder"))
    outputs = {path: r for r in manifest if "error" not in r for path in (r["output"], *r.get("masks", ()))}
    record = outputs.get(name) or outputs.get(str(Path(name).parent))
    if record is None:
        raise ValueError(unknown(f"output of {out}", name, list(outputs)[:100]))
    where, annotations = Path(source or run["source"]), run["annotations"]
    if annotations is not None and Path(annotations).is_relative_to(run["source"]):  # they have moved together
        annotations = str(where / Path(annotations).relative_to(run["source"]))
    options = Options(run["copies"], run["format"], run["quality"], annotations)
    data = opened(where, out, run["kind"], options)[1]
    return data, made(run["policy"]), record
