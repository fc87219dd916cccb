"""Behaviour analysis: experiments whose answers are known, and what it leaves as it was."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import augfn as af
from augfn.analysis import Tap, behaviour, cka, compare, corruption_errors, invariance, sweep
from augfn.analysis.measures import normalized_variance, relative_l2
from augfn.analysis.scores import EMBEDDING, OUTPUT
from augfn.analysis.switching import switched

KEY = af.key(0)


def conv(a, b, stride=1, padding_mode="zeros"):
    return nn.Conv2d(a, b, 3, stride, 1, bias=False, padding_mode=padding_mode)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def images(n=24, side=12, channels=3):
    return af.uniform(af.key(7), (n, channels, side, side))


def values(table, column):
    return torch.tensor([e.value for e in table[column]], dtype=torch.float64)


class Head(nn.Module):
    """Logits of pooled features."""

    def __init__(self, *body, width=8, classes=4):
        super().__init__()
        self.body = nn.Sequential(*body)
        self.fc = nn.Linear(width, classes, bias=False)

    def forward(self, x):
        return self.fc(self.body(x).flatten(2).mean(2))


# known answers


@pytest.mark.parametrize("s", [0.25, 0.75, 1.5])
def test_without_biases_brightness_is_a_factor_everywhere(s):
    net = Head(conv(3, 6), nn.ReLU(inplace=True), conv(6, 8), nn.ReLU())
    report = behaviour(net, 0.6 * images(), af.brightness(factor=s), KEY, "*", draws=2)
    assert report.names == ["body.0", "body.1", "body.2", "body.3", "body", "fc"]
    for measure, value in (("relative_l2", abs(1 - s)), ("cosine", 1.0), ("cka", 1.0), ("rank_correlation", 1.0)):
        near = 1e-3 if measure == "rank_correlation" else 2e-5  # distances that are nearly equal may change places
        torch.testing.assert_close(values(report.layers, measure), torch.full((6,), value).double(), rtol=near, atol=0)


def test_instance_norm_takes_brightness_and_contrast_away():
    net = Head(nn.InstanceNorm2d(3, eps=0.0), conv(3, 8), nn.ReLU())
    x = 0.2 + 0.2 * images()
    f = af.pipeline(af.brightness(factor=(0.5, 1.5)), af.contrast(factor=(0.5, 1.5)))
    report = behaviour(net, x, f, KEY, ["body.0", "body.1", "fc"], draws=4)
    assert values(report.layers, "relative_l2").max() < 1e-4
    assert (1 - values(report.layers, "cosine")).abs().max() < 1e-6
    before = behaviour(nn.Sequential(nn.Identity(), net), x, f, KEY, "0", draws=4)
    assert before.layers["relative_l2"][0].low > 0.1


@pytest.mark.parametrize("stride", [1, 2])
def test_circular_convolutions_are_equivariant_to_circular_shifts(stride):
    """A jigsaw of two tiles is a circular shift by half the frame; undone on a map it gives the clean map."""
    body = (conv(3, 8, stride, "circular"), nn.ReLU(), conv(8, 8, 1, "circular"), nn.ReLU())
    measures = ("relative_l2", "equivariance")
    for grid in ((1, 2), (2, 1)):
        report = behaviour(Head(*body), images(), af.jigsaw(grid=grid), KEY, draws=1, measures=measures)
        rows = {row["layer"]: row for row in report.layers}
        for layer in ("body.0", "body.2"):
            assert rows[layer]["relative_l2"].low > 0.3
            assert rows[layer]["equivariance"].value < 1e-5
        assert rows["fc"]["relative_l2"].value < 1e-5  # after pooling it is invariant
        assert math.isnan(rows["fc"]["equivariance"].value)  # no map


def test_zero_padding_is_not_equivariant_to_circular_shifts():
    net = Head(conv(3, 8), nn.ReLU())
    report = behaviour(net, images(), af.jigsaw(grid=(1, 2)), KEY, draws=1, measures=("equivariance",))
    assert report.layers["equivariance"][0].low > 0.05


class ReadsHue(nn.Module):
    """Two colours' difference in excess of grey: it changes with the hue, and not with where things are."""

    def forward(self, x):
        centred = x - x.mean(1, keepdim=True)
        return centred.flatten(2).mean(2)


class Planted(nn.Module):
    """A layer that sees the light alone, and one that sees the colour alone."""

    def __init__(self):
        super().__init__()
        self.light, self.color = nn.Linear(1, 3), ReadsHue()
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        light = self.light(x.amax(1).flatten(1).mean(1, keepdim=True))  # the value of HSV, which hue keeps
        return self.fc(torch.cat([light, self.color(x)], 1))


def test_a_planted_layer_is_found_with_the_op_to_blame():
    x = 0.2 + 0.6 * images(24, 8) * torch.tensor([1.0, 0.6, 0.3])[:, None, None]
    f = af.pipeline(af.hflip(p=0.5), af.hue(hue=(-0.3, 0.3)), af.vflip(p=0.5))
    report = behaviour(Planted(), x, f, KEY, ["light", "color", "fc"], draws=8)
    rows = {row["layer"]: row["relative_l2"] for row in report.layers}
    assert rows["color"].low > 0.3
    assert rows["light"].high < 1e-5
    blamed = report.ops.where(layer="color", measure="relative_l2").sorted("shapley")
    assert blamed[0]["op"] == "hue"
    assert blamed[0]["share"].low > 0.999
    assert all(row["left_out"].high < 1e-5 for row in blamed if row["op"] != "hue")


@pytest.mark.parametrize("policy", ["pipeline", "nested", "choices"])
def test_shapley_values_sum_to_the_whole(policy):
    f = {
        "pipeline": af.pipeline(af.rotate(), af.brightness(factor=(0.5, 1.5), p=0.5), af.gaussian_noise(std=0.2)),
        "nested": af.pipeline(af.to_float(), af.pipeline(af.resized_crop(size=10), af.hflip()), af.rotate(p=0.5)),
        "choices": af.pipeline(
            af.one_of(af.rotate(), af.invert()),
            af.some_of((1, 2), af.hflip(), af.posterize(bits=3)),
            af.maybe(af.hue()),
        ),
    }[policy]
    net = Head(conv(3, 8), nn.ReLU())
    labels = torch.arange(24) % 4
    report = behaviour(net, images(), f, KEY, labels=labels, draws=4, blame=3)
    assert len(report.steps) == 3
    assert {
        (OUTPUT, "jsd"),
        (OUTPUT, "flips"),
        (OUTPUT, "error"),
        (EMBEDDING, "cosine_distance"),
    } < report.shares.whole.keys()
    for name, whole in report.shares.whole.items():
        torch.testing.assert_close(report.shares.shapley[name].sum(-1), whole, rtol=1e-5, atol=1e-6)
        assert whole.shape == (24, 3)
    moments = report.passes["fc", "relative_l2"][:, :3, 0]
    assert report.shares.whole["fc", "relative_l2"].equal(moments)  # that of all draws, not another one
    left = report.shares.left_out["fc", "relative_l2"]
    assert left.shape == (24, 3, 3)


def test_the_share_of_a_step_that_acts_alone_is_its_own_effect():
    f = af.pipeline(af.brightness(factor=0.5), af.identity(), af.hflip(p=0.0))
    report = behaviour(Head(conv(3, 8), nn.ReLU()), images(), f, KEY, draws=4)
    rows = report.ops.where(layer="body.0", measure="relative_l2")
    assert rows[0]["shapley"].value == pytest.approx(0.5, rel=1e-5)
    assert rows[0]["left_out"].value == pytest.approx(0.5, rel=1e-5)
    assert rows[1]["op"] == "hflip"
    assert rows[1]["shapley"].value == rows[1]["left_out"].value == 0


def test_shares_do_not_need_their_measure_in_the_table():
    f = af.pipeline(af.rotate(), af.brightness(factor=(0.5, 1.5)))
    net = Head(conv(3, 8), nn.ReLU())
    a, b = (behaviour(net, images(), f, KEY, "fc", draws=1, measures=m) for m in (("cka",), ("cka", "relative_l2")))
    torch.testing.assert_close(a.shares.shapley["fc", "relative_l2"], b.shares.shapley["fc", "relative_l2"])


# the reference


def test_what_prepares_images_acts_on_both_sides():
    """Resize, normalize and conversions are no effect; a random crop is compared with the middle."""
    seen = []

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3 * 36, 2)

        def forward(self, x):
            seen.append(x)
            return self.fc(x.flatten(1))

    x = (images(6, 12) * 255).to(torch.uint8)
    stats = {"mean": 0.5, "std": 0.25}
    f = af.pipeline(af.to_float(), af.random_crop(size=6), af.brightness(factor=(0.5, 1.5)), af.normalize(**stats))
    report = behaviour(Net(), x, f, KEY, draws=2, batch=6)
    order = torch.cat(report.plan.blocks())
    expected = (af.center_crop(size=6)(af.to_float(x))[0] - 0.5) / 0.25
    assert any(torch.allclose(y, expected[order]) for y in seen if len(y) == 6)
    assert report.steps == ["random_crop", "brightness"]


def test_all_draws_are_those_of_the_sample_and_the_key():
    """Whatever the batch: the same figures, and the same images again."""
    net, x = Head(conv(3, 8), nn.ReLU()), images()
    f = af.pipeline(af.rotate(), af.gaussian_noise(std=0.1), af.hflip(p=0.5))
    a, b = (behaviour(net, x, f, KEY, draws=3, batch=n, blame=1) for n in (24, 5))
    for name in (("fc", "relative_l2"), ("body.0", "cosine"), (OUTPUT, "jsd")):
        torch.testing.assert_close(a.passes[name], b.passes[name], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        a.shares.shapley["fc", "relative_l2"], b.shares.shapley["fc", "relative_l2"], atol=1e-5, rtol=1e-4
    )
    y, params = a.again(5, 2)
    own = af.sample_keys(KEY, [5], 2)
    assert y.equal(f(x[5:6], None, own)[0][0])
    assert params["rotate"]["degrees"].equal(f(x[5:6], None, own)[1]["rotate"]["degrees"])


# inputs


def test_one_image():
    report = behaviour(Head(conv(3, 8), nn.ReLU()), images(1)[0], af.rotate(degrees=(5, 45)), KEY, draws=8)
    row = report.layers[0]
    assert 0 < row["relative_l2"].low < row["relative_l2"].value < row["relative_l2"].high
    assert math.isnan(row["cka"].value)
    assert "cka needs 4 images" in str(report)
    assert "8 draws of one image" in str(report)


def test_a_dataset_of_images_and_labels_is_read_as_it_is_needed():
    x, read = images(8), []

    class Data(torch.utils.data.Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, i):
            if i >= 8:
                raise IndexError
            read.append(i)
            return x[i], i

    net = Head(conv(3, 8), nn.ReLU())
    a, b = (behaviour(net, given, af.hflip(), KEY, draws=2, batch=4) for given in (x, Data()))
    assert a.passes["fc", "cosine"].equal(b.passes["fc", "cosine"])
    assert sorted(read[2:]) == list(range(8))  # the first two are looked at before


def test_a_module_and_its_function_are_one():
    from augfn_nn import AugmentationSequential, RandomHorizontalFlip, RandomRotation

    module = AugmentationSequential(RandomHorizontalFlip(p=0.5), RandomRotation(20.0))
    net = Head(conv(3, 8), nn.ReLU())
    a, b = (behaviour(net, images(), f, KEY, draws=2) for f in (module, module.f))
    assert a.passes["fc", "cosine"].equal(b.passes["fc", "cosine"])
    assert a.steps == b.steps


def test_dense_predictions_are_taken_back():
    """A net of single pixels segments the flipped image as the image, flipped: nothing has changed."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 5, 1))
    x = images(8)
    labels = net(x).argmax(1)
    report = behaviour(net, x, af.pipeline(af.hflip(), af.vflip(p=0.5)), KEY, labels=labels, draws=3)
    rows = {row["measure"]: row["augmented"] for row in report.embedding}
    assert rows["flips"].value == 0
    assert rows["accuracy"].value == 1
    assert report.layers["relative_l2"][0].value > 0.3
    turned = behaviour(net, x, af.rotate(degrees=30), KEY, labels=labels, draws=1)
    assert dict(turned.embedding.rows and [(r[0], r[2]) for r in turned.embedding.rows])["flips"].value < 0.7
    crop = behaviour(net, x, af.random_crop(size=8), KEY, draws=1)
    assert any("changes the frame" in note for note in crop.notes)


class Dicts(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Head(conv(3, 8), nn.ReLU())

    def forward(self, x):
        return {"aux": x, "logits": self.net(x)}


def test_outputs_in_dicts_and_tuples():
    plain = Dicts()
    a = behaviour(plain, images(), af.rotate(), KEY, labels=torch.zeros(24, dtype=torch.long), draws=2)
    b = behaviour(plain.net, images(), af.rotate(), KEY, labels=torch.zeros(24, dtype=torch.long), draws=2)
    assert a.passes[OUTPUT, "jsd"].equal(b.passes[OUTPUT, "jsd"])
    assert a.passes[EMBEDDING, "cosine"].equal(b.passes[EMBEDDING, "cosine"])


def test_the_embedding_is_what_goes_into_the_head():
    net = Head(conv(3, 8), nn.ReLU())
    x = images(8)
    report = behaviour(net, x, af.rotate(), KEY, draws=1)
    y, _ = af.rotate()(x, None, af.sample_keys(KEY, range(8), 0))
    with torch.no_grad():
        a, b = (net.body(z).flatten(2).mean(2) for z in (x, y))
    torch.testing.assert_close(
        report.passes[EMBEDDING, "cosine"][:, 0, 0], F.cosine_similarity(a, b), rtol=1e-5, atol=1e-6
    )
    named = behaviour(net, x, af.rotate(), KEY, draws=1, embedding="body")
    torch.testing.assert_close(
        named.passes[EMBEDDING, "cosine"], report.passes[EMBEDDING, "cosine"], rtol=1e-5, atol=1e-6
    )


def test_half_precision_and_double():
    x = images(8)
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        net = Head(conv(3, 8), nn.ReLU()).to(dtype)
        report = behaviour(net, x, af.rotate(), KEY, draws=1)
        single = behaviour(net.float(), x, af.rotate(), KEY, draws=1)
        assert report.layers["relative_l2"][0].value == pytest.approx(single.layers["relative_l2"][0].value, rel=1e-2)


def test_a_model_is_left_as_it_was():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(400, 3))
    net.train()
    net[1].eval()
    state = {n: t.clone() for n, t in net.state_dict().items()}
    behaviour(net, images(), af.rotate(), KEY, draws=1)
    assert [m.training for m in net] == [True, False, True, True, True]
    assert all(t.equal(state[n]) for n, t in net.state_dict().items())
    assert not any(m._forward_hooks for m in net.modules())
    assert all(p.grad is None for p in net.parameters())


def test_own_measures():
    def largest(x, y):
        return (x - y).flatten(1).abs().amax(1)

    def of_the_block(x, y):
        return (x - y).abs().max()

    report = behaviour(
        Head(conv(3, 8)), images(), af.hflip(), KEY, draws=1, measures=(largest, of_the_block, "procrustes")
    )
    assert report.layers.columns == ("layer", "largest", "of_the_block", "procrustes")
    assert report.layers["of_the_block"][0].value >= report.layers["largest"][0].value > 0


@pytest.mark.parametrize(
    "reads", ["relative_l2", "cosine", "cka", "rank_correlation", "cka_biased", "cka_rbf", "procrustes"]
)
def test_measures_of_a_study_are_those_of_the_module(reads):
    """By products of samples as by the pure functions."""
    from augfn.analysis import measures as m
    from augfn.analysis.subspaces import procrustes

    pure = {
        "relative_l2": m.relative_l2,
        "cosine": m.cosine,
        "cka": m.cka,
        "rank_correlation": m.rsa,
        "cka_biased": lambda x, y: m.cka(x, y, debiased=False),
        "cka_rbf": lambda x, y: m.cka(x, y, kernel="rbf"),
        "procrustes": procrustes,
    }[reads]
    net, x = Head(conv(3, 8), nn.ReLU(), conv(8, 8)), images(10)
    report = behaviour(
        net, x, af.rotate(degrees=20), KEY, ["body.0", "body.2", "fc"], draws=1, measures=(reads,), batch=10
    )
    y, _ = af.rotate(degrees=20)(x)
    for i, layer in enumerate((net.body[:1], net.body, net)):
        with torch.no_grad():
            expected = pure(layer(x), layer(y)).double().mean()
        assert report.layers[reads][i].value == pytest.approx(float(expected), rel=2e-4, abs=2e-5)


def test_resuming_gives_the_same(tmp_path):
    net, x = Head(conv(3, 8), nn.ReLU()), images()
    f = af.pipeline(af.rotate(), af.hflip(p=0.5))
    arguments = {"labels": torch.arange(24) % 3, "draws": 4, "batch": 6}

    class Stops(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.left = net, 20

        def forward(self, x):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return self.net(x)

    model = Stops()
    with pytest.raises(KeyboardInterrupt):
        behaviour(model, x, f, KEY, resume=tmp_path / "parts", **arguments)
    done = len(list((tmp_path / "parts").glob("block-*.pt")))
    assert 0 < done < 4
    model.left = 1000
    again = behaviour(model, x, f, KEY, resume=tmp_path / "parts", **arguments)
    whole = behaviour(model, x, f, KEY, **arguments)
    assert str(again) == str(whole)
    assert all(again.passes[n].nan_to_num().equal(whole.passes[n].nan_to_num()) for n in whole.passes)
    with pytest.raises(ValueError, match="results of another study"):
        behaviour(model, x, f, af.key(1), resume=tmp_path / "parts", **arguments)


ONE = {"draws": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"augment": lambda x: x}, "not an augmentation"),
        ({"augment": af.mixup()}, "mixes images"),
        ({"augment": af.views(af.hflip(), 2)}, "gives several"),
        ({"augment": af.normalize(mean=0.5, std=0.5)}, "nothing is varied"),
        ({"images": torch.rand(3, 4)}, "of at least one"),
        ({"images": []}, "not empty"),
        ({"images": [torch.rand(3, 8, 8), torch.rand(3, 9, 9)]}, "several sizes"),
        ({"labels": torch.zeros(3, dtype=torch.long)}, "24 class indices"),
        ({"labels": torch.zeros(24)}, "24 class indices"),
        ({"layers": "nothing"}, "unknown layer"),
        ({"measures": ("nothing",)}, "unknown measure"),
        ({"embedding": "nothing"}, "unknown layer"),
        ({"draws": 0}, "draws"),
        ({"batch": 0}, "batch"),
        ({"resamples": 0}, "resamples"),
        ({"blame": 2}, "blame"),
        ({"level": 95}, "level"),
        ({"layers": torch.arange(24) % 3}, "labels go by name"),
        ({"key": af.split(KEY, 24)}, "one key"),
        ({"images": torch.rand(4, 3, 8, 8).numpy()}, "to_float"),
        ({"model": lambda x: x}, "not a module"),
        ({"images": (images() * 255).to(torch.uint8)}, "to_float"),
    ],
)
def test_mistakes(change, message):
    given = {"model": Head(conv(3, 8)), "images": images(), "augment": af.rotate(), "key": KEY, "draws": 1} | change
    with pytest.raises((TypeError, ValueError), match=message):
        behaviour(**given)


# what models do to what they are given


def test_an_embedding_that_the_next_layer_writes_into():
    torch.manual_seed(1)
    a, b = (
        nn.Sequential(nn.Flatten(), nn.Linear(432, 16), nn.ReLU(inplace=i), nn.Linear(16, 4)) for i in (True, False)
    )
    b.load_state_dict(a.state_dict())
    found = [behaviour(net, images(), af.rotate(), KEY, draws=1, embedding="1") for net in (a, b)]
    assert found[0].passes[EMBEDDING, "cosine"].equal(found[1].passes[EMBEDDING, "cosine"])
    ends = nn.Sequential(nn.Flatten(), nn.Linear(432, 4), nn.ReLU(inplace=True))  # no scores of classes come out
    nn.init.constant_(ends[1].bias, -1.0)
    assert (OUTPUT, "flips") not in behaviour(ends, images(), af.rotate(), KEY, draws=1).passes


def test_a_model_that_writes_into_its_input():
    class Writes(nn.Module):
        def __init__(self, write):
            super().__init__()
            self.write, self.fc = write, nn.Linear(432, 4)

        def forward(self, x):
            x = x.sub_(0.5).div_(0.25) if self.write else (x - 0.5) / 0.25
            return self.fc(x.flatten(1))

    x = images()
    before = x.clone()
    a, b = Writes(True), Writes(False)
    b.load_state_dict(a.state_dict())
    f = af.pipeline(af.brightness(factor=(0.5, 1.5)), af.hflip(p=0.5))
    found = [behaviour(net, x, f, KEY, draws=2) for net in (a, b)]
    assert found[0].passes["fc", "relative_l2"].equal(found[1].passes["fc", "relative_l2"])
    assert sweep(a, x, af.brightness(), "factor", [1.0, 0.5]).at("relative_l2", "fc")[0].value == 0
    corruption_errors(a, x, torch.zeros(24, dtype=torch.long), KEY, {"none": (af.brightness(factor=1.0),)})
    assert x.equal(before)


class Collapses(nn.Module):
    """Not a number where an image is dark."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(432, 4)

    def forward(self, x):
        y = self.fc(x.flatten(1))
        return torch.where(x.mean((1, 2, 3), keepdim=False)[:, None] < 0.2, torch.nan, y)


def test_what_is_no_number_is_told():
    labels = torch.arange(24) % 4
    curves = sweep(Collapses(), images(), af.brightness(), "factor", [1.0, 0.8, 0.1], labels=labels)
    assert curves.at("accuracy")[2].value == 0  # it is wrong
    assert math.isnan(curves.tolerance("cosine", 0.5, EMBEDDING).value) or curves.at("cosine", EMBEDDING)[2].value > 0.5
    report = behaviour(Collapses(), images(), af.brightness(factor=(0.1, 1.0)), KEY, ["fc"], labels, draws=2)
    assert any("flips are not finite" in s for s in report.said())
    errors = corruption_errors(Collapses(), images(), labels, KEY, {"dark": (af.brightness(factor=0.01),)})
    assert errors == {"dark": [1.0]}


def test_a_curve_of_one_image_has_no_interval():
    curves = sweep(Head(conv(3, 8), nn.ReLU()), images(1), af.brightness(), "factor", [1.0, 0.5, 0.2])
    e = curves.tolerance("relative_l2", 0.3, "fc")
    assert e.value == pytest.approx(0.7)
    assert math.isnan(e.low)


class SequenceFirst(nn.Module):
    """Rows of an image as a sequence, before the images; as many of them as images in a batch."""

    def __init__(self):
        super().__init__()
        self.embed, self.fc = nn.Linear(36, 8), nn.Linear(8, 4)

    def forward(self, x):
        t = self.embed(x.movedim(2, 0).flatten(2))  # [12, B, 36]
        return self.fc(t.mean(0))


def test_where_images_are_is_seen_not_guessed():
    net = SequenceFirst()
    found = [behaviour(net, images(), af.rotate(), KEY, draws=1, batch=n).passes["embed", "cosine"] for n in (12, 8, 1)]
    for other in found[1:]:
        torch.testing.assert_close(found[0], other, rtol=1e-4, atol=1e-6)
    report = behaviour(net, images(), af.rotate(), KEY, draws=1, batch=12, embedding="embed")
    y = af.rotate()(images(), None, af.sample_keys(KEY, range(24), 0))[0]
    with torch.no_grad():
        a, b = (net.embed(x.movedim(2, 0).flatten(2)).mean(0) for x in (images(), y))
    torch.testing.assert_close(
        report.passes[EMBEDDING, "cosine"][:, 0, 0], F.cosine_similarity(a, b), rtol=1e-4, atol=1e-6
    )


def test_weights_by_parametrization_are_no_layer():
    net = nn.Sequential(nn.Flatten(), nn.utils.parametrizations.spectral_norm(nn.Linear(432, 4)))
    assert behaviour(net, images(), af.rotate(), KEY, draws=1).names == ["1"]


def test_blocks_that_are_too_small_are_told():
    report = behaviour(Head(conv(3, 8)), images(), af.rotate(), KEY, draws=1, batch=2)
    assert any("cka needs 4 images" in note for note in report.notes)


def test_measures_of_the_module_as_own_ones():
    a = behaviour(Head(conv(3, 8)), images(), af.rotate(), KEY, draws=1, measures=(cka,), batch=24)
    b = behaviour(Head(conv(3, 8)), images(), af.rotate(), KEY, draws=1, measures="cka", batch=24)
    assert a.layers.columns == b.layers.columns == ("layer", "cka")
    with pytest.raises(ValueError, match="two of one name"):
        behaviour(Head(conv(3, 8)), images(), af.rotate(), KEY, draws=1, measures=(lambda x, y: x, lambda x, y: y))


def test_shares_are_of_the_same_cells():
    """A layer that is 0 for some clean images: what is not finite is left out of all shares and of the whole."""

    class Dead(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.fc = nn.Linear(1, 1, bias=False), nn.Linear(1, 2)

        def forward(self, x):
            return self.fc(self.layer((x.mean((1, 2, 3), keepdim=False)[:, None] - 0.5).relu()))

    f = af.pipeline(af.brightness(factor=(0.5, 1.5)), af.brightness_shift(shift=(-0.1, 0.1)))
    report = behaviour(Dead(), images(), f, KEY, ["layer"], draws=4, blame=4)
    rows = report.ops.where(layer="layer")
    assert not report.shares.whole["layer", "relative_l2"].isfinite().all()
    assert sum(r["share"].value for r in rows) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    "change",
    [
        {"labels": (torch.arange(24) + 1) % 3},
        {"images": torch.cat([images()[:23], images()[:1]])},
        {"embedding": "body"},
        {"augment": af.rotate(degrees=(-30.00001, 30.0))},
        {"model": "other weights"},
        {"measures": ("cosine",)},
        {"augment": af.rotate(padding_mode="reflection")},
    ],
)
def test_another_study_is_not_taken_for_this_one(change, tmp_path):
    net = Head(conv(3, 8), nn.ReLU())
    given = {"model": net, "images": images(), "augment": af.rotate(), "key": KEY, "labels": torch.arange(24) % 3}
    given |= {"draws": 1, "resume": tmp_path}
    behaviour(**given)
    if change == {"model": "other weights"}:
        other = Head(conv(3, 8), nn.ReLU())
        other.load_state_dict({n: t.flip(0) for n, t in net.state_dict().items()})
        change = {"model": other}
    with pytest.raises(ValueError, match="another study"):
        behaviour(**given | change)


def test_labels_that_are_no_classes():
    net = Head(conv(3, 8))
    with pytest.raises(ValueError, match="no classes"):
        behaviour(net, images(), af.rotate(), KEY, labels=torch.full((24,), 255), draws=1)
    one = nn.Sequential(nn.Flatten(), nn.Linear(432, 1))
    report = behaviour(one, images(), af.rotate(), KEY, labels=torch.zeros(24, dtype=torch.long), draws=1)
    assert any("no scores of classes" in note for note in report.notes)
    dense = nn.Conv2d(3, 5, 1)
    labels = nn.Sequential(dense)(images()).argmax(1)
    kept = labels.clone()
    labels[:, :6] = 255
    found = [behaviour(nn.Sequential(dense), images(), af.hflip(), KEY, labels=t, draws=1) for t in (labels, kept)]
    assert any("50.0% of the labels" in note for note in found[0].notes)
    for report in found:
        assert {r["measure"]: r["augmented"].value for r in report.embedding}["accuracy"] == 1


def test_sizes_tell_studies_apart(tmp_path):
    net, draws = Head(conv(3, 8), nn.ReLU()), {"draws": 1, "resume": tmp_path}
    first = behaviour(net, images(), af.resized_crop(size=8), KEY, **draws)
    with pytest.raises(ValueError, match="another study"):
        behaviour(net, images(), af.resized_crop(size=10), KEY, **draws)
    with pytest.raises(ValueError, match="not the same draws"):
        compare(first, behaviour(net, images(), af.resized_crop(size=10), KEY, draws=1))


def test_maps_are_taken_back_where_every_step_keeps_the_frame_alone():
    """A resize and a crop back to the frame: clean maps are of the middle, so nothing is compared with what is undone."""
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(2))
    f = af.pipeline(af.resize(size=16), af.random_crop(size=12))
    report = behaviour(net, images(), f, KEY, draws=1, measures=("equivariance",))
    assert not len(report.layers)
    assert any("changes the frame" in note for note in report.notes)
    f = af.resized_crop(size=12)  # to the size of the frame, but not to that of a map
    assert not len(behaviour(net, images(), f, KEY, draws=1, measures=("equivariance",)).layers)


def test_a_map_of_which_nothing_is_seen_is_not_equivariant():
    net = nn.Sequential(nn.Conv2d(3, 4, 1))
    report = behaviour(
        net, images(), af.translate(translate=torch.tensor([1.0, 0.0])), KEY, draws=1, measures=("equivariance",)
    )
    assert math.isnan(report.layers["equivariance"][0].value)


def test_a_layer_that_runs_now_and_then_is_left_out():
    class Exits(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.fc = nn.Linear(432, 8), nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x):
            y = self.a(x.flatten(1))
            return self.fc(self.b(y) if x.mean() > 0.45 else y)

    report = behaviour(Exits(), images(), af.brightness(factor=(0.5, 1.2)), KEY, draws=4, batch=4)
    assert report.names == ["a", "fc"]
    assert any("b does not run in every pass" in note for note in report.notes)


def test_the_probe_does_not_depend_on_the_order_of_images():
    net, x = Head(conv(3, 8), nn.ReLU()), images(32)
    labels = torch.arange(32) % 2  # each half of even and odd numbers would have one class
    report = behaviour(net, x, af.rotate(), KEY, labels=labels, draws=4)
    agreement = {r["measure"]: r["augmented"] for r in report.embedding}["probe_agreement"]
    assert agreement.value < 0.999


def test_rank_correlation_beside_a_large_mean():
    class Shifted(nn.Module):
        def __init__(self, by):
            super().__init__()
            self.by, self.layer, self.fc = by, nn.Identity(), nn.Linear(432, 2)

        def forward(self, x):
            return self.fc(self.layer(x + self.by).flatten(1))

    found = [behaviour(Shifted(by), images(16), af.rotate(), KEY, "layer", draws=2).layers[0] for by in (0.0, 100.0)]
    for measure in ("rank_correlation", "cka"):
        assert found[1][measure].value == pytest.approx(found[0][measure].value, abs=5e-3)


def test_shapley_values_are_those_of_all_coalitions():
    """Of three steps, against the exact values over all eight coalitions, within what permutations leave to chance."""
    net, x = Head(conv(3, 8), nn.ReLU()), images(24)
    f = af.pipeline(af.rotate(degrees=(-30, 30)), af.brightness(factor=(0.5, 1.5)), af.gaussian_noise(std=0.1))
    report = behaviour(net, x, f, KEY, "fc", draws=8, blame=8)
    names, exact = report.steps, torch.zeros(24, 8, 3, dtype=torch.float64)
    for d in range(8):
        _, params = f(x, None, af.sample_keys(KEY, range(24), d))
        effect = {}
        for on in itertools.product((0.0, 1.0), repeat=3):
            gates = {n: torch.full((24,), v) for n, v in zip(names, on, strict=True)}
            with torch.no_grad():
                effect[on] = relative_l2(net(x), net(f(x, switched(f, params, gates, (12, 12)))[0])).double()
        for i in range(3):
            for on in effect:
                if not on[i]:
                    more = (*on[:i], 1.0, *on[i + 1 :])
                    weight = {0: 1 / 3, 1: 1 / 6, 2: 1 / 3}[int(sum(on))]
                    exact[:, d, i] += weight * (effect[more] - effect[on])
    found = report.shares.shapley["fc", "relative_l2"].double()
    apart = (found - exact).mean((0, 1))
    chance = (found - exact).flatten(0, 1).std(0) / 192**0.5
    assert (apart.abs() < 3.5 * chance + 1e-6).all()
    torch.testing.assert_close(found.sum(-1), exact.sum(-1), rtol=1e-4, atol=1e-5)


def test_no_global_randomness():
    torch.manual_seed(3)
    f = af.pipeline(af.rotate(), af.hflip(p=0.5))
    net = Head(conv(3, 8))
    state = torch.get_rng_state()
    behaviour(net, images(), f, KEY, draws=1).layers  # noqa: B018
    sweep(net, images(), af.rotate(), "degrees", [0, 10])
    assert torch.get_rng_state().equal(state)


def test_layers_that_are_never_called():
    class Exported(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(432, 2)

        def forward(self, x):
            return F.linear(x.flatten(1), self.fc.weight, self.fc.bias)

    with pytest.raises(ValueError, match="no layer was called"):
        behaviour(Exported(), images(), af.rotate(), KEY, draws=1)


def test_a_tap_of_nodes_follows_the_mode():
    net = nn.Sequential(nn.Linear(3, 64), nn.Dropout(0.5)).train()
    tap = Tap(net, nodes=True)
    net.eval()
    x = torch.ones(2, 3)
    assert tap(x, lambda n, t: None).equal(net(x))


# curves


def test_a_curve_of_a_known_net():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 144, 4, bias=False))
    curves = sweep(net, images(), af.brightness(), "factor", [1.0, 0.8, 0.6, 0.4], measures=("relative_l2", "cka"))
    assert [e.value for e in curves.at("relative_l2", "1")] == pytest.approx([0, 0.2, 0.4, 0.6], abs=1e-6)
    assert curves.tolerance("relative_l2", 0.3, "1").value == pytest.approx(0.7)
    assert curves.tolerance("relative_l2", 0.9, "1").value == math.inf
    assert curves.tolerance("cosine", 1.5, EMBEDDING).value == -math.inf
    assert len(curves.table) == 4 * len(curves.moments)


def test_accuracy_over_a_parameter_and_by_class():
    """A classifier by brightness: class 0 is dark, 1 is light; darkened below the threshold class 1 is lost at a known factor."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 2))
    with torch.no_grad():
        net[1].weight.copy_(torch.stack([torch.zeros(48), torch.full((48,), 1 / 48)]))
        net[1].bias.copy_(torch.tensor([0.5, 0.0]))
    levels = torch.linspace(0.55, 1.0, 20)
    x = torch.cat([torch.full((20, 3, 4, 4), 0.2), levels[:, None, None, None].expand(20, 3, 4, 4)])
    labels = torch.arange(2).repeat_interleave(20)
    factors = torch.linspace(1.0, 0.4, 61)
    curves = sweep(net, x, af.brightness(), "factor", factors, labels=labels, batch=40)
    assert curves.at("accuracy")[0].value == 1
    expected = [float(((levels * f) > 0.5).float().mean() + 1) / 2 for f in factors]
    assert [e.value for e in curves.at("accuracy")] == pytest.approx(expected, abs=0.026)
    by_class = curves.tolerances("accuracy", 0.5)
    assert by_class[0]["factor"].value == math.inf  # the dark ones stay dark
    half = float((0.5 / levels).median())
    e = by_class[1]["factor"]
    assert abs(e.value - half) < 0.03
    assert e.low <= e.value <= e.high
    assert curves.tolerances("cosine", 0.5, by="layer")["layer"] == ["1", EMBEDDING]


def test_a_leaf_in_a_pipeline_and_of_a_vector():
    net = Head(conv(3, 8), nn.ReLU())
    f = af.pipeline(af.rotate(degrees=(-5, 5)), af.translate(translate=(0.1, 0.1)))
    curves = sweep(net, images(8), f, "translate/translate", [[0.0, 0.0], [0.2, 0.0]], draws=2)
    assert curves.moments["fc", "cosine"].shape == (8, 2, 2, 1)
    assert curves.table["translate/translate"][1] == pytest.approx((0.2, 0.0))
    with pytest.raises(ValueError, match="values of several numbers"):
        curves.tolerance("cosine", 0.5)
    with pytest.raises(ValueError, match="unknown leaf"):
        sweep(net, images(8), f, "translate/nothing", [0.0, 1.0])
    with pytest.raises(ValueError, match="not measured"):
        curves.at("accuracy")


# units


@pytest.mark.parametrize("root", [False, True])
def test_invariance_of_units_is_the_closed_form_on_all_activations(root):
    net, x = Head(conv(3, 8), nn.ReLU()), images(11)
    table, units = invariance(net, x, af.rotate(), KEY, ["body.0", "fc"], draws=5, batch=4, root=root)
    with torch.no_grad():
        draws = [af.rotate()(x, None, af.sample_keys(KEY, [0], d).expand(11, 2))[0] for d in range(5)]
        for name, layer in (("body.0", net.body[0]), ("fc", net)):
            expected = normalized_variance(torch.stack([layer(y) for y in draws], 1), root)
            torch.testing.assert_close(units[name], expected, rtol=1e-4, atol=1e-5)
    assert table["units"] == [8 * 144, 4]
    with pytest.raises(ValueError, match="two or more of both"):
        invariance(net, x, af.rotate(), KEY, draws=1)


def test_normalized_variance_of_images_and_draws_that_add_up():
    """Of s_i + t_d it is var(t) / var(s), and inf of t_d alone."""
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1))
    x, f = images(9)[..., :1, :1], af.brightness_shift(shift=(-1.0, 1.0), clip="none")
    _, units = invariance(net, x, f, KEY, "0", draws=6, batch=4)
    shifts = torch.stack([f(x[:1], None, af.sample_keys(KEY, [0], d))[1]["shift"][0] for d in range(6)])
    torch.testing.assert_close(units["0"].flatten(), shifts.var() / x.flatten(1).var(0), rtol=1e-4, atol=1e-5)
    same = invariance(net, x[:1].expand(9, -1, -1, -1), f, KEY, "0", draws=6)[1]["0"]
    assert same.min() > 1e6  # inf, but for rounding


# comparison


def test_differences_are_paired():
    """Two nets, one twice as sensitive to the same draws: the difference is known much better than either value."""
    x, f = images(), af.brightness(factor=(0.5, 1.0))

    class Power(nn.Module):
        def __init__(self, p):
            super().__init__()
            self.p, self.layer, self.fc = p, nn.Identity(), nn.Linear(3 * 144, 4, bias=False)

        def forward(self, x):
            return self.fc(self.layer(x**self.p).flatten(1))

    first = behaviour(Power(1.0), x, f, KEY, ["layer"], draws=1)
    second = behaviour(Power(1.1), x, f, KEY, ["layer"], draws=1)
    row = compare(first, second).where(layer="layer", measure="relative_l2")[0]
    own = row["first"].high - row["first"].low
    assert row["difference"].high - row["difference"].low < own / 5
    assert row["difference"].low > 0
    assert row["difference"].value == pytest.approx(row["second"].value - row["first"].value)
    same = compare(first, first)
    assert all(
        r["difference"].value == 0 == r["difference"].high for r in same if r["difference"].high == r["difference"].high
    )


def test_seeds_are_samples():
    reports = [behaviour(Head(conv(3, 8)), images(), af.rotate(), KEY, draws=1) for _ in range(3)]
    row = compare(reports, reports[::-1]).where(layer="fc", measure="cosine")[0]
    values = torch.tensor([r.layers.where(layer="fc")[0]["cosine"].value for r in reports])
    assert row["first"].value == pytest.approx(float(values.mean()))
    reach = 4.302652729911275 * float(values.std()) / 3**0.5  # Student's t of two degrees of freedom
    assert row["first"].high - row["first"].value == pytest.approx(reach, rel=1e-5)
    with pytest.raises(ValueError, match="how many"):
        compare(reports, reports[:2])
    with pytest.raises(ValueError, match="not the same draws"):
        compare(reports[0], behaviour(Head(conv(3, 8)), images(), af.rotate(), af.key(1), draws=1))
