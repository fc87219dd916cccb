"""How converted pipelines are called: samples and batches, names, and what peers hand in."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import augfn as af
import augfn_nn as A

K = pytest.importorskip("kornia.augmentation")


def of_torchvision(kind: str, **kept: Any) -> Any:
    """What a transform of torchvision keeps, without torchvision."""
    made = type(kind, (), {"__module__": "torchvision.transforms.v2._any"})()
    vars(made).update(kept)
    return made


def of_albumentations(*transforms: dict[str, Any]) -> dict[str, Any]:
    said = [{"p": 1.0, **t} for t in transforms]
    return {"__version__": "2.0.8", "transform": {"__class_fullname__": "Compose", "p": 1.0, "transforms": said}}


def said(name: str, **given: Any) -> dict[str, Any]:
    return {"__class_fullname__": name, **given}


def test_a_sample_keeps_its_rank_as_under_the_peer() -> None:
    flip, x = of_torchvision("RandomHorizontalFlip", p=1.0), torch.rand(3, 4, 6)
    for given in (flip, of_albumentations(said("HorizontalFlip"))):
        module = A.convert(given).module
        assert torch.equal(module(x), x.flip(-1))
        assert torch.equal(module(x[None]), x[None].flip(-1))
    y = module({"image": x, "mask": x[0].long(), "boxes": torch.tensor([[1.0, 1.0, 2.0, 3.0]])})
    assert [tuple(v.shape) for v in y.values()] == [(3, 4, 6), (4, 6), (1, 4)]


def test_a_sequential_of_modules_is_a_composition() -> None:
    x = torch.rand(2, 3, 4, 6)
    theirs = nn.Sequential(K.RandomHorizontalFlip(p=1.0), nn.Sequential(K.RandomInvert(p=1.0)))
    torch.testing.assert_close(A.convert(theirs).module(x), theirs(x))
    flips = [of_torchvision("RandomHorizontalFlip", p=1.0), of_torchvision("RandomVerticalFlip", p=1.0)]
    whole = nn.Sequential(nn.Identity(), nn.Identity())
    whole._modules.update(zip("01", flips, strict=True))
    assert torch.equal(A.convert(whole).module(x), x.flip(-1, -2))


def test_rows_that_torchvision_sanitizes_stay() -> None:
    steps = [of_torchvision("RandomHorizontalFlip", p=1.0), of_torchvision("SanitizeBoundingBoxes")]
    found = A.convert(of_torchvision("Compose", transforms=steps))
    assert "af.drop_invalid" in found.differs[0]
    assert "to_float" not in str(found.pipeline)  # nothing says that bytes come


def test_further_names_of_albumentations_are_known() -> None:
    given = of_albumentations(said("HorizontalFlip"))
    given["transform"]["additional_targets"] = {"other_view": "image", "ground": "mask", "marks": "bboxes"}
    given["transform"]["bbox_params"] = {"format": "pascal_voc", "label_fields": ["kinds", "labels"]}
    module, x = A.convert(given).module, torch.rand(3, 4, 6)
    sample = {"image": x, "other_view": x, "ground": x[0].long(), "marks": torch.tensor([[1.0, 1.0, 2.0, 3.0]])}
    y = module({**sample, "kinds": ["cat"], "labels": torch.tensor([3])})
    assert torch.equal(y["other_view"], x.flip(-1))
    assert torch.equal(y["ground"], x[0].long().flip(-1))
    assert y["marks"].tolist() == [[4.0, 1.0, 5.0, 3.0]]
    assert (y["kinds"], y["labels"].tolist()) == (["cat"], [3])


def test_a_seed_of_albumentations_is_told() -> None:
    made: Any = type("Compose", (), {"__module__": "albumentations.core"})()
    made.seed, made.to_dict = 7, lambda: of_albumentations(said("HorizontalFlip"))
    found, x = A.convert(made), torch.rand(3, 4, 5)
    assert any("generator=af.key(7)[None]" in line for line in found.differs)
    assert torch.equal(*(found.module({"image": x}, generator=af.key(7)[None])["image"] for _ in range(2)))


def test_rows_of_a_sample_as_albumentations_takes_them(tmp_path: Any) -> None:
    """Lists of boxes and points in, those that are left out, with what belongs to them; in the format of its params."""
    given = of_albumentations(said("HorizontalFlip"), said("CenterCrop", height=6, width=4))
    given["transform"]["bbox_params"] = {"format": "coco", "label_fields": ["kinds", "labels"], "min_visibility": 0.3}
    given["transform"]["keypoint_params"] = {"format": "xy", "label_fields": ["sides"]}
    torch.save(A.convert(given).module, tmp_path / "module.pt")
    module = torch.load(tmp_path / "module.pt", weights_only=True)
    boxes, points = [[2, 1, 2, 2, "extra"], [0, 0, 2, 4]], np.array([[3.0, 1.0], [0.0, 0.0]])
    sample = {"image": np.zeros((6, 8, 3), np.uint8), "bboxes": boxes, "labels": [7, 8], "keypoints": points}
    y = module(**sample, kinds=np.array(["cat", "dog"]), sides=torch.tensor([1, 2]))
    assert y["bboxes"] == [[2.0, 1.0, 2.0, 2.0, "extra"]]
    assert (y["labels"], y["kinds"].tolist(), y["sides"].tolist()) == ([7], ["cat"], [1])
    assert y["keypoints"].tolist() == [[2.0, 1.0]]
    again = module(sample, params=module._params)
    assert torch.equal(again["image"], y["image"])
    assert again["bboxes"] == y["bboxes"]
    assert module(image=sample["image"], bboxes=[], labels=[])["bboxes"] == []
    with pytest.raises(ValueError, match="labels: as many as rows"):
        module(sample | {"labels": [7]})


class MetaTensor(torch.Tensor):  # a stand-in for MONAI's, which is not needed
    __module__ = "monai.data.meta_tensor"
    affine: Tensor
    note: str

    def as_tensor(self) -> Tensor:
        return self.as_subclass(Tensor)

    def copy_meta_from(self, other: Any) -> None:
        self.affine, self.note = other.affine, other.note


def meta(x: Tensor, affine: Tensor) -> Any:
    made: Any = x.as_subclass(MetaTensor)
    made.affine, made.note = affine, "ct.nii.gz"
    return made


def of_monai(kind: str, **kept: Any) -> Any:
    """What a transform of MONAI keeps, without MONAI."""
    made = type(kind, (), {"__module__": "monai.transforms._any"})()
    vars(made).update(kept)
    return made


BOTH = {"keys": ("image", "label"), "prob": 1.0}
FLIP = of_monai("RandFlipd", spatial_axis=0, **BOTH)
TURN = of_monai("RandRotate90d", max_k=3, spatial_axes=(0, 2), **BOTH)
NOISE = of_monai("RandGaussianNoised", keys=("image",), prob=1.0, mean=0.0, std=0.1, sample_std=True)


def of_both(*transforms: Any) -> Any:
    return A.convert(of_monai("Compose", transforms=transforms, overrides=None)).module


def places(affine: Tensor, *size: int) -> Tensor:
    """Where the voxels of an array lie, in mm."""
    at = torch.stack(torch.meshgrid(*(torch.arange(float(s)) for s in size), indexing="ij"))
    return (affine[:3, :3].float() @ at.flatten(1) + affine[:3, 3:].float()).reshape(3, *size)


AFFINE = torch.tensor([[2.0, 0.1, 0, 5], [0, 1.5, 0.2, -3], [0.1, 0, 3, 7], [0, 0, 0, 1]], dtype=torch.float64)


def test_the_affine_of_a_meta_tensor_follows() -> None:
    module, where = of_both(FLIP, TURN), places(AFFINE, 4, 5, 4)
    x = {"image": meta(where, AFFINE), "label": meta(torch.ones(1, 4, 5, 4), AFFINE), "site": 3}
    for y in (module(x), module(x), module(x), last := module(x)):
        assert list(y) == ["image", "label", "site"]
        torch.testing.assert_close(y["image"].as_tensor(), places(y["image"].affine, *y["image"].shape[1:]))
        assert torch.equal(y["label"].affine, y["image"].affine)
        assert (y["image"].note, y["image"].affine.dtype) == ("ct.nii.gz", torch.float64)
    back = module.inverse(last)
    torch.testing.assert_close(back["image"].as_tensor(), where)
    torch.testing.assert_close(back["image"].affine, AFFINE)
    assert torch.equal(x["image"].affine, AFFINE)
    two = {n: meta(torch.stack([x[n].as_tensor()] * 2), torch.stack([AFFINE] * 2)) for n in ("image", "label")}
    many = module(two["image"], two["label"])[0]
    for image, affine in zip(many.as_tensor(), many.affine, strict=True):
        torch.testing.assert_close(image, places(affine, *image.shape[1:]))
    again = meta(two["image"].as_tensor().repeat_interleave(2, 0), two["image"].affine)  # MONAI's tells of two
    assert module({"image": again})["image"].affine.shape == (4, 4, 4)


def test_where_no_affine_is_true_a_meta_tensor_is_a_plain_one() -> None:
    x = meta(torch.rand(1, 4, 5, 6), AFFINE)
    kept = of_both(NOISE)({"image": x})["image"]
    assert type(kept) is MetaTensor
    assert torch.equal(kept.affine, AFFINE)
    module = of_both(FLIP)
    module.bends = True
    assert type(module({"image": x, "label": x})["image"]) is Tensor
    assert type(af.hflip3d()({"volume": x})[0]["volume"]) is Tensor
    assert type(A.RandomHorizontalFlip3D(p=1.0)(x)) is Tensor


def test_monais_datasets_do_not_take_the_module_apart() -> None:
    module = of_both(FLIP, NOISE)
    assert not isinstance(module, Iterable)
    assert (len(module), len(list(module.children()))) == (2, 2)
    assert module[1] is module.listed()[1]
    assert len(copy.deepcopy(module).append(af.hflip3d())) == 3
    kept, x = io.BytesIO(), {"image": torch.rand(1, 4, 5, 6), "label": torch.ones(1, 4, 5, 6)}
    torch.save(module, kept)
    kept.seek(0)
    key = torch.tensor([1, 2])
    again = torch.load(kept, weights_only=True)(x, generator=key)
    assert torch.equal(again["image"], module(x, generator=key)["image"])


def test_arrays_of_monai_have_their_channels_first() -> None:
    x = np.random.default_rng(0).random((1, 4, 5, 6), np.float32)
    sample = {"image": x, "label": (x > 0.5).astype(np.int64), "id": "a"}
    flip = of_monai("Flip", spatial_axis=0)
    y = A.convert(of_monai("Flipd", keys=("image", "label"), flipper=flip)).module(sample)
    assert y["id"] == "a"
    assert all(np.array_equal(y[n], sample[n][:, ::-1]) for n in ("image", "label"))
    assert np.array_equal(A.convert(flip).module(x), x[:, ::-1])
