"""The one look at test data, at the end of a search."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime, timezone

from augfn import random
from augfn.errors import explain
from augfn.tune.results import Searched
from augfn.tune.searching import Train, Training, seeds_of


@dataclass(frozen=True)
class Reported:
    """What test data say of the best point of a search.

    `value` is the mean of `values`, one for each training; `validation` what chose the point, `below` by how much the test is
    worse than that. `trials` were chosen from. `look` is 1 for the first look at test data of this study, `on` says at
    which, `when` in UTC.
    """

    on: str
    look: int
    when: str
    metric: str
    value: float
    values: list[float]
    validation: float
    below: float
    trials: int
    point: dict[str, float]

    def __str__(self) -> str:
        worse = f"{abs(self.below):.3g} {'below' if self.below >= 0 else 'above'} it"
        worse = worse if math.isfinite(self.below) else "not finite"
        seen = "once" if self.look == 1 else f"for time {self.look}, so that it is no longer unseen"
        return (
            f"Test data ({self.on}) were looked at {seen}, {self.when}: {self.metric} {self.value:.4g}, mean of"
            f" {len(self.values)} training{'s' * (len(self.values) > 1)}. On validation data the best of {self.trials} trials"
            f" has {self.validation:.4g}, which is optimistic, since it was chosen by it: the test is {worse}."
        )


def report(found: Searched, test: Train, *, on: str | None = None, seeds: int = 1, again: bool = False) -> Reported:
    """Train with the best policy of a search, and see the test data, once, at the end.

    * `test(augment, key, budget)`: as `train`, but what it gives is the result on test data. Its keys are others than those
      of the search, so that no lucky start is counted twice; of several `seeds` the mean counts.
    * `on`: which test data these are, in words; None: the name of the function.
    * `again`: a second look at the test data of a study is refused, but with True, and the result then says which look it is.

    The look is kept in the study, which takes no more trials afterwards. Raises ValueError for a second look, and where the
    study went on since: trials are running, or are not among those of `found`.

    >>> import augfn as af
    >>> from augfn.tune import search, space
    >>> def train(augment, key, budget):
    ...     return 1 - abs(float(augment.params["degrees"].high) - 30) / 30
    >>> def digits(augment, key, budget):
    ...     return train(augment, key, budget) - 0.02
    >>> found = search(train, space(af.rotate(degrees=(-10, 10)), "aggressive"), "grid", key=af.key(0))
    >>> seen = report(found, test=digits)
    >>> seen.on, seen.look, round(seen.value, 2), round(seen.below, 2), seen.trials
    ('digits', 1, 0.98, 0.02, 5)
    """
    if not isinstance(found, Searched):
        raise TypeError(explain("report: what was found", found, "the result of a search", "report(search(...), test)"))
    if not callable(test):
        raise TypeError(explain("report: test", test, "test(augment, key, budget)", "a function of yours"))
    looks = looks_of(found)
    if looks and not again:
        fix = "go by the first look; again=True looks again, and says so"
        given = f"{looks[0].on}, {looks[0].when}: {looks[0].metric} {looks[0].value:.4g}"
        raise ValueError(explain("report: the test data of this study were seen", given, "one look, at the end", fix))
    trials = Searched(found.space, found.study, found.key, found.metric, found.budget).trials  # as they are by now
    running = [t.user_attrs["index"] for t in trials if t.state.name == "RUNNING"]
    if running or len(trials) > len(found.trials):
        what = (
            f"trials that are running: {running}"
            if running
            else f"{len(trials)} trials, of which this result has fewer"
        )
        fix = "the same search again when all processes are done, and report what it gives"
        raise ValueError(explain("report: the study goes on", what, "a search that is at its end", fix))
    keys = seeds_of(random.fold_in(found.key, random.salt("report")), seeds)
    values = Training(test, keys, found.budget, found.metric).values(found.policy)
    value, sign = sum(values) / len(values), 1 if found.maximize else -1
    made = Reported(
        on=on or getattr(test, "__name__", type(test).__name__),
        look=len(looks) + 1,
        when=f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
        metric=found.label,
        value=value,
        values=values,
        validation=found.value,
        below=sign * (found.value - value),
        trials=len(found.trials),
        point=found.best,
    )
    found.study.set_user_attr("looks", [asdict(look) for look in [*looks, made]])
    return made


def looks_of(found: Searched) -> list[Reported]:
    """The looks at test data that were made, the first one first."""
    return [Reported(**look) for look in found.study.user_attrs.get("looks", [])]
