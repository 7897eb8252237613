"""The resources of each profile: the only place that knows local from aws."""

from collections.abc import Mapping
from typing import Any

from abalone_assets.resources.base_survey import BaseSurveySource
from abalone_assets.resources.catalog import DuckDBCatalog
from abalone_assets.resources.etl_engine import PolarsEngine
from abalone_assets.resources.ml_platform import LocalMLPlatform
from abalone_assets.resources.models import Gate, LocalEndpointHost, LocalModelRegistry
from abalone_assets.resources.storage import (
    JsonIOManager,
    LakeResource,
    LandingZoneResource,
    ParquetIOManager,
)
from abalone_assets.settings import Settings


def profile_resources(settings: Settings) -> Mapping[str, Any]:
    """The resources, by the names that assets and sensors ask for.

    Both profiles compute in the run's own process for now; `aws` keeps lake, landing zone and
    registry on S3.
    """
    lake = LakeResource(uri=settings.lake_uri)
    registry = LocalModelRegistry(uri=settings.registry_uri)
    return {
        "lake": lake,
        "landing_zone": LandingZoneResource(uri=settings.landing_zone_uri),
        "parquet": ParquetIOManager(lake=lake),
        "json": JsonIOManager(lake=lake),
        "catalog": DuckDBCatalog(lake=lake, file=str(settings.catalog_file)),
        "base_survey": BaseSurveySource(
            uri=settings.raw_uri, sha256=settings.raw_sha256, fallback=settings.raw_fallback
        ),
        "etl_engine": PolarsEngine(),
        "ml_platform": LocalMLPlatform(),
        "gate": Gate(
            max_rmse=settings.gate_max_rmse, champion_tolerance=settings.gate_champion_tolerance
        ),
        "model_registry": registry,
        "endpoint_host": LocalEndpointHost(
            registry=registry,
            endpoint_name=settings.endpoint_name,
            state_file=str(settings.endpoint_state_file),
            timeout_seconds=settings.endpoint_timeout_seconds,
        ),
    }
