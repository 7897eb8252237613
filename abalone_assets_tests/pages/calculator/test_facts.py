"""What is told of models whose archive or record is of an older release, or damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from abalone_assets.pages.calculator.answers import answer_of
from abalone_assets.pages.calculator.facts import ModelFacts, facts_of
from abalone_assets.pages.calculator.measured import Animal
from abalone_assets.survey.units import CONTRACT_UNITS
from abalone_assets_tests.modeling.support import card
from abalone_assets_tests.pages.calculator.test_doubts import KNOWN, VALUES
from abalone_assets_tests.serving.support import new_registry

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.modeling.card import ModelCard
    from abalone_assets.registry.folder import FolderRegistry

PREDICTED = {"rings": 2.0}


@dataclass(frozen=True)
class Model:
    """A model that nobody asks."""

    version: int
    card: ModelCard | None

    def invoke(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        raise NotImplementedError


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    """It knows version 1 by an evaluation that tells nothing."""
    registry = new_registry(tmp_path)
    registry.register(b"-", evaluation={}, decision={"approved": True}, release_digest="r")
    return registry


@pytest.mark.parametrize(
    "old", [None, card(), card(known_animals={"ranges": 7})], ids=["none", "older", "damaged"]
)
def test_a_card_that_does_not_tell_costs_the_standing_and_no_answer(
    registry: FolderRegistry, old: ModelCard | None
) -> None:
    facts = facts_of(Model(1, old), registry)
    answer = answer_of(PREDICTED, Animal(VALUES), CONTRACT_UNITS, facts)
    assert (answer["rings"], answer["age_years"]) == (2.0, 3.5)
    assert answer["standing"] is answer["model"]["known_rings"] is answer["model"]["rmse"] is None
    assert answer["warnings"] == []


def test_a_version_that_the_registry_lost_is_known_by_its_card(registry: FolderRegistry) -> None:
    told = card(known_animals=KNOWN.document(), out_of_fold={"rmse": 2.0})
    facts = facts_of(Model(9, told), registry)
    assert facts == ModelFacts(9, trained_at=told.created_at, usual_error=2.0, known=KNOWN)


def test_a_sex_of_which_no_animal_is_known_stands_nowhere() -> None:
    infant = Animal(("I", *VALUES[1:]))
    answer = answer_of(PREDICTED, infant, CONTRACT_UNITS, ModelFacts(1, known=KNOWN))
    assert answer["standing"] is None
    assert [each["rule"] for each in answer["warnings"]] == ["unknown_sex"]
