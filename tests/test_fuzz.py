"""Random pipelines keep the laws; and the fuzzer sees what does not."""

from random import Random
from types import SimpleNamespace

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import augfn as af
from augfn.core.actions import Color, Geometric, Pixels
from augfn.core.augmentation import photometric
from augfn.core.spec import SPECS
from augfn.distributions import Uniform
from augfn.math.shapes import over
from augfn.testing.case import agree
from augfn.typing import Factor
from benchmarks import fuzz, fuzz_laws
from benchmarks.fuzz_programs import Group, Op, batch_of, some_sample


@settings(max_examples=25, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(r=st.randoms(use_true_random=False))
def test_random_pipelines_keep_the_laws(r):
    """Cut down by the fuzzer itself, which knows what a step is."""
    t, _ = fuzz.trial(r, ops=5)
    if error := fuzz.broken(t):
        small = fuzz.shrunk(t, error)
        pytest.fail(fuzz.report("a random case", small, fuzz.broken(small) or error))


@pytest.mark.parametrize("seed", range(3))
def test_long_pipelines_keep_the_laws(seed):
    t, _ = fuzz.trial(Random(seed), ops=60)
    fuzz.examine(t)


def test_a_seed_names_a_case():
    (one, _), (other, _) = (fuzz.trial(Random(7), ops=20) for _ in range(2))
    assert one.program.code() == other.program.code()
    agree("samples", one.x, other.x)


@pytest.mark.parametrize("seed", range(5))
def test_the_code_that_is_printed_is_the_program(seed):
    t, _ = fuzz.trial(Random(seed), ops=8)
    again = eval(t.program.code(), {"af": af})
    assert repr(again) == repr(t.f)
    agree("results", again(t.x, None, t.key), t.f(t.x, None, t.key))


def test_samples_are_of_all_kinds():
    samples = [some_sample(Random(seed)) for seed in range(300)]
    names = {n for x, _ in samples if isinstance(x, dict) for n in x}
    assert names == {"image", "video", "volume", "mask", "boxes", "keypoints", "depth", "intrinsics", "label"}
    assert {d for _, d in samples} == {2, 3}
    assert {batch_of(x, d) for x, d in samples} == {(), (1,), (3,), (2, 2)}


# ops with a fault each, in the words of the law that sees it


def shapes(x, *, factor: Factor = Uniform(0.5, 1.5)):
    return undefined * factor  # noqa: F821


def finite(x, *, factor: Factor = Uniform(0.5, 1.5)):
    return x / over(x, factor - factor)


def replays(x, *, factor: Factor = Uniform(0.5, 1.5)):
    return x * over(x, factor) + torch.rand(())


def pure(x, *, factor: Factor = Uniform(0.5, 1.5)):
    torch.rand(1)
    return x * over(x, factor)


def independent(x, *, factor: Factor = Uniform(0.5, 1.5)):
    return x * factor.mean()


def differentiable(x, *, factor: Factor = Uniform(0.5, 1.5)):
    return x + over(x, factor - factor).sqrt()


def compiles(x, *, factor: Factor = Uniform(0.5, 1.5)):
    return x * over(x, factor) * (2 if torch.compiler.is_compiling() else 1)


@pytest.fixture
def faulty(request, monkeypatch):
    body = request.param
    monkeypatch.setitem(SPECS, body.__name__, photometric(body).spec)
    return body.__name__


FAULTS = [shapes, finite, replays, pure, independent, differentiable, compiles]


@pytest.mark.parametrize("faulty", FAULTS, indirect=True, ids=lambda body: body.__name__)
def test_a_fault_is_seen_and_cut_out(faulty):
    """It is found under its law, and what is left of the program is that op."""
    steps = (Op("rotate", {}), Group("maybe", (Op(faulty, {}),), {"p": 1.0}), Op("hflip", {"p": 0.5}))
    program = Group("pipeline", steps)
    x = {"image": torch.rand(3, 3, 8, 9), "mask": torch.ones(3, 8, 9)}
    t = fuzz.Trial(program, x, 2, af.key(0))
    error = fuzz.broken(t)
    assert error is not None
    assert error.kind[0] == faulty
    small = fuzz.shrunk(t, error)
    assert small.program.code() == f"af.pipeline(af.{faulty}())"
    assert list(small.x) == ["image"]
    assert f"af.{faulty}()" in fuzz.report("seed 3", small, error)


MUTANTS = {
    "rests": (Pixels, "gated", lambda self, gate, size: self),
    "fuses": (Color, "then", lambda self, other: self),
}


@pytest.mark.parametrize("law", MUTANTS)
def test_a_fault_of_the_mechanism_is_seen(law, monkeypatch):
    """Pixels that do not listen to their gate; a fusion that forgets the second colour map."""
    monkeypatch.setattr(*MUTANTS[law])
    steps = (Op("brightness", {}), Op("invert", {}), Op("color_twist", {}))
    t = fuzz.Trial(Group("pipeline", steps), torch.rand(2, 3, 8, 9), 2, af.key(0))
    error = fuzz.broken(t)
    assert error is not None
    assert error.kind[0] == law


def mapped_to_the_first(self, other):
    return self


GEOMETRY = {"image": torch.rand(1, 8, 9), "keypoints": af.Keypoints(torch.tensor([[4.0, 3.0]]))}


@pytest.mark.parametrize("second", ["hflip", "rotate"])  # one is exact, the other leaves the points to tell
def test_a_fault_of_fused_geometry_is_seen(second, monkeypatch):
    monkeypatch.setattr(Geometric, "then", mapped_to_the_first)
    t = fuzz.Trial(Group("pipeline", (Op("scale", {}), Op(second, {}))), GEOMETRY, 2, af.key(1))
    error = fuzz.broken(t)
    assert error is not None
    assert error.kind[0] == "fuses"


def test_a_fault_of_rows_is_seen(monkeypatch):
    monkeypatch.setattr(fuzz_laws.sparse, "open_rows", lambda gate: None if fuzz_laws.sparse.DENSE else [])
    t = fuzz.Trial(Group("pipeline", (Op("invert", {"p": 1.0 - 1e-7}),)), torch.rand(3, 8, 9), 2, af.key(1))
    error = fuzz.broken(t)
    assert error is not None
    assert error.kind[0] == "rows"


def test_a_point_outside_of_the_frame_is_seen():
    x = {"image": torch.rand(1, 4, 4), "keypoints": af.Keypoints(torch.tensor([[7.0, 1.0]]))}
    unmoved = SimpleNamespace(f=lambda x, params, key: (x, {}), x=x, key=af.key(0), ndim=2)
    with pytest.raises(AssertionError, match="keypoints: a visible point lies outside"):
        fuzz_laws.together(unmoved)


def test_the_command(capsys):
    pytest.importorskip("rich")
    assert fuzz.main(["--cases", "2", "--ops", "3", "--only", "rotate", "invert", "erase"]) == 0
    shown = capsys.readouterr().out
    assert "2 cases from seed 0: 0 failed" in shown
