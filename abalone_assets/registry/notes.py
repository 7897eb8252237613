"""What is told of a version to who looks at the registry with its own tools, not at Dagster."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ReleaseNotes:
    """What only the release knows of its version.

    Attributes:
        run_id: The Dagster run.
        data_uri: What the splits were made from.
        rows: Rows of the base survey and all survey days; None, like the days, when more was
            ingested since.
        days: How many survey days the release holds.
        first_day: The first of them, an ISO date; empty when there is none.
        last_day: The last.
    """

    run_id: str
    data_uri: str
    rows: int | None = None
    days: int | None = None
    first_day: str = ""
    last_day: str = ""

    def details(self) -> dict[str, str]:
        """What is known, by name."""
        known = {
            "dagster_run_id": self.run_id,
            "data": self.data_uri,
            "rows": self.rows,
            "survey_days": self.days,
            "first_survey_day": self.first_day,
            "last_survey_day": self.last_day,
        }
        return {name: str(value) for name, value in known.items() if value not in {None, ""}}


@dataclass(frozen=True)
class Noted:
    """What became of the notes on a version.

    Attributes:
        written: What there is now, such as ``model card``.
        problems: What there is not, and why: a sentence each.
    """

    written: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())

    def metadata(self) -> dict[str, str]:
        """As an asset shows it: nothing where there was nothing to note."""
        shown = {"noted": ", ".join(self.written), "not_noted": "; ".join(self.problems)}
        return {name: told for name, told in shown.items() if told}
