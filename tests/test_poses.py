"""Poses: people x joints, COCO's visibility, left and right within each person."""

import pytest
import torch

import augfn as af
from augfn.testing.case import agree
from augfn_nn import AugmentationSequential, RandomHorizontalFlip

K = af.key(0)
X = torch.rand(2, 3, 16, 20)
POSES = torch.rand(2, 3, 4, 2) * 14  # two samples of three people of four joints
LEVELS = torch.randint(3, (2, 3, 4, 1)).float()
BENT = af.pipeline(af.hflip(p=0.5), af.rotate(), af.elastic(), af.erase())


def moved(f, **targets):
    return f({"image": X, **targets}, None, K)[0]


def test_people_are_moved_as_one_list():
    y = moved(BENT, keypoints_a=POSES, keypoints_b=POSES.flatten(1, 2))
    assert y["keypoints_a"].shape == POSES.shape
    assert y["keypoints_a"].flatten(1, 2).equal(y["keypoints_b"])


def test_the_third_number_is_kept_and_0_once_a_point_has_left():
    points = af.Keypoints(POSES, LEVELS[..., 0] > 0)
    y = moved(BENT, keypoints_a=torch.cat([POSES, LEVELS], -1), keypoints_b=points)
    out = y["keypoints_a"]
    assert out[..., :2].equal(y["keypoints_b"].xy)
    assert out[..., 2].equal(LEVELS[..., 0] * y["keypoints_b"].visible)
    assert set(out[..., 2].unique().tolist()) == {0.0, 1.0, 2.0}
    assert (out[..., 2] < LEVELS[..., 0]).any()
    one = moved(af.hflip(), keypoints=torch.cat([POSES, LEVELS], -1)[:, 0])["keypoints"]
    assert one.shape == (2, 4, 3)
    assert one[..., 2].equal(LEVELS[:, 0, :, 0])


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64])
def test_visibility_keeps_its_type(dtype):
    levels = LEVELS[..., 0].to(dtype)
    y = moved(BENT, keypoints=af.Keypoints(POSES, levels))["keypoints"]
    assert y.visible.dtype == dtype
    assert ((y.visible == levels) | (y.visible == 0)).all()


def test_left_and_right_change_places_within_each_person():
    points = af.Keypoints(POSES, LEVELS[..., 0].long(), swap=((0, 1),))
    y = moved(af.hflip(), keypoints=points)["keypoints"]
    order = [1, 0, 2, 3]
    mirrored = torch.stack([19 - POSES[..., 0], POSES[..., 1]], -1)
    agree("points", y.xy, mirrored[:, :, order], 1e-5)
    assert y.visible.equal(LEVELS[..., 0].long()[:, :, order])
    assert y.swap == ((0, 1),)
    again = moved(af.pipeline(af.hflip(), af.hflip()), keypoints=points)["keypoints"]
    agree("twice", again.xy, POSES, 1e-5)


def test_mixed_people_are_those_of_both():
    points = af.Keypoints(POSES, swap=((0, 1),))
    y, _ = af.mixup(weight=0.5)(
        {"image": X, "keypoints": points, "keypoints_b": torch.cat([POSES, LEVELS], -1)}, None, K
    )
    assert y["keypoints"].xy.equal(torch.cat([POSES, POSES.flip(0)], 1))
    assert y["keypoints"].swap == ((0, 1),)
    assert y["keypoints_b"].shape == (2, 6, 4, 3)


def test_time_comes_first_beside_a_video():
    clip = {"video": torch.rand(2, 5, 3, 16, 20), "keypoints": torch.rand(2, 5, 3, 4, 2) * 14}
    y, params = af.pipeline(af.hflip(p=0.5), af.rotate())(clip, None, K)
    frames = {"image": clip["video"][:, 2], "keypoints": clip["keypoints"][:, 2]}
    agree("frame", y["keypoints"][:, 2], af.pipeline(af.hflip(), af.rotate())(frames, params)[0]["keypoints"], 1e-4)


def test_points_of_a_volume():
    points = torch.rand(2, 7, 3) * 4
    x = {
        "volume": torch.rand(2, 1, 5, 6, 7),
        "keypoints_a": points,
        "keypoints_b": torch.cat([points, torch.ones(2, 7, 1)], -1),
    }
    y, _ = af.hflip3d()(x)
    assert y["keypoints_b"][..., :3].equal(y["keypoints_a"])
    assert y["keypoints_b"][..., 3].all()


def test_ragged_people():
    lists = [[[[1, 2, 2], [3, 4, 0]]], [], [[[5, 6, 1], [7, 8, 2]], [[9, 9, 0], [1, 1, 1]]]]
    points = af.Keypoints.pad(lists, levels=True, swap=((0, 1),))
    assert points.xy.shape == (3, 2, 2, 2)
    assert points.visible.tolist() == [[[2, 0], [0, 0]], [[0, 0], [0, 0]], [[1, 2], [0, 1]]]
    assert af.Keypoints.pad([[[[1, 2]]], []]).visible.tolist() == [[[True]], [[False]]]


def test_modules_carry_them():
    aug = AugmentationSequential(RandomHorizontalFlip(p=1.0), data_keys=["input", "keypoints"])
    y = aug(X, torch.cat([POSES, LEVELS], -1))[1]
    assert y.shape == (2, 3, 4, 3)
    assert aug.inverse(X, y)[1][..., :2].sub(POSES).abs().max() < 1e-4


def test_vmap_and_compile():
    f, x = af.pipeline(af.hflip(p=0.5), af.rotate()), {"image": X, "keypoints": torch.cat([POSES, LEVELS], -1)}
    y, params = f(x, None, K)
    agree("vmap", torch.func.vmap(f)(x, params)[0]["keypoints"], y["keypoints"], 1e-4)
    agree("compiled", f.compiled(backend="eager")(x, params)[0]["keypoints"], y["keypoints"], 1e-4)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 2), (3, 3, 4, 2)])
def test_points_that_are_none(shape):
    with pytest.raises(ValueError, match="keypoints"):
        moved(af.hflip(), keypoints=torch.rand(shape))


@pytest.mark.parametrize("shape", [(2, 0, 4, 2), (2, 3, 0, 4, 2), (2, 0, 3)])
def test_nobody_is_there(shape):
    assert moved(af.hflip(), keypoints=torch.zeros(shape))["keypoints"].shape == shape
