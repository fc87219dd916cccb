"""`augfn tune`: a search on folders of images, and its page."""

import html.parser
import sys

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from typer.testing import CliRunner

import augfn as af
from augfn.app import cli, trainer
from augfn.app import tune as program
from augfn.app.commands import app
from augfn.app.trainer import Images, Trainer

COLOURS = {"blue": (40, 60, 200), "green": (40, 200, 60), "red": (200, 60, 40)}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Noisy images of three colours; 8 of each to train, 4 of each to test."""
    folder, generator = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for part, n in (("train", 8), ("test", 4)):
        for name, colour in COLOURS.items():
            (folder / part / name).mkdir(parents=True)
            for i in range(n):
                pixels = generator.normal(colour, 60, (10, 12, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{i}.png")
    return folder


@pytest.fixture
def config(data, tmp_path):
    """The path of a config, as it is or with other values."""

    def made(**other):
        own = {
            "data": str(data / "train"),
            "val": 0.25,
            "test": str(data / "test"),
            "policy": {"pipeline": ["to_float", {"rotate": {"degrees": [-10, 10]}}, {"hflip": {"p": 0.5}}]},
            "trials": 2,
            "steps": 5,
            "batch": 8,
            "size": 8,
            "method": "random",
            "out": str(tmp_path / "out"),
        }
        path = tmp_path / "config.yaml"
        given = {name: value for name, value in (own | other).items() if value is not ...}
        path.write_text(yaml.safe_dump(given))
        return path

    return made


def call(path):
    return CliRunner().invoke(app, ["tune", str(path)])


class Page(html.parser.HTMLParser):
    """What a page says, without its scripts; whether its tags are closed."""

    def __init__(self):
        super().__init__()
        self.open, self.words = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" not in self.open and "style" not in self.open:
            self.words.append(data)


def test_a_search_and_its_page(config, tmp_path):
    path = config()
    result = call(path)
    assert result.exit_code == 0, result.output
    assert "looked at once" in result.stdout
    out = tmp_path / "out"
    best = af.load(out / "policy.yaml")
    assert [g.name for g in best.steps.values()] == ["to_float", "rotate", "hflip"]
    page = Page()
    page.feed((out / "report.html").read_text(encoding="utf-8"))
    text = " ".join(page.words)
    assert page.open == []
    for words in ("random search of 2 trials (2 complete)", "18 images to train, 6 for validation", "no augmentation",
                  "the policy as it was", "rotate/degrees", "to_float", "Test data", "What was searched"):  # fmt: skip
        assert words in text, words
    assert (out / "trials.csv").read_text().startswith("trial,state,accuracy,rotate/degrees,hflip/p")

    policy, again = (out / "policy.yaml").read_bytes(), call(path)
    assert again.exit_code == 0
    assert again.stdout == result.stdout  # the test data are not seen twice
    assert (out / "policy.yaml").read_bytes() == policy
    other = call(config(batch=4))
    assert other.exit_code == 2
    assert "batch" in other.stderr
    assert other.stderr.count("\n") == 1
    more = call(config(trials=3))
    assert more.exit_code == 2
    assert "no more trials" in more.stderr
    assert "of augfn tune another out" in more.stderr


def test_a_stop_and_the_same_command_again(config, tmp_path, monkeypatch):
    whole = call(config(out=str(tmp_path / "whole"), test=...))
    assert "No test data were given" in (tmp_path / "whole" / "report.html").read_text(encoding="utf-8")
    own, calls = Trainer.measured, []

    def stopped(self, *args):
        calls.append(self)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return own(self, *args)

    monkeypatch.setattr(Trainer, "measured", stopped)
    result = call(config(test=...))
    assert result.exit_code == 130
    assert result.stderr.count("\n") == 1
    assert "goes on where it was" in result.stderr
    again = call(config(test=...))
    assert again.exit_code == 0
    assert again.stdout.splitlines()[:-1] == whole.stdout.splitlines()[:-1]
    assert (tmp_path / "out" / "trials.csv").read_text() == (tmp_path / "whole" / "trials.csv").read_text()


MISTAKES = {
    "data": [(3, "a folder"), ("nowhere", "no such folder")],
    "val": [(2, "between 0 and 1"), ("nowhere", "no such folder"), (0.01, "some images in both parts")],
    "test": [(True, "between 0 and 1"), ("nowhere", "no such folder")],
    "policy": [(..., "name of a recipe"), ("no.yaml", "No such file"), ({"pipeline": ["hflp"]}, "hflip"),
               ({"pipeline": ["hflip"]}, "nothing to tune"), ({"pipeline": ["rotate3d"]}, "of images")],
    "recipe": [("simclr", "name of a recipe")],
    "strength": [("strong", "conservative, aggressive")],
    "fixed": [("hflip", "a list of paths"), (["vflip"], "rotate/degrees")],
    "model": [("resnet18", "timm:NAME"), ("timm:nonsense", "timm")],
    "method": [("bayes", "grid, random, tpe")],
    "prune": [("mean", "median, halving")],
    "trials": [(0, "positive whole number")],
    "steps": [(1.5, "positive whole number")],
    "rate": [(-1, "above 0"), (float("inf"), "above 0"), ("fast", "above 0")],
    "seed": [(-1, "from 0 on")],
    "device": [("fast", "device")],
    "colour": [(1, "one of batch")],
}  # fmt: skip


@pytest.mark.parametrize(("key", "value", "words"), [(k, v, w) for k, many in MISTAKES.items() for v, w in many])
def test_a_bad_config_is_one_line_that_names_the_key(config, key, value, words):
    path = config(**{key: value})
    result = call(path)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith(f"error: {path}: ")
    assert key in result.stderr.removeprefix(f"error: {path}: ") or key == "recipe"
    assert words in result.stderr


@pytest.mark.parametrize(
    ("text", "words"), [("data: [", "not valid YAML"), ("- data", "keys with values"), (None, "No such file")]
)
def test_no_config(tmp_path, text, words):
    path = tmp_path / "c.yaml"
    if text is not None:
        path.write_text(text)
    result = call(path)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert words in result.stderr


@pytest.mark.parametrize(
    ("step", "words"),
    [({"mixup": {"num_classes": 5}}, "num_classes=3"), ({"random_crop": {"size": 64}}, "at most (8, 8)")],
)
def test_a_policy_that_does_not_fit_leaves_nothing_behind(config, tmp_path, step, words):
    steps = [{"rotate": {"degrees": [-10, 10]}}]
    result = call(config(policy={"pipeline": [step, *steps]}))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "policy: " in result.stderr
    assert words in result.stderr
    assert not (tmp_path / "out").exists()
    assert call(config(policy={"pipeline": steps}, test=...)).exit_code == 0


def test_a_rate_without_a_point(config):
    """Which YAML takes for a text."""
    path = config()
    path.write_text(f"{path.read_text()}\nrate: 1e-3\n")
    assert program.config_of(path).rate == 1e-3


def test_one_folder_is_not_both(config, data):
    result = call(config(test=str(data / "train" / ".." / "train")))
    assert result.exit_code == 2
    assert "nowhere else" in result.stderr


def test_images_that_are_in_two_parts_are_told(data):
    images = Images.of(data / "train", 8)
    parts = program.Config(data="x"), None, images.rows(torch.arange(4)), images.rows(torch.arange(3, 9)), None
    assert program.Task(*parts).notes() == ["Images that are the same in training and validation data: 1."]


def test_without_the_extra(monkeypatch, capsys, config):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr(sys, "argv", ["augfn", "tune", str(config())])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert capsys.readouterr().err == "error: optuna is not installed: pip install 'augfn[tune]'\n"


# the trainer


def last(made):
    *_, found = made
    return found


def test_the_trainer_learns_and_repeats_itself(data):
    train, held = Images.of(data / "train", 8), Images.of(data / "test", 8)
    t = Trainer(train, held, batch=8)
    found = list(t(af.identity(), af.key(0), 20))
    assert len(found) == trainer.LOOKS
    assert found[-1]["accuracy"] > 0.9
    assert found == list(t(af.identity(), af.key(0), 20))
    assert found != list(t(af.identity(), af.key(1), 20))
    assert found != list(t(af.rotate(degrees=45.0), af.key(0), 20))


def test_steps_go_through_all_images(data):
    t = Trainer(*[Images.of(data / "train", 8)] * 2, batch=5)
    key = af.key(3)
    epochs = [torch.cat([t.index(key, 4 * e + i) for i in range(4)]) for e in range(3)]
    for order in epochs:
        assert len(order.unique()) == 20
    assert not torch.equal(epochs[0], epochs[1])
    assert len(Trainer(*[Images.of(data / "train", 8)] * 2, batch=99).index(key, 2)) == 24


def test_a_share_of_each_class_is_put_aside(data):
    images = Images.of(data / "train", 8)
    left, aside = images.divided(0.25, af.key(0))
    assert left.y.bincount().tolist() == [6, 6, 6]
    assert aside.y.bincount().tolist() == [2, 2, 2]
    assert not left.prints() & aside.prints()
    assert left.prints() | aside.prints() == images.prints()


@pytest.mark.parametrize(
    "policy",
    [
        af.pipeline(af.resized_crop(size=6), af.mixup(num_classes=3)),
        af.pipeline(af.to_float(), af.hflip(p=0.5), af.to_uint8()),
        af.pipeline(af.hflip(p=0.5), af.normalize(mean=(0.5, 0.4, 0.3), std=0.2)),
    ],
)
def test_policies_of_all_kinds(data, policy):
    train = Images.of(data / "train", 8)
    assert last(Trainer(train, train, batch=8)(policy, af.key(0), 20))["accuracy"] > 0.8


def test_what_a_policy_normalizes_by_is_what_the_held_images_have():
    f = af.pipeline(af.hflip(p=0.5), af.pipeline(af.normalize(mean=0.5, std=0.2)))
    assert trainer.normalize_of(f).name == "normalize"
    assert trainer.normalize_of(af.hflip()) is None
