"""Which landing zone a URI means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from abalone_assets.ingest.landing_zone import LandingZone


def open_landing_zone(uri: str, queue_url: str = "") -> LandingZone:
    """The landing zone at a folder's path, a ``file://`` or an ``s3://`` URI.

    Args:
        uri: The place, or a reference ``ssm:/path/name`` to it.
        queue_url: The SQS queue that S3 tells of landed files, or a reference to it; may be empty.

    Raises:
        StorageError: The URI is none of these.
        SettingsError: The SSM parameter is missing or cannot be read.
    """
    store = ObjectStore(uri)
    if store.root is not None:
        return FolderLandingZone(store.root)
    from abalone_assets.ingest.s3_landing_zone import S3LandingZone

    return S3LandingZone(store.uri, queue_url)
