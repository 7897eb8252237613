"""`abalone serve` as a process, and `abalone predict` asking it."""

from __future__ import annotations

import errno
import io
import os
import re
import shlex
import socket
import subprocess
from importlib import import_module
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from click.testing import CliRunner

from abalone_assets.ageing.ages_file import ANSWERS
from abalone_assets.cli import main
from abalone_assets.cli.aged_file import AgedFile
from abalone_assets.survey import FEATURES, age_years
from abalone_assets_tests.cli.support import ANIMAL, abalone, abalone_json
from abalone_assets_tests.serving.support import (
    ENDPOINT,
    local_prediction,
    new_registry,
    running_server,
    serving,
    serving_process,
    tiny_archive,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE = ",".join(ANIMAL)
NAMES = ",".join(FEATURES)


@pytest.fixture(scope="module")
def served_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str, float]]:
    """A home whose endpoint is served by `abalone serve`: its folder, what it said, an answer."""
    home = tmp_path_factory.mktemp("served")
    archive = tiny_archive(1)
    with serving_process(home, archive) as served:
        yield home, served.log.read_text(), local_prediction(archive, LINE + "\n")[0]


@pytest.fixture
def answer(served_home: tuple[Path, str, float], monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setenv("ABALONE_HOME", str(served_home[0]))
    return served_home[2]


def test_the_curl_example_that_serve_prints_works(served_home: tuple[Path, str, float]) -> None:
    _, said, expected = served_home
    command = next(line for line in said.splitlines() if line.strip().startswith("curl"))
    _, *arguments = shlex.split(command)
    result = subprocess.run(
        ["curl", "--silent", "--noproxy", "*", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(result.stdout) == pytest.approx(expected)


def test_one_animal_gets_rings_their_interval_and_age(answer: float) -> None:
    (prediction,) = abalone_json("predict", *ANIMAL)["predictions"]
    low, high = prediction.pop("rings_low"), prediction.pop("rings_high")
    assert 0 < low < answer < high
    assert prediction == {
        "rings": answer,
        "age_years": round(age_years(answer), 4),
        "model_version": 1,
    }
    said = abalone("predict", *ANIMAL).output
    within = f"({low:.1f} to {high:.1f} in 9 of 10 animals)"
    age = f"{answer + 1.5:.1f} years old (model version 1)"
    assert said == f"{answer:.1f} rings {within}, {age}\n"


def test_a_model_without_intervals_gives_rings_and_age(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_ENDPOINT_NAME", ENDPOINT)
    archive = tiny_archive(2, calibrated=False)
    with serving(new_registry(tmp_path / "registry"), archive) as server:
        asked = ("predict", "--url", server.url, *ANIMAL)
        (prediction,) = abalone_json(*asked)["predictions"]
        said = abalone(*asked).output
    assert set(prediction) == {"rings", "age_years", "model_version"}
    rings = prediction["rings"]
    assert said == f"{rings:.1f} rings, {rings + 1.5:.1f} years old (model version 1)\n"


def test_a_file_and_stdin_give_one_answer_for_each_line(answer: float, tmp_path: Path) -> None:
    path = tmp_path / "animals.csv"
    path.write_text(f"{LINE}\n\n{LINE}\r\n{LINE}")
    for result in (
        abalone("predict", path),
        abalone("predict", "--file", path),
        abalone("predict", "--file", "-", text=path.read_text()),
        abalone("predict", "-", text=path.read_text()),
    ):
        assert result.exit_code == 0, result.output
        assert result.output.count(f"{answer:.1f}") >= 3
        assert "in 9 of 10 animals" in result.output
        assert "3 animals, model version 1" in result.output


def test_a_file_larger_than_a_request_is_asked_in_batches(
    answer: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("abalone_assets.cli.predict"), "BATCH_ROWS", 2)
    path = tmp_path / "animals.csv"
    path.write_text(f"{LINE}\n" * 5)
    assert len(abalone_json("predict", "--file", path)["predictions"]) == 5


def test_an_impossible_animal_is_refused_before_it_is_asked(answer: float) -> None:
    result = abalone("predict", "M", "-0.4", *ANIMAL[2:])
    assert result.exit_code == 1
    assert "length is '-0.4'; it must be above 0" in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{LINE}\n\nM,1\n", "line 3: found 2 fields"),
        (f"{LINE}\n{LINE}\n{LINE.replace('M', 'X')}\n", "line 3, column sex: sex is 'X'"),
        (f"{NAMES}\n{LINE}\n{LINE.replace('0.365', 'wide')}", "line 3, column diameter"),
        (f'{LINE}\n"M\n', "line 2: not CSV"),
        (f'"sex\n"{NAMES.removeprefix("sex")}\n{LINE}\nM,1\n', "line 4: found 2 fields"),
    ],
)
def test_a_bad_line_of_a_file_is_named_by_its_number_in_the_file(
    answer: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setattr(import_module("abalone_assets.cli.predict"), "BATCH_ROWS", 1)
    path, ages = tmp_path / "animals.csv", tmp_path / "ages.csv"
    path.write_text(text)
    ages.write_text("before")
    result = abalone("predict", "--strict", "--output", ages, path)
    assert result.exit_code == 1
    assert f"{path}, {said}" in result.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ages.csv", "animals.csv"]
    assert ages.read_text() == "before"


@pytest.mark.parametrize("name", ["ages.csv", "ages.parquet", "-"])
def test_a_file_of_many_is_written_with_its_ages(
    answer: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(import_module("abalone_assets.cli.predict"), "BATCH_ROWS", 2)
    path = tmp_path / "animals.csv"
    path.write_text(f"{NAMES},Rings\n" + f"{LINE},9\n" * 5)
    output = name if name == "-" else tmp_path / name
    result = abalone("predict", "--file", path, "--output", output)
    assert result.exit_code == 0, result.output
    assert "5 animals, model version 1\n" in result.stderr
    if name == "-":
        frame = pl.read_csv(result.stdout.encode())
    else:
        frame = (pl.read_parquet if name.endswith("parquet") else pl.read_csv)(output)
    assert frame[frame.columns[0]].cast(int).to_list() == [9] * 5
    assert frame.columns == ["given_Rings", *NAMES.split(","), *ANSWERS, "problem"]
    assert frame["rings"].to_list() == [answer] * 5
    assert frame["sex"].to_list() == ["M"] * 5
    assert frame["shell_weight"].to_list() == [float(ANIMAL[-1])] * 5
    assert {path.name for path in tmp_path.iterdir()} <= {"animals.csv", name}


def test_rings_that_no_header_names_are_not_looked_at(answer: float, tmp_path: Path) -> None:
    path = tmp_path / "animals.csv"
    path.write_text(f"{LINE},9\n{LINE}\n")
    result = abalone("predict", path, "--output", "-")
    assert result.exit_code == 0, result.output
    assert "2 animals, model version 1; the rings of 1 line were not looked at" in result.stderr
    assert pl.read_csv(result.stdout.encode())["rings"].to_list() == [answer] * 2


@pytest.mark.parametrize("name", ["ages.csv", "ages.parquet"])
def test_a_bad_line_costs_the_others_nothing(
    answer: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(import_module("abalone_assets.cli.predict"), "BATCH_ROWS", 3)
    path = tmp_path / "animals.csv"
    bad = LINE.replace("M", "X")
    path.write_text(f"{LINE}\n{bad}\n{LINE}\n{bad}\n{bad}\n{bad}\nM,1\n{LINE}\n{bad}\n")
    result = abalone("predict", path, "--output", tmp_path / name)
    assert result.exit_code == 4
    said = result.stderr
    assert "3 animals, model version 1" in said
    assert f"6 lines without an age:\n  {path}, line 2, column sex: sex is 'X'" in said
    assert "and 1 more" in said
    frame = (pl.read_parquet if name.endswith("parquet") else pl.read_csv)(tmp_path / name)
    aged = [answer, None, answer, None, None, None, None, answer, None]
    assert frame["rings"].to_list() == aged
    assert frame["model_version"].to_list() == [None if each is None else 1 for each in aged]
    assert [each is None for each in frame["problem"]] == [each is not None for each in aged]
    assert frame["problem"][6] == (
        "line 7: found 2 fields; expected 8: sex, length, diameter, height, whole_weight, "
        "shucked_weight, viscera_weight, shell_weight"
    )
    assert frame["sex"].to_list() == [*"MXM", *"XXXM", *"MX"]


def test_a_file_without_a_single_animal_is_written_without_an_age(
    answer: float, tmp_path: Path
) -> None:
    result = abalone("predict", "-", "--output", "-", text="X,1,1,1,1,1,1,1\n")
    assert result.exit_code == 4
    assert "0 animals, so no model was asked" in result.stderr
    assert pl.read_csv(result.stdout.encode())["rings"].to_list() == [None]


MEASURED = "91,73,19,102.8,44.9,20.2,30"


def test_a_file_in_mm_and_g_gives_the_same_ages_as_told(answer: float, tmp_path: Path) -> None:
    path, again = tmp_path / "animals.csv", tmp_path / "again.csv"
    path.write_text(f"M,{MEASURED}\nm,{MEASURED}\n")
    refused = abalone("predict", path)
    assert refused.exit_code == 1
    assert "look like millimetres and grams: say --units mm-g, or tell the units" in refused.stderr
    many = tmp_path / "many.csv"
    many.write_text(f"M,{MEASURED}\n" * 30 + "X,1,1,1,1,1,1,1\n")
    said = " ".join(abalone("predict", many, "--output", "-").stderr.split())
    assert "31 lines without an age:" in said
    assert said.count("say --units mm-g") == 1
    assert "30 lines look like millimetres and grams: say --units mm-g, or tell" in said
    assert "the first: " in said
    assert "line 31, column sex: sex is 'X'" in said
    assert " more" not in said
    first = abalone("predict", "--units", "mm-g", path, "--output", again)
    assert first.exit_code == 0, first.output
    frame = pl.read_csv(again)
    assert frame["rings"].to_list() == [answer] * 2
    assert frame["sex"].to_list() == ["M", "M"]
    assert (frame["length_mm"][0], frame["whole_weight_g"][0]) == (91, 102.8)
    # What is written can be asked about again: its header tells the units.
    told = abalone("predict", again, "--output", "-")
    assert pl.read_csv(told.stdout.encode())["rings"].to_list() == [answer] * 2
    wrong = abalone("predict", again, "--units", "survey")
    assert "its header tells the units mm and g itself" in wrong.stderr


def test_one_animal_in_mm_and_g_is_aged_as_told(answer: float) -> None:
    asked = ("M", *MEASURED.split(","))
    (prediction,) = abalone_json("predict", "--units", "mm-g", *asked)["predictions"]
    assert prediction["rings"] == answer
    refused = abalone("predict", *asked).stderr
    assert "say --units mm-g" in refused
    assert "header" not in refused
    refused = abalone("predict", "--units", "mm-g", *ANIMAL).stderr
    assert "leave out --units" in refused
    assert "header" not in refused
    assert "such as mm-g" in abalone("predict", "--units", "ells", *ANIMAL).stderr


def test_ages_are_written_for_a_spreadsheet_with_decimal_commas(
    answer: float, tmp_path: Path
) -> None:
    output = tmp_path / "ages.csv"
    result = abalone("predict", "-", "--decimal-comma", "--output", output, text=f"{LINE}\n")
    assert result.exit_code == 0, result.output
    frame = pl.read_csv(output, separator=";", decimal_comma=True)
    assert frame["rings"].to_list() == [answer]
    for refused in (["--output", "ages.parquet"], []):
        result = abalone("predict", "-", "--decimal-comma", *refused, text=f"{LINE}\n")
        assert result.exit_code == 2
        assert "--decimal-comma is for --output FILE.csv" in result.stderr


def test_what_else_a_spreadsheet_holds_goes_along(answer: float, tmp_path: Path) -> None:
    path = tmp_path / "animals.csv"
    path.write_bytes(
        b"\xef\xbb\xbfTag;Whole weight (g);LENGTH (mm);Diameter (mm);height (mm);"
        b"Shucked weight (g);Viscera weight (g);Shell weight (g);Sex;Note\r\n"
        b'"A;1";102,8;91;73;19;44,9;20,2;30;M;"calm, ""old"""\r\n'
    )
    result = abalone("predict", path, "--output", "-")
    assert result.exit_code == 0, result.output
    (row,) = pl.read_csv(result.stdout.encode()).to_dicts()
    assert (row["Tag"], row["Note"], row["rings"]) == ("A;1", 'calm, "old"', answer)
    assert (row["whole_weight_g"], row["length_mm"], row["sex"]) == (102.8, 91, "M")


def test_a_file_that_is_not_there_is_a_wrong_call(home: Path) -> None:
    result = abalone("predict", "animals.csv")
    assert result.exit_code == 2
    assert "animals.csv: there is no such file" in result.stderr


def test_ctrl_c_leaves_no_file_behind(
    answer: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, ages = tmp_path / "animals.csv", tmp_path / "ages.csv"
    path.write_text(f"{LINE}\n" * 5)
    monkeypatch.setattr(import_module("abalone_assets.cli.predict"), "BATCH_ROWS", 2)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(AgedFile, "_note", interrupted)
    result = abalone("predict", path, "--output", ages)
    assert result.exit_code == 130
    assert [each.name for each in tmp_path.iterdir()] == ["animals.csv"]


def test_more_than_a_table_holds_asks_for_an_output(
    answer: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("abalone_assets.cli.predict"), "BATCH_ROWS", 2)
    path = tmp_path / "animals.csv"
    path.write_text(f"{LINE}\n" * 3)
    result = abalone("predict", "--file", path)
    assert result.exit_code == 2
    assert "give --output FILE.csv or FILE.parquet" in result.stderr


def test_an_output_that_cannot_be_written_is_one_clear_error(answer: float, tmp_path: Path) -> None:
    result = abalone("predict", "-", "--output", tmp_path / "no" / "ages.csv", text=LINE)
    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in result.stderr


@pytest.mark.parametrize("target", ["", "."])
def test_a_folder_for_an_output_is_refused_before_anything_is_asked(
    answer: float, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.setattr(AgedFile, "_ask", lambda *_: pytest.fail("it was asked"))
    result = abalone("predict", "-", "--output", target, text=LINE)
    assert result.exit_code == 1
    assert "such as ages.csv" in result.stderr


class BreaksOff(io.RawIOBase):
    """Animals that cannot be read to their end."""

    def __init__(self) -> None:
        self._left = (f"{LINE}\n" * 5000).encode()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


@pytest.mark.parametrize("output", [None, "ages.csv"])
def test_a_file_that_cannot_be_read_to_its_end_is_told_as_that(
    answer: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str | None
) -> None:
    monkeypatch.setattr(import_module("abalone_assets.cli.predict"), "BATCH_ROWS", 2000)
    to = ["--output", str(tmp_path / output)] if output else ["--json"]
    given: Any = io.BufferedReader(BreaksOff())
    result = CliRunner().invoke(main, ["predict", "-", *to], input=given)
    assert result.exit_code == 1
    assert "cannot be read: Input/output error" in result.stderr
    assert "ages.csv" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_may_not_be_read_is_one_clear_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    animals = home / "animals.csv"
    animals.touch()

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:  # which user runs the tests nobody knows
        patch.setattr(type(animals), "open", refused)
        result = abalone("predict", animals)
    assert result.exit_code == 1
    assert f"{animals}: cannot be read: Permission denied" in result.stderr


def test_status_says_which_version_answers(answer: float) -> None:
    live = abalone_json("status")["live"]
    assert (live["version"], live["requested_version"], live["rmse"]) == (1, 1, 2.1)
    assert "version 1 (RMSE 2.100 rings, " in abalone("status").output


def test_a_second_server_of_the_same_home_is_refused(answer: float) -> None:
    result = abalone("serve", "--port", "0")
    assert result.exit_code == 1
    assert "is served already at http" in result.stderr


def test_a_taken_port_is_one_clear_error(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        result = abalone("serve", "--port", str(listener.getsockname()[1]))
    assert result.exit_code == 1
    assert "already in use" in result.stderr


def test_without_a_server_predict_says_how_to_start_one(home: Path) -> None:
    for arguments in ([], ["--url", "http://127.0.0.1:9"]):
        result = abalone("predict", *arguments, *ANIMAL)
        assert result.exit_code == 1
        assert "start one with `abalone serve`" in result.stderr


def test_in_the_profile_aws_predict_says_who_is_to_be_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_PROFILE", "aws")
    result = abalone("predict", *ANIMAL)
    assert result.exit_code == 1
    assert "sagemaker-runtime" in result.stderr


def test_an_endpoint_without_a_model_is_one_clear_error(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_ENDPOINT_NAME", ENDPOINT)
    with running_server(new_registry(tmp_path / "registry")) as server:
        result = abalone("predict", "--url", server.url, *ANIMAL)
    assert result.exit_code == 1
    assert result.stderr.count(f"endpoint {ENDPOINT}") == 1
    assert "has no model yet" in result.stderr


def test_an_empty_file_has_no_rows(answer: float, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    result = abalone("predict", "--file", tmp_path / "empty.csv")
    assert "no rows in it" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--file", "-"), "file"),
        (("--output", "ages.csv"), "--output is for a file of animals"),
        (("--strict",), "--strict is for --output"),
        *(
            (("--url", url), "is not an http:// URL")
            for url in ("nonsense", "ftp://host", "http://")
        ),
    ],
)
def test_a_wrong_call_is_told_as_such(home: Path, arguments: tuple[str, ...], said: str) -> None:
    result = abalone("predict", *arguments, *ANIMAL, text="")
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.usefixtures("home")
def test_an_unknown_option_of_predict_is_named() -> None:
    result = abalone("predict", "--ouput", "ages.csv", "--file", "-")
    assert result.exit_code == 2
    assert re.search(r"No such option.* .?--ouput", result.output)
