"""What is told of the model that answers: its version, how good it is, and what it learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from abalone_assets.errors import ModelArchiveError, StorageError
from abalone_assets.lake.reports import PAGE_PATH
from abalone_assets.modeling.known_animals import KnownAnimals

if TYPE_CHECKING:
    from abalone_assets.modeling.card import ModelCard
    from abalone_assets.registry.registry import ModelRegistry


class LiveModel(Protocol):
    """A model that answers requests."""

    @property
    def version(self) -> int:
        """Its number in the registry."""

    @property
    def card(self) -> ModelCard | None:
        """Where it comes from; None when its archive does not tell."""

    def invoke(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """The answer to a request, and its type."""


@dataclass(frozen=True)
class ModelFacts:
    """What is told of a model; errors are in rings, on animals that it had not learnt from.

    Attributes:
        version: Its number.
        trained_at: ISO 8601, UTC.
        rmse: On the test split.
        rmse_low: Where the RMSE lies with 95 % confidence: at least this.
        rmse_high: At most this.
        test_animals: How many animals judged it.
        wanted_coverage: The share of animals that its intervals are to hold.
        coverage: The share that they did hold.
        report: The path of the report on it.
        usual_error: Its recipe's out-of-fold RMSE.
        known: What it knows of animals.
    """

    version: int
    trained_at: str | None = None
    rmse: float | None = None
    rmse_low: float | None = None
    rmse_high: float | None = None
    test_animals: int | None = None
    wanted_coverage: float | None = None
    coverage: float | None = None
    report: str | None = None
    usual_error: float | None = None
    known: KnownAnimals | None = None

    def document(self) -> dict[str, Any]:
        """As JSON; ``known_rings`` has for each sex how many known animals had 1, 2, … rings."""
        told = {name: value for name, value in vars(self).items() if name != "known"}
        rings = None if self.known is None else dict(self.known.rings)
        return {**told, "known_rings": rings}


def facts_of(model: LiveModel, registry: ModelRegistry) -> ModelFacts:
    """What is known of a model; what its record or its card does not tell is None.

    Records of older releases tell less, and a registry that does not answer is no reason to hold
    back an age.
    """
    card = model.card
    out_of_fold = (card and card.out_of_fold) or {}
    try:
        evaluation = registry.get(model.version).evaluation
    except StorageError:
        evaluation = {}
    interval = evaluation.get("prediction_interval") or {}
    low, high = (evaluation.get("confidence") or {}).get("rmse") or (None, None)
    digest = evaluation.get("model_sha256")
    return ModelFacts(
        model.version,
        trained_at=None if card is None else card.created_at,
        rmse=evaluation.get("rmse"),
        rmse_low=low,
        rmse_high=high,
        test_animals=evaluation.get("rows"),
        wanted_coverage=interval.get("wanted"),
        coverage=interval.get("coverage"),
        report=None if digest is None else f"{PAGE_PATH}/{digest}",
        usual_error=out_of_fold.get("rmse"),
        known=_known(card),
    )


def _known(card: ModelCard | None) -> KnownAnimals | None:
    if card is None or card.known_animals is None:
        return None
    try:
        return KnownAnimals.from_document(card.known_animals)
    except ModelArchiveError:
        return None
