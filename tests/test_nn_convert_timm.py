"""timm's transforms in a `Compose` of torchvision, as `create_transform` gives it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import augfn as af
import augfn_nn as A
from augfn.policies.published import RAND

GREY = (124, 116, 104)


def of_timm(kind: str, **kept: Any) -> Any:
    """What a transform of timm keeps, without timm."""
    made = type(kind, (), {"__module__": "timm.data._any"})()
    vars(made).update(kept)
    return made


def composed(*transforms: Any) -> Any:
    kept = {"__module__": "torchvision.transforms.transforms", "transforms": [*transforms]}
    return type("Compose", (), kept)()


def rand(**changed: Any) -> Any:
    given = {"prob": 0.5, "magnitude": 9, "hparams": {"magnitude_std": 0.5}}
    given |= {"kwargs": {"fillcolor": GREY, "resample": 3}} | changed
    ops = [of_timm("AugmentOp", name=f"{n}Increasing" if n == "Posterize" else n, **given) for n in RAND.split()]
    return of_timm("RandAugment", ops=ops, num_layers=2, choice_weights=None)


ERASING = {
    "probability": 0.25,
    "min_area": 0.02,
    "max_area": 1 / 3,
    "log_aspect_ratio": (math.log(0.3), math.log(2.0)),
    "min_count": 1,
    "max_count": 1,
    "num_splits": 0,
    "rand_color": False,
    "per_pixel": True,
}
CROP = of_timm(
    "RandomResizedCropAndInterpolation", size=(8, 8), scale=(0.5, 1.0), ratio=(0.8, 1.25), interpolation="bicubic"
)


def test_a_transform_for_training_is_the_pipeline_of_its_parts() -> None:
    found = A.convert(composed(CROP, rand(), of_timm("MaybeToTensor"), of_timm("RandomErasing", **ERASING)))
    grey = tuple(v / 255 for v in GREY)
    policy = af.policy("rand-m9-mstd0.5-inc1", interpolation="bicubic", fill=grey)
    want = af.pipeline(
        af.to_float(),
        af.resized_crop(size=(8, 8), scale=(0.5, 1.0), ratio=af.LogUniform(0.8, 1.25), interpolation="bicubic"),
        policy,
        af.erase_noise(scale=(0.02, 1 / 3), ratio=af.LogUniform(0.5, 1 / 0.3), p=0.25),
    )
    x = torch.randint(0, 256, (4, 3, 12, 16), dtype=torch.uint8)
    assert torch.equal(found.pipeline(x, None, af.key(0))[0], want(x, None, af.key(0))[0])
    assert found.lacking == []
    assert any("af.to_float comes first" in line for line in found.differs)
    assert not any("one of two ways" in line for line in found.differs)
    random = rand()
    random.ops[0].kwargs["resample"] = (2, 3)
    assert any("one of two ways" in line for line in A.convert(composed(CROP, random)).differs)


def test_either_interpolation_and_a_rectangle_of_zeros() -> None:
    both = of_timm(type(CROP).__name__, **vars(CROP) | {"interpolation": ("bilinear", "bicubic")})
    black = of_timm("RandomErasing", **ERASING | {"per_pixel": False, "probability": 1.0})
    pipeline = A.convert(composed(both, black)).pipeline
    assert [*pipeline.params] == ["one_of", "erase"]
    assert (pipeline(torch.ones(2, 3, 16, 16), None, af.key(0))[0] == 0).any()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (of_timm("RandomErasing", **ERASING | {"max_count": 3}), "max_count=3"),
        (of_timm("RandomErasing", **ERASING | {"rand_color": True}), "rand_color=True"),
        (of_timm("AugMixAugment"), "af.policy"),
        (of_timm("CenterCropOrPad"), "af.pad_to"),
        (of_timm("ToSepia"), "no counterpart"),
    ],
)
def test_what_has_no_counterpart(given: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        A.convert(composed(CROP, given))


def test_weights_of_ops_are_said_to_lack() -> None:
    weighted = rand()
    weighted.choice_weights = [1.0] * len(weighted.ops)
    assert "its string" in A.convert(composed(CROP, weighted), partly=True).lacking[0]
