"""The page: one file, no request, no names that become markup, something to read for those who cannot see charts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iam_loadtest.report import ReportFiles, write_report

from .html_page import Page, parse_page
from .synthetic import FakeRun, write_fake_run

EVIL = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def page(finished: ReportFiles) -> Page:
    return parse_page(finished.html.read_text(encoding="utf-8"))


def test_the_page_is_well_below_five_megabytes(finished: ReportFiles) -> None:
    """Charts are inline, once."""
    assert finished.html.stat().st_size < 1_000_000


def test_the_page_asks_nobody_for_anything(page: Page, finished: ReportFiles) -> None:
    """Links lead into the page itself; images and the icon are data."""
    targets = page.values("href", "src", "xlink:href", "action", "srcset")
    assert all(target.startswith(("#", "data:")) for target in targets)
    assert "@import" not in finished.html.read_text()
    assert set(re.findall(r"url\((.)", finished.html.read_text())) <= {"#"}


def test_a_policy_in_the_page_forbids_requests(page: Page) -> None:
    """Were there an address, the browser would refuse it."""
    policy = next(meta["content"] for meta in page.named("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")
    assert "'unsafe-eval'" not in policy
    assert "script-src 'sha256-" in policy


def test_every_id_is_unique_and_every_reference_has_its_id(page: Page) -> None:
    """Also those inside the charts."""
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    references = [target.removeprefix("#") for target in page.values("href", "xlink:href") if target.startswith("#")]
    references += page.values("aria-labelledby", "aria-describedby")
    references += [
        found for value in page.values("clip-path", "style") for found in re.findall(r"url\(#([^)]*)\)", value)
    ]
    assert set(references) <= set(ids)


def test_every_picture_says_in_words_what_it_shows(page: Page) -> None:
    """With the figures, for screen readers; fifteen charts of this run."""
    pictures = [*page.named("svg"), *page.named("img")]
    assert len(pictures) == 15
    assert all(picture["role"] == "img" and len(picture["aria-label"]) > 40 for picture in pictures)
    throughput = next(one["aria-label"] for one in pictures if one["aria-label"].startswith("Throughput."))
    assert re.search(r"access_token, one: \d+ \[\d+–\d+\]", throughput)


def test_the_sections_stand_in_the_order_of_reading(page: Page) -> None:
    """The answer first, the environment and the method last."""
    assert [section["id"] for section in page.named("section")] == [
        "answer",
        "results-section",
        "charts",
        "failures",
        "topologies",
        "all-trials",
        "health",
        "environment-section",
        "method",
    ]


def test_charts_follow_the_page_s_colours(finished: ReportFiles) -> None:
    """Each topology has the colour of its swatch; the files on disk keep fixed colours."""
    text = finished.html.read_text()
    assert "fill: var(--series-0)" in text
    assert "fill: var(--series-1)" in text
    assert "var(--" not in (finished.html.parent / "charts" / "throughput.svg").read_text()


def test_names_and_texts_never_become_markup(small_run: FakeRun, tmp_path: Path) -> None:
    """Names, factors, descriptions, reasons and cautions of a hand-made run; dollars are no mathematics."""
    run = write_fake_run(tmp_path / "run", replace(small_run, name=EVIL, description=EVIL))
    names = {"one": EVIL[:20], "two": "$x_1$"}
    _rewrite(run / "run.json", lambda document: _with_names(document, names))
    for path in (run / "trials").glob("*/trial.json"):
        caution = {"kind": EVIL, "text": EVIL, "remedy": EVIL}
        _rewrite(path, lambda trial: {**trial, "topology": names[trial["topology"]], "cautions": [caution]})  # noqa: B023  called at once
    files = write_report(run)
    parsed = parse_page(files.html.read_text(encoding="utf-8"))
    assert len(parsed.named("script")) == 1
    assert "".join(parsed.text).count(EVIL) > 5
    assert "<script" not in files.markdown.read_text(encoding="utf-8").replace("\\<", "")
    svg = (run / "charts" / "throughput.svg").read_text(encoding="utf-8")
    assert "<script" not in svg
    assert "$x_1$" in svg


def _with_names(document: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    topologies = {name: {"provider": EVIL, "factors": {EVIL: EVIL}} for name in names.values()}
    plan = [{**planned, "topology": names[planned["topology"]]} for planned in document["plan"]]
    return {**document, "scenario": {**document["scenario"], "topologies": topologies}, "plan": plan}


def _rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
