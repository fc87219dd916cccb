"""`augfn apply` on rendered scenes with COCO annotations: the same bytes however it is run, annotations that agree with the
images, and its speed beside the same job with albumentations.

    PYTHONPATH=.:/tmp/al python -m benchmarks.offline [--images 2000] [--rounds 5] [--out benchmarks/results]

Where albumentations lies in a folder of its own, PYTHONPATH names it. Writes `offline.json` and `offline.md`, and prints one
PASS or FAIL line for each claim.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import augfn as af
from augfn.offline import apply, read_manifest
from augfn.offline.jobs import Job, Options, opened
from benchmarks import offline_albumentations as peer
from benchmarks import scenes
from benchmarks.measure import Contestant, Lane, Verdict, by_turns, environment, header, table, write

STEPS = (
    af.hflip(p=0.5),
    af.affine(degrees=(-20, 20), scale=(0.8, 1.25), translate=(-0.15, 0.15)),
    af.brightness(factor=(0.7, 1.0)),
)
EXACT = af.pipeline(
    *STEPS, af.random_crop(size=(200, 200)), interpolation="nearest"
)  # so that a pixel tells whose it is
SMOOTH = af.pipeline(*STEPS)  # what users take, and albumentations does too
KILLS = (0.2, 0.5, 0.8)  # of the images that are done when the process is killed
PHOTO = 512, 384

NOTES = """\
* **Scenes** are rendered: each of six objects has a colour of its own on black, its outline (or its mask), box and, of the
  figure, three joints are known in closed form. Geometry is read nearest, so that the pixels of an object can be told in the
  output by their colour alone, and these are what the annotations are held against. A thin tip of a polygon may pass between
  pixel centres: the largest distance of a box is that of such a tip.
* **Same bytes**: every file of OUT but `run.json`, which names the source's folder.
* **CPU ms per image** is process time (user and system) of one thread, median of rounds by turns, for the whole job: read and
  decode, augment, encode and write, with its annotations. **Images per second** is wall time of a whole run, the start of
  its processes included, one process per core; it depends on what else the machine does (load below), CPU time hardly.
* The job: hflip .5, affine (20°, scale .8 to 1.25, shift .15, bilinear), brightness .7 to 1. albumentations reads and writes by
  OpenCV (PNG level 1, as here), with boxes, polygons as keypoints, joints as keypoints and masks by run length; polygons are cut
  to the frame by the functions that augfn uses. It draws from the worker's generator: its result depends on the number of
  workers, and a run that was killed begins anew.
* augfn augments in float32, albumentations in uint8."""


def digest(folder: Path) -> str:
    """Of all files with their names, but `run.json`."""
    found = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "run.json"):
        found.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def command(source: Path, out: Path, policy: Path, workers: int) -> list[str]:
    line = [sys.executable, "-m", "augfn", "apply", source, out, "--policy", policy, "--workers", workers]
    return list(map(str, line))


def killed(source: Path, out: Path, policy: Path, n: int) -> list[int]:
    """A run that is killed three times with SIGKILL; how many images were done each time."""
    journal, seen = out / ".augfn" / "journal.jsonl", []
    for share in KILLS:
        process = subprocess.Popen(
            command(source, out, policy, 2), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        while process.poll() is None and lines_of(journal) < share * n:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        seen.append(lines_of(journal))
    subprocess.run(command(source, out, policy, 2), check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return seen


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def same_bytes(folder: Path, source: Path, n: int) -> list[dict[str, Any]]:
    """The digest of the output of each way to run it."""
    policy, rows = folder / "policy.json", []
    af.save(EXACT, policy)

    def took(name: str, run: Callable[[Path], Any]) -> None:
        out, start = folder / f"out{len(rows)}", time.perf_counter()
        said = run(out)
        rows.append({"name": name, "digest": digest(out), "seconds": time.perf_counter() - start, "said": said})

    for workers in (1, 4):
        took(f"local, workers={workers}", lambda out, k=workers: len(apply(source, out, policy, workers=k).done))
    took("local, three kill -9", lambda out: killed(source, out, policy, n))
    if importlib.util.find_spec("augfn.offline.ray_engine"):
        took("ray, workers=2", lambda out: len(apply(source, out, policy, workers=2, engine="ray").done))
    return rows


def photos(folder: Path, n: int) -> Path:
    """JPEG files of crops of scikit-image's photos."""
    from skimage import data

    draw, (w, h) = np.random.default_rng(0), PHOTO
    folder.mkdir()
    pictures = [getattr(data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")]
    for i in range(n):
        image = Image.fromarray(pictures[i % len(pictures)])
        image = image.resize((round(w * 1.25), round(h * 1.25)))
        x, y = int(draw.integers(w // 4)), int(draw.integers(h // 4))
        image.crop((x, y, x + w, y + h)).save(folder / f"{i:04d}.jpg", quality=92)
    return folder


def ours(source: Path, out: Path) -> Callable[[int], Any]:
    data, key = opened(source, out, "auto", Options())[1], af.key(0)
    n = len(data.jobs(1))
    return lambda step: data.do(Job(step % n, 0), SMOOTH, key)


def theirs(source: Path, out: Path) -> Callable[[int], Any]:
    out.mkdir(exist_ok=True)
    do, n = peer.job(source, out)
    return lambda step: do(step % n)


def speed(folder: Path, source: Path, rounds: int) -> list[dict[str, Any]]:
    """CPU time per image by turns, then the wall time of a whole run with a process for each core."""
    rows, cores = [], len(os.sched_getaffinity(0))
    for title, kind in (("scenes, COCO", source), ("photos, JPEG", photos(folder / "photos", 400))):
        makers = {"augfn": ours, "albumentations": theirs}
        built = [Contestant(n, partial(make, kind, folder / f"{n}-{kind.name}")) for n, make in makers.items()]
        timings = by_turns([Lane(c, 0.7, 10, time.process_time) for c in built], rounds, title)
        walls = {"augfn": wall_of_ours, "albumentations": wall_of_theirs}
        for t in timings:
            n, seconds = walls[t.name](kind, folder / f"{t.name}-{kind.name}-whole", cores)
            wall = {"cores": cores, "images": n, "wall_s": seconds, "wall_per_s": n / seconds}
            rows.append({"job": title, **t.record(), **wall, "load": round(os.getloadavg()[0], 1)})
    return rows


def wall_of_ours(source: Path, out: Path, cores: int) -> tuple[int, float]:
    start = time.perf_counter()
    made = apply(source, out, SMOOTH, workers=cores)
    return len(made.done), time.perf_counter() - start


def wall_of_theirs(source: Path, out: Path, cores: int) -> tuple[int, float]:
    start = time.perf_counter()
    out.mkdir()
    n = peer.count(source)
    with ProcessPoolExecutor(cores, get_context("forkserver"), peer.begin, (source, out)) as pool:
        records = list(pool.map(peer.run, range(n), chunksize=16))
    (out / "annotations.json").write_text(json.dumps(records))
    return n, time.perf_counter() - start


def verdicts(rows: list[dict[str, Any]], found: dict[str, Any], n: int) -> list[Verdict]:
    one = len({r["digest"] for r in rows}) == 1
    done = f"{found['annotations']} annotations and {found['lost']} dropped of {6 * n}"
    whole = found["annotations"] + found["lost"] == 6 * n and not found["wrong"]
    masks, boxes = f"least {found['iou_min']:.3f}", f"largest {found['box_max']:.2f} px"
    return [
        Verdict(f"same bytes, {' and '.join(r['name'] for r in rows)}", rows[0]["digest"][:16], one),
        Verdict("every object is annotated, or dropped and out of the frame", done, whole),
        Verdict("masks: IoU with the pixels of an object, median at least 0.97", f"{found['iou_median']:.3f}, {masks}",
                found["iou_median"] >= 0.97 and found["iou_min"] > 0.85),
        Verdict("boxes: edges off by less than 1 px in the median", f"{found['box_median']:.2f} px, {boxes}",
                found["box_median"] < 1),
        Verdict("joints: off by less than 1 px", f"largest {found['joint_max']:.2f} px of {found['joints']}",
                found["joint_max"] < 1),
    ]  # fmt: skip


def report(env: dict[str, Any], data: dict[str, Any], judged: list[Verdict]) -> str:
    pairs = [(a, b) for a, b in zip(data["speed"][::2], data["speed"][1::2], strict=True)]
    rows = [
        [
            r["job"],
            r["name"],
            f"{1000 * r['median_s']:.1f}",
            f"{r['spread']:.0%}",
            f"{r['wall_per_s']:.0f}",
            f"{r['load']}",
        ]
        for pair in pairs
        for r in pair
        if "median_s" in r
    ]
    ratios = [
        f"* {a['job']}: augfn takes {a['median_s'] / b['median_s']:.2f} times the CPU time of albumentations"
        f" ({'a loss' if a['median_s'] > b['median_s'] else 'a win'})."
        for a, b in pairs
        if "median_s" in a and "median_s" in b
    ]
    ways = [[r["name"], r["digest"][:16], f"{r['seconds']:.0f}", str(r["said"])] for r in data["same"]]
    found = [[n, f"{v:.3f}" if isinstance(v, float) else str(v)] for n, v in data["agreement"].items() if n != "wrong"]
    return "\n\n".join(
        [
            "# Data sets augmented to disk",
            header(env),
            "\n".join(map(str, judged)),
            "## The same bytes",
            table(["run", "sha256 of OUT", "seconds", "images done (when killed)"], ways),
            "## What the annotations say, and what the images show",
            table(["", "value"], found),
            "## Speed",
            table(["job", "library", "CPU ms per image", "spread", "images per second", "load"], rows),
            "\n".join(ratios),
            NOTES,
        ]
    )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    env = environment(" ".join(["python -m benchmarks.offline", *arguments]), 1)
    env["versions"] |= {name: version(name) for name in ("pillow", "pycocotools", "shapely", "ray")}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes.write(folder / "in", options.images)
        rows = same_bytes(folder, folder / "in", options.images)
        mirrored = {
            r["image"]["file_name"]: bool(r["params"]["hflip"]["gate"] > 0.5) for r in read_manifest(folder / "out0")
        }
        found = scenes.agreement(folder / "out0", mirrored)
        data = {"same": rows, "agreement": found, "speed": speed(folder, folder / "in", options.rounds)}
    judged = verdicts(rows, found, options.images)
    page = report(env, data, judged)
    saved = {"environment": env, "verdicts": [v._asdict() for v in judged], **data}
    print(page, *(f"written: {path}" for path in write(options.out, "offline", saved, page)), sep="\n")
    if not all(v.passed for v in judged):
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
