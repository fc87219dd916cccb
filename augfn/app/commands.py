"""The commands of the console script `augfn`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="augfn",
    help="Functional, differentiable augmentation for PyTorch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Seed = Annotated[
    int, typer.Option(min=0, max=2**31 - 1, help="Names all that is random: the same seed gives the same result.")
]


def complain(where: object, error: object) -> None:
    """One line on stderr."""
    from augfn.files.values import one_line

    text = one_line(error)
    typer.echo(f"error: {text if text.startswith(str(where)) else f'{where}: {text}'}", err=True)


def stop(where: object, error: object) -> typer.Exit:
    complain(where, error)
    return typer.Exit(2)


def reason(error: Exception) -> object:
    """An OSError's reason without its number and file name, which the line names already."""
    return error.strerror or error if isinstance(error, OSError) else error


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures; made where it is missing.")] = Path("augfn-demo"),
    seed: Seed = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many runs, with seeds that count up from --seed.")] = 3,
    steps: Annotated[int, typer.Option(min=1, help="Training steps per run; fewer for a quick look.")] = 1000,
) -> None:
    """Learn augmentation ranges by gradient, on scikit-learn's digits.

    A small CNN is trained on a few upright digits and tested on digits that are rotated, shifted and of other brightness:
    without augmentation, with a fixed pipeline, and with a pipeline whose ranges are learned on a validation split by
    hypergradient. Prints a table and writes three pictures: digits.png, photo.png and ranges.png. About two minutes.
    """
    from augfn.app import demo as it

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise stop(out, reason(error)) from None
    typer.echo(it.run(out, seed, seeds, steps))
    typer.echo(f"Pictures: {out / 'digits.png'}, {out / 'photo.png'}, {out / 'ranges.png'}")


@app.command()
def preview(
    images: Annotated[list[Path], typer.Argument(help="Image files, of any size and mode.")],
    policy: Annotated[Path, typer.Option(help="YAML file that names ops and their ranges.")],
    out: Annotated[Path, typer.Option(help="The picture to write; its suffix names the format.")] = Path("grid.png"),
    n: Annotated[int, typer.Option("--n", min=1, max=100, help="Draws per image.")] = 8,
    seed: Seed = 0,
) -> None:
    """Show a pipeline at work on your own images: a row per image, the original first.

    \b
    pipeline:
      - hflip: {p: 0.5}
      - affine: {degrees: [-15, 15], scale: [0.9, 1.1], p: 0.8}
      - one_of:
          - rotate
          - color_jitter: {brightness: [0.8, 1.2]}
    padding_mode: reflection

    Images wider or higher than 4096 pixels are shrunk to that. What cannot be read or augmented is named, and the exit code is 2.
    """
    import yaml  # noqa: F401 - so that it is named where it is missing
    from tqdm import tqdm

    from augfn import saving
    from augfn.app import preview as it
    from augfn.app import viz

    try:
        augment = it.for_one_image(saving.load(policy))
    except (OSError, ValueError) as error:
        raise stop(policy, reason(error)) from None
    failures = []

    def failed(path: Path, error: Exception) -> None:
        failures.append(path)
        with tqdm.external_write_mode():
            complain(path, reason(error))

    figure = it.preview(augment, tqdm(images, unit=" images", disable=None), n, seed, failed)
    if figure is None:
        raise typer.Exit(2)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        viz.save(figure, out)
    except (OSError, ValueError) as error:
        raise stop(out, reason(error)) from None
    typer.echo(f"Wrote {out}")
    if failures:
        raise typer.Exit(2)


@app.command()
def apply(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The data set: a folder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new or empty folder, or what this command has begun.")],
    policy: Annotated[Path, typer.Option(help="YAML or JSON file that names ops and their ranges.")],
    copies: Annotated[int, typer.Option(min=1, help="Augmented versions of each sample.")] = 1,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes; 0: this one. Default: one a core.")] = None,
    engine: Annotated[str, typer.Option(help="local (processes of this machine) or ray.")] = "local",
    kind: Annotated[
        str, typer.Option(help="auto, folder, coco, masks, frames, webdataset, parquet; frames is never guessed.")
    ] = "auto",
    format: Annotated[str, typer.Option(help="same, or the suffix of all images that are written: png, jpg.")] = "same",
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG and WebP.")] = 95,
    annotations: Annotated[Path | None, typer.Option(help="COCO's JSON file, where not IN/annotations.json.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are in OUT already.")] = False,
    seed: Seed = 0,
) -> None:
    """Augment a data set to disk: images, COCO, masks, frames, WebDataset shards, Parquet.

    The policy is a file such as this (`augfn preview` shows what it does):

    \b
    pipeline:
      - hflip: {p: 0.5}
      - affine: {degrees: [-15, 15], scale: [0.9, 1.1], p: 0.8}

    Each sample is augmented alone: OUT has the same bytes for any number of workers. OUT/manifest.jsonl holds the params of
    every output. In a folder of images other files are left behind, and said: labels in them do not move. After a stop the same
    command goes on where it was; no file is ever half written. What cannot be read is named at the end, and the exit code is 2.
    """
    import yaml  # noqa: F401 - so that it is named where it is missing

    from augfn.app import apply as it

    code = it.run(
        source,
        out,
        policy,
        lambda where, error: complain(where, reason(error)),
        copies=copies,
        workers=it.cores() if workers is None else workers,
        engine=engine,
        seed=seed,
        overwrite=overwrite,
        kind=kind,
        format=format,
        quality=quality,
        annotations=annotations,
    )
    if code:
        raise typer.Exit(code)


@app.command()
def stats(
    folder: Annotated[Path, typer.Argument(help="Folder of images, with those below it.")],
    pattern: Annotated[str, typer.Option(help="Which files, as a glob.")] = "**/*",
) -> None:
    """Mean and standard deviation of each channel over all pixels of a folder's images, for `normalize`.

    Images are read as RGB in [0, 1]. What cannot be read is named, and the exit code is 2.
    """
    from tqdm import tqdm

    from augfn.app.preview import read_image
    from augfn.moments import channel_stats
    from augfn.offline.pictures import SUFFIXES

    paths = sorted(p for p in folder.glob(pattern) if p.suffix.lower() in SUFFIXES)
    failures = []

    def images() -> Any:
        for path in tqdm(paths, unit=" images", disable=None):
            try:
                yield read_image(path)
            except (OSError, ValueError) as error:
                failures.append(path)
                with tqdm.external_write_mode():
                    complain(path, reason(error))

    try:
        mean, std = channel_stats(images())
    except ValueError:
        raise stop(folder, f"no images that can be read among {len(paths)} files of {pattern}") from None
    typer.echo(f"mean={tuple(round(v, 4) for v in mean.tolist())}, std={tuple(round(v, 4) for v in std.tolist())}")
    typer.echo(f"({len(paths) - len(failures)} images)")
    if failures:
        raise typer.Exit(2)


@app.command()
def analyse(
    model: Annotated[str, typer.Argument(help="package.module:function, or a name of torchvision or timm.")],
    images: Annotated[Path, typer.Option(help="Folder of images, with those below it.")],
    policy: Annotated[Path, typer.Option(help="YAML or JSON file that names ops and their ranges.")],
    out: Annotated[Path, typer.Option(help="The HTML page to write.")] = Path("report.html"),
    weights: Annotated[Path | None, typer.Option(help="File of the model's weights (torch or safetensors).")] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="num_classes of the model, where not its own.")] = None,
    labels: Annotated[bool, typer.Option("--labels", help="The class of an image is the name of its folder.")] = False,
    names: Annotated[
        Path | None, typer.Option(help="File of the classes' names, one a line, as the model has them.")
    ] = None,
    layers: Annotated[list[str] | None, typer.Option(help="Names or patterns of modules; may be repeated.")] = None,
    embedding: Annotated[str | None, typer.Option(help="The layer that gives the embedding.")] = None,
    draws: Annotated[int, typer.Option(min=1, help="Augmented versions of each image.")] = 16,
    size: Annotated[int, typer.Option(min=1, help="Images are resized and cut to this many pixels a side.")] = 224,
    mean: Annotated[str | None, typer.Option(help="Mean of each channel to normalize with: 0.485,0.456,0.406.")] = None,
    std: Annotated[str | None, typer.Option(help="Standard deviation of each channel.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many of the images alone, evenly from all.")] = None,
    pattern: Annotated[str, typer.Option(help="Which files, as a glob.")] = "**/*",
    batch: Annotated[int, typer.Option(min=1, help="Images at a time.")] = 16,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps.")] = "cpu",
    seed: Seed = 0,
) -> None:
    """How a model behaves under a policy: sensitivity by layer, robustness of the embedding, which op is to blame.

    Writes one HTML page with plots, tables and the most harmful samples. A policy that does not normalize is followed by
    what the model's library normalizes with, or by --mean and --std. Without --weights a model of a library is random.
    What is finished is kept in OUT.parts until the page is written: the same command goes on after a stop.
    """
    import yaml  # noqa: F401 - so that it is named where it is missing

    import augfn as af
    from augfn import saving
    from augfn.analysis import behaviour, pages
    from augfn.analysis.stores import clear
    from augfn.app import analyse as it
    from augfn.app import preview

    try:
        f = preview.for_one_image(saving.load(policy))
    except (OSError, ValueError) as error:
        raise stop(policy, reason(error)) from None
    if not images.is_dir():
        raise stop(images, "no such folder")
    if out.suffix.lower() not in (".html", ".htm"):
        raise stop(out, "a page is HTML: --out report.html")
    if bool(mean) != bool(std):
        raise stop(policy, "--mean and --std go together")
    good, bad = it.readable(images, pattern, limit)
    for path, error in bad:
        complain(path, reason(error))
    if not good:
        raise stop(images, f"no images that can be read among the files of {pattern}")
    parts = out.with_name(f"{out.name}.parts")
    try:
        net, scale = it.model_of(model, weights, classes)
        scale = (it.numbers(mean), it.numbers(std)) if mean else scale
        f = it.prepared(f, scale)
        known = None if names is None else names.read_text(encoding="utf-8-sig").split("\n")
        truth, there = it.classes_of(good, images, known) if labels else (None, [])
        out.parent.mkdir(parents=True, exist_ok=True)
        unknown = "" if weights or it.library_of(model) is None else " (random weights)"
        typer.echo(f"{model}{unknown} on {len(good)} images, {draws} draws of each")
        report = behaviour(
            net.to(device),
            it.Folder(good, size),
            f,
            af.key(seed),
            layers or None,
            truth,
            draws,
            embedding=embedding,
            batch=batch,
            progress=True,
            resume=parts,
        )
        pages.save(report, out, f"{model}{unknown} under {policy.name}")
    except KeyboardInterrupt:
        complain(out, f"stopped; the same command goes on from {parts}")
        raise typer.Exit(130) from None
    except (OSError, ValueError, TypeError, ImportError, RuntimeError, AttributeError, AssertionError) as error:
        raise stop(model, reason(error)) from None
    clear(parts)
    typer.echo(f"{report.embedding}\n")
    typer.echo(f"Wrote {out}" + (f"; classes: {', '.join(there)}" if there else ""))
    if bad:
        raise typer.Exit(2)


@app.command()
def tune(
    config: Annotated[Path, typer.Argument(help="YAML file that says what is tuned, and on what.")],
) -> None:
    """Find the strength of a policy with which a net learns folders of images best.

    \b
    data: photos/train       # DIR/<class>/<image>
    val: 0.2                 # a folder, or a share of the images (0.2)
    test: photos/test        # the same, seen once, at the end; may be left out
    policy: policy.yaml      # or what stands in one, {pipeline: [hflip, rotate]}; or recipe: three_augment
    strength: conservative   # or aggressive; without it intervals as wide as they can be
    fixed: [hflip/p]         # numbers, leaves or steps that stay as they are
    method: tpe              # grid, random or tpe (tpe)
    trials: 30               # in all (30); grid: 5 values of each number that is not whole
    prune: median            # or halving: stops trials that fall behind; may be left out
    model: small             # or timm:NAME, with random weights (small)
    steps: 500               # of training (500), of batch: 64 images, size: 32 pixels, rate: 0.1
    seeds: 1                 # trainings of each trial (1)
    seed: 0                  # names all that is random (0)
    out: tuned               # folder of the results (augfn-tune); device: cpu, cuda

    Writes report.html, the best policy as policy.yaml, trials.csv, and plots. The same command goes on after a stop, and several
    may run at once.
    """
    import yaml  # noqa: F401 - so that it is named where it is missing

    from augfn.app import tune as it

    try:
        page, words = it.run(it.config_of(config))
    except KeyboardInterrupt:
        complain(config, "stopped; the same command goes on where it was")
        raise typer.Exit(130) from None
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise stop(config, reason(error)) from None
    typer.echo(words)
    typer.echo(f"Wrote {page}")


@app.command()
def studio(
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="Images and volumes (.npy, .nii, .nii.gz); a photo where there are none."),
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="YAML or JSON file to begin with.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the page, on this machine alone.")] = 8642,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Open a local page: look at images, build a pipeline, see what it does, and take it along as YAML or Python.

    The page is served on 127.0.0.1 alone, and sends nothing elsewhere. Files that are opened on it stay in the memory of that
    page, and go when it is closed; those that are named here are seen by every page. What cannot be read is named, and the exit
    code is 2.
    """
    from augfn import saving
    from augfn.app.studio import opened, serving

    try:
        f = None if policy is None else saving.load(policy)
    except (OSError, ValueError) as error:
        raise stop(policy, reason(error)) from None
    items, failures = [], []
    for path in images or []:
        try:
            items.append(opened.read(path.name, path.read_bytes()))
        except (OSError, ValueError, ImportError) as error:
            failures.append(path)
            complain(path, reason(error))
    if failures and not items:
        raise typer.Exit(2)
    try:
        serving.serve(items or [opened.photo()], f, port, browser)
    except OSError as error:
        raise stop(f"port {port}", reason(error)) from None
    if failures:
        raise typer.Exit(2)
