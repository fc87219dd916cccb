"""A user's file: what `tests/test_stubs.py` lets type checkers read. A line marked wrong is an error, no other is."""

import torch
from torch import Tensor

import augfn as af
import augfn_nn
from augfn.analysis import behaviour
from augfn.custom import over, photometric
from augfn.typing import Factor


@photometric(clip="clamp", pointwise=True)
def dim(x: Tensor, *, factor: Factor = af.Uniform(0.2, 0.8)) -> Tensor:
    """y = factor x."""
    return x * over(x, factor)


def functions(x: Tensor) -> Tensor:
    rotate = af.rotate(degrees=3)
    f = af.pipeline(rotate, af.hflip(p=0.5), af.affine(translate=((-0.1, 0.1), (0.0, 0.0))), dim(factor=0.5))
    y, params = f(x, None, af.key(0))
    again, _ = f.compiled()(x, params)
    af.rotate(degrees=af.Normal(0.0, 5.0), p=af.RelaxedBernoulli(0.0), interpolation="bicubic")
    af.rotate(degrees=torch.rand(1), fill=(0.1, 0.2, 0.3))
    af.brightness(factor=[0.5, 1.5], clip="ste", channels=(0, 1))
    af.invert(max_val=1.0, p=0.5)
    back, valid = af.invert(rotate, size=(8, 8))(y, params)
    choice = af.one_of(af.mixup(num_classes=10), af.cutmix(num_classes=10), af.identity(), weights=[0.3, 0.5, 0.2])
    first, _ = af.schedule(f, 0.5, {"rotate/degrees": af.linear((-5, 5), (-15, 15))}), choice
    predict = af.tta(lambda x: x.softmax(1), af.product([af.identity(), af.hflip()]), "softmask")
    drawn: Tensor = params["rotate"]["degrees"]
    loss: Tensor = af.losses.soft_cross_entropy(x, x)
    found, losses = af.learn.fit(rotate, x, back, af.key(1))
    boxes = af.Boxes.pad([[[8, 8, 20, 20]]], labels=[[7]])
    report = behaviour(torch.nn.Linear(3, 3), x, f, af.key(0))
    print(report, boxes.data.shape, first, found, losses, valid)
    total: Tensor = again + predict(x) + drawn + loss
    return total


def modules(x: Tensor) -> None:
    augfn_nn.RandomRotation(15.0, p=0.5, resample="bilinear", align_corners=False)
    aug = augfn_nn.AugmentationSequential(
        augfn_nn.RandomHorizontalFlip(0.5), augfn_nn.ColorJitter(0.2, 0.2, p=0.5), data_keys=["input", "mask"]
    )
    images, masks = aug(x, x)
    print(images, masks, augfn_nn.Augment(af.rotate(), learnable=True).params)
    torch.optim.Adam(aug.parameters())


def mistakes(x: Tensor) -> None:
    rotate = af.rotate()
    af.rotate(degres=3)  # wrong
    af.rotate(degrees="3")  # wrong, by torch's types
    af.rotate(interpolation="cubic")  # wrong
    af.random_crop()  # wrong
    af.invert(rotate, sise=(8, 8))  # wrong
    augfn_nn.RandomRotation(15.0, probability=0.5)  # wrong
    augfn_nn.RandomAffine()  # wrong
    af.rotated()  # wrong
    af.losses.nt_xnt(x, x)  # wrong
    rotate.compile_it()  # wrong
