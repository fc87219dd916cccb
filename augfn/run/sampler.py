"""The one sampling kernel, kept whole under torch.compile on the CPU.

Inductor takes `grid_sample` apart into scalar gathers, which on the CPU is several times slower than torch's own
vectorised kernel. So a compiled CPU call goes through an opaque operator that runs that kernel; eager, exported (a
program has to run where augfn is not) and CUDA calls go straight to it. That kernel runs a thread per image, so a
single one is cut into parts.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from augfn.run.mode import untracked

# as torch's operators number them
MODES = {"bilinear": 0, "nearest": 1, "bicubic": 2}
PADDINGS = {"zeros": 0, "border": 1, "reflection": 2}
MANY = 1 << 14  # coordinates that are worth a second thread


def grid_sample(x: Tensor, grid: Tensor, mode: str, padding: str, corners: bool) -> Tensor:
    """`F.grid_sample` of `x [n, c, *in]` at `grid [n, *out, d]`."""
    if torch.compiler.is_compiling() and not torch.compiler.is_exporting() and x.device.type == "cpu":
        from augfn.run.opaque import Sample

        return Sample.apply(x, grid, MODES[mode], PADDINGS[padding], corners)
    single = x.shape[0] == grid.shape[0] == 1 and mode != "nearest"  # which is too fast for it to pay
    parts = parts_of(grid) if single and untracked(x, grid) else 1
    if parts == 1:
        return F.grid_sample(x, grid, mode, padding, corners)
    out = F.grid_sample(x.expand(parts, *x.shape[1:]), grid.reshape(parts, -1, *grid.shape[2:]), mode, padding, corners)
    return out.transpose(0, 1).reshape(1, x.shape[1], *grid.shape[1:-1])


def parts_of(grid: Tensor) -> int:
    """Into how many parts of equal height one large image is cut: torch's kernel runs a thread per image."""
    rows = grid.shape[1]
    threads = torch.get_num_threads() if grid.numel() >= MANY else 1
    return max(n for n in range(1, min(threads, rows) + 1) if rows % n == 0) if rows else 1


@torch.library.custom_op("augfn::gamma_slope", mutates_args=())
def gamma_slope(shape: Tensor, value: Tensor) -> Tensor:
    """d value / d shape of a standard gamma variable, by implicit reparameterisation (Figurnov et al. 2018); element
    by element."""
    return torch._standard_gamma_grad(shape, value)  # pyright: ignore[reportPrivateImportUsage]


@gamma_slope.register_fake
def _(shape: Tensor, value: Tensor) -> Tensor:
    return torch.empty_like(value)


@gamma_slope.register_vmap
def _(info: Any, in_dims: tuple[Any, ...], shape: Tensor, value: Tensor) -> tuple[Tensor, int]:
    pair = [
        t.movedim(i, 0) if i is not None else t.expand(info.batch_size, *t.shape)
        for t, i in zip((shape, value), in_dims, strict=True)
    ]
    return gamma_slope(*pair), 0
