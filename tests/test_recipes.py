"""Recipes: each runs, and keeps its rule."""

import pytest
import torch

import augfn as af
from augfn.core.draw import draw, leaves_of
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
VOLUMES = ("nnunet", "monai_segmentation", "microscopy", "ct_detection")


def sample(name, n=4):
    if name in VOLUMES:
        box = torch.tensor([[4.0, 5, 6, 20, 22, 18], [18, 16, 12, 36, 34, 30]])
        mask = torch.zeros(n, 36, 38, 40, dtype=torch.long)
        mask[:, 10:20, 12:25, 8:30] = 1
        return {"volume": torch.rand(n, 2, 36, 38, 40), "mask": mask, "boxes": af.Boxes(box.expand(n, 2, 6))}
    x = torch.rand(n, CHANNELS.get(name, 3), 48, 40)
    if name == "depth":
        return {"image": x, "depth": 5 * x[:, :1], "intrinsics": torch.eye(3).expand(n, 3, 3)}
    return {"video": x[:, None].expand(n, 5, 3, 48, 40).contiguous()} if name.startswith("video") else x


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
    (y, _), _ = af.recipe("simclr", size=[32, 24])(torch.rand(2, 3, 40, 40), None, K)
    assert y.shape == (2, 3, 32, 24)
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


# volumes

RATES = {  # of nnU-Net's steps, and of their channels
    "rotate3d": 0.2,
    "scale3d": 0.2,
    "gaussian_noise": 0.1,
    "gaussian_blur": 0.2,
    "brightness": 0.15,
    "contrast": 0.15,
    "downscale": 0.25,
    "gamma": 0.1,
    "gamma_2": 0.3,
    "hflip3d": 0.5,
    "vflip3d": 0.5,
    "dflip3d": 0.5,
}
SPANS = {
    ("rotate3d", "degrees"): (-30, 30),
    ("gaussian_noise", "std"): (0, 0.1),
    ("gaussian_blur", "sigma"): (0.5, 1),
    ("gaussian_blur", "sigma_z"): (0.5, 1),
    ("downscale", "factor"): (0.5, 1),
}


def test_nnunet_draws_as_its_reference():
    """Rates of 20,000 draws to four standard deviations; ranges, means and medians of what is drawn."""
    n, f = 20_000, af.recipe("nnunet")
    params = draw(f.params, leaves_of(f.params), f.sized_for(3, 2), f.salts, (n,), K, K.device)
    assert list(params) == list(RATES)
    for name, rate in RATES.items():
        room = 4 * (rate * (1 - rate) / n) ** 0.5
        assert params[name]["gate"].mean().item() == pytest.approx(rate, abs=room)
    for name in ("gaussian_blur", "downscale"):
        assert params[name]["channel_gate"].shape == (n, 2)
        assert params[name]["channel_gate"].mean().item() == pytest.approx(0.5, abs=4 * (0.25 / (2 * n)) ** 0.5)
    for (name, leaf), (low, high) in SPANS.items():
        values, width = params[name][leaf], high - low
        assert low <= values.min() < low + 0.01 * width
        assert high - 0.01 * width < values.max() <= high
        assert values.mean().item() == pytest.approx((low + high) / 2, abs=0.01 * width)
    shrunk = 1 / params["scale3d"]["scale"]  # nnU-Net's number, above 1 smaller
    assert 0.7 <= shrunk.min() < 0.71
    assert 1.39 < shrunk.max() <= 1.4001
    assert shrunk.mean().item() == pytest.approx(1.05, abs=0.006)
    for name, leaf, (low, high) in (
        ("brightness", "factor", (0.75, 1.25)),
        ("contrast", "factor", (0.75, 1.25)),
        ("gamma", "gamma", (0.7, 1.5)),
        ("gamma_2", "gamma", (0.7, 1.5)),
    ):
        values = params[name][leaf]
        assert values.shape == (n, 2)
        assert low <= values.min() < low + 0.01
        assert high - 0.01 < values.max() <= high
        assert (values < 1).float().mean().item() == pytest.approx(0.5, abs=0.01)
        assert values[values < 1].mean().item() == pytest.approx((low + 1) / 2, abs=0.004)


def test_nnunet_turns_flat_patches_in_their_slices():
    for f in (af.recipe("nnunet", size=(8, 32, 32)), af.recipe("nnunet", dummy_2d=True)):
        params = f({"volume": torch.rand(300, 1, 8, 32, 32)}, None, K)[1]
        assert (params["rotate3d"]["degrees"][:, :2] == 0).all()
        assert params["rotate3d"]["degrees"][:, 2].abs().max() > 150
        assert (params["scale3d"]["scale_z"] == 1).all()
    assert "scale_z" not in af.recipe("nnunet", size=(16, 32, 32)).params["scale3d"]
    assert "hflip3d" not in af.recipe("nnunet", mirror="yz").params
    with pytest.raises(ValueError, match="mirror"):
        af.recipe("nnunet", mirror="w")
    with pytest.raises(ValueError, match="mirror"):
        af.recipe("nnunet", mirror=False)
    x = {"volume": torch.rand(8, 1, 3, 12, 12)}
    thin = [af.recipe("nnunet", size=(2, 12, 12))(x, None, af.key(i))[0]["volume"] for i in range(4)]
    assert {v.shape for v in thin} == {(8, 1, 2, 12, 12)}


def test_patches_of_segmentation_hold_the_foreground_half_of_the_time():
    mask = torch.zeros(800, 24, 24, 24, dtype=torch.long)
    mask[:, 5, 6, 7] = 1
    f = af.recipe("monai_segmentation", size=5)
    y = f({"volume": torch.full((800, 1, 24, 24, 24), 40.0), "mask": mask}, None, K)[0]
    held = y["mask"].flatten(1).any(1).float().mean().item()
    assert held == pytest.approx(0.5, abs=4 * (0.25 / 800) ** 0.5 + 0.01)
    assert ((y["volume"] - 215 / 425).abs() < 0.16).all()


def test_patches_of_detection_are_about_boxes():
    box = torch.tensor([[10.0, 12, 14, 14, 16, 18]])
    f = af.foreground_crop3d(size=9, around="boxes")
    x = {"volume": torch.rand(50, 1, 32, 32, 32), "boxes": af.Boxes(box.expand(50, 1, 6))}
    y = f(x, None, K)[0]
    assert y["boxes"].valid.all()
    half = af.foreground_crop3d(size=9, around="boxes", ratios=(1, 1))(x, None, K)[0]
    assert 0.3 < half["boxes"].valid.float().mean() < 0.75
    none = {**x, "boxes": af.Boxes(box.expand(50, 1, 6), valid=torch.zeros(50, 1, dtype=torch.bool))}
    assert f(none, None, K)[0]["volume"].shape == (50, 1, 9, 9, 9)
    with pytest.raises(ValueError, match="looks at boxes"):
        f({"volume": x["volume"]}, None, K)


@pytest.mark.parametrize("ratios", [None, (0, 1), (1, 0), (1, 1, 2), (0, 0, 0, 1)])
def test_foreground_windows_follow_the_ratios(ratios):
    mask = torch.zeros(600, 12, 12, 12, dtype=torch.long)
    mask[:, :6, :2], mask[:, 6:, 3:5, 3:5] = 1, 2
    f = af.foreground_crop3d(size=1, ratios=ratios)
    label = f({"volume": mask[:, None].float(), "mask": mask}, None, K)[0]["mask"].flatten()
    shares = [(label == k).float().mean().item() for k in range(3)]
    if ratios is None or ratios == (0, 1):
        share = (mask[0] == 1).sum() / (mask[0] > 0).sum()
        assert shares[0] == 0
        assert shares[1] == pytest.approx(share.item(), abs=0.08)
    elif ratios == (1, 0):
        assert shares[0] == 1
    elif ratios == (1, 1, 2):
        assert shares == pytest.approx([0.25, 0.25, 0.5], abs=0.09)
    else:  # a label that no sample has: any voxel
        assert shares[0] > 0.5


def test_windows_know_no_empty_boxes_and_no_ignored_labels():
    none = {"volume": torch.rand(2, 1, 8, 8, 8), "boxes": torch.zeros(2, 0, 6)}
    assert af.foreground_crop3d(size=4, around="boxes")(none, None, K)[0]["volume"].shape == (2, 1, 4, 4, 4)
    mask = torch.full((200, 6, 6, 6), -1)
    mask[:, 2, 3, 4] = 2
    for ratios in (None, (0, 1)):
        y = af.foreground_crop3d(size=1, ratios=ratios)({"volume": mask[:, None].float(), "mask": mask}, None, K)[0]
        assert (y["mask"] == 2).all()
