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
from typing import TextIO

from abalone_assets.errors import AbaloneError


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
        say(problem=f"{error}" if isinstance(error, AbaloneError) else repr(error))
        sys.exit(1)
    say(champion=champion)


def _end_as_an_orphan() -> None:
    while sys.stdin.read(1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
