"""What a version's record says, as rows of the tables that `lake.tables` describes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.evaluation.evidence import is_number
from abalone_assets.registry.provenance import known_provenance
from abalone_assets.registry.version_facts import DATA
from abalone_assets.registry.versions import MODEL_DIGEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.registry.versions import ModelVersion

THE_GATE: Final = "the gate"
_MADE_BY: Final = ("framework", "code", "code_commit", "dagster_run_id", "base_survey_sha256")
"""Of `Provenance.facts`."""

_SCORES: Final = ("rmse", "mae", "bias", "r2", "baseline_rmse")
_SHARES: Final = frozenset({"r2", "coverage"})
_SLICES: Final = ("sex", "age_band")
_ENDS: Final = ("low", "high")
_COMPARED: Final = {"rmse": "rmse", "other_rmse": "champion_rmse", "rmse_difference": "difference"}


def version_row(version: ModelVersion) -> dict[str, Any]:
    """The version at a glance; what its record does not have, as an old one, is None."""
    evaluation = version.evaluation
    data, confidence = _mapping(evaluation.get(DATA)), _mapping(evaluation.get("confidence"))
    low, high = _ends(confidence.get("rmse"))
    last, provenance = version.last_override, known_provenance(version)
    made = provenance.facts() if provenance else {}
    return {
        "version": version.version,
        "registered_at": _time(version.created_at),
        "approved": version.approved,
        "decided_by": THE_GATE if last is None else last.by,
        "approved_at": version.last_approval,
        "rmse": _number(evaluation.get("rmse")),
        "rmse_low": low,
        "rmse_high": high,
        "mae": _number(evaluation.get("mae")),
        "test_rows": _count(evaluation.get("rows")),
        "rows": _count(data.get("rows")),
        "days": _count(data.get("days")),
        "first_day": _day(data.get("first_day")),
        "last_day": _day(data.get("last_day")),
        "champion": _other(evaluation, "champion"),
        "reference": _other(evaluation, "reference"),
        "release_digest": version.release_digest,
        "model_sha256": _text(evaluation.get(MODEL_DIGEST)),
        "archive_sha256": version.archive_sha256,
        **{name: made.get(name) for name in _MADE_BY},
    }


def decision_rows(version: ModelVersion) -> list[dict[str, Any]]:
    """What the gate decided, then what people did, oldest first."""
    gate = {
        "decided_at": _time(version.created_at),
        "decided_by": THE_GATE,
        "approved": version.approved_by_gate,
        "rule": _text(version.decision.get("rule")) or None,
        "reason": str(version.decision.get("reason", "")),
    }
    people = [
        {
            "decided_at": _time(each.at),
            "decided_by": each.by,
            "approved": each.approved,
            "rule": None,
            "reason": each.because,
        }
        for each in version.overrides
    ]
    rows: list[dict[str, Any]] = [gate, *people]
    return [
        {"version": version.version, **row, "holds": number == len(rows)}
        for number, row in enumerate(rows, start=1)
    ]


def metric_rows(version: ModelVersion) -> list[dict[str, Any]]:
    """Every number of its evaluation that is one, with the rows that it was measured on."""
    found = [*_on_test_split(version.evaluation), *_out_of_fold(version.evaluation)]
    found += _compared(version.evaluation)
    usual: dict[str, Any] = {"other_version": None, "slice_of": "all", "slice": "all"}
    rows = (
        usual
        | {"low": None, "high": None}
        | each
        | {"version": version.version, "unit": "share" if each["metric"] in _SHARES else "rings"}
        for each in found
    )
    return [row for row in rows if row["value"] is not None]


def _on_test_split(evaluation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    of = {"measured_on": "test_split", "rows": _count(evaluation.get("rows"))}
    confidence = _mapping(evaluation.get("confidence"))
    interval = _mapping(evaluation.get("prediction_interval"))
    scores = {**evaluation, "coverage": interval.get("coverage")}
    for metric in (*_SCORES, "coverage"):
        low, high = _ends(confidence.get(metric))
        value = _number(scores.get(metric))
        yield {**of, "metric": metric, "value": value, "low": low, "high": high}
    for slice_of, each in _slices(evaluation.get("slices")):
        part = {**of, "rows": _count(each.get("rows")), "slice_of": slice_of}
        part["slice"] = str(each.get("value"))
        for metric in ("rmse", "mae", "bias", "coverage"):
            row = {**part, "metric": metric, "value": _number(each.get(metric))}
            if metric == "rmse":
                row["low"], row["high"] = (_number(each.get(f"rmse_{end}")) for end in _ENDS)
            yield row


def _out_of_fold(evaluation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    known = _mapping(evaluation.get("out_of_fold"))
    of = {"measured_on": "out_of_fold", "rows": _count(known.get("rows"))}
    for metric in ("rmse", "mae"):
        yield {**of, "metric": metric, "value": _number(known.get(metric))}


def _compared(evaluation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The model beside its champion, on rows that neither had learnt from."""
    paired = _mapping(_mapping(evaluation.get("champion")).get("paired"))
    of = {"measured_on": "compared", "other_version": _other(evaluation, "champion")}
    parts: list[tuple[dict[str, Any], dict[str, Any]]] = [({}, _mapping(paired.get("overall")))]
    for slice_of, each in _slices(paired.get("slices")):
        parts.append(({"slice_of": slice_of, "slice": str(each.get("value"))}, each))
    for part, found in parts:
        for metric, name in _COMPARED.items():
            row = {**of, **part, "rows": _count(found.get("rows"))}
            row |= {"metric": metric, "value": _number(found.get(name))}
            if metric == "rmse_difference":
                row["low"], row["high"] = (_number(found.get(end)) for end in _ENDS)
            yield row


def _slices(groups: object) -> Iterator[tuple[str, dict[str, Any]]]:
    known = _mapping(groups)
    for slice_of in _SLICES:
        slices = known.get(slice_of)
        for each in slices if isinstance(slices, list | tuple) else ():
            yield slice_of, _mapping(each)


def _other(evaluation: dict[str, Any], role: str) -> int | None:
    number = str(_mapping(evaluation.get(role)).get("version", ""))
    return int(number) if number.isdecimal() else None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _ends(interval: object) -> tuple[float | None, float | None]:
    if not isinstance(interval, list | tuple) or len(interval) != 2:  # noqa: PLR2004 - both ends
        return None, None
    return _number(interval[0]), _number(interval[1])


def _number(value: object) -> float | None:
    return float(value) if is_number(value) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _time(told: str) -> datetime:
    """A time of a record; one without zone is of UTC, as all of them are."""
    found = datetime.fromisoformat(told)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None
