"""The model registry on SageMaker: a version is a package of one model package group.

The archive and what is known of it lie, immutable, in the registry's store, and beside them what
people decide on a version::

    models/<sha256>/model.tar.gz                        the archive
    models/<sha256>/<registration>/registration.json    evaluation, decision, release digest
    models/<sha256>/<registration>/model_quality.json   the metrics in SageMaker's schema
    overrides/000003-<registration>.json                decisions of people on version 3

A package is registered as pending and gets the gate's decision as its approval status last, so a
registration that was cut short leaves no version behind for a reader; the next try finishes it.
SageMaker itself deploys approved packages only. A person can decide there too: a status that the
registry did not set counts as that person's decision.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import AbaloneError, StorageError
from abalone_assets.registry.model_package_documents import (
    APPROVED,
    PENDING,
    REGISTRATION_PROPERTY,
    REJECTED,
    Registration,
    approval_description,
    override_in_sagemaker,
    package_parameters,
    was_approved_by_gate,
)
from abalone_assets.registry.model_package_group import ModelPackageGroup
from abalone_assets.registry.notes import Noted
from abalone_assets.registry.overrides import append_override, read_overrides
from abalone_assets.registry.registry import ModelRegistry
from abalone_assets.registry.versions import ModelVersion, UnknownVersionError, version_that_stands
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from abalone_assets.registry.model_package_notes import StudioNotes
    from abalone_assets.registry.notes import ReleaseNotes
    from abalone_assets.registry.overrides import Override
    from abalone_assets.storage.object_store import ObjectStore

OVERRIDES_PREFIX: Final = "overrides/"
_LOG: Final = logging.getLogger(__name__)
_DECIDED: Final = frozenset({APPROVED, REJECTED})
_OVERRIDES_KEY: Final = re.compile(re.escape(OVERRIDES_PREFIX) + r"([0-9]{6,})-[0-9a-f]+\.json")


class ModelPackageRegistry(ModelRegistry):
    """The versions in a model package group.

    Args:
        group: The group's name.
        store: Where archives and documents are kept: the registry's ``s3://`` prefix.
        sagemaker: boto3's client of SageMaker.
        serving_image: Looks up the URI of the container image that serves the models; called by a
            registration only.
        studio: Writes what SageMaker Studio shows of a version; None does without.
        poll_seconds: Wait between two looks at a package that SageMaker looks over.
    """

    def __init__(
        self,
        group: str,
        store: ObjectStore,
        sagemaker: Any,  # noqa: ANN401 - boto3 makes its clients at run time
        serving_image: Callable[[], str],
        *,
        studio: StudioNotes | None = None,
        poll_seconds: float = 1.0,
    ) -> None:
        self.studio = studio
        self.group = ModelPackageGroup(group, sagemaker, poll_seconds)
        self.store = store
        self._serving_image = serving_image

    def register(
        self,
        archive: bytes,
        *,
        evaluation: Mapping[str, Any],
        decision: Mapping[str, Any],
        release_digest: str,
    ) -> ModelVersion:
        """Create the package, pending, and then give it the gate's decision as its status."""
        registration = Registration.of(archive, evaluation, decision, release_digest)
        # Looked up before the search: whoever adds this model in between shares the call's token.
        newest = next(self.group.summaries(), None)
        known = self._version_of(registration)
        if known is not None:
            return known
        package = self._unfinished(registration)
        if package is None:
            after = newest["ModelPackageVersion"] if newest else 0
            package = self._create(archive, registration, after)
        return self._version(self._decided(package, registration))

    def newest_first(self, before: int | None = None) -> Iterator[ModelVersion]:
        """The versions; packages of others are skipped."""
        summaries = (
            each
            for each in self.group.summaries()
            if before is None or each["ModelPackageVersion"] < before
        )
        return map(self._version, self._packages(summaries))

    def latest(self) -> ModelVersion | None:
        """The newest version."""
        package = next(self._packages(self.group.summaries()), None)
        return None if package is None else self._version(package)

    def tokens(self) -> dict[int, str]:
        """Each package with its approval status, from two listings.

        Where people have decided nothing tells: SageMaker lists no time of a package's update.
        """
        overridden = self._overridden()
        return {
            summary["ModelPackageVersion"]: (
                ""
                if summary["ModelPackageVersion"] in overridden or _decided_by_person(summary)
                else f"{summary['ModelPackageArn']} {summary['CreationTime'].isoformat()} "
                f"{summary['ModelApprovalStatus']}"
            )
            for summary in self.group.summaries()
            if summary.get("ModelApprovalStatus") in _DECIDED
        }

    def several(self, numbers: Collection[int]) -> Iterator[ModelVersion]:
        """The versions of these numbers; packages of others are skipped."""
        chosen = (each for each in self.group.summaries() if each["ModelPackageVersion"] in numbers)
        return map(self._version, self._packages(chosen))

    def candidates(self) -> list[ModelVersion]:
        """All versions on which people decided, and the newest that only the gate approved.

        One listing tells which packages these are, whether people decided here or in SageMaker;
        only they are looked at.
        """
        overridden = self._overridden()
        chosen: list[ModelVersion] = []
        for summary in self.group.summaries():
            by_gate = was_approved_by_gate(summary)
            approved = summary.get("ModelApprovalStatus") == APPROVED
            number = summary["ModelPackageVersion"]
            by_person = number in overridden or _decided_by_person(summary)
            is_newest = by_gate and approved and all(each.overrides for each in chosen)
            if by_person or is_newest:
                found = map(self._version, self._packages([summary]))
                # Of a group that was made anew, decisions on the number may be those of before.
                chosen += [each for each in found if each.overrides or is_newest]
        return chosen[::-1]

    def get(self, version: int) -> ModelVersion:
        """The version of that number; SageMaker has its status, the store its record."""
        return self._version(self.group.describe(self.package_arn(version)))

    def note(self, version: ModelVersion, notes: ReleaseNotes) -> Noted:
        """Write model card and lineage of the version."""
        if self.studio is None:
            return Noted()
        try:
            package = self.group.describe(self.package_arn(version.version))
            known = read_overrides(self.store, _overrides_key(package))
        except AbaloneError as error:
            return Noted(problems=(f"version {version.version}: {error}",))
        return self.studio.note(
            version,
            package,
            notes,
            self.store.uri_of(version.model_key),
            may_update=version.overrides == known,
        )

    def package_arn(self, version: int) -> str:
        """The ARN of the version's model package, which an endpoint deploys.

        Raises:
            UnknownVersionError: There is no such version.
            StorageError: AWS refuses.
        """
        known: list[int] = []
        for summary in self.group.summaries():
            if summary["ModelPackageVersion"] == version:
                return str(summary["ModelPackageArn"])
            known.append(summary["ModelPackageVersion"])
        registered = ", ".join(map(str, reversed(known))) or "none"
        raise UnknownVersionError(
            f"model package group {self.group.name}: no model version {version}; registered "
            f"versions: {registered}"
        )

    def _version_of(self, registration: Registration) -> ModelVersion | None:
        """The version that stands for this model already."""
        return version_that_stands(
            registration.evaluation, registration.decision, self.latest(), self.candidates()
        )

    def _unfinished(self, registration: Registration) -> dict[str, Any] | None:
        """The newest package, when it is this model's and its registration was cut short."""
        package = next(self._packages(self.group.summaries(), {*_DECIDED, PENDING}), None)
        if package is None or package["ModelApprovalStatus"] != PENDING:
            return None
        return package if registration.is_of(package) else None

    def _create(self, archive: bytes, registration: Registration, after: int) -> dict[str, Any]:
        self._write_once(registration.model_key, archive)
        for key, document in registration.documents():
            self._write_once(key, document)
        parameters = package_parameters(
            registration,
            self.store,
            group=self.group.name,
            image=self._serving_image(),
            after=after,
        )
        return self.group.create(parameters)

    def _decided(self, package: dict[str, Any], registration: Registration) -> dict[str, Any]:
        """The package with the gate's decision as its status."""
        status = registration.status
        if package.get("ModelApprovalStatus") == status:
            return package
        return self.group.set_status(
            package, status, registration.reason, registration.properties()
        )

    def _record(self, version: ModelVersion, override: Override) -> None:
        # SageMaker first: cut short, its status and description still tell the decision.
        package = self.group.describe(self.package_arn(version.version))
        status = APPROVED if override.approved else REJECTED
        properties = package["CustomerMetadataProperties"]
        self.group.set_status(package, status, approval_description(override.because), properties)
        append_override(self.store, _overrides_key(package), override)
        if self.studio is not None:
            package = self.group.describe(package["ModelPackageArn"])
            for problem in self.studio.decide(self._version(package), package).problems:
                _LOG.warning(problem)

    def _overridden(self) -> set[int]:
        """The numbers of the versions on which people decided here."""
        keys = (_OVERRIDES_KEY.fullmatch(each.key) for each in self.store.list(OVERRIDES_PREFIX))
        return {int(key[1]) for key in keys if key is not None}

    def _packages(
        self, summaries: Iterable[dict[str, Any]], statuses: Collection[str] = _DECIDED
    ) -> Iterator[dict[str, Any]]:
        """Those of our packages that have one of these approval statuses."""
        for summary in summaries:
            if summary.get("ModelApprovalStatus") in statuses:
                package = self.group.describe(summary["ModelPackageArn"])
                if _is_ours(package):
                    yield package

    def _version(self, package: dict[str, Any]) -> ModelVersion:
        arn = package["ModelPackageArn"]
        if not _is_ours(package):
            raise StorageError(f"{arn} was not registered by this project; delete it")
        key = package["CustomerMetadataProperties"][REGISTRATION_PROPERTY]
        document = self.store.read_json(key)
        if document is None:
            raise StorageError(
                f"{self.store.uri_of(key)}, the record of {arn}, was lost: restore it, or register"
                " the model again: launch the job `release` in Dagster's UI"
            )
        remedy = "restore it, or register the model again: launch the job `release` in Dagster's UI"
        recorded = record_of(dict[str, Any], document, self.store.uri_of(key), remedy=remedy)
        recorded |= {
            "version": package["ModelPackageVersion"],
            "created_at": package["CreationTime"].astimezone(UTC).isoformat(),
            "overrides": read_overrides(self.store, _overrides_key(package)),
        }
        version = record_of(ModelVersion, recorded, self.store.uri_of(key), remedy=remedy)
        return _with_override_in_sagemaker(version, package)

    def _write_once(self, key: str, data: bytes) -> None:
        """Write an object whose key follows from its content."""
        if self.store.find(key) is not None:
            return
        try:
            self.store.write(key, data, create_only=True)
        except StorageError:
            if self.store.find(key) is None:
                raise


def _is_ours(package: dict[str, Any]) -> bool:
    return REGISTRATION_PROPERTY in (package.get("CustomerMetadataProperties") or {})


def _decided_by_person(summary: Mapping[str, Any]) -> bool:
    """Whether a package's status is not the gate's, which its description tells."""
    return was_approved_by_gate(summary) != (summary.get("ModelApprovalStatus") == APPROVED)


def _overrides_key(package: Mapping[str, Any]) -> str:
    # The numbers of a group that was deleted and made anew begin at 1 again.
    registration = package["CustomerMetadataProperties"][REGISTRATION_PROPERTY].split("/")[-2]
    return f"{OVERRIDES_PREFIX}{package['ModelPackageVersion']:06d}-{registration}.json"


def _with_override_in_sagemaker(version: ModelVersion, package: Mapping[str, Any]) -> ModelVersion:
    last = version.last_override
    written = [version.decision.get("reason", ""), *(each.because for each in version.overrides)]
    override = override_in_sagemaker(
        package,
        approved=version.approved,
        since=datetime.fromisoformat(last.at if last else version.created_at),
        told={approval_description(str(text)) for text in written},
    )
    if override is None:
        return version
    return replace(version, overrides=(*version.overrides, override))
