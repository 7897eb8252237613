"""The report on an evaluation: one HTML file to open, keep, send and print."""

from abalone_assets.modeling.evaluation.report.page import render_report

__all__ = ["render_report"]
