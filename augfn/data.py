"""Data: batches of samples that differ in their number of boxes, or in size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import Dataset

from augfn.core.augmentation import Augmentation
from augfn.core.boxes import Boxes, Keypoints
from augfn.core.lists import dims_of, instances_of, rows_of, stacked, values_of
from augfn.core.targets import FRAMED, OTHER, kind_of
from augfn.curricula import Curriculum
from augfn.errors import explain, warn
from augfn.random import check_key, sample_keys


class AugmentedDataset(Dataset[Any]):
    """A map-style dataset whose samples are augmented, each with a key of its own: its index, the epoch and `key` alone say
    what is drawn, on any number of workers.

    * `dataset`: gives tensors, dicts of targets, or tuples of which the first is augmented, as (image, label); of a module
      with several `data_keys` as many as it has. What else is in a tuple is passed on; a mask, boxes or keypoints there that
      the image is moved away from warn: give them in the dict, `{"image": image, "mask": mask}`.
    * `augment`: an augmentation, or a module of augfn_nn.
    * `set_epoch(epoch)`: for the next epoch; workers that persist hear of it. It goes on to a `dataset` that has one too, such as
      another AugmentedDataset.
    * `curves` and `epochs`: a curriculum, as in `schedule`, whose progress goes from 0 in the first epoch to 1 in the last of
      so many (a module has its own, `augfn_nn.Scheduled`, whose epoch is set too).

    >>> import augfn as af
    >>> data = AugmentedDataset([torch.rand(3, 8, 8)] * 4, af.rotate(), af.key(0))
    >>> data[1].equal(data[1]), data[1].equal(data[2])
    (True, False)
    >>> before = data[1]
    >>> data.set_epoch(1)
    >>> data[1].equal(before)
    False
    """

    def __init__(
        self, dataset: Any, augment: Any, key: Tensor, *, curves: Mapping[str, Any] | None = None, epochs: int = 0
    ) -> None:
        check_key(key)
        if (curves is None) != (epochs == 0) or (curves is not None and not isinstance(augment, Augmentation)):
            given, want = (curves, epochs), "curves and epochs for an augmentation, neither for a module"
            raise ValueError(explain("AugmentedDataset: a curriculum", given, want, "curves={...}, epochs=100"))
        if not isinstance(getattr(augment, "f", augment), Augmentation):
            want, fix = "an augmentation of augfn, or a module of augfn_nn", "f(dataset[i]) in a Dataset of your own"
            raise TypeError(explain("AugmentedDataset: not an augmentation", augment, want, fix))
        if not getattr(augment, "keepdim", True):
            want, fix = "a module that keeps the rank of a sample", f"{type(augment).__name__}(..., keepdim=True)"
            raise ValueError(explain("AugmentedDataset: a batch dimension for each sample", augment, want, fix))
        self.dataset, self.key, self.epochs = dataset, key, epochs
        self.augment: Any = augment
        self.curriculum = None if curves is None else Curriculum(augment, curves)
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # so that workers see what is set
        self.looking = is_moving(getattr(augment, "f", augment))

    def key_of(self, key: Tensor) -> Tensor:
        """A module sees a batch of one: a key for its sample, or for all where they share a draw."""
        return key if self.augment.shared else key[None]

    def set_epoch(self, epoch: int) -> None:
        self.epoch.fill_(epoch)
        if hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> Any:
        if isinstance(i, slice):
            fix = "torch.utils.data.Subset(augmented, range(...))"
            raise TypeError(explain("AugmentedDataset: one sample at a time", i, "an index", fix))
        epoch = int(self.epoch)
        sample, key = self.dataset[i], sample_keys(self.key, i % len(self), epoch)
        given = sample if isinstance(sample, tuple) else (sample,)
        n = 1 if isinstance(given[0], Mapping) else len(getattr(self.augment, "data_keys", "x"))
        if self.looking:  # at the first sample, in each process
            self.looking = look_at_rest(given[0], given[n:])
        if isinstance(self.augment, Augmentation):
            at = None if self.curriculum is None else self.curriculum(progress_of(epoch, self.epochs))
            y = self.augment(given[0], at, key)[0]
        else:
            if hasattr(self.augment, "set_epoch"):
                self.augment.set_epoch(epoch)
            if len(given) < n:
                what, want = f"AugmentedDataset: {len(given)} of {n} data keys", f"{self.augment.data_keys}"
                raise ValueError(explain(what, sample, want, "samples that hold all of them, in this order"))
            y = self.augment(*given[:n], generator=self.key_of(key))
        return ((*y, *given[n:]) if n > 1 else (y, *given[1:])) if isinstance(sample, tuple) else y


def is_moving(f: Any) -> bool:
    """True if some op inside moves pixels."""
    kind = getattr(getattr(f, "spec", None), "kind", "")
    return kind == "geometric" or any(map(is_moving, getattr(f, "steps", {}).values()))


def look_at_rest(image: Any, rest: Sequence[Any]) -> bool:
    """A warning where a tuple holds, beside the image that is moved, what lies on it. False: one look is enough."""
    size = tuple(image.shape[-2:]) if isinstance(image, Tensor) else None
    for value in rest:
        names = [n for n in value if kind_or_other(n, {}) in LYING] if isinstance(value, Mapping) else []
        frame = tuple(getattr(value, "shape", ())[-2:])
        whole = "float" not in str(getattr(value, "dtype", "float"))
        if names or isinstance(value, Boxes | Keypoints) or (whole and frame == size):
            given = f"a dict with {', '.join(names)}" if names else value
            want = "(image, label), or a dict of all that lies on the image"
            fix = '{"image": image, "mask": mask, "boxes": boxes}, or a module with data_keys=["input", "mask"]'
            warn(explain("AugmentedDataset: moves the image, and passes on what lies on it", given, want, fix))
    return False


def progress_of(epoch: int, epochs: int) -> float:
    """0 in the first epoch, 1 in the last and afterwards."""
    return min(max(epoch, 0) / max(epochs - 1, 1), 1.0)


LYING = ("mask", "softmask", "heatmap", "instances", "boxes", "keypoints", "depth", "flow")
FRAMES = ("image", "video", "volume", "depth", "mask", "softmask", "heatmap", "instances")
SIZES = ("same", "pad")


def collate(
    samples: Sequence[Mapping[str, Any]],
    *,
    sizes: str = "same",
    fill: float = 0.0,
    fill_mask: float = 0.0,
    targets: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A batch from a list of samples, dicts of one kind each: `DataLoader(..., collate_fn=af.collate)`.

    * Images, masks and what else has a frame are stacked. Where they differ in size, `sizes="pad"` pads them to the
      largest, below and on the right, with `fill` (masks: `fill_mask`), and adds `other_size [B, 2]`: the part (h, w) of
      each that is its own (a name with "other" passes through augmentations); "same" raises.
    * Instance masks `[N_i, H, W]`, as many as boxes, are filled up with empty ones; both may be those of every frame of a clip.
    * Boxes and keypoints, `Boxes`, `Keypoints` or tensors `[N_i, 4]`, `[N_i, 2]`, become `Boxes` and `Keypoints` of as many
      rows as the longest, valid or visible where there is one. Fractions of a frame are those of the padded one.
    * Labels and numbers become tensors; strings, names that are not known and all else lists. `targets`: kinds of names
      that do not tell them. (Labels of boxes belong to the boxes: `Boxes(data, labels=...)`.)

    >>> a = {"image": torch.rand(3, 8, 8), "boxes": torch.tensor([[0.0, 0.0, 4.0, 4.0]]), "name": "a"}
    >>> b = {"image": torch.rand(3, 6, 9), "boxes": torch.zeros(0, 4), "name": "b"}
    >>> batch = collate([a, b], sizes="pad", targets={"name": "other"})
    >>> batch["image"].shape, batch["other_size"].tolist(), batch["boxes"].valid.tolist(), batch["name"]
    (torch.Size([2, 3, 8, 9]), [[8, 8], [6, 9]], [[True], [False]], ['a', 'b'])
    """
    if sizes not in SIZES:
        raise ValueError(explain("collate: sizes", sizes, f"one of {SIZES}", 'sizes="pad"'))
    names = check_samples(samples)
    kinds = {n: kind_or_other(n, targets or {}) for n in names}
    frames, d = [n for n in names if kinds[n] in FRAMES], dims_of(samples[0], kinds)
    own = [frame_of({n: s[n] for n in frames}, kinds, d, i) for i, s in enumerate(samples)] if frames else []
    size = tuple(map(max, zip(*own, strict=True)))
    padding = len(set(own)) > 1
    if padding and sizes == "same":
        want, fix = "images of one size", 'collate(..., sizes="pad"), or a resize in the dataset'
        raise ValueError(explain("collate: images differ in size", sorted(set(own)), want, fix))
    out: dict[str, Any] = {}
    for n in names:
        values = [s[n] for s in samples]
        if kinds[n] in FRAMES:
            level = fill_mask if kinds[n] in ("mask", "softmask") else fill if kinds[n] in FRAMED else 0.0
            what = "fill_mask" if kinds[n] in ("mask", "softmask") else "fill"
            values = [grown(v, size, level, f"{what} for {n}") for v in values] if padding else values
            out[n] = stacked(n, values) if kinds[n] != "instances" else instances_of(n, values, d)
            if kinds[n] == "instances":
                check_instances(n, values, [s[m] for m in names if kinds[m] == "boxes" for s in samples])
        elif kinds[n] in ("boxes", "keypoints"):
            out[n] = rows_of(n, kinds[n], values, own if padding else None, size, d)
        else:
            out[n] = values_of(n, values, kinds[n] == OTHER)
    return out | ({"other_size": torch.tensor(own)} if padding else {})


def check_instances(name: str, masks: Sequence[Any], boxes: Sequence[Any]) -> None:
    """As many instance masks as boxes in each sample."""
    for i, (m, rows) in enumerate(zip(masks, boxes, strict=False)):
        known = rows.data if isinstance(rows, Boxes) else torch.as_tensor(rows)
        at = known.ndim - 2  # in a clip the frames lead
        if m.shape[: at + 1] != known.shape[: at + 1]:
            given, want = f"{m.shape[at]} masks, {known.shape[at]} boxes", "one mask for each box"
            raise ValueError(explain(f"collate: {name} of sample {i}", given, want, "empty masks where there is none"))


def kind_or_other(name: str, targets: Mapping[str, str]) -> str:
    """The kind of a name; what is not known is passed on."""
    try:
        return kind_of(name, targets)
    except ValueError:
        if name in targets:
            raise
        return OTHER


def check_samples(samples: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names, which all samples have."""
    if not samples:
        raise ValueError(explain("collate: no samples", samples, "at least one", "leave empty batches out"))
    if not all(isinstance(s, Mapping) for s in samples):
        several = all(isinstance(s, tuple | list) and all(isinstance(v, Mapping) for v in s) for s in samples)
        fix = 'return {"image": image, "label": label} from the dataset'
        fix = "af.collate([s for several in samples for s in several])" if several else fix
        raise TypeError(explain("collate: not a list of dicts", samples, "a dict for each sample", fix))
    for i, s in enumerate(samples):
        if s.keys() != samples[0].keys():
            want, fix = (
                f"the names of the first, {list(samples[0])}",
                "give every sample the same names, [] for no boxes",
            )
            raise ValueError(explain(f"collate: sample {i} has other names", list(s), want, fix))
    return list(samples[0])


def frame_of(frames: Mapping[str, Any], kinds: Mapping[str, str], d: int, i: int) -> tuple[int, ...]:
    """The size of a sample's frame, which all that has one shares."""
    found = {}
    for name, value in frames.items():
        if not isinstance(value, Tensor):
            fix = f"af.to_float({name}) in the dataset" if kinds[name] in FRAMED else f"torch.as_tensor({name})"
            raise TypeError(explain(f"collate: {name} of sample {i} is no tensor", value, "a tensor", fix))
        found[name] = tuple(value.shape[-d:])
    if len(set(found.values())) > 1:
        raise ValueError(explain(f"collate: the frames of sample {i}", found, "one size", "resize them alike"))
    return next(iter(found.values()))


def grown(x: Tensor, size: tuple[int, ...], level: float, what: str) -> Tensor:
    """Padded at the far ends of the last axes."""
    if not x.is_floating_point():
        low, high = (0, 1) if x.dtype == torch.bool else (torch.iinfo(x.dtype).min, torch.iinfo(x.dtype).max)
        if not (low <= level <= high and float(level).is_integer()):
            want, fix = (
                f"a whole number from {low} to {high}, for {x.dtype}",
                "another number, or .long() in the dataset",
            )
            raise ValueError(explain(f"collate: {what}", level, want, fix))
    more = [n for have, want in zip(x.shape[::-1], size[::-1], strict=False) for n in (0, want - have)]
    return pad(x, more, value=level)
