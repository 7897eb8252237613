"""What the demo says at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from abalone_assets.cli.data_status import Totals
from abalone_assets.cli.serve import QUESTION
from abalone_assets.errors import StorageError
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.release_documents import EvaluatedModel
from abalone_assets.lake.reports import report_key
from abalone_assets.local.processes import wait_for_version
from abalone_assets.modeling.models.intervals import COVERAGE
from abalone_assets.survey import age_years

if TYPE_CHECKING:
    from abalone_assets.cli.typed import Typed
    from abalone_assets.serving.client import EndpointClient
    from abalone_assets.settings.platform import Settings

SURVEY_COUNTS: Final = ("files", "days", "rows", "quarantined", "base_rows", "base_quarantined")
PREPARED: Final = ("merged_dataset", "train_split", "validation_split", "test_split")


def demo_report(
    settings: Settings,
    client: EndpointClient,
    *,
    url: str | None,
    landed: int,
    runs: dict[str, int],
    note: str,
) -> dict[str, Any]:
    """The state of the platform after the demo, as a JSON document; asks the endpoint a question.

    The ``url`` is that of an endpoint that goes on answering after the demo; ``landed`` and
    ``runs``, by job, are what this demo did, and the note is on the base survey's origin.
    """
    lake = Lake(settings.lake_uri)
    release, totals = lake.release(), Totals.of(lake.manifest())
    evaluated = lake.document("evaluation", EvaluatedModel)
    if evaluated is None:
        raise StorageError(f"{settings.lake_uri}: no evaluation: launch the job `release`")
    metrics = evaluated.metrics
    low, high = metrics["confidence"]["rmse"]
    deployed = wait_for_version(client, settings.endpoint_timeout_seconds) is not None
    answer = client.invoke(QUESTION + "\n") if deployed else None
    rings = answer.rings[0] if answer else None
    return {
        "new_files": landed,
        "runs": runs,
        "released_at": release.finished_at if release else "",
        "surveys": {name: getattr(totals, name) for name in SURVEY_COUNTS},
        "merged": _merged_counts(lake),
        "rmse": {
            "model": metrics["rmse"],
            "low": low,
            "high": high,
            "limit": settings.gate_max_rmse,
            "champion": metrics["champion"]["rmse"] if metrics["champion"] else None,
        },
        "report": lake.store.uri_of(report_key(metrics["model_sha256"])),
        "decision": release.reason if release else "",
        "version": answer.version if answer else None,
        "url": url,
        "question": QUESTION,
        "rings": rings,
        "interval": answer.intervals[0] if answer and answer.intervals else None,
        "note": note,
        "age_years": None if rings is None else round(age_years(rings), 4),
    }


def _merged_counts(lake: Lake) -> dict[str, int]:
    import polars as pl

    rows = {
        name: int(pl.scan_parquet(lake.uri(name), glob=False).select(pl.len()).collect().item())
        for name in PREPARED
    }
    return {**rows, "repeats": lake.preparation().repeats}


def report_facts(report: dict[str, Any], typed: Typed) -> list[tuple[str, str]]:
    """The report as names and values, for people."""
    surveys, merged, rmse = report["surveys"], report["merged"], report["rmse"]
    champion = "none yet" if rmse["champion"] is None else f"{rmse['champion']:.3f}"
    ends = f"{rmse['low']:.2f} to {rmse['high']:.2f} with 95 % confidence"
    measured = f"{rmse['model']:.3f} rings ({ends})"
    sizes = [f"{name.removesuffix('_split')} {merged[name]}" for name in PREPARED[1:]]
    facts = [
        ("Base survey", f"{surveys['base_rows']} rows, {surveys['base_quarantined']} quarantined"),
        ("Landed", f"{surveys['files']} files of {surveys['days']} survey days"),
        ("Ingested", f"{surveys['rows']} rows, {surveys['quarantined']} quarantined"),
        ("Merged", f"{merged['merged_dataset']} rows, {merged['repeats']} repeats removed"),
        ("Splits", ", ".join(sizes)),
        ("RMSE", f"{measured}; the gate allows {rmse['limit']:g}, champion: {champion}"),
        ("Report", report["report"]),
        ("Gate", report["decision"]),
        ("Live", _live(report, typed)),
        ("Question", report["question"]),
        ("Answer", _answer(report)),
    ]
    if not report["new_files"] and not any(report["runs"].values()):
        facts.insert(0, ("State", f"nothing new since {report['released_at']}"))
    return facts


def _live(report: dict[str, Any], typed: Typed) -> str:
    version = report["version"]
    if version is None:
        return "no version"
    if report["url"] is not None:
        return f"version {version} answers at {report['url']}"
    return (
        f"version {version} is deployed; `{typed.dev}` or `{typed.command('serve')}`"
        " makes it answer"
    )


def _answer(report: dict[str, Any]) -> str:
    if report["rings"] is None:
        return "none: no model was deployed"
    within = ""
    if report["interval"] is not None:
        low, high = report["interval"]
        within = f" ({low:.1f} to {high:.1f} in {COVERAGE * 10:.0f} of 10 animals)"
    return f"{report['rings']:.1f} rings{within}, so {report['age_years']:.1f} years old"
