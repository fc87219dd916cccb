"""Population-based training: a schedule of an augmentation's numbers, found while the nets train (on Ray Tune)."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from augfn import random
from augfn.analysis.tables import Table
from augfn.core.augmentation import Augmentation
from augfn.core.draw import leaves_of
from augfn.curricula import GATES, Curriculum, Curve, stepped
from augfn.distributions import Uniform
from augfn.errors import explain, needs, warn
from augfn.files.values import PolicyError, one_line, table, value
from augfn.files.writing import VERSION, chance, leaf_value
from augfn.progress import shown
from augfn.saving import data_of, suffix_of, text_of
from augfn.tune.spaces import Dimension, Point, Space, space
from augfn.typing import Leaf

Perturb = Callable[[Space, Point, Tensor], Point]
POINTS, TRAINING, CHOICES = range(3)  # streams of the key


def explored(s: Space, point: Mapping[str, float], key: Tensor, resample: float = 0.2, most: int = 3) -> Point:
    """A point beside another: each number is drawn anew with the probability `resample`, and else moved up or down by 0 to
    `most` tenths of its interval (in the logarithm, where it is searched there), never past its ends. The numbers are those of
    PBA (Ho et al. 2019), whose magnitudes and probabilities have ten levels.

    >>> import augfn as af
    >>> s = space(af.rotate(degrees=(-20, 20)), "aggressive")
    >>> round(explored(s, {"degrees": 20.0}, af.key(1))["degrees"], 2)
    16.11
    """
    out = dict(point)
    for d in s.numbers:
        u, v, w = random.uniform(random.fold_in(key, random.salt(d.path)), (3,)).tolist()
        tenths = int(v * (most + 1)) * (1 if w < 0.5 else -1)
        out[d.path] = d.at(v) if u < resample else moved(d, float(point[d.path]), tenths / 10)
    return s.ordered(out)


def moved(d: Dimension, old: float, share: float) -> float:
    """A number moved by a share of its interval; one that is whole by whole steps."""
    if d.step is not None:
        by = math.copysign(math.ceil(abs(share) * (d.high - d.low)), share)
        return int(min(max(old + by, d.low), d.high))
    if d.log:
        return min(max(old * (d.high / d.low) ** share, d.low), d.high)
    return min(max(old + share * (d.high - d.low), d.low), d.high)


@dataclass(frozen=True)
class Population:
    """What `pbt` found.

    | attribute | meaning |
    |---|---|
    | `table` | each member at each interval: whose state it began with (its own, or that of the better member that it was
    replaced by), its metric, and its point |
    | `member`, `metric`, `state` | the best member at the end, its metric, and its state |
    | `points`, `key` | the best member's points, interval by interval, those of its ancestors where it was replaced; and the
    key that its whole line was trained with |
    | `curves` | these points as curves, for `af.schedule` and `af.Curriculum` |
    """

    space: Space
    table: Table
    member: int
    metric: float
    state: Any
    points: list[Point]
    key: Tensor

    def __str__(self) -> str:
        line = self.table.where(member=self.member)
        return f"{line}\n\nMember {self.member} is the best: {self.metric:.4g}. Beside it: `state`, `schedule`."

    @property
    def curves(self) -> dict[str, Any]:
        return curves_of(self.space, self.points)

    @property
    def schedule(self) -> Curriculum:
        """The params as a function of progress: `f(x, found.schedule(i / intervals), key)`, with f as tuned."""
        return Curriculum(self.space.base, self.curves)

    def save(self, path: str | Path) -> None:
        """Write the schedule as YAML or JSON, as the suffix says; `load_schedule` reads it."""
        leaves = leaves_of(self.space.base.schema)
        data = {}
        for name, c in self.curves.items():
            pairs = zip(c.points, c.values, strict=True) if isinstance(c, Curve) else [(0.0, c)]
            data[name] = [[t, writable(name, d, leaves[leaf_of(name)])] for t, d in pairs]
        Path(path).write_text(text_of({"augfn": VERSION, "schedule": data}, suffix_of(path)), encoding="utf-8")


def load_schedule(path: str | Path) -> dict[str, Any]:
    """The curves that `Population.save` wrote, for `af.Curriculum(f, load_schedule(path))`: for each path a list of [progress,
    value], each value from its progress on. Nothing in the file is run. Raises `PolicyError` for what is no such file.

    >>> import augfn as af, os
    >>> path = os.path.join(tempfile.mkdtemp(), "schedule.json")
    >>> text = '{"augfn": 1, "schedule": {"degrees": [[0.0, [-5, 5]], [0.5, [-9, 9]]]}}'
    >>> _ = Path(path).write_text(text)
    >>> af.Curriculum(af.rotate(), load_schedule(path))(0.5)
    {'degrees': Uniform(low=-9.0, high=9.0)}
    """
    try:
        data = table(data_of(Path(path).read_text(encoding="utf-8-sig"), suffix_of(path) == ".json"), "the file")
        steps = table(data.get("schedule"), "schedule")
        if not steps:
            raise PolicyError("no schedule: a mapping `schedule` from paths to lists of [progress, value]")
        out = {name: [(float(t), value(v, name)) for t, v in pairs] for name, pairs in steps.items()}
        return {name: stepped(*pairs) if len(pairs) > 1 else pairs[0][1] for name, pairs in out.items()}
    except (PolicyError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise PolicyError(f"{path}: {one_line(error)}") from None


def pbt(
    train_step: Callable[[Any, Augmentation, Tensor, int], tuple[Any, float]],
    population: int,
    *,
    space: Space | Augmentation,
    intervals: int,
    key: Tensor,
    maximize: bool = True,
    quantile: float = 0.25,
    perturb: Perturb = explored,
    storage: str | Path | None = None,
    resources: Mapping[str, float] | None = None,
    max_failures: int = 3,
    progress: bool = False,
) -> Population:
    """Population-based training of a policy's numbers, on Ray Tune: on the cluster that `ray.init` or RAY_ADDRESS has told of,
    else on one of this machine.

    Members train in parallel, each with a point of the space of its own. After each interval the worst share `quantile` of
    them are replaced: each goes on with the state and the key of one of the best (exploit), and with a point beside that one's
    (explore). What is found is no best point but a schedule of them.

    | argument | meaning |
    |---|---|
    | `train_step` | `train_step(state, augment, key, interval)` trains for one interval and returns the new state and the
    metric on validation data. The state of interval 0 is None: there it makes the net. A state is what `torch.save` writes:
    modules and optimizers together, dicts, tensors; classes may be of your script. All randomness is drawn from the key,
    another for each interval |
    | `population` | how many members, at least two |
    | `space` | of `space(policy)`, or the policy; the members begin at random points of it |
    | `intervals` | how many; members wait for each other at the end of each (as with `synch=True` of Ray's scheduler) |
    | `quantile` | the share that is replaced, and that they are replaced by, above 0 and at most 1/2 |
    | `perturb` | `perturb(space, point, key)` gives a point beside one |
    | `storage` | a new folder for Ray's files and checkpoints, of several machines one that all of them see; None: a temporary
    one of this machine |
    | `resources` | of one member, `{"cpu": 1, "gpu": 0.5}`; None: one CPU |
    | `max_failures` | how often a member whose process died goes on from its last checkpoint |

    All is a function of the key: points, training, who is replaced (of equal metrics lower members count as worse), by
    whom, and where it goes, whatever the order in which members finish. A member's state goes through its checkpoint after
    every interval, so one whose process was killed goes on bit for bit as if it had not been, and one that was replaced as
    the better one would. What differs between devices and numbers of threads does so here: Ray gives a member one thread for
    each of its CPUs.

    A member whose process dies more often than `max_failures` is lost, with a warning. A metric that is not finite counts as
    the worst. An error of `train_step` ends the run, and is told. A run that was stopped as a whole begins anew.

    Raises ValueError for bad settings, a storage that is in use and resources that this machine lacks, RuntimeError for an
    error of `train_step`, and where all members diverge. Sources: Jaderberg et al. 2017; Ho et al. 2019 (`explored`).

    `found = pbt(train_step, 8, space=policy, intervals=10, key=key)`, then `found.save("schedule.yaml")`; to train with the
    schedule that was found:

        curriculum = af.Curriculum(policy, load_schedule("schedule.yaml"))
        for step in range(steps):
            images, _ = policy(images, curriculum(step / steps), af.fold_in(key, step))
    """
    s = space if isinstance(space, Space) else space_of(space)
    checked(train_step, population, intervals, quantile, max_failures)
    random.check_key(key)
    try:
        from augfn.tune import members
    except ImportError as error:
        raise needs("ray", "pbt", error) from error
    streams = [random.fold_in(key, i) for i in (POINTS, TRAINING, CHOICES)]
    points = [s.sample(random.fold_in(streams[POINTS], i)) for i in range(population)]
    found: dict[tuple[int, int], tuple[Any, ...]] = {}
    bar = iter(shown(range(population * intervals), progress, "intervals"))

    def choose(interval: int, member: int, n: int) -> int:
        return int(float(random.uniform(random.fold_in(own(interval, member), 0))) * n)

    def explore(point: Point, interval: int, member: int) -> Point:
        return perturb(s, point, random.fold_in(own(interval, member), 1))

    def own(interval: int, member: int) -> Tensor:
        return random.fold_in(random.fold_in(streams[CHOICES], interval), member)

    def record(result: Mapping[str, Any]) -> None:
        at = result["interval"], result["member"]
        found[at] = (*at, result["parent"], result["metric"], *(result["point"][path] for path in s.paths))
        next(bar, None)

    job = members.Job(train_step, s.policy, points, streams[TRAINING], intervals, 1.0 if maximize else -1.0)
    scheduler = members.Keyed(points, quantile, choose, explore)
    with folder_of(storage) as folder:
        became = members.run(job, scheduler, record, folder, dict(resources or {"cpu": 1}), max_failures)
    rows = Table(("interval", "member", "parent", "metric", *s.paths), [found[at] for at in sorted(found)])
    if lost := [m for m in range(population) if (intervals - 1, m) not in found]:
        warn(f"pbt: members {lost} are lost: their processes died more than max_failures={max_failures} times")
    member, metric = best_of(rows.where(interval=intervals - 1), became, maximize)
    line = became[member]
    return Population(s, rows, member, metric, line.state, line.points, line.key)


space_of = space  # which an argument of `pbt` hides


def checked(train_step: Any, population: Any, intervals: Any, quantile: float, max_failures: Any) -> None:
    if not callable(train_step):
        want = "train_step(state, augment, key, interval) -> (state, metric)"
        raise TypeError(explain("pbt: train_step", train_step, want, "a function of yours"))
    for what, n, least in (
        ("population", population, 2),
        ("intervals", intervals, 1),
        ("max_failures", max_failures, 0),
    ):
        if isinstance(n, bool) or not isinstance(n, int) or n < least:
            want = f"a whole number, at least {least}"
            raise ValueError(explain(f"pbt: {what}", n, want, f"{what}={max(least, 4)}"))
    if not 0 < quantile <= 0.5:
        raise ValueError(explain("pbt: quantile", quantile, "above 0 and at most 0.5", "quantile=0.25"))


def best_of(last: Table, became: Mapping[int, Any], maximize: bool) -> tuple[int, float]:
    """The best member of the last interval, of equal ones the first, and its metric."""
    rows = [row for row in last if math.isfinite(row["metric"])]
    if not rows:
        fix = "a smaller learning rate, or milder points: space(policy, 'conservative')"
        raise RuntimeError(explain("pbt: all members diverged", last["metric"], "a finite metric", fix))
    best = max(rows, key=lambda row: row["metric"] if maximize else -row["metric"])
    if best["member"] not in became:
        want, fix = "a checkpoint", "a larger max_failures; the messages of Ray say why its process died"
        raise RuntimeError(explain(f"pbt: member {best['member']} is lost", sorted(became), want, fix))
    return best["member"], best["metric"]


@contextmanager
def folder_of(storage: str | Path | None) -> Iterator[Path]:
    """A folder for a run: a new one, or a temporary one."""
    if storage is not None:
        path = Path(storage)
        if path.exists() and any(path.iterdir()):
            fix = "another folder, or delete this one"
            raise ValueError(explain("pbt: the storage is in use", str(path), "a folder that is new or empty", fix))
        yield path
        return
    path = Path(tempfile.mkdtemp(prefix="augfn-pbt-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


# schedules


def curves_of(s: Space, points: Sequence[Point]) -> dict[str, Any]:
    """Points, one after the other over progress from 0 to 1, as curves of the leaves that they set."""
    each = [leaves_of(s.params(point)) for point in points]
    leaves = dict.fromkeys(leaf for d in s.numbers for leaf in d.leaves)
    pairs = {leaf: [(i / len(each), one[leaf]) for i, one in enumerate(each)] for leaf in leaves}
    return {name_of(leaf): stepped(*some) if len(some) > 1 else some[0][1] for leaf, some in pairs.items()}


def name_of(leaf: str) -> str:
    """A leaf as `af.schedule` names it: a gate by its probability."""
    parent, slash, name = leaf.rpartition("/")
    return parent + slash + next((p for p, gate in GATES.items() if gate == name), name)


def writable(name: str, d: Any, meaning: Leaf) -> Any:
    """A value as a curve takes it: a gate as a probability, how many of a choice with both ends."""
    last = name.rpartition("/")[2]
    if last in GATES:
        return chance(d)
    return leaf_value(d.renewed(high=d.high - 1) if last == "count" and type(d) is Uniform else d, meaning)


def leaf_of(name: str) -> str:
    parent, slash, last = name.rpartition("/")
    return parent + slash + GATES.get(last, last)
