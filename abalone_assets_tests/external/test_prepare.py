from __future__ import annotations

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.external.prepare import main, request_of
from abalone_assets.external.reporting import Reporter


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"inputs": [], "merged": "m"},
        {"inputs": [], "merged": "m", "splits": {}, "x": 1},
    ],
)
def test_what_is_no_request_is_one_clear_error(document: object) -> None:
    with pytest.raises(StorageError, match="no preparation to run"):
        request_of(document)


def test_without_a_request_nothing_is_started() -> None:
    with pytest.raises(StorageError, match="no preparation to run"):
        main([], Reporter())
