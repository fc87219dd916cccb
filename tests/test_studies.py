"""Pages of studies: arms that are run alone, beside those that a page keeps."""

import json

import pytest

from benchmarks import experiments
from benchmarks.measure import environment
from benchmarks.studies import kept, origins


@pytest.fixture
def page(tmp_path):
    """Three arms with two seeds each; "new" was run later than the others."""
    results = {arm: [{"accuracy": 1.0}, {"accuracy": 2.0}] for arm in ("none", "old", "new")}
    first, later = (environment("python ...", 1) | {"date": date} for date in ("in May", "in June"))
    path = tmp_path / "learned-some.json"
    path.write_text(json.dumps({"environment": later, "kept": {"none": first, "old": first}, "results": results}))
    return path


def test_kept_figures_keep_where_they_are_from(page):
    results, others = kept(page, ["none", "new"], 2)
    assert results == {arm: [{"accuracy": 1.0}, {"accuracy": 2.0}] for arm in ("none", "new")}
    assert {arm: env["date"] for arm, env in others.items()} == {"none": "in May", "new": "in June"}
    for text, arm, date in zip(origins(others), ("none", "new"), ("in May", "in June"), strict=True):
        assert text.startswith(f"Kept from an earlier run: {arm}.")
        assert f"date: {date}" in text


def test_nothing_is_kept_where_all_is_run(tmp_path):
    assert kept(tmp_path / "none.json", [], 5) == ({}, {})


@pytest.mark.parametrize(("arms", "seeds"), [(["none"], 5), (["other"], 2)])
def test_arms_that_the_page_lacks(page, arms, seeds):
    with pytest.raises(SystemExit, match=f"no {seeds} seeds of {arms[0]}"):
        kept(page, arms, seeds)


@pytest.mark.parametrize("names", [["policies"], ["augerino", "dada"]])
def test_an_arm_is_of_one_study(names, capsys):
    with pytest.raises(SystemExit):
        experiments.main([*names, "--arm", "none"])
    assert "--arm needs one name" in capsys.readouterr().err


def test_an_arm_that_there_is_not(tmp_path):
    with pytest.raises(SystemExit, match="augerino has no arm 'other'"):
        experiments.main(["augerino", "--arm", "other", "--out", str(tmp_path)])
