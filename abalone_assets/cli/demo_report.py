"""What the demo says at its end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from abalone_assets.cli.serve import QUESTION
from abalone_assets.cli.status_report import Totals
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.reports import report_key
from abalone_assets.local.processes import wait_for_version
from abalone_assets.modeling.models.intervals import COVERAGE
from abalone_assets.survey import age_years

if TYPE_CHECKING:
    from abalone_assets.serving.client import EndpointClient, Prediction
    from abalone_assets.settings.platform import Settings

SURVEY_COUNTS: Final = (
    "files",
    "days",
    "rows",
    "quarantined",
    "base_rows",
    "base_quarantined",
)
PREPARED: Final = ("merged_dataset", "train_split", "validation_split", "test_split")


@dataclass(frozen=True)
class DemoReport:
    """The state of the platform after the demo.

    Attributes:
        new_files: Surveys that this demo landed.
        runs: Runs that it executed, by job.
        released_at: ISO time of the last release.
        surveys: Rows and quarantined rows of the base survey and of the survey files.
        merged: Rows merged, repeats removed, and the rows of each split.
        rmse: On the test split, in rings: the model's, the ends of its 95 % confidence interval,
            the gate's limit and the champion's.
        report: Where the report on the model is.
        decision: The gate's decision in one sentence.
        version: The version that answered, or None.
        url: Where it still answers; None when the server was the demo's own and is stopped.
        question: Sex and measurements of one abalone.
        rings: What the endpoint answered, or None.
        interval: The ends of its prediction interval, in rings, or None.
        note: What to know of the base survey's origin.
    """

    new_files: int
    runs: dict[str, int]
    released_at: str
    surveys: dict[str, int]
    merged: dict[str, int]
    rmse: dict[str, float | None]
    report: str
    decision: str
    version: int | None
    url: str | None
    question: str
    rings: float | None
    interval: tuple[float, float] | None
    note: str

    @classmethod
    def of(
        cls,
        settings: Settings,
        client: EndpointClient,
        *,
        url: str | None,
        landed: int,
        runs: dict[str, int],
        note: str,
    ) -> Self:
        """Read the lake and ask the endpoint one question.

        Args:
            settings: Where everything is.
            client: Of the server that answers now.
            url: Its base URL when it goes on running after the demo.
            landed: Surveys that this demo landed.
            runs: Runs that it executed, by job.
            note: What to know of the base survey's origin.
        """
        lake = Lake(settings.lake_uri)
        release = lake.release()
        metrics = (lake.store.read_json(lake.key("evaluation", suffix="json")) or {})["metrics"]
        low, high = metrics["confidence"]["rmse"]
        answer = _ask(settings, client)
        return cls(
            new_files=landed,
            runs=runs,
            released_at=release.finished_at if release else "",
            surveys=_survey_counts(lake),
            merged=_merged_counts(lake),
            rmse={
                "model": metrics["rmse"],
                "low": low,
                "high": high,
                "limit": settings.gate_max_rmse,
                "champion": metrics["champion"]["rmse"] if metrics["champion"] else None,
            },
            report=lake.store.uri_of(report_key(metrics["model_sha256"])),
            decision=release.reason if release else "",
            version=answer.version if answer else None,
            url=url,
            question=QUESTION,
            rings=answer.rings[0] if answer else None,
            interval=answer.intervals[0] if answer and answer.intervals else None,
            note=note,
        )

    def to_document(self) -> dict[str, Any]:
        """The report as a JSON document."""
        age = None if self.rings is None else round(age_years(self.rings), 4)
        return {**asdict(self), "age_years": age}

    def rows(self, prefix: str) -> list[tuple[str, str]]:
        """The report as names and values, for people.

        Args:
            prefix: What a shell needs before a command that shall work on this home.
        """
        surveys, merged = self.surveys, self.merged
        champion = self.rmse["champion"]
        champion_rmse = "none yet" if champion is None else f"{champion:.3f}"
        sizes = [f"{name.removesuffix('_split')} {merged[name]}" for name in PREPARED[1:]]
        limit = f"the gate allows {self.rmse['limit']:g}"
        rows = [
            (
                "Base survey",
                f"{surveys['base_rows']} rows, {surveys['base_quarantined']} quarantined",
            ),
            ("Landed", f"{surveys['files']} files of {surveys['days']} survey days"),
            ("Ingested", f"{surveys['rows']} rows, {surveys['quarantined']} quarantined"),
            ("Merged", f"{merged['merged_dataset']} rows, {merged['repeats']} repeats removed"),
            ("Splits", ", ".join(sizes)),
            ("RMSE", f"{self._rmse()}; {limit}, champion: {champion_rmse}"),
            ("Report", self.report),
            ("Gate", self.decision),
            ("Live", self._live(prefix)),
            ("Question", self.question),
            ("Answer", self._answer()),
        ]
        if not self.new_files and not any(self.runs.values()):
            rows.insert(0, ("State", f"nothing new since {self.released_at}"))
        return rows

    def _rmse(self) -> str:
        low, high = self.rmse["low"], self.rmse["high"]
        return f"{self.rmse['model']:.3f} rings ({low:.2f} to {high:.2f} with 95 % confidence)"

    def _live(self, prefix: str) -> str:
        if self.version is None:
            return "no version"
        if self.url is not None:
            return f"version {self.version} answers at {self.url}"
        return (
            f"version {self.version} is deployed; `{prefix}abalone dev` or `{prefix}abalone serve`"
            " makes it answer"
        )

    def _answer(self) -> str:
        if self.rings is None:
            return "none: no model was deployed"
        within = ""
        if self.interval is not None:
            low, high = self.interval
            within = f" ({low:.1f} to {high:.1f} in {COVERAGE * 10:.0f} of 10 animals)"
        return f"{self.rings:.1f} rings{within}, so {age_years(self.rings):.1f} years old"


def _ask(settings: Settings, client: EndpointClient) -> Prediction | None:
    if wait_for_version(client, settings.endpoint_timeout_seconds) is None:
        return None
    return client.invoke(QUESTION + "\n")


def _survey_counts(lake: Lake) -> dict[str, int]:
    totals = Totals.of(lake.manifest())
    return {name: getattr(totals, name) for name in SURVEY_COUNTS}


def _merged_counts(lake: Lake) -> dict[str, int]:
    import polars as pl

    rows = {
        name: int(pl.scan_parquet(lake.uri(name), glob=False).select(pl.len()).collect().item())
        for name in PREPARED
    }
    return {**rows, "repeats": lake.preparation().repeats}
