"""What is told of the model that answers: its version, how good it is, and what it learnt from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from abalone_assets.errors import ModelArchiveError, StorageError
from abalone_assets.lake.reports import PAGE_PATH
from abalone_assets.modeling.known_animals import KnownAnimals

if TYPE_CHECKING:
    from abalone_assets.lake.reports import Reports
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
        model_sha256: Its digest, by which there may be a report on it; not told.
        report: The path of the report on it, where there is one.
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
    model_sha256: str | None = None
    report: str | None = None
    usual_error: float | None = None
    known: KnownAnimals | None = None

    def document(self) -> dict[str, Any]:
        """As JSON; ``known_rings`` has for each sex how many known animals had 1, 2, … rings."""
        hidden = {"known", "model_sha256"}
        told = {name: value for name, value in vars(self).items() if name not in hidden}
        rings = None if self.known is None else dict(self.known.rings)
        return {**told, "known_rings": rings}


def facts_of(model: LiveModel, registry: ModelRegistry) -> ModelFacts:
    """What is known of a model but its report; what its record or card does not tell is None.

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
    return ModelFacts(
        model.version,
        trained_at=None if card is None else card.created_at,
        rmse=evaluation.get("rmse"),
        rmse_low=low,
        rmse_high=high,
        test_animals=evaluation.get("rows"),
        wanted_coverage=interval.get("wanted"),
        coverage=interval.get("coverage"),
        model_sha256=evaluation.get("model_sha256"),
        usual_error=out_of_fold.get("rmse"),
        known=_known(card),
    )


def with_report(facts: ModelFacts, reports: Reports | None) -> ModelFacts:
    """The facts with the report, if there is one now: it comes after its version, and may go.

    A lake that does not answer is no reason to hold back an age.
    """
    if reports is None or facts.model_sha256 is None:
        return facts
    try:
        has_one = reports.has(facts.model_sha256)
    except StorageError:
        return facts
    return replace(facts, report=f"{PAGE_PATH}/{facts.model_sha256}") if has_one else facts


def _known(card: ModelCard | None) -> KnownAnimals | None:
    if card is None or card.known_animals is None:
        return None
    try:
        return KnownAnimals.from_document(card.known_animals)
    except ModelArchiveError:
        return None
