"""Searches: what they find, that they go on where they were stopped, and the one look at test data."""

import logging
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import matplotlib
import optuna
import pytest
import torch

import augfn as af
from augfn.tune import homes, report, search, seeds_of, space
from augfn.tune.searching import Plan, asked, studied

ROOT = Path(__file__).parents[1]
KEY = af.key(7)
POLICY = af.pipeline(af.rotate(degrees=(-10, 10)), af.hflip(p=0.5))
SPACE = space(POLICY, fixed=["hflip"])
BOTH = space(POLICY)


def score(f):
    """Best at a reach of 30 degrees and a probability of 1/2."""
    return (
        1
        - abs(float(f.params["rotate"]["degrees"].high) - 30) / 180
        - abs(float(f.params["hflip"]["gate"].probs) - 0.5)
    )


def train(augment, key, budget):
    return score(augment)


def rows(found):
    return [row for row in found.table.rows if row[1] != "running"]


# what they find


def test_the_grid_is_one_call():
    f = af.rand_augment(n=3)
    found = search(
        lambda f, k, b: -abs(float(f.params["some_of"]["count"].value) - 2), space(f, "aggressive"), "grid", key=KEY
    )
    assert len(found.table) == 12
    assert {(r["some_of/count"], r["some_of/level"]) for r in found.table} == {
        (n, m) for n in (2, 3) for m in range(10, 16)
    }
    assert found.best == {"some_of/count": 2, "some_of/level": 10}  # of equal ones the first
    assert found.value == 0


def test_tpe_finds_more_than_random_search():
    tpe, chance = (search(train, BOTH, method, 40, key=KEY).value for method in ("tpe", "random"))
    assert tpe > 0.92
    assert tpe > chance


def test_a_loss_is_minimized():
    found = search(lambda f, k, b: 1 - score(f), SPACE, "grid", key=KEY, steps=7, maximize=False)
    assert found.best == {"rotate/degrees": 30.0}


def test_what_a_search_is_follows_from_the_key():
    first, again, other = (search(train, BOTH, "tpe", 13, key=af.key(k)) for k in (0, 0, 1))
    assert first.table.rows == again.table.rows
    assert first.table.rows != other.table.rows


def test_random_points_are_samples_of_the_space():
    found = search(train, BOTH, "random", 5, key=KEY)
    keys = [af.fold_in(af.fold_in(KEY, af.random.salt("points")), i) for i in range(5)]
    assert [t.params for t in found.trials] == [BOTH.sample(key) for key in keys]


def test_all_trials_have_the_same_keys():
    seen = []
    search(lambda f, k, b: seen.append((k.tolist(), b)) or 0.0, SPACE, "random", 3, key=KEY, seeds=2, budget="all")
    assert seen == [(k.tolist(), "all") for k in seeds_of(KEY, 2)] * 3
    assert torch.equal(seeds_of(KEY, 3)[:2], seeds_of(KEY, 2))


def test_the_mean_of_the_seeds_counts():
    values = iter([0.0, 1.0, 0.4, 0.5])
    found = search(lambda f, k, b: next(values), SPACE, "random", 2, key=KEY, seeds=2)
    assert found.table["value"] == [0.5, 0.45]
    assert [t.user_attrs["values"] for t in found.trials] == [[0.0, 1.0], [0.4, 0.5]]


@pytest.mark.parametrize("made", [0.5, {"accuracy": 0.5, "loss": 2.0}, torch.tensor(0.5)])
def test_results_are_numbers_or_named(made):
    metric = "accuracy" if isinstance(made, dict) else None
    found = search(lambda f, k, b: made, SPACE, "random", 1, key=KEY, metric=metric)
    assert found.value == 0.5
    assert found.table.columns[2] == (metric or "value")


def test_what_is_not_finite_is_the_worst():
    values = iter([math.nan, 0.2, math.inf, 0.1])
    found = search(lambda f, k, b: next(values), SPACE, "random", 4, key=KEY)
    assert found.table["state"] == ["diverged", "complete", "diverged", "complete"]
    assert found.value == 0.2
    none = search(lambda f, k, b: math.nan, SPACE, "random", 1, key=KEY)
    with pytest.raises(ValueError, match="no best trial"):
        _ = none.best
    assert repr(none) == "Searched: nothing that is complete, of 1 trials"


def test_a_generator_is_pruned_and_others_are_not():
    steps = []

    def on_the_way(augment, key, budget):
        for step in range(4):
            steps.append(step)
            yield {"accuracy": score(augment) * step, "loss": 0.0}

    found = search(on_the_way, BOTH, "random", 12, key=KEY, metric="accuracy", prune="median")
    kinds = found.table["state"]
    assert {"complete", "pruned"} == set(kinds)
    assert len(steps) < 4 * 12
    assert found.value == pytest.approx(3 * score(found.policy))
    whole = search(on_the_way, BOTH, "random", 12, key=KEY, metric="accuracy")
    assert whole.table["state"] == ["complete"] * 12
    assert whole.best == found.best
    with pytest.raises(TypeError, match="yield the result"):
        search(train, SPACE, key=KEY, prune="halving")


def test_optuna_is_quiet_and_left_as_it_was(capfd):
    before = optuna.logging.get_verbosity()
    search(train, SPACE, "tpe", 12, key=KEY)
    assert optuna.logging.get_verbosity() == before == logging.INFO
    assert capfd.readouterr() == ("", "")


def test_a_bar(capfd):
    search(train, SPACE, "random", 2, key=KEY, progress=True)  # no terminal, no bar


# plots and files


def test_plots_and_files(tmp_path):
    found = search(train, BOTH, "random", 6, key=KEY)
    before = matplotlib.rcParams.copy()
    folder = found.save(tmp_path / "out")
    names = ["importance.html", "importance.png", "parallel.html", "parallel.png", "policy.yaml", "trials.csv"]
    assert sorted(p.name for p in folder.iterdir()) == names
    assert repr(af.load(folder / "policy.yaml")) == repr(found.policy)
    assert len((folder / "trials.csv").read_text().splitlines()) == 7
    assert (folder / "parallel.png").read_bytes().startswith(b"\x89PNG")
    assert matplotlib.rcParams == before
    assert "Plotly.newPlot" in (folder / "parallel.html").read_text(encoding="utf-8")
    assert list(found.plot("parallel").layout.xaxis.ticktext) == ["value", "hflip/p", "rotate/degrees"]
    with pytest.raises(ValueError, match="'parallel'"):
        found.plot("paralel")
    few = search(train, BOTH, "random", 1, key=KEY)
    with pytest.raises(ValueError, match="more trials"):
        few.plot("importance")
    assert sorted(p.name for p in few.save(tmp_path / "few").iterdir()) == ["policy.yaml", "trials.csv"]


# studies that go on

SCRIPT = """
import sys, time
from pathlib import Path
import augfn as af
from augfn.tune import search, space

policy = af.pipeline(af.rotate(degrees=(-10, 10)), af.hflip(p=0.5))
where, method, trials, slow = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
done = 0

def train(f, key, budget):
    global done
    if done == slow:
        Path(where + ".slow").touch()
        time.sleep(600)
    done += 1
    return 1 - abs(float(f.params["rotate"]["degrees"].high) - 30) / 180 - abs(float(f.params["hflip"]["gate"].probs) - 0.5)

search(train, space(policy), method, trials, key=af.key(7), storage=where)
"""


def started(path, *args):
    """A search in another process that stands still in one of its trials."""
    script = path.with_suffix(".py")
    script.write_text(textwrap.dedent(SCRIPT))
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, script, path, *map(str, args)], env=env)
    until = time.monotonic() + 120
    while not Path(f"{path}.slow").exists():
        assert process.poll() is None, "it ended"
        assert time.monotonic() < until, "it does not begin"
        time.sleep(0.05)
    return process


def killed(process):
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_killed_search_goes_on_where_it_was(tmp_path):
    path = tmp_path / "study.db"
    (tmp_path / "study.db.0123456789ab.lock").touch()  # of one that was killed between trials
    killed(started(path, "tpe", 14, 11))
    seen = []
    found = search(lambda f, k, b: seen.append(f) or score(f), BOTH, "tpe", 14, key=KEY, storage=path)
    whole = search(train, BOTH, "tpe", 14, key=KEY)
    assert len(seen) == 3  # the one that was killed, and two more
    assert found.table.rows == whole.table.rows
    assert found.best == whole.best
    assert [p.name for p in tmp_path.glob("*.lock")] == ["study.db.lock"]


def test_processes_share_a_study(tmp_path):
    path = tmp_path / "study.db"
    process = started(path, "random", 5, 0)
    found = search(train, BOTH, "random", 5, key=KEY, storage=path)
    assert found.table["state"] == ["running", *["complete"] * 4]  # the other one has the first
    with pytest.raises(ValueError, match="running"):
        report(found, train)
    killed(process)
    found = search(train, BOTH, "random", 5, key=KEY, storage=path)
    assert found.table.rows == search(train, BOTH, "random", 5, key=KEY).table.rows


def test_more_trials_and_other_studies(tmp_path):
    path = tmp_path / "study.db"
    seen = []

    def counted(f, k, b):
        seen.append(f)
        return score(f)

    search(counted, BOTH, "random", 2, key=KEY, storage=path)
    found = search(counted, BOTH, "random", 3, key=KEY, storage=path)
    assert len(seen) == 3
    assert found.table.rows == search(train, BOTH, "random", 3, key=KEY).table.rows
    assert search(counted, BOTH, "random", 3, key=KEY, storage=path).table.rows == found.table.rows
    assert len(seen) == 3
    for other in (
        {"key": af.key(8)},
        {"budget": 3},
        {"seeds": 2},
        {"method": "tpe"},
        {"metric": "a"},
        {"space": SPACE},
        {"space": space(af.pipeline(*POLICY.steps.values(), padding_mode="border"))},
    ):
        given = {"space": BOTH, "method": "random", "trials": 3, "key": KEY, "storage": path} | other
        with pytest.raises(ValueError, match=f"search: {next(iter(other))}"):
            search(counted, **given)
    search(counted, SPACE, "random", 1, key=KEY, storage=path, name="another")
    assert len(seen) == 4


def test_what_train_raises_stops_and_is_done_again(tmp_path):
    fail = [True]

    def sometimes(f, k, b):
        if len(seen) == 2 and fail:
            raise fail.pop() and KeyboardInterrupt
        seen.append(f)
        return score(f)

    seen = []
    with pytest.raises(KeyboardInterrupt):
        search(sometimes, BOTH, "random", 4, key=KEY, storage=tmp_path / "s.db")
    found = search(sometimes, BOTH, "random", 4, key=KEY, storage=tmp_path / "s.db")
    assert found.table.rows == search(train, BOTH, "random", 4, key=KEY).table.rows


def test_a_file_by_its_name_leaves_what_runs_by_its_url_alone(tmp_path):
    beside = []

    def slow(f, k, b):
        if not beside:
            beside.append(search(train, BOTH, "random", 2, key=KEY, storage=tmp_path / "study.db"))
        return score(f)

    found = search(slow, BOTH, "random", 2, key=KEY, storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert beside[0].table["state"] == ["running", "complete"]
    assert found.table.rows == search(train, BOTH, "random", 2, key=KEY).table.rows


def test_a_trial_that_was_done_twice_takes_no_other_ones_place(tmp_path):
    """As two machines on one database may do."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    search(train, BOTH, "random", 3, key=KEY, storage=url)
    study = optuna.load_study(study_name="search", storage=url)
    study.add_trial(study.trials[1])
    found = search(train, BOTH, "random", 4, key=KEY, storage=url)
    assert found.table["trial"] == [0, 1, 1, 2, 3]


def test_a_pruner_does_not_count_what_failed(tmp_path):
    """Trials that were stopped after they had passed rungs of "halving", and were done again."""
    fail = iter([1, 1, 2, 3])

    def train(stop):
        calls = iter(range(1, 99))

        def on_the_way(f, k, b):
            call = next(calls)
            for step in range(1, 9):
                if (call, step) == (stop, 7):
                    raise KeyboardInterrupt
                yield score(f) * step

        return on_the_way

    how = {"prune": "halving", "key": KEY}
    for stop in fail:
        with pytest.raises(KeyboardInterrupt):
            search(train(stop), BOTH, "random", 12, storage=tmp_path / "s.db", **how)
    found = search(train(None), BOTH, "random", 12, storage=tmp_path / "s.db", **how)
    assert found.table.rows == search(train(None), BOTH, "random", 12, **how).table.rows
    assert "pruned" in found.table["state"]


@pytest.mark.parametrize("name", ["a?b=1.db", "a{b}.db", "a%20b.db", "a b#c ü.db"])
def test_a_file_of_any_name(tmp_path, name):
    found = search(train, SPACE, "random", 1, key=KEY, storage=str(tmp_path / name))
    assert {p.name for p in tmp_path.iterdir()} == {name, f"{name}.lock"}
    again = search(train, SPACE, "random", 1, key=KEY, storage=tmp_path / name)
    assert again.table.rows == found.table.rows


def test_what_is_no_storage(tmp_path):
    (tmp_path / "text.db").write_text("no database" * 99)
    for storage in (tmp_path, tmp_path / "text.db", "nosuch://database", 3):
        with pytest.raises((TypeError, ValueError), match=r"search: storage[^$]*a file of SQLite"):
            search(train, SPACE, "random", 1, key=KEY, storage=storage)


def test_a_database_by_its_url(tmp_path, monkeypatch):
    """What its machine left is done again when the signs of life have ceased."""
    monkeypatch.setattr(homes, "BEAT", 1)
    monkeypatch.setattr(homes, "GRACE", 1)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    search(train, BOTH, "random", 1, key=KEY, storage=url)
    plan = Plan(BOTH, "random", KEY, 2, None)
    with homes.quiet(), homes.Home.of(url) as home:
        study = studied(
            home, "search", optuna.load_study(study_name="search", storage=url).user_attrs["mark"], True, None
        )
        trial = asked(study, plan, home)
        with home.alive(trial):
            pass
    assert search(train, BOTH, "random", 2, key=KEY, storage=url).table["state"] == ["complete", "running"]
    time.sleep(2.5)
    found = search(train, BOTH, "random", 2, key=KEY, storage=url)
    assert found.table.rows == search(train, BOTH, "random", 2, key=KEY).table.rows


# the look at test data


def test_test_data_are_seen_once(tmp_path):
    path = tmp_path / "study.db"
    keys = []

    def test(f, key, budget):
        keys.append(key.tolist())
        return score(f) - 0.1

    found = search(train, BOTH, "random", 4, key=KEY, storage=path)
    seen = report(found, test, on="digits that nobody saw", seeds=2)
    assert (seen.look, seen.on, seen.trials) == (1, "digits that nobody saw", 4)
    assert seen.below == pytest.approx(0.1)
    assert seen.validation == found.value
    assert seen.point == found.best
    assert "looked at once" in str(seen)
    assert "0.1 below it" in str(seen)
    assert not set(map(tuple, keys)) & set(map(tuple, seeds_of(KEY, 5).tolist()))
    again = search(train, BOTH, "random", 4, key=KEY, storage=path)
    for one in (found, again):
        with pytest.raises(ValueError, match="digits that nobody saw"):
            report(one, test)
    assert len(keys) == 2
    with pytest.raises(ValueError, match="no more trials"):
        search(train, BOTH, "random", 5, key=KEY, storage=path)
    second = report(again, test, again=True)
    assert second.look == 2
    assert "for time 2" in str(second)


def test_a_result_that_is_not_the_latest_is_not_reported(tmp_path):
    early, late = (search(train, BOTH, "random", n, key=KEY, storage=tmp_path / "s.db") for n in (2, 6))
    assert early.value < late.value
    with pytest.raises(ValueError, match="6 trials, of which this result has fewer"):
        report(early, train)
    assert report(late, train).look == 1


def test_a_result_on_test_data_that_is_not_finite_is_said(tmp_path):
    found = search(train, SPACE, "random", 1, key=KEY, storage=tmp_path / "s.db")
    assert "the test is not finite" in str(report(found, lambda f, k, b: math.nan))
    with pytest.raises(ValueError, match="were seen"):
        report(found, train)


def test_reports_of_what_is_none():
    found = search(train, BOTH, "random", 1, key=KEY)
    for how, words in (({"test": 3}, "test(augment, key, budget)"), ({"test": train, "seeds": 0}, "seeds=3")):
        with pytest.raises((TypeError, ValueError)) as error:
            report(found, **how)
        assert words in str(error.value)


def test_a_lower_loss_on_test_data_is_above():
    found = search(lambda f, k, b: 0.5, SPACE, "random", 2, key=KEY, maximize=False)
    assert report(found, lambda f, k, b: 0.75).below == pytest.approx(0.25)
    found = search(lambda f, k, b: 0.5, SPACE, "random", 2, key=KEY, maximize=False)
    assert "0.25 above it" in str(report(found, lambda f, k, b: 0.25))


def test_no_place_for_test_data():
    with pytest.raises(TypeError, match="test"):
        search(train, SPACE, key=KEY, test=train)  # pyright: ignore[reportCallIssue]


# mistakes


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"method": "bayes"}, "one of grid, random, tpe"),
        ({"trials": 0}, "trials=3"),
        ({"seeds": 1.5}, "seeds=3"),
        ({"prune": "mean"}, "halving, median"),
        ({"prune": True}, "halving, median"),
        ({"prune": [3]}, "halving, median"),
        ({"maximize": "minimize"}, "maximize=False"),
        ({"metric": 3}, 'metric="accuracy"'),
        ({"name": ""}, "the name of a study"),
        ({"key": 3}, "key"),
        ({"space": POLICY}, "augfn.tune.space(policy)"),
        ({"train": 3}, "train(augment, key, budget)"),
        ({"method": "grid", "trials": 3}, "all its 5 points"),
        ({"train": lambda f, k, b: {"a": 1, "b": 2}}, 'metric="a"'),
        ({"train": lambda f, k, b: {"a": 1}, "metric": "b"}, "one of a"),
        ({"train": lambda f, k, b: "good"}, "a number, or a mapping"),
        ({"train": lambda f, k, b: True}, "a number, or a mapping"),
        ({"train": lambda f, k, b: None}, "a number, or a mapping"),
        ({"train": lambda f, k, b: iter(())}, "at least one result"),
    ],
)
def test_mistakes(how, words):
    given = {"train": train, "space": SPACE, "method": "random", "trials": 2, "key": KEY} | how
    if given["method"] == "grid" and "trials" not in how:
        del given["trials"]
    with pytest.raises((TypeError, ValueError)) as error:
        search(**given)
    assert words in str(error.value)


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"search needs optuna: pip install 'augfn\[tune\]'"):
        search(train, SPACE, key=KEY)
