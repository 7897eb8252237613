"""What differs between two versions: their files and rows, code, settings, libraries and scores."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from abalone_assets.errors import AbaloneError
from abalone_assets.provenance.learnt import Learnt
from abalone_assets.provenance.rebuild import Changed, changed
from abalone_assets.registry.comparison import compare_versions
from abalone_assets.registry.provenance import Provenance, provenance_of

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedFile, IngestedRaw
    from abalone_assets.registry.registry import ModelRegistry

NOT_RECORDED = "version {}: what it was trained on is not recorded, as in earlier releases"


@dataclass(frozen=True)
class FileDifference:
    """A survey file that only one of two versions learnt from, or that was another one then.

    Attributes:
        name: The file's.
        day: Its survey day; empty for the base survey.
        rows: Its good rows for the first version and for the second; None where it has none of it.
        sha256: Of its bytes, likewise.
    """

    name: str
    day: str
    rows: tuple[int | None, int | None]
    sha256: tuple[str | None, str | None]

    @property
    def kind(self) -> str:
        """What became of it: ``added``, ``removed`` or ``changed``."""
        before, after = self.sha256
        return "added" if before is None else "removed" if after is None else "changed"


@dataclass(frozen=True)
class DataDifference:
    """The data of two versions.

    Attributes:
        rows: Of the base survey and all survey days, of each version.
        days: Survey days with rows, of each version.
        files: What differs.
    """

    rows: tuple[int, int]
    days: tuple[int, int]
    files: tuple[FileDifference, ...]


@dataclass(frozen=True)
class Scores:
    """Both versions on the same rows, which neither had learnt; errors in rings.

    Attributes:
        rows: How many.
        rmse: Of each version.
        difference: The second's error minus the first's, and its 90 % interval.
        low: Its lower end.
        high: Its upper end.
    """

    rows: int
    rmse: tuple[float, float]
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class VersionDifference:
    """What differs between two versions; None where that is not known, and ``unknown`` says why.

    Attributes:
        versions: Their numbers, in the order asked for.
        data: Base survey, files and rows.
        code: Package, commit and digest of the sources, where they differ.
        settings: Framework and hyperparameters that differ.
        libraries: Those of other versions, Python's and the preparation's among them.
        machine: What differs of the machines.
        scores: On the rows of the lake's last release.
        unknown: What cannot be told, and why: a sentence each.
    """

    versions: tuple[int, int]
    data: DataDifference | None
    code: Changed | None
    settings: Changed | None
    libraries: Changed | None
    machine: Changed | None
    scores: Scores | None
    unknown: tuple[str, ...]

    def to_document(self) -> dict[str, Any]:
        """As a JSON document."""
        document = asdict(self)
        if self.data is not None:
            kinds = [{"kind": file.kind} for file in self.data.files]
            files = document["data"]["files"]
            document["data"]["files"] = [
                {**kind, **file} for kind, file in zip(kinds, files, strict=True)
            ]
        return document


def difference(registry: ModelRegistry, lake: Lake, one: int, other: int) -> VersionDifference:
    """What differs from one version to another.

    Raises:
        UnknownVersionError: There is no such version.
        StorageError: The registry cannot be read.
    """
    numbers = (one, other)
    found = [provenance_of(registry.get(number)) for number in numbers]
    unknown = [NOT_RECORDED.format(n) for n, each in zip(numbers, found, strict=True) if not each]
    data = code = settings = libraries = machine = None
    first, second = found
    if first and second:
        before, after = (
            _learnt(lake, number, each, unknown)
            for number, each in zip(numbers, (first, second), strict=True)
        )
        data = _data(before, after) if before and after else None
        code = changed(vars(first.code), vars(second.code))
        settings = changed(_settings(first), _settings(second))
        libraries = changed(_libraries(first), _libraries(second))
        machine = changed(first.machine, second.machine)
    scores = _scores(registry, lake, numbers, unknown)
    told = (data, code, settings, libraries, machine, scores)
    return VersionDifference(numbers, *told, tuple(unknown))


def _settings(provenance: Provenance) -> dict[str, object]:
    return {"framework": provenance.framework, **provenance.hyperparameters}


def _libraries(provenance: Provenance) -> dict[str, object]:
    return {**provenance.libraries, "preparation": provenance.engine or None}


def _learnt(lake: Lake, number: int, provenance: Provenance, unknown: list[str]) -> Learnt | None:
    if provenance.inputs is None:
        unknown.append(NOT_RECORDED.format(number))
        return None
    try:
        return Learnt.of(lake, provenance.inputs)
    except AbaloneError as error:
        unknown.append(f"version {number}: its survey days are not known any more: {error}")
        return None


def _data(before: Learnt, after: Learnt) -> DataDifference:
    names = sorted({*before.files, *after.files})
    files = [_file(name, before.files.get(name), after.files.get(name)) for name in names]
    return DataDifference(
        (before.rows, after.rows),
        (before.days, after.days),
        tuple(each for each in (_base(before.raw, after.raw), *files) if each),
    )


def _file(
    name: str, before: tuple[str, IngestedFile] | None, after: tuple[str, IngestedFile] | None
) -> FileDifference | None:
    (day, first), (later_day, second) = before or ("", None), after or ("", None)
    if first and second and _identity(first) == _identity(second):
        return None
    return FileDifference(
        name,
        later_day or day,
        (first.rows if first else None, second.rows if second else None),
        (first.sha256 if first else None, second.sha256 if second else None),
    )


def _identity(file: IngestedFile) -> tuple[str, int, str]:
    return file.sha256, file.rows, file.origin


def _base(before: IngestedRaw | None, after: IngestedRaw | None) -> FileDifference | None:
    if (before and _base_identity(before)) == (after and _base_identity(after)):
        return None
    known = after or before
    return FileDifference(
        known.source if known else "",
        "",
        (before.rows if before else None, after.rows if after else None),
        (before.digest if before else None, after.digest if after else None),
    )


def _base_identity(raw: IngestedRaw) -> tuple[str, int, str]:
    return raw.digest, raw.rows, raw.origin


def _scores(
    registry: ModelRegistry, lake: Lake, numbers: tuple[int, int], unknown: list[str]
) -> Scores | None:
    try:
        compared = compare_versions(registry, lake, *numbers)
    except AbaloneError as error:
        unknown.append(f"their scores: {error}")
        return None
    overall = compared.scores["paired"]["overall"]
    newer, older = overall["rmse"], overall["champion_rmse"]
    difference, low, high = (overall[name] for name in ("difference", "low", "high"))
    if numbers[0] > numbers[1]:
        newer, older, difference, low, high = older, newer, -difference, -high, -low
    return Scores(overall["rows"], (older, newer), difference, low, high)
