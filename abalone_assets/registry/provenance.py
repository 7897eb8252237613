"""Where a model version comes from: which data, code, settings, libraries and machine made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import AfterValidator

from abalone_assets.errors import StorageError
from abalone_assets.lake.kept_inputs import Inputs
from abalone_assets.registry.code_version import CodeVersion
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from abalone_assets.lake.preparation import Preparation
    from abalone_assets.modeling.card import ModelCard
    from abalone_assets.registry.versions import ModelVersion

PROVENANCE: Final = "provenance"
"""What a version's record tells of where it comes from, in its evaluation."""


def _with_zone(time: str) -> str:
    if datetime.fromisoformat(time).tzinfo is None:
        raise ValueError("a time without its zone")
    return time


@dataclass(frozen=True)
class Provenance:
    """Where a version comes from.

    Attributes:
        run_id: The Dagster run that trained it.
        code: What made it.
        framework: What trained.
        hyperparameters: All, the seed among them.
        libraries: The versions that its training ran with, Python's among them, by name.
        machine: Where it was trained, by name; as far as a job elsewhere tells.
        created_at: The model's time of birth, which its archive holds: ISO 8601, UTC.
        engine: What prepared its rows; empty where that is not recorded.
        inputs: What its release was made from; None where that is not recorded.
    """

    run_id: str
    code: CodeVersion
    framework: str
    hyperparameters: Mapping[str, Any]
    libraries: Mapping[str, str]
    machine: Mapping[str, str]
    created_at: Annotated[str, AfterValidator(_with_zone)]
    engine: str = ""
    inputs: Inputs | None = None

    @classmethod
    def of(
        cls,
        card: ModelCard,
        preparation: Preparation,
        inputs: Inputs | None,
        *,
        code: CodeVersion,
        machine: Mapping[str, str],
        run_id: str,
    ) -> Self:
        """That of a model trained just now; inputs of another release are not its own."""
        return cls(
            run_id=run_id,
            code=code,
            framework=card.framework,
            hyperparameters=card.hyperparameters,
            libraries=card.versions,
            machine=machine,
            created_at=card.created_at,
            engine=preparation.engine,
            inputs=inputs if inputs and inputs.digest == preparation.digest else None,
        )

    @property
    def born(self) -> int:
        """The model's time of birth in seconds since 1970."""
        return int(datetime.fromisoformat(self.created_at).timestamp())

    def to_document(self) -> dict[str, Any]:
        """As a JSON document."""
        return asdict(self)

    def facts(self) -> dict[str, str]:
        """What is asked of it first, as text by name: for tools that hold no more than that.

        Hyperparameters are not among them: such tools have a place of their own for these.
        """
        raw = self.inputs.raw if self.inputs else None
        facts = {
            "dagster_run_id": self.run_id,
            "trained_at": self.created_at,
            "framework": self.framework,
            "code": str(self.code),
            "code_sha256": self.code.sha256,
            "code_commit": self.code.commit,
            "libraries": listed(self.libraries),
            "machine": listed(self.machine),
            "prepared_by": self.engine,
            "base_survey": raw.source if raw else None,
            "base_survey_sha256": raw.digest if raw else None,
        }
        return {name: fact for name, fact in facts.items() if fact}


def listed(values: Mapping[str, object]) -> str:
    """Names and values in a line."""
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items()))


def provenance_of(version: ModelVersion) -> Provenance | None:
    """Where a version comes from; None when it was registered before that was recorded.

    Raises:
        StorageError: Its record is damaged.
    """
    place = f"the record of version {version.version}"
    return provenance_in(version.evaluation, place)


def known_provenance(version: ModelVersion) -> Provenance | None:
    """Where a version comes from, as far as that can be read; whoever must know says what is wrong.

    For what shows a version beside much else: a damaged record costs that alone.
    """
    try:
        return provenance_of(version)
    except StorageError:
        return None


def provenance_in(document: Mapping[str, Any], place: str) -> Provenance | None:
    """What an evaluation, or the record of a training, says of it; None when it does not.

    Raises:
        StorageError: It is damaged.
    """
    found = document.get(PROVENANCE)
    if found is None:
        return None
    return record_of(Provenance, found, place, remedy="restore it from a copy")
