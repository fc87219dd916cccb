"""Test-time augmentation: what is undone comes back to its place, and views merge as the formulas say."""

import pytest
import torch
from torch import nn

import augfn as af

K = af.key(0)
X = torch.rand(3, 3, 16, 16)
D4 = af.product([af.identity(), af.hflip()], [af.rot90(k=k) for k in range(4)])


def local(x):
    """A dense model that sees a pixel alone: it commutes with what copies pixels."""
    return torch.stack([x.mean(1), x[:, 0] * x[:, 1]], 1)


def test_a_product_of_views():
    seen = [g(X)[0] for g in D4]
    assert len(seen) == 8
    assert all(not a.equal(b) for i, a in enumerate(seen) for b in seen[:i])
    assert seen[5].equal(X.flip(-1).rot90(1, (-2, -1)))


@pytest.mark.parametrize("merge", ["mean", "gmean", "max"])
@pytest.mark.parametrize("kind", ["softmask", "heatmap"])
def test_an_equivariant_model_is_left_as_it_is(kind, merge):
    for f in (D4, af.product([af.hflip(), af.vflip()])):
        torch.testing.assert_close(af.tta(local, f, kind, merge=merge)(X), local(X), atol=1e-5, rtol=1e-5)


def test_frames_that_are_not_square_turn_and_come_back():
    x = torch.rand(2, 3, 12, 20)
    torch.testing.assert_close(af.tta(local, D4, "softmask")(x), local(x), atol=1e-6, rtol=0)


def test_scores_are_merged():
    def model(x):
        return torch.stack([x[:, 0, 0, 0], x[:, 0, 0, -1], x[:, 0, -1, 0]], -1)

    views = [af.identity(), af.hflip(), af.vflip()]
    each = torch.stack([model(X), model(X.flip(-1)), model(X.flip(-2))])
    torch.testing.assert_close(af.tta(model, views)(X), each.mean(0))
    torch.testing.assert_close(af.tta(model, views, merge="max")(X), each.amax(0))
    torch.testing.assert_close(af.tta(model, views, merge="gmean")(X), each.prod(0) ** (1 / 3))
    votes = nn.functional.one_hot(each.argmax(-1), 3).float().mean(0)
    torch.testing.assert_close(af.tta(model, views, merge="vote")(X), votes)


def test_only_views_in_which_a_pixel_was_seen_count():
    half = af.translate(translate=torch.tensor([0.5, 0.0]))
    y = af.tta(lambda x: torch.ones_like(x[:, :1]) * (x.sum() > 0), [af.identity(), half], "softmask")(X)
    torch.testing.assert_close(y, torch.ones(3, 1, 16, 16))
    shifted = af.tta(local, [af.identity(), half], "softmask")(X)
    torch.testing.assert_close(shifted, local(X), atol=1e-5, rtol=0)


def test_the_rim_of_a_view_is_not_blended_with_what_is_outside():
    f = [af.rotate(degrees=20.0), af.rotate(degrees=-7.0)]
    y = af.tta(lambda x: torch.full_like(x[:, :2], 0.5), f, "softmask")(X)
    torch.testing.assert_close(y.sum(1), torch.ones(3, 16, 16))


def test_keypoints_come_back():
    def corner(x):
        """The brightest pixel."""
        at = x.mean(1).flatten(1).argmax(-1)
        return af.Keypoints(torch.stack([at % x.shape[-1], at // x.shape[-1]], -1)[:, None].float())

    found = af.tta(corner, D4, "keypoints")(X)
    torch.testing.assert_close(found.xy, corner(X).xy, atol=1e-4, rtol=0)
    assert found.visible.all()


def detector(x):
    """The box around what is bright, with a score and a class."""
    rows = []
    for one in x[:, 0] > 0.5:
        r, c = one.any(1).nonzero().flatten(), one.any(0).nonzero().flatten()
        rows.append([float(c[0]), float(r[0]), float(c[-1]) + 1, float(r[-1]) + 1])
    n = len(x)
    return {
        "boxes": af.Boxes(torch.tensor(rows)[:, None]),
        "scores": torch.full((n, 1), 0.9),
        "labels": torch.ones(n, 1),
    }


KINDS = {"boxes": "boxes", "scores": "other", "labels": "other"}


def test_boxes_are_fused():
    x = torch.zeros(2, 1, 20, 30)
    x[0, 0, 3:9, 5:15] = x[1, 0, 10:18, 2:4] = 1
    found = af.tta(detector, [af.identity(), af.hflip(), af.rot90(k=1)], KINDS, merge="wbf")(x)
    for (boxes, scores, labels), want in zip(found, ([5, 3, 15, 9], [2, 10, 4, 18]), strict=True):
        torch.testing.assert_close(boxes, torch.tensor([want], dtype=boxes.dtype), atol=1e-3, rtol=0)
        assert scores[0] == pytest.approx(0.9)
        assert labels.tolist() == [1]


def test_draws_with_a_key():
    predict = af.tta(local, af.rotate(degrees=(-5, 5)), "softmask", n=4)
    y = predict(X, K)
    assert y.shape == (3, 2, 16, 16)
    assert predict(X, K).equal(y)
    assert (y - local(X)).abs().mean() < 0.15
    with pytest.raises(ValueError, match=r"af\.key"):
        predict(X)


@pytest.mark.parametrize("f", [af.mixup(), af.views(af.hflip(), 2), [af.hflip(), af.cutmix()]])
def test_views_that_are_none(f):
    with pytest.raises(ValueError, match="of one image each"):
        af.tta(local, f)


def test_a_module_is_a_model():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with torch.no_grad():
        assert af.tta(net, D4)(X).shape == (3, 4)


@pytest.mark.parametrize(
    ("call", "error", "advice"),
    [
        (lambda: af.tta(local, D4, merge="median"), ValueError, "merge="),
        (lambda: af.tta(local, []), TypeError, "af.product"),
        (lambda: af.tta(local, D4)(X[0]), ValueError, "predict"),
        (lambda: af.tta(local, D4, "softmask", merge="wbf")(X), ValueError, "a dict with boxes"),
        (lambda: af.tta(lambda x: local(x).argmax(1), D4, "mask")(X), ValueError, "softmask"),
        (lambda: af.tta(lambda x: x[:, :1, 0, :2], D4, "keypoints", merge="vote")(X), ValueError, "'mean'"),
        (lambda: af.tta(lambda x: detector(x)["boxes"], D4, "boxes")((X > 0.5).float()), ValueError, "wbf"),
        (
            lambda: af.tta(lambda x: {"boxes": detector(x)["boxes"]}, D4, KINDS, merge="wbf")((X > 0.5).float()),
            ValueError,
            "scores",
        ),
    ],
)
def test_what_cannot_be_merged(call, error, advice):
    with pytest.raises(error, match=advice):
        call()


def test_a_dict_of_one_kind():
    y = af.tta(lambda x: {"out": local(x)}, D4, "softmask")(X)
    torch.testing.assert_close(y["out"], local(X), atol=1e-6, rtol=0)
