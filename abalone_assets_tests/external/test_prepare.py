from unittest.mock import create_autospec

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.external.prepare import main
from abalone_assets.external.reporting import Reporter

PART = {"inputs": [], "merged": "m"}


@pytest.mark.parametrize("document", [None, [], {}, PART, {**PART, "splits": {}, "x": 1}])
def test_what_is_no_request_is_one_clear_error(document: object) -> None:
    asking = create_autospec(Reporter, instance=True, extras={"request": document})
    with pytest.raises(StorageError, match="no preparation to run"):
        main([], asking)
