"""Several views of one batch, their losses, and what was drawn in words."""

import math

import pytest
import torch
from torch.nn import functional as F

import augfn as af
from augfn import losses
from augfn_nn import Augment

K = af.key(0)
X = torch.rand(6, 3, 16, 16)


def view():
    return af.pipeline(af.resized_crop(size=8), af.hflip(p=0.5), af.rotate())


def test_views_of_one_augmentation():
    f = af.views(view(), 2)
    (first, second), params = f(X, None, K)
    assert first.shape == second.shape == (6, 3, 8, 8)
    assert not first.equal(second)
    for y, name in ((first, "view_1"), (second, "view_2")):
        assert y.equal(view()(X, params[name])[0])
    assert all(a.equal(b) for a, b in zip(f(X, params)[0], (first, second), strict=True))


def test_a_view_is_independent_of_the_others():
    one = af.views(view(), 1)(X, None, K)[1]["view_1"]
    three = af.views(view(), 3)(X, None, K)[1]["view_1"]
    assert one["rotate"]["degrees"].equal(three["rotate"]["degrees"])
    degrees = [af.views(af.rotate(), 2)(torch.rand(4000, 1, 1, 1), None, K)[1][f"view_{i}"]["degrees"] for i in (1, 2)]
    assert torch.corrcoef(torch.stack(degrees))[0, 1].abs() < 0.06


def test_multi_crop():
    local = af.resized_crop(size=4, scale=(0.05, 0.4))
    f = af.views(*[af.resized_crop(size=8, scale=(0.4, 1.0))] * 2, *[local] * 6)
    sizes = [y.shape[-1] for y in f(X, None, K)[0]]
    assert sizes == [8, 8, *[4] * 6]


def test_views_of_targets_and_lists():
    f = af.views(view(), 2)
    sample = {"image": X, "mask": torch.zeros(6, 16, 16, dtype=torch.long)}
    assert [y["mask"].shape for y in f(sample, None, K)[0]] == [(6, 8, 8)] * 2
    first, second = f([X[0], X[1, :, :12]], None, K)[0]
    assert first.shape == second.shape == (2, 3, 8, 8)


def test_views_traced_mapped_and_in_modules():
    f = af.views(view(), 2)
    y, params = f(X, None, K)
    for a, b in zip(f.compiled(backend="eager")(X, None, K)[0], y, strict=True):
        torch.testing.assert_close(a, b)
    for a, b in zip(torch.func.vmap(f)(X, params)[0], y, strict=True):
        torch.testing.assert_close(a, b)
    aug = Augment(f)
    assert [v.shape for v in aug(X)] == [(6, 3, 8, 8)] * 2
    assert [v.shape for v in Augment(f, keepdim=True)(X[0])] == [(3, 8, 8)] * 2


def test_an_equivariance_loss_undoes_a_view():
    f = af.views(af.rot90(k=1), af.identity())
    (turned, plain), params = f(X, None, K)
    back, valid = af.invert(af.rot90(k=1))(turned, params["view_1"])
    assert back.equal(plain)
    assert valid.all()


@pytest.mark.parametrize(
    ("call", "advice"), [(lambda: af.views(view(), 0), "positive"), (lambda: af.views(), "no steps")]
)
def test_views_that_are_none(call, advice):
    with pytest.raises(ValueError, match=advice):
        call()


# losses


def test_smooth_labels_are_timms():
    """off = s / K, on = 1 - s + s / K."""
    y = losses.label_smooth(torch.tensor([[0, 2]]), 0.1, classes=5)
    assert y.shape == (1, 2, 5)
    torch.testing.assert_close(y[0, 1], torch.tensor([0.02, 0.02, 0.92, 0.02, 0.02]))
    mixed = torch.tensor([[0.25, 0.75]])
    torch.testing.assert_close(losses.label_smooth(mixed, 0.2), torch.tensor([[0.3, 0.7]]))
    with pytest.raises(ValueError, match="classes=K"):
        losses.label_smooth(torch.tensor([1]))


def test_soft_cross_entropy_is_torchs():
    logits, target = torch.randn(7, 5), torch.rand(7, 5).softmax(-1)
    torch.testing.assert_close(losses.soft_cross_entropy(logits, target), F.cross_entropy(logits, target))
    index = torch.randint(5, (7,))
    torch.testing.assert_close(losses.soft_cross_entropy(logits, index), F.cross_entropy(logits, index))


def test_jsd_is_that_of_augmix():
    """Three views: KL to the clamped mean, as the paper's code has it."""
    logits = [torch.randn(6, 4) for _ in range(3)]
    p = [x.softmax(-1) for x in logits]
    mean = (sum(p) / 3).clamp(1e-7, 1).log()
    expected = sum(F.kl_div(mean, q, reduction="batchmean") for q in p) / 3
    torch.testing.assert_close(losses.jsd(*logits), expected)
    assert losses.jsd(logits[0], logits[0]).abs() < 1e-6
    sure = torch.tensor([[1000.0, 0.0]]).requires_grad_()
    losses.jsd(sure, sure.flip(-1)).backward()
    assert sure.grad.isfinite().all()


def test_nt_xent_pair_by_pair():
    a, b, t = torch.randn(5, 8), torch.randn(5, 8), 0.2
    z = F.normalize(torch.cat([a, b]), dim=-1)
    total = 0.0
    for i in range(10):
        scores = [z[i] @ z[j] / t for j in range(10) if j != i]
        total += -(z[i] @ z[(i + 5) % 10] / t - torch.logsumexp(torch.stack(scores), 0))
    torch.testing.assert_close(losses.nt_xent(a, b, t), total / 10)
    assert losses.nt_xent(torch.eye(4), torch.eye(4), 0.01) < 1e-3


def test_fixmatch_counts_sure_samples_alone():
    weak, strong = (
        torch.tensor([[8.0, 0.0], [0.2, 0.0], [0.0, 9.0]]).requires_grad_(),
        torch.randn(3, 2).requires_grad_(),
    )
    expected = F.cross_entropy(strong[[0, 2]], torch.tensor([0, 1]), reduction="sum") / 3
    loss = losses.fixmatch(weak, strong)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert weak.grad is None
    assert strong.grad[1].abs().sum() == 0


def test_uda_is_a_sharpened_divergence():
    weak, strong = torch.tensor([[3.0, 0.0, 1.0], [0.1, 0.0, 0.0]]), torch.randn(2, 3)
    target = (weak / 0.4).softmax(-1)
    rows = (target * (target.log() - strong.log_softmax(-1))).sum(-1)
    torch.testing.assert_close(losses.uda(weak, strong), rows[0] / 2)


# words


def test_words():
    f = af.pipeline(
        af.maybe(af.hflip(), p=1.0),
        af.one_of(af.brightness(factor=0.5), af.gamma(gamma=2.0), weights=[0.0, 1.0]),
        af.some_of(2, af.vflip(), af.invert()),
        af.some_of(1, af.autocontrast(), af.equalize(), order="random", weights=[1e-6, 1e6]),
        af.identity(),
        af.shear(shear=((10.0, 10.0), (0.0, 0.0))),
        af.gaussian_noise(std=0.1, p=0.0),
    )
    words = af.explain(f(X, None, K)[1], sample=2)
    assert words == "hflip, then gamma 2, then vflip, then invert, then equalize, then shear (10, 0) degrees"


def test_words_of_policies():
    _, params = af.rand_augment(2)(X, None, K)
    assert all(len(af.explain(params, i).split(", then ")) <= 2 for i in range(6))
    assert af.explain(af.augmix()(X, None, K)[1]).startswith("mix ")
    assert af.explain(af.hflip(p=0.0)(X, None, K)[1]) == "nothing"
    assert "0.5" in af.explain({"rotate": {"degrees": torch.tensor(5.0), "gate": torch.tensor(0.5)}})
    one = af.translate(translate=(0.25, 0.5))(X[0], None, K)[1]
    assert af.explain({"translate": torch.tensor([0.25, 0.5])}) == "by (0.25, 0.5)"
    both = {"affine": {"degrees": torch.tensor(7.0), "shear": torch.tensor([1.0, 2.0])}}
    assert af.explain(both) == "affine 7 degrees shear (1, 2) degrees"
    assert af.explain({"moved": one}) == f"moved by ({', '.join(f'{v:.3g}' for v in one['translate'].tolist())})"
    with pytest.raises(TypeError, match="y, params = f"):
        af.explain(X)


def test_words_of_views():
    _, params = af.views(af.rotate(degrees=5.0), af.rotate(degrees=7.0))(X, None, K)
    assert af.explain(params) == "view_1: 5 degrees; view_2: 7 degrees"


def test_the_log_is_natural():
    assert losses.jsd(torch.tensor([[90.0, 0.0]]), torch.tensor([[0.0, 90.0]])).item() == pytest.approx(math.log(2))


def test_words_of_one_image_one_op_and_closed_gates():
    f = af.one_of(af.hflip(), af.vflip(), af.invert())
    params = f(torch.rand(3, 4, 4), {"choice": torch.tensor([0.0, 1.0, 0.0])})[1]
    assert af.explain(params) == "vflip"
    assert af.explain(af.maybe(af.rotate(degrees=12.0), p=0.0)(X, None, K)[1]) == "nothing"
    assert af.explain(af.rotate(degrees=12.0)(X, None, K)[1]) == "12 degrees"
    with pytest.raises(ValueError, match="0 to 5"):
        af.explain(af.pipeline(af.rotate())(X, None, K)[1], sample=99)
