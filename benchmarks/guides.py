"""The pictures of the guides: what the recipe of each task makes of real photos.

    python -m benchmarks.guides [NAME ...]

The code of a page is run, and what it calls `train`, `view` or the like draws `notebooks/guides/tasks/<page>.jpg`.
"""

from __future__ import annotations

import argparse
import doctest
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from tqdm import tqdm

import augfn as af
from augfn.app import viz
from benchmarks.catalogue import encodings

GUIDES = Path(__file__).parents[1] / "notebooks/guides/tasks"
WIDTH, LARGEST = 10.0, 100_000  # inches, at 100 pixels each; bytes of a picture
Page = dict[str, Any]  # what the code of a page has named


def run(name: str) -> Page:
    """The names that the code of a page makes, when all of it has run."""
    made: Page = {"__name__": name}
    for example in doctest.DocTestParser().get_examples((GUIDES / f"{name}.md").read_text()):
        exec(compile(example.source, f"{name}.md", "exec"), made)
    return made


def sheet(samples: Sequence[Any], columns: int, shape: float = 1.0, **more: Any) -> Figure:
    """A grid as wide as a page, of samples that are `shape` times as high as wide."""
    figure = viz.grid(samples, columns, cell=WIDTH / columns, **more)
    lines = -(-len(samples) // columns)
    figure.set_size_inches(WIDTH, lines * (WIDTH / columns * shape + 0.25 * bool(more.get("titles"))))
    return figure


def photos(size: int) -> Tensor:
    """Four photos `[4, 3, size, size]` of scikit-image: an astronaut, coffee, a cat, a rocket."""
    from skimage import data

    square = af.pipeline(af.smallest_max_size(max_size=size), af.center_crop(size=size))
    return torch.stack([square(af.to_float(p()))[0] for p in (data.astronaut, data.coffee, data.chelsea, data.rocket)])


def draws(f: Any, x: Any, n: int, key: int = 0) -> list[Any]:
    """n samples that an augmentation makes of one."""
    return [f(x, None, k)[0] for k in af.split(af.key(key), n)]


def colored(z: Tensor, low: float, high: float) -> Tensor:
    """Depth `[1, H, W]` as colours `[3, H, W]`, black where it is 0."""
    shown = torch.from_numpy(colormaps["viridis"](((z[0] - low) / (high - low)).clamp(0, 1).numpy())[..., :3])
    return shown.movedim(-1, 0).float() * (z > 0)


# the pages


def classification(page: Page) -> Figure:
    x, back = photos(224), af.denormalize(**page["stats"])
    rows = [sample for i in (1, 2) for sample in (x[i], *(back(y)[0] for y in draws(page["train"], x[i], 5, i)))]
    six = {"image": torch.cat([x, x[:2].flip(-1)]), "label": torch.arange(6) % 4}
    mixed, _ = page["mix"](six, None, af.key(0))
    titles = ["photo", *[f"draw {i + 1}" for i in range(5)], *[""] * 6]
    titles += [" ".join(f"{v:.2f}" for v in row) for row in mixed["label"].tolist()]
    return sheet([*rows, *mixed["image"]], 6, 1.0, titles=titles, rows=["train", "train", "mix"])


def detection(page: Page) -> Figure:
    batch, shown = page["batch"], ("image", "boxes")
    mosaic = page["train"]({n: batch[n] for n in shown}, None, af.key(3))[0]
    pasted = page["paste"](batch, None, af.key(2))[0]
    samples = [s for b in (batch, mosaic, pasted) for s in viz.unbatch({n: b[n] for n in shown})]
    return sheet(samples, 4, rows=["photos", "mosaic", "copy-paste"])


def segmentation(page: Page) -> Figure:
    from skimage import data

    tissue, rocket = page["Pairs"]()[0], af.to_float(data.rocket())[:, :, 106:533]
    sky = {"image": rocket, "mask": 2 * (af.gaussian_blur(sigma=2.0)(rocket[2:] - rocket[:1])[0][0] > 0.02).long()}
    samples = [s for i, x in enumerate((tissue, sky)) for s in (x, *draws(page["train"], x, 4, 2 + i))]
    shown = [{**s, "mask": s["mask"] * (s["mask"] != page["ignore"])} for s in samples]
    return sheet(shown, 5, rows=["nuclei", "sky"], titles=["photo", *[f"draw {i + 1}" for i in range(4)]])


def pose(page: Page) -> Figure:
    x = page["People"]()[0]
    samples = [x, *draws(page["train"], x, 3, 2)]
    figure = sheet(samples, 4, titles=["photo", *[f"draw {i + 1}" for i in range(3)]])
    for ax, sample in zip(figure.axes, samples, strict=True):
        points = sample["keypoints"]
        for name, at, seen in zip(page["names"], points.xy[0], points.visible[0], strict=True):
            if seen and name != "nose":
                side, color = ("L", "cyan") if name.startswith("left") else ("R", "orange")
                ax.text(*at.tolist(), side, color=color, fontsize=9, weight="bold", ha="center", va="bottom")
    return figure


def medical(page: Page) -> Figure:
    import nibabel

    path = Path(nibabel.__file__).parent / "tests/data/example4d.nii.gz"
    scan, middle = af.read_volume(path)["volume"][:1, :, :, 16:112], (slice(6, 20), slice(32, 72), slice(36, 64))
    mask = torch.zeros_like(scan[0]).long()
    bright = af.gaussian_blur(kernel_size=5, sigma=0.8)({"volume": scan})[0]["volume"][0] > 540
    mask[middle] = bright[middle].long()  # the ventricles
    x = {**af.zscore()({"volume": scan})[0], "mask": mask}
    f = af.pipeline(*[s for s in page["steps"] if "crop" not in s.name], padding_mode="border")
    shown = []
    for y in (x, *draws(f, x, 4, 3)):
        value, labels = (y["volume"] + 1) / 4, y["mask"]
        planes = torch.cat([value[:, 13].flip(1), value[..., 42].flip(1)], 1)
        shown.append({"image": planes, "mask": torch.cat([labels[13].flip(0), labels[..., 42].flip(0)])})
    return sheet(shown, 5, 1.25, titles=["scan", *[f"draw {i + 1}" for i in range(4)]])


def satellite(page: Page) -> Figure:
    x, back = page["Tiles"]()[0], af.denormalize(mean=page["mean"].float(), std=page["std"].float())
    made = [x["image"], *(back(y["image"])[0] for y in draws(page["train"], x, 5, 4))]
    titles = ["stack", *[f"draw {i + 1}" for i in range(5)]]
    return sheet([*(y[:3] for y in made), *(2 * y[3:4] for y in made)], 6, titles=titles, rows=["RGB", "infrared"])


def video(page: Page) -> Figure:
    x = page["Clips"]()[0]
    frames = {n: x[n][::3] for n in ("video", "boxes")}
    drawn = page["train"]({n: x[n] for n in frames}, None, af.key(2))[0]
    swayed = page["camera"](frames, None, af.key(4))[0]
    samples = [
        {"image": v["video"][t], "boxes": v["boxes"][t]}
        for v in (frames, drawn, swayed)
        for t in range(len(v["video"]))
    ]
    return sheet(samples, 8, 0.9, rows=["clip", "one draw", "a path"])


def depth(page: Page) -> Figure:
    x = page["Rooms"]()[0]
    made = [x, *draws(page["train"], x, 4, 3)]
    shown = [y["image"] for y in made] + [colored(y["depth"], 1.0, page["far"]) for y in made]
    titles = ["photo", *[f"draw {i + 1}" for i in range(4)]]
    return sheet(shown, 5, 0.9, titles=titles, rows=["image", "depth"])


def self_supervised(page: Page) -> Figure:
    x = photos(224)
    (first, second), _ = af.recipe("simclr", size=224)(x, None, af.key(1))
    crops = [af.denormalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))(c)[0][0]
             for c in af.recipe("dino", size=224, n=4)(x[1:2], None, af.key(3))[0]]  # fmt: skip
    pairs = [v for triple in zip(x, first, second, strict=True) for v in triple]
    titles = ["photo", "view 1", "view 2"] * 4 + ["global 1", "global 2", *[f"local {i + 1}" for i in range(4)]]
    return sheet([*pairs, *crops], 6, titles=titles, rows=["SimCLR", "SimCLR", "DINO"])


def gans(page: Page) -> Figure:
    x, ada = photos(160), af.recipe("ada", size=160)
    rows = [x[2], *draws(af.recipe("diff_augment", size=160), x[2], 5)]
    for i in (0, 2):
        rows += [ada(x[i], af.learn.ada_params(ada, p / 5), af.key(7 + i))[0] for p in range(6)]
    titles = ["photo", *[f"draw {i + 1}" for i in range(5)], *[f"p = {p / 5:g}" for p in range(6)] * 2]
    return sheet(rows, 6, titles=titles, rows=["DiffAugment", "ADA", "ADA"])


def policies(page: Page) -> Figure:
    x = torch.cat([photos(160), photos(160).flip(-1)[:2]])
    shown = {
        "RandAugment": af.rand_augment(),
        "TrivialAugment": af.trivial_augment(),
        "AutoAugment": af.auto_augment("imagenet"),
        "AugMix": af.augmix(),
        "timm": af.policy("rand-m9-n3-mstd0.5-inc1"),
    }
    rows = torch.cat([x, *(f(x, None, af.key(3))[0] for f in shown.values())])
    return sheet([*rows], 6, rows=["photos", *shown])


def tta(page: Page) -> Figure:
    x, predict, angles = page["photos"][1:2], page["segment"], (-20.0, 10.0, 25.0)
    turn, made = af.rotate(), [predict(x)[:, :1]]
    for degrees in angles:
        y, params = turn(x, {"degrees": torch.tensor([degrees])})
        back, seen = af.invert(turn)(predict(y)[:, :1], params)
        made.append(back * seen)
    views = [af.identity(), *(af.rotate(degrees=d) for d in angles)]
    made.append(af.tta(predict, views, "softmask")(x)[:, :1])
    titles = ["photo", "prediction", *[f"turned by {d:g} degrees, and back" for d in angles], "merged"]
    return sheet([x[0], *(colored(z[0], 0.4, 1.0) for z in made)], 3, 0.75, titles=titles)


def curricula(page: Page) -> Figure:
    x, at = photos(224)[2], page["at"]
    moments = [0.0, 0.25, 0.5, 0.75, 1.0]
    rows = [page["augment"](x, at(t), af.key(key))[0] for key in (1, 2, 8) for t in moments]
    return sheet(rows, 5, titles=[f"progress {t:g}" for t in moments], rows=[f"key {k}" for k in (1, 2, 3)])


def tuning(page: Page) -> Figure:
    found, x = page["found"], page["x"][:12]
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.2))
    ax = left.subplots()
    ax.plot(*zip(*sorted((t["rotate/degrees"], t["value"]) for t in found.table), strict=True), "o-")
    ax.axvline(40, color="gray", linestyle=":", label="what the net will meet")
    ax.axvline(found.best["rotate/degrees"], color="C1", label="found")
    ax.set(xlabel="reach of the turns in training, degrees", ylabel="accuracy on validation data")
    ax.legend(fontsize=8)
    tiles(right, [*x, *found.policy(x, None, af.key(1))[0]], 6, rows=["digits", "", "policy", ""])
    return figure


def behaviour(page: Page) -> Figure:
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.2, 1))
    net, images, hurt = page["net"], page["images"], page["hurt"]
    before, after = net(images).argmax(1).tolist(), net(hurt).argmax(1).tolist()
    some = [i for i in range(len(images)) if before[i] == page["labels"][i] != after[i]][:5]
    titles = [f"read as {read[i]}" for read in (before, after) for i in some]
    tiles(left, [*images[some], *hurt[some]], 5, titles=titles, rows=["clean", "worst"])
    ax = right.subplots()
    angles = [0, 15, 30, 45]
    for measure in ("accuracy", "cosine"):
        found = page["curves"].at(measure)
        ax.plot(
            angles, [e.value for e in found], "o-", label={"cosine": "cosine of the embedding"}.get(measure, measure)
        )
        ax.fill_between(angles, [e.low for e in found], [e.high for e in found], alpha=0.2)
    ax.set(xlabel="turned by, degrees", ylim=(0, 1.02), xticks=angles)
    ax.legend(fontsize=8)
    return figure


def learned(page: Page) -> Figure:
    x = photos(96)[:1]
    place = af.affine(degrees=(-30, 30), translate=((-0.2, 0.2), (-0.2, 0.2)), scale=(0.8, 1.25))
    f = af.pipeline(place, af.gamma(gamma=(0.5, 2.0)))
    true = {
        "affine": {"degrees": torch.tensor(17.0), "translate": torch.tensor([0.1, -0.05]), "scale": torch.tensor(1.1)}
    }
    target, _ = f(x, {**true, "gamma": {"gamma": torch.tensor(1.6)}}, None)
    found, losses = af.learn.fit(f, x, target, af.key(0))
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(2.6, 1))
    tiles(left, [x[0], target[0], f(x, found, None)[0][0]], 3, titles=["source", "target", "source at what was found"])
    ax: Axes = right.subplots()
    ax.semilogy(losses[:, 0].detach())
    ax.set(xlabel="step", ylabel="mean squared error")
    return figure


def tiles(
    figure: Any, samples: Sequence[Any], columns: int, titles: Sequence[str] = (), rows: Sequence[str] = ()
) -> None:
    """Samples in a part of a figure."""
    axes = figure.subplots(-(-len(samples) // columns), columns, squeeze=False)
    for i, (ax, sample) in enumerate(zip(axes.flat, samples, strict=True)):
        viz.show(ax, sample)
        if i < len(titles):
            ax.set_title(titles[i], fontsize=8)
        if i % columns == 0 and i // columns < len(rows):
            ax.set_ylabel(rows[i // columns], fontsize=8)


def scale(page: Page) -> Figure:
    from augfn.app.preview import read_image

    folder = page["folder"]
    source = read_image(folder / "photos/cats/chelsea.png")
    copies = [read_image(folder / f"out/cats/chelsea-c{i}.png") for i in range(4)]
    back = torch.where(page["seen"] > 0, page["back"], 0.5)
    titles = ["photos/cats/chelsea.png", *[f"chelsea-c{i}.png" for i in range(4)], "c1, taken back"]
    return sheet([source, *copies, back], 6, titles=titles)


PICTURES: dict[str, Callable[[Page], Figure]] = {
    f.__name__: f
    for f in (
        classification,
        detection,
        segmentation,
        pose,
        medical,
        satellite,
        video,
        depth,
        self_supervised,
        gans,
        policies,
        tta,
        curricula,
        tuning,
        behaviour,
        learned,
        scale,
    )
}


def draw(name: str) -> Path:
    """The picture of a page, beside it."""
    torch.manual_seed(0)
    path, figure = GUIDES / f"{name}.jpg", PICTURES[name](run(name))
    path.write_bytes(next(data for data in encodings(figure) if len(data) < LARGEST))
    return path


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guides", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"pages to draw, of {', '.join(PICTURES)}; all by default"
    )
    names = parser.parse_args(arguments).names or list(PICTURES)
    if unknown := sorted(set(names) - set(PICTURES)):
        parser.error(f"no such page: {', '.join(unknown)}; there are {', '.join(PICTURES)}")
    for name in tqdm(names, desc="pictures", disable=None):
        draw(name)
    print(f"written: {len(names)} pictures in notebooks/guides/tasks")


if __name__ == "__main__":
    main(sys.argv[1:])
