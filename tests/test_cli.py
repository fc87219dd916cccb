"""The console script: demo, preview and the policies it reads."""

import io
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import augfn as af
from augfn import app as programs
from augfn.app import cli, demo, preview, viz
from augfn.app.commands import app
from augfn.core.draw import leaves_of
from augfn.saving import parse

POLICY = """
pipeline:
  - hflip: {p: 0.5}
  - affine: {degrees: [-15, 15], scale: [0.9, 1.1], p: 0.8}
  - one_of:
      - rotate
      - color_jitter: {brightness: [0.8, 1.2]}
padding_mode: reflection
"""


def call(*args):
    return CliRunner().invoke(app, [str(a) for a in args])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY)
    generator = np.random.default_rng(0)
    for name, shape in (("a.png", (20, 30, 3)), ("b.png", (40, 12, 3))):
        Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / name)
    return tmp_path


# policies


def test_policy_builds_what_the_factories_build():
    own = af.pipeline(
        af.hflip(p=0.5),
        af.affine(degrees=(-15, 15), scale=(0.9, 1.1), p=0.8),
        af.one_of(af.rotate(), af.color_jitter(brightness=(0.8, 1.2))),
        padding_mode="reflection",
    )
    read = parse(POLICY)
    assert repr(read) == repr(own)
    x, key = torch.rand(4, 3, 16, 16), af.key(3)
    assert torch.equal(read(x, None, key)[0], own(x, None, key)[0])


def test_policy_knows_every_combinator_and_distribution():
    f = parse("""
pipeline:
  - pipeline: [hflip, vflip]
  - pipeline: {steps: [rotate: {degrees: 5}], padding_mode: border}
  - one_of: {steps: [hflip, vflip], weights: [3, 1]}
  - some_of: {n: [1, 2], steps: [hflip, vflip, rotate]}
  - maybe: {p: 0.25, step: {gaussian_blur: {sigma: {log_uniform: [0.1, 2]}}}}
  - repeat: {n: 2, step: {brightness: {factor: {normal: {mean: 1, std: 1e-1}}}}}
  - translate: {translate: [[-0.1, 0.1], [0, 0]]}
  - resized_crop: {size: [8, 12], scale: [0.5, 1]}
fill: 0.5
""")
    leaves = leaves_of(f.params)
    assert isinstance(leaves["maybe/gaussian_blur/sigma"], af.LogUniform)
    assert isinstance(leaves["repeat/brightness_2/factor"], af.Normal)
    assert float(leaves["repeat/brightness/factor"].std) == pytest.approx(0.1)
    assert leaves["one_of/choice"].weights.tolist() == [3, 1]
    assert leaves["translate/translate"].high.tolist() == pytest.approx([0.1, 0.0])
    assert f(torch.rand(3, 20, 20), None, af.key(0))[0].shape == (3, 8, 12)


MISTAKES = {
    "pipeline: [wobble]": ["pipeline[0]", "'wobble'", "one of"],
    "pipeline: [hflp]": ["'hflip'"],
    "pipeline: [rotate: {degree: 3}]": ["pipeline[0].rotate", "did you mean 'degrees'?"],
    "pipeline: [hflip, rotate: {degrees: [30, -30]}]": ["pipeline[1].rotate", "upside down"],
    "pipeline: [rotate: {degrees: [1, 2, 3]}]": ["degrees", "(1, 2, 3)"],
    "pipeline: [rotate: {degrees: wide}]": ["degrees", "'wide'"],
    "pipeline: [rotate: {degrees: [.nan, 3]}]": ["pipeline[0].rotate.degrees", "finite"],
    "pipeline: [rotate: {degrees: {unifrom: [1, 2]}}]": ["'uniform'"],
    "pipeline: [rotate: {degrees: {uniform: [1, 2, 3]}}]": ["pipeline[0].rotate.degrees"],
    "pipeline: [rotate: {degrees: {uniform: [2, 1]}}]": ["upside down"],
    "pipeline: [brightness: {factor: -1}]": ["outside its range", "0.0 <= value"],
    "pipeline: [hflip: {p: 2}]": ["pipeline[0].hflip.p", "not a probability"],
    "pipeline: [hflip: {p: [0, 1]}]": ["pipeline[0].hflip.p", "not a probability"],
    "pipeline: [hflip: 3]": ["pipeline[0].hflip", "not a mapping"],
    "pipeline: [[hflip]]": ["pipeline[0]", "not a step"],
    "pipeline: [{hflip: , vflip: }]": ["not a step"],
    "pipeline: []": ["no steps"],
    "pipeline: hflip": ["no steps"],
    "pipeline: [one_of: []]": ["pipeline[0].one_of", "no steps"],
    "pipeline: [one_of: [hflip, {rotate: {degrees: x}}]]": ["pipeline[0].one_of[1].rotate"],
    "pipeline: [one_of: {steps: [hflip], weights: [0]}]": ["bad weights"],
    "pipeline: [one_of: {steps: [hflip], weights: [1, 1]}]": ["weights do not match"],
    "pipeline: [some_of: {n: 4, steps: [hflip]}]": ["bad count"],
    "pipeline: [some_of: {n: 1.5, steps: [hflip]}]": ["bad count"],
    "pipeline: [some_of: [hflip]]": ["not a mapping"],
    "pipeline: [maybe: {p: often, step: hflip}]": ["not a probability"],
    "pipeline: [repeat: {n: 0, step: hflip}]": ["bad count"],
    "pipeline: [repeat: {times: 2, step: hflip}]": ["'times'", "one of n, step"],
    "pipeline: [hflip]\npadding: zeros": ["'padding'", "padding_mode"],
    "pipeline: [hflip]\npadding_mode: mirror": ["bad padding_mode", "'mirror'"],
    "pipeline: [hflip]\nfill: red": ["pipeline.fill", "'red'"],
    "- hflip": ["no pipeline", "write 'pipeline:' above the list"],
    "": ["no pipeline"],
    "pipeline: [hflip": ["not valid YAML", "line 1"],
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_in_a_policy_make_one_line(folder, text):
    path = folder / "bad.yaml"
    path.write_text(text)
    result = call("preview", folder / "a.png", "--policy", path, "--out", folder / "out.png")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"error: {path}: ")
    assert all(words in result.stderr for words in MISTAKES[text]), result.stderr
    assert not (folder / "out.png").exists()


@pytest.mark.parametrize("step", ["mixup", "rotate3d"])
def test_what_one_image_cannot_show(folder, step):
    (folder / "policy.yaml").write_text(f"pipeline: [{step}]")
    result = call("preview", folder / "a.png", "--policy", folder / "policy.yaml", "--out", folder / "out.png")
    assert result.exit_code == 2
    assert "batches or volumes" in result.stderr


@pytest.mark.parametrize(
    ("name", "words"), [("missing.yaml", "No such file"), (".", "policy.yaml"), ("a.png", "policy.yaml")]
)
def test_unreadable_policy(folder, name, words):
    result = call("preview", folder / "a.png", "--policy", folder / name, "--out", folder / "out.png")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert words in result.stderr


# preview


def test_preview_writes_a_grid(folder):
    out = folder / "new" / "grid.png"
    args = ["preview", folder / "a.png", folder / "b.png", "--policy", folder / "policy.yaml", "--n", 2, "--out", out]
    result = call(*args)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert str(out) in result.stdout
    first = out.read_bytes()
    call(*args)
    assert out.read_bytes() == first
    call(*args, "--seed", 1)
    assert out.read_bytes() != first


def test_bad_images_are_named_and_the_others_done(folder, monkeypatch):
    (folder / "text.png").write_text("not an image")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:400])
    drawn, grid = [], viz.grid
    monkeypatch.setattr(viz, "grid", lambda samples, **k: drawn.append(len(samples)) or grid(samples, **k))
    names = ["text.png", "a.png", "missing.png", "cut.png", "b.png"]
    policy, out = folder / "policy.yaml", folder / "out.png"
    result = call("preview", *(folder / n for n in names), "--policy", policy, "--n", 1, "--out", out)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == [str(folder / n) for n in ("text.png", "missing.png", "cut.png")]
    assert drawn == [4]
    assert out.exists()


def test_an_image_that_does_not_suit_the_policy(folder):
    (folder / "crop.yaml").write_text("pipeline: [random_crop: {size: [16, 16]}]")
    args = ["--policy", folder / "crop.yaml", "--n", 1, "--out", folder / "out.png"]
    result = call("preview", folder / "b.png", folder / "a.png", *args)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "b.png: random_crop: larger than the frame" in result.stderr
    assert (folder / "out.png").exists()


def test_no_image_no_grid(folder):
    result = call("preview", folder / "no.png", "--policy", folder / "policy.yaml", "--out", folder / "out.png")
    assert result.exit_code == 2
    assert not (folder / "out.png").exists()


@pytest.mark.parametrize("out", ["out.xyz", "a.png/out.png"])
def test_bad_output(folder, out):
    result = call("preview", folder / "a.png", "--policy", folder / "policy.yaml", "--n", 1, "--out", folder / out)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert str(folder / out) in result.stderr


def test_a_row_does_not_depend_on_the_other_images(folder):
    f = parse(POLICY)
    image = preview.read_image(folder / "b.png")
    first = preview.draws(f, image, 2, af.fold_in(af.key(0), 1))
    again = preview.draws(f, image, 2, af.fold_in(af.key(0), 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[1], first[2])


MODES = ["RGB", "L", "1", "P", "LA", "RGBA", "CMYK", "I;16", "I", "F"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_read_as_rgb(tmp_path, mode):
    grey = Image.fromarray(np.tile(np.linspace(0, 255, 16, dtype=np.uint8), (8, 1)))
    deep = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
    scale = {"I;16": 257, "I": 2**20, "F": 3.0}
    image = grey.convert(mode) if mode not in deep else None
    if image is None:
        image = Image.fromarray(np.array(grey).astype(deep[mode]) * deep[mode](scale[mode]))
    path = tmp_path / "image.tif"
    image.save(path)
    x = preview.read_image(path)
    assert x.shape == (3, 8, 16)
    assert x.dtype == torch.float32
    want = torch.tensor(np.array(grey), dtype=torch.float32).expand(3, -1, -1) / 255
    if mode == "1":  # dithered
        assert set(x.unique().tolist()) == {0.0, 1.0}
        assert x.mean() == pytest.approx(float(want.mean()), abs=0.05)
    else:
        torch.testing.assert_close(x, want, atol=0.01, rtol=0)


def test_transparency_is_laid_on_white(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:, 2:, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "image.png")
    x = preview.read_image(tmp_path / "image.png")
    assert x[:, :, :2].eq(1).all()
    assert x[:, :, 2:].eq(0).all()


def test_exif_turns_the_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10)).save(tmp_path / "image.jpg", exif=exif)
    assert preview.read_image(tmp_path / "image.jpg").shape == (3, 20, 10)


def test_huge_images_are_shrunk(tmp_path, monkeypatch):
    monkeypatch.setattr(preview, "LARGEST", 10)
    Image.new("RGB", (40, 20)).save(tmp_path / "image.png")
    assert preview.read_image(tmp_path / "image.png").shape == (3, 5, 10)
    assert preview.fitted(torch.rand(3, 2, 6400)).shape == (3, 1, preview.CELL)


# demo


def test_demo_prints_a_table_and_writes_pictures(tmp_path):
    out = tmp_path / "new" / "demo"
    result = call("demo", "--seeds", 1, "--steps", 6, "--out", out)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:6]] == ["none", "fixed", "learned", "true"]
    assert "start at rotation ±6°" in result.stdout
    for name in ("digits.png", "photo.png", "ranges.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
        assert name in result.stdout


def test_demo_learns_wider_ranges_and_repeats_itself():
    task = demo.Task.of(0)
    runs = [demo.train(task, 0, "learned", 180, int) for _ in range(2)]
    assert torch.equal(runs[0].widths, runs[1].widths)
    assert runs[0].shifted == runs[1].shifted
    assert (runs[0].widths[-1] > 2 * runs[0].widths[0]).all()


def test_demo_data_are_split_honestly():
    """No image in two splits, upright training digits, and one shift for validation and test."""
    task = demo.Task.of(1)
    sizes = [len(y) for _, y in (task.train, task.val, task.clean, task.shifted)]
    assert sizes == [400, 300, 1097, 1097]
    assert torch.equal(task.clean[1], task.shifted[1])
    originals = demo.Task.of(2)
    everything = torch.cat([originals.train[0], originals.clean[0]]).flatten(1)
    assert torch.cdist(task.train[0].flatten(1), everything).amin(1).eq(0).float().mean() > 0.7  # untouched digits
    assert torch.cdist(task.train[0].flatten(1), task.clean[0].flatten(1)).amin() > 0
    means = [x.mean((1, 2, 3)).std() for x, _ in (task.clean, task.val, task.shifted)]
    assert means[1] == pytest.approx(float(means[2]), rel=0.1)
    assert means[1] > 1.5 * means[0]


def test_demo_output_that_cannot_be_made(folder):
    result = call("demo", "--out", folder / "a.png" / "x")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("args", [["demo", "--seeds", 0], ["demo", "--seed", -1], ["preview"], ["nonsense"]])
def test_bad_options(args):
    assert call(*args).exit_code == 2


@pytest.mark.parametrize("args", [["--help"], ["demo", "--help"], ["preview", "--help"]])
def test_help(args):
    result = call(*args)
    assert result.exit_code == 0
    assert "--help" in result.stdout


def test_a_name_that_the_console_has_no_letters_for(folder, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", stream)
    out = folder / "\u732b.png"
    monkeypatch.setattr(
        sys,
        "argv",
        ["augfn", "preview", f"{folder}/a.png", "--policy", f"{folder}/policy.yaml", "--out", str(out), "--n", "1"],
    )
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert (stop.value.code, out.exists()) == (0, True)
    stream.flush()
    assert b"\\u732b.png" in stream.buffer.getvalue()


# the extra


@pytest.mark.parametrize(("module", "command"), [("typer", "demo"), ("sklearn", "demo"), ("yaml", "preview")])
def test_missing_extra_is_named_in_one_line(monkeypatch, capsys, tmp_path, module, command):
    for name in list(sys.modules):
        if name.split(".")[0] == module or name in ("augfn.app.commands", "augfn.app.demo"):
            monkeypatch.delitem(sys.modules, name)
    for name in ("commands", "demo"):
        monkeypatch.delattr(programs, name)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(
        sys, "argv", ["augfn", command, *(["x.png", "--policy", "p.yaml"] if command == "preview" else [])]
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert module in err
    assert "pip install 'augfn[demo]'" in err


def test_other_missing_modules_are_not_hidden(monkeypatch):
    monkeypatch.delitem(sys.modules, "augfn.app.commands")
    monkeypatch.delattr(programs, "commands")
    monkeypatch.setitem(sys.modules, "augfn.app.commands", None)
    with pytest.raises(ModuleNotFoundError):
        cli.main()


def test_stats_of_a_folder(folder):
    (folder / "deeper").mkdir()
    Image.fromarray(np.full((6, 6), 51, np.uint8)).save(folder / "deeper" / "c.png")
    result = call("stats", folder)
    assert result.exit_code == 0
    pixels = torch.cat([preview.read_image(p).flatten(1) for p in sorted(folder.glob("**/*.png"))], 1).double()
    assert f"mean={tuple(round(v, 4) for v in pixels.mean(1).tolist())}" in result.output
    assert f"std={tuple(round(v, 4) for v in pixels.std(1, correction=0).tolist())}" in result.output
    assert "(3 images)" in result.output
    (folder / "d.png").write_text("no image")
    assert call("stats", folder).exit_code == 2
    assert call("stats", folder / "deeper", "--pattern", "*.jpg").exit_code == 2


def test_channel_stats():
    x = torch.rand(40, 3, 7, 5, dtype=torch.float64) * 1e-3 + 1e3
    want = x.movedim(1, 0).flatten(1)
    for loader in (x.split(7), list(x), [(b, 0) for b in x.split(3)], [{"image": b} for b in x.split(8)]):
        mean, std = af.channel_stats(loader)
        torch.testing.assert_close(mean, want.mean(1), rtol=1e-12, atol=0)
        torch.testing.assert_close(std, want.std(1, correction=0), rtol=1e-6, atol=0)
    bytes_ = torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8)
    torch.testing.assert_close(
        af.channel_stats([bytes_]).mean, bytes_.double().mean((0, 2, 3)) / 255, rtol=1e-6, atol=0
    )
    for loader, advice in (([], "at least one"), ([x[0], x[0, :1]], "one kind"), ([{"img": x}], "name=")):
        with pytest.raises(ValueError, match=advice):
            af.channel_stats(loader)
