"""The reports of the lake as pages: an index, and each report under its model's digest."""

from __future__ import annotations

import html
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING, Final

from abalone_assets.lake.reports import PAGE_PATH

if TYPE_CHECKING:
    from abalone_assets.lake.reports import KeptReport, Reports
    from abalone_assets.registry.registry import ModelRegistry

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""A report brings everything along and runs nothing: the browser is held to that."""

_INDEX: Final = Template(
    """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Reports on models</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #8885; }
</style>
</head>
<body>
<h1>Reports on models</h1>
$body
</body>
</html>
"""
)
_NONE: Final = "<p>There are none yet: the asset evaluation writes one for each model.</p>"


@dataclass(frozen=True)
class ReportSite:
    """The reports of a lake, and the registry that knows the models' versions."""

    reports: Reports
    registry: ModelRegistry

    def index(self) -> str:
        """The page that links to every report, the newest first.

        Raises:
            StorageError: The lake or the registry refuses.
        """
        versions = {
            str(each.evaluation.get("model_sha256")): each.version
            for each in self.registry.versions()
        }
        rows = [
            _row(report, versions.get(report.model_sha256))
            for report in self.reports.newest_first()
        ]
        head = "<tr><th>written (UTC)</th><th>version</th><th>model</th></tr>\n"
        return _INDEX.substitute(body=f"<table>\n{head}{''.join(rows)}</table>" if rows else _NONE)


def _row(report: KeptReport, version: int | None) -> str:
    digest = html.escape(report.model_sha256)
    return (
        f"<tr><td>{report.written_at:%Y-%m-%d %H:%M}</td>"
        f"<td>{'none' if version is None else version}</td>"
        f'<td><a href="{PAGE_PATH}/{digest}">{digest[:12]}</a></td></tr>\n'
    )
