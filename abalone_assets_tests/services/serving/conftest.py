from __future__ import annotations

from abalone_assets_tests.registry.conftest import archives, registry, s3_registry

__all__ = ["archives", "registry", "s3_registry"]
