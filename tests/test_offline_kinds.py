"""COCO annotations, masks and clips on disk: what is written agrees with what is to be seen in the images."""

import json

import numpy as np
import pytest
import shapely
import torch
from PIL import Image
from pycocotools.coco import COCO

import augfn as af
from augfn.offline import apply, read_manifest, replay
from augfn.offline.jobs import Options, kind_in
from augfn.offline.segments import area_of, clipped, corners_of, decoded, dense, run_lengths, straightened
from benchmarks import scenes

AFFINE = (af.hflip(p=0.5), af.affine(degrees=(-20, 20), scale=(0.8, 1.25), translate=(-0.15, 0.15)))
SHADE = af.brightness(factor=(0.7, 1.0))


def load(path):
    with Image.open(path) as image:
        image.load()
        return image


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "in"
    scenes.write(folder, 12)
    return folder


def coco(folder):
    return json.loads((folder / "annotations.json").read_text())


# COCO


@pytest.mark.parametrize(
    "f",
    [
        af.pipeline(*AFFINE, SHADE, interpolation="nearest"),
        af.pipeline(af.hflip(p=0.5), af.perspective(), SHADE, interpolation="nearest"),
        af.pipeline(af.hflip(p=0.5), af.resized_crop(size=(180, 200), scale=(0.6, 1.0)), interpolation="nearest"),
        af.pipeline(af.vflip(p=0.0), af.hflip(p=0.5), af.pad_to(size=(330, 340)), interpolation="nearest"),
    ],
    ids=["affine", "perspective", "crop", "pad"],
)
def test_annotations_agree_with_the_images(source, tmp_path, f):
    made = apply(source, tmp_path / "out", f, copies=2)
    assert not made.failures
    mirrored = {r["image"]["file_name"]: bool(r["params"]["hflip"]["gate"]) for r in read_manifest(made.out)}
    assert len(set(mirrored.values())) == 2
    found = scenes.agreement(made.out, mirrored)
    assert found["images"] == 24
    assert found["annotations"] + made.dropped == 24 * 6
    assert found["lost"] == made.dropped
    assert not found["wrong"]
    assert found["iou_min"] > 0.9
    assert found["iou_median"] > 0.97
    assert found["box_median"] < 0.8
    assert found["box_max"] < 2.5  # thin tips lie between pixel centres
    assert found["joints"] > 20
    assert found["joint_median"] < 0.3
    assert found["joint_max"] < 1.0


def test_bent_polygons_follow_their_objects(source, tmp_path):
    f = af.pipeline(af.hflip(p=0.5), af.elastic(), interpolation="nearest")
    made = apply(source, tmp_path / "out", f)
    mirrored = {r["image"]["file_name"]: bool(r["params"]["hflip"]["gate"]) for r in read_manifest(made.out)}
    found = scenes.agreement(made.out, mirrored)
    assert not found["wrong"]
    assert found["iou_median"] > 0.96
    counts = [
        [len(a["segmentation"][0]) for a in coco(d)["annotations"] if a["colour"] == 0] for d in (source, made.out)
    ]
    assert max(counts[0]) == 8 < max(counts[1])


def test_what_does_not_move_stays_digit_by_digit(source, tmp_path):
    made = apply(source, tmp_path / "out", SHADE)
    assert coco(made.out) == coco(source)
    once = apply(source, tmp_path / "twice", SHADE, copies=2)
    data = coco(once.out)
    assert [image["id"] for image in data["images"]] == list(range(1, 25))
    assert len({a["id"] for a in data["annotations"]}) == 144
    assert {a["image_id"] for a in data["annotations"]} == set(range(1, 25))
    assert data["info"] == {"scenes": 12}
    assert [image["scene"] for image in data["images"]] == [n for n in range(12) for _ in range(2)]
    assert len(COCO(str(once.out / "annotations.json")).getAnnIds()) == 144  # as pycocotools reads it
    name = data["images"][3]["file_name"]
    assert name == "images/00001-c1.png"
    assert replay(once.out, name) == (once.out / name).read_bytes()


def small(folder, annotations, size=(20, 30), categories=(), **image):
    """A COCO data set of one image."""
    folder.mkdir()
    Image.new("RGB", size[::-1]).save(folder / "a.png")
    images = [{"id": 1, "file_name": "a.png", "height": size[0], "width": size[1]} | image]
    own = [{"id": i, "image_id": 1, "category_id": 1} | a for i, a in enumerate(annotations)]
    data = {"images": images, "annotations": own, "categories": list(categories)}
    (folder / "annotations.json").write_text(json.dumps(data))
    return folder


def test_a_flip_in_closed_form(tmp_path):
    """Edges are continuous (W - x), keypoints lie in pixel centres (W - 1 - x); unlabelled ones stay 0 0 0."""
    joints = [{"id": 1, "name": "p", "keypoints": ["nose", "left_eye", "right_eye", "left_ear", "right_ear"]}]
    mask = np.zeros((20, 30), np.uint8)
    mask[2:5, 3:9] = 1
    given = [
        {"bbox": [2, 3, 10, 4], "score": 0.5, "area": 40},
        {"bbox": [1, 1, 4, 2], "segmentation": [[1, 1, 5, 1, 5, 3]], "area": 4.0, "iscrowd": 0},
        {"bbox": [3, 2, 6, 3], "segmentation": run_lengths(mask, True), "area": 18, "iscrowd": 1},
        {"bbox": [0, 0, 9, 9], "keypoints": [4, 5, 2, 2, 3, 1, 6, 3, 2, 0, 0, 0, 7, 3, 2], "num_keypoints": 4},
    ]
    made = apply(small(tmp_path / "in", given, categories=joints), tmp_path / "out", af.hflip())
    box, polygon, crowd, pose = coco(made.out)["annotations"]
    assert (box["bbox"], box["score"], box["area"]) == ([18.0, 3.0, 10.0, 4.0], 0.5, 40.0)
    assert "segmentation" not in box
    assert (polygon["bbox"], polygon["area"]) == ([25.0, 1.0, 4.0, 2.0], 4.0)
    assert polygon["segmentation"] == [[29.0, 1.0, 25.0, 1.0, 25.0, 3.0]]
    assert (crowd["bbox"], crowd["area"], crowd["iscrowd"]) == ([21.0, 2.0, 6.0, 3.0], 18.0, 1)
    assert np.array_equal(decoded(crowd["segmentation"], (20, 30)), mask[:, ::-1])
    assert pose["keypoints"] == [25, 5, 2, 23, 3, 2, 27, 3, 1, 22, 3, 2, 0, 0, 0]
    assert pose["num_keypoints"] == 4


def test_a_mark_of_utf8_at_the_beginning_is_read_over(tmp_path):
    file = small(tmp_path / "in", [{"bbox": [2, 3, 10, 4]}]) / "annotations.json"
    file.write_text(file.read_text(), encoding="utf-8-sig")
    made = apply(tmp_path / "in", tmp_path / "out", af.hflip())
    assert coco(made.out)["annotations"][0]["bbox"] == [18.0, 3.0, 10.0, 4.0]


def test_what_leaves_the_frame(tmp_path):
    given = [
        {"bbox": [0, 0, 6, 6], "area": 36},
        {"bbox": [0, 0, 6, 6], "segmentation": [[0, 0, 6, 0, 6, 6, 0, 6]], "area": 36},
        {"bbox": [10, 10, 10, 5], "area": 50, "segmentation": [[10, 10, 20, 10, 20, 15, 10, 15]]},
        {"bbox": [10, 10, 10, 5], "area": 50, "keypoints": [10, 10, 2, 19, 14, 1], "num_keypoints": 2},
    ]
    f = af.center_crop(size=(10, 14))
    made = apply(small(tmp_path / "in", given), tmp_path / "out", f)
    data = coco(made.out)
    assert (data["images"][0]["height"], data["images"][0]["width"]) == (10, 14)  # from (5, 8) on
    assert made.dropped == 2
    polygon, pose = data["annotations"]
    assert (polygon["bbox"], polygon["area"]) == ([2, 5, 10, 5], 50)
    assert (pose["bbox"], pose["keypoints"], pose["num_keypoints"]) == ([2, 5, 10, 5], [2, 5, 2, 11, 9, 1], 2)
    made = apply(tmp_path / "in", tmp_path / "less", af.center_crop(size=(6, 10)))  # from (7, 10) on
    polygon, pose = coco(made.out)["annotations"]
    assert (polygon["bbox"], polygon["area"], polygon["id"]) == ([0, 3, 10, 3], 30, 2)
    assert (pose["bbox"], pose["keypoints"], pose["num_keypoints"]) == ([0, 3, 10, 3], [0, 3, 2, 0, 0, 0], 1)


def test_steps_that_look_at_boxes_see_all_of_them(source, tmp_path):
    """Nothing is cut off: in each image the areas of all polygons grow by one factor."""
    made = apply(source, tmp_path / "out", af.bbox_safe_crop(size=(300, 300), slack=1.0))
    assert not made.failures
    assert made.dropped == 0
    before, after = ([a for a in coco(d)["annotations"] if a["colour"] % 3 < 2] for d in (source, made.out))
    for image in coco(source)["images"]:
        pairs = zip(before, after, strict=True)
        grown = [b["area"] / a["area"] for a, b in pairs if a["image_id"] == image["id"]]
        assert len(grown) == 4
        assert max(grown) == pytest.approx(min(grown), rel=1e-3)
        assert max(grown) > 1


def test_bad_coco_files_are_refused(tmp_path):
    def said(change):
        folder = tmp_path / change.__name__
        data = coco(small(folder, [{"bbox": [0, 0, 4, 4]}]))
        change(data)
        (folder / "annotations.json").write_text(json.dumps(data))
        with pytest.raises(ValueError, match=r"do this") as error:
            apply(folder, tmp_path / f"{change.__name__}-out", SHADE)
        return str(error.value)

    def twice(data):
        data["images"].append(data["images"][0])

    def stray(data):
        data["annotations"][0]["image_id"] = 9

    def elsewhere(data):
        data["images"][0]["file_name"] = "../a.png"

    def half(data):
        del data["images"]

    def nameless(data):
        del data["images"][0]["file_name"]

    def homeless(data):
        del data["annotations"][0]["image_id"]

    def panoptic(data):
        data["annotations"][0]["segments_info"] = []

    def same(data):
        data["images"].append({"id": 2, "file_name": "./a.png"})

    assert "images with one id" in said(twice)
    assert "file_name" in said(nameless)
    assert "image_id" in said(homeless)
    assert "panoptic" in said(panoptic)
    assert "two sources become one file" in said(same)
    assert "images that are not listed" in said(stray)
    assert "file_name" in said(elsewhere)
    assert "not a COCO file" in said(half)
    made = apply(small(tmp_path / "size", [], width=31), tmp_path / "size-out", SHADE)
    assert "as the annotations say" in made.failures[0]["error"]
    for i, bad in enumerate(
        ({"bbox": [0, 0, 4]}, {"bbox": "0 0 4 4"}, {"keypoints": [1, 2]}, {"keypoints": [None] * 3})
    ):
        (name,) = bad
        made = apply(small(tmp_path / f"bad{i}", [bad]), tmp_path / f"bad{i}-out", SHADE)
        assert f"{name} of annotation" in made.failures[0]["error"]


def test_images_that_are_not_where_coco_says(tmp_path):
    source = small(tmp_path / "in", [{"bbox": [0, 0, 4, 4]}])
    data = coco(source)
    data["images"].append(data["images"][0] | {"id": 77, "file_name": "gone.png"})
    (source / "annotations.json").write_text(json.dumps(data))
    made = apply(source, tmp_path / "out", SHADE)
    assert "No such file" in made.failures[0]["error"]
    assert len(made.done) == 1
    (source / "train").mkdir()
    (source / "a.png").rename(source / "train" / "a.png")  # as in COCO's own folders
    assert apply(source, tmp_path / "below", SHADE).done[0]["output"] == "train/a.png"
    assert coco(tmp_path / "below")["images"][0]["file_name"] == "a.png"
    (source / "val").mkdir()
    (source / "val" / "a.png").write_bytes((source / "train" / "a.png").read_bytes())
    with pytest.raises(ValueError, match=r"a.png in train/, val/ of its folders"):
        apply(source, tmp_path / "two", SHADE)
    for name in ("train", "val"):
        (source / name / "a.png").unlink()
    with pytest.raises(ValueError, match=r"a.png in none of its folders"):
        apply(source, tmp_path / "none", SHADE)


def test_polygons_are_cut_to_the_frame():
    """Areas as shapely has them, without holes; a chain of points along straight edges is taken back."""
    draw = np.random.default_rng(0)
    for _ in range(20):
        angles = np.sort(draw.uniform(0, 2 * np.pi, 9))
        star = draw.uniform(2, 16, (9, 1)) * np.stack([np.cos(angles), np.sin(angles)], -1) + draw.uniform(0, 20, 2)
        parts = clipped(star, (18, 22))
        whole = shapely.make_valid(shapely.Polygon(star)).intersection(shapely.box(0, 0, 22, 18))
        assert sum(map(area_of, parts)) == pytest.approx(whole.area, abs=0.05)
        line, corner = dense(star)
        assert np.hypot(*(np.roll(line, -1, 0) - line).T).max() <= 8
        turn = np.array([[0.8, -0.6], [0.6, 0.8]])
        assert straightened(line @ turn, corner) == pytest.approx(star @ turn)
    ring = corners_of([-4, 0, 8, 0, 8, 8, 0, 8, 0, 0, 2, 2, 2, 6, 6, 6, 6, 2, 2, 2, 0, 0, -4, 8])
    parts = clipped(ring, (9, 9))
    assert sum(map(area_of, parts)) == pytest.approx(64 - 16)
    assert all(shapely.Polygon(p).is_valid for p in parts)
    assert clipped(ring - 100, (9, 9)) == []


def test_run_lengths_are_those_of_pycocotools():
    draw = np.random.default_rng(0)
    for mask in (*(draw.random((5, 9, 7)) > 0.5), np.zeros((9, 7)), np.ones((9, 7))):
        for plain in (True, False):
            assert np.array_equal(decoded(json.loads(json.dumps(run_lengths(mask, plain))), (9, 7)), mask)


# pairs of images and masks


@pytest.mark.parametrize("mode", ["P", "L", "1", "I;16", "RGB"])
def test_masks_keep_their_values_and_palettes(tmp_path, mode):
    labels = np.random.default_rng(0).integers(0, 5, (3, 16, 20)).astype(np.uint8)
    for i, own in enumerate(labels):
        for name in ("images", "masks"):
            (tmp_path / "in" / name / "town").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.repeat(own[..., None], 3, -1) * 50).save(tmp_path / "in" / "images" / "town" / f"{i}.png")
        if mode == "P":
            mask = Image.fromarray(own)
            mask.putpalette([200, 10, 10, 0, 255, 0, 0, 0, 9, 1, 2, 3, 90, 80, 70])
        elif mode == "I;16":
            mask = Image.fromarray(own.astype(np.uint16) * 1000)
        elif mode == "RGB":
            mask = Image.fromarray(np.stack([own, own + 1, own * 9], -1))
        else:
            mask = Image.fromarray(own > 2) if mode == "1" else Image.fromarray(own)
        mask.save(tmp_path / "in" / "masks" / "town" / f"{i}.png")
    f = af.pipeline(af.hflip(p=0.5), af.rot90(), af.rotate(degrees=(-30, 30)), interpolation="nearest")
    made = apply(tmp_path / "in", tmp_path / "out", f, copies=2)
    assert not made.failures
    for r in made.done:
        before, after = load(tmp_path / "in" / "masks" / r["source"][7:]), load(made.out / r["masks"][0])
        assert after.mode == before.mode
        assert after.getpalette() == before.getpalette()
        assert set(np.unique(np.asarray(after))) <= set(np.unique(np.asarray(before))) | {0}
        image = np.asarray(load(made.out / r["output"]))[..., 0] // 50
        if mode == "P":  # the image shows the labels: both are read at one place
            assert np.array_equal(np.asarray(after), image)
        assert replay(made.out, r["masks"][0]) == (made.out / r["masks"][0]).read_bytes()


def test_labels_from_outside_and_masks_that_lack(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for i in range(2):
            Image.new("L", (8, 8), 3).save(tmp_path / "in" / name / f"{i}.png")
    Image.new("P", (8, 8), 1).save(tmp_path / "in" / "masks" / "0.png")
    Image.new("1", (8, 8), 1).save(tmp_path / "in" / "masks" / "1.png")
    Image.new("L", (8, 8)).save(tmp_path / "in" / "images" / "alone.png")
    f = af.pipeline(af.translate(translate=torch.tensor([0.5, 0.0])), fill_mask=255)
    made = apply(tmp_path / "in", tmp_path / "out", f)
    assert set(np.unique(np.asarray(load(made.out / "masks" / "0.png")))) == {1, 255}
    errors = {r["source"]: r["error"] for r in made.failures}
    assert "fill_mask: 0" in errors["images/1.png"]
    assert "no mask of this name" in errors["images/alone.png"]
    Image.new("L", (8, 8)).save(tmp_path / "in" / "masks" / "stray.png")
    with pytest.raises(ValueError, match="masks without an image"):
        apply(tmp_path / "in", tmp_path / "out2", f)


# clips


def frames(folder, n, size=(12, 16)):
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(n).integers(0, 256, (n, *size, 3), dtype=np.uint8)
    for i, frame in enumerate(pixels):
        Image.fromarray(frame).save(folder / f"frame{i}.png")
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def read_clip(folder):
    names = sorted(folder.iterdir(), key=lambda p: int("".join(filter(str.isdigit, p.stem))))
    return torch.stack([af.to_uint8(load(p)) for p in names])


def test_a_clip_has_one_draw(tmp_path):
    """Frames in the order of their numbers (2 before 10); the whole clip as one sample."""
    given = [frames(tmp_path / "in" / "a" / name, n) for name, n in (("one", 12), ("two", 5))]
    f = af.pipeline(af.hflip(p=0.5), af.rotate(degrees=(-20, 20)), af.gaussian_noise(std=0.05))
    made = apply(tmp_path / "in", tmp_path / "out", f, kind="frames", copies=2)
    assert [(r["output"], r["frames"]) for r in made.done] == [
        ("a/one-c0", 12),
        ("a/one-c1", 12),
        ("a/two-c0", 5),
        ("a/two-c1", 5),
    ]
    for r in made.done:
        key = af.sample_keys(af.key(0), r["index"], r["copy"])
        own = f({"video": af.to_float(given[r["index"]])}, None, key)[0]["video"]
        assert read_clip(made.out / r["output"]).equal(af.to_uint8(own))
    assert replay(made.out, "a/one-c1/frame10.png") == (made.out / "a/one-c1/frame10.png").read_bytes()


def test_steps_in_time(tmp_path):
    (clip,) = [frames(tmp_path / "in", 7)]
    made = apply(tmp_path / "in", tmp_path / "out", af.time_crop(size=4), kind="frames")
    (record,) = made.done
    assert record["frames"] == 4
    found = read_clip(made.out / "in")
    assert [p.name for p in sorted((made.out / "in").iterdir())] == [f"{i:06d}.png" for i in range(4)]
    start = next(i for i in range(4) if found[0].equal(clip[i]))
    assert found.equal(clip[start : start + 4])
    Image.new("RGB", (9, 9)).save(tmp_path / "in" / "frame7.png")
    odd = apply(tmp_path / "in", tmp_path / "odd", af.hflip(), kind="frames")
    assert "frames of several sizes" in odd.failures[0]["error"]


def test_kinds_are_told_by_what_is_there(tmp_path, source):
    assert kind_in(source, Options()) == "coco"
    for name in ("images", "masks"):
        (tmp_path / "pairs" / name).mkdir(parents=True)
    assert kind_in(tmp_path / "pairs", Options()) == "masks"
    assert kind_in(tmp_path / "pairs" / "images", Options()) == "folder"
    (tmp_path / "pairs" / "images" / "0.tar").touch()
    assert kind_in(tmp_path / "pairs" / "images", Options()) == "webdataset"
