"""Ragged detection data: padding and back, formats, devices, rows, and batches for a DataLoader."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._pytree import tree_structure
from torch.utils.data import DataLoader

import augfn as af
import augfn_nn
from augfn.core.boxes import FORMATS

ROWS = [[[0.0, 1.0, 4.0, 5.0], [2.0, 2.0, 3.0, 9.0]], [], [[1.0, 1.0, 2.0, 2.0]]]


def test_padded_boxes_and_back():
    boxes = af.Boxes.pad(ROWS, labels=[[7, 8], [], [9]])
    assert boxes.data.shape == (3, 2, 4)
    assert boxes.valid.tolist() == [[True, True], [False, False], [True, False]]
    assert boxes.labels.tolist() == [[7, 8], [0, 0], [9, 0]]
    data, labels = af.drop_invalid(boxes)
    assert [d.tolist() for d in data] == ROWS
    assert [n.tolist() for n in labels] == [[7, 8], [], [9]]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.sampled_from([2, 4]))
def test_any_numbers_of_rows(counts, width):
    lists = [torch.rand(n, width).sort(-1).values for n in counts]
    if width == 4:
        padded = af.Boxes.pad(lists)
        data = af.drop_invalid(padded)
    else:
        points = af.Keypoints.pad(lists)
        data = [xy[seen] for xy, seen in zip(points.xy, points.visible, strict=True)]
    assert all(a.equal(b) for a, b in zip(data, lists, strict=True))


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, "list", "tensor"])
def test_rows_of_any_kind(kind):
    rows = [[[0, 1, 4, 5]], [[2, 2, 3, 9], [1, 1, 2, 2]]]
    make = {"list": list, "tensor": torch.tensor}.get(kind, lambda x: np.array(x, kind))
    assert af.Boxes.pad([make(r) for r in rows]).data.is_floating_point()


@pytest.mark.parametrize("make", [list, np.array, torch.tensor])
def test_a_name_tells_the_format_of_plain_rows(make):
    rows = [[[8.0, 9.0, 2.0, 3.0]], [[8.0, 9.0, 2.0, 3.0], [1.0, 1.0, 5.0, 5.0]]]
    batch = af.collate([{"image": torch.rand(3, 16, 16), "bbox_coco": make(r)} for r in rows])
    assert batch["bbox_coco"].format == "xywh"
    assert batch["bbox_coco"].data[:, 0].tolist() == [rows[0][0]] * 2
    assert batch["bbox_coco"].valid.tolist() == [[True, False], [True, True]]


def test_a_batch_without_boxes():
    boxes = af.Boxes.pad([[], torch.zeros(0, 4)], labels=[[], []])
    assert boxes.data.shape == (2, 0, 4)
    assert af.hflip()({"image": torch.rand(2, 3, 8, 8), "boxes": boxes})[0]["boxes"].data.shape == (2, 0, 4)


@pytest.mark.parametrize(
    ("call", "error", "advice"),
    [
        (lambda: af.Boxes.pad([[[4, 0, 0, 2]]]), ValueError, r"boxes\[0\]\[0\] is no box"),
        (lambda: af.Boxes.pad([[], [[0, 0, float("nan"), 2]]]), ValueError, r"boxes\[1\]\[0\] is no box"),
        (lambda: af.Boxes.pad([[[0, 0, -4, 2]]], format="xywh"), ValueError, "name the format"),
        (lambda: af.Boxes.pad([[[0, 0, 4]]]), ValueError, r"\[N, 4 or 6\]"),
        (lambda: af.Boxes.pad([[[0, 0, 4, 4]]], format="cxcywhr"), ValueError, r"\[N, 5\]"),
        (lambda: af.Boxes.pad([[[0, 0, 4, 4]]], labels=[[1, 2]]), ValueError, "one label for each box"),
        (lambda: af.Boxes.pad([[[0, 0, 4, 4]]], labels=[["cat"]]), TypeError, "rows of numbers"),
        (lambda: af.Boxes.pad([]), ValueError, "no samples"),
        (lambda: af.Boxes.pad(torch.zeros(1, 2, 4)), TypeError, "not a list"),
        (lambda: af.Keypoints.pad([[[0, 0, 4, 4]]]), ValueError, r"\[N, 2 or 3\]"),
    ],
)
def test_rows_that_are_none(call, error, advice):
    with pytest.raises(error, match=advice):
        call()


# rows, devices, formats


def test_some_samples_and_rows():
    boxes = af.Boxes.pad(ROWS, labels=[[7, 8], [], [9]], min_visibility=0.1)
    assert len(boxes) == 3
    assert boxes[0].data.equal(boxes.data[0])
    assert boxes[1:].labels.equal(boxes.labels[1:])
    assert boxes[0][:1].seen.shape == (1,)
    assert boxes[torch.tensor([2, 0])].valid.tolist() == [[True, False], [True, True]]
    with pytest.raises(IndexError, match="a slice of rows"):
        boxes[0][0]
    points = af.Keypoints(torch.rand(2, 3, 2), swap=((0, 1),))
    assert points[1].swap == points.swap


def test_to():
    boxes = af.Boxes.pad(ROWS, labels=[[7, 8], [], [9]], min_visibility=0.1).to(torch.float64)
    assert [t.dtype for t in (boxes.data, boxes.seen, boxes.valid, boxes.labels)] == [
        *[torch.float64] * 2,
        torch.bool,
        torch.int64,
    ]
    there = boxes.to("meta")
    assert all(t.is_meta for t in (there.data, there.valid, there.labels, there.seen))
    assert af.Keypoints(torch.rand(3, 2)).to("meta").visible.is_meta
    with pytest.raises(TypeError, match="floating dtype"):
        boxes.to(torch.int64)


@given(st.sampled_from(FORMATS), st.sampled_from(FORMATS))
@settings(max_examples=60)
def test_formats_turn_into_each_other(first, second):
    size = (20, 40)
    corners = torch.tensor([[2.0, 4.0, 10.0, 9.0], [0.0, 0.0, 40.0, 20.0]])
    boxes = af.Boxes(corners).convert(first, size)
    assert boxes.format == first
    back = boxes.convert(second, size).convert("xyxy", size)
    torch.testing.assert_close(back.data, corners)
    assert boxes.convert(first, size).format == first


def test_a_turned_box_has_an_upright_one_around_it():
    box = af.Boxes(torch.tensor([[10.0, 10.0, 4.0, 2.0, 90.0]]), "cxcywhr")
    torch.testing.assert_close(box.convert("xyxy").data, torch.tensor([[9.0, 8.0, 11.0, 12.0]]))
    torch.testing.assert_close(box.convert("xyxyxyxy").convert("cxcywhr").data, box.data)


@pytest.mark.parametrize("pair", [("xyxy", "yolo"), ("xyxyn", "coco")])
def test_fractions_need_a_frame(pair):
    with pytest.raises(ValueError, match=r"size=\(height, width\)"):
        af.Boxes(torch.rand(2, 4), pair[0]).convert(pair[1])
    assert af.Boxes(torch.rand(2, 4), pair[0]).convert(pair[1], size=(4, 8)).data.shape == (2, 4)


def test_the_structure_stays():
    sample = {"image": torch.rand(3, 1, 12, 12), "boxes": af.Boxes.pad(ROWS, min_visibility=0.5)}
    sample |= {"keypoints": af.Keypoints.pad([[[1, 2]], [], [[3, 4], [5, 6]]])}
    y, _ = af.pipeline(af.hflip(), af.rotate())(sample, None, af.key(0))
    assert tree_structure(y) == tree_structure(sample)


# batches


class Detection(torch.utils.data.Dataset):
    def __init__(self, sides):
        self.sides = sides

    def __len__(self):
        return 4

    def __getitem__(self, i):
        h, w = self.sides[i % len(self.sides)]
        boxes = torch.tensor([[0.0, 0.0, 0.5, 1.0]] * (i % 3)).reshape(-1, 4)
        return {
            "image": torch.full((3, h, w), i / 4),
            "mask": torch.full((h, w), i),
            "boxes": af.Boxes(boxes, "xyxyn", labels=torch.full((len(boxes),), i)),
            "keypoints": torch.rand(i, 2),
            "label": i,
            "score": torch.tensor(i / 2),
            "name": f"photo {i}",
        }


def collate(**settings):
    def of(samples):
        return af.collate(samples, targets={"name": "other", "score": "other"}, **settings)

    return of


def test_a_loader_of_one_size():
    batch = next(iter(DataLoader(Detection([(8, 8)]), 4, collate_fn=collate())))
    assert {n: tuple(batch[n].shape) for n in ("image", "mask", "label", "score")} == {
        "image": (4, 3, 8, 8),
        "mask": (4, 8, 8),
        "label": (4,),
        "score": (4,),
    }
    assert batch["boxes"].valid.sum(-1).tolist() == [0, 1, 2, 0]
    assert batch["boxes"].labels[2].tolist() == [2, 2]
    assert batch["keypoints"].visible.sum(-1).tolist() == [0, 1, 2, 3]
    assert batch["name"] == [f"photo {i}" for i in range(4)]
    assert "other_size" not in batch


def test_a_loader_of_several_sizes():
    samples = Detection([(8, 8), (6, 12)])
    with pytest.raises(ValueError, match='sizes="pad"'):
        collate()([samples[0], samples[1]])
    batch = collate(sizes="pad", fill=0.5, fill_mask=255)([samples[i] for i in range(4)])
    assert batch["image"].shape == (4, 3, 8, 12)
    assert batch["other_size"].tolist() == [[8, 8], [6, 12]] * 2
    assert batch["image"][1, 0, 6:].unique().tolist() == [0.5]
    assert batch["mask"][1, 6:].unique().tolist() == [255]
    assert batch["mask"][1, :6].unique().tolist() == [1]
    pixels = batch["boxes"].convert("xyxy", (8, 12)).data
    torch.testing.assert_close(pixels[1, 0], torch.tensor([0.0, 0.0, 6.0, 6.0]))  # half of a frame of 6 x 12
    torch.testing.assert_close(pixels[2, 0], torch.tensor([0.0, 0.0, 4.0, 8.0]))
    y, _ = af.pipeline(af.hflip(p=1.0), targets={"name": "other", "score": "other"})(batch, None, af.key(0))
    assert y["other_size"] is batch["other_size"]


@pytest.mark.parametrize(
    ("samples", "error", "advice"),
    [
        ([(torch.rand(3, 4, 4), 1)], TypeError, '"image": image'),
        ([{"image": torch.rand(3, 4, 4)}, {"image": torch.rand(3, 4, 4), "label": 1}], ValueError, "the same names"),
        ([{"image": np.zeros((4, 4, 3))}], TypeError, r"af\.to_float\(image\)"),
        ([{"image": torch.rand(3, 4, 4), "mask": torch.zeros(5, 4)}], ValueError, "resize them alike"),
        ([{"image": torch.rand(n, 4, 4)} for n in (1, 3)], ValueError, "channels"),
    ],
)
def test_samples_that_make_no_batch(samples, error, advice):
    with pytest.raises(error, match=advice):
        af.collate(samples)


def test_a_choice_that_there_is_not():
    with pytest.raises(ValueError, match='sizes="pad"'):
        af.collate([{"image": torch.rand(3, 4, 4)}], sizes="crop")


def test_names_that_are_not_known_are_passed_on():
    assert af.collate([{"image": torch.rand(3, 4, 4), "path": n} for n in "ab"])["path"] == ["a", "b"]


@pytest.mark.parametrize("other", [{"format": "xywh"}, {"min_visibility": 0.5}, {"labels": torch.tensor([1])}])
def test_samples_that_differ_in_more_than_rows(other):
    rows, image = torch.tensor([[1.0, 1.0, 4.0, 4.0]]), torch.rand(3, 8, 8)
    samples = [{"image": image, "boxes": af.Boxes(rows)}, {"image": image, "boxes": af.Boxes(rows, **other)}]
    with pytest.raises(ValueError, match="one format and the same settings"):
        af.collate(samples)


# what is there, as lists again


def test_keypoints_and_back():
    lists = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]], []]
    xy, visible = af.drop_invalid(af.Keypoints.pad(lists))
    assert [rows.tolist() for rows in xy] == lists
    assert [len(v) for v in visible] == [2, 1, 0]


def test_poses_and_back():
    """A person stays while a joint is visible; the levels of the others are kept."""
    people = [[[[1.0, 2.0, 2.0], [3.0, 4.0, 0.0]]], [[[0.0, 0.0, 0.0]] * 2, [[5.0, 6.0, 1.0]] * 2]]
    xy, visible, ids = af.drop_invalid(af.Keypoints.pad(people, levels=True), torch.tensor([[7, 0], [8, 9]]))
    assert [rows.tolist() for rows in xy] == [[[[1.0, 2.0], [3.0, 4.0]]], [[[5.0, 6.0]] * 2]]
    assert [rows.tolist() for rows in visible] == [[[2.0, 0.0]], [[1.0, 1.0]]]
    assert [rows.tolist() for rows in ids] == [[7], [9]]


def test_a_third_number_of_keypoints_is_visibility():
    samples = [
        {"image": torch.rand(3, 8, 8), "keypoints": torch.tensor([[1.0, 2.0, v]] * n)} for n, v in ((2, 1), (1, 2))
    ]
    k = af.collate(samples)["keypoints"]
    assert k.xy.shape == (2, 2, 2)
    assert k.visible.tolist() == [[1.0, 1.0], [2.0, 0.0]]
    deep = [{"volume": torch.rand(1, 4, 8, 8), "keypoints": torch.ones(n, 3)} for n in (2, 1)]
    assert af.collate(deep)["keypoints"].xy.shape == (2, 2, 3)


def test_tensors_of_other_kinds_are_listed_where_they_differ():
    samples = [{"image": torch.rand(3, 8, 8), "scores": torch.rand(n)} for n in (2, 1)]
    assert [len(s) for s in af.collate(samples)["scores"]] == [2, 1]
    assert af.collate(samples[:1])["scores"].shape == (1, 2)


def test_fills_of_bytes():
    samples = [{"image": torch.full((3, h, 4), 9, dtype=torch.uint8)} for h in (4, 5)]
    assert af.collate(samples, sizes="pad", fill=128)["image"][0, 0, 4].tolist() == [128] * 4
    for fill in (0.5, 300, -1):
        with pytest.raises(ValueError, match="a whole number from 0 to 255"):
            af.collate(samples, sizes="pad", fill=fill)


def test_masks_of_any_dtype_are_padded():
    for dtype, fill in ((torch.bool, 1), (torch.int64, -100), (torch.uint8, 255), (torch.float32, 0.5)):
        samples = [{"image": torch.rand(3, h, 4), "mask": torch.zeros(h, 4).to(dtype)} for h in (4, 5)]
        assert af.collate(samples, sizes="pad", fill_mask=fill)["mask"][0, 4].tolist() == [fill] * 4
    with pytest.raises(ValueError, match="fill_mask for mask"):
        af.collate(
            samples[:1] + [{"image": torch.rand(3, 5, 4), "mask": torch.zeros(5, 4).byte()}], sizes="pad", fill_mask=-1
        )


def test_labels_of_no_box_are_whole_numbers():
    none = {"image": torch.rand(3, 4, 4), "boxes": af.Boxes.pad([[]], labels=[[]])[0]}
    assert af.collate([none, none])["boxes"].labels.dtype == torch.int64
    assert af.Boxes.pad([np.array([])]).data.dtype == torch.float32


def test_rows_that_differ_within_a_sample():
    for rows in ([[1, 2], [3, 4, 5]], [[[1, 2]], [[3, 4, 5]]]):
        with pytest.raises((TypeError, ValueError), match="keypoints"):
            af.collate([{"image": torch.rand(3, 4, 4), "keypoints": rows}])


def test_a_new_dim_and_rows():
    assert af.Boxes(torch.zeros(5, 4))[None, :2].data.shape == (1, 2, 4)


@pytest.mark.parametrize("name", ["bbox_xywh", "boxes_xywh", "bboxes_coco"])
def test_a_format_in_a_name(name):
    x, row = torch.rand(1, 3, 40, 40), torch.tensor([[[2.0, 3.0, 10.0, 5.0]]])
    assert af.hflip()({"image": x, name: row})[0][name].tolist() == [[[28.0, 3.0, 10.0, 5.0]]]
    aug = augfn_nn.AugmentationSequential(af.hflip(), data_keys=["input", name])
    assert aug(x, row)[1].tolist() == [[[28.0, 3.0, 10.0, 5.0]]]
    assert aug({"image": x, name: row})[name].tolist() == [[[28.0, 3.0, 10.0, 5.0]]]


def test_a_label_for_each_pixel_is_a_mask():
    with pytest.raises(ValueError, match="'mask'"):
        af.rotate()({"image": torch.rand(1, 3, 8, 8), "label": torch.ones(1, 8, 8).long()}, None, af.key(0))
