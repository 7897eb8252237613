"""docs/adding-a-framework.md is done, word for word, in a copy of the project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.docs.walkthrough import (
    bash,
    changed_files,
    contents,
    copied_project,
    walk,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.service

ASK = """.venv/bin/python - <<'EOF'
import json
from pathlib import Path
from starlette.testclient import TestClient
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.search import PARTS, SPACES
from abalone_assets.serving.app import build_app
from abalone_assets.serving.capture import DataCapture
from abalone_assets.serving.model_host import ModelHost
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore

registry = FolderRegistry(ObjectStore("registry"))
archive = Path("test-output/ridge/model.tar.gz").read_bytes()
registry.register(archive, evaluation={}, decision={"approved": True}, release_digest="")
publish_pointer(registry.store, "abalone", 1)
host = ModelHost(registry, "abalone")
host.refresh()
app = TestClient(build_app(host, DataCapture(ObjectStore("captured"), "abalone")))
answer = app.post(
    "/endpoints/abalone/invocations",
    content="M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15",
    headers={"Content-Type": "text/csv", "Accept": "application/json"},
)
print(json.dumps(answer.json()["predictions"][0]))
print(PARTS["ridge"], [each.name for each in SPACES["ridge"]], load_settings().framework)
EOF"""


def test_a_framework_is_added_in_three_files_as_the_page_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = copied_project(tmp_path)
    files = contents(copy)
    walk("adding-a-framework.md", copy)
    assert changed_files(copy, files) == {
        "abalone_assets/modeling/frameworks/ridge.py",
        "abalone_assets/modeling/hyperparameters.py",
        "docs/settings.md",
    }
    monkeypatch.setenv("ABALONE_FRAMEWORK", "ridge")
    answer, searched = bash(copy, ASK).splitlines()[-2:]
    told = json.loads(answer)
    assert 6 < told["rings_low"] < told["rings"] < told["rings_high"] < 16
    assert searched == "('ridge',) ['penalty'] ridge"
