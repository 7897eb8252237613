from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from abalone_assets.errors import StorageError
from abalone_assets.lake.reports import Reports, report_key
from abalone_assets.pages.calculator import page
from abalone_assets.serving.app import build_app
from abalone_assets.serving.capture import DataCapture
from abalone_assets.serving.model_host import ModelHost
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey.columns import MEASUREMENTS
from abalone_assets_tests.pages.calculator.test_measured import MEASURED, SURVEYED
from abalone_assets_tests.pages.calculator.test_table import CANONICAL
from abalone_assets_tests.pages.calculator.test_table import MEASURED as LINES
from abalone_assets_tests.serving.support import ENDPOINT, new_registry, tiny_archive

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.registry.folder import FolderRegistry

EVALUATION = {
    "rmse": 2.1,
    "rows": 209,
    "model_sha256": "a" * 64,
    "confidence": {"rmse": [1.9, 2.4]},
    "prediction_interval": {"wanted": 0.9, "coverage": 0.91},
}
SURVEY_UNITS = {"units": "scaled-scaled"}


@pytest.fixture(scope="module")
def archives() -> list[bytes]:
    return [tiny_archive(1), tiny_archive(2), tiny_archive(3, calibrated=False)]


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    return new_registry(tmp_path)


@pytest.fixture
def host(registry: FolderRegistry) -> ModelHost:
    return ModelHost(registry, ENDPOINT)


@pytest.fixture
def capture(tmp_path: Path) -> DataCapture:
    return DataCapture(ObjectStore(tmp_path / "captured"), ENDPOINT)


@pytest.fixture
def reports(tmp_path: Path) -> Reports:
    return Reports(ObjectStore(tmp_path / "lake"))


@pytest.fixture
def client(host: ModelHost, capture: DataCapture, reports: Reports) -> TestClient:
    return TestClient(build_app(host, capture, reports=reports))


@pytest.fixture
def live(archives: list[bytes], host: ModelHost) -> ModelHost:
    """Version 1 answers; 2 and 3, which has no intervals, are registered."""
    for archive in archives:
        host.registry.register(
            archive,
            evaluation={**EVALUATION, "model_sha256": f"{len(host.registry.versions()):064}"},
            decision={"approved": True, "reason": "good", "rule": "first_model"},
            release_digest="r",
        )
    serve(host, 1)
    return host


def serve(host: ModelHost, version: int) -> None:
    publish_pointer(host.registry.store, ENDPOINT, version)
    host.refresh()


def captured(tmp_path: Path, capture: DataCapture) -> list[str]:
    capture.flush()
    return [
        json.loads(line)["captureData"]["endpointInput"]["data"]
        for file in sorted((tmp_path / "captured").rglob("*.jsonl"))
        for line in file.read_text().splitlines()
    ]


def test_the_page_has_a_label_for_each_measurement(client: TestClient) -> None:
    text = client.get("/").text
    for name in ("Length", "Whole weight", "Shell weight"):
        assert f">{name} <span" in text
    assert 'value="mm-g"' in text
    assert 'value="scaled-scaled"' in text
    assert "10,000 animals" in text


def test_an_animal_has_the_age_that_the_endpoint_tells(client: TestClient, live: ModelHost) -> None:
    answer = client.post("/age", json=MEASURED).json()
    asked = client.post(
        "/invocations",
        content=CANONICAL.splitlines()[0],
        headers={"Content-Type": "text/csv", "Accept": "application/json"},
    )
    (expected,) = asked.json()["predictions"]
    assert expected.items() <= answer.items()
    assert answer["age_low"] == pytest.approx(answer["rings_low"] + 1.5)
    assert answer["age_high"] == pytest.approx(answer["rings_high"] + 1.5)
    assert client.post("/age", json=SURVEYED | SURVEY_UNITS).json() == answer


def test_the_answer_says_of_what_model_it_is_and_how_good_that_is(
    client: TestClient, live: ModelHost
) -> None:
    model = client.post("/age", json=MEASURED).json()["model"]
    assert client.get("/age/model").json() == {"model": model, "waiting": None}
    assert (model["version"], model["rmse"], model["coverage"]) == (1, 2.1, 0.91)
    assert (model["rmse_low"], model["rmse_high"], model["test_animals"]) == (1.9, 2.4, 209)
    assert set(model["known_rings"]) == {"M", "F", "I"}


def test_the_answer_leads_to_the_report_as_long_as_there_is_one(
    client: TestClient, live: ModelHost, reports: Reports
) -> None:
    def told() -> list[str | None]:
        answers = (client.post("/age", json=MEASURED), client.post("/ages", content=LINES))
        return [each.json()["model"]["report"] for each in (*answers, client.get("/age/model"))]

    assert told() == [None] * 3
    reports.keep(f"{1:064}", b"of another model")
    assert told() == [None] * 3
    reports.keep(f"{0:064}", b"it is written after the model answers")
    assert told() == [f"/reports/{0:064}"] * 3
    reports.lake.delete(report_key(f"{0:064}"))
    assert told() == [None] * 3


def test_a_lake_that_does_not_answer_holds_back_no_age(
    client: TestClient, live: ModelHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Any:
        raise StorageError("gone")

    monkeypatch.setattr(Reports, "has", refuse)
    answer = client.post("/age", json=MEASURED).json()
    assert (answer["model"]["report"], answer["rings"] > 0) == (None, True)


def test_the_answer_says_where_the_animal_stands(client: TestClient, live: ModelHost) -> None:
    answer = client.post("/age", json=MEASURED).json()
    counts = answer["model"]["known_rings"]["M"]
    fewer = sum(count for rings, count in enumerate(counts, start=1) if rings < answer["rings"])
    standing = answer["standing"]
    assert (standing["sex"], standing["animals"]) == ("M", sum(counts))
    assert standing["younger"] == pytest.approx(fewer / sum(counts), abs=1e-4)
    assert 0 < standing["younger"] < 1


def test_the_next_answer_is_of_the_model_that_was_swapped_in(
    client: TestClient, live: ModelHost
) -> None:
    before = client.post("/age", json=MEASURED).json()
    serve(live, 2)
    after = client.post("/age", json=MEASURED).json()
    assert (before["model"]["version"], after["model"]["version"]) == (1, 2)
    assert before["rings"] != after["rings"]


def test_a_model_without_intervals_answers_without(client: TestClient, live: ModelHost) -> None:
    serve(live, 3)
    answer = client.post("/age", json=MEASURED).json()
    assert answer["rings_low"] is answer["age_high"] is None
    assert answer["age_years"] == pytest.approx(answer["rings"] + 1.5)


def test_an_odd_animal_is_answered_and_warned_of(client: TestClient, live: ModelHost) -> None:
    answer = client.post("/age", json=MEASURED | {"height": "65"}).json()
    warned = {(each["column"], each["rule"]) for each in answer["warnings"]}
    assert {("height", "height_outlier"), ("height", "outside")} <= warned


def test_a_wrong_field_is_named_and_no_model_is_asked(
    client: TestClient, live: ModelHost, tmp_path: Path, capture: DataCapture
) -> None:
    answer = client.post("/age", json=MEASURED | {"height": "tall", "sex": None})
    assert answer.status_code == 400
    assert [each["column"] for each in answer.json()["errors"]] == ["sex", "height"]
    assert answer.json()["Message"] == answer.json()["errors"][0]["message"]
    assert captured(tmp_path, capture) == []


def test_what_is_asked_is_captured_as_the_model_saw_it(
    client: TestClient, live: ModelHost, tmp_path: Path, capture: DataCapture
) -> None:
    client.post("/age", json=MEASURED)
    client.post("/ages", content=LINES)
    assert captured(tmp_path, capture) == [CANONICAL.splitlines(keepends=True)[0], CANONICAL]


def test_what_is_only_typed_is_checked_and_not_captured(
    client: TestClient, live: ModelHost, tmp_path: Path, capture: DataCapture
) -> None:
    half = client.post("/age/check", json={"length": "9x", "height": "19"}).json()
    rules = {each["column"]: each["rule"] for each in half["errors"]}
    assert (rules["length"], rules["diameter"]) == ("not_a_number", "missing")
    assert "height" not in rules
    whole = client.post("/age/check", json=MEASURED | {"height": "65"}).json()
    assert whole["errors"] == []
    assert "height_outlier" in {each["rule"] for each in whole["warnings"]}
    assert captured(tmp_path, capture) == []


def test_typing_is_checked_without_a_model_too(client: TestClient) -> None:
    answer = client.post("/age/check", json=MEASURED).json()
    assert answer == {"errors": [], "warnings": []}


def test_many_animals_have_their_ages_line_by_line(client: TestClient, live: ModelHost) -> None:
    answer = client.post("/ages", content=LINES + "M,91\n").json()
    one = client.post("/age", json=MEASURED).json()
    assert [each["line"] for each in answer["animals"]] == [1, 2]
    assert answer["animals"][0]["rings"] == one["rings"]
    assert answer["animals"][0]["whole_weight"] == "102.8"
    assert [each["line"] for each in answer["bad_lines"]] == [3]
    assert answer["model"]["version"] == 1
    assert [answer[each] for each in ("units", "length_unit", "weight_unit")] == ["mm-g", "mm", "g"]
    surveyed = client.post("/ages?units=scaled-scaled", content=CANONICAL).json()
    assert [each["rings"] for each in surveyed["animals"]] == [
        each["rings"] for each in answer["animals"]
    ]


def test_the_units_that_a_header_tells_are_told_with_the_ages(
    client: TestClient, live: ModelHost
) -> None:
    header = ",".join(f"{name} ({'g' if 'weight' in name else 'cm'})" for name in MEASUREMENTS)
    lines = f"sex,{header}\nM,9.1,7.3,1.9,102.8,44.9,20.2,30\n"
    answer = client.post("/ages", content=lines).json()
    assert [answer[each] for each in ("units", "length_unit", "weight_unit")] == ["cm-g", "cm", "g"]
    (mine,) = answer["animals"]
    assert mine["rings"] == client.post("/age", json=MEASURED).json()["rings"]


def test_lines_of_which_none_is_an_animal_are_all_told(client: TestClient, live: ModelHost) -> None:
    answer = client.post("/ages", content="M,91\n").json()
    assert (answer["animals"], len(answer["bad_lines"])) == ([], 1)


def test_a_text_in_other_units_is_refused_as_a_whole(client: TestClient, live: ModelHost) -> None:
    answer = client.post("/ages", content=CANONICAL)
    assert answer.status_code == 400
    assert "look like millimetres / 200" in answer.json()["Message"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "Invalid JSON"),
        ("[]", "should be an object"),
        ('{"colour": 1}', "colour: Extra inputs"),
        ('{"length": true}', "length: a number or a text is expected"),
        ('{"units": "ell-stone"}', "ell-stone"),
        ('{"units": "cm-kg"}', "say mm-g or scaled-scaled"),
        ('{"length": ' + "9" * 70_000 + "}", "exceeds 65536 bytes"),
    ],
)
def test_what_is_no_question_is_told_so(
    client: TestClient, live: ModelHost, document: str, said: str
) -> None:
    for path in ("/age", "/age/check"):
        answer = client.post(path, content=document)
        assert answer.status_code in {400, 413}
        assert said in answer.json()["Message"]


@pytest.mark.parametrize("number", ["NaN", "1e999", "-0.0", '"nan"', '"\uff11"'])
def test_numbers_that_are_none_are_refused(
    client: TestClient, live: ModelHost, number: str
) -> None:
    document = json.dumps(MEASURED | {"height": "?"}).replace('"?"', number)
    answer = client.post("/age", content=document)
    assert answer.status_code == 400
    assert [each["column"] for each in answer.json()["errors"]] == ["height"]


def test_a_table_that_is_too_large_is_refused(
    client: TestClient, live: ModelHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MAX_TABLE_BYTES", 40)
    answer = client.post("/ages", content=LINES)
    assert answer.status_code == 413


def test_without_a_model_it_is_said_what_it_waits_for(
    client: TestClient, host: ModelHost, registry: FolderRegistry
) -> None:
    told = client.get("/age/model").json()
    assert told["model"] is None
    assert "waits for its first deployment" in told["waiting"]
    for path, body in (("/age", json.dumps(MEASURED)), ("/ages", LINES)):
        answer = client.post(path, content=body)
        assert answer.status_code == 503
        assert answer.json()["Message"] == told["waiting"]
        assert answer.headers["x-amzn-ErrorType"] == "ServiceUnavailable"


def test_a_registry_that_does_not_answer_holds_back_no_age(
    client: TestClient, live: ModelHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Any:
        raise StorageError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(type(live.registry), "get", refuse)
        answer = client.post("/age", json=MEASURED).json()
    assert (answer["model"]["version"], answer["model"]["rmse"]) == (1, None)
    assert answer["rings"] > 0
    assert client.get("/age/model").json()["model"]["rmse"] == 2.1


def test_what_is_known_of_a_model_is_read_once(
    client: TestClient, live: ModelHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get("/age/model")
    with monkeypatch.context() as patched:
        patched.setattr(type(live.registry), "get", None)
        assert client.get("/age/model").json()["model"]["rmse"] == 2.1


def test_the_page_is_no_door_to_anything_else(client: TestClient) -> None:
    for path in ("/age", "/ages", "/age/check"):
        assert client.get(path).status_code == 405
    assert client.post("/age/model").status_code == 405
