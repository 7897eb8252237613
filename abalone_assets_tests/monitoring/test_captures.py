"""Captured requests, read back as rows."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from abalone_assets.monitoring.captures import Captures
from abalone_assets.serving.capture import CapturedRequest
from abalone_assets.serving.refusals import RefusedRequest
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import FEATURES
from abalone_assets_tests.monitoring.support import ANIMAL, record, refused

DAY = date(2025, 3, 3)
KEY = "abalone/AllTraffic/2025/03/03/10/29-27-123.jsonl"


@pytest.fixture
def captures(tmp_path: Path) -> Captures:
    return Captures(ObjectStore(tmp_path), "abalone")


def rows(captures: Captures, *lines: str) -> list[dict[str, Any]]:
    """The rows of a capture file of these lines."""
    captures.store.write(KEY, "".join(line + "\n" for line in lines).encode())
    return captures.read([KEY]).to_dicts()


def test_reads_a_record_as_sagemaker_documents_it(captures: Captures) -> None:
    (row,) = rows(captures, record())
    assert row == {
        "event_id": "feca1ab1-8025-47e3-8f6a-99e3fdd7b8d9",
        "row": 1,
        "asked_at": datetime(2025, 3, 3, 10, tzinfo=UTC),
        "model_version": None,
        "inference_id": None,
        "sex": "M",
        "length": 0.455,
        "diameter": 0.365,
        "height": 0.095,
        "whole_weight": 0.514,
        "shucked_weight": 0.2245,
        "viscera_weight": 0.101,
        "shell_weight": 0.15,
        "rings": 9.5,
        "rings_low": None,
        "rings_high": None,
        "problem": None,
        "source_file": KEY,
        "line": 1,
    }


DOCUMENTED = {
    "captureData": {
        "endpointInput": {
            "observedContentType": "text/csv",
            "mode": "INPUT",
            "data": f"{ANIMAL}\n",
            "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "text/csv; charset=utf-8",
            "mode": "OUTPUT",
            "data": "9.5",
            "encoding": "CSV",
        },
    },
    "eventMetadata": {
        "eventId": "feca1ab1-8025-47e3-8f6a-99e3fdd7b8d9",
        "inferenceTime": "2019-11-20T23:33:12Z",
    },
    "eventVersion": "0",
}
"""The example and the class structure of the SageMaker developer guide, "Preprocessing and
Postprocessing" of Model Monitor, with an abalone in place of its numbers. What a caller gives as
custom attributes is a list of one text there, in AWS's own notebooks JSON; Base64 is what bodies
are captured in whose type the endpoint's configuration does not name."""


def documented(encoding: str, **about: object) -> str:
    """That record, its bodies in an encoding, and more about the event."""
    document = json.loads(json.dumps(DOCUMENTED))
    document["eventMetadata"] |= about
    asked, answered = document["captureData"].values()
    if encoding == "JSON":
        asked |= {
            "observedContentType": "application/json",
            "data": json.dumps({"instances": [ANIMAL.split(",")]}),
        }
        answered |= {
            "observedContentType": "application/json",
            "data": json.dumps({"predictions": [{"rings": 9.5, "age_years": 11.0}]}),
        }
    for side in (asked, answered):
        side["encoding"] = encoding
        if encoding == "BASE64":
            side["data"] = base64.b64encode(side["data"].encode()).decode()
    return json.dumps(document)


@pytest.mark.parametrize("encoding", ["CSV", "JSON", "BASE64"])
def test_a_documented_record_has_the_columns_of_the_servers_own(
    captures: Captures, encoding: str
) -> None:
    own = CapturedRequest(
        "text/csv",
        ANIMAL.encode(),
        "text/csv",
        b"9.5\n",
        model_version=3,
        time=datetime(2019, 11, 20, 23, 33, 12, tzinfo=UTC),
        event_id="feca1ab1-8025-47e3-8f6a-99e3fdd7b8d9",
    ).to_json_line()
    sagemaker, ours = rows(captures, documented(encoding), own)
    assert sagemaker | {"line": 2, "model_version": 3} == ours


def test_what_a_caller_says_of_itself_in_sagemaker_is_no_model_version(captures: Captures) -> None:
    said = ['{"transactionId": "001", "model_version": 7}']
    (row,) = rows(captures, documented("CSV", customAttributes=said, inferenceId="mine"))
    assert (row["model_version"], row["inference_id"], row["problem"]) == (None, "mine", None)


def test_reads_what_this_projects_server_writes(captures: Captures) -> None:
    answer = {
        "predictions": [
            {"rings": 9.5, "age_years": 11.0, "rings_low": 7.5, "rings_high": 12.0},
            {"rings": 8.5, "age_years": 10.0},
        ]
    }
    asked = {"instances": [ANIMAL.split(","), ["F", *map(float, ANIMAL.split(",")[1:])]]}
    line = CapturedRequest(
        "application/json",
        json.dumps(asked).encode(),
        "application/json",
        json.dumps(answer).encode(),
        model_version=3,
        inference_id="mine",
    ).to_json_line()
    first, second = rows(captures, line)
    assert [first[name] for name in ("row", "sex", "rings", "rings_low", "rings_high")] == [
        *(1, "M", 9.5, 7.5, 12.0)
    ]
    assert [second[name] for name in ("row", "sex", "rings", "rings_low")] == [2, "F", 8.5, None]
    assert {row["model_version"] for row in (first, second)} == {3}
    assert {row["inference_id"] for row in (first, second)} == {"mine"}


def test_animals_that_were_asked_about_in_mm_and_g_are_kept_in_the_units_of_a_survey(
    captures: Captures,
) -> None:
    line = record("M,91,73,19,102.8,44.9,20.2,30", asked_in="text/csv; units=mm-g")
    (row,) = rows(captures, line)
    assert [str(row[name]) for name in FEATURES] == ANIMAL.split(",")


def test_reads_bodies_in_base64(captures: Captures) -> None:
    line = record(base64.b64encode(ANIMAL.encode()).decode(), encoding="BASE64")
    assert rows(captures, line)[0]["length"] == 0.455


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not JSON"),
        ("{}", "no captured request"),
        ("[]", "no captured request"),
        ("1", "no captured request"),
        (record(time="yesterday"), "no captured request"),
        (record(time="2025-03-03T10:00:00"), "no captured request"),
        (record("M,1"), "outside the contract (row): row 1"),
        (record("X" + ANIMAL[1:]), "outside the contract (sex): row 1, column sex"),
        (record("not base64", encoding="BASE64"), "endpointInput cannot be read"),
        (record(asked_in="image/png"), "outside the contract (content type)"),
        (refused(reason="length"), "outside the contract (length): refused with 400"),
        (refused(reason="<b>markup</b>"), "outside the contract (unknown): refused with 400"),
        (refused(reason=None), "outside the contract (unknown)"),
        ('{"refusal": {"reason": "sex"}}', "no captured request"),
        (record(answer="none"), "holds no predictions"),
        (record(answer="nan"), "holds no predictions"),
        (record(answer="[]", answered_in="application/json"), "holds no predictions"),
        (record(answer="9\n8"), "1 animals have 2 answers"),
        (record(answer=""), "1 animals have 0 answers"),
    ],
)
def test_a_line_without_animals_is_a_row_that_says_why(
    captures: Captures, line: str, problem: str
) -> None:
    bad, good = rows(captures, line, record())
    assert problem in bad["problem"]
    assert (bad["line"], bad["length"], bad["rings"]) == (1, None, None)
    assert (good["line"], good["problem"]) == (2, None)


def test_a_refused_request_is_known_by_its_time_its_version_and_its_callers_id(
    captures: Captures,
) -> None:
    line = RefusedRequest.of(
        "sex", 400, content_type="text/csv", length=7, model_version=3, inference_id="mine"
    ).to_json_line()
    (row,) = rows(captures, line)
    assert (row["model_version"], row["inference_id"], row["rings"]) == (3, "mine", None)
    assert row["problem"] == "the request is outside the contract (sex): refused with 400"
    assert row["asked_at"] is not None


def test_finds_the_files_of_each_day_and_nothing_else(captures: Captures) -> None:
    for key in (
        KEY,
        "abalone/AllTraffic/2025/03/03/23/a.jsonl",
        "abalone/AllTraffic/2025/03/04/00/a.jsonl",
        "abalone/AllTraffic/2025/02/30/00/a.jsonl",
        "abalone/AllTraffic/2025/03/04/00/a.tmp",
        "abalone/AllTraffic/readme.jsonl",
        "other/AllTraffic/2025/03/03/10/a.jsonl",
    ):
        captures.store.write(key, b"")
    assert captures.files_by_day() == {DAY: 2, date(2025, 3, 4): 1}
    assert captures.files_of(DAY) == [KEY, "abalone/AllTraffic/2025/03/03/23/a.jsonl"]
    captures.delete(captures.files_of(DAY))
    assert captures.files_by_day() == {date(2025, 3, 4): 1}


def test_an_endpoint_that_was_never_asked_has_no_days(captures: Captures) -> None:
    assert captures.files_by_day() == {}
    assert captures.read([]).is_empty()
