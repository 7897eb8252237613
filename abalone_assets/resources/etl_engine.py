"""Where the preparation runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

import dagster as dg
from pydantic import Field

from abalone_assets.errors import SettingsError
from abalone_assets.resources.jobs import JobReport

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from abalone_assets.etl.request import PrepareReport, PrepareRequest


SPARK_DEFAULTS: Final = {
    "spark.app.name": "abalone",
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
}


class EtlEngine(dg.ConfigurableResource[None], ABC):
    """Runs the preparation: URIs in, counts and schemas out; no frame crosses this line."""

    @abstractmethod
    def prepare(
        self, request: PrepareRequest, context: dg.AssetExecutionContext
    ) -> tuple[PrepareReport, JobReport]:
        """Merge the inputs, remove exact repeats and split.

        Args:
            request: What to read and where to write.
            context: Of the asset that asks; a job of its own is bound to its run.

        Returns:
            What it did, and the job that did it.

        Raises:
            StorageError: An input cannot be read or an output cannot be written.
            Failure: A job of its own did not run to its end; reason, log and metadata say more.
        """


class PolarsEngine(EtlEngine):
    """Polars in this process, lazy and streaming."""

    def prepare(
        self,
        request: PrepareRequest,
        context: dg.AssetExecutionContext,  # noqa: ARG002 - runs here
    ) -> tuple[PrepareReport, JobReport]:
        """Run it here."""
        from abalone_assets.etl import polars_engine

        report = polars_engine.prepare(request)
        return report, JobReport(report.seconds)


class SparkEngine(EtlEngine):
    """Spark with any master, by default this machine; the expressions are `PolarsEngine`'s."""

    spark_config: dict[str, str] = Field(
        default={}, description="Spark's settings, such as spark.master; they win over ours."
    )

    def prepare(
        self,
        request: PrepareRequest,
        context: dg.AssetExecutionContext,  # noqa: ARG002 - the session is this process's
    ) -> tuple[PrepareReport, JobReport]:
        """Run it in this process's Spark session.

        Raises:
            SettingsError: Spark is not installed, or does not start.
        """
        spark = _spark_session({**SPARK_DEFAULTS, **self.spark_config})
        from abalone_assets.etl import spark_engine

        report = spark_engine.prepare(spark, request)
        return report, JobReport(report.seconds)


def _spark_session(config: dict[str, str]) -> SparkSession:
    from abalone_assets.etl.java import ensure_java

    try:
        from dagster_pyspark import LazyPySparkResource
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
    except ImportError as error:
        raise SettingsError(
            f"the Spark engine needs {error.name}: pip install 'abalone-assets[spark]'"
        ) from error
    ensure_java()
    try:
        session: SparkSession = LazyPySparkResource(spark_config=config).spark_session
    except (Py4JError, PySparkException) as error:
        raise SettingsError(
            f"Spark does not start: {error} Check spark_config, and what Spark itself has written"
        ) from error
    return session
