"""Recipes: each runs, and keeps its rule."""

import pytest
import torch

import augfn as af
from augfn.core.draw import leaves_of
from augfn.policies.recipes import RECIPES

K = af.key(0)
VIEWS = {
    "simclr": [32] * 2,
    "byol": [32] * 2,
    "moco_v3": [32] * 2,
    "dino": [32] * 2 + [14] * 8,
    "swav": [32] * 2 + [14] * 6,
}
CHANNELS = {"chest_xray": 1, "satellite": 4}


def sample(name, n=4):
    x = torch.rand(n, CHANNELS.get(name, 3), 48, 40)
    return {"video": x[:, None].expand(n, 5, 3, 48, 40).contiguous()} if name == "video" else x


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_replays_and_is_saved(name, tmp_path):
    f, x = af.recipe(name, size=32), sample(name)
    y, params = f(x, None, K)
    again, _ = f(x, params)
    for a, b in zip(leaves(y), leaves(again), strict=True):
        assert a.equal(b)
        assert a.isfinite().all()
    if name in VIEWS:
        assert [v.shape[-1] for v in y] == VIEWS[name]
    af.save(f, tmp_path / "policy.yaml")
    for a, b in zip(leaves(af.load(tmp_path / "policy.yaml")(x, None, K)[0]), leaves(y), strict=True):
        assert a.equal(b)


def leaves(y):
    return torch.utils._pytree.tree_leaves(y)


def ops_of(name):
    f = af.recipe(name)
    paths = {part for path in leaves_of(f.schema) for part in path.split("/")}
    return paths | set(str(f).replace("(", " ").split())


@pytest.mark.parametrize("name", ["chest_xray", "text"])
def test_nothing_is_mirrored(name):
    assert not {"hflip", "vflip", "d4", "rot90"} & ops_of(name)


def test_a_chest_has_one_channel():
    x = torch.rand(2, 1, 32, 32)
    for op in (af.hue(), af.saturation(), af.color_jitter(hue=(-0.1, 0.1)), af.grayscale(weights=(0.3, 0.6, 0.1))):
        with pytest.raises(ValueError, match=r"channel"):
            op(x, None, K)
    params = af.recipe("chest_xray", size=32)(x, None, K)[1]
    assert params["affine"]["degrees"].abs().max() <= 5
    assert params["affine"]["translate"].abs().max() <= 0.05
    assert ((params["resized_crop"]["scale"] >= 0.85) & (params["resized_crop"]["scale"] <= 1)).all()


def test_near_infrared_keeps_its_values_under_colour():
    f = af.recipe("satellite", size=32)
    x = torch.rand(4, 4, 32, 32)
    y, _ = f.steps["color_jitter"](x, None, K)
    assert y[:, 3].equal(x[:, 3])
    assert not y[:, :3].equal(x[:, :3])


def test_a_clip_has_one_geometry_and_colour():
    f = af.recipe("video", size=32)
    still = sample("video")
    y, params = f(still, None, K)
    off = {**params, "gaussian_noise": {**params["gaussian_noise"], "std": torch.zeros(4)}}
    frames = f(still, off)[0]["video"]
    assert all(frames[:, t].equal(frames[:, 0]) for t in range(5))
    assert not y["video"][:, 0].equal(y["video"][:, 1])


def test_masks_show_what_is_ignored_outside():
    x = {"image": torch.rand(8, 3, 64, 64), "mask": torch.ones(8, 64, 64, dtype=torch.long)}
    y, _ = af.recipe("segmentation", size=48)(x, None, K)
    assert set(y["mask"].unique().tolist()) == {1, 255}


def test_options():
    weak = af.recipe("simclr", size=32, strength=0.5, blurred=False)
    assert "gaussian_blur" not in weak.params["view_1"]
    assert weak.params["view_1"]["color_jitter"]["hue"].high.item() == pytest.approx(0.1)
    with pytest.raises(ValueError, match="did you mean 'simclr'"):
        af.recipe("simclear")


def test_erased_by_noise():
    """A share of the area is standard normal, all else stays."""
    y, _ = af.erase_noise(scale=0.25, ratio=1.0)(torch.zeros(64, 3, 32, 32), None, K)
    changed = y != 0
    torch.testing.assert_close(changed.float().mean(), torch.tensor(0.25), atol=0.04, rtol=0)
    assert y[changed].mean().abs() < 0.02
    assert 0.85 < y[changed].std() < 1.01  # at the rim a share of it
    assert changed[:, 0].equal(changed[:, 1])
