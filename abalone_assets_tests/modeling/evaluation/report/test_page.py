import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from abalone_assets.modeling.dataset import concat, row_keys
from abalone_assets.modeling.evaluation.champion import Champion
from abalone_assets.modeling.evaluation.evaluate import evaluate_model
from abalone_assets.modeling.evaluation.report.page import Report, render_report
from abalone_assets.modeling.evaluation.study import study_model
from abalone_assets_tests.modeling.support import (
    ShellModel,
    card,
    intervals,
    judged,
    rows,
    simulated,
    small_splits,
)

HOSTILE = "<script>alert('$x$')</script>&\"--><!--"
VOID = {"meta", "link", "br", "img", "hr", "input"}
SPLITS = small_splits()


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.identifiers: list[str] = []
        self.references: list[str] = []
        self.seen = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in {"href", "src", "xlink:href", "srcset", "action", "data"}:
                self.references.append(value or "")
            if name == "id":
                self.identifiers.append(value or "")
            assert not name.startswith("on"), (tag, name)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.seen += data


@pytest.fixture(scope="module")
def drawn() -> tuple[Any, Report]:
    """An evaluation with everything there can be, and names that want to be code; its report."""
    train = concat([SPLITS.train, rows(600, 660, "abalone.20250301120000")])
    test = concat([rows(380, 560), rows(560, 580, HOSTILE)])
    papers = card(
        versions={HOSTILE: HOSTILE},
        objective=HOSTILE,
        created_at=HOSTILE,
        out_of_fold={"rows": 380, "folds": 5, "rmse": 2.2, "mae": 1.5},
    )
    candidate = judged(intervals=intervals(), card=papers)
    splits = replace(SPLITS, train=simulated(train, 50), test=simulated(test, 20))
    deciding = evaluate_model(
        candidate,
        splits,
        champion=Champion(HOSTILE, judged(0.5, learnt_rows=row_keys(rows(0, 380)))),
        reference=Champion(HOSTILE, judged(0.25)),
        missing_rows=0,
        foreign_rows=0,
    )
    evaluation = study_model(candidate, splits, deciding.document)
    return evaluation.document, render_report(evaluation, candidate, champion_tolerance=0.02)


@pytest.fixture(scope="module")
def full(drawn: tuple[Any, Report]) -> tuple[Any, str]:
    return drawn[0], drawn[1].page


def test_a_page_needs_nothing_but_itself(full: tuple[Any, str]) -> None:
    page = Page(full[1])
    assert page.open == []
    assert {"script", "iframe", "object", "form"}.isdisjoint(page.tags)
    assert all(each.startswith(("data:", "#")) for each in page.references)
    assert "@import" not in full[1]
    assert page.tags.count("svg") == 10


def test_the_words_of_charts_are_words(full: tuple[Any, str]) -> None:
    """Outlines of letters were two fifths of a page, and no browser finds a word in them."""
    page = full[1]
    words = {word.strip() for word in re.findall(r"<text [^>]*>([^<]*)</text>", page)}
    assert {"counted rings", "predicted rings", "RMSE in rings on the same test rows"} <= words
    assert len(page) < 260_000


def test_charts_do_not_share_identifiers_and_refer_to_their_own(full: tuple[Any, str]) -> None:
    page = Page(full[1])
    assert len(page.identifiers) == len(set(page.identifiers))
    within = {each[1:] for each in page.references if each.startswith("#")}
    assert within
    assert within <= set(page.identifiers)


def test_names_are_shown_and_never_run(full: tuple[Any, str]) -> None:
    assert HOSTILE not in full[1]
    assert Page(full[1]).seen.count(HOSTILE) >= 4


def test_colours_are_the_pages_own(full: tuple[Any, str]) -> None:
    assert "#0101" not in full[1]
    assert "prefers-color-scheme: dark" in full[1]
    assert full[1].count("var(--grid)") > 20


def test_tells_every_number_that_matters(full: tuple[Any, str]) -> None:
    document, seen = full[0], Page(full[1]).seen
    for number in (
        document["rmse"],
        document["champion"]["paired"]["overall"]["champion_rmse"],
        document["reference"]["paired"]["overall"]["champion_rmse"],
        document["synthetic"]["rmse_all_rows"],
        document["synthetic"]["rmse_trained_without"],
        document["learning_curve"][0]["rmse"],
    ):
        assert f"{number:.3f}" in seen
    assert f"raw measurements ({document['baselines']['linear']:.3f})" in seen
    assert f"mean age would miss by {document['baselines']['mean']:.3f}." in seen
    assert f"dominate, is {document['rmse']:.3f} rings" in seen
    tiles = "".join(seen.split())
    assert f"RMSE{document['rmse']:.3f}rings," in tiles  # as /models tells it
    assert f"Outoffold{document['out_of_fold']['rmse']:.3f}RMSE" in tiles
    files = document["champion"]["known_files"]
    for compared in (files["paired"]["overall"], files["new"]):
        assert f"{compared['champion_rmse']:.3f}" in seen
        assert f"{abs(compared['difference']):.3f} rings (90 %" in seen
    assert "files new to the champion" in seen
    assert seen.count(HOSTILE) >= 6
    assert "abalone.20250301120000" in seen
    assert document["test_rows_sha256"] in seen
    assert "No: rows lie where their hash does not put them" in seen  # dealt by position


def test_a_first_network_of_few_rows_has_a_page_too_the_same_each_time() -> None:
    network = judged(model=ShellModel(explains=False), card=card("tensorflow"))
    few = replace(SPLITS, test=rows(400, 402))
    evaluation = evaluate_model(network, few)
    evaluation = study_model(network, few, evaluation.document)
    first, again = (render_report(evaluation, network) for _ in range(2))
    assert first == again
    page = Page(first.page)
    assert "There is none: no approved version is live" in page.seen
    assert "without prediction intervals" in page.seen
    assert "not drawn for a network" in page.seen
    assert page.tags.count("svg") == 6


def test_thousands_of_points_are_drawn_as_one_picture() -> None:
    many = replace(SPLITS, test=concat([rows(380, 1180)] * 3))
    network = judged(model=ShellModel(explains=False), card=card("tensorflow"))
    text = render_report(evaluate_model(network, many), network).page
    assert any(each.startswith("data:image/png") for each in Page(text).references)
    assert len(text) < 1_000_000


def test_pictures_are_the_pages_charts_as_files_of_their_own(drawn: tuple[Any, Report]) -> None:
    page, pictures = drawn[1]
    assert list(pictures) == ["predicted_against_actual", "residuals", "feature_importance"]
    for picture in pictures.values():
        svg = ET.fromstring(picture)
        assert svg.tag == "{http://www.w3.org/2000/svg}svg"
        colours = dict(re.findall(r"--(\w+): (#\w+)", svg.attrib["style"]))
        assert colours.keys() == set(re.findall(r"var\(--(\w+)\)", picture))
        assert picture[picture.index("role=") :] in page
