"""Published policies: tables, levels and results as in the libraries and papers that they come from."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import augfn as af
from augfn.policies.spaces import BYTE, Draw, paper_space, timm_space, torchvision_space
from augfn.policies.strings import parse
from augfn.policies.tables import AUTO_AUGMENT

ORACLE = np.load(Path(__file__).parent / "data" / "policies.npz")
META = json.loads(bytes(ORACLE["meta"]))
SPACES = json.loads(bytes(ORACLE["spaces"]))
K = af.key(0)
# the largest difference in levels of 8 bits
TOLERANCE = dict.fromkeys(("TranslateX", "TranslateY", "Posterize", "Solarize", "Equalize", "Invert"), 0.01)
ROUNDED = {"bilinear": 0.51, "nearest": 0.01}


def drawn(f, sign, level_noise=0.3):
    """The params of an op of a policy, with this sign."""
    if not f.params:
        return {}
    leaf, d = next(iter(f.params.items()))
    return {leaf: d.draw(torch.tensor([[level_noise, 0.2 if sign < 0 else 0.7]]))}


def op_of(entry):
    space = torchvision_space(entry["space"] or "AutoAugment", entry["bins"] or 10)
    return space[entry["op"]](Draw(entry["level"] or 0))


@pytest.mark.parametrize("op", sorted({e["op"] for e in META}))
@pytest.mark.parametrize("library", ["torchvision", "pillow"])
def test_results_of_all_levels(op, library):
    """Nearest shears apart at ties, and Pillow at thresholds that a pixel equals."""
    entries = [e for e in META if e["op"] == op and e["library"] == library]
    for e in entries:
        f = op_of(e)
        x = torch.from_numpy(ORACLE[e["image"]]).float() / 255
        how = e["interpolation"] or "nearest"
        y, _ = af.pipeline(f, interpolation=how)(x[None], {f.name: drawn(f, e["sign"] or 1)})
        off = (y[0] * 255 - torch.from_numpy(ORACLE[e["array"]]).float()).abs()
        geometric = op.startswith(("Shear", "Rotate"))
        most = TOLERANCE.get(op, ROUNDED[how] if geometric else 2.0)
        ties = op.startswith("Shear") and how == "nearest"
        thirds = library == "pillow" and op == "Solarize"
        share = 0.015 if ties else 0.004 if thirds else 0.0
        assert (off > most).float().mean() <= share, (e, off.max())


def test_arguments_of_all_levels():
    """What the op receives, level by level: slopes, whole pixels, degrees, factors, bits, thresholds."""
    for e in META:
        f, argument = op_of(e), e["argument"]
        if not f.params:
            continue
        ((leaf, value),) = drawn(f, e["sign"] or 1).items()
        value = value.sum().item()
        if leaf == "shear":
            value = math.tan(math.radians(value))
        elif leaf == "translate":
            h, w = ORACLE[e["image"]].shape[-2:]
            value = int(value * {"fraction": w if e["op"][-1] == "X" else h, "pixel": 1}[f.static["unit"]])
        elif leaf == "threshold":
            value *= BYTE
        assert value == pytest.approx(argument, abs=2e-5), e


def test_the_spaces_are_torchvisions():
    for space, ops in SPACES["astronaut"].items():
        bins = next(len(o["bins"]) for o in ops.values() if o)
        assert list(torchvision_space(space, bins)) == [*ops]


def test_tables_are_torchvisions():
    for name, expected in json.loads(bytes(ORACLE["autoaugment"])).items():
        lines = [line.strip() for line in AUTO_AUGMENT[name].strip().splitlines()]
        read = [[part.split() for part in line.split(" + ")] for line in lines]
        given = [[[op, float(p), int(level[0]) if level else None] for op, p, *level in line] for line in read]
        assert given == expected


# timm's levels: POLICIES.md 2.2, METHODS.md 2.3
TIMM = {
    "Posterize": {0: 0, 2: 0, 5: 2, 8: 3, 9: 3, 10: 4},
    "PosterizeIncreasing": {0: 4, 2: 4, 5: 2, 8: 1, 9: 1, 10: 0},
    "PosterizeOriginal": {0: 4, 2: 4, 5: 6, 8: 7, 9: 7, 10: 8},
    "Solarize": {0: 0 / 255, 2: 51 / 255, 5: 128 / 255, 8: 204 / 255, 9: 230 / 255, 10: 256 / 255},
    "SolarizeIncreasing": {2: 205 / 255, 5: 128 / 255, 8: 52 / 255, 9: 26 / 255, 10: 0},
    "SolarizeAdd": {1: 11 / 255, 5: 55 / 255, 10: 110 / 255},
    "Color": {0: 0.1, 2: 0.46, 5: 1.0, 8: 1.54, 9: 1.72, 10: 1.9},
    "ContrastIncreasing": {2: 1.18, 5: 1.45, 8: 1.72, 9: 1.81, 10: 1.9},
    "Rotate": {2: 6, 5: 15, 8: 24, 9: 27, 10: 30},
    "TranslateXRel": {2: 0.09, 10: 0.45},
    "Desaturate": {0: 0.5, 5: 0.25, 10: 0.0},
    "GaussianBlur": {0: 0.1, 5: 1.05, 10: 2.0},
}


@pytest.mark.parametrize("op", TIMM)
def test_levels_of_timm(op):
    for level, argument in TIMM[op].items():
        f = timm_space()[op](Draw(level))
        leaf = next(iter(f.params))
        assert drawn(f, 1)[leaf].sum().item() == pytest.approx(argument, abs=1e-6), level


def test_levels_below_one_half_are_darker_and_never_negative():
    f = timm_space(top=20)["BrightnessIncreasing"](Draw(20))
    assert drawn(f, -1)["factor"].item() == pytest.approx(0.1)
    assert drawn(f, 1)["factor"].item() == pytest.approx(2.8)


def test_a_level_has_other_strengths_elsewhere():
    """Nine is 30 % of torchvision's range and 90 % of timm's and of the paper's."""
    by_dialect = {
        "torchvision": torchvision_space("RandAugment", 31),
        "timm": timm_space(),
        "paper": paper_space("RandAugment"),
    }
    degrees = {n: drawn(space["Rotate"](Draw(9)), 1)["degrees"].item() for n, space in by_dialect.items()}
    assert degrees == pytest.approx({"torchvision": 9.0, "timm": 27.0, "paper": 27.0})


# draws

N = 20_000


def fits(counts, expected=None):
    """Pearson's chi-square against equal (or given) shares, at four standard deviations."""
    counts = counts.double()
    expected = torch.full_like(counts, 1 / len(counts)) if expected is None else torch.as_tensor(expected).double()
    expected = expected / expected.sum() * counts.sum()
    statistic, freedom = ((counts - expected) ** 2 / expected).sum().item(), len(counts) - 1
    assert statistic < freedom + 4 * math.sqrt(2 * freedom) + 4, statistic


def many(f, n=N):
    """Params of many samples, of one pixel each."""
    return f(torch.rand(n, 3, 1, 1), None, K)[1]


def test_rand_augment_draws():
    params = many(af.rand_augment(3))["some_of"]
    for slot in ("one_of", "one_of_2", "one_of_3"):
        fits(params[slot]["choice"].sum(0))
        fits(torch.stack([(params[slot]["rotate"]["degrees"] * s > 0).sum() for s in (-1, 1)]))
    both = params["one_of"]["choice"].argmax(-1) * 14 + params["one_of_2"]["choice"].argmax(-1)
    fits(torch.bincount(both, minlength=196))  # with replacement, and independent
    assert params["one_of"]["rotate"]["degrees"].abs().unique().tolist() == [9.0]


def test_trivial_augment_draws():
    params = many(af.trivial_augment())["one_of"]
    fits(params["choice"].sum(0))
    level = (params["rotate"]["degrees"].abs() / 135 * 30).round().long()
    fits(torch.bincount(level, minlength=31))
    fits(torch.bincount(params["posterize"]["bits"].long())[2:], [3, 5, 5, 5, 5, 5, 3])


def test_auto_augment_draws():
    params = many(af.auto_augment("imagenet"))["one_of"]
    fits(params["choice"].sum(0))
    gate = params["posterize_rotate"]["rotate"]["gate"]
    fits(torch.stack([(gate == 0).sum(), (gate == 1).sum()]), [0.4, 0.6])


@pytest.mark.parametrize("name", ["imagenet", "cifar10", "svhn", "original", "originalr", "v0", "v0r"])
def test_sub_policies_gates_and_signs(name):
    """Each sub-policy as often as another, its ops with their probabilities, a sign half of the time."""
    f = af.auto_augment(name) if name in ("imagenet", "cifar10", "svhn") else af.policy(name)
    params, table = (
        many(f)["one_of"],
        AUTO_AUGMENT[{"original": "imagenet", "originalr": "imagenet", "v0r": "v0"}.get(name, name)],
    )
    fits(params["choice"].sum(0))
    wanted = [[float(op.split()[1]) for op in line.split("+")] for line in table.strip().splitlines()]
    branches = [p for n, p in params.items() if n != "choice"]
    signs = []
    for branch, odds in zip(branches, wanted, strict=True):
        for op, p in zip(branch.values(), odds, strict=True):
            gate = op.get("gate", torch.ones(N))
            if p in (0, 1):
                assert (gate == p).all()
            else:
                fits(torch.stack([(gate == g).sum() for g in (0, 1)]), [1 - p, p])
            signs += [op[n] for n in ("degrees", "shear", "translate") if n in op and op[n].any()]
    for value in signs:
        value = value.sum(-1) if value.ndim > 1 else value
        fits(torch.stack([(value > 0).sum(), (value < 0).sum()]))


def test_the_blur_of_3_augment():
    """timm's radius is uniform from .1 to a fifth of the level, which a schedule moves."""
    f = af.policy("3a")
    for level in (10.0, 5.0):
        params = af.schedule(f, 0.0, {"one_of/gaussian_blur_rand/level": level})
        sigma = f(torch.rand(N // 4, 1, 8, 8).expand(-1, 3, -1, -1), params, K)[1]["one_of"]["gaussian_blur_rand"][
            "sigma"
        ]
        assert (sigma.min().item(), sigma.max().item()) == pytest.approx((0.1, 0.2 * level), abs=5e-3)
        fits(torch.histc(sigma, 10, 0.1, 0.2 * level))


def test_augmix_draws():
    params = many(af.augmix())["mixture"]
    torch.testing.assert_close(params["weights"].mean(0), torch.full((3,), 1 / 3), atol=0.01, rtol=0)
    torch.testing.assert_close(params["share"].mean(), torch.tensor(0.5), atol=0.01, rtol=0)
    fits(torch.bincount(params["chain_1"]["count"].floor().long())[1:])
    level = (params["chain_1"]["one_of"]["rotate"]["degrees"].abs() / 30 * 9).round().long()
    fits(torch.bincount(level))
    assert level.max() == 2


def test_levels_with_a_spread():
    params = many(af.policy("rand-m5-mstd1-n1"))["some_of"]["one_of"]
    levels = params["rotate"]["degrees"].abs() / 3
    torch.testing.assert_close(levels.mean(), torch.tensor(5.0), atol=0.03, rtol=0)
    torch.testing.assert_close(levels.std(), torch.tensor(1.0), atol=0.03, rtol=0)
    even = many(af.policy("rand-m8-mstd101-n1"))["some_of"]["one_of"]["rotate"]["degrees"].abs() / 3
    fits(torch.bincount(even.long()))
    fits(torch.stack([(params["rotate"]["gate"] == g).sum() for g in (0, 1)]))


def test_weighted_ops_are_drawn_without_replacement():
    f = af.policy("rand-m9-n2-tweights")
    own = f.steps["some_of"]
    rank, odds = many(f)["some_of"]["times"].argsort(-1), own.params["times"].rate
    fits(torch.bincount(rank[:, 0], minlength=15), odds)
    names = list(own.steps)
    first_is_rotate = rank[rank[:, 0] == names.index("rotate"), 1]
    rest = torch.where(torch.arange(15) == names.index("rotate"), 0.0, odds)
    others = rest > 0
    fits(torch.bincount(first_is_rotate, minlength=15)[others], rest[others])


# what the draws do


def test_a_choice_in_a_row_is_the_ops_one_by_one():
    """Two geometric ops apart, which are one resample."""
    f, n = af.rand_augment(2), 24
    x = torch.rand(n, 3, 16, 20)
    y, params = f(x, None, K)
    inner, slots = params["some_of"], [s.steps for s in f.steps["some_of"].steps.values()]
    seen = 0
    for i in range(n):
        z, ops = x[i : i + 1], []
        for slot, steps in zip(("one_of", "one_of_2"), slots, strict=True):
            branch = list(steps)[inner[slot]["choice"][i].argmax()]
            op = steps[branch]
            ops.append(op)
            own = {n: v[i : i + 1] for n, v in inner[slot].get(branch, {}).items()}
            z, _ = af.pipeline(op, interpolation="nearest")(z, {op.name: own} if own else {})
        if not all(op.spatial for op in ops):
            seen += 1
            torch.testing.assert_close(y[i : i + 1], z, atol=1e-5, rtol=0)
    assert seen > n / 2


def test_the_count_is_a_leaf():
    f, x = af.rand_augment((0, 3)), torch.rand(64, 3, 8, 8)
    y, params = f(x, None, K)
    assert sorted(params["some_of"]["count"].floor().unique().tolist()) == [0, 1, 2, 3]
    none = params["some_of"]["count"] < 1
    assert y[none].equal(x[none])
    assert f(x, {"some_of": {"count": 0.0}}, K)[0].equal(x)


def test_augmix_is_a_mixture():
    f = af.augmix(width=2, severity=4)
    x = torch.rand(4, 3, 12, 12)
    y, params = f(x, None, K)
    p, own = params["mixture"], f.steps["mixture"]
    chains = [
        af.pipeline(own.steps[n], interpolation="bilinear")(x, {"some_of": p[n]})[0] for n in ("chain_1", "chain_2")
    ]
    w = (p["weights"] * p["share"][:, None])[..., None, None, None]
    expected = x * (1 - p["share"])[:, None, None, None] + sum(w[:, i] * chains[i] for i in range(2))
    torch.testing.assert_close(y, expected, atol=1e-5, rtol=0)


def test_random_order():
    """Different branches, in the order of their keys."""
    f = af.some_of(2, af.brightness(factor=0.5), af.brightness_shift(shift=0.25), order="random")
    x = torch.full((2000, 1, 1, 1), 0.5)
    values, counts = f(x, None, K)[0].unique(return_counts=True)
    torch.testing.assert_close(values, torch.tensor([0.375, 0.5]))
    fits(counts)


def test_magnitudes_are_edited_and_learned():
    f = af.rand_augment(1, interpolation="bilinear")
    level = torch.tensor(12.0, requires_grad=True)
    x = torch.rand(64, 3, 8, 8)
    own = f.params["some_of"]["one_of"]["rotate"]["degrees"]
    stronger = af.Magnitude(level, own.table, signed=True)
    y, params = f(x, {"some_of": {"one_of": {"rotate": {"degrees": stronger}}}}, K)
    assert params["some_of"]["one_of"]["rotate"]["degrees"].abs().unique().tolist() == [12.0]
    y.square().sum().backward()
    assert level.grad.abs() > 0


# timm's strings


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("rand-m9-n3-mstd0.5-inc1", {"m": 9, "n": 3, "mstd": 0.5, "inc": 1}),
        ("rand-p0.4-mmax20-m12-t3aw", {"p": 0.4, "mmax": 20, "m": 12, "t": "3aw"}),
        ("rand-mstdinf-tweights", {"mstd": math.inf, "t": "weights"}),
        ("augmix-m5-w4-d-1-a0.5-b1", {"m": 5, "w": 4, "d": -1, "a": 0.5, "b": 1}),
        ("original-mstd0.5", {"mstd": 0.5}),
        ("3a", {}),
    ],
)
def test_tokens(text, values):
    assert parse(text) == (text.split("-")[0], values)
    y, _ = af.policy(text)(torch.rand(2, 3, 9, 9), None, K)
    assert y.shape == (2, 3, 9, 9)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("rand-q3", "one of inc, m"),
        ("rand-m9-inc", "a whole number\n.*rand-m9-inc1"),
        ("rand-m-mstd0.5", "rand-m10-mstd0.5"),
        ("rand-t5-n2", "rand-tweights-n2"),
        ("rand-m9.5", "rand-m10"),
        ("random-m9", "did you mean 'rand'"),
        ("augmix-n3", "one of a, b, d"),
        ("rand-tfoo", "one of inc, m"),
    ],
)
def test_tokens_that_there_are_not(text, advice):
    with pytest.raises(ValueError, match=advice):
        af.policy(text)


def test_a_level_without_mmax_ends_at_ten():
    degrees = many(af.policy("rand-m15-n1-p1"), 100)["some_of"]["one_of"]["rotate"]["degrees"]
    assert degrees.abs().unique().tolist() == [30.0]
    more = many(af.policy("rand-m15-mmax20-n1-p1"), 100)["some_of"]["one_of"]["rotate"]["degrees"]
    assert more.abs().unique().tolist() == [45.0]


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda: af.rand_augment(m=40), "m=30"),
        (lambda: af.rand_augment(m=12, dialect="timm"), "mmax=12"),
        (lambda: af.rand_augment(dialect="kornia"), "torchvision"),
        (lambda: af.rand_augment(mstd=0.5), 'dialect="timm"'),
        (lambda: af.augmix(severity=20), "1 to 10"),
        (lambda: af.augmix(severity=0, dialect="paper"), "0.1 to 10"),
        (lambda: af.auto_augment("imagnet"), "imagenet"),
        (lambda: af.auto_augment("v0"), 'dialect="timm"'),
        (lambda: af.some_of(3, af.hflip(), af.vflip(), weights=[1.0, 2.0]), "<= 2"),
        (lambda: af.some_of(1, af.hflip(), af.vflip(), weights=[1.0, 2.0]), 'order="random"'),
    ],
)
def test_policies_that_there_are_not(call, advice):
    with pytest.raises(ValueError, match=advice):
        call()


def test_a_grey_image_is_refused_from_the_first_call_on():
    for seed in range(5):
        with pytest.raises(ValueError, match="expand"):
            af.rand_augment()(torch.rand(2, 1, 16, 16), None, af.key(seed))


def test_the_paper_scale_goes_on_without_blank_images():
    space = paper_space("RandAugment")
    assert drawn(space["Brightness"](Draw(28)), -1)["factor"].item() == pytest.approx(0.1)
    assert drawn(space["Posterize"](Draw(28)), 1)["bits"].item() == 1.0


# another process

OTHER = """
import sys, torch, augfn as af
found, keys = {}, af.split(af.key(0), 6)
x = torch.load(sys.argv[1])
for text, make in torch.load(sys.argv[2]).items():
    f = eval(make)
    for i in (4, 1):
        y = f(x[[i, 5 - i]], None, keys[[i, 5 - i]])[0]
        found[text, i] = [v[0] for v in y] if isinstance(y, tuple) else [y[0]]
torch.save(found, sys.argv[3])
"""


def test_a_sample_is_the_same_in_another_process_and_batch(tmp_path):
    made = {
        "rand_augment": "af.rand_augment()",
        "trivial_augment": "af.trivial_augment()",
        "auto_augment": 'af.auto_augment("svhn")',
        "augmix": "af.augmix()",
        **{
            text: f"af.policy({text!r})"
            for text in ("rand-m9-n3-mstd0.5-inc1", "augmix-m5-w4-d2", "v0r", "3a", "rand-tweights")
        },
        **{name: f"af.recipe({name!r}, size=16)" for name in ("simclr", "dino", "deit", "ada", "detection")},
    }
    x = torch.rand(6, 3, 24, 24)
    torch.save(x, tmp_path / "x.pt")
    torch.save(made, tmp_path / "made.pt")
    paths = [tmp_path / n for n in ("x.pt", "made.pt", "found.pt")]
    subprocess.run([sys.executable, "-c", OTHER, *paths], check=True)
    found = torch.load(tmp_path / "found.pt")
    for text, make in made.items():
        y = eval(make)(x, None, af.split(K, 6))[0]
        for i in (4, 1):
            for mine, other in zip(y if isinstance(y, tuple) else [y], found[text, i], strict=True):
                assert mine[i].equal(other), text
