"""albumentations' transforms, from the dict that `Compose.to_dict()` gives: what each is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn_nn.converters import albumentations_geometry as geometry
from augfn_nn.converters import albumentations_light as light
from augfn_nn.converters import albumentations_pixels as pixels
from augfn_nn.converters.albumentations_module import Composed, Form
from augfn_nn.converters.albumentations_values import (
    AGAIN,
    BORDERS,
    INTERPOLATIONS,
    Make,
    Said,
    Told,
    Values,
    transforms_of,
)
from augfn_nn.converters.notes import Notes
from augfn_nn.converters.values import gated
from augfn_nn.slots import slot_of

SEQUENCES = ("Compose", "Sequential", "ReplayCompose")
# of targets with names of their own
KINDS = {
    "image": "image",
    "images": "image",
    "mask": "mask",
    "masks": "mask",
    "bboxes": "boxes",
    "keypoints": "keypoints",
}
LOADS = {"ToFloat", "ToTensorV2", "ToTensor3D", "FromFloat"}


def converted(compose: Any, notes: Notes) -> Composed | None:
    """A composition, or the dict of one, as a module that takes uint8 images, or floats in [0, 1]."""
    said = compose if isinstance(compose, dict) else compose.to_dict()
    seed = getattr(compose, "seed", None)
    if seed is not None:  # which its dict does not tell
        why = "draws follow torch.manual_seed, or a key: module(..., generator=af.key(7)[None])"
        notes.differ("seed", why.replace("7", str(seed)))
    if not str(version := said.get("__version__", "2.")).startswith("2."):
        notes.differ("__version__", f"{version}: arguments that albumentations 2 does not have are not read; {AGAIN}")
    (said,) = transforms_of(Told(transforms=[Told.of(said["transform"])]))
    told(said, notes)
    plain = said["__class_fullname__"].rsplit(".", 1)[-1] in SEQUENCES and float(said.get("p", 1.0)) == 1
    steps = [f for t in (transforms_of(said) if plain else [said]) if (f := step(t, notes)) is not None]
    if not steps:
        return None
    module = Composed(af.to_float(), *steps, keepdim=True, targets=notes.targets)
    module.forms = forms_of(said, notes.targets)
    return module


def forms_of(said: Said, targets: Mapping[str, str]) -> dict[str, Form]:
    """How rows of boxes and of keypoints are read, by the names of their targets."""
    boxes, points = said.get("bbox_params"), said.get("keypoint_params")
    forms: dict[str, Form] = {}
    if boxes:
        settings = {"format": boxes["format"]} | {n: float(boxes.get(n) or 0) for n in ("min_area", "min_visibility")}
        forms["boxes"] = Form("boxes", settings, tuple(boxes.get("label_fields") or ()), True)
    if points and points.get("format", "xy") == "xy":
        fields, drops = tuple(points.get("label_fields") or ()), bool(points.get("remove_invisible", True))
        forms["keypoints"] = Form("keypoints", {}, fields, drops)
    further = {n: forms[kind]._replace(fields=()) for n, kind in targets.items() if kind in forms}
    return {n: forms[kind] for n, kind in KINDS.items() if kind in forms} | further


def told(said: Said, notes: Notes) -> None:
    """What a composition says of boxes, keypoints and further names."""
    if boxes := said.get("bbox_params"):
        given = [f"{n}={boxes[n]}" for n in ("min_area", "min_visibility") if boxes.get(n)]
        call = ", ".join(["torch.tensor(boxes)", f"format={boxes['format']!r}", *given])
        notes.differ(
            "bbox_params",
            f"tensors are corners in pixels, else af.Boxes({call}); af.drop_invalid filters rows of af.Boxes",
        )
        sides = [f"{n}={boxes[n]}" for n in ("min_width", "min_height", "max_accept_ratio") if boxes.get(n)]
        if sides:
            notes.differ("bbox_params", f"{', '.join(sides)}: min_size= of af.Boxes is for the shorter side")
    if points := said.get("keypoint_params"):
        notes.differ("keypoint_params", "give keypoints as (x, y) in pixels" + of_format(points))
    for params in (said.get("bbox_params") or {}, said.get("keypoint_params") or {}):
        for name in params.get("label_fields") or ():
            if not is_known(name):
                notes.targets[name] = "other"
    for name, kind in (said.get("additional_targets") or {}).items():
        if kind in KINDS:
            notes.targets[name] = KINDS[kind]
        else:
            notes.differ(
                "additional_targets", f"targets={{{name!r}: ...}} of AugmentationSequential, or of af.pipeline"
            )


def of_format(points: Said) -> str:
    form = points.get("format", "xy")
    return "" if form == "xy" else f" (here they are {form!r})"


def is_known(name: str) -> bool:
    """True of a name that tells what it is."""
    try:
        slot_of(name, 2, {})
    except ValueError:
        return False
    return True


def step(a: Said, notes: Notes) -> Augmentation | None:
    """One transform, acting with its p."""
    name, p = a["__class_fullname__"].rsplit(".", 1)[-1], float(a.get("p", 1.0))
    if name in LOADS:
        whole = a.get("max_value") in (None, 1.0, 255, 255.0)
        notes.differ(name, "left out: images are floats in [0, 1] throughout")
        return None if whole else notes.lack(name, f"max_value={a['max_value']}: divide the images before")
    if name in GROUPS:
        return group(name, a, p, notes)
    if name not in TABLE:
        return notes.lack(name, LACKS.get(name, "no counterpart"))
    for n, (usual, why) in (COMMON | EXPECTED.get(name, {})).items():
        if n in a and a[n] not in usual:
            return notes.lack(name, f"{n}={a[n]} has no counterpart{why}")
    made = notes.function(name, lambda: TABLE[name](a))
    if made is None:
        return None
    why = DIFFERS.get(name, "")
    if why := why(a) if callable(why) else why:
        notes.differ(name, why)
    if a.get("mask_interpolation") or a.get("rotate_method", "largest_box") != "largest_box":
        notes.differ(name, "masks are read nearest (a soft mask: data key 'softmask'), boxes around their corners")
    if a.get("fill") == 1:
        notes.differ(name, "fill=1 is read as full scale")
    if p < 1 and name in geometry.FRAMES:
        notes.differ(name, f"p={p}: a batch has one size, so that it raises where the frame changes")
    return gated(made, p)


def group(name: str, a: Said, p: float, notes: Notes) -> Augmentation | None:
    """A composition of others."""
    said = transforms_of(a)
    if name in ("OneOf", "OneOrOther"):
        said = [Told(t, p=1.0) for t in said]
    parts = [step(t, notes) for t in said]
    left = [f for f in parts if f is not None]
    if len(left) < len(parts) and name not in SEQUENCES:
        return notes.lack(name, "a choice of which one is lacking")
    if not left:
        return None
    f = GROUPS[name](a, left)
    return f if name == "OneOrOther" else gated(f, p)


def several(a: Said, parts: Sequence[Augmentation], order: str) -> Augmentation:
    n = a.get("n", 1)
    n = tuple(n) if isinstance(n, list | tuple) else n
    again = a.get("replace", False)
    return af.some_of(min(n, len(parts)) if isinstance(n, int) and not again else n, *parts, replace=again, order=order)


GROUPS: dict[str, Callable[[Said, list[Augmentation]], Augmentation]] = {
    "Compose": lambda a, parts: af.pipeline(*parts),
    "Sequential": lambda a, parts: af.pipeline(*parts),
    "ReplayCompose": lambda a, parts: af.pipeline(*parts),
    "OneOf": lambda a, parts: af.one_of(*parts, weights=tuple(float(t["p"]) for t in a["transforms"])),
    "OneOrOther": lambda a, parts: af.one_of(*parts, weights=(float(a["p"]), 1 - float(a["p"]))),
    "SomeOf": lambda a, parts: several(a, parts, "given"),
    "RandomOrder": lambda a, parts: several(a, parts, "random"),
}
TABLE: dict[str, Make] = geometry.GEOMETRY | pixels.PIXELS | light.LIGHT
COMMON: Values = {
    "interpolation": ((*INTERPOLATIONS,), " (nearest, linear, cubic and area have)"),
    "border_mode": ((*BORDERS,), ""),
}
EXPECTED = geometry.EXPECTED | pixels.EXPECTED | light.EXPECTED  # arguments with the values that have a counterpart
DIFFERS = geometry.DIFFERS | pixels.DIFFERS | light.DIFFERS
LACKS = geometry.LACKS | pixels.LACKS
