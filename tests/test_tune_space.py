"""Search spaces: which numbers of a policy are tuned, in which intervals, and what a point makes of it."""

import pickle

import numpy as np
import pytest
import torch

import augfn as af
from augfn.core.draw import leaves_of
from augfn.core.spec import SPECS
from augfn.learn import learnable
from augfn.testing import example
from augfn.tune import space
from augfn_nn import Augment

JITTER = {"brightness": (0.8, 1.2), "contrast": (0.7, 1.3), "saturation": (0.9, 1.1), "hue": (-0.03, 0.03)}


def spans(f, strength=None, **how):
    return {d.path: (d.low, d.high) for d in space(f, strength, **how).numbers}


def leaf(f, path):
    return leaves_of(f.params)[path]


# which numbers


def test_an_even_range_is_one_number():
    s = space(af.pipeline(af.rotate(degrees=(-20, 20)), af.color_jitter(brightness=(0.8, 1.2))))
    assert s.paths == ["rotate/degrees", "color_jitter/brightness"]
    f = s.policy({"rotate/degrees": 12.5, "color_jitter/brightness": 0.4})
    assert repr(leaf(f, "rotate/degrees")) == "Uniform(low=-12.5, high=12.5)"
    assert repr(leaf(f, "color_jitter/brightness")) == "Uniform(low=0.6, high=1.4)"
    assert spans(s.base) == {"rotate/degrees": (0, 180), "color_jitter/brightness": (0, 1)}  # a factor is not negative


def test_an_even_range_in_the_logarithm_is_a_ratio():
    s = space(af.scale(scale=af.LogUniform(0.8, 1.25)))
    assert spans(s.base) == {"scale": (1, 4)}
    assert repr(leaf(s.policy({"scale": 2.0}), "scale")) == "LogUniform(low=0.5, high=2.0)"


def test_other_ranges_are_their_ends_in_order():
    s = space(af.gaussian_blur(sigma=(0.1, 2.0)))
    assert spans(s.base) == {"sigma/low": (0, 5), "sigma/high": (0, 5)}
    f = s.policy({"sigma/low": 3.0, "sigma/high": 1.0})
    assert repr(leaf(f, "sigma")) == "Uniform(low=1.0, high=3.0)"
    assert s.ordered({"sigma/low": 3.0, "sigma/high": 1.0}) == {"sigma/low": 1.0, "sigma/high": 3.0}


@pytest.mark.parametrize(
    ("f", "paths"),
    [
        (af.rotate(degrees=(0, 20)), ["degrees/high"]),  # from the neutral value
        (af.brightness(factor=(0.5, 1.0)), ["factor/low"]),  # to it
        (af.resized_crop(size=8, scale=(0.08, 1.0), ratio=1.0), ["scale/low"]),  # to where the interval ends
        (af.gaussian_noise(std=(0.0, 0.1)), ["std/high"]),
    ],
)
def test_an_end_that_does_nothing_or_all_stays(f, paths):
    s = space(f)
    assert s.paths == paths
    name = paths[0].split("/")[0]
    for key in af.split(af.key(0), 20):
        found = leaf(s.policy(s.sample(key)), name)
        assert found.low <= found.high
        moved = "low" if paths[0].endswith("low") else "high"
        other = {"low": "high", "high": "low"}[moved]
        assert torch.equal(getattr(found, other), getattr(leaf(f, name), other))


def test_vectors_are_one_number_or_one_for_each_entry():
    assert space(af.translate(translate=(-0.1, 0.1))).paths == ["translate"]
    s = space(af.translate(translate=((-0.1, 0.1), (0.0, 0.2))))
    assert s.paths == ["translate/0", "translate/1/high"]
    f = s.policy({"translate/0": 0.25, "translate/1/high": 0.5})
    assert repr(leaf(f, "translate")) == "Uniform(low=[-0.25, 0.0], high=[0.25, 0.5])"


def test_spreads_are_one_number_or_one_for_each_entry():
    s = space(af.translate(translate=af.Normal((0.0, 0.0), (0.1, 0.1))))
    assert spans(s.base) == {"translate/std": pytest.approx((0, 0.2))}
    assert leaf(s.policy({"translate/std": 0.15}), "translate").std.tolist() == pytest.approx([0.15, 0.15])
    s = space(af.translate(translate=af.Normal((0.0, 0.0), (0.1, 0.2))))
    assert spans(s.base) == {"translate/0/std": pytest.approx((0, 0.2)), "translate/1/std": pytest.approx((0, 0.4))}
    assert leaf(s.policy({"translate/1/std": 0.3}), "translate").std.tolist() == pytest.approx([0.1, 0.3])


def test_ends_of_all_kinds_are_kept_in_order():
    for made in (af.TruncatedNormal(0.0, 5.0, -10.0, 20.0), af.Uniform(-10.0, 20.0)):
        found = leaf(space(af.rotate(degrees=made)).policy({"degrees/low": 25.0}), "degrees")
        assert (float(found.low), float(found.high)) == (20, 25)


def test_probabilities_weights_and_shapes():
    f = af.pipeline(
        af.maybe(af.rotate(), p=0.3),
        af.hflip(p=0.5),
        af.vflip(p=1.0),
        af.one_of(af.invert(), af.identity(), weights=[3, 1]),
        af.mixup(num_classes=3),
    )
    s = space(f, fixed=["maybe/rotate"])
    assert s.paths == ["maybe/p", "hflip/p", "one_of/choice/invert", "one_of/choice/identity", "mixup/weight/alpha"]
    g = s.policy({"maybe/p": 0.1, "hflip/p": 1.0, "one_of/choice/invert": 0.5, "mixup/weight/alpha": 0.3})
    assert float(leaf(g, "maybe/gate").probs) == pytest.approx(0.1)
    assert leaf(g, "one_of/choice").weights.tolist() == [0.5, 1.0]
    assert repr(leaf(g, "mixup/weight")) == "Beta(alpha=0.3, beta=0.3)"
    assert space(f).policy({}).params.keys() == f.params.keys()


def test_what_names_a_place_is_not_tuned():
    f = af.pipeline(af.resized_crop(size=8), af.gaussian_noise(), af.erase(), af.elastic(), af.quarter_turn())
    names = {p.split("/")[1] for p in space(f).paths}
    assert names == {"scale", "ratio", "std", "alpha"}
    assert spans(af.motion_blur(length=(3.0, 5.0), angle=(-90.0, 90.0), direction=(-1.0, 1.0))).keys() == {
        "length/low",
        "length/high",
        "angle/low",
        "angle/high",
    }


def test_a_policy_of_levels_is_n_and_m():
    f = af.rand_augment(n=3)
    assert spans(f) == {"some_of/count": (1, 3), "some_of/level": (0, 30)}
    g = space(f).policy({"some_of/count": 2, "some_of/level": 12})
    x, key = af.uniform(af.key(1), (6, 3, 12, 12)), af.key(2)
    assert torch.equal(g(x, None, key)[0], af.rand_augment(n=2, m=12)(x, None, key)[0])
    assert spans(af.trivial_augment()) == {"one_of/level": (0, 30)}
    assert space(af.rand_augment(n=(1, 3))).paths == ["some_of/count/low", "some_of/count/high", "some_of/level"]


def test_other_choices_in_a_row_stay_alike():
    f = af.some_of((1, 2), af.rotate(), af.hflip(p=0.5), replace=True)
    s = space(f)
    assert s.paths[2:] == ["one_of/choice/rotate", "one_of/choice/hflip", "one_of/rotate/degrees", "one_of/hflip/p"]
    g = s.policy(s.sample(af.key(0)))
    assert leaf(g, "one_of/rotate/degrees").high == leaf(g, "one_of_2/rotate/degrees").high
    assert space(af.repeat(af.rotate(), 3)).paths == ["rotate/degrees"]


def test_a_choice_of_levels_and_ranges_keeps_its_ranges():
    levels = [0.0, 10.0, 20.0]
    f = af.one_of(
        af.rotate(degrees=af.Magnitude(1, levels)), af.shear(shear=af.Magnitude(1, levels)), af.gaussian_blur()
    )
    assert space(f, fixed=["choice"]).paths == [
        "rotate/degrees/level",
        "shear/shear/level",
        "gaussian_blur/sigma/low",
        "gaussian_blur/sigma/high",
    ]


def test_weights_lie_below_the_largest():
    f = af.one_of(af.invert(), af.identity(), weights=[30, 1])
    assert spans(f) == {"choice/invert": pytest.approx((0.3, 30)), "choice/identity": pytest.approx((0.3, 30))}


def test_levels_of_their_own():
    f = af.rotate(degrees=af.Magnitude(0.5, [0.0, 30.0], signed=True))
    assert spans(f) == {"degrees/level": (0, 1)}
    assert float(leaf(space(f).policy({"degrees/level": 0.75}), "degrees").level) == 0.75


def test_what_learned_is_tuned_as_it_is_used():
    f = learnable(af.pipeline(af.rotate(degrees=(-9.0, 9.0), p=0.5)))
    s = space(f)
    assert s.paths == ["rotate/degrees", "rotate/p"]
    assert not any(t.requires_grad for t in torch.utils._pytree.tree_leaves(s.policy({}).params))


def test_of_a_module_its_ranges_as_they_are_now():
    aug = Augment(af.rotate(degrees=(-9.0, 9.0)), learnable=True)
    with torch.no_grad():
        for p in aug.parameters():
            p.mul_(2)
    assert repr(space(aug).policy({})) == "rotate(degrees=Uniform(low=-18.0, high=18.0))"


@pytest.mark.parametrize(
    ("f", "fixed", "span"),
    [
        (af.gaussian_blur(sigma=(1.0, 2.0)), "sigma/low", (1, 5)),
        (af.gaussian_blur(sigma=(1.0, 2.0)), "sigma/high", (0, 2)),
        (af.translate(translate=((-0.1, 0.0), (0.2, 0.3))), "translate/1/low", (0.2, 0.5)),
        (af.some_of((2, 3), *[af.invert()] * 4), "count/low", (2, 4)),
        (af.some_of((2, 3), *[af.invert()] * 4), "count/high", (1, 3)),
    ],
)
def test_an_end_that_is_fixed_stays_where_it_is(f, fixed, span):
    parent, _, name = fixed.rpartition("/")
    other = f"{parent}/{'high' if name == 'low' else 'low'}"
    s = space(f, fixed=[fixed])
    assert spans(f, fixed=[fixed])[other] == pytest.approx(span)
    for end in spans(f, fixed=[fixed])[other]:
        made, own = (leaf(g, fixed.split("/")[0]) for g in (s.policy({other: end}), f))
        assert torch.equal(getattr(made, name).flatten()[-1], getattr(own, name).flatten()[-1])


def test_what_is_fixed_needs_no_room():
    f = af.pipeline(af.gaussian_blur(sigma=(1.0, 2.0)), af.hflip(p=0.5))
    assert space(f, "conservative", fixed=["gaussian_blur"]).paths == ["hflip/p"]
    assert spans(af.rand_augment(n=2), "aggressive", fixed=["some_of/count"]) == {"some_of/level": (10, 15)}


# the intervals


@pytest.mark.parametrize("name", SPECS)
def test_every_op_at_random_points(name):
    """The own point lies in the space, and every point makes params inside the intervals of the schema."""
    f = example(name)
    s = space(af.pipeline(f, af.hflip(p=0.5)) if f.ndim == 2 else af.pipeline(f, af.hflip3d(p=0.5)))
    f = s.base
    assert repr(s.policy({})) == repr(f)
    for key in [*af.split(af.key(0), 3)]:
        point = s.sample(key)
        tree = leaves_of(s.params(point))
        for d in s.numbers:
            assert d.low <= point[d.path] <= d.high
            for path in d.leaves:
                low, high = f.meanings[path].low, f.meanings[path].high
                for field in tree[path].values:
                    v = getattr(tree[path], field)
                    assert low is None or (v >= low - 1e-6).all()
                    assert high is None or (v <= high + 1e-6).all()
        x = torch.rand(2, 1 if f.bare else 3, *(9, 10, 11)[-f.ndim :])
        _, drawn = f(x, s.params(point), key)
        assert all(t.isfinite().all() for t in leaves_of(drawn).values()), name


CUSTOMARY = {
    "conservative": {
        "rotate/degrees": (5, 10),
        "color_jitter/brightness": (0.1, 0.2),
        "color_jitter/hue": (0.02, 0.05),
        "gaussian_blur/sigma/high": (0.1, 0.5),
        "resized_crop/scale/low": (0.5, 1),
        "coarse_dropout/holes/low": (2, 4),
        "coarse_dropout/holes/high": (2, 4),
        "cutmix/weight/alpha": (0.2, 0.5),
        "mixup/weight/alpha": (0.1, 0.2),
        "some_of/count": (1, 2),
        "some_of/level": (5, 9),
    },
    "aggressive": {
        "rotate/degrees": (15, 30),
        "color_jitter/brightness": (0.3, 0.5),
        "color_jitter/hue": (0.1, 0.2),
        "gaussian_blur/sigma/high": (0.1, 2),
        "resized_crop/scale/low": (0.08, 1),
        "coarse_dropout/holes/low": (8, 16),
        "coarse_dropout/holes/high": (8, 16),
        "cutmix/weight/alpha": (1, 1),
        "mixup/weight/alpha": (0.4, 1),
        "some_of/count": (2, 3),
        "some_of/level": (10, 15),
    },
}


@pytest.mark.parametrize("strength", CUSTOMARY)
def test_customary_ranges(strength):
    (some,) = af.rand_augment(n=3).steps.values()
    f = af.pipeline(
        af.rotate(),
        af.color_jitter(**JITTER),
        af.gaussian_blur(),
        af.resized_crop(size=8),
        af.coarse_dropout(),
        af.cutmix(num_classes=3),
        af.mixup(num_classes=3),
        some,
    )
    found = spans(f, strength)
    for path, want in CUSTOMARY[strength].items():
        assert found[path] == pytest.approx(want), path
    s = space(f, strength)
    assert all(s.params(s.sample(key)) for key in af.split(af.key(0), 5))


def test_customary_ranges_of_volumes_and_other_colours():
    f = af.pipeline(af.rotate3d(), af.affine3d(degrees=(-5, 5)), fuse=False)
    assert spans(f, "aggressive") == {"rotate3d/degrees": (15, 30), "affine3d/degrees": (15, 30)}
    assert spans(af.hue_rotation(hue=(-0.1, 0.1)), "conservative") == {"hue": (0.02, 0.05)}
    for op in (af.linear_contrast, af.linear_saturation):
        assert spans(op(factor=(0.8, 1.2)), "aggressive") == {"factor": (0.3, 0.5)}


def test_a_range_that_does_nothing():
    assert spans(af.gaussian_blur(sigma=(0.0, 0.0)), "aggressive") == {"sigma/high": (0, 2)}
    with pytest.raises(ValueError, match="nothing to tune"):
        space(af.gaussian_blur(sigma=(0.0, 0.0)))


def test_a_reach_beside_the_centre_is_that_of_its_end():
    assert spans(af.rotate(degrees=(0, 20)), "aggressive") == {"degrees/high": (15, 30)}
    assert spans(af.rotate(degrees=(-30, 20)), "aggressive") == {"degrees/low": (-30, -15), "degrees/high": (15, 30)}
    assert spans(af.brightness(factor=(0.6, 1.0)), "conservative") == {"factor/low": pytest.approx((0.8, 0.9))}
    assert spans(af.brightness(factor=(0.0, 1.5)), "conservative") == {
        "factor/low": pytest.approx((0.8, 0.9)),
        "factor/high": pytest.approx((1.1, 1.2)),
    }
    assert spans(af.brightness(factor=af.LogUniform(0.8, 1.25)), "conservative") == {
        "factor": pytest.approx((1.1, 1.2))
    }


@pytest.mark.parametrize(
    ("f", "strength", "words"),
    [
        (af.rand_augment(n=2), "aggressive", "n=3"),
        (af.rand_augment(n=3, dialect="timm"), "aggressive", "mmax=15"),
        (af.gaussian_blur(sigma=(1.0, 2.0)), "conservative", "no room"),
    ],
)
def test_no_room_for_a_strength(f, strength, words):
    with pytest.raises(ValueError, match="no room") as error:
        space(f, strength)
    assert words in str(error.value)


def test_the_advice_on_room_works():
    assert space(af.rand_augment(n=3, dialect="timm", mmax=15), "aggressive").paths == [
        "some_of/count",
        "some_of/level",
    ]
    assert spans(af.gaussian_blur(sigma=(0, 0.5)), "conservative") == {"sigma/high": (0, 0.5)}


# points


def test_a_point_is_stable_when_others_are_fixed():
    f = af.pipeline(af.rotate(), af.hflip(p=0.5), af.gaussian_blur())
    whole, part = space(f), space(f, fixed=["hflip", "gaussian_blur/sigma/low"])
    assert part.paths == ["rotate/degrees", "gaussian_blur/sigma/high"]
    assert part.sample(af.key(3))["rotate/degrees"] == whole.sample(af.key(3))["rotate/degrees"]


def test_points_are_saved_and_come_back(tmp_path):
    f = af.pipeline(
        af.rotate(degrees=(-9, 9), p=0.5), af.one_of(af.invert(), af.gaussian_blur()), padding_mode="border"
    )
    s = space(f)
    g = s.policy(s.sample(af.key(1)))
    x, key = torch.rand(4, 3, 8, 8), af.key(2)
    for name in ("policy.yaml", "policy.json"):
        af.save(g, tmp_path / name)
        assert torch.equal(af.load(tmp_path / name)(x, None, key)[0], g(x, None, key)[0])


def test_fewer_choices_than_there_is_room_for_are_saved(tmp_path):
    f = space(af.rand_augment(n=3)).policy({"some_of/count": 1, "some_of/level": 9})
    af.save(f, tmp_path / "policy.yaml")
    x, key = torch.rand(4, 3, 8, 8), af.key(2)
    assert torch.equal(af.load(tmp_path / "policy.yaml")(x, None, key)[0], f(x, None, key)[0])


def test_a_space_travels_to_other_processes():
    s = pickle.loads(pickle.dumps(space(af.pipeline(af.rotate(), af.hflip(p=0.5)))))
    assert s.policy({"hflip/p": 0.25}).params["hflip"]["gate"].probs == 0.25


def test_numbers_of_numpy():
    s = space(af.rand_augment(n=3))
    want = s.policy({"some_of/count": 2, "some_of/level": 9})
    assert repr(s.policy({"some_of/count": np.int64(2), "some_of/level": np.float32(9)})) == repr(want)


def test_the_policy_is_not_changed():
    f = af.rotate(degrees=(-10, 10))
    s = space(f)
    s.policy({"degrees": 90.0})
    for leaf in leaves_of(s.policy({}).params).values():
        leaf.high.fill_(0.0)
    assert repr(s.base) == repr(f) == "rotate(degrees=Uniform(low=-10.0, high=10.0))"


def test_what_a_training_does_to_a_policy_stays_there():
    s = space(af.pipeline(af.rotate(), af.hflip(p=0.5)), fixed=["hflip"])
    before = repr(s.base)
    leaf(s.policy({}), "hflip/gate").probs.fill_(0.0)
    assert repr(s.base) == before


def test_grids():
    s = space(af.rand_augment(n=3))
    assert s.grid() == [{"some_of/count": n, "some_of/level": m} for n in range(1, 4) for m in range(31)]
    assert space(af.rotate(degrees=(-9, 9)), "aggressive").grid(4) == [{"degrees": v} for v in (15.0, 20.0, 25.0, 30.0)]
    ends = space(af.gaussian_blur(sigma=(0.1, 2.0))).grid(3)
    assert [(p["sigma/low"], p["sigma/high"]) for p in ends] == [(0, 0), (0, 2.5), (0, 5), (2.5, 2.5), (2.5, 5), (5, 5)]
    assert space(af.scale(scale=af.LogUniform(0.8, 1.25))).grid(3) == [{"scale": pytest.approx(v)} for v in (1, 2, 4)]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: space(torch.rand), "an augmentation"),
        (lambda: space(af.normalize(mean=0.5, std=0.5)), "nothing to tune"),
        (lambda: space(af.rotate(), "strong"), "conservative"),
        (lambda: space(af.rotate(), fixed=["hflip"]), "one of degrees"),
        (lambda: space(af.rotate(), fixed=["degrees"]), "nothing to tune"),
        (lambda: space(af.rotate(), fixed="degrees"), 'fixed=["degrees"]'),
        (lambda: space(af.augmix()).grid(), "at most 100,000"),
        (lambda: space(af.rotate()).params({"degree": 3}), "did you mean 'degrees'"),
        (lambda: space(af.rotate()).params({"degrees": 200}), "0 to 180"),
        (lambda: space(af.rotate()).params({"degrees": True}), "0 to 180"),
        (lambda: space(af.rand_augment()).params({"some_of/count": 1.5}), "a whole number from 1 to 2"),
        (lambda: space(af.rotate()).params({"degrees": float("nan")}), "0 to 180"),
    ],
)
def test_mistakes(make, words):
    with pytest.raises((TypeError, ValueError)) as error:
        make()
    assert words in str(error.value)


def test_the_table_is_readable():
    s = space(af.rand_augment(n=3), "conservative")
    assert s.dimensions.columns == ("path", "kind", "low", "high", "scale", "unit")
    assert str(s.dimensions) in repr(s)
    assert s.dimensions[1]["scale"] == "whole numbers"
