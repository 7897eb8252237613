"""Where the endpoint's captured requests are read."""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    from abalone_assets.monitoring.captures import Captures


class CapturesResource(dg.ConfigurableResource[None]):
    """The captured requests of one endpoint, in a folder or below an ``s3://`` prefix."""

    uri: str = Field(description="Folder or s3:// prefix of captured requests, or ssm:/path/name.")
    endpoint_name: str = Field(description="Name of the endpoint.")
    keep_days: int = Field(
        default=0,
        description="Capture files of older days are deleted once they are in the lake; 0 leaves "
        "that to others, such as a rule of the bucket.",
    )

    def open(self) -> "Captures":
        """The captured requests, opened now."""
        from abalone_assets.monitoring.captures import Captures
        from abalone_assets.storage.object_store import ObjectStore

        return Captures(ObjectStore(self.uri), self.endpoint_name)
