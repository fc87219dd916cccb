"""Volumes from files and back, by nibabel (`pip install augfn[medical]`): NIfTI and all else that it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augfn.errors import explain
from augfn.ops.volume_frames import spacing3d


def nibabel() -> Any:
    try:
        import nibabel as nib
    except ImportError as error:
        want, fix = "nibabel", "pip install 'augfn[medical]'"
        raise ImportError(explain("volumes are read by nibabel, which is missing", str(error), want, fix)) from None
    return nib


def read_volume(path: str | Path, *, spacing: Any = None, mask: bool = False) -> dict[str, Tensor]:
    """A volume of a file, `{"volume": [C, D, H, W], "affine": [4, 4]}`, with axes that run right, front and up (RAS).

    * x runs to the right, y to the front, z up, so that W, H and D of the array are these; `affine` takes voxels (x, y, z, 1) to
      millimetres, as NIfTI has it, and is a target that follows what is done to the volume.
    * `mask`: labels, `{"mask": [D, H, W], "affine": ...}`, as whole numbers.
    * `spacing`: (x, y, z) in mm: resampled to voxels of that size, averaged where that is coarser; masks are read nearest.
    * A fourth axis of the file becomes the channels.
    * Bends (`elastic3d`, so `recipe("microscopy")`) have no matrix, and raise with an `affine`: leave it out of the dict there.

    Augmented and written back, a landmark's millimetres are true. Raises ImportError without nibabel, FileNotFoundError, and
    ValueError for labels that are no whole numbers.

    >>> import augfn as af, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> af.write_volume(f"{folder}/ct.nii.gz", torch.rand(1, 8, 9, 10), torch.eye(4))
    >>> case = af.read_volume(f"{folder}/ct.nii.gz", spacing=(2.0, 2.0, 2.0))
    >>> case["volume"].shape, case["affine"].diagonal()
    (torch.Size([1, 4, 5, 5]), tensor([2., 2., 2., 1.], dtype=torch.float64))
    >>> y, params = af.recipe("nnunet")(case, None, af.key(0))
    >>> af.write_volume(f"{folder}/augmented.nii.gz", y["volume"], y["affine"])
    """
    nib = nibabel()
    if not Path(path).is_file():
        raise FileNotFoundError(explain("read_volume: no such file", str(path), "a NIfTI file", "look at its path"))
    case = case_of(opened(nib, path), mask)
    if spacing is not None:
        steps = tuple(case["affine"][:3, :3].square().sum(0).sqrt().tolist())
        case = spacing3d(source=steps, spacing=spacing)(case)[0]
    return {n: case[n] for n in (("mask", "affine") if mask else ("volume", "affine"))}


def case_of(image: Any, mask: bool) -> dict[str, Tensor]:
    """An image of nibabel as targets: volume and affine, of labels with the mask that they are."""
    values = np.asanyarray(image.dataobj) if mask else image.get_fdata(dtype=np.float32)
    if values.ndim == 5 and values.shape[3] == 1:  # NIfTI's axis of time
        values = values[:, :, :, 0]
    if values.ndim not in (3, 4):
        raise ValueError(
            explain(
                "read_volume: its axes",
                list(values.shape),
                "three, or four with channels",
                "nibabel.save one part of it",
            )
        )
    affine = torch.from_numpy(np.array(image.affine, dtype=np.float64))
    if mask:
        whole = np.round(values)
        if not np.array_equal(whole, values):
            raise ValueError(
                explain("read_volume: labels", "numbers between", "whole numbers", "mask=False for an image")
            )
        labels = torch.from_numpy(np.ascontiguousarray(whole.astype(np.int64).T))  # (D, H, W), channels first
        return {
            "volume": labels[None].float() if labels.ndim == 3 else labels.float(),
            "mask": labels,
            "affine": affine,
        }
    array = np.ascontiguousarray(values.T)
    return {"volume": torch.from_numpy(array if array.ndim == 4 else array[None]), "affine": affine}


def opened(nib: Any, path: str | Path) -> Any:
    """The image of a file, with axes that run right, front and up, and one number for each voxel."""
    try:
        image = checked(nib, nib.load(path))
    except nib.filebasedimages.ImageFileError as error:
        want, fix = "a file that nibabel knows, such as .nii.gz", "convert it first (DICOM: dcm2niix)"
        raise ValueError(explain("read_volume: another kind of file", str(error), want, fix)) from None
    return image


def checked(nib: Any, image: Any) -> Any:
    """An image of nibabel with axes that run right, front and up, if it has one number for each voxel."""
    image = nib.as_closest_canonical(image)
    if not np.issubdtype(image.get_data_dtype(), np.number) or np.iscomplexobj(np.empty(0, image.get_data_dtype())):
        given, want = str(image.get_data_dtype()), "real numbers"
        raise ValueError(explain("read_volume: its values", given, want, "its parts as channels, by nibabel"))
    return image


def write_volume(path: str | Path, volume: Tensor, affine: Tensor) -> None:
    """A volume `[C, D, H, W]` or `[D, H, W]` (images and labels alike) with its affine, as NIfTI; the inverse of `read_volume`.

    One channel is written as three axes, several along a fourth. Raises ValueError for other shapes, complex numbers, and names
    that do not end in .nii or .nii.gz.

    >>> import tempfile
    >>> path = f"{tempfile.mkdtemp()}/labels.nii.gz"
    >>> write_volume(path, torch.ones(4, 5, 6, dtype=torch.long), torch.eye(4))
    >>> read_volume(path, mask=True)["mask"].shape
    torch.Size([4, 5, 6])
    """
    nib = nibabel()
    volume, affine = torch.as_tensor(volume), torch.as_tensor(affine)
    if not str(path).lower().endswith((".nii", ".nii.gz")) or volume.is_complex():
        given, want = f"{volume.dtype} in {Path(path).name}", "real numbers in a file .nii or .nii.gz"
        raise ValueError(explain("write_volume", given, want, "volume.abs(), and another name"))
    if volume.ndim not in (3, 4) or tuple(affine.shape) != (4, 4):
        given = [list(volume.shape), list(affine.shape)]
        want, fix = "[C, D, H, W] or [D, H, W], and [4, 4]", "one sample at a time: volume[i], affine[i]"
        raise ValueError(explain("write_volume: shapes", given, want, fix))
    values = volume[0] if volume.ndim == 4 and len(volume) == 1 else volume
    small = values.is_floating_point() and values.dtype not in (torch.float32, torch.float64)
    array = (values.float() if small else values).detach().cpu().numpy().T
    if array.dtype in (np.int64, np.bool_):  # the smallest of NIfTI's whole numbers that hold them
        ends = (array.min(initial=0), array.max(initial=0))
        fitting = [
            t for t in (np.int16, np.int32, np.int64) if np.iinfo(t).min <= ends[0] and ends[1] <= np.iinfo(t).max
        ]
        array = array.astype(fitting[0])
    nib.save(nib.Nifti1Image(array, affine.detach().cpu().double().numpy(), dtype=array.dtype), path)
