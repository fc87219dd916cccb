"""Population-based training: the same run by the key, whatever is killed, and a schedule that replays it."""

import math
import os
import signal
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import augfn as af
from augfn.analysis.tables import Table
from augfn.files.values import PolicyError
from augfn.tune.population import Population, curves_of, explored, load_schedule, pbt
from augfn.tune.spaces import space

pytest.importorskip("ray")
from augfn.tune import members

POLICY = af.pipeline(af.rotate(degrees=(-20.0, 20.0)), af.brightness(factor=(0.5, 1.5)), af.hflip(p=0.5))
SIZE, INTERVALS, DIVERGES = 4, 3, 90.0  # degrees


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """One for the module, as a user may have one; what Ray leaves open of its own is not augfn's."""
    import ray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quick = {"worker_niceness": 0}  # beside other tests Ray's workers would hardly run
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, _system_config=quick)
        yield
        ray.shutdown()


def begun(key):
    """A net with a weight for each pixel, and an optimizer with momenta."""
    net = nn.Linear(64, 2)
    with torch.no_grad():
        net.weight.copy_(af.normal(key, (2, 64)) / 8)
        net.bias.zero_()
    return net, torch.optim.Adam(net.parameters(), 1e-2)


def train_step(state, augment, key, interval, kill=None, turn=0.0):
    """Three steps; the process of the member of this turn is killed in the second, once, where it is told so."""
    net, optimizer = begun(key) if state is None else state
    own = float(augment.params["rotate"]["degrees"].high)
    for i in range(3):
        step = af.fold_in(key, i)
        x, _ = augment(af.uniform(step, (8, 1, 8, 8)), None, step)
        loss = F.cross_entropy(net(x.flatten(1)), (x.mean((1, 2, 3)) > 0.5).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        meant = kill is not None and interval == 1 and abs(own - turn) < 1e-3
        if i == 1 and meant and not os.path.exists(kill):
            Path(kill).write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
    lost = interval == 0 and own > DIVERGES
    return (net, optimizer), float("nan") if lost else float(loss.detach())


def run(step=train_step, **known):
    known = {"space": POLICY, "intervals": INTERVALS, "key": af.key(3), "maximize": False, **known}
    return pbt(step, SIZE, **known)


def tensors(state):
    net, optimizer = state
    return [*net.state_dict().values(), *(t for s in optimizer.state_dict()["state"].values() for t in s.values())]


@pytest.fixture(scope="module")
def undisturbed(cluster):
    return run(progress=True)


def test_a_killed_worker_changes_nothing(undisturbed, tmp_path):
    """Bit for bit: every metric of every member, and the best one's weights and momenta; of one that was replaced, too, which
    begins anew with what it got."""
    turns = [row["rotate/degrees"] for row in undisturbed.table.where(interval=1) if row["parent"] != row["member"]]
    found = run(partial(train_step, kill=str(tmp_path / "killed"), turn=turns[0]))
    assert int((tmp_path / "killed").read_text()) != os.getpid()
    assert repr(found.table) == repr(undisturbed.table)
    assert found.table.to_pandas().equals(undisturbed.table.to_pandas())
    assert all(torch.equal(a, b) for a, b in zip(tensors(found.state), tensors(undisturbed.state), strict=True))


def test_slow_saves_change_nothing(cluster, monkeypatch):
    """Nobody is replaced while it is being saved: the worse one, that waits, goes on from the better one."""

    class SlowToSave(members.Member):
        def save_checkpoint(self, checkpoint_dir):
            time.sleep(3.0 if self.own.points[-1]["degrees"] < DIVERGES else 0.0)
            super().save_checkpoint(checkpoint_dir)

    def step(state, augment, key, interval):
        turn = float(augment.params["degrees"].high)
        time.sleep(0.0 if turn < DIVERGES else 1.0)
        return [*(state or []), turn], turn

    monkeypatch.setattr(members, "Member", SlowToSave)
    found = pbt(step, 2, space=af.rotate(degrees=(-20.0, 20.0)), intervals=3, key=af.key(1), perturb=lambda s, p, k: p)
    first = found.table.where(interval=0)["metric"]
    assert min(first) < DIVERGES < max(first)
    best = first.index(max(first))
    assert len(found.table) == 6
    assert f"Member {found.member} is the best" in str(found)
    assert set(found.table.where(interval=1)["parent"]) == {best}
    assert found.state == [max(first)] * 3


def test_states_of_a_scripts_own_classes(cluster):
    """A worker cannot import what is defined in a script; what cannot be written is told at once."""

    class Net(nn.Linear):
        pass

    def step(state, augment, key, interval):
        assert state is None or type(state) is Net
        return state or Net(2, 2), float(af.uniform(key))

    assert type(pbt(step, 2, space=POLICY, intervals=2, key=af.key(0)).state) is Net
    with pytest.raises(RuntimeError, match=r"cannot pickle 'generator'"):
        pbt(lambda *_: ((i for i in range(3)), 1.0), 2, space=POLICY, intervals=1, key=af.key(0))


def test_a_lost_member_is_told(cluster):
    """Its process dies whenever it trains."""

    def step(state, augment, key, interval):
        turn = float(augment.params["degrees"].high)
        if turn < DIVERGES:
            os.kill(os.getpid(), signal.SIGKILL)
        return turn, turn

    known = {"space": af.rotate(degrees=(-20.0, 20.0)), "intervals": 1, "key": af.key(1), "max_failures": 0}
    with pytest.warns(UserWarning, match=r"members \[1\] are lost"):
        found = pbt(step, 2, **known)
    assert found.member == 0


def test_an_interrupt_ends_it(cluster):
    """Not with what there is so far, as Ray Tune has it, and no member is left behind: the next run has room."""
    driver = os.getpid()

    def step(state, augment, key, interval):
        if float(augment.params["degrees"].high) < DIVERGES:  # one of the two
            os.kill(driver, signal.SIGINT)
        time.sleep(60)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        pbt(step, 2, space=af.rotate(degrees=(-20.0, 20.0)), intervals=1, key=af.key(1))
    assert signal.getsignal(signal.SIGINT) is before
    assert pbt(lambda *_: (0, 1.0), 2, space=POLICY, intervals=1, key=af.key(0)).metric == 1.0


def test_the_line_of_the_best_is_one_training(undisturbed):
    """Exploits hand on weights, momenta and keys: with the points that were found one process ends at the same bits."""
    s, state, metric = space(POLICY), None, None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for i, point in enumerate(undisturbed.points):
        state, metric = train_step(state, s.policy(point), af.fold_in(undisturbed.key, i), i)
    torch.set_num_threads(threads)
    assert metric == undisturbed.metric
    assert all(torch.equal(a, b) for a, b in zip(tensors(state), tensors(undisturbed.state), strict=True))


def test_who_is_replaced(undisturbed):
    """After each interval the worst of four goes on from the best, with another point; the others as they were. What is
    not finite is the worst."""
    t = undisturbed.table
    assert len(t) == SIZE * INTERVALS
    replaced = 0
    for i in range(1, INTERVALS):
        before = sorted(
            t.where(interval=i - 1), key=lambda row: -row["metric"] if row["metric"] == row["metric"] else -math.inf
        )
        worst, best = before[0]["member"], before[-1]["member"]
        points = {row["member"]: tuple(row.values())[4:] for row in before}
        for row in t.where(interval=i):
            if row["member"] == worst:
                assert row["parent"] == best
                assert tuple(row.values())[4:] != points[best]
                replaced += 1
            else:
                assert row["parent"] == row["member"]
                assert tuple(row.values())[4:] == points[row["member"]]
    assert replaced == INTERVALS - 1
    assert any(math.isnan(metric) for metric in t.where(interval=0)["metric"])


def test_the_schedule_replays(undisturbed, tmp_path):
    """Params by progress are those of the points, of the object and of what it saved."""
    s = space(POLICY)
    for name in ("schedule.json", "schedule.yaml"):
        undisturbed.save(tmp_path / name)
        at = af.Curriculum(POLICY, load_schedule(tmp_path / name))
        for i, point in enumerate(undisturbed.points):
            for progress in (i / INTERVALS, (i + 0.9) / INTERVALS):
                assert repr(at(progress)) == repr(undisturbed.schedule(progress)) == repr(s.params(point))


def test_errors_of_the_function_are_told():
    def broken(state, augment, key, interval):
        raise KeyError("no such layer")

    with pytest.raises(RuntimeError, match=r"train_step raised, for member \d.*[\s\S]*no such layer"):
        pbt(broken, 2, space=POLICY, intervals=1, key=af.key(0))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 10])
def test_curves_begin_where_their_interval_does(n):
    """At i / n, in single precision, the value is that of interval i."""
    s = space(af.pipeline(af.rotate(degrees=(-20, 20)), af.hflip(p=0.5)))
    points = [s.sample(af.key(i)) for i in range(n)]
    at = af.Curriculum(s.base, curves_of(s, points))
    assert [repr(at(i / n)) for i in range(n)] == [repr(s.params(p)) for p in points]


def test_levels_and_counts_have_curves():
    s = space(af.rand_augment(n=3))
    points = [{"some_of/count": 1, "some_of/level": 3}, {"some_of/count": 3, "some_of/level": 30}]
    at = af.Curriculum(s.base, curves_of(s, points))
    assert [repr(at(t)) for t in (0.0, 0.5)] == [repr(s.params(p)) for p in points]


@pytest.mark.parametrize(
    "f",
    [
        af.pipeline(af.some_of((1, 2), af.hflip(p=0.5), af.rotate(degrees=(-9.0, 9.0)), af.invert())),
        af.augmix(),
        af.one_of(af.hflip(), af.rotate(degrees=(-9.0, 9.0)), weights=[1.0, 2.0]),
        af.pipeline(af.gaussian_blur(sigma=(0.5, 1.5), p=0.3), af.gaussian_noise(std=(0.0, 0.3), p_channel=0.5)),
        af.mixup(),
    ],
    ids=lambda f: f.name,
)
def test_schedules_of_all_kinds_are_read_back(f, tmp_path):
    s, path = space(f), tmp_path / "schedule.yaml"
    ends = [s.ordered({d.path: end(d) for d in s.numbers}) for end in (lambda d: d.low, lambda d: d.high)]
    points = [s.sample(af.key(0)), *ends]
    Population(s, Table((), []), 0, 0.0, None, points, af.key(0)).save(path)
    at = af.Curriculum(f, load_schedule(path))
    assert [repr(at(i / 3)) for i in range(3)] == [repr(s.params(p)) for p in points]


def test_explored_stays_inside():
    """A tenth to three tenths of the interval, or anywhere; never outside, and ends in order."""
    s = space(af.pipeline(af.rotate(degrees=(-5.0, 20.0)), af.gaussian_blur(sigma=(0.5, 1.0), p=0.3)))
    point = s.sample(af.key(0))
    for i in range(200):
        new = explored(s, point, af.key(i))
        s.params(new)
        assert new == s.ordered(new)
    moves = [explored(space(af.hflip(p=0.5)), {"p": 0.5}, af.key(i), resample=0.0)["p"] - 0.5 for i in range(200)]
    assert sorted({round(m, 6) for m in moves}) == [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3]
    whole = {
        explored(space(af.rand_augment(n=3)), {"some_of/count": 2, "some_of/level": 9}, af.key(i))["some_of/level"]
        for i in range(50)
    }
    assert all(isinstance(m, int) and 0 <= m <= 30 for m in whole)
    assert len(whole) > 5


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({"population": 1}, "pbt: population"),
        ({"intervals": 0}, "pbt: intervals"),
        ({"quantile": 0.6}, "pbt: quantile"),
        ({"max_failures": -1}, "pbt: max_failures"),
        ({"storage": "."}, "the storage is in use"),
    ],
)
def test_bad_settings(known, says):
    given = {"population": 2, "intervals": 2, "space": POLICY, "key": af.key(0), **known}
    with pytest.raises(ValueError, match=says):
        pbt(train_step, **given)


def test_no_room():
    """Ray would wait forever."""
    members.check_room({"cpu": 2, "gpu": 0}, {"CPU": 2.0})
    for resources, says in (
        ({"gpu": 1}, "resources: gpu"),
        ({"cpus": 1}, "resources: cpus"),
        ({"cpu": 3}, "at most 2"),
    ):
        with pytest.raises(ValueError, match=says):
            members.check_room(resources, {"CPU": 2.0})


def test_without_ray(monkeypatch):
    """The message names the extra."""
    import augfn.tune

    monkeypatch.delitem(sys.modules, "augfn.tune.members", raising=False)
    monkeypatch.delattr(augfn.tune, "members", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pbt needs ray: pip install 'augfn\[ray\]'"):
        pbt(train_step, 2, space=POLICY, intervals=1, key=af.key(0))


def test_a_file_that_is_no_schedule(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("pipeline: [hflip]")
    with pytest.raises(PolicyError, match="no schedule"):
        load_schedule(path)
