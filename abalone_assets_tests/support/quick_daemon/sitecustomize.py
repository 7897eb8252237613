"""Python imports this module by itself, from the first folder of ``PYTHONPATH`` that has it.

Dagster looks at sensors every 5 s and for backfills every 30 s, which no setting changes.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

CONSTANTS: Final[dict[str, dict[str, Any]]] = {
    "abalone_assets.local.processes": {"START_SECONDS": 240.0},  # beside all the other tests
    "abalone_assets.alerts.matters": {"LOOK_SECONDS": 2, "QUIET": timedelta(seconds=2)},
    "dagster._daemon.sensor": {"MIN_INTERVAL_LOOP_TIME": 1},
    "dagster._daemon.controller": {
        "DEFAULT_DAEMON_INTERVAL_SECONDS": 2,
        "THREAD_CHECK_INTERVAL": 1,
    },
}


class QuickDaemon(MetaPathFinder):
    """Changes the daemon's constants as soon as its modules are imported, if they are."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        constants = CONSTANTS.get(fullname)
        spec = PathFinder.find_spec(fullname, path, target) if constants else None
        if spec is None or spec.loader is None or constants is None:
            return None
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            assert constants.keys() <= vars(module).keys(), f"{fullname} has no such constants"
            vars(module).update(constants)

        loader.exec_module = exec_module
        return spec


def customize_as_others_do() -> None:
    """Import the module of this name that this one hides, if there is one."""
    here = Path(__file__).parent
    spec = PathFinder.find_spec("sitecustomize", [each for each in sys.path if Path(each) != here])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


sys.meta_path.insert(0, QuickDaemon())
customize_as_others_do()
