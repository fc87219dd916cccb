"""The examples run, in their quick form, and print the same twice."""

import importlib.util
import io
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from PIL import Image

FOLDER = Path(__file__).parent.parent / "notebooks" / "examples"
ROWS = {  # of the table, and what is written beside it
    "classify": (
        ["none", "flips and turns", "TrivialAugment", "mixup or cutmix", "TrivialAugment + mix"],
        ["classify.png"],
    ),
    "detect": (["none", "flip and move", "mosaic", "copy-paste"], ["detect.png"]),
    "segment3d": (["none", "shape", "scanner", "shape and scanner"], ["segment3d.png"]),
    "simclr": (["pixels", "no training", "labels alone", "SimCLR: crop turn ink", "SimCLR: ink"], ["simclr.png"]),
    "learned_ranges": (["none", "guessed", "by validation", "by the labels alone", "true"], ["learned_ranges.png"]),
    "behaviour_report": (
        ["clean digits right, %", "of 100 draws flipped by rotate", "of 100 draws flipped by gaussian_blur"],
        ["behaviour_plain.html", "behaviour_augmented.html", "behaviour_plain.png", "behaviour_augmented.png"],
    ),
    "tta_service": (
        ["one version", "16 versions, temperature", "an answer:", "to what is no image:"],
        ["tta_service.png"],
    ),
}


def example(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_are_here():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_it_runs_and_gives_the_same_twice(name, tmp_path, capsys, monkeypatch):
    module = example(name)
    table = module.main(["--quick", "--out", str(tmp_path / "a")])
    rows, files = ROWS[name]
    assert table in capsys.readouterr().out
    for row in rows:
        assert any(line.startswith(row) for line in table.splitlines()), row
        assert row in module.__doc__, f"the table of a full run lacks {row}"
    assert {path.name for path in (tmp_path / "a").iterdir()} == set(files)
    assert all(path.stat().st_size > 1000 for path in (tmp_path / "a").iterdir())
    torch.rand(3)  # what was drawn before makes no difference
    monkeypatch.setattr(module.viz, "save", lambda figure, path: path)  # most of the time of a quick run
    assert module.main(["--quick", "--out", str(tmp_path / "b")]) == table


def test_images_of_ones_own_are_classified(tmp_path):
    module = example("classify")
    modes = ("RGB", "L", "LA", "RGBA")
    for i, (label, mode) in enumerate((label, mode) for label in ("cat", "dog") for mode in modes):
        (tmp_path / label).mkdir(exist_ok=True)
        pixels = np.full((40, 30 + i, 4), 30 * i, np.uint8)
        Image.fromarray(pixels).convert(mode).save(tmp_path / label / f"{mode}.png")
        (tmp_path / label / ".DS_Store").write_text("of a file manager")
    x, y, first = module.folder(tmp_path, 24)
    assert x.shape == (8, 3, 24, 24)
    assert y.tolist() == [0] * 4 + [1] * 4
    assert first.tolist() == [True, False] * 4
    with pytest.raises(SystemExit, match="two or more classes"):
        module.folder(tmp_path / "cat", 24)


def test_the_service_answers_what_is_no_image():
    module = example("tta_service")
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)).save(file, "PNG")
    head, _, rest = file.getvalue().rpartition(b"IDAT")
    with module.server_of(torch.nn.Flatten(), 1.0, 0) as server:
        Thread(target=server.serve_forever).start()
        try:
            for body, length, status in ((head + b"\xdc\xf3\x98\xf5" + rest, None, 400), (b"", "many", 413)):
                connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
                connection.request("POST", "/predict", body, {} if length is None else {"Content-Length": length})
                assert connection.getresponse().status == status
                connection.close()
        finally:
            server.shutdown()
