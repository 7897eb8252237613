"""What tests of versions share: small archives, and registering a model."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from abalone_assets_tests.serving.sagemaker.hosting import constant_archive

if TYPE_CHECKING:
    from abalone_assets.modeling.evaluation.gate_rules import Rule
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion


@cache
def archive(name: str) -> bytes:
    """A small model archive, the same bytes for the same name."""
    return constant_archive(0.0, f"# {name}")


def add(
    registry: ModelRegistry,
    model: str,
    *,
    trained_at: str = "noon",
    release: str = "r1",
    approved: bool = True,
    rule: Rule | Literal[""] = "",
    **evaluation: Any,
) -> ModelVersion:
    """Register a model; its name stands for the digest of its file.

    Without a rule its record is as one of an older release.
    """
    return registry.register(
        archive(f"{model} at {trained_at}"),
        evaluation={"rmse": 2.1, "model_sha256": model, **evaluation},
        decision={"approved": approved, "reason": "as measured", "rule": rule},
        release_digest=release,
    )
