"""All kinds of things in lake, registry and home that do not stay for ever."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from abalone_assets.lake.lake import Lake
from abalone_assets.monitoring.captures import Captures
from abalone_assets.pages.surveys.staged_uploads import StagedUploads
from abalone_assets.registry.open import open_registry
from abalone_assets.registry.versions import MODEL_DIGEST
from abalone_assets.retention.kept_inputs import kept_inputs
from abalone_assets.retention.lake_objects import (
    compared_versions,
    reports,
    request_rows,
    trained_archives,
)
from abalone_assets.retention.local_files import capture_files, staged_files
from abalone_assets.retention.versions import (
    VersionRules,
    reasons_to_keep,
    version_archives,
    versions_needed,
)
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from abalone_assets.retention.kind import Kind
    from abalone_assets.settings.platform import Settings


def stored_kinds(settings: Settings, now: datetime | None = None) -> list[Kind]:
    """What lies in lake and registry and, in the profile local, in the home beside them.

    Raises:
        EndpointError: AWS refuses to say what is live.
        StorageError: A store refuses, or a record is damaged: nothing is said to be surplus then.
    """
    now = now or datetime.now(UTC)
    lake, registry = Lake(settings.lake_uri), open_registry(settings)
    versions = registry.versions()
    needed = versions_needed(registry, settings, compared_versions(lake))
    rules = VersionRules(settings.keep_versions, settings.keep_version_days)
    reasons = reasons_to_keep(versions, needed, rules, now)
    kept = [version for version in versions if version.version in reasons]
    kinds = [
        version_archives(registry, reasons, settings, now),
        kept_inputs(lake, registry, reasons.keys(), now),
        trained_archives(lake, now),
        reports(lake, {str(each.evaluation.get(MODEL_DIGEST)) for each in kept}, now),
        request_rows(lake, settings.keep_request_days, now),
    ]
    if settings.profile == "local":  # on AWS, rules of the bucket see to these
        captures = Captures(ObjectStore(str(settings.capture_folder)), settings.endpoint_name)
        kinds += [
            capture_files(
                captures,
                lake,
                settings.capture_days,
                now,
                keep_request_days=settings.keep_request_days,
            ),
            staged_files(
                [lake.store, registry.store],
                ObjectStore(settings.landing_zone_uri),
                StagedUploads.of(settings.home),
            ),
        ]
    return kinds
