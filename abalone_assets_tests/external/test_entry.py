import logging
from pathlib import Path

import pytest

from abalone_assets.errors import AbaloneError
from abalone_assets.external.entry import run_as_script


def fail() -> None:
    raise AbaloneError("the channel is empty")


def test_a_failure_is_told_where_sagemaker_looks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(SystemExit) as exited:
        run_as_script(fail, tmp_path / "failure")
    assert exited.value.code == 1
    assert (tmp_path / "failure").read_text() == "the channel is empty"
    assert caplog.messages == ["AbaloneError: the channel is empty"]


def test_without_a_failure_or_its_folder_nothing_is_written(tmp_path: Path) -> None:
    run_as_script(lambda: None, tmp_path / "failure")
    with pytest.raises(SystemExit):
        run_as_script(fail, tmp_path / "nowhere/failure")
    assert not list(tmp_path.iterdir())


def test_a_bug_keeps_its_stack_trace(tmp_path: Path) -> None:
    def bug() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_as_script(bug, tmp_path / "failure")
