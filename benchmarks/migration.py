"""A kornia script with its import changed: which calls of its documentation run, what differs, and what a call costs.

    python -m benchmarks.migration

Process time on one thread, drawing included, contestants by turns; kornia's warnings are left out.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import augfn_nn as A
from benchmarks import kornia_calls
from benchmarks.kornia_scripts import SCRIPTS
from benchmarks.measure import Contestant, Lane, by_turns, environment, header, table, write

CALLS = kornia_calls.CALLS | SCRIPTS
# calls that run on kornia and not here
REFUSED = {
    "gallery CenterCrop": "the second number is taken for align_corners there, and is not the width: CenterCrop((18, 18))",
    "arguments by position after an op's own": "torchvision's come in another order: by name",
    "a crop larger than the frame": "stretches the image there: `pad_if_needed=True`, or a resize before it",
    "a fisheye of a negative exponent": "tears the image at its centre: an exponent above 0, whose inverse bends the other way",
    "a mosaic of nine": "four images: `af.mosaic`",
    "a mosaic of large boxes": "`af.Boxes(boxes, min_size=...)` says which count, in every op",
    "several cuts": "several of them one after another",
    "an empty container": "a mistake, more often than not: `nn.Identity()`",
}
# public names that are lacking
LACKS = {
    "RandomDissolving": "needs the weights of a diffusion model",
    "MixAugmentationBaseV2": "a base of custom mixes: a mixing op of augfn (`augfn.core.augmentation.mixing`) and `derive`",
}
# (what, in kornia, here, why)
DIFFERENCES = [
    ("`eval()`", "augmentations act", "what is random does not", "as dropout; `params=` replays in `eval()` too"),
    (
        "`RandomAffine`, `RandomRotation3D`, `RandomMotionBlur3D`: sign",
        "clockwise here, the other way in `RandomRotation`",
        "counter-clockwise everywhere",
        "one sign for all; `kornia=True` turns as there, a range about another number than 0 warns",
    ),
    (
        "`RandomBrightness`, `RandomContrast`, `RandomSaturation`",
        "adds, multiplies, scales HSV's",
        "torchvision's formulas",
        "the field's; `kornia=True` takes kornia's",
    ),
    (
        "`Resize`, `RandomResizedCrop`",
        "not antialiased",
        "antialiased where it shrinks",
        "`kornia=True`, `antialias=False`",
    ),
    (
        "`align_corners=True` of `Resize`, `RandomResizedCrop` (there the default), `LongestMaxSize`, `SmallestMaxSize`",
        "corner pixels stay",
        "edges of the frame stay",
        "boxes, masks and images then agree; the argument is accepted, and changes nothing",
    ),
    (
        "`RandomAffine`: a shear beside two scales",
        "shears first",
        "scales first",
        "torchvision's order; kornia's params replay as there",
    ),
    (
        "`RandomMixUp`: `lambda_val`",
        "the partner's weight",
        "the own weight",
        "the paper's; `kornia=True`",
    ),
    (
        "labels of mixes",
        "(own, partner's, weight)",
        "soft labels with `num_classes`, else kornia's",
        "what a loss takes",
    ),
    (
        "boxes",
        "inclusive ends: a flip is W - 1 - x",
        "continuous edges: W - x",
        "areas and IoU as detectors count them",
    ),
    ("boxes beyond the frame", "as they come", "clipped (quads never)", "`Boxes(clip=False)`"),
    ("masks `[B, H, W]`", "come back `[B, 1, H, W]`", "keep their rank", ""),
    ("masks of whole numbers by `extra_args` bilinear", "mixed labels, cut off", "an error", "`mask.float()`"),
    ("keypoints beside an image without a batch", "`[N, 2]`", "`[1, N, 2]`, as the image", "`keepdim=True`"),
    (
        "`RandomRotation90`",
        "warps, keeps H and W",
        "copies pixels, swaps H and W",
        "exact; a frame that is not square needs one sure turn",
    ),
    (
        "`_params`",
        "a list of `ParamItem`",
        "a tree; the list is `param_items`",
        "`params=` takes both, and what kornia has drawn, of the classes in `augfn_nn.replays.TABLE`",
    ),
    (
        "keywords of a call",
        "are not recorded without `save_kwargs=True`; others are swallowed",
        "are recorded; others raise",
        "`_params` replays what was done",
    ),
    ("`transformation_matrix_mode`", '"rigid" raises at the call', "where the matrix is asked for", "the call goes on"),
    ("`show`, `save`", "of the last output, which is kept", "raise", "`augfn.app.viz`: the output is yours to keep"),
    ("`is_intensity_only(strict=False)`", "true beside geometry", "false", "strict=False is about unknown modules"),
    ("`transform_matrix` before a call", "None", "raises", "a wrong default would pass in silence"),
    ("`transform_matrix` with a bend", "ignores it", "raises", "what bends has no matrix"),
    (
        "`p` of what resizes",
        "of the batch, or per sample with a resize",
        "`p_batch`",
        "the samples of a batch have one size",
    ),
    ("`random_apply`", "for the batch, in random order", "the same", '`random_apply_per="sample"` compiles'),
    (
        "policies",
        "one choice for the batch",
        "one for each image",
        "the papers'; lists of one's own by the papers' formulas, with `kornia=True` by kornia's",
    ),
    (
        "a custom class",
        "draws for the batch; its params can be read and edited",
        "draws for each image, with a seed of its own",
        "replay, any batch size; `aug.generated` has what was drawn; masks and points follow the matrix",
    ),
    (
        "`RandomGaussianNoise`",
        "does not clip",
        "clips to [0, 1]",
        "`clip=False`, or `kornia=True`, of normalised images",
    ),
    (
        "`RandomElasticTransform()`",
        "63 pixels wide, alpha 1",
        "alpha up to .03 of the side",
        "`kernel_size=` takes kornia's units",
    ),
    ("a child after its container's call", "has params and a matrix", "has none", "the container has them"),
    ("`state_dict`", "empty", "ranges and the key", "ranges learn; `strict=False` for a checkpoint of kornia's"),
    ("a dict with other names", "passes them on", "raises", "`targets={'path': 'other'}`, or `unknown='pass'`"),
    (
        "a tensor `[B, C, T, H, W]` in a 2-D class",
        "raises",
        "leading dims are batch",
        "VideoSequential, or the data key video",
    ),
    ("classes of kornia in a container", "act on all targets", "raise where they move", "the class of augfn_nn"),
]


def light(K: Any) -> Any:
    steps = K.RandomHorizontalFlip(p=0.5), K.RandomAffine(15.0, (0.1, 0.1), (0.9, 1.1), p=1.0)
    jitter = K.ColorJitter(0.2, 0.2, 0.2, 0.05, p=1.0)
    return (*steps, jitter)


def image_only(K: Any) -> Callable[[int], Any]:
    aug, x = K.AugmentationSequential(*light(K)), torch.rand(8, 3, 128, 128)
    return lambda step: aug(x)


def all_targets(K: Any) -> Callable[[int], Any]:
    aug = K.AugmentationSequential(*light(K), data_keys=["input", "mask", "keypoints", "bbox_xyxy"])
    low = torch.rand(8, 10, 2) * 60
    given = (
        torch.rand(8, 3, 128, 128),
        torch.ones(8, 1, 128, 128),
        torch.rand(8, 20, 2) * 127,
        torch.cat([low, low + 40], -1),
    )
    return lambda step: aug(*given)


def clips(K: Any) -> Callable[[int], Any]:
    aug, x = K.VideoSequential(*light(K), same_on_frame=True), torch.rand(4, 8, 3, 64, 64)
    return lambda step: aug(x)


def frames(K: Any) -> Callable[[int], Any]:
    aug, x = K.VideoSequential(*light(K), same_on_frame=False), torch.rand(4, 8, 3, 64, 64)
    return lambda step: aug(x)


def patches(K: Any) -> Callable[[int], Any]:
    steps = K.ColorJitter(0.2, 0.2, 0.2, 0.05, p=1.0), K.RandomAffine(15.0, p=1.0)
    aug, x = K.PatchSequential(*steps, grid_size=(4, 4), patchwise_apply=False), torch.rand(8, 3, 128, 128)
    return lambda step: aug(x)


def patch_by_patch(K: Any) -> Callable[[int], Any]:
    steps = [K.ColorJitter(0.2, 0.2, 0.2, 0.05, p=1.0) for _ in range(16)]
    aug, x = K.PatchSequential(*steps, grid_size=(4, 4)), torch.rand(8, 3, 128, 128)
    return lambda step: aug(x)


def cheap() -> Any:
    """Three ops whose own cost does not hide that of the module."""
    return A.RandomHorizontalFlip(p=0.5), A.RandomBrightness(0.2, p=0.5), A.RandomGamma((0.8, 1.2), p=0.5)


def functional(_: Any) -> Callable[[int], Any]:
    aug, x = A.AugmentationSequential(*cheap()), torch.rand(1, 3, 8, 8)
    f, ranges = aug.f, aug.params
    return lambda step: f({"image": x}, ranges, torch.randint(2**32, (2,), dtype=torch.int64))


def module(_: Any) -> Callable[[int], Any]:
    aug, x = A.AugmentationSequential(*cheap()), torch.rand(1, 3, 8, 8)
    return lambda step: aug(x)


CASES = {
    "3 ops, image": (image_only, 0.5),
    "3 ops, image, mask, keypoints, boxes": (all_targets, 0.5),
    "VideoSequential, one draw for a clip": (clips, 1.0),
    "VideoSequential, frame by frame": (frames, 1.0),
    "PatchSequential, all on each patch": (patches, 1.0),
    "PatchSequential, one for each patch": (patch_by_patch, 1.0),
}


def form(value: Any) -> Any:
    """Types, shapes and dtypes of what a call gives."""
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype
    if isinstance(value, list | tuple):
        return [*map(form, value)]
    if isinstance(value, dict):
        return {n: form(v) for n, v in value.items()}
    return value if isinstance(value, bool | int | str) else type(value).__name__


def tried(kornia: Any) -> tuple[int, int, list[str]]:
    """How many calls run on kornia, how many of those here with outputs of the same form, and the others."""
    runs, same, others = 0, 0, []
    for name, call in CALLS.items():
        torch.manual_seed(0)
        try:
            theirs = form(call(kornia))
        except Exception:  # a call that kornia refuses counts for nobody
            continue
        runs += 1
        try:
            if form(call(A)) == theirs:
                same += 1
                continue
            others.append(name)
        except Exception:
            others.append(name)
    return runs, same, others


def timed(pairs: list[Contestant], rounds: int, block: float, title: str) -> list[Any]:
    lanes = [Lane(c, block, 3, time.process_time) for c in pairs]
    return by_turns(lanes, rounds, title)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    env = environment("python -m benchmarks.migration", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kornia.augmentation as kornia

        runs, same, others = tried(kornia)
        rows, record = [], []
        for name, (case, most) in CASES.items():
            pair = [Contestant(n, lambda case=case, K=K: case(K)) for n, K in (("augfn_nn", A), ("kornia", kornia))]
            ours, theirs = timed(pair, options.rounds, 0.1, name)
            share = ours.median / theirs.median
            verdict = "holds" if share <= most else "does not hold"
            rows.append(
                [
                    name,
                    f"{ours.median * 1e3:.2f} ms",
                    f"{theirs.median * 1e3:.2f} ms",
                    f"{share:.2f}",
                    f"{most:g}: {verdict}",
                ]
            )
            record.append(
                {
                    "case": name,
                    "augfn_nn": ours.record(),
                    "kornia": theirs.record(),
                    "share": share,
                    "holds": share <= most,
                }
            )
        pair = [Contestant("function", lambda: functional(None)), Contestant("module", lambda: module(None))]
        alone, within = timed(pair, 3 * options.rounds, 0.05, "overhead")
    overhead = (within.median - alone.median) * 1e6
    reasons = [[f"`{n}`", REFUSED.get(n, "")] for n in others]
    page = "\n\n".join(
        [
            "# A kornia script with its import changed",
            header(env),
            f"{same} of {runs} calls of kornia's documentation, tutorials and scripts (`benchmarks/kornia_calls.py`, "
            f"`kornia_scripts.py`) run with outputs of the same form: {same / runs:.1%}.",
            table(["call that does not", "why"], reasons),
            table(["name that is lacking", "why"], [[f"`{n}`", why] for n, why in LACKS.items()]),
            "## What differs",
            table(["what", "kornia 0.9", "augfn_nn", "why, and what to do"], DIFFERENCES),
            "## What a call costs",
            table(["", "augfn_nn", "kornia", "share", "at most"], rows),
            f"A module of three ops adds {overhead:.0f} µs to its function ({alone.median * 1e6:.0f} µs, an image of 8 x 8; "
            f"drawing included): {'holds' if overhead < 50 else 'does not hold'} (at most 50).",
        ]
    )
    data = {
        "environment": env,
        "calls": {"run": runs, "same": same, "others": others},
        "times": record,
        "overhead_us": overhead,
    }
    paths = write(options.out, "migration", data, page)
    print(page, *(f"written: {path}" for path in paths), sep="\n")


if __name__ == "__main__":
    main()
