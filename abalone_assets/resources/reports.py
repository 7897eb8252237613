"""Where the reports on evaluations are kept, and at which address people open them."""

from abc import ABC, abstractmethod
from pathlib import Path
from urllib.parse import quote, urlsplit

import dagster as dg
from pydantic import Field

from abalone_assets.lake.reports import PAGE_PATH, Reports, report_key
from abalone_assets.resources.storage import LakeResource
from abalone_assets.serving.state import lasting_url


class ReportPages(dg.ConfigurableResource[None], ABC):
    """The reports in the lake, and their addresses."""

    lake: LakeResource

    def open(self) -> Reports:
        """The reports, opened now."""
        return Reports(self.lake.open().store)

    @abstractmethod
    def url(self, model_sha256: str) -> str:
        """The address of a report for a browser."""


class LocalReportPages(ReportPages):
    """Shown by the endpoint server on this machine."""

    state_file: str = Field(description="File in which a running server says its address.")
    host: str = Field(description="Address of the server when none is running yet.")
    port: int = Field(description="Its port.")

    def url(self, model_sha256: str) -> str:
        """The page of the running server, or of the one that will run."""
        base = lasting_url(Path(self.state_file), self.host, self.port)
        return f"{base}{PAGE_PATH}/{model_sha256}"


class S3ReportPages(ReportPages):
    """Opened from S3 in the AWS console."""

    def url(self, model_sha256: str) -> str:
        """The object's page in the console."""
        from abalone_assets.aws.clients import region
        from abalone_assets.pipes._job import console_host

        place = urlsplit(self.open().lake.uri_of(report_key(model_sha256)))
        here, key = region(), quote(place.path.lstrip("/"))
        page = f"https://{console_host(here)}/s3/object/{place.netloc}"
        return f"{page}?region={here}&prefix={key}"
