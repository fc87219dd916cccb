"""Data sets augmented to disk: the same bytes however they are run, and nothing lost or half written, whatever stops them."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import augfn as af
from augfn.app import cli
from augfn.app.commands import app
from augfn.offline import ENGINES, Job, apply, invert, read_manifest, replay
from augfn.offline.jobs import drawn, plain
from augfn.offline.journal import Journal
from augfn.offline.pictures import SUFFIXES

ROOT = Path(__file__).parents[1]
STEPS = (
    af.hflip(p=0.5),
    af.affine(degrees=(-15, 15)),
    af.color_jitter(brightness=(0.8, 1.2)),
    af.gaussian_noise(std=0.02),
)
POLICY = af.pipeline(*STEPS)


def images(folder, n=6, size=(24, 32)):
    """A tree of images: folders, PNG and JPEG."""
    draw = np.random.default_rng(0)
    for i in range(n):
        path = folder / f"class{i % 2}" / f"{i:03d}.{'jpg' if i % 3 == 2 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return folder


def load(path):
    """An image file, read and closed."""
    with Image.open(path) as image:
        image.load()
        return image


def contents(folder):
    """All files with their bytes, but for what says where the source lay."""
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    return found | {"run.json": None}


def call(*args):
    return CliRunner().invoke(app, ["apply", *map(str, args)])


@pytest.fixture
def source(tmp_path):
    return images(tmp_path / "in")


@pytest.fixture
def policy(tmp_path):
    af.save(POLICY, tmp_path / "policy.json")
    return tmp_path / "policy.json"


# the same bytes


def test_any_number_of_workers(source, tmp_path):
    threads = torch.get_num_threads()
    made = [apply(source, tmp_path / f"out{n}", POLICY, copies=2, workers=n) for n in (0, 1, 3)]
    assert torch.get_num_threads() == threads
    assert len(made[0].done) == 12
    assert not made[0].failures
    assert contents(tmp_path / "out0") == contents(tmp_path / "out1") == contents(tmp_path / "out3")
    assert set(contents(tmp_path / "out0")) == {r["output"] for r in made[0].done} | {"manifest.jsonl", "run.json"}


def test_samples_are_those_of_a_dataset(source, tmp_path):
    """Copy c is what AugmentedDataset gives in epoch c."""
    apply(source, tmp_path / "out", POLICY, copies=2, seed=3)
    paths = sorted(source.rglob("*.*"))
    data = af.AugmentedDataset([af.to_float(load(p)) for p in paths], POLICY, af.key(3))
    for copy in range(2):
        data.set_epoch(copy)
        for i, path in enumerate(paths):
            if path.suffix == ".png":
                name = path.relative_to(source).with_name(f"{path.stem}-c{copy}.png")
                assert af.to_uint8(load(tmp_path / "out" / name)).equal(af.to_uint8(data[i]))


def test_every_output_replays(source, tmp_path):
    apply(source, tmp_path / "out", POLICY, copies=2)
    records = read_manifest(tmp_path / "out")
    assert [(r["index"], r["copy"]) for r in records] == [(i, c) for i in range(6) for c in range(2)]
    for r in records:
        assert replay(tmp_path / "out", r["output"]) == (tmp_path / "out" / r["output"]).read_bytes()
    source.rename(tmp_path / "moved")
    name = records[0]["output"]
    assert replay(tmp_path / "out", name, tmp_path / "moved") == (tmp_path / "out" / name).read_bytes()
    x, valid = invert(tmp_path / "out", name, tmp_path / "moved")
    assert x.shape[-2:] == valid.shape == (24, 32)
    with pytest.raises(ValueError, match=r"did you mean"):
        replay(tmp_path / "out", "class0/000-c9.png", tmp_path / "moved")


def test_params_as_plain_data_are_the_same_again():
    f = af.pipeline(POLICY, af.some_of(1, af.elastic(), af.posterize()), af.identity())
    params = f(torch.rand(3, 16, 16), None, af.key(0))[1]
    again = drawn(json.loads(json.dumps(plain(params))))
    assert repr(plain(again)) == repr(plain(params))
    x = torch.rand(3, 16, 16)
    assert f(x, params)[0].equal(f(x, again)[0])


# stops


class Full:
    """A file that takes half of what is written to it."""

    def __init__(self, file, error):
        self.file, self.error = file, error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        raise self.error


def stop_after(n, monkeypatch, error):
    """The n-th image is half written when the disk is full, or someone presses Ctrl-C."""
    whole, count = Path.open, []

    def opened(path, mode="r", *args, **keywords):
        file = whole(path, mode, *args, **keywords)
        count.extend([path] * ("w" in mode and path.suffix in SUFFIXES))
        return Full(file, error) if len(count) == n and path == count[-1] else file

    monkeypatch.setattr(Path, "open", opened)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("torn", [b"", b'{"unit":5,"copy":0,"rec'], ids=["whole", "torn"])
def test_a_stop_loses_nothing(source, policy, tmp_path, monkeypatch, error, torn):
    apply(source, tmp_path / "whole", POLICY, copies=2)
    out, args = tmp_path / "out", ("--policy", policy, "--copies", 2, "--workers", 0)
    with monkeypatch.context() as patch:
        stop_after(8, patch, error)
        stopped = call(source, out, *args)
    assert stopped.exit_code == (2 if isinstance(error, OSError) else 130)
    assert "the same command goes on" in stopped.output
    assert "No space left" in stopped.output or not isinstance(error, OSError)
    there = {p for p in contents(out) if not p.startswith(".augfn")} - {"run.json"}
    assert len(there) == 7
    assert all((out / p).read_bytes() == (tmp_path / "whole" / p).read_bytes() for p in there)
    with (out / ".augfn" / "journal.jsonl").open("ab") as file:
        file.write(torn)
    times = {p: (out / p).stat().st_mtime_ns for p in there}
    assert call(source, out, *args).exit_code == 0
    assert {p: (out / p).stat().st_mtime_ns for p in there} == times  # what was done is not done again
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_and_resumed(policy, tmp_path, number):
    source, out = images(tmp_path / "in", 200, (64, 96)), tmp_path / "out"
    line = [sys.executable, "-m", "augfn", "apply", source, out, "--policy", policy, "--copies", 2, "--workers", 1]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in a shell's background children are deaf to it
    started = subprocess.Popen(list(map(str, line)), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    journal, limit = out / ".augfn" / "journal.jsonl", time.time() + 120
    while started.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 5):
        assert time.time() < limit
        time.sleep(0.005)
    started.send_signal(number)
    said = started.communicate(timeout=60)[1]
    assert started.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), said
    assert 5 <= journal.read_bytes().count(b"\n") < 400
    time.sleep(0.2)  # the worker of a killed process hears of it
    apply(source, out, policy, copies=2)
    apply(source, tmp_path / "whole", policy, copies=2)
    assert contents(out) == contents(tmp_path / "whole")


def dies_once(job, folder):
    marker = folder / f"{job.unit}"
    if job.unit in (3, 7) and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return [{"index": job.unit}]


def dies(job):
    if job.unit == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return []


def test_a_killed_worker_costs_no_job(tmp_path):
    jobs = [Job(i, 0) for i in range(20)]
    done = list(ENGINES["local"](partial(dies_once, folder=tmp_path), jobs, 2))
    assert sorted(job for job, _ in done) == jobs
    assert all(records == [{"index": job.unit}] for job, records in done)


def test_workers_that_always_die_end_the_run():
    """All else is done before; the job at fault is named."""
    done = []
    with pytest.raises(RuntimeError, match="1 jobs are left") as error:
        done.extend(job for job, _ in ENGINES["local"](dies, [Job(i, 0) for i in range(6)], 2))
    assert error.value.left == [Job(0, 0)]


def test_one_process_at_a_time(source, policy, tmp_path):
    settings = {"digest": "none"}
    first = Journal(tmp_path / "out", settings, False)
    first.begin()
    second = Journal(tmp_path / "out", settings, False)
    with pytest.raises(ValueError, match="another process is at work"):
        second.begin()
    first.stop()
    second.begin()
    second.stop()


# what is refused, and what fails


def test_unreadable_files_are_listed_and_the_rest_is_done(source, policy, tmp_path):
    (source / "class0" / "bad.png").write_bytes(b"\x89PNG nothing")
    broken = (source / "class0" / "000.png").read_bytes()
    (source / "class1" / "cut.png").write_bytes(broken[: len(broken) // 2])
    done = call(source, tmp_path / "out", "--policy", policy, "--workers", 0)
    assert done.exit_code == 2
    assert "6 outputs of 6 samples" in done.output
    assert "error: class0/bad.png: cannot identify image file" in done.output
    assert "error: class1/cut.png: image file is truncated" in done.output
    assert len(list((tmp_path / "out").rglob("*.png"))) == 4
    assert sum("error" in r for r in read_manifest(tmp_path / "out")) == 2
    again = call(source, tmp_path / "out", "--policy", policy, "--workers", 0)  # what failed is tried again
    assert again.exit_code == 2
    assert again.output == done.output


def test_what_is_refused_before_it_starts(source, policy, tmp_path):
    def said(*args):
        result = call(*args, "--workers", 0)
        assert result.exit_code == 2
        return result.output

    out = tmp_path / "out"
    assert "No such file or directory" in said(tmp_path / "none", out, "--policy", policy)
    assert "none.yaml: No such file" in said(source, out, "--policy", "none.yaml")
    for inside in (source, source / "more"):
        assert "the output lies in the source" in said(source, inside, "--policy", policy)
    assert "the source lies in the output" in said(source, tmp_path, "--policy", policy, "--overwrite")
    text = said(source, out, "--policy", policy, "--annotations", policy, "--kind", "folder")
    assert "annotations for another kind" in text
    assert "unknown engine" in said(source, out, "--policy", policy, "--engine", "dask")
    assert "unknown kind of data set" in said(source, out, "--policy", policy, "--kind", "video")
    assert "unknown format" in said(source, out, "--policy", policy, "--format", "gif")
    assert "no file of annotations" in said(source, out, "--policy", policy, "--kind", "coco")
    (tmp_path / "empty").mkdir()
    assert "no images" in said(tmp_path / "empty", out, "--policy", policy)
    for f, text in (
        (af.mixup(), "mixing"),
        (af.hflip3d(), "volumes"),
        (af.views(af.hflip(), 2), "views"),
        (af.pipeline(af.hflip(), af.normalize(mean=0.5, std=0.5)), "normalize in the training loop"),
        (af.time_crop(size=4), "--kind frames"),
    ):
        af.save(f, tmp_path / "other.json")
        assert text in said(source, out, "--policy", tmp_path / "other.json")
    Image.new("RGB", (8, 8)).save(source / "class0" / "000.bmp")
    assert "two sources become one file" in said(source, out, "--policy", policy, "--format", "png")
    assert not out.exists()


def test_files_that_are_no_images_are_said(source, policy, tmp_path):
    (source / "class0" / "000.txt").write_text("0 0.5 0.5 0.2 0.2")
    (source / "class0" / ".hidden").write_text("")
    done = call(source, tmp_path / "out", "--policy", policy, "--workers", 0)
    assert done.exit_code == 0
    assert done.stdout.endswith("; other files left behind: 1, such as class0/000.txt\n")
    (source / "labels.json").write_text("{}")
    done = call(source, tmp_path / "out", "--policy", policy, "--workers", 0)
    assert done.stdout.endswith("left behind: 2, such as labels.json (--annotations where it is COCO's)\n")


def test_one_error_of_many_samples_is_not_said_for_each(tmp_path, policy):
    pa = pytest.importorskip("pyarrow")
    (tmp_path / "in").mkdir()
    rows = [{"image": {"bytes": None, "path": f"{i}.png"}} for i in range(14)]
    pytest.importorskip("pyarrow.parquet").write_table(pa.Table.from_pylist(rows), tmp_path / "in" / "a.parquet")
    done = call(tmp_path / "in", tmp_path / "out", "--policy", policy, "--workers", 0)
    assert done.exit_code == 2
    assert "14 sources failed" in done.stdout
    assert len(done.stderr.splitlines()) == 11
    assert done.stderr.splitlines()[-1].startswith("error: 4 more in ")


def test_nothing_is_overwritten(source, policy, tmp_path):
    out = tmp_path / "out"
    (out / "class0").mkdir(parents=True)
    (out / "class0" / "000.png").write_bytes(b"mine")
    (out / "notes.txt").write_text("mine")
    args = (source, out, "--policy", policy, "--workers", 0)
    refused = call(*args)
    assert refused.exit_code == 2
    assert "nothing is overwritten" in refused.output
    assert len(contents(out)) == 3
    assert (out / "class0" / "000.png").read_bytes() == b"mine"
    assert call(*args, "--overwrite").exit_code == 0
    assert (out / "notes.txt").read_text() == "mine"
    assert load(out / "class0" / "000.png").size == (32, 24)
    assert "there already" in call(*args).output
    (out / "class0" / "000.png").unlink()  # what is missing is made again
    assert call(*args).exit_code == 0
    assert (out / "class0" / "000.png").exists()
    other = call(*args, "--seed", 1)
    assert other.exit_code == 2
    assert "is of another run; given: 'seed of 0'" in other.output
    assert "goes on" not in other.output.replace("to go on", "")
    (source / "class0" / "new.png").write_bytes((source / "class0" / "000.png").read_bytes())
    assert "other source files" in call(*args).output
    assert call(*args, "--seed", 1, "--overwrite").exit_code == 0


def test_what_is_not_installed_is_named(source, policy, tmp_path, monkeypatch, capsys):
    for module in ("augfn.offline.coco", "augfn.offline.segments"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    line = ["augfn", "apply", source, tmp_path / "out", "--policy", policy, "--kind", "coco", "--workers", "0"]
    monkeypatch.setattr(sys, "argv", list(map(str, line)))
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert "pycocotools is not installed: pip install 'augfn[offline]'" in capsys.readouterr().err
