"""Volumes from files and back: landmarks keep their millimetres."""

import sys

import nibabel
import numpy as np
import pytest
import torch

import augfn as af

PLACE = torch.tensor([21.0, -14.0, 33.0])  # of a ball, in mm


def oblique(spacing, flips=(1, 1, 1)):
    """An affine of voxels of this size, turned a little, whose axes may run the other way."""
    a, b = np.deg2rad(8.0), np.deg2rad(-5.0)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt @ np.diag(np.array(spacing) * flips)
    size = np.array([52, 48, 30])
    affine[:3, 3] = PLACE.numpy() + [3, -4, 2] - affine[:3, :3] @ ((size - 1) / 2)
    return affine, tuple(size)


def saved(path, spacing, flips=(1, 1, 1)):
    """A bright ball of 9 mm about the landmark, and its labels."""
    affine, size = oblique(spacing, flips)
    grid = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), -1)
    far = np.linalg.norm(grid @ affine[:3, :3].T + affine[:3, 3] - PLACE.numpy(), axis=-1)
    nibabel.save(nibabel.Nifti1Image(np.exp(-((far / 9) ** 2)).astype(np.float32), affine), path / "ball.nii.gz")
    nibabel.save(nibabel.Nifti1Image((far < 9).astype(np.int16), affine), path / "label.nii.gz")
    case = af.read_volume(path / "ball.nii.gz")
    return case | {"mask": af.read_volume(path / "label.nii.gz", mask=True)["mask"]}


def centre(path):
    """The middle of what is bright in a file, in its own millimetres, and the size of its voxels."""
    image = nibabel.load(path)
    values = np.asarray(image.dataobj, dtype=np.float64)
    values = np.where(values > 0.3, values, 0)
    places = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), -1)
    middle = (places * values[..., None]).sum((0, 1, 2)) / values.sum()
    return torch.tensor(image.affine[:3, :3] @ middle + image.affine[:3, 3]), np.linalg.norm(
        image.affine[:3, :3], axis=0
    )


SPACINGS = [(1.5, 1.5, 3.0), (1.0, 2.0, 2.5)]
CHAINS = {
    "affine": af.affine3d(degrees=(-25, 25), scale=(0.85, 1.2), translate=(-0.08, 0.08), shear=(-6, 6)),
    "in millimetres": af.affine3d(degrees=(-25, 25), scale=(0.9, 1.1), spacing=(1.5, 1.5, 3.0)),
    "frames": af.pipeline(
        af.hflip3d(p=0.5),
        af.rot90_3d(plane="xz"),
        af.pad_to3d(size=(60, 60, 60)),
        af.random_crop3d(size=48),
        af.resize3d(size=40),
    ),
    "spacing": af.spacing3d(source=(1.5, 1.5, 3.0), spacing=(2.0, 1.0, 2.0)),
    "nnunet": af.recipe("nnunet", size=(26, 40, 44)),
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, -1, 1), (1, -1, -1)])
def test_a_landmark_keeps_its_millimetres(tmp_path, chain, flips):
    """Read, augmented, written and read by nibabel again, image and labels, to half a voxel."""
    case = saved(tmp_path, SPACINGS[0], flips)
    before, _ = centre(tmp_path / "ball.nii.gz")
    assert (before - PLACE).norm() < 0.3
    seen = 0
    for i in range(8):
        y, _ = CHAINS[chain](case, None, af.key(i))
        if y["mask"].sum() < 0.9 * (case["mask"] > 0).sum() * abs(volume_of(case) / volume_of(y)):
            continue  # the ball has left the frame in part
        seen += 1
        af.write_volume(tmp_path / "y.nii.gz", y["volume"], y["affine"])
        af.write_volume(tmp_path / "m.nii.gz", y["mask"], y["affine"])
        for name in ("y", "m"):
            after, voxel = centre(tmp_path / f"{name}.nii.gz")
            assert (after - before).abs().max() < 0.5 * voxel.max()
    assert seen >= (1 if chain == "spacing" else 3)


def volume_of(case):
    return torch.linalg.det(case["affine"][:3, :3])


def test_axes_run_right_front_and_up(tmp_path):
    for flips in ((1, 1, 1), (-1, 1, -1)):
        case = saved(tmp_path, SPACINGS[1], flips)
        assert case["volume"].shape == (1, 30, 48, 52)
        assert case["mask"].dtype == torch.int64
        assert (case["affine"][:3, :3].diagonal() > 0).all()
        brightest = case["volume"].flatten().argmax()
        z, y, x = brightest // (48 * 52), brightest // 52 % 48, brightest % 52
        world = case["affine"] @ torch.tensor([x, y, z, 1.0], dtype=torch.float64)
        assert (world[:3] - PLACE).abs().max() < 2.5


def test_a_spacing_is_resampled_to(tmp_path):
    saved(tmp_path, SPACINGS[0])
    case = af.read_volume(tmp_path / "ball.nii.gz", spacing=(2.0, 2.0, 2.0))
    steps = case["affine"][:3, :3].square().sum(0).sqrt()
    assert steps.allclose(torch.tensor([2.0, 2.0, 2.0], dtype=torch.float64), atol=1e-5)
    assert case["volume"].shape == (1, 45, 36, 39)
    labels = af.read_volume(tmp_path / "label.nii.gz", spacing=(2.0, 2.0, 2.0), mask=True)
    assert labels["mask"].shape == (45, 36, 39)
    assert set(labels["mask"].unique().tolist()) == {0, 1}


def test_channels_come_from_the_fourth_axis(tmp_path):
    values = np.random.default_rng(0).random((5, 6, 7, 3), dtype=np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "x.nii")
    case = af.read_volume(tmp_path / "x.nii")
    assert case["volume"].shape == (3, 7, 6, 5)
    assert case["volume"][1, 2, 3, 4] == values[4, 3, 2, 1]
    af.write_volume(tmp_path / "y.nii", case["volume"], case["affine"])
    assert np.array_equal(nibabel.load(tmp_path / "y.nii").get_fdata(), values)


def test_what_is_wrong_is_said(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no such file"):
        af.read_volume(tmp_path / "none.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.full((3, 3, 3), 0.5, np.float32), np.eye(4)), tmp_path / "x.nii")
    with pytest.raises(ValueError, match="labels"):
        af.read_volume(tmp_path / "x.nii", mask=True)
    with pytest.raises(ValueError, match="write_volume"):
        af.write_volume(tmp_path / "y.nii", torch.zeros(2, 1, 3, 3, 3), torch.eye(4))
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ImportError, match=r"augfn\[medical\]"):
        af.read_volume(tmp_path / "x.nii")


def test_labels_of_any_size_come_back(tmp_path):
    for most in (7, 40_000, 3_000_000_000):
        labels = torch.zeros(3, 4, 5, dtype=torch.int64)
        labels[1, 2, 3] = most
        af.write_volume(tmp_path / "m.nii.gz", labels, torch.eye(4))
        assert af.read_volume(tmp_path / "m.nii.gz", mask=True)["mask"].equal(labels)
    half = torch.rand(1, 3, 4, 5).half()
    af.write_volume(tmp_path / "h.nii", half, torch.eye(4))
    assert af.read_volume(tmp_path / "h.nii")["volume"].equal(half.float())


def test_headers_that_differ_by_roundings_give_one_size(tmp_path):
    shapes = set()
    for step in (0.7, 0.7000001, float(np.float32(0.7))):
        image = nibabel.Nifti1Image(np.zeros((6, 6, 25), np.float32), np.diag([step, step, step, 1.0]))
        nibabel.save(image, tmp_path / "x.nii")
        shapes.add(tuple(af.read_volume(tmp_path / "x.nii", spacing=(1.0, 1.0, 1.0))["volume"].shape))
    assert len(shapes) == 1


def test_files_that_hold_no_volume_of_numbers(tmp_path):
    (tmp_path / "x.txt").write_text("no image")
    with pytest.raises(ValueError, match="another kind of file"):
        af.read_volume(tmp_path / "x.txt")
    colours = np.zeros((3, 3, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    for values in (colours, np.zeros((3, 3, 3), np.complex64)):
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "x.nii")
        with pytest.raises(ValueError, match="real numbers"):
            af.read_volume(tmp_path / "x.nii")
    for volume, name in ((torch.zeros(3, 3, 3), "y.foo"), (torch.zeros(3, 3, 3, dtype=torch.cfloat), "y.nii")):
        with pytest.raises(ValueError, match=r"real numbers in a file .nii"):
            af.write_volume(tmp_path / name, volume, torch.eye(4))
    af.write_volume(tmp_path / "y.nii", np.ones((1, 3, 4, 5), np.float32), np.eye(4))  # type: ignore[arg-type]
    assert af.read_volume(str(tmp_path / "y.nii"))["volume"].shape == (1, 3, 4, 5)
