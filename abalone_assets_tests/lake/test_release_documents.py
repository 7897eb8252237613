"""What a release's assets hand on is checked where it is read, and older documents still are."""

from pathlib import Path

import pytest

from abalone_assets.errors import DamagedError
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.release_documents import NOT_SAID, ApprovedModel, EvaluatedModel

OLDER = {"model_uri": "m.tar.gz", "release_digest": "d", "metrics": {"rmse": 2}, "probes": []}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def test_where_nothing_was_written_there_is_none(lake: Lake) -> None:
    assert lake.document("evaluation", EvaluatedModel) is None


def test_a_document_of_an_older_release_does_not_say_which_version_was_desired(lake: Lake) -> None:
    lake.store.write_json("evaluation/data.json", OLDER)
    evaluated = lake.document("evaluation", EvaluatedModel)
    assert evaluated is not None
    assert evaluated.desired_version == NOT_SAID
    assert evaluated.metrics == {"rmse": 2}


def test_that_none_was_desired_is_another_thing(lake: Lake) -> None:
    lake.store.write_json("evaluation/data.json", {**OLDER, "desired_version": None})
    evaluated = lake.document("evaluation", EvaluatedModel)
    assert evaluated is not None
    assert evaluated.desired_version is None


def test_a_damaged_document_is_named_with_its_field_and_what_to_do(lake: Lake) -> None:
    lake.store.write_json("approved_model/data.json", {"version": "two", "release_digest": "d"})
    with pytest.raises(DamagedError, match=r"approved_model/data\.json: version: .*materialize"):
        lake.document("approved_model", ApprovedModel)


def test_an_archive_is_found_where_the_lake_is_now_whatever_folder_its_document_names(
    lake: Lake,
) -> None:
    here = lake.store.uri_of("trained_model/train-a/output/model.tar.gz")
    before = "/trained_model/home/lake/trained_model/train-a/output/model.tar.gz"
    assert lake.model_uri(here) == lake.model_uri(before) == here
    assert lake.model_uri("m.tar.gz") == "m.tar.gz"
