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
    if name == "depth":
        return {"image": x, "depth": 5 * x[:, :1], "intrinsics": torch.eye(3).expand(n, 3, 3)}
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


def test_depth_keeps_its_scale_its_holes_and_its_camera():
    z = 1 + 4 * torch.rand(6, 1, 48, 40)
    z[..., 20:30, :] = 0
    z[..., 30:34, :] = float("nan")
    x = {"image": torch.rand(6, 3, 48, 40), "depth": z, "intrinsics": torch.eye(3).expand(6, 3, 3)}
    still = af.pipeline(
        af.color_jitter(brightness=0.5), af.gaussian_noise(), af.grayscale(), af.gaussian_blur(), af.erase()
    )
    assert still(x, None, K)[0]["depth"].nan_to_num(-1).equal(z.nan_to_num(-1))
    f = af.pipeline(af.depth_noise(std=0.02, axial=0.0), af.depth_dropout(amount=0.1, size=4))
    y = f(x, None, K)[0]
    missing = (z == 0) | z.isnan()
    assert (y["depth"][missing] == 0).all()
    assert y["image"].equal(x["image"])
    known = ~missing & (y["depth"] != 0)
    assert 0.8 < known.sum() / (~missing).sum() < 0.97
    assert (y["depth"] - z)[known].std().item() == pytest.approx(0.02, rel=0.05)
    assert (y["depth"] - z)[known].abs().max() > 0
    kept = af.depth_noise(std=0.02)(x, None, K)[0]["depth"]
    assert kept[missing].nan_to_num(-1).equal(z[missing].nan_to_num(-1))
    marked = af.depth_normalize(max=4.0, missing=-1.0)(x)[0]["depth"]
    assert (marked[missing] == -1).all()
    torch.testing.assert_close(marked[~missing], (z[~missing] / 4).clamp(max=1))
    alone = f(z, None, K)[0]
    assert alone.equal(y["depth"])
    with pytest.raises(ValueError, match="'depth': depth"):
        f({"image": x["image"]}, None, K)


def test_depth_in_choices_is_blended_where_it_stays_in_its_place():
    z, weights = torch.rand(2, 1, 8, 8) + 1, torch.tensor([[0.4, 0.6], [0.6, 0.4]], requires_grad=True)
    x = {"image": torch.rand(2, 3, 8, 8), "depth": z}
    for other in (af.cutout(size=0.5), af.invert()):
        f = af.one_of(af.depth_normalize(max=4.0), other, weights=af.GumbelChoice(torch.zeros(2)))
        y, _ = f(x, {"choice": weights}, K)
        torch.testing.assert_close(y["depth"][:, 0, 0, 0] / z[:, 0, 0, 0], torch.tensor([0.7, 0.55]))
        assert torch.autograd.grad(y["depth"].sum(), weights)[0][:, 0].abs().min() > 0
    f = af.one_of(af.depth_normalize(max=4.0), af.hflip(), weights=af.GumbelChoice(torch.zeros(2)))
    y, _ = f(x, {"choice": weights}, K)
    assert y["depth"][0].equal(z[0].flip(-1))
    assert y["depth"][1].equal(z[1] / 4)


def test_what_lies_infinitely_far_stays_there_and_nan_is_saved(tmp_path):
    z = torch.tensor([0.0, float("nan"), float("inf"), 2.0]).reshape(1, 1, 1, 4)
    y, _ = af.depth_noise(std=0.1)(z, None, K)
    assert y.flatten()[2] == float("inf")
    assert af.depth_normalize(max=4.0)(z)[0].flatten().tolist() == [0.0, 0.0, 1.0, 0.5]
    f = af.depth_dropout(amount=0.0, missing=float("nan"))
    af.save(f, tmp_path / "f.yaml")
    assert af.load(tmp_path / "f.yaml")(z, None, K)[0].isnan().flatten().tolist() == [True, True, False, False]
    with pytest.raises(ValueError, match="several channels"):
        af.recipe("depth", size=16)(torch.rand(2, 3, 32, 32), None, K)
    with pytest.raises(TypeError, match="max=1000"):
        f((z.nan_to_num(0, 0) * 1000).to(torch.uint16), None, K)
    with pytest.raises(TypeError, match="metric"):
        af.recipe("depth", size=16, metrics=True)


@pytest.mark.parametrize("metric", [False, True])
def test_a_zoom_is_of_the_camera_or_of_the_scene(metric):
    """Points in space, as the camera saw them, are where depth and intrinsics say after a zoom; of a metric one `s` nearer."""
    h, w, s = 33, 41, 1.6
    k = torch.tensor([[30.0, 0.0, 18.0], [0.0, 32.0, 17.0], [0.0, 0.0, 1.0]])
    place = torch.tensor([[22.0, 14.0], [20.0, 16.0], [16.0, 19.0]])
    depth = torch.full((1, 1, h, w), 3.0)
    x = {"image": torch.rand(1, 3, h, w), "depth": depth, "intrinsics": k[None], "keypoints": place[None]}
    f = af.pipeline(af.hflip(p=0.0), af.affine(degrees=20.0, scale=s, metric=metric))
    y, _ = f(x, None, K)
    z = y["depth"][0, 0, h // 2, w // 2]
    assert z.item() == pytest.approx(3.0 / s if metric else 3.0)

    def space(place, k, z):
        rays = torch.linalg.solve(k, torch.cat([place, torch.ones(len(place), 1)], -1).T).T
        return rays * z

    before, after = space(place, k, 3.0), space(y["keypoints"][0], y["intrinsics"][0], z)
    torch.testing.assert_close(after[:, :2], before[:, :2], atol=1e-4, rtol=0)
    assert (y["intrinsics"][0, 0, :2].norm() == pytest.approx(30.0, abs=2)) == metric
    with pytest.raises(ValueError, match="one scale for both axes"):
        af.affine(degrees=10.0, metric=True)(x, None, K)


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
