"""The command `augfn tune`: a search for the policy with which a net learns folders of images best, and a page of what came
of it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Any

import jinja2
import torch
from markupsafe import Markup

import augfn as af
from augfn import __version__, random, saving
from augfn.analysis.pages import HEAD, safe
from augfn.analysis.tables import Table
from augfn.app.trainer import Images, Trainer
from augfn.core.augmentation import Augmentation
from augfn.errors import explain, unknown
from augfn.files.reading import made
from augfn.files.values import PolicyError, numeral, one_line
from augfn.files.writing import written
from augfn.tune.customary import STRENGTHS
from augfn.tune.reporting import looks_of, report
from augfn.tune.results import PLOTS, Searched
from augfn.tune.searching import METHODS, PRUNERS, Training, search, seeds_of
from augfn.tune.spaces import Space, space

METRIC = "accuracy"


@dataclass
class Config:
    """What a file says; see `augfn tune --help`."""

    data: str = ""
    val: Any = 0.2
    test: Any = None
    policy: Any = None
    recipe: str | None = None
    strength: str | None = None
    fixed: Any = ()
    model: str = "small"
    method: str = "tpe"
    trials: int | None = None
    grid: int = 5
    prune: str | None = None
    seeds: int = 1
    steps: int = 500
    batch: int = 64
    rate: float = 0.1
    size: int = 32
    seed: int = 0
    device: str = "cpu"
    out: str = "augfn-tune"


COUNTS = ("trials", "grid", "seeds", "steps", "batch", "size")
NAMES: dict[str, Any] = {"strength": STRENGTHS, "method": METHODS, "prune": [n for n in PRUNERS if n]}
FREE = ("trials", "device", "out")  # what may change when a search goes on


def config_of(path: Path) -> Config:
    """The config in a YAML file; what is wrong with it is one line that names the key."""
    form = saving.yaml()
    try:
        given = form.safe_load(path.read_text(encoding="utf-8"))
    except (form.YAMLError, UnicodeDecodeError) as error:
        raise PolicyError(f"not valid YAML: {one_line(error)}") from None
    if not isinstance(given, dict):
        raise wrong("config", given, "keys with values", "data: DIR")
    known = [f.name for f in fields(Config)]
    for name in given:
        if name not in known:
            raise PolicyError(one_line(unknown("key", name, known)))
    config = Config(**given)
    for name in ("data", "model", "device", "out"):
        if not isinstance(getattr(config, name), str) or not getattr(config, name):
            raise wrong(
                name, getattr(config, name), "a folder" if name in ("data", "out") else "a name", f"{name}: ..."
            )
    for name in COUNTS:
        n = getattr(config, name)
        if not (name == "trials" and n is None) and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
            raise wrong(name, n, "a positive whole number", f"{name}: {getattr(Config, name) or 30}")
    if isinstance(config.seed, bool) or not isinstance(config.seed, int) or config.seed < 0:
        raise wrong("seed", config.seed, "a whole number from 0 on", "seed: 0")
    config.rate = numeral(config.rate) if isinstance(config.rate, str) else config.rate  # type: ignore[assignment]
    if isinstance(config.rate, bool) or not isinstance(config.rate, int | float) or not 0 < config.rate < math.inf:
        raise wrong("rate", config.rate, "a number above 0", "rate: 0.1")
    for name, names in NAMES.items():
        if getattr(config, name) is not None and getattr(config, name) not in names:
            raise wrong(name, getattr(config, name), f"one of {', '.join(names)}", f"{name}: {names[0]}")
    for name in ("val", "test"):
        part = getattr(config, name)
        if not (isinstance(part, str) or (name == "test" and part is None)) and (
            isinstance(part, bool) or not isinstance(part, int | float) or not 0 < part < 1
        ):
            raise wrong(name, part, "a folder, or a share of the images between 0 and 1", f"{name}: 0.2")
    if config.model != "small" and not config.model.startswith("timm:"):
        raise wrong("model", config.model, "small, or timm:NAME", "model: small")
    if not isinstance(config.fixed, list | tuple):
        raise wrong("fixed", config.fixed, "a list of paths", "fixed: [hflip/p]")
    if (config.policy is None) == (config.recipe is None):
        raise wrong("policy", config.policy, "a policy, or the name of a recipe", "policy: policy.yaml")
    return config


def wrong(key: str, given: Any, want: str, fix: str) -> PolicyError:
    return PolicyError(one_line(explain(key, given, want, fix)))


def named(key: str, make: Any, *args: Any, **how: Any) -> Any:
    """What `make` gives; its error names the key."""
    try:
        return make(*args, **how)
    except (OSError, TypeError, ValueError, RuntimeError, ImportError) as error:
        raise PolicyError(f"{key}: {one_line(error)}") from None


def policy_of(config: Config) -> Augmentation:
    """The augmentation that is tuned: a file, steps in the config itself, or a recipe."""
    if config.recipe is not None:
        f = named("recipe", af.recipe, config.recipe, config.size)
    elif isinstance(config.policy, str):
        f = named("policy", saving.load, config.policy)
    else:
        f = named("policy", made, config.policy)
    if f.ndim == 3 or getattr(f, "many", False):
        raise wrong("policy", f, "an augmentation of images, of which one image comes out", "another policy or recipe")
    return f


@dataclass
class Task:
    """What a config comes to."""

    config: Config
    space: Space
    train: Images
    val: Images
    test: Images | None

    @classmethod
    def of(cls, config: Config) -> Task:
        f = policy_of(config)
        s = named("fixed" if config.fixed else "policy", space, f, config.strength, config.fixed)
        train = named("data", Images.of, Path(config.data), config.size)
        key = random.fold_in(af.key(config.seed), random.salt("split"))
        test = None
        if config.test is not None:
            train, test = apart("test", train, config, random.fold_in(key, 0))
        train, val = apart("val", train, config, random.fold_in(key, 1))
        return cls(config, s, train, val, test)

    def trainer(self, held: Images) -> Trainer:
        c = self.config
        return Trainer(self.train, held, c.model, c.batch, c.rate, c.device)

    def notes(self) -> list[str]:
        """Images that are in two parts."""
        parts = {"training": self.train, "validation": self.val, "test": self.test}
        seen = {name: images.prints() for name, images in parts.items() if images is not None}
        both = {(a, b): len(seen[a] & seen[b]) for a, b in combinations(seen, 2)}
        return [f"Images that are the same in {a} and {b} data: {n}." for (a, b), n in both.items() if n]


def apart(name: str, train: Images, config: Config, key: Any) -> tuple[Images, Images]:
    """The images that are trained with, and those of one other part: a folder, or a share of them."""
    part = getattr(config, name)
    if not isinstance(part, str):
        return named(name, train.divided, part, key)
    others = [config.data, config.val] if name == "test" else [config.data]
    if Path(part).resolve() in [Path(other).resolve() for other in others if isinstance(other, str)]:
        raise wrong(name, part, "images that are nowhere else", f"{name}: 0.2, a share that is put aside")
    return train, named(name, Images.of, Path(part), config.size, train.names)


def run(config: Config, progress: bool = True) -> tuple[Path, str]:
    """Search, look at the test data where there are some, and write the page; where it lies, and what is to be said."""
    named("device", torch.empty, 0, device=config.device)
    task, out, key = Task.of(config), Path(config.out), af.key(config.seed)
    trainer = task.trainer(task.val)
    named("model", trainer.net, key)
    first = trainer.index(key, 0)
    named("policy", trainer.augmented, task.space.base, first, af.sample_keys(key, first, 0))
    named("out", out.mkdir, parents=True, exist_ok=True)
    remember(out / "config.json", config, task)
    found = search(
        trainer,
        task.space,
        config.method,
        config.trials,
        key=key,
        storage=out / "study.db",
        budget=config.steps,
        metric=METRIC,
        prune=config.prune,
        seeds=config.seeds,
        steps=config.grid,
        progress=progress,
    )
    beside = compared(found, task, trainer)
    looks, notes = looks_of(found), [*not_better(beside), *task.notes()]
    running = found.table["state"].count("running")
    if running:
        notes.append(f"Trials that run in other processes: {running}. The same command, after them, ends the search.")
    elif task.test is not None and not looks:
        looks = [report(found, task.trainer(task.test), on=where("test", config), seeds=config.seeds)]
    notes = [*map(str, looks), *notes]
    found.save(out)
    page = out / "report.html"
    page.write_text(text_of(found, task, beside, notes), encoding="utf-8")
    return page, "\n".join([str(beside), *notes])


def remember(path: Path, config: Config, task: Task) -> None:
    """What makes the study, so that a folder holds one alone."""
    own = {f.name: getattr(config, f.name) for f in fields(Config) if f.name not in FREE}
    own |= {"images": [len(task.train.y), len(task.val.y)], "classes": task.train.names}
    own = json.loads(json.dumps(own))
    if path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))
        for name, value in own.items():
            if known.get(name) != value:
                fix = f"another out than {path.parent}, or delete it"
                raise wrong(name, value, f"{known.get(name)!r}, as in the search that is there", fix)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(own, indent=1), encoding="utf-8")
    os.replace(part, path)


def compared(found: Searched, task: Task, trainer: Trainer) -> Table:
    """The best beside no augmentation and the policy as it was, trained with the same keys."""
    known = dict(found.study.user_attrs.get("beside", {}))
    training = Training(trainer, seeds_of(found.key, task.config.seeds), task.config.steps, METRIC)
    for name, f in (("no augmentation", af.identity()), ("the policy as it was", task.space.base)):
        if name not in known:
            values = training.values(f)
            known[name] = sum(values) / len(values)
            found.study.set_user_attr("beside", known)
    return Table(("policy", "accuracy on validation"), [*known.items(), ("the best that was found", found.value)])


def not_better(beside: Table) -> list[str]:
    """What is said where the search found nothing better."""
    *others, best = beside.rows
    above = [name for name, value in others if value >= best[1]]
    return [f"{' and '.join(above)}: as good as the best that was found, or better."] if above else []


def where(name: str, config: Config) -> str:
    part = getattr(config, name)
    return part if isinstance(part, str) else f"a share of {part:g} of {config.data}"


# the page

PAGE = (
    HEAD
    + """<h1>{{ title }}</h1>
<p>{{ said }}; augfn {{ version }}.</p>
<ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>
<h2>Beside no augmentation</h2>
<div class="wide">{{ beside }}</div>
<h2>The best point</h2>
<div class="wide">{{ best }}</div>
<pre>{{ policy }}</pre>
{% for name, plot in plots %}<h2>{{ name }}</h2>
{{ plot }}
{% endfor %}
<h2>All trials</h2>
<div class="wide">{{ trials }}</div>
<h2>What was searched</h2>
<div class="wide">{{ searched }}</div>
</body>
</html>
"""
)
TITLES = {"parallel": "Trials as parallel coordinates", "importance": "Importance of each number (PED-ANOVA)"}


def text_of(found: Searched, task: Task, beside: Table, notes: list[str]) -> str:
    c, form = task.config, saving.yaml()
    counts = f"{len(task.train.y)} images to train, {len(task.val.y)} for validation ({where('val', c)})"
    kinds = ", ".join(f"{n} {kind}" for kind, n in states(found).items())
    said = (
        f"{c.method} search of {len(found.trials)} trials ({kinds}): {c.model} net,"
        f" {c.steps} steps of {c.batch} images of {c.size} px, {c.seeds} training{'s' * (c.seeds > 1)} a trial, seed {c.seed};"
        f" {c.data}, {len(task.train.names)} classes, {counts}"
    )
    if task.test is None:
        optimistic = (
            "The accuracy of the best is that on the validation data by which it was chosen, so it is optimistic."
        )
        notes = [f"{optimistic} No test data were given (the key test).", *notes]
    environment = jinja2.Environment(autoescape=True, trim_blocks=True)
    return environment.from_string(PAGE).render(
        title=f"Augmentation tuned on {Path(c.data).name}",
        said=said,
        version=__version__,
        notes=notes,
        beside=safe(beside),
        best=safe(Table(("path", "value"), [*found.best.items()])),
        policy=form.safe_dump(written(found.policy), sort_keys=False, default_flow_style=None),
        plots=plots_of(found),
        trials=safe(found.table.sorted(found.label, found.maximize)),
        searched=safe(found.space.dimensions),
    )


def states(found: Searched) -> Mapping[str, int]:
    kinds = found.table["state"]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def plots_of(found: Searched) -> list[tuple[str, Any]]:
    """The plots, as plotly draws them, with its script once."""
    out: list[tuple[str, Any]] = []
    for kind in PLOTS:
        try:
            figure = found.plot(kind)
        except ValueError as error:
            out.append((TITLES[kind], one_line(error)))
            continue
        out.append((TITLES[kind], Markup(figure.to_html(full_html=False, include_plotlyjs=not out))))
    return out
