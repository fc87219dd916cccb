"""Filters: closed forms, kornia and torchvision beside them, errors, modules."""

import math

import pytest
import torch
from torch.nn import functional as F

import augfn as af
import augfn_nn as nn
from augfn.math.conv import dense
from augfn.math.kernels import disk_kernel, lowpass_kernel, motion_kernel
from augfn.math.lines import cells
from augfn.math.median import median, median_by_network

F64 = torch.float64
X = torch.rand(2, 3, 20, 23, dtype=F64, generator=torch.Generator().manual_seed(0))
VOLUME = torch.rand(2, 3, 4, 13, 14, dtype=F64, generator=torch.Generator().manual_seed(1))


def values(*numbers):
    return torch.tensor(numbers, dtype=F64)


def on_volume(f):
    return af.pipeline(af.dflip3d(p=0.0), f)(VOLUME, None, af.key(0))[0]


# arithmetic


@pytest.mark.parametrize(("rows", "columns"), [(1, 3), (3, 3), (3, 5), (7, 5)])
@pytest.mark.parametrize(("mode", "pad"), [("reflect", "reflect"), ("border", "replicate"), ("zeros", "constant")])
def test_dense_is_a_convolution_by_sample(rows, columns, mode, pad):
    kernel = torch.rand(2, rows, columns, dtype=F64)
    wide = F.pad(X, (columns // 2,) * 2 + (rows // 2,) * 2, mode=pad)
    want = [F.conv2d(w[:, None], k[None, None])[:, 0] for w, k in zip(wide, kernel, strict=True)]
    torch.testing.assert_close(dense(X, kernel, mode), torch.stack(want))
    slices = dense(VOLUME.movedim(2, 1).flatten(0, 1), kernel.repeat_interleave(4, 0), mode)
    torch.testing.assert_close(dense(VOLUME, kernel, mode), slices.unflatten(0, (2, 4)).movedim(1, 2))
    assert dense(X[:0], kernel[:0], mode).shape == (0, 3, 20, 23)


@pytest.mark.parametrize("sizes", [(1, 3), (3, 1), (3, 3), (3, 5), (5, 5), (7, 7), (9, 7)], ids=str)
def test_median(sizes):
    wide = F.pad(X, (sizes[1] // 2,) * 2 + (sizes[0] // 2,) * 2, mode="reflect")
    want = wide.unfold(-2, sizes[0], 1).unfold(-2, sizes[1], 1).flatten(-2).median(-1).values
    assert torch.equal(median(X, *sizes), want)
    assert torch.equal(median(X.clone().requires_grad_(), *sizes), want)
    assert torch.equal(median_by_network(wide, *sizes), want)
    f = af.median_blur(kernel_size=sizes)
    assert torch.equal(on_volume(f)[:, :, 1], f(VOLUME[:, :, 1])[0])


def test_larger_medians_compile():
    f = af.median_blur(kernel_size=(3, 5))
    y = torch.compile(f, fullgraph=True, backend="eager")(X)[0]
    assert torch.equal(y, f(X)[0])


def test_lowpass_is_the_bessel_function():
    t = torch.arange(21, dtype=F64) - 10
    r = (t.square() + t[:, None].square()).sqrt()
    for cutoff in (0.3, 1.0, math.pi):
        want = torch.special.bessel_j1(cutoff * r) / (cutoff * r)
        want[10, 10] = 0.5
        torch.testing.assert_close(lowpass_kernel(values(cutoff), 21)[0], want / want.sum(), atol=1e-6, rtol=0)


def test_disk():
    k = disk_kernel(values(0.0, 0.5, 3.0), 9)
    assert torch.equal(k[0], k[1])
    assert k[0, 4, 4] == 1
    want = math.pi * 3**2
    assert (1 / k[2].max() - want).abs() < 0.2  # the area, in pixels of full weight


def test_streak():
    zero = values(0.0)
    row = motion_kernel(zero, values(-1.0), values(5.0), 5)[0, 2]
    torch.testing.assert_close(row, torch.arange(5, dtype=F64) / 10)
    k = motion_kernel(values(0.0, 90.0, 180.0), values(0.4), values(4.0, 4.0, 4.0), 7)
    torch.testing.assert_close(k[1], k[0].rot90())
    torch.testing.assert_close(k[2], k[0].flip(-1, -2))
    short = motion_kernel(zero, zero, values(3.0), 7)[0, 3]
    torch.testing.assert_close(short, values(0, 0, 1, 1, 1, 0, 0) / 3)


def test_lattice():
    w = cells(torch.eye(7, dtype=F64).expand(2, 7, 7), values(1.0, 2.5), -2, smooth=False)
    assert torch.equal(w[0], torch.eye(7, dtype=F64))
    torch.testing.assert_close(w[1, 0], values(1, 1, 0.5, 0, 0, 0, 0) / 2.5)
    torch.testing.assert_close(w[1, 6], values(0, 0, 0, 0, 0, 1, 1.5) / 2.5)
    smooth = cells(torch.eye(6, dtype=F64).expand(2, 6, 6), values(1.0, 2.0), -2, smooth=True)
    assert torch.equal(smooth[0], torch.eye(6, dtype=F64))
    torch.testing.assert_close(smooth[1, 2] @ torch.arange(6.0, dtype=F64), values(2.0)[0])  # between 0.5 and 2.5


# ops


def test_sharpness_leaves_the_border_and_small_images():
    y = af.sharpness(factor=0.0, clip="none")(X)[0]
    kernel = torch.tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]], dtype=F64) / 13
    want = F.conv2d(X.flatten(0, 1)[:, None], kernel[None, None]).reshape(2, 3, 18, 21)
    torch.testing.assert_close(y[..., 1:-1, 1:-1], want)
    assert torch.equal(y[..., 0, :], X[..., 0, :])
    assert torch.equal(af.sharpness(factor=2.0)(X[..., :2])[0], X[..., :2])


def test_unsharp_mask_is_what_a_blur_takes_away():
    blurred = af.gaussian_blur(sigma=1.3)(X)[0]
    y = af.unsharp_mask(sigma=1.3, amount=0.7, clip="none")(X)[0]
    torch.testing.assert_close(y, X + 0.7 * (X - blurred))
    clipped = af.unsharp_mask(sigma=1.3, amount=3.0)(X)[0]
    assert clipped.min() == 0
    assert clipped.max() == 1


def test_boxes_of_a_volume():
    y = on_volume(af.box_blur(kernel_size=(3, 1, 5), width=9.0))
    wide = F.pad(VOLUME, (2, 2, 0, 0, 1, 1), mode="reflect")
    torch.testing.assert_close(y, F.avg_pool3d(wide, (3, 1, 5), 1))


def test_zoom_blur_is_the_mean_of_zoomed_copies():
    ramp = (torch.arange(41, dtype=F64) - 20).expand(1, 41, 41)
    y = af.zoom_blur(factor=1.5, steps=4)(ramp)[0]
    want = ramp * sum(1.5 ** (-k / 3) for k in range(4)) / 4
    torch.testing.assert_close(y, want, atol=1e-5, rtol=0)


def test_glass_reads_nearby_and_is_one_pane():
    ramp = torch.arange(32, dtype=F64).expand(2, 3, 32, 32)
    y, params = af.glass_blur(delta=2.0, sigma=0.0)(ramp, None, af.key(0))
    moved = (y - ramp)[..., 3:-3]
    assert 1.5 < moved.abs().max() <= 2.0
    assert torch.equal(y[:, 0], y[:, 1])
    assert not torch.equal(y[0], y[1])
    clip = ramp.unsqueeze(1).expand(2, 4, 3, 32, 32)
    torch.testing.assert_close(af.glass_blur()({"video": clip}, params)[0]["video"][:, 2], y)


def test_downscale_by_whole_cells_is_an_average():
    x = X[..., :20, :20]
    want = F.interpolate(F.avg_pool2d(x, 4), scale_factor=4.0)
    torch.testing.assert_close(af.downscale(factor=0.25)(x)[0], want)
    want = F.interpolate(F.avg_pool2d(x, 4), scale_factor=4.0, mode="bilinear")
    y = af.downscale(factor=0.25, interpolation="bilinear")(x)[0]
    torch.testing.assert_close(y[..., 2:-2, 2:-2], want[..., 2:-2, 2:-2])


def test_bilinear_downscale_is_continuous():
    f = af.downscale(interpolation="bilinear")
    factors = torch.linspace(0.2, 0.9, 2001, dtype=F64)
    y = f(X[0].expand(2001, 3, 20, 23), {"factor": factors})[0]
    assert (y[1:] - y[:-1]).abs().max() < 0.03


@pytest.mark.parametrize(
    "name", ["motion_blur", "defocus", "zoom_blur", "glass_blur", "ringing", "downscale", "box_blur"]
)
def test_flat_images_and_empty_batches(name):
    flat = torch.full((2, 1, 16, 17), 0.3, dtype=F64)
    f = getattr(af, name)()
    torch.testing.assert_close(f(flat, None, af.key(1))[0], flat)
    assert f(flat[:0], None, af.key(1))[0].shape == (0, 1, 16, 17)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: af.median_blur(kernel_size=4), "median_blur: bad kernel_size"),
        (lambda: af.box_blur(kernel_size=(3, 3, 3)), "box_blur: bad kernel_size"),
        (lambda: af.defocus(kernel_size=4), "defocus: bad kernel_size"),
        (lambda: af.motion_blur(kernel_size=2), "motion_blur: bad kernel_size"),
        (lambda: af.zoom_blur(steps=6), "power of two"),
        (lambda: af.downscale(interpolation="bicubic"), "downscale: bad interpolation"),
        (lambda: af.ringing(padding_mode="symmetric"), "padding_mode must be"),
        (lambda: af.defocus(kernel_size=45), "use at most"),
    ],
)
def test_errors(make, match):
    with pytest.raises(ValueError, match=match):
        make()(X, None, af.key(0))


# modules


@pytest.mark.parametrize(
    ("module", "same"),
    [
        (lambda: nn.RandomBoxBlur((3, 5), p=1.0), lambda: af.box_blur(kernel_size=(3, 5), width=5.0)),
        (lambda: nn.RandomMedianBlur((5, 5), p=1.0), lambda: af.median_blur(kernel_size=5)),
        (lambda: nn.RandomSharpness(0.8, p=1.0), lambda: af.sharpness(factor=(0.0, 0.8))),
        (
            lambda: nn.RandomMotionBlur(5, 30.0, 0.5, p=1.0),
            lambda: af.motion_blur(angle=(-30, 30), direction=(-0.5, 0.5), padding_mode="zeros"),
        ),
        (
            lambda: nn.RandomMotionBlur((3, 6), (10.0, 30.0), 0.5, border_type="reflect", p=1.0),
            lambda: af.motion_blur(kernel_size=7, length=(3, 6), angle=(10, 30), direction=(-0.5, 0.5)),
        ),
        (lambda: nn.RandomUnsharpMask(amount=1.0, p=1.0), lambda: af.unsharp_mask(amount=1.0)),
        (lambda: nn.RandomDefocus((1.0, 2.5), p=1.0), lambda: af.defocus(kernel_size=7, radius=(1.0, 2.5))),
        (lambda: nn.RandomZoomBlur((1.0, 1.1), p=1.0), lambda: af.zoom_blur(factor=(1.0, 1.1))),
        (lambda: nn.RandomGlassBlur(max_delta=1.0, p=1.0), lambda: af.glass_blur(delta=1.0)),
        (lambda: nn.RandomDownscale(0.5, p=1.0), lambda: af.downscale(factor=0.5)),
        (lambda: nn.RandomRinging(1.5, 7, p=1.0), lambda: af.ringing(cutoff=1.5, kernel_size=7)),
    ],
)
def test_modules(module, same):
    y = module()(X, generator=af.key(3))
    torch.testing.assert_close(y, same()(X, None, af.key(3))[0])


def test_modules_say_what_they_cannot_do():
    with pytest.raises(ValueError, match="resample"):
        nn.RandomMotionBlur(5, 30.0, 0.5, resample="bicubic")
    with pytest.raises(ValueError, match="normalized"):
        nn.RandomBoxBlur(3, normalized=False)
