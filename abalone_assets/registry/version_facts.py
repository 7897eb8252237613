"""What people ask of a model version, in the words that a table has: from its record alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from abalone_assets.registry.provenance import known_provenance
from abalone_assets.registry.versions import MODEL_DIGEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.registry.versions import ModelVersion

DATA: Final = "data"
"""What a version's record tells of its data, by the names of `DataFacts`."""


@dataclass(frozen=True)
class DataFacts:
    """The data of a release; None where its version was registered before that was recorded.

    Attributes:
        rows: Rows of the base survey and all survey days.
        days: Survey days with rows.
        first_day: The first of them, an ISO date.
        last_day: The last.
    """

    rows: int | None = None
    days: int | None = None
    first_day: str | None = None
    last_day: str | None = None


@dataclass(frozen=True)
class VersionFacts:
    """A version at a glance; errors are in rings.

    Attributes:
        version: Its number.
        registered_at: When it was registered, ISO 8601 in UTC.
        digest: Of the data that it was trained on.
        data: That data.
        approved: Whether it may answer requests.
        status: By whose word, such as ``approved by the gate``.
        reason: That word in a sentence.
        in_short: It in a line.
        gate: What the gate said.
        decided_by_people: What people said since, oldest first, a sentence each.
        rmse: On its test rows.
        rmse_low: Lower end of its 95 % interval; None in old records, like the upper end.
        rmse_high: The upper end.
        test_rows: How many test rows there were.
        held_against: The champion that it was compared with, or None.
        model_sha256: The digest of the model's file, under which its report is kept.
        framework: What trained it; None in old records, like what follows, and empty mappings.
        code: The version of the code, such as ``0.1.0, commit 1a2b3c4d5e with changes``.
        libraries: Versions of what it was trained with, by name.
        hyperparameters: All of them, the seed among them.
        run_id: The Dagster run that trained it.
        base_survey: Where the base survey came from, or what stood in for it.
        base_survey_sha256: Of its file.
    """

    version: int
    registered_at: str
    digest: str
    data: DataFacts
    approved: bool
    status: str
    reason: str
    in_short: str
    gate: str
    decided_by_people: tuple[str, ...]
    rmse: float | None
    rmse_low: float | None
    rmse_high: float | None
    test_rows: int | None
    held_against: str | None
    model_sha256: str | None
    framework: str | None = None
    code: str | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    run_id: str | None = None
    base_survey: str | None = None
    base_survey_sha256: str | None = None

    @classmethod
    def of(cls, version: ModelVersion) -> Self:
        """The facts of a version."""
        evaluation = version.evaluation
        low, high = _mapping(evaluation.get("confidence")).get("rmse") or (None, None)
        champion = _mapping(evaluation.get("champion")).get("version")
        digest = evaluation.get(MODEL_DIGEST)
        known = _mapping(evaluation.get(DATA))
        made = known_provenance(version)
        base = made.inputs.raw if made and made.inputs else None
        return cls(
            version=version.version,
            registered_at=version.created_at,
            digest=version.release_digest,
            data=DataFacts(**{name: known.get(name) for name in DataFacts.__annotations__}),
            approved=version.approved,
            status=version.status,
            reason=version.reason,
            in_short=version.in_short,
            gate=str(version.decision.get("reason", "")),
            decided_by_people=tuple(map(str, version.overrides)),
            rmse=evaluation.get("rmse"),
            rmse_low=low,
            rmse_high=high,
            test_rows=evaluation.get("rows"),
            held_against=None if champion is None else str(champion),
            model_sha256=None if digest is None else str(digest),
            framework=made.framework if made else None,
            code=str(made.code) if made else None,
            libraries=dict(made.libraries) if made else {},
            hyperparameters=dict(made.hyperparameters) if made else {},
            run_id=made.run_id if made else None,
            base_survey=base.source if base else None,
            base_survey_sha256=base.digest if base else None,
        )

    def to_document(self) -> dict[str, Any]:
        """The facts as a JSON document."""
        return asdict(self)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
