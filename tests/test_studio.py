"""The studio without a browser: the pipeline as data, draws, measures, files, what is pasted, and who may speak to the page."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import augfn as af
from augfn.app.studio import exports, peers
from augfn.app.studio.catalogue import entries, step_of
from augfn.app.studio.leaves import ends_of, reformed, rows_of, settings_of, turned
from augfn.app.studio.measures import LOSSES, fates, image_of, range_slopes, slopes, timings
from augfn.app.studio.opened import Item
from augfn.app.studio.pictures import Look, picture
from augfn.app.studio.state import Studio
from augfn.app.studio.steps import ROOTS, Step
from augfn.core.draw import leaves_of
from augfn.files.writing import written

SIZES = {2: (48, 64), 3: (12, 20, 16)}


def photo(h: int = 48, w: int = 64, name: str = "photo.png") -> Item:
    """A smooth image with a mask, a box and a keypoint."""
    y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
    mask = torch.zeros(h, w, dtype=torch.uint8)
    mask[h // 4 : h // 2, w // 4 : w // 2] = 2
    box = (w / 4, h / 4, w / 2, h / 2, 3.0)
    return Item(name, torch.stack([x, y, (x + y) / 2]), mask, [box], [(w / 4, h / 4)])


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def whole(name: str, ndim: int = 2) -> Step:
    step = step_of(name, SIZES[ndim])
    return step if step.name in ROOTS else Step("pipeline", steps=[step])


# the pipeline as data


@pytest.mark.parametrize("ndim", [2, 3])
def test_all_that_can_be_added_is_written_out_as_it_is(ndim: int) -> None:
    """As YAML, as functions and as modules: the same augmentation. Every number of it has a dial within its interval."""
    for name in entries(ndim):
        root = whole(name, ndim)
        f = root.made()
        again = Step.whole(f)
        assert written(again.made()) == written(f)
        assert written(peers.parsed(exports.as_yaml(root))[0].made()) == written(f)
        known: dict[str, Any] = {}
        exec(exports.as_functions(root, ""), known)
        exec(exports.as_modules(root, ""), known)
        assert written(known["f"]) == written(f), name
        module = known["aug"]
        assert written(module.f, module.params) == written(f), name
        for step in (s for s in root.walk() if not s.group):
            settings_of(step)
            for dial in (d for row in rows_of(step) for d in row.dials):
                assert dial.low <= dial.value <= dial.high, (name, dial)
                assert dial.step > 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_all_that_can_be_added_is_drawn(ndim: int) -> None:
    """On an image with a mask, boxes and keypoints, or a volume in three channels, as it is added."""
    studio, volume = Studio(), torch.linspace(0, 1, 3 * 12 * 20 * 16).reshape(3, *SIZES[3])
    items = [photo(), photo()] if ndim == 2 else [Item("scan.npy", volume, (volume[0] > 0.1).to(torch.uint8))]
    for item in items:
        studio.add(item)
    studio.n = 1
    for name in entries(ndim):
        studio.root = whole(name, ndim)
        studio.draw()
        assert studio.words(), name


def test_entries_are_found_by_the_names_of_peers() -> None:
    for peer, own in {"HorizontalFlip": "hflip", "RandomErasing": "erase", "RandAugment": "rand_augment"}.items():
        assert peer in entries(2)[own].label
    assert "rotate3d" not in entries(2)
    assert "rotate" not in entries(3)


def test_dials_turn_and_leaves_change_their_form() -> None:
    step = Step("affine", {"degrees": [-10, 10], "translate": [[-0.1, 0.1], [-0.2, 0.2]]})
    rows = {row.name: row for row in rows_of(step)}
    dials = [(d.label, d.value) for d in rows["translate"].dials]
    assert dials == [
        ("low x", -0.1),
        ("low y", -0.2),
        ("high x", 0.1),
        ("high y", 0.2),
    ]
    assert (rows["degrees"].form, rows["shear"].form, rows["p"].interval) == ("range", "off", "0 to 1")
    assert turned(rows["translate"].value, ("uniform", "low", 1), 0.4) == {
        "uniform": {"low": [-0.1, 0.4], "high": [0.1, 0.4]}
    }
    assert turned([-10, 10], (1,), -20) == [-20, -20]
    for form in ("fixed", "range", "normal", "truncated_normal"):
        step.given["degrees"] = reformed(rows["degrees"], form)
        assert next(r for r in rows_of(step) if r.name == "degrees").form == form
    assert ends_of(rows["scale"].meaning, []) == (0.25, 4.0)


def test_the_settings_of_a_step_are_plain_data() -> None:
    """As a file has them, which is how they are written on the page; also those that were written by hand."""
    for name in entries(2):
        for step in (s for s in whole(name).walk() if not s.group):
            assert yaml.safe_load(yaml.safe_dump({s.name: s.value for s in settings_of(step)})) is not None
    wrong = Step("clahe", {"grid_size": yaml.safe_load("2024-01-01")})
    assert settings_of(wrong)[0].value == wrong.given["grid_size"]


def test_steps_are_ordered_switched_and_nested() -> None:
    root = Step.whole(af.pipeline(af.hflip(), af.one_of(af.rotate(), named=af.invert()), padding_mode="border"))
    flip, choice = root.steps
    root.move(choice, -1)
    assert root.file()["pipeline"][1] == "hflip"
    assert choice.steps[1].own == "named"
    flip.on = False
    root.remove(choice)
    assert root.file() == {"augfn": 1, "pipeline": ["identity"], "padding_mode": "border"}
    assert Step("pipeline").made()(torch.ones(3, 4, 4))[0].sum() == 48
    assert [*(s.name for s in Step.whole(af.maybe(af.hflip(), p=0.5)).walk())] == ["pipeline", "maybe", "hflip"]


# draws and measures


def test_a_grid_is_drawn_and_one_draw_replayed_and_edited() -> None:
    studio = Studio()
    studio.add(photo())
    studio.seed, studio.n = 7, 3
    studio.draw()
    key = af.split(af.key(7), 3)[2]
    x = studio.item.full
    want, _ = studio.root.made()(x, None, key)
    studio.choose(2)
    assert np.abs(studio.result() - want.numpy()).max() < 1e-6
    assert len(studio.grid()) == 3
    assert studio.words() == af.explain(studio.drawn)
    studio.edit("affine/gate", (), 1.0)
    studio.edit("affine/degrees", (), 40.0)
    params = {n: {m: t[0] for m, t in p.items()} for n, p in studio.drawn.items()}
    assert float(params["affine"]["degrees"]) == 40
    assert np.abs(studio.result() - studio.f(x, params)[0].numpy()).max() < 1e-6
    known: dict[str, Any] = {"torch": torch}
    exec(exports.as_params(studio.drawn), known)
    assert torch.equal(studio.f(x, known["params"])[0], studio.f(x, params)[0])
    studio.draw()
    assert studio.edited is not None  # kept while the leaves are the same
    studio.root.steps.pop(0)
    studio.draw()
    assert studio.edited is None


def test_a_large_photo_is_previewed_on_a_copy_and_saved_in_full() -> None:
    studio = Studio()
    item = studio.add(photo(304, 1024))
    studio.root = Step.whole(af.pipeline(af.hflip()))
    studio.draw()
    assert item.size == (152, 512)
    assert "a copy of 512 x 152 of 1024 x 304" in studio.says()
    assert studio.result().shape == (3, 152, 512)
    assert np.array_equal(studio.full(), item.full.flip(-1).numpy())
    small, large = (item.sample(whole=w) for w in (False, True))
    assert torch.allclose(small["boxes"].data * 2, large["boxes"].data)
    assert torch.allclose((small["keypoints"].xy + 0.5) * 2, large["keypoints"].xy + 0.5)
    assert int((small["mask"] == 2).sum()) * 4 == int((large["mask"] == 2).sum())


def test_values_beyond_one_views_mixes_and_volumes_are_shown() -> None:
    studio = Studio()
    studio.add(photo())
    studio.root = Step.whole(af.pipeline(af.normalize(mean=0.5, std=0.2)))
    studio.draw()
    assert "Values -2.5 to 2.5" in studio.says()
    studio.root = whole("recipe simclr")
    studio.draw()
    assert [(i, v) for i, v, _ in studio.grid()][:3] == [(0, 0), (0, 1), (1, 0)]
    studio.root = whole("mixup")
    with pytest.raises(ValueError, match="two images or more"):
        studio.draw()
    studio.add(Item("b.png", torch.ones(3, 30, 30)))
    assert torch.equal(studio.batch(studio.made())["image"][0], studio.item.small)  # that which is shown comes first
    studio.show(0)
    studio.draw()
    assert len(studio.outs) == studio.n
    studio.open("scan.npy", npy(np.linspace(0, 200, 8 * 9 * 10, dtype=np.float32).reshape(8, 9, 10)))
    assert studio.root.steps[0].name == "hflip3d"
    solid = studio.root
    studio.show(0)
    assert studio.root.steps[0].name == "mixup"  # each kind has a pipeline of its own, which waits
    studio.show(2)
    assert studio.root is solid
    studio.draw()
    assert "Values 0 to 200 are shown, and augmented, as 0 to 1." in studio.says()
    assert [picture(studio.sample(), Look(axis=a)).size for a in (0, 1, 2)] == [(10, 9), (10, 8), (9, 8)]
    studio.root.steps[0].given["p"] = 3
    with pytest.raises(ValueError, match="not a probability"):
        studio.draw()
    studio.root = Step("pipeline", steps=[Step("resize3d", {"size": [50000, 8, 8]})])
    with pytest.raises(ValueError, match="whole numbers up to 4096"):
        studio.draw()


def test_what_lies_on_an_image_is_drawn_where_it_is() -> None:
    mask = torch.zeros(48, 64, dtype=torch.uint8)
    mask[12:24, 16:32] = 2
    grey = Item("grey.png", torch.full((3, 48, 64), 0.5), mask, [(40.0, 30.0, 56.0, 44.0, 1.0)], [(8.0, 6.0)]).sample()

    def places(side: int | None = None, **shown: bool) -> np.ndarray:
        looks = [Look(**{**dict.fromkeys(("mask", "boxes", "points"), False), **s}) for s in ({}, shown)]
        plain, marked = (np.asarray(picture(grey, look, side)) for look in looks)
        return np.argwhere((plain != marked).any(-1))

    for side, scale in ((None, 1), (32, 2)):
        found = places(side, mask=True)
        assert len(found) == 12 * 16 / scale**2
        assert (found.min(0) * scale).tolist() == [12, 16]
        found = places(side, boxes=True)
        assert [*(found.min(0) * scale), *((found.max(0) + 1) * scale)] == [30, 40, 44, 56]
        assert np.abs(places(side, points=True).mean(0) + 0.5 - np.array([6.5, 8.5]) / scale).max() <= 0.5


def test_what_became_of_targets_the_time_of_steps_and_slopes() -> None:
    studio = Studio()
    item = studio.add(photo())
    item.boxes.append((50.0, 30.0, 60.0, 40.0, 1.0))
    studio.root = Step.whole(
        af.pipeline(af.translate(translate=(-0.375, -0.375)), af.brightness(factor=0.8), af.gamma(gamma=1.5))
    )
    studio.draw()
    boxes = item.boxes.copy()
    item.boxes.clear()  # what is drawn is shown with what it was made of
    found = {f.name: f for f in fates(studio.source, studio.one[0])}
    item.boxes = boxes
    assert found["box 1 (label 3)"].left == "25 %, clipped"
    assert found["keypoint 1"].after == "not visible"
    assert found["label 2"].left != "100 %"
    assert [n for n, _ in timings(studio.f, studio.batch(studio.f), studio.params)] == [
        "translate",
        "brightness",
        "gamma",
        "all, fused",
    ]
    batch = {"image": studio.sample()["image"][None]}
    value, rows = slopes(studio.f, batch, studio.drawn, "mean brightness")
    byname = {s.name: s for s in rows}
    leaf = studio.drawn["brightness"]["factor"]

    def loss(factor: float) -> float:
        drawn = {**studio.drawn, "brightness": {"factor": torch.full_like(leaf, factor)}}
        return float(LOSSES["mean brightness"](image_of(studio.f(batch, drawn)[0])))

    assert value == pytest.approx(loss(0.8))
    assert byname["brightness/factor"].per_unit == pytest.approx((loss(0.81) - loss(0.79)) / 0.02, rel=1e-2)
    assert {"translate/translate x", "gamma/gamma"} <= byname.keys()
    mean, ends = range_slopes(studio.f, studio.batch(studio.f), studio.keys(), "mean brightness")
    assert mean == pytest.approx(value)
    ranged = {s.name: s.per_unit for s in ends}
    assert ranged["brightness/factor value"] == pytest.approx(byname["brightness/factor"].per_unit, rel=1e-4)
    assert [abs(s.change) for s in rows] == sorted((abs(s.change) for s in rows), reverse=True)


def test_leaves_of_a_state_of_its_own() -> None:
    """Two users have two states, with nothing in common but the pixels that the command line named."""
    items = [photo()]
    one, two = Studio(), Studio()
    for studio in (one, two):
        for item in items:
            studio.add(item.copy())
        studio.draw()
    one.item.boxes.clear()
    one.root.steps.clear()
    one.add(photo(name="secret.png"))
    assert [i.name for i in two.items] == ["photo.png"]
    assert two.item.boxes
    assert two.root.steps
    assert leaves_of(two.params)
    one.forget()
    assert not any((one.items, one.outs, one.source, one.one, one.drawn, one.params, one.kept))
    assert two.items
