"""The container images of SageMaker's frameworks, looked up offline."""

from __future__ import annotations

from functools import cache
from typing import Final

from abalone_assets.errors import SettingsError

VERSIONS: Final = {"xgboost": "3.2-0", "tensorflow": "2.19"}
"""Framework versions: XGBoost's as the project's own, TensorFlow's newest that trains Keras 3."""


@cache
def image_uri(framework: str, *, region: str, instance_type: str, override: str = "") -> str:
    """The image of a framework's training container, which also processes and serves.

    Args:
        framework: ``xgboost`` or ``tensorflow``.
        region: Where it runs; each region has a registry of its own.
        instance_type: Decides between images for CPU and GPU.
        override: Wins, when it is not empty.

    Raises:
        SettingsError: sagemaker-core is missing, or has no such image for the region.
    """
    if override:
        return override
    try:
        from sagemaker.core import image_uris
    except ImportError as error:
        raise SettingsError(
            "the profile aws needs sagemaker-core: pip install 'abalone-assets[aws]', or set "
            f"ABALONE_{framework.upper()}_IMAGE"
        ) from error
    try:
        return str(
            image_uris.retrieve(
                framework,
                region,
                version=VERSIONS[framework],
                py_version="py312" if framework == "tensorflow" else None,
                instance_type=instance_type,
                image_scope="training",
            )
        )
    except (KeyError, ValueError) as error:
        raise SettingsError(
            f"sagemaker-core knows no {framework} {VERSIONS[framework]} image for {region}: "
            f"{error}; set ABALONE_{framework.upper()}_IMAGE"
        ) from error
