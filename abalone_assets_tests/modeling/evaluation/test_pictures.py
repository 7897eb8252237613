"""The pictures of a report as files."""

from xml.etree import ElementTree as ET

from abalone_assets.modeling.evaluation.evaluate import Evaluation, evaluate_model
from abalone_assets.modeling.evaluation.report import render_report
from abalone_assets.modeling.evaluation.report.pictures import pictures_of
from abalone_assets_tests.modeling.support import judged, small_splits


def test_each_chart_of_a_page_is_a_picture_of_its_own() -> None:
    candidate = judged()
    evaluation: Evaluation = evaluate_model(candidate, small_splits())
    page = render_report(evaluation, candidate).page
    pictures = pictures_of(page)
    assert len(pictures) == page.count("<figure>")
    assert {"predicted_and_counted_rings", "errors", "by_sex_and_by_age"} <= set(pictures)
    for picture in pictures.values():
        assert ET.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"


def test_a_page_without_charts_has_none() -> None:
    assert pictures_of("<figure><h3>Nothing</h3></figure>") == {}
