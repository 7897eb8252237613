"""The example data that ship with the platform, as ingestion knows them under any name."""

from __future__ import annotations

import hashlib
from functools import cache

from abalone_assets.sample_data import base_survey, surveys
from abalone_assets.survey import canonical_survey


@cache
def example_digests() -> frozenset[str]:
    """The SHA-256 of each file, and of each survey as ``abalone land`` writes it."""
    contents = [base_survey().read_bytes()]
    for path in surveys():
        contents += [path.read_bytes(), canonical_survey(path.read_bytes(), path.name)]
    return frozenset(hashlib.sha256(content).hexdigest() for content in contents)
