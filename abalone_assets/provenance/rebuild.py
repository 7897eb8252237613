"""A version made again from what the lake keeps, and compared with the one that is registered.

Nothing is written but in a temporary folder, and nothing is asked of the landing zone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from abalone_assets.errors import AbaloneError, counted
from abalone_assets.etl import polars_engine
from abalone_assets.etl.lake_inputs import lake_request
from abalone_assets.external.local_training import this_machine, train_here
from abalone_assets.lake.kept_inputs import (
    RAW,
    SURVEYS,
    Inputs,
    manifest_of,
    objects_of,
    rows_of,
)
from abalone_assets.lake.lake import Lake
from abalone_assets.modeling.archive import extract, read_card
from abalone_assets.modeling.framework import framework_named
from abalone_assets.modeling.hyperparameters import HYPERPARAMETERS
from abalone_assets.registry.code_version import CodeVersion, code_version
from abalone_assets.registry.provenance import Provenance, provenance_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from abalone_assets.modeling.hyperparameters import Framework
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion

Verdict = Literal["identical", "same_files", "differs", "impossible"]
REPRODUCED: Final = frozenset({"identical", "same_files"})
"""Verdicts on a version that came out again."""

CHANNELS: Final = ("train", "validation")
CODE_FOLDER: Final = "code/"

Changed = dict[str, tuple[str | None, str | None]]
"""What was, and what is now, by name."""


@dataclass(frozen=True)
class Rebuilt:
    """What became of making a version again.

    Attributes:
        version: Its number.
        verdict: Whether its bytes came out again: those of the archive, or of every file in it, as
            when SageMaker or another zlib packed it; impossible when it could not be made.
        problems: Why it could not be made, a sentence each.
        registered_sha256: Of the archive that is registered.
        rebuilt_sha256: Of the one that was made now; None when none was.
        same_model: Whether the file that answers is the same; None when that is not known.
        members: Files of the archive that differ, are missing or more; of the modules that it
            carries only their folder.
        libraries: Those of other versions than then.
        machine: What differs of the machine.
        code: The code then and now, when it differs.
        archive: What was made.
    """

    version: int
    verdict: Verdict
    registered_sha256: str
    problems: tuple[str, ...] = ()
    rebuilt_sha256: str | None = None
    same_model: bool | None = None
    members: tuple[str, ...] = ()
    libraries: Changed | None = None
    machine: Changed | None = None
    code: tuple[CodeVersion, CodeVersion] | None = None
    archive: bytes | None = None

    @property
    def reproduced(self) -> bool:
        """Whether the version came out again, in whatever packing."""
        return self.verdict in REPRODUCED

    def to_document(self) -> dict[str, Any]:
        """As a JSON document."""
        then, now = self.code or (None, None)
        return {
            "version": self.version,
            "verdict": self.verdict,
            "problems": list(self.problems),
            "registered_sha256": self.registered_sha256,
            "rebuilt_sha256": self.rebuilt_sha256,
            "same_model": self.same_model,
            "members": list(self.members),
            "libraries": self.libraries or {},
            "machine": self.machine or {},
            "code": None if then is None else {"then": vars(then), "now": now and vars(now)},
        }


def rebuild(
    registry: ModelRegistry, lake: Lake, version: int, say: Callable[[str], object]
) -> Rebuilt:
    """Make a version again, with the framework and the hyperparameters that its record has.

    Args:
        registry: Where it is registered.
        lake: What keeps its inputs.
        version: Its number.
        say: Told of each step as it begins.

    Raises:
        UnknownVersionError: There is no such version.
        StorageError: Lake or registry cannot be read.
    """
    known = registry.get(version)
    provenance = provenance_of(known)
    if provenance is None or provenance.inputs is None:
        return _impossible(
            known,
            "what it was trained on is not recorded: it was registered by an earlier release, or "
            "its rows were prepared by one",
        )
    if provenance.framework not in HYPERPARAMETERS:
        return _impossible(known, f"this release has no framework {provenance.framework!r}")
    with TemporaryDirectory(prefix="abalone-reproduced-") as folder:
        scratch = Lake(folder)
        missing = _collect(lake, scratch, provenance.inputs, say)
        if missing:
            return _impossible(known, *missing)
        try:
            archive = _made(lake, scratch, provenance, say)
        except AbaloneError as error:
            return _impossible(known, str(error))
    say("comparing the archives")
    return _compared(registry, known, provenance, archive)


def _impossible(version: ModelVersion, *problems: str) -> Rebuilt:
    return Rebuilt(version.version, "impossible", version.archive_sha256, problems)


def _collect(lake: Lake, scratch: Lake, inputs: Inputs, say: Callable[[str], object]) -> list[str]:
    """Copy the rows of a release into a lake of their own; what is gone, a sentence each."""
    try:
        objects = list(objects_of(lake.store, inputs))
    except AbaloneError as error:
        return [f"its survey days are not known any more: {error}"]
    days = counted(sum(place != RAW for place, _ in objects), "survey day")
    say(f"collecting the rows of the base survey and of {days}")
    missing = []
    for place, sha256 in objects:
        data = rows_of(lake, place, sha256)
        if data is None:
            what = "the base survey" if place == RAW else f"survey day {place}"
            missing.append(f"the rows of {what} are gone as they were (SHA-256 {sha256 or '?'})")
            continue
        key = scratch.key(RAW) if place == RAW else scratch.key(SURVEYS, place)
        scratch.store.write(key, data)
    return missing


def _made(lake: Lake, scratch: Lake, provenance: Provenance, say: Callable[[str], object]) -> bytes:
    """The archive, from the rows in a lake of their own.

    Raises:
        AbaloneError: It cannot be made; the message says why.
    """
    manifest = manifest_of(lake.store, cast("Inputs", provenance.inputs))
    say(f"preparing {counted(manifest.rows, 'row')}")
    polars_engine.prepare(lake_request(scratch, manifest))
    say(f"training: {provenance.framework}")
    return train_here(
        cast("Framework", provenance.framework),
        {name: scratch.store.read(scratch.key(f"{name}_split")) for name in CHANNELS},
        provenance.hyperparameters,
        born=provenance.born,
    )


def _compared(
    registry: ModelRegistry, known: ModelVersion, provenance: Provenance, archive: bytes
) -> Rebuilt:
    sha256 = hashlib.sha256(archive).hexdigest()
    if sha256 == known.archive_sha256:
        return Rebuilt(
            known.version, "identical", sha256, (), sha256, same_model=True, archive=archive
        )
    registered = _registered(registry, known)
    now = code_version()
    card = read_card(archive)
    model = known.evaluation.get("model_sha256")
    members = _members_that_differ(registered, archive) if registered else []
    return Rebuilt(
        known.version,
        "same_files" if registered and not members else "differs",
        known.archive_sha256,
        () if registered else ("the registered archive is gone, so only digests are compared",),
        sha256,
        same_model=None if model is None else card.model_sha256 == model,
        members=tuple(members),
        libraries=changed(provenance.libraries, card.versions),
        machine=changed(provenance.machine, this_machine()),
        code=None if now.sha256 == provenance.code.sha256 else (provenance.code, now),
        archive=archive,
    )


def _registered(registry: ModelRegistry, known: ModelVersion) -> bytes | None:
    try:
        return registry.read_model(known.version)
    except AbaloneError:
        return None


def changed(then: Mapping[str, object], now: Mapping[str, object]) -> Changed:
    """What differs between two mappings: the values of both, None where one has none."""
    return {
        name: (_text(then.get(name)), _text(now.get(name)))
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _members_that_differ(one: bytes, other: bytes) -> list[str]:
    first, second = (_members(archive) for archive in (one, other))
    names = [name for name in {*first, *second} if first.get(name) != second.get(name)]
    shown = {CODE_FOLDER if name.startswith(CODE_FOLDER) else name for name in names}
    models = {framework_named(name).file for name in HYPERPARAMETERS}
    return sorted(shown, key=lambda name: (name not in models, name))


def _members(archive: bytes) -> dict[str, bytes]:
    with TemporaryDirectory() as scratch:
        folder = Path(scratch, "model")
        extract(archive, folder)
        files = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
