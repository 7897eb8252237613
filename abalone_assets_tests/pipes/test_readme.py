"""The README's example is run, word for word."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dagster as dg
import pytest

import abalone_assets.pipes
from abalone_assets.pipes._job import JobSummary, Usage
from abalone_assets_tests.fakes.toolkits import Toolkits, toolkits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets_tests.fakes.standin import AwsStandIn

README: Final = Path(abalone_assets.pipes.__file__).with_name("README.md")
BLOCK: Final = re.compile(r"(?ms)^`(?P<name>\w+\.py)`.*?```python\n(?P<code>.*?)```")


def reach_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give containers a place that has setuptools."""
    environment = Toolkits.environment

    def with_index(self: Toolkits, opt_ml: Path, given: Mapping[str, str]) -> dict[str, str]:
        return environment(self, opt_ml, {"PIP_FIND_LINKS": str(toolkits().wheels), **given})

    monkeypatch.setattr(Toolkits, "environment", with_index)


def test_the_example_runs(aws: AwsStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for block in BLOCK.finditer(README.read_text()):
        (tmp_path / block["name"]).write_text(block["code"])
    aws.s3.create_bucket(Bucket="my-bucket")
    monkeypatch.chdir(tmp_path)
    # The example's script comes without a build backend, so its container needs an index.
    reach_index(monkeypatch)

    defs = runpy.run_path("assets.py")["defs"]
    for client in defs.resources.values():
        client.poll_interval, client.log_grace = 0.2, 1.0
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance)
        log = "\n".join(entry.user_message for entry in instance.all_logs(result.run_id))

    [model] = result.asset_materializations_for_node("model")
    [evaluation] = result.asset_materializations_for_node("evaluation")
    assert model.metadata["rmse"].value == 2.1
    assert evaluation.metadata["rmse"].value == 2.2
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]
    assert "training on 4177 rows" in log
    assert "[algo-1] any output is in the run's log" in log


def test_every_metadata_of_a_job_is_in_the_readme() -> None:
    usage = Usage("ml.m5.large", 1, 20, 10, {"ml.m5.large": 1})
    summary = JobSummary(
        "j", "arn", "j", "url", "url", usage, 0.1, 1, attached=False, description={}
    )
    readme = README.read_text()
    assert [name for name in summary.metadata() if f"`{name}`" not in readme] == []
