"""The pages of model versions."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from anyio import CapacityLimiter

from abalone_assets.errors import StorageError
from abalone_assets.lake.reports import Reports
from abalone_assets.pages.models import page
from abalone_assets.pages.models.page import SHOWN_VERSIONS, WAITING_COMPARISONS
from abalone_assets.pages.models.words import verdict
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets_tests.pages.support import Site
from abalone_assets_tests.registry.compared import SIZES, register_two, write_splits
from abalone_assets_tests.registry.test_provenance import MADE

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.modeling.evaluation.paired import Comparison

MARKUP = "<b>bold</b>"
SLICE = {"value": "M", "rows": 90, "rmse": 2.3, "rmse_low": 2.0, "rmse_high": 2.6, "bias": -0.12}


@pytest.fixture
def site(home: Path) -> Site:
    return Site.of(home)


def register(site: Site, number: int = 1, *, approved: bool = True, **evaluation: Any) -> None:
    known = {"rmse": 2.1, "rows": 209, "model_sha256": f"{number:064x}", **evaluation}
    decision = {"approved": approved, "reason": f"{MARKUP} said the gate."}
    site.registry.register(
        b"%d" % number, evaluation=known, decision=decision, release_digest=f"d{number}"
    )


def test_versions_stand_side_by_side_with_their_data_errors_and_decisions(site: Site) -> None:
    data = {"rows": 4300, "days": 12, "first_day": "2025-03-14", "last_day": "2025-04-01"}
    register(site, 1, confidence={"rmse": [1.9, 2.3]}, data=data)
    register(site, 2, approved=False)
    site.registry.approve(2, because=f"{MARKUP} too", by="ana")
    publish_pointer(site.registry.store, "abalone", 1)
    Reports(site.lake.store).keep(f"{1:064x}", b"page")
    text = site.text("/models")
    second, first = text.index("version 2</a>"), text.index("version 1</a>")
    assert second < first
    assert "approved by ana" in text[second:first]
    assert "live" not in text[second:first]
    assert ">live<" in text[first:]
    assert "4,300 rows, 12 survey days" in text[first:]
    assert "(1.90 to 2.30)" in text[first:]
    assert f'href="/reports/{1:064x}"' in text
    assert f"/reports/{2:064x}" not in text
    assert "not recorded" in text[second:first]
    assert MARKUP not in text
    assert "&lt;b&gt;bold&lt;/b&gt; too" in text


def test_without_versions_it_says_how_to_get_one(site: Site) -> None:
    text = site.text("/models")
    assert "There is none yet" in text
    assert "Compare" not in text


def test_many_versions_are_cut_into_pages(site: Site) -> None:
    for number in range(1, SHOWN_VERSIONS + 3):
        register(site, number)
    newest = site.text("/models")
    assert 'href="/models?before=3"' in newest
    assert "version 2</a>" not in newest
    oldest = site.text("/models?before=3")
    assert "version 2</a>" in oldest
    assert "version 3</a>" not in oldest
    assert "Older" not in oldest


def test_a_version_has_a_page_with_its_errors_by_sex_and_age(site: Site) -> None:
    register(site, 1, slices={"sex": [SLICE], "age_band": [{**SLICE, "value": "6-10 rings"}]})
    register(site, 2, champion={"version": "1"})
    text = site.text("/models/1")
    assert '<th scope="row" role="rowheader">males</th>' in text
    assert "6-10 rings" in text
    assert "-0.12" in text
    assert '<code class="digest">d1</code>' in text
    held = site.text("/models/2")
    assert '<dd><a href="/models/1">version 1</a></dd>' in held
    assert 'name="other" inputmode="numeric" pattern="[0-9]+" required value="1"' in held


def test_a_versions_page_has_the_gates_sentence_once_and_above_it_a_line(site: Site) -> None:
    sentence = "Approved: " + "on rows that neither had learnt from, " * 9
    site.registry.register(
        b"1",
        evaluation={"rmse": 2.1, "rows": 209},
        decision={"approved": True, "reason": sentence, "rule": "first_model"},
        release_digest="d1",
    )
    text = site.text("/models/1")
    assert text.count(sentence) == 1
    assert "Approved: held against no other, RMSE 2.100 on 209 test rows." in text


def test_a_versions_page_says_from_what_it_was_made_and_how_to_make_it_again(site: Site) -> None:
    register(site, 1, provenance=MADE.to_document())
    register(site, 2, provenance=MADE.to_document(), champion={"version": "1"})
    first, second = site.text("/models/1"), site.text("/models/2")
    assert "<dd>eta 0.1, seed 7</dd>" in first
    assert f'<dd><code class="digest">{MADE.run_id}</code></dd>' in first
    assert '<dt>base survey</dt><dd>u<br><code class="digest">r</code>' in first
    assert "<code>abalone reproduce 2</code>" in second
    assert "<code>abalone diff 1 2</code>" in second
    assert "abalone diff 1" not in first
    assert "reproduce" not in site.text("/models")


@pytest.mark.parametrize("path", ["/models/9", "/models/x", "/models/-1", "/models/²"])
def test_a_version_that_is_not_there_is_a_page_that_says_so(site: Site, path: str) -> None:
    response = site.get(path)
    assert response.status_code == 404
    assert "<h1>Not Found</h1>" in response.text


def test_nothing_is_decided_on_the_page(site: Site) -> None:
    register(site, 1)
    for path in ("/models", "/models/1", "/models/compare?one=1&other=2"):
        assert site.client.post(path).status_code == 405
        assert 'method="post"' not in site.get(path).text


def test_two_versions_are_compared_and_the_result_is_remembered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_splits(site.lake)
    register_two(site.registry)
    text = site.text("/models/compare?one=1&other=2")
    assert "Version 2 is better, by" in text
    assert text.count('role="rowheader"') > 9
    assert "test rows alone" in text
    assert "test rows, mean absolute error" in text
    assert "males" in text
    with monkeypatch.context() as patched:
        compare = "abalone_assets.pages.models.page.compare_versions"
        patched.setattr(compare, lambda *_: pytest.fail("compared again"))
        assert "Version 2 is better, by" in site.text("/models/compare?one=2&other=1")
    site.lake.store.delete(site.lake.key("test_split"))
    assert site.get("/models/compare?one=2&other=1").status_code == 409


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ("one=1&other=1", 409, "with itself"),
        ("one=1&other=7", 409, "no model version 7"),
        ("one=1&other=x", 400, "no number"),
        ("one=1&other=²", 400, "no number"),
        ("one=1&other=99999999999999999999", 400, "no number"),
        ("one=1", 200, "Compare"),
        ("", 200, "Compare"),
    ],
)
def test_what_cannot_be_compared_is_told(site: Site, query: str, status: int, reason: str) -> None:
    register(site, 1)
    response = site.get(f"/models/compare?{query}")
    assert response.status_code == status
    assert reason in response.text


def compared(low: float, high: float) -> Comparison:
    return {
        "value": "overall",
        "rows": 9,
        "rmse": 2.0,
        "champion_rmse": 2.0,
        "difference": (low + high) / 2,
        "low": low,
        "high": high,
    }


@pytest.mark.parametrize(
    ("low", "high", "kind", "words"),
    [
        (-0.3, -0.1, "good", "Version 4 is better, by 0.200"),
        (0.1, 0.3, "bad", "Version 4 is worse, by 0.200"),
        (-0.1, 0.3, "", "do not tell"),
        (-0.1, 0.0, "", "do not tell"),
    ],
)
def test_a_verdict_goes_no_further_than_the_interval(
    low: float, high: float, kind: str, words: str
) -> None:
    found = verdict(compared(low, high), 4)
    assert found.kind == kind
    assert words in found.text


def test_few_may_wait_for_a_comparison(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may ask for one, and each had kept a thread and the splits in memory."""
    go_on, made = threading.Event(), []

    def limiter(tokens: int) -> CapacityLimiter:
        made.append(CapacityLimiter(tokens))
        return made[-1]

    def compared(*_: object) -> None:
        go_on.wait(60)
        raise StorageError("done")

    monkeypatch.setattr(page, "CapacityLimiter", limiter)
    monkeypatch.setattr(page, "compare_versions", compared)
    site = Site.of(home)
    write_splits(site.lake)
    with site.client as client, ThreadPoolExecutor(WAITING_COMPARISONS + 2) as pool:
        places = [f"/models/compare?one=1&other={n + 2}" for n in range(WAITING_COMPARISONS + 1)]
        asked = [pool.submit(client.get, place) for place in places]
        while made[0].statistics().tasks_waiting < WAITING_COMPARISONS:
            time.sleep(0.05)
        one_more = pool.submit(client.get, "/models/compare?one=1&other=99")
        try:
            assert one_more.result(20).status_code == 503
        finally:
            go_on.set()
        assert {each.result().status_code for each in asked} == {409}
        assert client.get("/models/compare?one=1&other=99").status_code == 409


def test_more_rows_than_the_server_has_memory_for_are_not_compared(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_splits(site.lake)
    register_two(site.registry)
    monkeypatch.setattr("abalone_assets.registry.comparison.MOST_ROWS", sum(SIZES.values()) - 1)
    response = site.get("/models/compare?one=1&other=2")
    assert response.status_code == 409
    assert "the splits have 600 rows" in response.text
