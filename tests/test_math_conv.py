import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck
from torch.func import grad, jacrev, vmap
from torch.nn import functional as F

from augfn.math.conv import box_kernel1d, gaussian_kernel1d, separable

F64 = torch.float64
ORACLE = np.load(Path(__file__).parent / "data" / "torchvision.npz")
BLURS = [e for e in json.loads(bytes(ORACLE["meta"])) if e["op"] == "gaussian_blur"]
PAD = {"reflect": "reflect", "border": "replicate", "zeros": "constant"}


def dense(x, kernels, mode):
    """One sample `[C, *spatial]` at a time, with the full kernel."""
    d = len(kernels)
    sides = [side for k in reversed(kernels) for side in (k.shape[-1] // 2,) * 2]
    weight = kernels[0]
    for k in kernels[1:]:
        weight = weight[..., None] * k
    conv = F.conv2d if d == 2 else F.conv3d
    return conv(F.pad(x[:, None], sides, mode=PAD[mode]), weight[None, None])[:, 0]


def random_kernel(*shape, dtype=F64):
    return torch.rand(*shape, dtype=dtype) + 0.1


@pytest.mark.parametrize("entry", BLURS, ids=lambda e: str(e["params"]))
def test_agrees_with_torchvision_gaussian_blur(entry):
    x = torch.from_numpy(ORACLE["image"])
    kernel = gaussian_kernel1d(torch.tensor([entry["params"]["sigma"]]), entry["params"]["kernel_size"])
    y = torch.from_numpy(ORACLE[f"gaussian_blur/{entry['i']}"])
    torch.testing.assert_close(separable(x, [kernel, kernel]), y, atol=1e-5, rtol=0)


def test_gaussian_in_closed_form():
    sigma = torch.tensor([[0.3, 1.0], [2.5, 40.0]], dtype=F64)
    k = gaussian_kernel1d(sigma, 7)
    t = torch.arange(-3, 4, dtype=F64)
    shape = torch.exp(-(t**2) / (2 * sigma[..., None] ** 2))
    torch.testing.assert_close(k, shape / shape.sum(-1, keepdim=True))
    assert k.shape == (2, 2, 7)
    assert gaussian_kernel1d(torch.tensor(1.0), 1).tolist() == [1.0]
    assert gaussian_kernel1d(sigma, 3, torch.float32).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, F64])
def test_narrow_gaussians_are_the_delta_with_a_finite_gradient(dtype):
    sigma = torch.tensor([0.0, 1e-30, 1e-6, 0.01, 0.02, 0.03], dtype=dtype)
    k = gaussian_kernel1d(sigma, 5)
    assert torch.equal(k[:5], torch.tensor([0.0, 0, 1, 0, 0], dtype=dtype).expand(5, 5))
    slope = jacrev(lambda s: gaussian_kernel1d(s, 5))(sigma)
    assert slope.isfinite().all()
    assert not slope[0].any()


def test_box_in_closed_form():
    width = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.5], dtype=F64)
    k = box_kernel1d(width, 5)
    delta = [0.0, 0.0, 1.0, 0.0, 0.0]
    assert k[:2].tolist() == [delta, delta]
    assert k[2].tolist() == [0.0, 0.25, 0.5, 0.25, 0.0]
    torch.testing.assert_close(k[3], torch.tensor([0.0, 1, 1, 1, 0], dtype=F64) / 3)
    torch.testing.assert_close(k[4], torch.tensor([0.75, 1, 1, 1, 0.75], dtype=F64) / 4.5)


@pytest.mark.parametrize("make", [gaussian_kernel1d, box_kernel1d])
def test_kernels_differentiate_map_and_want_an_odd_size(make):
    value = torch.tensor([0.7, 1.6, 2.3], dtype=F64, requires_grad=True)
    assert gradcheck(lambda v: make(v, 5), (value,))
    torch.testing.assert_close(vmap(lambda v: make(v, 5))(value), make(value, 5))
    with pytest.raises(ValueError, match="odd size"):
        make(value, 4)


@pytest.mark.parametrize("mode", PAD)
@pytest.mark.parametrize("sizes", [(3, 3), (5, 1), (1, 3), (7, 5), (3, 5, 3), (1, 1, 3), (5, 3, 7)])
def test_equals_the_dense_convolution(sizes, mode):
    x = torch.rand(2, 3, *(6, 5, 4)[: len(sizes)], dtype=F64)
    kernels = [random_kernel(2, k) for k in sizes]
    y = separable(x, kernels, mode)
    assert y.shape == x.shape
    for i in range(2):
        torch.testing.assert_close(y[i], dense(x[i], [k[i] for k in kernels], mode))


@pytest.mark.parametrize("k", [1, 3, 5])
def test_any_leading_rank_and_shared_kernels(k):
    x = torch.rand(2, 4, 3, 8, 6, dtype=F64)
    kernels = [random_kernel(2, 4, k), random_kernel(2, 4, k)]
    y = separable(x, kernels)
    flat = separable(x.flatten(0, 1), [kernel.flatten(0, 1) for kernel in kernels])
    torch.testing.assert_close(y.flatten(0, 1), flat)
    torch.testing.assert_close(y[1, 2], separable(x[1, 2], [kernel[1, 2] for kernel in kernels]))
    shared = [kernel[0, 0] for kernel in kernels]
    torch.testing.assert_close(separable(x, shared)[1, 2], separable(x[1, 2], shared))
    over_time = [kernel[:, :1] for kernel in kernels]
    torch.testing.assert_close(separable(x, over_time)[1, 2], separable(x[1, 2], [kernel[1, 0] for kernel in kernels]))


@pytest.mark.parametrize("k", [1, 3, 5, 23])
def test_delta_is_the_identity_to_the_last_bit(k):
    x = torch.rand(2, 3, 24, 25)
    delta = gaussian_kernel1d(torch.zeros(2), k)
    for mode in PAD:
        assert torch.equal(separable(x, [delta, delta], mode), x)


def test_volumes_and_strided_inputs():
    x = torch.rand(2, 7, 6, 5, 2, dtype=F64).movedim(-1, 1)
    kernels = [random_kernel(2, 3), random_kernel(2, 5), random_kernel(2, 3)]
    assert torch.equal(separable(x, kernels), separable(x.contiguous(), kernels))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_goes_by_way_of_float32(dtype):
    x = torch.rand(2, 3, 9, 9).to(dtype)
    k = gaussian_kernel1d(torch.tensor([0.8, 2.0]), 5)
    y = separable(x, [k, k])
    assert y.dtype == dtype
    assert torch.equal(y, separable(x.float(), [k, k]).to(dtype))


def test_what_cannot_be_filtered_is_refused():
    x, three = torch.rand(1, 3, 2, 8), torch.ones(3)
    with pytest.raises(ValueError, match="axis of 2, which allows 1: use at most 3 taps"):
        separable(x, [torch.ones(5), three])
    assert separable(x, [three, three]).shape == x.shape
    assert separable(x, [torch.ones(5), three], "border").shape == x.shape
    with pytest.raises(ValueError, match="odd size"):
        separable(x, [three, torch.ones(4)])
    with pytest.raises(ValueError, match="'mirror'"):
        separable(x, [three, three], "mirror")
    with pytest.raises(ValueError, match="3 kernels need"):
        separable(torch.rand(3, 4, 4), [three] * 3)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("mode", PAD)
def test_gradcheck(k, mode):
    x = torch.rand(2, 2, 4, 3, dtype=F64, requires_grad=True)
    kernels = [random_kernel(2, k).requires_grad_(), random_kernel(2, 3).requires_grad_()]
    assert gradcheck(lambda x, *ks: separable(x, ks, mode), (x, *kernels))


def test_gradient_reaches_sigma():
    x = torch.rand(2, 1, 6, 6, dtype=F64)

    def blur(sigma):
        k = gaussian_kernel1d(sigma, 5)
        return separable(x, [k, k])

    assert gradcheck(blur, (torch.tensor([0.6, 1.7], dtype=F64, requires_grad=True),))


@pytest.mark.parametrize("dims", [d for d in product([0, None], repeat=2) if d != (None, None)])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_vmap_is_the_batch(dims, k):
    x, kernel = torch.rand(3, 2, 6, 7, dtype=F64), random_kernel(3, k)
    x = x if dims[0] == 0 else x[:1].expand(3, -1, -1, -1)
    kernel = kernel if dims[1] == 0 else kernel[:1].expand(3, -1)
    mapped = (x if dims[0] == 0 else x[0], kernel if dims[1] == 0 else kernel[0])
    for mode in PAD:

        def one(x, kernel, mode=mode):
            return separable(x, [kernel, kernel], mode)

        torch.testing.assert_close(vmap(one, dims)(*mapped), one(x, kernel))
        slopes = vmap(grad(lambda *a, f=one: f(*a).square().sum(), (0, 1)), dims)(*mapped)
        whole = grad(lambda *a, f=one: f(*a).square().sum(), (0, 1))(x, kernel)
        for a, b in zip(slopes, whole, strict=True):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiles_without_a_graph_break(backend):
    def blur(x, sigma):
        k, small = gaussian_kernel1d(sigma, 5), box_kernel1d(sigma + 1, 3)
        return separable(x, [k, small])

    x, sigma = torch.rand(2, 3, 8, 8), torch.tensor([0.5, 1.5])
    torch.testing.assert_close(torch.compile(blur, fullgraph=True, backend=backend)(x, sigma), blur(x, sigma))


def test_blur_of_a_sine_scales_it_by_the_transfer_function():
    sigma, w = torch.tensor([1.2], dtype=F64), 2 * math.pi / 16
    x = torch.sin(w * torch.arange(64, dtype=F64)).expand(1, 1, 5, 64)
    y = separable(x, [torch.ones(1, dtype=F64), gaussian_kernel1d(sigma, 15)])
    inside = slice(8, 56)
    torch.testing.assert_close(y[..., inside], x[..., inside] * math.exp(-((w * 1.2) ** 2) / 2), atol=1e-6, rtol=0)


def test_half_precision_kernels_keep_their_taps():
    kernel = gaussian_kernel1d(torch.tensor([1.0]), 7, torch.float16)
    torch.testing.assert_close(kernel.float(), gaussian_kernel1d(torch.tensor([1.0]), 7), atol=1e-3, rtol=0)
    x = torch.rand(20, 3, 16, 16)
    wide = separable(x.bfloat16().float(), [kernel.float()] * 2)
    assert torch.equal(separable(x.bfloat16(), [kernel.float()] * 2), wide.bfloat16())


@pytest.mark.parametrize("planes", [(1, 3), (4, 3), (20, 3)])
@pytest.mark.parametrize("size", [3, 5, 9, 15])
def test_all_ways_of_a_filter_agree(planes, size):
    x, kernel = torch.rand(*planes, 20, 24), gaussian_kernel1d(torch.linspace(0.1, 3.0, planes[0]), size)
    tracked = separable(x.clone().requires_grad_(), [kernel, kernel]).detach()
    torch.testing.assert_close(separable(x, [kernel, kernel]), tracked)
