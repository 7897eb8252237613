"""Spark as Glue brings it: on this machine, with ``s3://`` paths that lead to the stand-in."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets.etl.java import ensure_java

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets_tests.fakes.standin import AwsStandIn

JARS: Final = Path(sys.prefix) / "share" / "hadoop-aws"
_JAR_NAMES: Final = ("hadoop-aws-3.3.1.jar", "aws-java-sdk-bundle-1.11.901.jar")

_PROVIDER: Final = "com.amazonaws.auth.EnvironmentVariableCredentialsProvider"

LOCAL: Final = {
    "spark.master": "local[2]",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # A test's JVM ends before the optimising compiler pays, or threads that collect garbage do.
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}


class MissingJarsError(Exception):
    """The jars that give Spark S3 are not installed."""


def spark_environment(
    aws: AwsStandIn, folder: Path, given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Variables by which PySpark finds Java, and settings that lead to the stand-in.

    Every Glue run gets them; a process that a test starts itself needs to be given them.

    Args:
        aws: The stand-in.
        folder: For the settings and Spark's temporary files.
        given: More settings, such as Glue's own and those of a job.

    Raises:
        MissingJarsError: Spark could not read S3.
    """
    jars = [JARS / name for name in _JAR_NAMES]
    if missing := [jar for jar in jars if not jar.exists()]:
        raise MissingJarsError(f"{missing[0]} is missing: `make test` fetches it")
    conf = folder / "spark"
    conf.mkdir(parents=True, exist_ok=True)
    settings = {**LOCAL, **_s3(aws.url), **(given or {}), "spark.jars": ",".join(map(str, jars))}
    settings["spark.local.dir"] = str(conf)
    _write(conf / "spark-defaults.conf", settings)
    return {"SPARK_CONF_DIR": str(conf), **_java()}


def _s3(url: str) -> dict[str, str]:
    s3a = "spark.hadoop.fs.s3a"
    return {
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        f"{s3a}.endpoint": url,
        f"{s3a}.path.style.access": "true",
        f"{s3a}.connection.ssl.enabled": "false",
        f"{s3a}.aws.credentials.provider": _PROVIDER,
        f"{s3a}.fast.upload.buffer": "bytebuffer",
    }


def _write(path: Path, settings: Mapping[str, str]) -> None:
    path.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))


@cache
def _java() -> dict[str, str]:
    ensure_java()
    return {"JAVA_HOME": os.environ["JAVA_HOME"]} if "JAVA_HOME" in os.environ else {}
