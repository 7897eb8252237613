"""The container images of SageMaker's frameworks, looked up offline."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

POLICY: Final = "https://aws.github.io/deep-learning-containers/reference/support_policy"
"""AWS's table of the ends of patches; a row for each version in docs/src/data of its repository."""


@dataclass(frozen=True)
class FrameworkImage:
    """One version of SageMaker's image of a framework.

    Attributes:
        repository: Its name in each region's registry.
        version: As sagemaker-core spells it.
        ends: The last day of patches, by `POLICY`.
        py_version: As sagemaker-core wants to be told.
    """

    repository: str
    version: str
    ends: date
    py_version: str | None = None

    def is_of(self, uri: str) -> bool:
        """Whether an image's URI names this version of it, wherever it is stored."""
        repository, tag = _split(uri)
        return repository == self.repository and bool(
            re.fullmatch(rf"{re.escape(self.version)}([.-].*)?", tag)
        )


IMAGES: Final[Mapping[str, FrameworkImage]] = {
    "xgboost": FrameworkImage("sagemaker-xgboost", "3.2-0", date(2027, 5, 13)),
    "tensorflow": FrameworkImage("tensorflow-training", "2.21", date(2027, 7, 10), "py312"),
}
"""The newest supported image of each container.

``xgboost`` trains `blend` and `xgboost`, evaluates, and serves every model: a network's archive
holds plain arrays, and the image has NumPy. ``tensorflow`` trains networks and serves nothing, so
that no image of TensorFlow Serving needs to exist for its version.
"""

EARLIER: Final = (
    FrameworkImage("sagemaker-xgboost", "3.0-5", date(2026, 11, 17)),
    FrameworkImage("tensorflow-training", "2.19", date(2026, 3, 11)),
)
"""Others that AWS has patched, which a setting may name."""

FIRST_PARTY: Final = frozenset({"sagemaker-xgboost"})
"""Repositories that SageMaker counts among its own algorithms, in script mode too."""


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
    image = IMAGES[framework]
    try:
        return str(
            image_uris.retrieve(
                framework,
                region,
                version=image.version,
                py_version=image.py_version,
                instance_type=instance_type,
                image_scope="training",
            )
        )
    except (KeyError, ValueError) as error:
        raise SettingsError(
            f"sagemaker-core knows no {framework} {image.version} image for {region}: "
            f"{error}; set ABALONE_{framework.upper()}_IMAGE"
        ) from error


def takes_metric_definitions(uri: str) -> bool:
    """Whether a training job of this image may say which lines of its log are metrics.

    SageMaker defines those of its own algorithms itself and refuses others, also in script mode. A
    mirrored image counts as what it mirrors: without definitions, a job is never refused.
    """
    return _split(uri)[0] not in FIRST_PARTY


def support_ends(uri: str) -> date | None:
    """The last day on which AWS patches an image; None for one that the tables do not know."""
    return next((known.ends for known in (*IMAGES.values(), *EARLIER) if known.is_of(uri)), None)


def _split(uri: str) -> tuple[str, str]:
    """The repository's own name, without registry and folders, and the tag."""
    name = uri.partition("@")[0].rpartition("/")[2]
    repository, _, tag = name.partition(":")
    return repository, tag
