"""How converted pipelines are called: samples and batches, names, and what peers hand in."""

from __future__ import annotations

from typing import Any

import kornia.augmentation as K
import torch
from torch import nn

import augfn_nn as A


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
