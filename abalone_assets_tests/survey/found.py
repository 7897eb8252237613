"""What is found in survey files, and what becomes of it: the table of docs/survey-contract.md."""

from __future__ import annotations

from typing import Final

from abalone_assets_tests.survey.found_quarantined import FOUND_QUARANTINED
from abalone_assets_tests.survey.found_read import FOUND_READ
from abalone_assets_tests.survey.found_refused import FOUND_REFUSED

FOUND: Final = (*FOUND_READ, *FOUND_QUARANTINED, *FOUND_REFUSED)
