"""Loading the code location in the profile aws asks nobody and needs no credentials."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import socket, sys

def refuse(self, address):
    if self.family != socket.AF_UNIX:
        raise AssertionError(f"connected to {address}")

socket.socket.connect = socket.socket.connect_ex = refuse
from abalone_assets import definitions
definitions.defs().get_repository_def().load_all_definitions()
loaded = {"boto3", "botocore", "sagemaker", "pyspark", "torch", "keras"} & set(sys.modules)
print(sorted(loaded), definitions.defs().resolve_asset_graph() is not None)
"""


def test_definitions_load_without_region_credentials_network_or_boto3(tmp_path: Path) -> None:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ABALONE_", "AWS_"))
    }
    empty = str(tmp_path / "nothing")
    environment = {
        **kept,
        "HOME": str(tmp_path),
        "AWS_CONFIG_FILE": empty,
        "AWS_SHARED_CREDENTIALS_FILE": empty,
        "ABALONE_PROFILE": "aws",
        "ABALONE_HOME": str(tmp_path / "home"),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[] True\n"
    assert not (tmp_path / "home").exists()
