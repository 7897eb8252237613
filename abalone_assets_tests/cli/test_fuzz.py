"""Whatever is said to be a day on the command line, it is one, or the command says why not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings

from abalone_assets_tests.cli.support import GOOD_ROW, abalone, ingest
from abalone_assets_tests.support.strategies import partition_keys

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = int(os.environ.get("ABALONE_TEST_EXAMPLES", "60"))
DAY = "2025-03-03"


@pytest.mark.timeout(0 if EXAMPLES > 1000 else 300)
@pytest.mark.parametrize("command", ["status", "forget"])
def test_a_command_over_anything_but_a_day_says_so(home: Path, command: str) -> None:
    (home / "landing_zone" / f"abalone.{DAY.replace('-', '')}061500").write_text(GOOD_ROW)
    ingest(home, DAY)

    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(partition_keys)
    def ask(day: str) -> None:
        result = abalone(command, "--", day)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert result.exit_code in {0, 1, 2}
        assert (result.exit_code == 0) == (command == "status" and day == DAY)

    ask()
