"""The report as tables, figure and page, and the command that makes it."""

import base64
import io
import math
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

import augfn as af
from augfn.analysis import behaviour, sweep
from augfn.analysis.intervals import estimate
from augfn.analysis.scores import OUTPUT
from augfn.analysis.tables import Estimate, Table
from augfn.app import analyse
from augfn.app.commands import app

KEY = af.key(0)
VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """What is in a page; every tag that opens closes."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.texts, self.outside = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href"):
                (self.images if value.startswith("data:image/png;base64,") else self.outside).append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


@pytest.fixture(scope="module")
def report():
    x = af.uniform(af.key(1), (12, 3, 12, 12))
    f = af.pipeline(af.rotate(), af.brightness(factor=(0.5, 1.5)), af.normalize(mean=0.5, std=0.5))
    return behaviour(net(), x, f, KEY, labels=torch.arange(12) % 3, draws=4)


def test_a_page_is_whole_and_needs_nothing_beside_it(report, tmp_path):
    path = report.save(tmp_path / "report.html", title="A <study> & more")
    page = Page(path.read_text())
    text = " ".join(page.texts)
    assert not page.outside
    assert len(page.images) == 9  # the figure, and eight samples
    for data in page.images:
        image = Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2])))
        assert min(image.size) > 100
    assert "A <study> & more" in text  # escaped in the file, and read back
    for word in ("relative_l2", "shapley", "neighbour_retention", "rotate", "12 images, 4 draws", "95 % bootstrap"):
        assert word in text.replace("  ", " "), word


def test_the_samples_of_a_page_are_seen_as_they_were_before_normalizing(report):
    harm = report.worst(3)
    assert len({h.image for h in harm}) == 3
    assert [h.score for h in harm] == sorted((h.score for h in harm), reverse=True)
    assert harm[0].score == pytest.approx(float(report.passes[OUTPUT, "jsd"].max()))
    before, after = report.pictures(harm[0].image, harm[0].draw)
    assert before.equal(report.plan.source[harm[0].image])
    assert after.equal(report.again(harm[0].image, harm[0].draw)[0] * 0.5 + 0.5) or torch.allclose(
        after, report.again(harm[0].image, harm[0].draw)[0] * 0.5 + 0.5, atol=1e-6
    )
    assert "rotate" in harm[0].words
    assert "normalize" not in harm[0].words
    assert "label" in harm[0].predicted


def test_figures(report, tmp_path):
    assert len(report.plot(tmp_path / "a.png").axes) == 3
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 500
    curves = sweep(net(), report.plan.source, af.rotate(), "degrees", [0, 30, 60])
    assert len(curves.plot("cosine", path=tmp_path / "b.png").axes[0].lines) == 3
    with pytest.raises(ValueError, match="not measured"):
        curves.plot("cka", ["0"])


def test_pandas_has_all_of_it(report):
    frame = report.to_pandas()
    assert set(frame["table"]) == {"layers", "embedding", "ops"}
    row = frame[(frame.table == "layers") & (frame.layer == "0") & (frame.measure == "cosine")].iloc[0]
    assert (row.value, row.value_low, row.value_high) == tuple(report.layers[0]["cosine"])
    assert list(report.layers.to_pandas().columns[:4]) == [
        "layer",
        "relative_l2",
        "relative_l2_low",
        "relative_l2_high",
    ]


def test_tables_by_class(report):
    table = report.by_class()
    assert table["class"] == [0, 0, 1, 1, 2, 2]
    whole = report.layers.where(layer="4")[0]["cosine"].value
    assert sum(r["cosine"].value for r in table.where(layer="4")) / 3 == pytest.approx(whole)
    assert len(report.by_class("ops")) == 3 * len(report.ops)
    with pytest.raises(ValueError, match="by_class: table"):
        report.by_class("rows")


def test_a_table():
    table = Table(("a", "b"), [("<x>", Estimate(2.0)), ("y", Estimate(1.0, 0.5, 1.5))])
    assert str(table) == "a    b\n<x>  2\ny    1 [0.5, 1.5]"
    assert "&lt;x&gt;" in table._repr_html_()
    assert table.sorted("b", reverse=False)[0]["a"] == "y"
    assert table[1:]["a"] == ["y"]
    with pytest.raises(KeyError, match="unknown column"):
        table["c"]


def test_intervals_cover_what_they_promise():
    """Over images that are samples of a known population, 95 % intervals hold its mean in about 95 of 100 tries."""
    hits = 0
    for i in range(200):
        images = af.random.normal(af.fold_in(KEY, i), (40, 1, 1))
        draws = images + 0.5 * af.random.normal(af.fold_in(KEY, 1000 + i), (40, 4, 1))
        e = estimate(draws, af.fold_in(KEY, i), count=400)
        hits += e.low <= 0 <= e.high
    assert 0.88 < hits / 200 <= 0.985


def test_what_is_not_finite_is_left_out():
    moments = torch.tensor([1.0, 2.0, math.inf, 3.0])[:, None, None]
    assert estimate(moments, KEY).value == 2
    assert math.isnan(estimate(moments[:1], KEY).low)


# the command

MODEL = """
import torch
from torch import nn

def make(num_classes=2):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes))

small = make()
nothing = lambda: 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_nets.py").write_text(MODEL)
    (tmp_path / "policy.yaml").write_text("pipeline:\n  - hflip: {p: 0.5}\n  - brightness: {factor: [0.5, 1.5]}\n")
    generator = np.random.default_rng(0)
    for i in range(8):
        path = tmp_path / "images" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)).save(path)
    return tmp_path


def call(*args):
    given = (
        "--images",
        "images",
        "--policy",
        "policy.yaml",
        "--out",
        "out/report.html",
        "--draws",
        "2",
        "--size",
        "16",
    )
    return CliRunner().invoke(app, ["analyse", *map(str, args), *given])


def test_analyse_writes_a_page(folder):
    result = call(
        "own_nets:make", "--labels", "--layers", "0", "--layers", "4", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5"
    )
    assert result.exit_code == 0, result.output
    assert "8 images, 2 draws" in result.output
    assert "classes: a, b" in result.output
    text = " ".join(Page((folder / "out/report.html").read_text()).texts)
    assert "own_nets:make under policy.yaml" in text
    assert "normalize" in text
    assert not (folder / "out/report.html.parts").exists()


def test_analyse_goes_on_after_a_stop(folder, monkeypatch):
    from augfn.analysis import study

    own, left = study.studied, [1]

    def stops(*args):
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("the machine stopped")
        return own(*args)

    monkeypatch.setattr(study, "studied", stops)
    result = call("own_nets:small", "--batch", "4")
    assert result.exit_code == 2
    assert "the machine stopped" in result.output
    assert len(list((folder / "out/report.html.parts").glob("block-*.pt"))) == 1
    left[0] = 1  # one more block is enough
    result = call("own_nets:small", "--batch", "4")
    assert result.exit_code == 0, result.output


def test_analyse_with_weights(folder):
    import own_nets

    model = own_nets.make()
    torch.save({"state_dict": {f"module.{n}": t + 1 for n, t in model.state_dict().items()}}, folder / "w.pt")
    found, scale = analyse.model_of("own_nets:make", folder / "w.pt", None)
    assert scale is None
    assert found[0].bias.equal(model[0].bias + 1)
    result = call("own_nets:make", "--weights", folder / "w.pt", "--classes", 5)
    assert result.exit_code == 2
    assert "the weights do not fit" in result.output


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere:make"], "No module named 'nowhere'"),
        (["own_nets:mak"], "did you mean 'make'"),
        (["own_nets:nothing"], "no model"),
        (["no_such_model"], "which model?"),
        (["own_nets:make", "--layers", "9"], "unknown layer"),
        (["own_nets:make", "--weights", "nowhere.pt"], "nowhere.pt"),
        (["own_nets:make", "--mean", "a,b", "--std", "1"], "as 0.485"),
        (["own_nets:make", "--mean", "0.5"], "go together"),
        (["own_nets:make", "--pattern", "*.jpg"], "no images that can be read"),
    ],
)
def test_mistakes_are_one_line(folder, args, message):
    result = call(*args)
    assert result.exit_code == 2, result.output
    line = result.output.strip().splitlines()[-1]
    assert message in line
    assert line.startswith("error: ")


def test_files_that_are_no_images_are_named(folder):
    (folder / "images/a/broken.png").write_bytes(b"no")
    result = call("own_nets:make")
    assert result.exit_code == 2
    assert "broken.png" in result.output
    assert (folder / "out/report.html").exists()


def test_a_policy_that_normalizes_is_left_alone():
    f = af.pipeline(af.hflip(), af.pipeline(af.normalize(mean=0.5, std=0.5)))
    assert analyse.prepared(f, analyse.IMAGENET) is f
    assert "normalize" in repr(analyse.prepared(af.hflip(), analyse.IMAGENET))
