"""What makes two requests for a job the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets.pipes import _identity
from abalone_assets_tests.pipes.lab import asset_of, create_run, execute

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
"""A SageMaker job's name, as its API has it."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


class Asker:
    """Runs an asset that asks for an identity and does nothing with it."""

    def __init__(self, instance: dg.DagsterInstance, **spec: Any) -> None:
        self.instance = instance
        self.request: dict[str, Any] = {"a": 1, "b": 2}
        self.options: dict[str, Any] = {"prefix": None, "extras": {}, "inputs": ""}
        self.keys: list[str] = []
        self.asset = asset_of(self._ask, **spec)

    def _ask(self, context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        self.keys.append(_identity.identify(context, request=self.request, **self.options))
        return dg.MaterializeResult()

    def run(self, parent: dg.DagsterRun | None = None, **tags: str) -> dg.DagsterRun:
        run = create_run(self.instance, self.asset, parent, **tags)
        assert execute(self.instance, self.asset, run).is_success
        return run


@pytest.mark.parametrize(
    "tags", [{"retry_number": "1"}, {"is_resume_retry": "true"}, {"is_asset_resume_retry": "true"}]
)
def test_a_retry_asks_for_the_same(instance: dg.DagsterInstance, tags: dict[str, str]) -> None:
    asker = Asker(instance)
    retry = asker.run(asker.run(), **tags)
    asker.request = {"b": 2, "a": 1}  # the same in another order
    asker.run(retry, **tags)
    assert len(set(asker.keys)) == 1


def test_what_a_person_runs_again_is_another_job_and_so_are_its_retries(
    instance: dg.DagsterInstance,
) -> None:
    asker = Asker(instance)
    first = asker.run()
    again = asker.run(first)
    retry = asker.run(again, retry_number="1")
    asker.run(retry, retry_number="2")
    assert asker.keys[0] not in asker.keys[1:]
    assert len(set(asker.keys[1:])) == 1


def test_the_retry_of_a_run_that_was_deleted_still_finds_its_job(
    instance: dg.DagsterInstance,
) -> None:
    asker = Asker(instance)
    first = asker.run()
    instance.delete_run(first.run_id)
    asker.run(first, retry_number="1")
    assert len(set(asker.keys)) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("request", {"a": 2}), ("extras", {"n": 1}), ("inputs", "digest"), ("prefix", "other")],
)
def test_a_retry_with_other_inputs_asks_for_another_job(
    instance: dg.DagsterInstance, name: str, value: Any
) -> None:
    asker = Asker(instance)
    first = asker.run()
    if name == "request":
        asker.request = value
    else:
        asker.options[name] = value
    asker.run(first, retry_number="1")
    assert len(set(asker.keys)) == 2


@pytest.mark.parametrize("prefix", ["x" * 100, "raw/abalone", "__", "été 1", "a" * 42 + "-b", None])
def test_names_are_valid_whatever_they_begin_with(
    instance: dg.DagsterInstance, prefix: str | None
) -> None:
    asker = Asker(instance, key_prefix=["survey", "v_1"])
    asker.options["prefix"] = prefix
    asker.run()
    name = f"{asker.keys[0]}-{_identity.MAX_ATTEMPTS}"
    assert NAME.fullmatch(name)
    assert prefix is not None or name.startswith("survey-v-1-model-")
