"""Exported programs run where augfn is not: torch.export in a fresh process, ONNX in onnxruntime."""

import subprocess
import sys

import pytest
import torch
from torch import nn

import augfn as af
from augfn.testing.case import agree, smooth_image
from augfn_nn import Augment

KEY = af.key(3)
F = af.pipeline(
    af.affine(degrees=(-15, 15), scale=(0.9, 1.1), p=0.8),
    af.color_jitter(brightness=(0.8, 1.2), contrast=(0.8, 1.2), saturation=(0.8, 1.2), hue=(-0.1, 0.1)),
    af.normalize(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)),
)
X = smooth_image((4,), 3, (12, 16), torch.float32)


class Replay(nn.Module):
    def forward(self, x, params):
        return F(x, params)[0]


class Draw(nn.Module):
    def forward(self, x, key):
        return F(x, None, key)


LOAD = """
import sys
sys.modules["augfn"] = sys.modules["augfn_nn"] = None
import torch
args, keywords = torch.load("args.pt")
torch.save(torch.export.load("program.pt2").module()(*args, **keywords), "out.pt")
"""


def elsewhere(folder, module, args, keywords, **settings):
    """The result of the exported module in a process that cannot import augfn."""
    program = torch.export.export(module, args, keywords, **settings)
    assert not [n for n in program.graph.nodes if "augfn" in str(n.target)]
    torch.export.save(program, folder / "program.pt2")
    torch.save((args, keywords), folder / "args.pt")
    done = subprocess.run([sys.executable, "-W", "error", "-c", LOAD], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return torch.load(folder / "out.pt")


CASES = {
    "replay": (Replay(), lambda: (X, F(X, None, KEY)[1]), {}),
    "drawing": (Draw(), lambda: (X, KEY), {}),
    "module, drawing": (Augment(F), lambda: (X,), {"generator": KEY}),
}


@pytest.mark.parametrize("name", CASES)
def test_an_exported_pipeline_runs_without_augfn(name, tmp_path):
    module, make, keywords = CASES[name]
    args = make()
    agree(name, elsewhere(tmp_path, module, args, keywords), module(*args, **keywords), 1e-6)


def test_exported_for_any_batch():
    params = F(X, None, KEY)[1]
    batch = torch.export.Dim("batch", min=2, max=64)
    shapes = ({0: batch}, torch.utils._pytree.tree_map(lambda _: {0: batch}, params))
    program = torch.export.export(Replay(), (X, params), dynamic_shapes=shapes).module()
    x = smooth_image((7,), 3, (12, 16), torch.float32)
    params = F(x, None, KEY)[1]
    agree("a batch of 7", program(x, params), F(x, params)[0], 1e-6)


def test_export_leaves_the_module_as_it_was():
    """No fake tensor stays behind."""
    module = Augment(F)
    y = module(X, generator=KEY)
    torch.export.export(module, (X,), {"generator": KEY})
    agree("replay", module(X, params=module._params), y)


# one of each way to run; `python -m benchmarks.onnx` tries every op
@pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.:FutureWarning")  # torch's own exporter
@pytest.mark.parametrize("name", ["hflip", "affine", "color_twist", "gaussian_blur", "gaussian_noise", "erase"])
def test_an_op_runs_as_onnx(name):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from benchmarks.onnx import tried

    row = tried(name)
    assert row.agrees, row
