"""What the studio is given: files, what is pasted, and who may speak to the page."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import socket
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from test_studio import npy, photo
from typer.testing import CliRunner

import augfn_nn
from augfn.app.commands import app
from augfn.app.studio import opened, peers, serving
from augfn.app.studio.guard import Guard
from augfn.app.studio.state import line_of
from augfn.files.writing import written


def png(array: np.ndarray, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, form)
    return buffer.getvalue()


def tiff(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "TIFF")
    return buffer.getvalue()


def zipped(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, array)
    return buffer.getvalue()


# files


def test_files_are_read_from_their_bytes() -> None:
    grey = opened.read("a.png", png(np.arange(12, dtype=np.uint8).reshape(3, 4)))
    assert grey.frame == (3, 4)
    assert opened.read("a.npy", npy(np.zeros((5, 6, 3), np.uint8))).ndim == 2
    assert opened.read("v.npy", npy(np.zeros((2, 5, 6, 7), np.uint8))).frame == (5, 6, 7)
    low = opened.read("z.npy", npy(np.linspace(-0.5, 0.3, 60).reshape(3, 4, 5)))
    assert (float(low.full.min()), float(low.full.max()), low.note[:18]) == (0, 1, "Values -0.5 to 0.3")
    nib = pytest.importorskip("nibabel")
    image = nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
    scan = opened.read("scan.nii.gz", gzip.compress(image.to_bytes()))
    assert scan.frame == (5, 4, 3)
    assert opened.mask_in("m.nii", image.to_bytes()).max() == 59
    mask = opened.mask_in("m.png", png(np.full((3, 4), 7, np.uint8)))
    grey.set_mask(mask)
    with pytest.raises(ValueError, match="another size"):
        scan.set_mask(mask)
    with pytest.raises(ValueError, match="no mask of labels"):
        opened.mask_in("m.png", png(np.zeros((3, 4, 3), np.uint8)))
    with pytest.raises(ValueError, match="labels"):
        opened.mask_in("m.npy", npy(np.array([[0.0, 0.5], [np.nan, 1.0]])))
    with pytest.raises(ValueError, match="megapixels"):
        opened.mask_in("m.png", png(np.zeros((8001, 8001), bool)))


@pytest.mark.parametrize("kind", [">f4", ">u2", np.longdouble, np.float16, bool])
def test_arrays_of_any_real_type_are_read(kind: Any) -> None:
    ones = npy(np.ones((3, 4)).astype(kind))
    assert opened.read("a.npy", ones).full.eq(1).all()
    assert opened.mask_in("a.npy", ones).eq(1).all()


def big_endian(array: np.ndarray) -> bytes:
    """Grey values of 16 bits, the high byte first."""
    h, w = array.shape
    data = array.astype(">u2").tobytes()
    tags = {256: w, 257: h, 258: 16, 259: 1, 262: 1, 273: 8, 277: 1, 278: h, 279: len(data)}
    rows = b"".join(struct.pack(">HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items())
    return b"MM\0*" + struct.pack(">I", 8 + len(data)) + data + struct.pack(">H", len(tags)) + rows + bytes(4)


def test_sixteen_bits_in_either_order_of_bytes() -> None:
    labels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    assert opened.mask_in("m.tif", big_endian(labels)).equal(torch.from_numpy(labels.astype(np.uint8)))
    grey = opened.read("a.tif", big_endian(labels * 5000)).full[0]
    torch.testing.assert_close(grey, torch.from_numpy(labels * 5000 / 65535).float())


def test_of_several_pictures_in_a_file_the_first_is_shown_which_is_said() -> None:
    buffer, frames = io.BytesIO(), [Image.new("L", (4, 3), i) for i in range(3)]
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    assert opened.read("a.tif", buffer.getvalue()).note == "Of 3 pictures the first was read."
    assert opened.read("a.png", png(np.zeros((3, 4), np.uint8))).note == ""


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.png", b"", "no bytes"),
        ("a.tif", png(np.full((3, 3), np.nan, np.float32), "TIFF"), "not finite"),
        ("a.png", b"text", "an image that pillow reads"),
        ("a.png", png(np.zeros((40, 40, 3), np.uint8))[:60], "an image that pillow reads"),
        ("a.npy", b"text", "as numpy.save writes it"),
        ("a.npy", npy(np.array([object()])), "as numpy.save writes it"),
        ("a.npy", npy(np.zeros((2, 2, 2, 2, 2))), "1 to 4 channels"),
        ("a.npy", npy(np.full((3, 3), np.nan)), "not finite"),
        ("a.npy", npy(np.array([[1e308, -1e308]])), "not finite"),
        ("a.tif", tiff(np.full((3, 3), np.nan, np.float32)), "not finite"),
        ("a.npy", zipped(np.zeros((3, 3))), "as numpy.save writes it"),
        (
            "a.npy",
            npy(np.zeros((4, 4))).replace(b"(4, 4), }" + b" " * 10, b"(9" + b"0" * 14 + b",)}"),
            "Unable to allocate",
        ),
        ("a.npy", npy(np.zeros((3, 3), complex)), "real numbers"),
        ("a.nii", b"text", "a NIfTI file"),
        ("a.nii.gz", b"\x1f\x8btext", "a NIfTI file"),
    ],
)
def test_bad_files_are_said_in_one_line(name: str, data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=r"(?s).*") as found:
        opened.read(name, data)
    line = line_of(found.value)
    assert words in line
    assert "\n" not in line
    assert "0x" not in line


def test_annotations_of_coco_are_loaded_and_strokes_painted() -> None:
    item = photo()
    ring = [8.0, 8.0, 24.0, 8.0, 24.0, 24.0, 8.0, 24.0]
    one = {
        "image_id": 1,
        "category_id": 5,
        "bbox": [8, 8, 16, 16],
        "segmentation": [ring],
        "keypoints": [9, 9, 2, 0, 0, 0],
    }
    coco = {"images": [{"id": 1, "file_name": "a/photo.png", "height": 48, "width": 64}], "annotations": [one]}
    assert opened.annotate(item, "c.json", coco) == "Loaded for photo.png: boxes 1, keypoints 1, mask yes."
    assert item.boxes == [(8.0, 8.0, 24.0, 24.0, 5.0)]
    assert item.points == [(8.5, 8.5)]
    assert item.mask is not None
    assert int((item.mask == 5).sum()) == 256
    said = opened.annotate(item, "c.json", {**coco, "annotations": [{**one, "category_id": 1203}]})
    assert (item.boxes[0][-1], int(item.mask.max())) == (1203, 1)
    assert "number the categories" in said
    bad = [
        {},
        {**coco, "images": [{**coco["images"][0], "width": 9}]},
        {"images": [{"id": 1, "file_name": "x"}] * 2, "annotations": []},
    ]
    for data, words in zip(bad, ("not a COCO file", "the size of photo.png", "no image named photo.png"), strict=True):
        with pytest.raises(ValueError, match=words):
            opened.annotate(item, "c.json", data)
    whole = {"size": [48, 64], "counts": [0, 48 * 64]}
    odd = [{"segmentation": [[1, 2, 3, float("nan"), 5, 6], [1, 2], []]}, {"segmentation": whole, "iscrowd": 1}]
    said = opened.annotate(item, "c.json", {**coco, "annotations": [{"image_id": 1, **a} for a in odd]})
    assert said == "Loaded for photo.png: boxes 0, keypoints 0, mask yes."
    opened.annotate(item, "c.json", {**coco, "annotations": [{**one, "segmentation": [[0, 0, 1e30, 0, 0, 24]]}]})
    assert item.mask.shape == (48, 64)
    item.paint([(40.0, 40.0), (60.0, 40.0)], 6, 9)
    assert 100 < int((item.mask == 9).sum()) < 200
    item.paint([(40.0, 40.0), (60.0, 40.0)], 8, 0)
    assert not (item.mask == 9).any()
    other = item.copy()
    other.boxes.clear()
    other.paint([(1.0, 1.0)], 3, 77)
    assert item.boxes
    assert not (item.mask == 77).any()


@pytest.mark.parametrize(
    "bad",
    [
        {"bbox": [1, 2, 3]},
        {"bbox": [1, 2, float("nan"), 4]},
        {"category_id": None},
        {"keypoints": [1, 2, 3, 4]},
        {"segmentation": [1, 2, 3, 4, 5, 6]},
        {"segmentation": [[1, 2, 3]]},
        {"segmentation": {"counts": [3072]}},
        {"segmentation": {"size": [48, 64], "counts": [3]}},
    ],
)
def test_an_annotation_that_is_no_coco_is_named(bad: dict[str, Any]) -> None:
    item, images = photo(), [{"id": 1, "file_name": "photo.png"}]
    before = item.boxes, item.mask
    with pytest.raises(ValueError, match=r"c\.json: annotation 7"):
        opened.annotate(item, "c.json", {"images": images, "annotations": [{"id": 7, "image_id": 1, **bad}]})
    assert (item.boxes, item.mask) == before


# what is pasted


def test_pipelines_of_peers_are_read() -> None:
    pytest.importorskip("kornia")
    call = "Q.AugmentationSequential(Q.RandomAffine(10, p=0.5), Q.RandomInvert(), data_keys=['input'])"
    text = f"import kornia.augmentation as Q\naug = {call}"
    root, _ = peers.parsed(text)
    want = augfn_nn.AugmentationSequential(augfn_nn.RandomAffine(10, p=0.5, kornia=True), augfn_nn.RandomInvert())
    assert written(root.made()) == written(want.f, want.params)
    said = [
        s
        for s in json.loads((Path(__file__).parent / "data/albumentations.json").read_text())
        if s["__class_fullname__"] == "Affine"
    ]
    compose = {
        "__class_fullname__": "Compose",
        "p": 1.0,
        "transforms": [*said, {"__class_fullname__": "Superpixels", "p": 1.0}],
    }
    root, notes = peers.parsed(json.dumps({"__version__": "2.0.8", "transform": compose}))
    assert root.steps[0].name == "to_float"
    assert notes[0].startswith("left out: Superpixels")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing to load"),
        ("hello", "no pipeline"),
        ("K.RandomAffine(", "neither YAML with a pipeline nor Python"),
        ("__import__('os').system('ls')", "the name of a transform"),
        ("K.RandomAffine(open('/etc/passwd'))", "unknown transform of kornia"),
        ("K.RandomAffine(*x)", "no \\* and \\*\\*"),
        ("K.RandomAffine(10 * n)", "not a literal"),
        ("K.RandomAffine(os.sep)", "a name that is not known"),
        ("K.RandomAffine('x')", "RandomAffine"),
        ("K.convert(1)", "unknown transform of kornia"),
        ("imgaug.Affine()", "whose pipeline is it"),
        ("pipeline: [rotat]", "unknown op"),
        ("pipeline: [{hflip: {p: 2}}]", "not a probability"),
        ('{"a": ', "not valid JSON"),
        ("x" * 200_000, "too long a text"),
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_is_run(text: str, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        peers.parsed(text)


# who may speak to the page


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({"host": "127.0.0.1:8642"}, "GET", 200),
        ({"host": "localhost:8642", "origin": "http://localhost:8642"}, "GET", 200),
        ({"host": "evil.example:8642"}, "GET", 403),
        ({"host": "127.0.0.1:8642", "origin": "http://evil.example"}, "GET", 403),
        ({"host": "127.0.0.1:8642", "origin": "null"}, "GET", 403),
        ({}, "GET", 403),
        ({"host": "127.0.0.1:8642", "sec-fetch-site": "cross-site", "sec-fetch-dest": "image"}, "GET", 403),
        ({"host": "127.0.0.1:8642", "sec-fetch-site": "same-site", "sec-fetch-dest": "script"}, "GET", 403),
        ({"host": "127.0.0.1:8642", "sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}, "GET", 200),
        ({"host": "127.0.0.1:8642", "sec-fetch-site": "same-origin", "sec-fetch-dest": "script"}, "GET", 200),
        ({"host": "127.0.0.1:8642"}, "POST", 411),
        ({"host": "127.0.0.1:8642", "content-length": "11"}, "POST", 413),
        ({"host": "127.0.0.1:8642", "content-length": "10"}, "POST", 200),
        ({"host": "127.0.0.1:8642", "origin": "http://127.0.0.1:1"}, "websocket", 1008),
        ({"host": "127.0.0.1:8642", "origin": "http://127.0.0.1:8642"}, "websocket", 200),
    ],
)
def test_other_sites_and_large_bodies_are_refused(headers: dict[str, str], method: str, status: int) -> None:
    said: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        said.append(message)

    kind = {"type": "websocket"} if method == "websocket" else {"type": "http", "method": method}
    scope = {**kind, "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}
    asyncio.run(Guard(app, port=8642, most=10)(scope, receive, send))
    assert said[0].get("status", said[0].get("code")) == status
    if status == 200 and method != "websocket":
        assert b"frame-ancestors 'none'" in dict(said[0]["headers"])[b"content-security-policy"]


def test_browsers_leave_out_port_80() -> None:
    known = {port: Guard(None, port, 10).hosts for port in (80, 8642)}  # type: ignore[arg-type]
    assert "localhost" in known[80]
    assert "localhost" not in known[8642]


def test_the_page_is_served_on_loopback_alone_and_files_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(serving.ui, "run", lambda page, **given: asked.update(given))
    monkeypatch.setattr(serving.app, "add_middleware", lambda kind, **given: asked.update(given, guard=kind))
    monkeypatch.setattr(serving.app, "on_startup", lambda act: None)
    monkeypatch.setattr(serving.MultiPartParser, "spool_max_size", 1)
    serving.serve([photo()], None, 0, show=False)
    assert (asked["host"], asked["show"], asked["guard"]) == ("127.0.0.1", False, Guard)
    assert asked["most"] >= serving.MultiPartParser.spool_max_size > opened.FILE


# the command


@pytest.mark.parametrize(
    ("policy", "words"), [("pipeline: [hflip]", "port {port}: the page"), ("pipeline: []", "{policy}: ")]
)
def test_what_keeps_the_page_from_being_served_is_named(tmp_path: Path, policy: str, words: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(policy)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(app, ["studio", "--policy", str(file), "--port", str(port), "--no-browser"])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {words.format(port=port, policy=file)}")
