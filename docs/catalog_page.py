"""Write `docs/catalog.md` from the tables' columns: ``make docs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets.lake.names import CAPTURED_REQUESTS, partition_column
from abalone_assets.lake.tables import (
    MODEL_DECISIONS,
    MODEL_METRICS,
    MODEL_VERSIONS,
    RELEASED_FILES,
    TABLES,
)

if TYPE_CHECKING:
    from abalone_assets.lake.tables import TableColumn

PAGE: Final = Path(__file__).with_name("catalog.md")

INTRODUCTION: Final = """\
<!-- Written by `make docs` from abalone_assets/lake/tables.py and catalog_page.py: edit there. -->

# The tables of the catalog

The same tables are in `catalog.duckdb` of the home (profile `local`) and in the Glue database
(profile `aws`, for Athena).
They are as new as the last run, or the last `abalone approve`, `reject` or `rollback`.
`abalone doctor` says when they are not, and `abalone doctor --repair` brings them up to date.

```python
import duckdb

duckdb.connect(".abalone/catalog.duckdb", read_only=True).sql("from model_versions").show()
```

## Questions

How good was each version, and who let it answer?

```sql
select version, registered_at, rmse, rmse_low, rmse_high, approved, decided_by
from model_versions
order by version
```

Which code, framework and data made each version?

```sql
select version, framework, code, base_survey_sha256, first_day, last_day, "rows"
from model_versions
order by version
```

Who approved or rejected what, when and why?

```sql
select decided_at, version, decided_by, approved, rule, reason
from model_decisions
order by decided_at desc, version desc
```

On which days were most rows quarantined, and by which rule?

```sql
select survey_day, rule, count(*) as quarantined
from quarantined_rows
group by survey_day, rule
order by quarantined desc, survey_day
limit 10
```

Which files did each version learn from first?

```sql
select version, source_file, first_released_at
from released_files
order by version, source_file
```

For which animals is the newest version worse than its champion, on rows that neither had learnt
from? Only where the whole interval of the difference is above 0: the rest may be chance.

```sql
select slice_of, slice, value as rings_worse, low, high, "rows"
from model_metrics
where measured_on = 'compared' and metric = 'rmse_difference' and low > 0
  and version = (select max(version) from model_versions)
order by value desc
```

Which files hold the animals of the newest one, measured or typed once more? A few may be alike by
chance; where most of a file's are, it was sent twice under another name.

```sql
select older.source_file, count(*) as alike
from merged_dataset as newest
join merged_dataset as older
  on older.sex = newest.sex and older.source_file <> newest.source_file
where newest.source_file = (select max(source_file) from new_surveys)
  and abs(older.length - newest.length) < 0.00505
  and abs(older.diameter - newest.diameter) < 0.00505
  and abs(older.height - newest.height) < 0.00505
  and abs(older.whole_weight - newest.whole_weight) < 0.00055
  and abs(older.shucked_weight - newest.shucked_weight) < 0.00055
  and abs(older.viscera_weight - newest.viscera_weight) < 0.00055
  and abs(older.shell_weight - newest.shell_weight) < 0.00055
group by older.source_file
order by alike desc
limit 10
```
"""

RECORDS: Final = {
    MODEL_VERSIONS: "A row for each model version, approved or not.",
    MODEL_METRICS: "A row for each number of a version's evaluation.",
    MODEL_DECISIONS: "A row for each decision on a version: the gate's, then people's.",
    RELEASED_FILES: "A row for each survey file that a release has taken in, with the bytes that "
    "it had last. Files that were taken away since are among them.",
}
"""Tables that follow from the records of lake and registry, and what a row of each is."""


def page() -> str:
    """The page's text.

    Raises:
        LookupError: A table of records is not described.
    """
    parts = [INTRODUCTION, "## Models, decisions, releases\n"]
    parts += [
        f"### `{name}`\n\n{what}\n\n{_columns(TABLES[name])}" for name, what in RECORDS.items()
    ]
    parts.append(
        "## Animals and requests\n\n"
        f"Tables of days have the day as a last column: `{partition_column('new_surveys')}`, of "
        f"`{CAPTURED_REQUESTS}` `{partition_column(CAPTURED_REQUESTS)}`.\n"
    )
    parts += [
        f"### `{name}`\n\n{_columns(columns)}"
        for name, columns in TABLES.items()
        if name not in RECORDS
    ]
    return "\n".join(parts)


def _columns(columns: tuple[TableColumn, ...]) -> str:
    rows = ["| column | type | meaning |", "| --- | --- | --- |"]
    rows += [f"| `{each.name}` | {each.dtype} | {each.description} |" for each in columns]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
