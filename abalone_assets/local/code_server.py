"""Has the code loaded again when the process that serves it to Dagster was killed.

``dagster dev`` starts ``dagster code-server start``, which starts the process that has imported our
code. That one may be killed, by the system when memory is short: nothing starts it again, no sensor
ticks any more, and the UI asks somebody to reload.
"""

from __future__ import annotations

import time
from typing import Final

import psutil

from abalone_assets import CODE_LOCATION

LOOK_SECONDS: Final = 2.0
RELOAD_SECONDS: Final = 60.0
_RELOAD: Final = """mutation($name: String!) {
    reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"""


class CodeServerWatch:
    """Looks now and then whether each code server has a process that serves.

    Args:
        dagster: Id of the process ``dagster dev``.
        url: Of the web server, which is asked to reload.
    """

    def __init__(self, dagster: int, url: str) -> None:
        self._dagster, self._url = dagster, url
        self._next, self._missed = 0.0, False

    def look(self) -> bool:
        """Ask for a reload when the process is missing at two looks in a row; whether it did."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + LOOK_SECONDS
        missed, self._missed = self._missed, self._serves_nothing()
        if not (missed and self._missed):
            return False
        self._missed = False
        return self._reload()

    def _serves_nothing(self) -> bool:
        try:
            started = psutil.Process(self._dagster).children(recursive=True)
            servers = [each for each in started if _lives_as("code-server", each)]
            return any(
                not any(_lives_as("grpc", each) for each in server.children()) for server in servers
            )
        except psutil.Error:  # one of them has just ended
            return False

    def _reload(self) -> bool:
        import requests

        with requests.Session() as session:
            session.trust_env = False  # a proxy must not swallow calls to this machine
            try:
                answer = session.post(
                    f"{self._url}/graphql",
                    json={"query": _RELOAD, "variables": {"name": CODE_LOCATION}},
                    timeout=RELOAD_SECONDS,
                )
            except requests.RequestException:
                return False  # the next look asks again
        return answer.ok


def _lives_as(word: str, process: psutil.Process) -> bool:
    """Whether it is a process with that word in its command; one that ended has no command."""
    try:
        return word in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
