"""The page of `augfn studio` in headless Chromium: every control used by a script, by the names that a screen reader says."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import CHROMIUM
from PIL import Image
from skimage import data

import augfn as af

pytestmark = pytest.mark.browser
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
SIZE = (96, 128)
WAIT = 60_000  # ms, for a slow machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo with its COCO file and mask, a volume, and a file that is no image."""
    at = tmp_path_factory.mktemp("studio")
    photo = Image.fromarray(data.astronaut()).resize(SIZE[::-1])
    photo.save(at / "photo.png")
    images = [{"id": 1, "file_name": "photo.png", "height": SIZE[0], "width": SIZE[1]}]
    corners = [20.0, 10.0, 60.0, 10.0, 60.0, 50.0, 20.0, 50.0]
    boxes = [{"id": 1, "image_id": 1, "category_id": 2, "bbox": [20, 10, 40, 40], "segmentation": [corners]}]
    (at / "instances.json").write_text(json.dumps({"images": images, "annotations": boxes}))
    np.save(at / "scan.npy", np.linspace(0, 1, 12 * 24 * 20, dtype=np.float32).reshape(12, 24, 20))
    (at / "broken.png").write_text("no picture")
    return at


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    """The command, on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    clean = {n: v for n, v in os.environ.items() if not n.startswith("PYTEST")}
    command = [sys.executable, "-m", "augfn", "studio", str(folder / "photo.png"), "--port", str(port), "--no-browser"]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[1], env=clean, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert f"http://127.0.0.1:{port}" in server.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, site: str) -> Iterator[Any]:
    """A page of a user's own, without an error in its console at the end."""
    context, errors = browser.new_context(viewport={"width": 1400, "height": 1000}), []
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    made = context.new_page()
    made.set_default_timeout(WAIT)
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    made.goto(site)
    made.locator("[role=status][data-drawn]").wait_for(state="attached")
    yield made
    context.close()
    assert not errors


def download(page: Any, name: str, path: Path) -> Path:
    with page.expect_download() as found:
        page.get_by_role("button", name=name, exact=True).click()
    found.value.save_as(path)
    return path


def attach(page: Any, name: str, path: Path) -> None:
    page.get_by_label(name).set_input_files(path)


def add(page: Any, words: str, option: str) -> None:
    box = page.get_by_role("combobox", name=re.compile("Add a step"))
    box.fill(words)
    done(page, lambda: page.get_by_role("option", name=re.compile(rf"^{option} \(")).first.click())


def enter(page: Any, name: str, value: str) -> None:
    box = page.get_by_label(name, exact=True)
    box.fill(value)
    box.press("Enter")


def says(page: Any, role: str, words: str) -> None:
    page.get_by_role(role).filter(has_text=re.compile(words)).first.wait_for()


def done(page: Any, act: Any) -> None:
    """Do something, and wait until the page has drawn after it."""
    status = page.get_by_role("status")
    before = status.get_attribute("data-drawn")
    act()
    page.wait_for_function("([e, n]) => Number(e.dataset.drawn) > n", arg=[status.element_handle(), int(before)])


def redrawn(page: Any, act: Any) -> None:
    """The same, after which the first draw is another picture."""
    image = page.get_by_role("button", name="Draw 1", exact=True).locator("img")
    before = image.get_attribute("src")
    done(page, act)
    assert image.get_attribute("src") != before


def test_a_pipeline_is_built_drawn_edited_and_taken_along(page: Any, folder: Path, tmp_path: Path) -> None:
    done(page, lambda: attach(page, "Load COCO …", folder / "instances.json"))
    page.get_by_text("1 boxes, 0 keypoints").wait_for()
    done(page, lambda: page.get_by_role("button", name="Remove all").click())
    page.get_by_text("No steps").wait_for()
    add(page, "RandomRotation", "rotate")
    add(page, "brightness", "brightness")
    low = page.get_by_role("slider", name="brightness factor low", exact=True)
    redrawn(page, lambda: low.fill("0.5"))
    number = page.get_by_label("brightness factor high, number")
    redrawn(page, lambda: (number.fill("0.6"), number.press("Enter")))
    low.focus()
    redrawn(page, lambda: page.keyboard.press("ArrowRight"))  # a keyboard does as well
    redrawn(page, lambda: page.get_by_label("brightness factor, form").select_option("normal"))
    redrawn(page, lambda: page.get_by_label("brightness factor, form").select_option("range"))
    redrawn(page, lambda: page.get_by_label("brightness is on").uncheck())
    redrawn(page, lambda: page.get_by_label("brightness is on").check())
    done(page, lambda: page.get_by_role("button", name="Move brightness up").click())
    page.locator(".step .name").first.get_by_text("brightness").wait_for()
    page.get_by_text("Settings of the pipeline").click()
    done(page, lambda: page.get_by_label("pipeline padding_mode").select_option("reflection"))
    redrawn(page, lambda: page.get_by_role("button", name="Next key").click())
    box = page.get_by_label("Draws", exact=True).last
    done(page, lambda: (box.fill("3"), box.press("Enter")))
    assert not page.get_by_role("button", name="Draw 4", exact=True).count()

    page.get_by_label("Pipeline as").select_option("functions")
    page.get_by_text("af.split(af.key(1), 3)[0]").wait_for()
    page.get_by_role("button", name="Draw 3", exact=True).click()
    page.get_by_text("Draw 3 of key 1: brightness").wait_for()
    page.get_by_text("af.split(af.key(1), 3)[2]").wait_for()
    page.get_by_label("Pipeline as").select_option("yaml")
    file = download(page, "Draw as .npy", tmp_path / "draw.npy")
    policy = download(page, "Download the pipeline", tmp_path / "policy.yaml")
    x = af.to_float(Image.open(folder / "photo.png"))
    y, _ = af.load(policy)(x, None, af.split(af.key(1), 3)[2])
    assert np.abs(np.load(file) - y.numpy()).max() < 1e-6

    page.get_by_label("Pipeline as").select_option("functions")
    page.get_by_text("f = af.pipeline").wait_for()
    known: dict[str, Any] = {}
    exec(page.get_by_label("The pipeline, written out").inner_text(), known)
    again, _ = known["f"](x, None, af.split(af.key(1), 3)[2])
    assert torch.equal(again, y)
    page.get_by_label("Pipeline as").select_option("modules")
    page.get_by_text("aug = K.Augment(").wait_for()

    page.get_by_label("Pipeline as").select_option("params")
    after = page.get_by_alt_text("The chosen draw")
    source = after.get_attribute("src")
    page.get_by_label("Value of rotate/degrees", exact=True).fill("40")
    page.get_by_text("(edited)").wait_for()
    page.get_by_text("'degrees': torch.tensor(40.0)").wait_for()
    assert after.get_attribute("src") != source
    page.get_by_label("Before and after").fill("20")
    assert page.locator(".compare").evaluate("e => e.style.getPropertyValue('--cut')") == "20%"
    page.get_by_role("tab", name="Boxes and masks").click()
    page.get_by_role("cell", name="box 1 (label 2)").wait_for()
    assert page.get_by_role("cell", name=re.compile("clipped|100 %|not valid")).count()
    done(page, lambda: enter(page, "Boxes with less than this share left are not valid", "0.9"))
    page.get_by_role("tab", name="Gradient").click()
    page.get_by_role("img", name=re.compile("^brightness.factor: ")).wait_for()
    page.get_by_label("Loss").select_option(index=2)
    page.get_by_text("sharpness (squared differences of neighbours): ").wait_for()
    page.get_by_label("Gradient to").select_option("ranges")
    page.get_by_role("img", name=re.compile("^brightness.factor low: ")).wait_for()
    page.get_by_role("tab", name="Time").click()
    page.get_by_role("cell", name="all, fused").wait_for()
    page.get_by_role("tab", name="Params").click()
    page.get_by_role("button", name="As it was drawn").click()
    page.get_by_text("(edited)").wait_for(state="detached")
    with Image.open(download(page, "Draw in full size as PNG", tmp_path / "full.png")) as full:
        assert full.size == SIZE[::-1]


def test_targets_are_drawn_and_files_and_values_that_are_bad_are_said(page: Any, folder: Path, tmp_path: Path) -> None:
    canvas = page.locator(".canvas")
    canvas.scroll_into_view_if_needed()
    at = canvas.bounding_box()

    def drag(*fractions: tuple[float, float]) -> None:
        (x1, y1), (x2, y2) = ((at["x"] + a * at["width"], at["y"] + b * at["height"]) for a, b in fractions)
        page.mouse.move(x1, y1)
        page.mouse.down()
        page.mouse.move(x2, y2, steps=3)
        page.mouse.up()

    done(page, lambda: drag((0.25, 0.25), (0.75, 0.75)))
    page.get_by_text("1 boxes, 0 keypoints").click()
    page.get_by_text("Box 1: 32.0, 24.0, 96.0, 72.0 label 1").wait_for()
    page.get_by_label("Tool").select_option("mask")
    done(page, lambda: drag((0.2, 0.5), (0.8, 0.5)))
    done(page, lambda: page.get_by_label("Tool").select_option("erase") and drag((0.2, 0.5), (0.3, 0.5)))
    page.get_by_role("button", name="Remove the mask").wait_for()
    done(page, lambda: enter(page, "Add a keypoint: x, y", "10, 20"))
    page.get_by_text("1 boxes, 1 keypoints").wait_for()
    page.get_by_label("Show mask").uncheck()

    attach(page, "Open images …", folder / "broken.png")
    says(page, "alert", "broken.png; given: 'no image'; expected: an image that pillow reads")
    load = page.get_by_role("button", name="Load what is pasted")
    page.get_by_label("A pipeline to load").fill("pipeline: [hflip, rotate: {degrees: [30, -30]}]")
    load.click()
    says(page, "alert", "rotate: degrees: the range is upside down")
    page.get_by_label("A pipeline to load").fill("K.AugmentationSequential(K.RandomHorizontalFlip(p=n))")
    load.click()
    says(page, "alert", "not a literal; given: 'n'")
    page.get_by_label("A pipeline to load").fill(
        "K.AugmentationSequential(K.RandomHorizontalFlip(p=1.0), K.RandomInvert(p=1.0))"
    )
    redrawn(page, load.click)
    page.get_by_text("Draw 1 of key 0: hflip, then invert").wait_for()

    done(page, lambda: attach(page, "Open images …", folder / "scan.npy"))
    page.get_by_label("Slices").select_option("1")
    page.get_by_role("button", name="rotate3d", exact=True).click()
    page.get_by_role("slider", name="Slice", exact=True).fill("0.9")
    redrawn(page, lambda: page.get_by_role("slider", name="rotate3d degrees low x", exact=True).fill("-40"))
    file, policy = (
        download(page, "Draw as .npy", tmp_path / "y.npy"),
        download(page, "Download the pipeline", tmp_path / "p.yaml"),
    )
    volume = torch.from_numpy(np.load(folder / "scan.npy"))[None]
    y, _ = af.load(policy)({"volume": volume}, None, af.split(af.key(0), 4)[0])
    assert np.abs(np.load(file) - y["volume"].numpy()).max() < 1e-6
    unnamed = "e => e.filter(i => !i.labels?.length && !i.ariaLabel && !i.innerText?.trim()).map(i => i.outerHTML)"
    assert page.locator("button:visible, input:visible, select:visible, textarea:visible").evaluate_all(unnamed) == []


def test_the_other_controls(page: Any, folder: Path, tmp_path: Path) -> None:
    page.get_by_label("Theme").select_option("dark")
    page.locator(".body--dark").wait_for()
    Image.fromarray(np.full(SIZE, 7, np.uint8)).save(folder / "mask.png")
    redrawn(page, lambda: attach(page, "Load a mask …", folder / "mask.png"))
    redrawn(page, lambda: page.get_by_role("button", name="Remove the mask").click())
    enter(page, "Label", "3")
    enter(page, "Brush", "10")
    redrawn(page, lambda: enter(page, "Add a box: x1, y1, x2, y2", "10 10 60 60"))
    page.get_by_text("1 boxes, 0 keypoints").click()
    page.get_by_text("10.0, 10.0, 60.0, 60.0 label 3").wait_for()
    page.get_by_label("Show boxes").uncheck()
    page.get_by_label("Show keypoints").uncheck()
    done(page, lambda: page.get_by_role("button", name="Remove box 1").click())
    enter(page, "Add a box: x1, y1, x2, y2", "1 1")
    says(page, "alert", "'1 1' is not 4 numbers")

    done(page, lambda: page.get_by_label("affine degrees, form").select_option("normal"))
    chance = "affine p value, number"
    enter(page, chance, "3")  # a value that is not valid is said, and can be put right
    says(page, "alert", "not a probability")
    page.get_by_label("Pipeline as").select_option("modules")
    page.get_by_role("button", name="Download the pipeline").click()
    says(page, "alert", r"affine\.affine\.p: not a probability")
    page.get_by_label("Pipeline as").select_option("yaml")
    done(page, lambda: enter(page, chance, "0.7"))
    page.get_by_text("not a probability").wait_for(state="detached")
    done(page, lambda: enter(page, chance, "3"))
    fold = page.get_by_role("button", name="affine", exact=True)
    fold.click()
    page.get_by_label(chance).wait_for(state="detached")
    fold.click()
    page.get_by_text("Settings of affine").click()
    done(page, lambda: enter(page, "affine p", "0.9"))
    page.get_by_text("not a probability").wait_for(state="detached")
    page.get_by_label(chance).wait_for()

    add(page, "one_of", "one_of")
    page.get_by_role("button", name="Add steps to one_of").click()
    page.get_by_role("combobox", name=re.compile("Add a step to one_of")).wait_for()
    add(page, "d4", "d4")
    done(page, lambda: enter(page, "d4 symmetry, as in YAML", "{choice: {weights: [0, 0, 1, 0, 0, 0, 0, 0]}}"))
    add(page, "CLAHE", "clahe")
    page.get_by_role("button", name="Add to the whole pipeline again").click()
    page.get_by_role("button", name="Add to the whole pipeline again").wait_for(state="detached")
    done(page, lambda: page.get_by_label("d4 is on").uncheck())
    page.get_by_text("Settings of clahe").click()
    redrawn(page, lambda: enter(page, "clahe grid_size", "[4, 4]"))
    enter(page, "clahe grid_size", "[4")
    says(page, "alert", "is no YAML")
    done(page, lambda: page.get_by_label("clahe per_channel").check())
    done(page, lambda: page.get_by_role("button", name="Move hflip down").click())
    done(page, lambda: page.get_by_role("button", name="Remove affine").click())
    assert page.locator(".step .name").first.inner_text() == "hflip"
    redrawn(page, lambda: enter(page, "Key", "12"))
    page.get_by_role("button", name="Copy the pipeline").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()).includes('per_channel: true')")
    assert "grid_size: [4, 4]" in page.evaluate("navigator.clipboard.readText()")
    with Image.open(download(page, "Draw as PNG", tmp_path / "draw.png")) as image:
        assert image.size == SIZE[::-1]
    assert np.load(download(page, "Draw in full size as .npy", tmp_path / "full.npy")).shape == (3, *SIZE)
    af.save(af.pipeline(af.vflip(p=1.0)), folder / "flip.yaml")
    redrawn(page, lambda: attach(page, "Open a policy …", folder / "flip.yaml"))
    page.get_by_role("tab", name="Time").click()
    page.get_by_role("button", name="Measure again").click()
    page.get_by_role("cell", name="vflip").wait_for()
    redrawn(page, lambda: attach(page, "Open images …", folder / "mask.png"))
    redrawn(page, lambda: page.get_by_label("Image", exact=True).select_option(label="photo.png"))
    redrawn(page, lambda: page.get_by_role("button", name="Close image").click())
    page.get_by_role("button", name="Close image").wait_for(state="detached")


def test_two_users_do_not_see_each_other(browser: Any, page: Any, site: str, folder: Path) -> None:
    attach(page, "Open images …", folder / "scan.npy")
    page.get_by_label("Slices").wait_for()
    other = browser.new_context().new_page()
    other.goto(site)
    other.get_by_role("button", name="Draw 1", exact=True).wait_for()
    assert other.get_by_label("Image", exact=True).locator("option").all_inner_texts() == ["photo.png"]
    other.context.close()
