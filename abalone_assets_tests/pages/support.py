"""What the tests of the pages share: the server of a home, as a client sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.testclient import TestClient

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.lake.lake import Lake
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.app import build_app
from abalone_assets.serving.model_host import ModelHost
from abalone_assets.serving.server import pages_of
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.cli.support import ingest

if TYPE_CHECKING:
    from pathlib import Path

    from httpx2 import Response

HERE = "http://127.0.0.1:8080"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@dataclass(frozen=True)
class Site:
    """The pages of a home, and what lies in it."""

    home: Path
    client: TestClient

    @classmethod
    def of(cls, home: Path, address: str = "127.0.0.1", url: str = HERE) -> Site:
        """The pages of a server that listens on an address, asked under a URL."""
        settings = load_settings()
        registry = FolderRegistry(ObjectStore(settings.registry_uri))
        host = ModelHost(registry, settings.endpoint_name)
        app = build_app(host, None, pages_of(settings, registry, address))
        return cls(home, TestClient(app, url, headers=BROWSER, follow_redirects=False))

    @property
    def zone(self) -> FolderLandingZone:
        return FolderLandingZone(self.home / "landing_zone")

    @property
    def lake(self) -> Lake:
        return Lake(str(self.home / "lake"))

    @property
    def registry(self) -> FolderRegistry:
        return FolderRegistry(ObjectStore(self.home / "registry"))

    def get(self, path: str) -> Response:
        return self.client.get(path)

    def text(self, path: str) -> str:
        """A page that is there."""
        response = self.get(path)
        assert response.status_code == 200, response.text
        return response.text

    def land(self, name: str, content: str, *, ingested: bool = True) -> None:
        self.zone.land(name, content.encode())
        if ingested:
            ingest(self.home, f"{name[8:12]}-{name[12:14]}-{name[14:16]}")
