"""Ages are written beside the animals as they were given, in one way and the other alike."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from abalone_assets.ageing.ages_file import Ages, output_columns, writing_ages
from abalone_assets.ageing.animals_file import AnimalsFile
from abalone_assets.ageing.batch import MANY
from abalone_assets.errors import StorageError
from abalone_assets_tests.ageing.test_animals_file import LINES

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.ageing.batch import Batch

HEADER = (
    "rings,Age_Years,id,sex,length_mm,diameter_mm,height_mm,whole_g,shucked_g,viscera_g,shell_g\n"
)


def written(lines: str, ages: Ages | None, *, as_csv_does: bool) -> str:
    stream = io.StringIO()
    file = AnimalsFile(io.BytesIO(lines.encode()), "animals.csv")
    (batch,) = file.batches()
    assert batch.as_given
    if as_csv_does:
        batch = replace(batch, fields=batch.given, as_given=())
    with writing_ages("-", file.header, stream) as write:
        write(batch, ages)
    return stream.getvalue()


RINGS = [9.5, 10.25, 0.0001, 29.0, 8.1234, 1234.5, -0.5, 0.0]
ENDS = [(ring - 0.25, ring + 2.0) for ring in RINGS]


@pytest.mark.parametrize("times", [1, MANY // len(RINGS)])
@pytest.mark.parametrize("has_intervals", [True, False])
def test_plain_lines_are_written_as_csv_writes_them(times: int, *, has_intervals: bool) -> None:
    ages = Ages(RINGS * times, ENDS * times if has_intervals else None, 3)
    lines = LINES * (len(RINGS) // 2 * times)
    by_csv = written(lines, ages, as_csv_does=True)
    pairs = zip(
        written(lines, ages, as_csv_does=False).split("\n"), by_csv.split("\n"), strict=True
    )
    assert [(ours, wanted) for ours, wanted in pairs if ours != wanted][:3] == []
    head, first, *_ = by_csv.splitlines()
    assert head.endswith("shell_weight,rings,rings_low,rings_high,age_years,model_version,problem")
    ends = "9.25,11.5" if has_intervals else ","
    assert first == f"{LINES.splitlines()[0]},9.5,{ends},11.0,3,"


def test_decimal_commas_are_for_numbers_and_come_with_semicolons(tmp_path: Path) -> None:
    text = "id;sex;length;diameter;height;whole_weight;shucked_weight;viscera_weight;shell_weight\n"
    text += "a.1;M;0,455;0,365;0,095;0,514;0,2245;0,101;0,15\nß;X;1;1;1;1;1;1;1\n"
    file = AnimalsFile(io.BytesIO(text.encode()), "animals.csv")
    (batch,) = file.batches()
    stream, path = io.StringIO(), tmp_path / "ages.csv"
    ages = Ages([9.5], [(7.5, 12.0)], 3)
    with writing_ages("-", file.header, stream, decimal_comma=True) as write:
        write(batch, ages)
    with writing_ages(str(path), file.header, stream, decimal_comma=True) as write:
        write(batch, ages)
    assert path.read_bytes() == b"\xef\xbb\xbf" + stream.getvalue().encode()
    head, good, bad = stream.getvalue().splitlines()
    assert head.startswith("id;sex;length;")
    assert good == "a.1;M;0,455;0,365;0,095;0,514;0,2245;0,101;0,15;9,5;7,5;12,0;11,0;3;"
    assert bad.startswith("ß;X;1;1;1;1;1;1;1;;;;;;\"line 3, column sex: sex is 'X'; it must be")
    with path.open("rb") as again, AnimalsFile(again, "ages.csv") as file:
        assert file.decimal == ","


def animals() -> tuple[AnimalsFile, Batch]:
    file = AnimalsFile(io.BytesIO(LINES.encode()), "animals.csv")
    (batch,) = file.batches()
    return file, batch


@pytest.mark.parametrize("name", ["ages.parquet", "AGES.PARQUET", "ages.Parquet"])
def test_parquet_is_known_by_its_name_however_that_is_written(tmp_path: Path, name: str) -> None:
    file, batch = animals()
    with writing_ages(str(tmp_path / name), file.header, io.StringIO()) as write:
        write(batch, Ages([9.5] * len(batch), None, 3))
    assert pl.read_parquet(tmp_path / name)["rings"].to_list() == [9.5] * len(batch)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_named_pipe_is_written_to_and_stays_one(tmp_path: Path, suffix: str) -> None:
    file, batch = animals()
    pipe = tmp_path / f"ages.{suffix}"
    os.mkfifo(pipe)
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        with writing_ages(str(pipe), file.header, io.StringIO()) as write:
            write(batch, Ages([9.5] * len(batch), None, 3))
        read = (pl.read_parquet if suffix == "parquet" else pl.read_csv)(reader.read())
    assert read["rings"].to_list() == [9.5] * len(batch)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_link_stays_one_and_its_file_is_replaced(tmp_path: Path) -> None:
    file, batch = animals()
    link, ages = tmp_path / "link.csv", tmp_path / "ages.csv"
    ages.write_text("before")
    link.symlink_to(ages)
    with writing_ages(str(link), file.header, io.StringIO()) as write:
        write(batch, Ages([9.5] * len(batch), None, 3))
        assert ages.read_text() == "before"
    assert link.is_symlink()
    assert ages.read_text().startswith("sex,")


@pytest.mark.parametrize("target", ["", ".", "/", "folder"])
def test_a_folder_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    file, _ = animals()
    with (
        pytest.raises(StorageError, match=r"such as ages\.csv"),
        writing_ages(target, file.header, io.StringIO()),
    ):
        pytest.fail("it is refused first")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_only_what_fails_in_its_writing_is_told_as_that(tmp_path: Path, suffix: str) -> None:
    file, batch = animals()
    ages = tmp_path / f"ages.{suffix}"
    of_another = OSError("of another file")
    with (
        pytest.raises(OSError, match="of another file"),
        writing_ages(str(ages), file.header, io.StringIO()),
    ):
        raise of_another
    assert list(tmp_path.iterdir()) == []
    full = tmp_path / f"full.{suffix}"
    full.symlink_to("/dev/full")
    with (
        pytest.raises(StorageError, match=rf"full\.{suffix}: cannot be written: .*No space left"),
        writing_ages(str(full), file.header, io.StringIO()) as write,
    ):
        write(batch, Ages([9.5] * len(batch), None, 3))
    assert full.is_symlink()


def test_a_full_disk_behind_stdout_is_found_before_all_is_called_done() -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    file, batch = animals()
    with (
        pytest.raises(OSError, match="No space left"),
        writing_ages("-", file.header, Full()) as write,
    ):
        write(batch, Ages([9.5] * len(batch), None, 3))


def test_columns_that_would_be_taken_for_answers_get_another_name() -> None:
    header = AnimalsFile(io.BytesIO(HEADER.encode()), "animals.csv").header
    assert output_columns(header)[:5] == [
        *("given_rings", "given_Age_Years", "id", "sex"),
        "length_mm",
    ]
    assert output_columns(header)[-1] == "problem"
