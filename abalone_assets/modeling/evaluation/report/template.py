"""The page of the report: one file, nothing fetched, no script."""

from __future__ import annotations

from string import Template
from typing import Final

STYLE: Final = """\
:root {
  color-scheme: light dark;
  --ink: #1b2430; --muted: #5d6b7a; --grid: #dde3ea; --page: #f3f5f8; --card: #ffffff;
  --accent: #0072b2; --good: #00795a; --bad: #b84a00; --soft: #eef3f8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e7ecf2; --muted: #9cabba; --grid: #303c49; --page: #10161d; --card: #18212b;
    --accent: #58b4e8; --good: #37c79c; --bad: #f08a45; --soft: #202c39;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
header { padding: 1rem 0 .25rem; }
.over { margin: 0; color: var(--accent); font-weight: 600; }
h1 { font-size: clamp(1.5rem, 4.5vw, 2.3rem); line-height: 1.2; margin: .2rem 0 .6rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .3rem; }
h2 + p, .lead { max-width: 46rem; margin: .2rem 0 1rem; }
.lead { font-size: 1.08rem; }
.muted, figcaption, footer { color: var(--muted); }
.good { color: var(--good); } .bad { color: var(--bad); }
.tiles, .grid { display: grid; gap: .8rem; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); margin: 1.2rem 0; }
.grid { grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); }
.grid > .card { align-self: start; }
.grid + .card { margin-top: .8rem; }
.tile, figure, .card {
  background: var(--card); border: 1px solid var(--grid); border-radius: 12px; margin: 0;
  padding: .9rem 1rem; min-width: 0;
}
.tile b, table { font-variant-numeric: tabular-nums; }
.tile b { display: block; font-size: 1.75rem; line-height: 1.2; }
.tile span { display: block; font-size: .85rem; color: var(--muted); }
.tile .what { color: var(--ink); font-weight: 600; }
figure h3 { margin: 0 0 .4rem; font-size: 1rem; }
figure svg { display: block; width: 100%; height: auto; }
figure svg * { stroke-linejoin: round; }
figcaption { font-size: .88rem; margin-top: .5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: right; padding: .32rem .55rem; border-bottom: 1px solid var(--grid); }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
th { color: var(--muted); font-weight: 600; }
tr:last-child td { border-bottom: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
code { font: .88em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
footer { margin-top: 2.5rem; font-size: .85rem; max-width: 52rem; }
@media (max-width: 30rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
}
@media print {
  :root {
    --ink: #000; --muted: #444; --grid: #ccc; --page: #fff; --card: #fff; --accent: #005a8c;
    --good: #00593f; --bad: #8f3a00; --soft: #fff;
  }
  main { max-width: none; padding: 0; }
  .tile, figure, .card, table { break-inside: avoid; }
  .grid { grid-template-columns: 1fr 1fr; }
  h2 { break-after: avoid; }
}
"""

PAGE: Final = Template(
    """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<link rel="icon" href="data:,">
<style>
$style</style>
</head>
<body>
<main>
<header>
<p class="over">$over</p>
<h1>$headline</h1>
<p class="lead">$lead</p>
</header>
$body
<footer>$footer</footer>
</main>
</body>
</html>
"""
)
