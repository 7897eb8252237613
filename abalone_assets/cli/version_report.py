"""What `abalone versions VERSION` knows: which data, code and settings made a version."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from abalone_assets.errors import StorageError, counted
from abalone_assets.lake.lake import Lake
from abalone_assets.provenance.learnt import Learnt
from abalone_assets.registry.open import open_registry
from abalone_assets.registry.provenance import listed, provenance_of
from abalone_assets.registry.version_facts import VersionFacts
from abalone_assets.serving.live_version import live_version

if TYPE_CHECKING:
    from abalone_assets.registry.provenance import Provenance
    from abalone_assets.settings.platform import Settings


@dataclass(frozen=True)
class LearntFile:
    """A survey file whose rows a version learnt from, as it was then."""

    name: str
    day: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class VersionReport:
    """All that is known of one version.

    Attributes:
        facts: What the page of it shows, too.
        live: Whether the endpoint was asked to serve it.
        files: The survey files that it learnt from.
        machine: Where it was trained, by name.
        unknown: What cannot be told of its data, and why; None when all can.
    """

    facts: VersionFacts
    live: bool
    files: list[LearntFile]
    machine: dict[str, str]
    unknown: str | None

    @classmethod
    def of(cls, settings: Settings, number: int) -> Self:
        """Ask registry and lake.

        Raises:
            UnknownVersionError: There is no such version.
            StorageError: Lake or registry cannot be read, or the version's record is damaged.
        """
        version = open_registry(settings).get(number)
        made = provenance_of(version)
        files, unknown = _files(settings, made)
        return cls(
            facts=VersionFacts.of(version),
            live=live_version(settings) == number,
            files=files,
            machine=dict(made.machine) if made else {},
            unknown=unknown,
        )

    def lines(self) -> list[tuple[str, str]]:
        """Names and values, for people; nothing of what is not recorded."""
        facts = self.facts
        said = [
            ("Version", f"{facts.version}{', live' if self.live else ''}: {facts.in_short}"),
            ("Registered", f"{facts.registered_at[:19].replace('T', ' ')} UTC"),
            ("RMSE", self._rmse()),
            ("Data", self._data()),
            ("Data digest", facts.digest),
            ("Base survey", self._base()),
            ("Code", facts.code or ""),
            ("Framework", facts.framework or ""),
            ("Settings", listed(facts.hyperparameters)),
            ("Libraries", listed(facts.libraries)),
            ("Machine", listed(self.machine)),
            ("Dagster run", facts.run_id or ""),
            ("The gate", facts.gate),
            *(("A person", told) for told in facts.decided_by_people),
            ("Not known", self.unknown or ""),
        ]
        return [(name, value) for name, value in said if value]

    def _rmse(self) -> str:
        facts = self.facts
        if facts.rmse is None:
            return ""
        ends = ""
        if facts.rmse_low is not None and facts.rmse_high is not None:
            ends = f" ({facts.rmse_low:.2f} to {facts.rmse_high:.2f} with 95 % confidence)"
        rows = "" if facts.test_rows is None else f" on {counted(facts.test_rows, 'test row')}"
        return f"{facts.rmse:.3f} rings{ends}{rows}"

    def _data(self) -> str:
        data = self.facts.data
        if data.rows is None or data.days is None:
            return ""
        days = f" and {counted(data.days, 'survey day')}, {data.first_day} to {data.last_day}"
        return f"{counted(data.rows, 'row')} of the base survey{days if data.days else ''}"

    def _base(self) -> str:
        uri, digest = self.facts.base_survey, self.facts.base_survey_sha256
        return "" if uri is None else f"{uri}, SHA-256 {digest}"

    def next_step(self) -> str:
        """What answers the next question."""
        number, other = self.facts.version, self.facts.held_against
        said = f"`abalone reproduce {number}` makes it again"
        return f"{said}, `abalone diff {other} {number}` says what differs" if other else said

    def to_document(self) -> dict[str, Any]:
        """The report as a JSON document."""
        return {
            **self.facts.to_document(),
            "live": self.live,
            "machine": self.machine,
            "files": [asdict(file) for file in self.files],
            "unknown": self.unknown,
        }


def _files(settings: Settings, made: Provenance | None) -> tuple[list[LearntFile], str | None]:
    if made is None or made.inputs is None:
        return [], "its survey files: it was registered before they were recorded"
    try:
        learnt = Learnt.of(Lake(settings.lake_uri), made.inputs)
    except StorageError as error:
        return [], f"its survey files: {error}"
    files = [LearntFile(name, day, file.rows, file.sha256)
             for name, (day, file) in sorted(learnt.files.items())]  # fmt: skip
    return files, None
