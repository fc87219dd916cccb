"""Where modules run: compiled within a model, under autocast, averaged, checkpointed, in threads (on ranks: test_ranks)."""

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.checkpoint import checkpoint

import augfn as af
import augfn_nn as A

X = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def steps():
    return A.RandomHorizontalFlip(), A.RandomAffine(15, p=1.0), A.ColorJitter(0.2, 0.2, p=1.0)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


def test_a_model_with_its_augmentation_compiles():
    model = nn.Sequential(A.AugmentationSequential(*steps()), net())
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    for _ in range(2):
        compiled(X).sum().backward()
    assert model[1][0].weight.grad.abs().sum() > 0


def test_autocast_to_half_precision():
    model = nn.Sequential(A.AugmentationSequential(*steps()), net())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(X)
    assert y.dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(model[0](X, generator=af.key(0)), model[0](X, generator=af.key(0)))
    within = A.AugmentationSequential(*steps())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = within(X, generator=af.key(0))
    torch.testing.assert_close(half, within(X, generator=af.key(0)))


def test_averages_of_ranges():
    aug = A.AugmentationSequential(A.RandomRotation(nn.Parameter(torch.tensor([-10.0, 10.0])), p=1.0))
    mean = AveragedModel(aug)
    mean.update_parameters(aug)
    with torch.no_grad():
        next(aug.parameters()).mul_(2)
    mean.update_parameters(aug)
    assert next(mean.parameters()).tolist() == [-15.0, 15.0]
    mean(X)
    assert mean.module._params["rotate"]["degrees"].abs().max() <= 15


def test_checkpointed_calls_draw_the_same_again():
    aug, x = A.AugmentationSequential(*steps()), X.clone().requires_grad_()
    torch.manual_seed(3)
    aug(x).square().sum().backward()
    want, x.grad = x.grad, None
    torch.manual_seed(3)
    checkpoint(aug, x, use_reentrant=False).square().sum().backward()
    torch.testing.assert_close(x.grad, want)


def test_threads_on_one_module():
    aug = A.AugmentationSequential(*steps(), data_keys=["input", "mask"])
    alone = [aug(X, X, generator=af.key(i)) for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: aug(X, X, generator=af.key(i)), range(40)))
    for a, b in zip(alone, together, strict=True):
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[1], b[1])
