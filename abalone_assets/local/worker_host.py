"""The process that workers of runs are forked from: warm, and single-threaded.

A cold interpreter spends seconds on importing Dagster, the numerical packages and the platform, and
on making its definitions, before a run does anything. This process does that once and then waits; a
worker is its fork. Whose sources change gets another host: see `abalone_assets.local.launcher`.

It may hold nothing that a fork would break: no thread of Python's, no connection, no gRPC channel.
Polars is left to the workers, as its documentation asks, and so is what imports it. OpenBLAS and
Arrow's allocator, whose threads start at import, take care of forks themselves.

Python's own ``forkserver`` is not used: a process has one for all of its life, which cannot be
replaced while a worker runs, and it hides a package that cannot be imported.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from contextlib import suppress
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess

PRELOADED: Final = (
    *("dagster._cli.api", "dagster._core.executor.in_process", "dagster._core.instance.factory"),
    *("dagster._core.storage.local_compute_log_manager", "dagster._core.storage.root"),
    *("sqlalchemy.dialects.sqlite", "alembic.command", "structlog", "rich.console", "watchdog"),
    *("pydantic_settings", "psutil", "requests", "obstore.store", "jinja2", "narwhals"),
    *("upath.core", "upath.implementations.local", "fsspec.implementations.local", "filelock"),
    *("numpy.linalg", "scipy.linalg", "scipy.stats", "pandas", "pyarrow.parquet", "xgboost"),
    *("duckdb", "matplotlib.figure", "matplotlib.ticker", "matplotlib.backends.backend_svg"),
    *("abalone_assets.local.dagster_storage", "abalone_assets.lake.catalog_file"),
    *("abalone_assets.external.train", "abalone_assets.external.evaluate"),
    *("abalone_assets.modeling.training.train_blend", "abalone_assets.serving.local_endpoint"),
    *("abalone_assets.modeling.evaluation.report.page", "abalone_assets.registry.record_tables"),
)
"""What workers need; one that is missing, as an extra may be, is the worker's to miss."""

STOP_SECONDS: Final = 10.0
_PR_SET_PDEATHSIG: Final = 1


def main(descriptor: int) -> None:
    """Import, then fork a worker for each request until there are no more to come.

    Args:
        descriptor: Of the socket that requests come from: see `serve`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's; the socket says when to end
    for name in PRELOADED:
        with suppress(Exception):  # code that cannot be loaded is the worker's to fail with
            import_module(name)
    with suppress(Exception):
        import_module("abalone_assets.definitions").defs().get_repository_def()
    gc.collect()
    gc.freeze()  # or the collector would write to, and so copy, the pages that workers share
    serve(Connection(descriptor))


def serve(requests: Connection) -> None:
    """Fork workers until told that no more are wanted, and end when the last one has.

    A request is the one argument of ``dagster api execute_run``. The answer is the worker's process
    id, or why there is none; the worker waits for True, and gives up at False. The request None is
    the last one. At the end of the socket, so of the launcher, workers are interrupted.
    """
    workers: dict[int, tuple[ForkProcess, str]] = {}
    wanted = True
    while wanted or workers:
        for ready in wait([requests, *workers]):
            if isinstance(ready, int):
                process, run = workers.pop(ready)
                _note_end(process, run)
                continue
            try:
                request = requests.recv()
                wanted = wanted and request is not None
                started = None if request is None else _start_worker(requests, request)
                if started is not None:
                    workers[started.sentinel] = started, request
            except EOFError:
                return _interrupt([process for process, _ in workers.values()])
    return None


def _start_worker(requests: Connection, run: str) -> ForkProcess | None:
    if threading.active_count() != 1:
        requests.send(f"a fork would lose the threads {threading.enumerate()}")
        return None
    context = get_context("fork")
    begin, begin_worker = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(requests, begin, begin_worker, os.getpid(), run))
    with begin, begin_worker:
        try:
            process.start()
        except OSError as error:
            requests.send(str(error))
            return None
        requests.send(process.pid)
        begin_worker.send(requests.recv())
    return process


def _work(
    requests: Connection, begin: Connection, begin_worker: Connection, host: int, run: str
) -> None:
    """Execute a run, in a fork of the host."""
    requests.close()
    begin_worker.close()
    _end_with(host)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with begin:
        if not begin.recv():
            return
    from dagster._cli.api import execute_run_command

    execute_run_command.main([run], standalone_mode=False)


def _end_with(host: int) -> None:
    """Have the system interrupt this process when the host is killed."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != host:  # it was killed meanwhile
        os.kill(os.getpid(), signal.SIGTERM)


def _note_end(process: ForkProcess, run: str) -> None:
    """Have the run of a worker that died end too; one that came to its end did so itself."""
    process.join()
    if process.exitcode:
        noting = get_context("fork").Process(target=_end_run, args=(run, process.exitcode))
        noting.start()
        noting.join()


def _end_run(run: str, exit_code: int) -> None:
    import dagster as dg
    from dagster._grpc.types import ExecuteRunArgs
    from dagster._serdes import deserialize_value
    from dagster._utils import get_run_crash_explanation

    arguments = deserialize_value(run, ExecuteRunArgs)
    if arguments.instance_ref is None:
        return
    with dg.DagsterInstance.from_ref(arguments.instance_ref) as instance:
        found = instance.get_run_by_id(arguments.run_id)
        if found is None or found.is_finished:
            return
        if found.status is dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(found)
            return
        prefix = f"Run execution process for {arguments.run_id}"
        instance.report_engine_event(get_run_crash_explanation(prefix, exit_code), found)
        instance.report_run_failed(found)


def _interrupt(workers: list[ForkProcess]) -> None:
    for process in workers:
        process.terminate()
    for process in workers:
        process.join(STOP_SECONDS)
        process.kill()


if __name__ == "__main__":
    main(int(sys.argv[1]))
    os._exit(0)  # as its forks do: DuckDB complains in thirty lines when the frozen are taken down
