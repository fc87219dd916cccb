"""Ablations: known gains are found, arms are paired exactly, and what is wrong is said."""

import json
import statistics

import pytest
import torch

import augfn as af
from augfn.tune import ablate
from augfn.tune.ablation import MODES, holm, interval, p_value, without

POLICY = af.pipeline(
    af.brightness(factor=(1.2, 1.6)), af.hflip(p=0.5), af.gaussian_noise(std=0.3), fuse=False, fill=0.5
)


def train(augment, key, budget):
    """The nearness of a batch to one that is brighter, and clean: brightness helps, noise harms, flips do neither."""
    x = af.uniform(af.fold_in(key, 0), (8, 1, 6, 6), 0.3, 0.6)
    y, _ = augment(x, None, key)
    return -float((y.clamp(0, 1) - 1.4 * x).square().mean())


@pytest.fixture(scope="module")
def found():
    return ablate(train, POLICY, 8, key=af.key(0))


def test_known_gains(found):
    """What helps is said to, what harms too."""
    assert found.ranking[0] == "brightness"
    assert found.ranking[-1] == "gaussian_noise"
    verdicts = found.verdicts()
    assert verdicts["brightness"] == "helps"
    assert verdicts["gaussian_noise"] == "harms"


def test_the_table_is_scipys(found):
    """Means, paired t-tests and their intervals, with scipy's own functions."""
    from scipy.stats import ttest_rel

    for row in found.table:
        op, each = row["op"], found.scores
        for mode, (a, b) in zip(MODES, (("whole", f"without {op}"), (f"{op} alone", "none")), strict=True):
            assert row[mode].value == pytest.approx(statistics.fmean(each[a]) - statistics.fmean(each[b]))
            assert row[f"{mode}_p"] == pytest.approx(ttest_rel(each[a], each[b]).pvalue, rel=1e-6)
            assert row[mode].low < row[mode].value < row[mode].high
            assert row[f"{mode}_holm"] >= row[f"{mode}_p"]


def test_noise_is_said_to_be_noise():
    """Scores that no op changes: in 40 tables at 80 %, some 20 % name one at most (the family's rate)."""

    def blind(augment, key, budget):
        return float(af.normal(af.fold_in(key, af.random.salt(repr(augment)))))

    f, wrong = af.pipeline(af.hflip(), af.vflip(), af.invert()), 0
    for i in range(40):
        table = ablate(blind, f, 6, key=af.key(i), level=0.8).table
        wrong += {*table["verdict"]} != {"noise"}
    assert 1 <= wrong <= 16


@pytest.mark.parametrize("off", ["rotate", "rotate_2", "gaussian_noise"])
def test_leaving_a_step_out_changes_no_other_draw(off):
    """Names stay, so streams do; settings of the pipeline too."""
    f = af.pipeline(af.rotate(), af.rotate(p=0.5), af.gaussian_noise(), padding_mode="border", fuse=False)
    g = without(f, (), {off})
    x = torch.rand(4, 1, 8, 8)
    whole, part = f(x, None, af.key(0))[1], g(x, None, af.key(0))[1]
    assert list(part) == [n for n in whole if n != off]
    assert all(torch.equal(v, whole[n][leaf]) for n in part for leaf, v in part[n].items())
    assert (g.sampling, g.fused) == (f.sampling, f.fused)


@pytest.mark.parametrize(
    "f",
    [
        af.one_of(af.hflip(), af.invert(), af.rotate(), weights=[1.0, 2.0, 1.0]),
        af.some_of((1, 2), af.hflip(), af.invert(), af.rotate()),
        af.some_of(2, af.hflip(), af.invert(), af.rotate(), order="random"),
        af.mixture(af.hflip(), af.invert(), af.rotate()),
    ],
    ids=lambda f: f.name,
)
def test_a_branch_does_nothing_in_its_turn(f):
    """The choice of every sample stays, and so do the other branches' draws."""
    x = torch.rand(32, 1, 8, 8)
    (_, whole), (_, part) = f(x, None, af.key(0)), without(f, (), {"invert"})(x, None, af.key(0))
    assert all(torch.equal(part[n], v) for n, v in whole.items() if n not in f.steps)
    assert torch.equal(part["rotate"]["degrees"], whole["rotate"]["degrees"])


def test_rand_augment_is_ablated_by_its_ops():
    """In a pipeline of one choice it is the branches that are left out, in all slots."""
    arms = []

    def note(augment, key, budget):
        arms.append(augment)
        return float(af.uniform(key))

    found = ablate(note, af.pipeline(af.to_float(), af.rand_augment(2)), 2, key=af.key(0), mode="leave_one_out")
    assert {"rotate", "solarize"} <= {*found.ranking}
    assert "identity" not in found.ranking
    assert len(arms) == 2 * (1 + len(found.ranking))
    bytes_ = torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8)
    assert all(f(bytes_, None, af.key(0))[0].is_floating_point() for f in arms[:4])


def test_what_prepares_always_acts():
    seen = set()

    def note(augment, key, budget):
        seen.add(tuple(getattr(augment, "steps", ())))
        return float(af.uniform(key))

    f = af.pipeline(af.to_float(), af.hflip(), af.rotate(), af.invert(), af.normalize(mean=0.5, std=0.2))
    found = ablate(note, f, 2, key=af.key(0), fixed=["invert"])
    assert {*found.ranking} == {"hflip", "rotate"}
    assert ("to_float", "invert", "normalize") in seen
    assert all({"to_float", "invert", "normalize"} <= {*steps} for steps in seen)


def test_equal_keys_and_budget_for_all_arms():
    calls = []

    def note(augment, key, budget):
        calls.append((tuple(key.tolist()), budget))
        return float(af.uniform(key))

    ablate(note, POLICY, [3, 7], key=af.key(1), budget=50)
    assert len(set(calls)) == 2
    assert all(calls.count(c) == 8 for c in calls)


def test_a_mapping_and_a_loss():
    def both(augment, key, budget):
        return {"score": train(augment, key, budget), "loss": torch.tensor(-train(augment, key, budget))}

    a, b = (ablate(both, POLICY, 4, key=af.key(0), metric=m, maximize=m == "score") for m in ("score", "loss"))
    assert a.verdicts() == b.verdicts()
    with pytest.raises(ValueError, match="metric"):
        ablate(both, POLICY, 2, key=af.key(0), metric="los")


def test_it_goes_on_where_it_was(tmp_path):
    """After a training that failed, and with a torn line; not for another policy."""
    path, calls = tmp_path / "runs" / "scores.jsonl", []

    def breaks(augment, key, budget):
        calls.append(1)
        if len(calls) == 6:
            raise MemoryError
        return train(augment, key, budget)

    with pytest.raises(MemoryError):
        ablate(breaks, POLICY, 2, key=af.key(0), storage=path)
    with path.open("a") as file:
        file.write('["whole", 1, 0.')
    found = ablate(breaks, POLICY, 2, key=af.key(0), storage=path)
    assert len(calls) == 1 + 16
    assert found.scores == ablate(train, POLICY, 2, key=af.key(0)).scores
    assert all(json.loads(line) for line in path.read_text().splitlines())
    with pytest.raises(ValueError, match="another key"):
        ablate(train, POLICY, 2, key=af.key(1), storage=path)
    with pytest.raises(ValueError, match="another policy"):
        ablate(train, af.pipeline(af.hflip(), af.invert()), 2, key=af.key(0), storage=path)


@pytest.mark.parametrize("text", ['{"precious": 1}', "hello\nthere\n", "[1, 2]\n3\n"])
def test_another_file_is_left_alone(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="the storage is another file"):
        ablate(train, POLICY, 2, key=af.key(0), storage=path)
    assert path.read_text() == text


def test_what_prepares_within_a_step_stays():
    """Images have one size and dtype in all arms."""
    seen = set()

    def note(augment, key, budget):
        y, _ = augment(torch.randint(256, (2, 1, 16, 16), dtype=torch.uint8), None, key)
        seen.add((y.shape, y.dtype))
        return float(af.uniform(key))

    first, within = af.pipeline(af.to_float(), af.resize(size=12)), af.pipeline(af.hflip(), af.resize(size=8))
    found = ablate(note, af.pipeline(first=first, within=within, rotate=af.rotate()), 2, key=af.key(0))
    assert {*found.ranking} == {"within", "rotate"}
    assert seen == {((2, 1, 8, 8), torch.float32)}


def test_intervals_cover():
    """Of eight seeds at 99 %, about that."""
    draws = af.normal(af.key(0), (300, 8)).tolist()
    found = [interval(values, 0.99, af.key(i)) for i, values in enumerate(draws)]
    assert sum(e.low <= 0 <= e.high for e in found) >= 0.97 * len(found)


def test_plot(found, tmp_path):
    figure = found.plot(tmp_path / "ablation.png")
    assert (tmp_path / "ablation.png").stat().st_size > 1000
    assert "brightness: helps" in [t.get_text() for t in figure.axes[0].get_yticklabels()]


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({"seeds": 1}, "ablate: seeds"),
        ({"seeds": [1, 1]}, "ablate: seeds"),
        ({"policy": af.hflip()}, "fewer than two ops"),
        ({"policy": af.pipeline(af.to_float(), af.hflip(), af.normalize(mean=0.5, std=0.2))}, "fewer than two ops"),
        ({"fixed": ["hflop"]}, "hflip"),
        ({"mode": "leave_one"}, "mode of ablate"),
        ({"mode": ()}, "ablate: mode"),
        ({"level": 1.0}, "the level of intervals"),
        ({"train": lambda *_: float("nan")}, r"what train gave \(whole\)"),
    ],
)
def test_bad_settings(known, says):
    given = {"train": train, "policy": POLICY, "seeds": 2, **known}
    with pytest.raises(ValueError, match=says):
        ablate(given.pop("train"), given.pop("policy"), given.pop("seeds"), key=af.key(0), **given)


def test_no_numbers(tmp_path):
    import numpy as np

    found = ablate(train, POLICY, np.arange(2), key=af.key(0), storage=tmp_path / "scores")
    assert found.seeds == [0, 1]
    for known, says in (({"key": 0}, "key"), ({"fixed": "hflip"}, "ablate: fixed"), ({"mode": "add_one"}, "train")):
        with pytest.raises(TypeError, match=says):
            ablate(None if "mode" in known else train, POLICY, 2, **{"key": af.key(0), **known})
    with pytest.raises(TypeError, match="ablate: seeds"):
        ablate(train, POLICY, 2.5, key=af.key(0))
    with pytest.raises(TypeError):
        ablate(lambda *_: "good", POLICY, 2, key=af.key(0))
    with pytest.raises(TypeError, match="ablate: policy"):
        ablate(train, lambda x: x, 2, key=af.key(0))


def test_there_is_no_place_for_a_test_set():
    import inspect

    assert not any("test" in n for n in inspect.signature(ablate).parameters)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]


def test_equal_differences_prove_little():
    """Of accuracies in whole samples differences may be all alike: no p of 0."""
    assert p_value([0.5, 0.5]) == 0.5
    assert p_value([-1.0] * 8) == 2.0**-7
