"""Exported programs run where augfn is not: torch.export in a fresh process, ONNX in onnxruntime."""

import subprocess
import sys

import pytest
import torch
from torch import nn

import augfn as af
from augfn.supported import HERE, WHOLE
from augfn.testing.case import agree, smooth_image
from augfn_nn import (
    Augment,
    AugmentationSequential,
    CenterCrop,
    ColorJitter,
    ImageSequential,
    Normalize,
    PatchSequential,
    RandomAffine,
    RandomBrightness,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    VideoSequential,
)

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
    strict = ["-W", "error"] if tuple(HERE) >= WHOLE else []  # 2.9 warns of a buffer of its own
    done = subprocess.run([sys.executable, *strict, "-c", LOAD], cwd=folder, capture_output=True, text=True)
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


FIXED = Resize((10, 12)), CenterCrop((8, 8)), Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
LIGHT = RandomHorizontalFlip(), RandomAffine(15, (0.1, 0.1), p=0.8)
COLOUR = *LIGHT, ColorJitter(0.2, 0.2, 0.2, 0.1, p=1.0)
CONTAINERS = {
    "fixed steps": (AugmentationSequential(*FIXED), (X,), {}),
    "eval": (AugmentationSequential(*COLOUR, *FIXED).eval(), (X,), {}),
    "drawing": (AugmentationSequential(*COLOUR), (X,), {"generator": KEY}),
    "targets": (
        AugmentationSequential(*COLOUR, data_keys=["input", "mask", "keypoints"]),
        (X, X[:, :1], X[:, 0, :5, :2] * 8),
        {"generator": KEY},
    ),
    "a dict": (AugmentationSequential(*COLOUR), ({"image": X, "mask": X[:, :1]},), {"generator": KEY}),
    "nested": (AugmentationSequential(ImageSequential(*COLOUR), *FIXED), (X,), {"generator": KEY}),
    "clips": (VideoSequential(*COLOUR), (X[:, None].repeat(1, 3, 1, 1, 1),), {"generator": KEY}),
    "patches": (PatchSequential(*COLOUR, grid_size=(2, 2), patchwise_apply=False), (X,), {"generator": KEY}),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_are_exported(name):
    module, args, keywords = CONTAINERS[name]
    program = torch.export.export(module, args, keywords).module()
    agree(name, program(*args, **keywords), module(*args, **keywords), 1e-5)


def test_an_exported_container_runs_without_augfn(tmp_path):
    module, args, keywords = CONTAINERS["targets"]
    agree("targets", elsewhere(tmp_path, module, args, keywords), module(*args, **keywords), 1e-5)


@pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.:FutureWarning")  # torch's own exporter
@pytest.mark.filterwarnings("ignore:Exporting a model while it is in training mode")  # so that it draws
@pytest.mark.parametrize("name", ["fixed", "drawn"])
def test_containers_run_as_onnx(name):
    """Of ops that do (ColorJitter sorts, which ONNX cannot in the way that it needs)."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    fixed = name == "fixed"
    steps = FIXED if fixed else (*LIGHT, RandomBrightness(0.2, p=0.5), RandomResizedCrop((8, 8)))
    module, keywords = AugmentationSequential(*steps), {} if fixed else {"generator": KEY}
    program = torch.onnx.export(module, (X,), kwargs=keywords, dynamo=True, verbose=False)
    agree(name, program(X, **keywords)[0], module(X, **keywords), 1e-4)


# one of each way to run; `python -m benchmarks.onnx` tries every op
@pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.:FutureWarning")  # torch's own exporter
@pytest.mark.parametrize("name", ["hflip", "affine", "color_twist", "gaussian_blur", "gaussian_noise", "erase"])
def test_an_op_runs_as_onnx(name):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from benchmarks.onnx import tried

    row = tried(name)
    assert row.agrees, row
