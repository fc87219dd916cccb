"""The order of the pages: one that is not there is left out, one that has no place here stands at the end of its folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from notebooks.site.ops import BESIDE, families
from notebooks.site.results import benchmark_groups

LEARN = ("words", "keys", "params", "targets", "ranges", "transforms", "determinism")
TASKS = (
    *(
        "classification",
        "detection",
        "segmentation",
        "pose",
        "medical",
        "satellite",
        "video",
        "depth",
        "self_supervised",
    ),
    *("gans", "policies", "tta", "curricula", "tuning", "behaviour", "learned", "scale"),
)
COMING = ("kornia", "torchvision", "albumentations", "monai", "torchio", "timm", "imgaug", "names")
API = ("augfn", "augfn_nn", "classes", "distributions", "learn", "analysis", "tune", "offline", "distributed")
PROJECT = ("laws", "design", "faq", "stability", "cite", "changelog")
WEIGHTS = {"learn": 3.0, "tasks": 3.0, "coming": 2.0, "benchmarks": 0.3, "changelog.md": 0.3}  # in the search
# What is asked for in words that a page does not have, or has beside many others.
ASKED = {
    "learn/words": ["tutorial", "quickstart", "getting started"],
    "learn/keys": ["seed", "random state", "generator"],
    "learn/params": ["replay", "reproduce", "save"],
    "learn/targets": ["bounding boxes", "masks", "keypoints"],
    "learn/ranges": ["learnable", "differentiable", "gradient"],
    "learn/transforms": ["torch.compile", "vmap", "ONNX", "export", "jit"],
    "learn/determinism": ["deterministic", "reproducible", "workers", "DDP", "float16"],
    "tasks/tta": ["test-time augmentation"],
    "tasks/scale": ["DataLoader", "Ray", "WebDataset", "command line", "CLI"],
    "tasks/medical": ["3D", "volume", "MRI", "CT", "nnU-Net"],
    "tasks/self_supervised": ["SimCLR", "BYOL", "DINO", "contrastive"],
    "tasks/gans": ["ADA", "DiffAugment"],
    "tasks/satellite": ["hyperspectral", "multispectral", "16 bit"],
    "tasks/tuning": ["hyperparameter", "ablation"],
    "tasks/behaviour": ["robustness", "invariance"],
    "tasks/learned": ["adversarial", "bilevel"],
    "tasks/video": ["optical flow", "clip", "frames"],
    "tasks/classification": ["ImageNet", "CIFAR"],
    "tasks/detection": ["COCO", "YOLO", "bounding boxes"],
    "design": ["contribute", "architecture", "custom op"],
    **{f"coming/{n}": [n] for n in COMING},
}
FOLDERS = {
    "Learn": ("learn", LEARN),
    "Tasks": ("tasks", TASKS),
    "Coming from": ("coming", COMING),
    "API": ("api", API),
    "Examples": ("examples", ()),
}


def navigation(places: Collection[str]) -> list[Any]:
    """What mkdocs takes as `nav`, of the pages that there are."""
    there = [p for p in places if p.endswith(".md")]
    nav: list[Any] = [{"Start": p} for p in ("index.md",) if p in there]
    for title, (folder, order) in FOLDERS.items():
        pages = in_order(folder, order, there)
        nav += [{title: pages}] if pages else []
        if title == "Tasks":
            nav.append({"Ops": grouped("ops", [*families().items(), *BESIDE.items()], there)})
    nav.append({"Benchmarks": grouped("benchmarks", benchmark_groups().items(), there)})
    project = in_order("", PROJECT, [p for p in there if p != "index.md"])
    return [*nav, *([{"Project": project}] if project else [])]


def in_order(folder: str, order: Collection[str], places: Collection[str]) -> list[str]:
    """The pages of a folder: its index, those of the fixed order, then the others by name."""
    inside = [p for p in places if p.rpartition("/")[0] == folder]
    first = [f"{folder}/{n}.md".lstrip("/") for n in ("index", *order)]
    return [*(p for p in first if p in inside), *sorted(p for p in inside if p not in first)]


def grouped(folder: str, groups: Iterable[tuple[str, Iterable[str]]], places: Collection[str]) -> list[Any]:
    """The pages of a folder: its index, those of no group, then the groups."""
    inside = [{title: [p for n in names if (p := f"{folder}/{n}.md") in places]} for title, names in groups]
    known = {p for group in inside for pages in group.values() for p in pages}
    return [*(p for p in in_order(folder, (), places) if p not in known), *(g for g in inside if any(g.values()))]
