"""How long the page of `augfn studio` takes for a preview: a photo of 12 megapixels with a mask and boxes, and a volume.

    python -m benchmarks.studio [--rounds 5] [--out benchmarks/results]

**Preview**: what a moved slider costs in the process of the page: the pipeline made from its data, a grid of 8 draws (4 of a
volume), the chosen draw replayed, and all pictures drawn and encoded. **Opened**: from the bytes of the file to its reduced copy.
The median of the rounds, on one thread: by the clock, and in time of this process, which other load on the machine does not
change.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
from PIL import Image
from skimage import data

from augfn.app.studio import opened
from augfn.app.studio.catalogue import step_of
from augfn.app.studio.pictures import encoded
from augfn.app.studio.state import Studio
from augfn.app.studio.steps import ROOTS, Step
from benchmarks.measure import Verdict, environment, header, table, write

PIXELS = (4000, 3000)
VOXELS = (128, 256, 256)
LIMIT = 500  # ms
Row = tuple[str, str, list[float]]  # the file, what was done, milliseconds by the clock and of the process
PIPELINES = {
    "hflip, affine, color_jitter": ("hflip", "affine", "color_jitter"),
    "elastic, gaussian_blur, gaussian_noise": ("elastic", "gaussian_blur", "gaussian_noise"),
    "clahe, motion_blur, jpeg": ("clahe", "motion_blur", "jpeg"),
    "rand_augment": ("rand_augment",),
}
OF_VOLUMES = {
    "hflip3d, affine3d, gamma": ("hflip3d", "affine3d", "gamma"),
    "elastic3d, bias_field, gaussian_noise": ("elastic3d", "bias_field", "gaussian_noise"),
}


def photo() -> bytes:
    """A JPEG of 12 megapixels."""
    buffer = io.BytesIO()
    Image.fromarray(data.astronaut()).resize(PIXELS).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def volume() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.random.default_rng(0).random(VOXELS, dtype=np.float32))
    return buffer.getvalue()


def preview(studio: Studio) -> None:
    """All that the page does in Python when a slider has moved."""
    studio.draw()
    for *_, picture in studio.grid():
        encoded(picture)
    encoded(studio.before())
    encoded(studio.after())


def medians(act: Callable[[], object], rounds: int) -> list[float]:
    """Milliseconds by the clock, and of this process."""
    spent = []
    for _ in range(rounds):
        start = perf_counter(), process_time()
        act()
        spent.append((1000 * (perf_counter() - start[0]), 1000 * (process_time() - start[1])))
    return [statistics.median(column) for column in zip(*spent, strict=True)]


def rows_of(name: str, raw: bytes, pipelines: dict[str, tuple[str, ...]], rounds: int) -> list[Row]:
    studio = Studio()
    out: list[Row] = [(name, "opened", medians(lambda: opened.read(name, raw), rounds))]
    item = studio.open(name, raw)
    if item.ndim == 2:
        h, w = item.frame
        mask = torch.zeros(h, w, dtype=torch.uint8)
        mask[h // 4 : h // 2, w // 4 : w // 2] = 1
        item.set_mask(mask)
        item.boxes += [(w * 0.2, h * 0.2, w * 0.5, h * 0.6, 1.0), (w * 0.6, h * 0.5, w * 0.9, h * 0.9, 2.0)]
    for words, names in pipelines.items():
        steps = [step_of(n, item.size) for n in names]
        studio.root = steps[0] if steps[0].name in ROOTS else Step("pipeline", steps=steps)
        preview(studio)
        out.append((name, words, medians(lambda: preview(studio), rounds)))
    return out


def main(args: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args(args)
    torch.set_num_threads(1)
    rows = rows_of("photo.jpg", photo(), PIPELINES, given.rounds) + rows_of(
        "scan.npy", volume(), OF_VOLUMES, given.rounds
    )
    slowest = max(spent[1] for _, words, spent in rows if words != "opened")
    verdict = Verdict("a preview takes less than 500 ms of the process", f"{slowest:.0f} ms at most", slowest < LIMIT)
    head = ("file and pipeline", "ms by the clock", "ms of the process")
    cells = table(head, [(f"{name}: {words}", *(f"{v:,.0f}" for v in spent)) for name, words, spent in rows])
    env = environment("python -m benchmarks.studio", 1)
    says = f"{'Met' if verdict.passed else 'Missed'}: {verdict.text} ({verdict.value})."
    text = (__doc__ or "").split("\n\n", 2)[2]
    page = "\n\n".join(["# The studio", text.strip(), header(env), cells, says])
    write(given.out, "studio", {"environment": env, "rows": rows}, page)
    print(f"{cells}\n\n{says}")
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
