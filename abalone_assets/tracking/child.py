"""The process that speaks to MLflow: ``python -m abalone_assets.tracking.child``, see `tell`.

What it says is a JSON document a line: ``{"sent": 3}`` of a version, at the end ``{"champion": 3}``
or ``{"problem": "..."}``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import redirect_stdout
from typing import Final, TextIO

from abalone_assets.errors import AbaloneError

_MOST_OF_AN_ERROR: Final = 200
"""Characters of an error's own words."""


def main() -> None:
    """Tell MLflow what it lacks; whatever goes wrong is the last line."""
    threading.Thread(target=_end_as_an_orphan, daemon=True).start()
    # MLflow tells whoever looks at the standard output where its pages are.
    with redirect_stdout(sys.stderr):
        _tell(sys.__stdout__)


def _tell(parent: TextIO | None) -> None:
    def say(**document: object) -> None:
        print(json.dumps(document), flush=True, file=parent)

    try:
        from abalone_assets.settings.platform import load_settings
        from abalone_assets.tracking.versions import send_what_is_missing

        champion = send_what_is_missing(load_settings(), lambda version: say(sent=version))
    except Exception as error:  # noqa: BLE001 - whatever it is, a sentence of it reaches people
        say(problem=_in_short(error))
        sys.exit(1)
    say(champion=champion)


def _in_short(error: Exception) -> str:
    """The error in a few words: MLflow quotes those that it met on the way, retries and all."""
    from requests import ConnectionError as NoConnectionError
    from requests import Timeout

    if isinstance(error, AbaloneError):
        return str(error)
    met: BaseException | None = error
    while met is not None:
        if isinstance(met, Timeout):
            return "it did not answer in time"
        if isinstance(met, NoConnectionError):
            return "it does not answer"
        met = met.__cause__ or met.__context__
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:_MOST_OF_AN_ERROR]}"


def _end_as_an_orphan() -> None:
    while sys.stdin.read(1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
