from __future__ import annotations

from abalone_assets_tests.serving.conftest import archives, registry

__all__ = ["archives", "registry"]
