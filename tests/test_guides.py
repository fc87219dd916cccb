"""The guides of tasks: each page has its picture, and a function that draws it."""

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("tqdm")

from benchmarks.guides import GUIDES, LARGEST, PICTURES


def test_every_page_has_its_picture():
    assert {page.stem for page in GUIDES.glob("*.md")} == set(PICTURES)
    for name in PICTURES:
        text = (GUIDES / f"{name}.md").read_text()
        assert f"]({name}.jpg)" in text
        assert f"`python -m benchmarks.guides {name}`" in text.replace("\n", " ")
        assert 10_000 < (GUIDES / f"{name}.jpg").stat().st_size < LARGEST
