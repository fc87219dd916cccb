"""Where targets lie: all on one device, which may be another than the key's."""

import pytest
import torch
from torch.utils._pytree import tree_leaves, tree_map

import augfn as af
from augfn.core.spec import SPECS
from augfn.ops import photometric
from benchmarks import launches

META = torch.device("meta")


def there(x):
    return tree_map(lambda t: t.to(META), x)


MIXED = {
    "mask": torch.zeros(2, 8, 8),
    "image_right": torch.zeros(2, 3, 8, 8),
    "depth": torch.zeros(2, 1, 8, 8),
    "boxes": torch.zeros(2, 1, 4),
    "boxes_valid": af.Boxes(torch.zeros(2, 1, 4, device=META), valid=torch.ones(2, 1, dtype=torch.bool)),
    "boxes_labels": af.Boxes(torch.zeros(2, 1, 4, device=META), labels=torch.zeros(2, 1)),
    "keypoints": torch.zeros(2, 5, 2),
    "keypoints_seen": af.Keypoints(torch.zeros(2, 5, 2, device=META), torch.ones(2, 5)),
    "intrinsics": torch.zeros(2, 3, 3),
    "label": torch.zeros(2),
}


@pytest.mark.parametrize("name", MIXED)
def test_a_target_elsewhere_is_an_error_that_teaches(name):
    x = {"image": torch.zeros(2, 3, 8, 8, device=META), name: MIXED[name]}
    with pytest.raises(ValueError, match="another device than image") as error:
        af.brightness()(x, None, af.key(0))
    for word in (name, "cpu", f'{name}.to("meta")'):
        assert word in str(error.value)


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Of Newton's method: a bicubic reading on the meta device is a program of a thousand steps in Python."""
    monkeypatch.setattr("augfn.math.stages.NEWTON_STEPS", 1)
    monkeypatch.setattr("augfn.math.stages.FIXED_STEPS", 1)


def targets(f):
    x = {"mask": (torch.rand(2, *[16] * f.ndim) > 0.5).long()}
    if f.ndim == 2:
        box = torch.tensor([[[2.0, 2, 9, 9]]] * 2)
        x |= {"image": torch.rand(2, 3, 16, 16), "depth": torch.rand(2, 1, 16, 16), "keypoints": torch.rand(2, 3, 2)}
    else:
        box = torch.tensor([[[2.0, 2, 2, 9, 9, 9]]] * 2)
        x |= {"volume": torch.rand(2, 1, 16, 16, 16), "keypoints": torch.rand(2, 3, 3)}
    x["boxes"] = af.Boxes(box, min_visibility=0.5)
    if f.ndim == 2 and not f.mixes and "boxes" not in getattr(f, "needs", ()):
        x["boxes_turned"] = af.Boxes(torch.tensor([[[8.0, 8, 5, 4, 30]]] * 2), "cxcywhr", min_visibility=0.5)
    return x | ({"label": torch.rand(2, 5)} if f.mixes else {})


@pytest.mark.parametrize("name", [n for n in SPECS if hasattr(af, n)])
def test_every_op_runs_on_a_device_without_values(name):
    """With a key, and params, on the host: all that comes out lies where the image does, in the host's shapes."""
    f = (photometric.invert if name == "invert" else getattr(af, name))(**SPECS[name].example)
    x = targets(f)
    here, params = f(x, None, af.key(0))
    for given, key in ((None, af.key(0)), (params, None)):
        out, _ = f(there(x), given, key)
        for a, b in zip(tree_leaves(here), tree_leaves(out), strict=True):
            assert b.device == META
            assert (a.shape, a.dtype) == (b.shape, b.dtype)


def test_a_pipeline_and_its_inverse_run_there():
    f = af.pipeline(
        af.hflip(p=0.5), af.rotate(), af.one_of(af.brightness(), af.gaussian_blur()), af.fisheye(), af.erase()
    )
    x = targets(f)
    here, out = (f(t, None, af.key(0))[0] for t in (x, there(x)))
    assert [t.shape for t in tree_leaves(out)] == [t.shape for t in tree_leaves(here)]
    for g in (f, af.random_crop(size=5)):
        y, drawn = g(there(x["image"]), None, af.key(0))
        back, valid = af.invert(g, size=(16, 16))(y, drawn)
        assert back.device == valid.device == META
        assert (back.shape, valid.shape) == ((2, 3, 16, 16), (2, 16, 16))


def test_a_call_is_few_launches_there():
    """Counted, not timed: what a fast way saves on the host must not be lost on a device."""
    found = launches.verdicts(launches.measure([launches.CHAIN]))
    assert len(found) == 2
    assert all(verdict.passed for verdict in found), found
