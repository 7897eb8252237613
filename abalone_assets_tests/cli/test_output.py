"""How the commands print."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from abalone_assets.cli import output
from abalone_assets.cli.output import print_facts

PATH = "/home/crew/" + "/".join(f"folder{number}" for number in range(30))
ROWS = [("Report", PATH), ("Live", "[b]version 1[/b]")]


def test_a_pipe_gets_each_fact_whole_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts(ROWS)
    assert capsys.readouterr().out == f"Report  {PATH}\nLive    [b]version 1[/b]\n"


def test_a_terminal_folds_a_long_word_instead_of_cutting_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = StringIO()
    terminal = Console(file=shown, force_terminal=True, width=60, color_system=None)
    monkeypatch.setattr(output, "console", lambda: terminal)
    print_facts(ROWS)
    name, *words = shown.getvalue().split("Live")[0].split()
    assert (name, "".join(words)) == ("Report", PATH)
    assert all(len(line) <= 60 for line in shown.getvalue().splitlines())
