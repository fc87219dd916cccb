"""Data sets on disk as they are found: odd names, links, files that say two things, stops at the worst moment."""

import json
import os

import numpy as np
import pytest
from PIL import Image

import augfn as af
from augfn.offline import apply, journal, read_manifest, replay
from augfn.offline.jobs import STATE, whole
from augfn.offline.journal import Journal
from tests.test_offline_kinds import SHADE, coco, small

FLIP = af.hflip()


def image(path, seed=0, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


# names


def test_names_that_are_no_utf8(tmp_path):
    (tmp_path / "in").mkdir()
    name = os.fsdecode(b"caf\xe9.png")
    try:
        image(tmp_path / "a.png").rename(tmp_path / "in" / name)
    except OSError:
        pytest.skip("file names of this system are UTF-8")
    made = apply(tmp_path / "in", tmp_path / "out", FLIP)
    assert [r["output"] for r in read_manifest(made.out)] == [name]
    assert replay(made.out, name) == (made.out / name).read_bytes()
    assert apply(tmp_path / "in", tmp_path / "out", FLIP).ran == 0
    (made.out / "manifest.jsonl").read_text(encoding="utf-8")


def test_names_as_long_as_they_may_be(tmp_path):
    image(tmp_path / "in" / f"{'é' * 125}.png")
    assert len(apply(tmp_path / "in", tmp_path / "out", FLIP).done) == 1
    with pytest.raises(ValueError, match="name of an output is too long"):
        apply(tmp_path / "in", tmp_path / "more", FLIP, copies=2)


def test_workers_of_several_machines_write_to_one_folder(tmp_path, monkeypatch):
    """Whose process ids may be the same, and two of whose files have one name."""
    monkeypatch.setattr(os, "getpid", lambda: 7)
    with whole(tmp_path, "a/1.png") as one, whole(tmp_path, "b/1.png") as other:
        one.write(b"one")
        other.write(b"other")
    assert [(tmp_path / name / "1.png").read_bytes() for name in "ab"] == [b"one", b"other"]


# folders


def test_links_of_folders(tmp_path):
    image(tmp_path / "else" / "b.png")
    image(tmp_path / "in" / "a" / "a.png")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "else")
    made = apply(tmp_path / "in", tmp_path / "out", FLIP)
    assert [r["output"] for r in made.done] == ["a/a.png", "link/b.png"]
    (tmp_path / "else" / "back").symlink_to(tmp_path / "in" / "link")
    with pytest.raises(ValueError, match="a link to a folder above it"):
        apply(tmp_path / "in", tmp_path / "other", FLIP)


def test_what_is_overwritten_lies_in_the_output(tmp_path):
    """A link in it may lead to the source."""
    before = image(tmp_path / "in" / "a" / "a.png").read_bytes()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").symlink_to(tmp_path / "in" / "a")
    with pytest.raises(ValueError, match="a link in the output leads out of it"):
        apply(tmp_path / "in", tmp_path / "out", FLIP, overwrite=True)
    assert (tmp_path / "in" / "a" / "a.png").read_bytes() == before


def test_folders_that_cannot_be_read(tmp_path, monkeypatch):
    image(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "closed").mkdir()
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match="closed"):
        apply(tmp_path / "in", tmp_path / "out", FLIP)


def test_the_state_of_a_stopped_run_is_no_source(tmp_path):
    image(tmp_path / "in" / "a.png")
    image(tmp_path / "in" / STATE / "parts" / "b.png")
    assert [r["source"] for r in apply(tmp_path / "in", tmp_path / "out", FLIP).done] == ["a.png"]


# what says two things


def test_two_masks_of_one_name(tmp_path):
    for path in ("images/a.jpg", "masks/a.png", "masks/a.bmp"):
        image(tmp_path / "in" / path, mode="L")
    with pytest.raises(ValueError, match=r"two masks of one name.*\n.*a\.bmp and masks/a\.png"):
        apply(tmp_path / "in", tmp_path / "out", FLIP)


def test_two_frames_of_one_name(tmp_path):
    for name in ("1.jpg", "1.png", "m².png"):
        image(tmp_path / "in" / name)
    assert not apply(tmp_path / "in", tmp_path / "out", FLIP, kind="frames").failures
    (failed,) = apply(tmp_path / "in", tmp_path / "png", FLIP, kind="frames", format="png").failures
    assert "two frames become one file" in failed["error"]


def test_a_frame_that_is_not_there_is_named(tmp_path):
    image(tmp_path / "in" / "c" / "1.png")
    made = apply(tmp_path / "in", tmp_path / "out", FLIP, kind="frames")
    with pytest.raises(ValueError, match=r"unknown file of c"):
        replay(made.out, "c/2.png")


def test_other_files_of_the_same_names_and_sizes(tmp_path):
    """All bitmaps of one size are as long, and shards whose labels were mended."""
    for i in range(2):
        path = image(tmp_path / str(i) / "a.bmp", seed=i)
        os.utime(path, (1000 + i, 1000 + i))
    apply(tmp_path / "0", tmp_path / "out", FLIP)
    with pytest.raises(ValueError, match="other source files"):
        apply(tmp_path / "1", tmp_path / "out", FLIP)
    (tmp_path / "0").rename(tmp_path / "moved")
    assert apply(tmp_path / "moved", tmp_path / "out", FLIP).ran == 0


# stops


def test_a_disk_that_is_full_at_once(tmp_path, monkeypatch):
    image(tmp_path / "in" / "a.png")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "write_whole", full)
        with pytest.raises(OSError, match="No space left") as error:
            apply(tmp_path / "in", tmp_path / "out", FLIP)
    assert apply(tmp_path / "in", tmp_path / "out", FLIP).ran == 1  # though the error still holds the run
    del error


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_kill_as_another_run_overwrites(tmp_path, monkeypatch, finished, writes):
    """What the run before has done is never taken for what the new one has."""
    out, records = tmp_path / "out", [{"index": 0, "copy": 0}]
    first = Journal(out, {"seed": 1}, False)
    first.begin()
    first.add(journal.Job(0, 0), records)
    if finished:
        first.finish()
    first.stop()
    write, left = journal.write_whole, [None] * writes

    def killed(*args):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        write(*args)

    with monkeypatch.context() as patch:
        patch.setattr(journal, "write_whole", killed)
        patch.setattr(journal.Path, "unlink", lambda *_, **__: killed())
        with pytest.raises(KeyboardInterrupt):
            Journal(out, {"seed": 2}, True).begin()
    assert Journal(out, {"seed": 2}, True).jobs == {}


# COCO


def test_replay_of_a_source_that_has_moved(tmp_path):
    folder = small(tmp_path / "in", [])
    (folder / "annotations.json").rename(folder / "mine.json")
    made = apply(folder, tmp_path / "out", FLIP, annotations=folder / "mine.json")
    folder.rename(tmp_path / "moved")
    assert replay(made.out, "a.png", tmp_path / "moved") == (made.out / "a.png").read_bytes()


def flipped(folder, *annotations, f=None, **settings):
    """What a mirror makes of annotations."""
    made = apply(small(folder, annotations, **settings), folder.with_name(f"{folder.name}-out"), f or af.hflip())
    return coco(made.out)["annotations"] if not made.failures else made.failures[0]["error"]


def test_annotations_without_a_box(tmp_path):
    """A caption stays, keypoints move on their own, and are dropped where none is left."""
    joints = [{"id": 1, "name": "p", "keypoints": ["LEFT_EYE", "RIGHT_EYE"]}, {"id": 2, "name": "q", "keypoints": None}]
    pose = {"keypoints": [4, 5, 2, 6, 5, 1]}
    nothing = {"bbox": [2, 3, 4, 5], "keypoints": None, "segmentation": None, "area": None}
    text, moved, box = flipped(tmp_path / "a", {"caption": "a dog"}, pose, nothing, categories=joints)
    assert text["caption"] == "a dog"
    assert moved["keypoints"] == [23, 5, 1, 25, 5, 2]
    assert box["bbox"] == [24, 3, 4, 5]
    hidden = {"keypoints": [0] * 6}
    left = flipped(tmp_path / "b", {"caption": "a dog"}, pose, hidden, f=af.center_crop(size=(4, 4)), categories=joints)
    assert [a["id"] for a in left] == [0, 2]


def test_polygons_that_are_none(tmp_path):
    """A click or a line of an annotation tool says nothing of where the object is: its box does."""
    click = {"bbox": [2, 3, 4, 5], "area": 20, "segmentation": [[2, 3, 2, 3]]}
    line = {"bbox": [2, 3, 4, 5], "area": 20, "segmentation": [[2, 3, 6, 8, 4, 5.5]]}
    for a in flipped(tmp_path / "a", click, line, click | {"segmentation": [[]]}):
        assert (a["bbox"], a["area"], a["segmentation"]) == ([24, 3, 4, 5], 20, [])
    assert flipped(tmp_path / "b", click, f=SHADE)[0]["segmentation"] == click["segmentation"]
    assert "5 numbers" in flipped(tmp_path / "c", click | {"segmentation": [[1, 2, 3, 4, 5]]})


def test_the_area_of_a_box_grows_as_it_does(tmp_path):
    """Of an object that fills three quarters of its box; keypoints are judged by it."""
    given = {"bbox": [0, 2, 20, 10], "area": 150}
    assert flipped(tmp_path / "a", given)[0]["area"] == 150
    assert flipped(tmp_path / "b", given, f=af.center_crop(size=(20, 20)))[0]["area"] == 112.5


def test_boxes_end_where_the_frame_ends(tmp_path):
    """Both numbers of this box would be rounded up, to a sum of 30.001; another is thinner than a digit."""
    edge, thin = {"bbox": [0, 2, 11.4995, 4]}, {"bbox": [4, 2, 0.0002, 4]}
    (box,) = (a["bbox"] for a in flipped(tmp_path / "a", edge, thin))
    assert box[0] + box[2] == 30
    assert str(flipped(tmp_path / "b", {"bbox": [-2, -2, 40, 40]})[0]["bbox"]) == "[0.0, 0.0, 30.0, 20.0]"


@pytest.mark.parametrize("counts", [[10, 20], [700], [10, -20, 610], "zzz", "0", ""])
def test_run_lengths_of_another_size(tmp_path, counts):
    """Of which pycocotools makes what happens to be in memory."""
    given = {"bbox": [0, 0, 4, 4], "segmentation": {"size": [20, 30], "counts": counts}, "iscrowd": 1}
    assert "run lengths of" in flipped(tmp_path / "a", given)


def test_the_first_image_may_lack(tmp_path):
    folder = small(tmp_path / "in", [])
    (folder / "images").mkdir()
    data = coco(folder)
    data["images"].insert(0, {"id": 2, "file_name": "gone.png"})
    (folder / "annotations.json").write_text(json.dumps(data))
    made = apply(folder, tmp_path / "out", SHADE)
    assert [r["output"] for r in made.done] == ["a.png"]
    assert [r["source"] for r in made.failures] == ["gone.png"]
