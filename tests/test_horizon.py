"""The horizon of a projective map: what lies behind it is not seen, in no target, and harms nobody."""

from typing import Annotated, Any

import numpy as np
import pytest
import torch
from torch.func import grad, vmap

import augfn as af
from augfn.core.augmentation import geometric
from augfn.math.maps import Map, homography
from augfn.typing import Leaf

F64 = torch.float64
BENT = torch.tensor([[-1.0, -1], [-1, 0], [0, 0], [0, -1]])
CUT = {"size": 64, "position": 0.0}
SIZE, PART = 384, 64


def chain(*more, **known):
    return af.pipeline(af.random_crop(**CUT), af.perspective(distortion_scale=0.5, corners=BENT), *more, **known)


def matrix_of(corners, strength, n):
    """From output to input pixels of an n x n frame, by the four corners, in numpy; its weight is 1 in the middle."""
    signs = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    start = signs * (n - 1) / 2
    end = start + signs * np.asarray(corners, np.float64) * strength * n / 2
    rows, right = [], []
    for (x, y), (u, v) in zip(end, start, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    h = np.append(np.linalg.solve(np.array(rows), np.array(right)), 1.0).reshape(3, 3)
    move = np.array([[1, 0, (n - 1) / 2], [0, 1, (n - 1) / 2], [0, 0, 1]])
    return move @ h @ np.linalg.inv(move)


def rendered(scene, h, n, fill):
    """An n x n view: every pixel is projected in float64; one behind the horizon, or off the scene, is the fill."""
    out, weights = np.full((n, n), fill), np.zeros((n, n))
    padded = np.pad(scene, 1, constant_values=fill)
    for row in range(n):
        for column in range(n):
            x, y, weights[row, column] = h @ (column, row, 1.0)
            if weights[row, column] <= 0:
                continue
            x, y = x / weights[row, column], y / weights[row, column]
            if not (-1 < x < scene.shape[1] and -1 < y < scene.shape[0]):
                continue
            i, j = int(np.floor(y)), int(np.floor(x))
            a, b = y - i, x - j
            q = padded[i + 1 : i + 3, j + 1 : j + 3]
            out[row, column] = (1 - a) * ((1 - b) * q[0, 0] + b * q[0, 1]) + a * ((1 - b) * q[1, 0] + b * q[1, 1])
    return out, weights


def scene_of(n):
    y, x = np.mgrid[:n, :n] / n
    return 0.5 + 0.25 * np.sin(9 * x) * np.cos(7 * y) + 0.1 * x


@pytest.mark.parametrize("fill", [0.0, 0.7])
def test_pixels_are_those_of_a_projected_scene(fill):
    scene = scene_of(SIZE)
    wanted, weights = rendered(scene, matrix_of(BENT, 0.5, PART), PART, fill)
    behind = weights <= 0
    assert 50 < behind.sum() < PART * PART / 2
    x = torch.from_numpy(scene)
    targets = {"image": x[None], "mask": torch.ones(SIZE, SIZE, dtype=torch.int64), "depth": x[None]}
    y = chain(fill=fill, fill_mask=9)(targets)[0]
    np.testing.assert_allclose(y["image"][0].numpy(), wanted, atol=2e-4)
    assert y["image"][0].numpy()[behind] == pytest.approx(fill)
    assert (y["mask"].numpy()[behind] == 9).all()
    assert (y["depth"][0].numpy()[behind] == 0).all()
    tracked = chain(fill=fill)(x[None].clone().requires_grad_())[0]
    torch.testing.assert_close(tracked.detach(), y["image"])


@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_what_is_bright_behind_it_throws_no_ghost(padding):
    x = torch.zeros(1, SIZE, SIZE)
    x[..., 100:300, 100:300] = 1
    assert not chain(padding_mode=padding)(x)[0].any()


@pytest.mark.parametrize("padding", ["border", "reflection", "symmetric"])
def test_with_a_padding_mode_it_is_finite(padding):
    x = torch.rand(1, SIZE, SIZE, requires_grad=True)
    y = chain(padding_mode=padding)(x)[0]
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert y.isfinite().all()
    assert slope.isfinite().all()


@pytest.mark.parametrize("fuse", [True, False])
def test_boxes_and_keypoints_behind_it(fuse):
    middle = torch.tensor([[240.0, 240, 260, 260], [8, 8, 40, 40], [8, 8, 260, 260]])
    x, y = middle[:, 0::2], middle[:, 1::2]
    quads = torch.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 0], x[:, 1], y[:, 1], x[:, 0], y[:, 1]], -1)
    targets = {
        "image": torch.zeros(1, SIZE, SIZE),
        "boxes": af.Boxes(middle, clip=False),
        "boxes_turned": af.Boxes(quads, "xyxyxyxy"),
        "keypoints": af.Keypoints(middle[:, 2:] - 0.5),
    }
    out = chain(fuse=fuse)(targets)[0]
    assert out["boxes"].valid.tolist() == [False, True, False]
    assert out["boxes_turned"].valid.tolist() == [False, True, False]
    assert out["keypoints"].visible.tolist() == [False, True, False]


def test_a_plain_keypoint_behind_it_is_out_of_the_frame():
    out = chain()({"image": torch.zeros(1, SIZE, SIZE), "keypoints": torch.tensor([[250.0, 250.0]])})[0]
    assert (out["keypoints"] - PART / 2).abs().max() > 1e5


@geometric
def scaled_homography(*, factor: Annotated[Any, Leaf("any number but 0")] = 1.0) -> Map:
    """The same homography by any factor, which may be negative."""
    square = torch.tensor([[-9.5, -9.5], [9.5, -9.5], [9.5, 9.5], [-9.5, 9.5]]).expand(*factor.shape, 4, 2)
    moved = square + torch.tensor([[4.0, 3.0], [-1.0, 2.0], [0.0, 0.0], [0.0, 0.0]])
    return Map.of(homography(square, moved) * factor[..., None, None], projective=True)


@pytest.mark.parametrize("factor", [-1.0, -1e-9, 1e7])
def test_a_homography_is_defined_up_to_a_factor(factor):
    x = {"image": torch.rand(1, 20, 20), "keypoints": af.Keypoints(torch.rand(9, 2) * 20, swap=((0, 1),))}
    one, other = (scaled_homography(factor=f)(x)[0] for f in (1.0, factor))
    torch.testing.assert_close(one["image"], other["image"])
    torch.testing.assert_close(one["keypoints"].xy, other["keypoints"].xy)
    assert one["keypoints"].visible.equal(other["keypoints"].visible)


def steps(points, *matrices):
    """Input points through inverse maps, one after the other: where they come out, and whether before each horizon."""
    seen = np.ones(len(points), bool)
    for h in matrices:
        moved = np.concatenate([points, np.ones((len(points), 1))], -1) @ np.linalg.inv(h).T
        seen &= moved[:, 2] > 0
        points = moved[:, :2] / moved[:, 2:]
    return points, seen


def test_two_horizons_are_not_one():
    """Behind both, a point would have a positive weight again."""
    other = torch.tensor([[-1.0, -1], [-1, -1], [-1, -1], [-1, 0]])
    f = chain(af.perspective(distortion_scale=0.9, corners=other))
    grid = np.stack(np.meshgrid(np.arange(0, SIZE, 7.0), np.arange(0, SIZE, 7.0)), -1).reshape(-1, 2)
    first, second = matrix_of(BENT, 0.5, PART), matrix_of(other, 0.9, PART)
    there, seen = steps(grid, first, second)
    _, as_one = steps(grid, first @ second)
    inside = ((there > -0.5) & (there < PART - 0.5)).all(-1)
    assert (inside & ~seen & as_one).any()
    k = af.Keypoints(torch.from_numpy(grid))
    out, params = f({"image": torch.zeros(1, SIZE, SIZE, dtype=F64), "keypoints": k})
    np.testing.assert_array_equal(out["keypoints"].visible.numpy(), inside & seen)
    matrix = af.transform_matrix(f, params, (SIZE, SIZE))
    homogeneous = torch.from_numpy(np.concatenate([grid, np.ones((len(grid), 1))], -1)) @ matrix.double().T
    np.testing.assert_allclose(
        (homogeneous[:, :2] / homogeneous[:, 2:])[seen & inside], there[seen & inside], atol=2e-3
    )


def test_the_inverse_has_the_same_horizon():
    """Of a scene of ones the inverse shows what lies before the horizon and was in the view, and `valid` says so."""
    f = chain()
    y, params = f(torch.ones(1, SIZE, SIZE))
    back, valid = af.invert(f, size=(SIZE, SIZE))(y, params)
    grid = np.stack(np.meshgrid(np.arange(SIZE) + 0.0, np.arange(SIZE) + 0.0), -1).reshape(-1, 2)
    there, seen = steps(grid, matrix_of(BENT, 0.5, PART))
    edge = np.abs(np.abs(there - (PART - 1) / 2) - PART / 2).min(-1) < 1e-3
    wanted = seen & (np.abs(there - (PART - 1) / 2) < PART / 2).all(-1)
    assert (~seen & (np.abs(there - (PART - 1) / 2) < PART / 2).all(-1)).any()
    np.testing.assert_array_equal(valid.numpy().reshape(-1)[~edge] > 0.5, wanted[~edge])
    assert not back[0][valid == 0].any() or back[0][valid == 0].max() <= 1


def test_gradients_are_finite_and_right():
    """The horizon passes through the view: what shows the scene has its slope, what is behind has none."""
    x = torch.from_numpy(scene_of(SIZE))[None]
    probe = torch.rand(1, PART, PART, dtype=F64, generator=torch.Generator().manual_seed(0))

    def loss(corners):
        y, _ = chain(padding_mode="border")({"image": x, "keypoints": POINTS}, {"perspective": {"corners": corners}})
        return (y["image"] * probe)[..., :40, 40:].sum() + y["keypoints"][0].sum()

    corners = BENT.double()
    slope = grad(loss)(corners)
    assert slope.isfinite().all()
    step = 1e-5 * torch.eye(8, dtype=F64).reshape(8, 4, 2)
    exact = torch.stack([(loss(corners + s) - loss(corners - s)) / 2e-5 for s in step]).reshape(4, 2)
    torch.testing.assert_close(slope, exact, rtol=2e-2, atol=1e-2)


POINTS = torch.tensor([[20.0, 25.0], [250.0, 250.0]], dtype=F64)


def test_vmap_and_compile():
    f = af.pipeline(af.random_crop(**CUT), af.perspective(distortion_scale=0.5, corners=BENT))
    x = {
        "image": torch.rand(2, 1, SIZE, SIZE),
        "boxes": af.Boxes(torch.tensor([[240.0, 240, 260, 260], [8, 8, 40, 40]]).expand(2, 2, 4)),
        "keypoints": af.Keypoints(torch.tensor([[250.0, 250], [20, 20]]).expand(2, 2, 2)),
    }
    eager, params = f(x)
    mapped = vmap(lambda p, t: f(t, p)[0])(params, x)
    compiled = torch.compile(f, fullgraph=True, backend="aot_eager")(x, params)[0]
    for out in (mapped, compiled):
        torch.testing.assert_close(out["image"], eager["image"], atol=1e-5, rtol=0)
        assert out["boxes"].valid.equal(eager["boxes"].valid)
        assert out["keypoints"].visible.equal(eager["keypoints"].visible)
    assert eager["boxes"].valid[0].tolist() == [False, True]
