"""What MLflow was told last, and whether that is all: looked at without asking MLflow."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from abalone_assets.back_off import doubled
from abalone_assets.lake.reports import Reports
from abalone_assets.registry.open import open_registry
from abalone_assets.registry.versions import MODEL_DIGEST
from abalone_assets.serving.live_version import live_version
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from abalone_assets.settings.platform import Settings

TOLD_KEY: Final = "mlflow.json"
FORMAT: Final = 2
"""Of what is sent, too: another number sends every version anew."""

LONGEST_WAIT: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Told:
    """How the last attempt went.

    Attributes:
        server: `MlflowServer.identity` of the server.
        state: `state_of` what it was told of last, wholly.
        failures: Attempts since that failed.
        tried_at: When the last of them began, ISO 8601 in UTC; empty before the first.
    """

    server: str = ""
    state: str = ""
    failures: int = 0
    tried_at: str = ""
    format: int = FORMAT

    def waits_until(self, server: str, first_wait: timedelta, now: datetime) -> datetime | None:
        """When to try again after failures; None when that is now. The wait doubles each time."""
        if not self.failures or self.server != server:
            return None
        wait = doubled(first_wait, self.failures - 1, LONGEST_WAIT)
        until = datetime.fromisoformat(self.tried_at) + wait
        return until if until > now else None

    def after(self, server: str, state: str, *, succeeded: bool) -> Told:
        """The record of an attempt that ends now."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        if succeeded:
            return Told(server, state, 0, now)
        before = self.failures if self.server == server else 0
        known = self.state if self.server == server else ""
        return Told(server, known, before + 1, now)


def read_told(lake: ObjectStore) -> Told:
    """The record of the last attempt; an empty one when there was none.

    Raises:
        StorageError: It is damaged, or the lake refuses.
    """
    document = lake.read_json(TOLD_KEY)
    if document is None:
        return Told()
    remedy = "delete it, and everything is looked at anew"
    told = record_of(Told, document, lake.uri_of(TOLD_KEY), remedy=remedy)
    return told if told.format == FORMAT else Told()


def write_told(lake: ObjectStore, told: Told) -> None:
    """Keep the record.

    Raises:
        StorageError: The lake refuses.
    """
    lake.write_json(TOLD_KEY, asdict(told))


def state_of(settings: Settings) -> str:
    """What there is to tell, as a digest: the newest version, people's decisions, what is live.

    It looks at few objects, however many versions there are. Empty while there is no version.

    Raises:
        EndpointError: AWS refuses to say what is live.
        StorageError: Lake or registry refuses, or a record is damaged.
        SettingsError: An SSM parameter cannot be read.
    """
    registry = open_registry(settings)
    latest = registry.latest()
    if latest is None:
        return ""
    report = Reports(ObjectStore(settings.lake_uri)).has(str(latest.evaluation.get(MODEL_DIGEST)))
    said = [[each.version, each.status, each.reason] for each in (*registry.candidates(), latest)]
    told = json.dumps([said, live_version(settings), report])
    return hashlib.sha256(told.encode()).hexdigest()[:16]
