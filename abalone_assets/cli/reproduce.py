"""``abalone reproduce``: make a version again from what the lake keeps, and compare the bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from abalone_assets.cli.output import (
    FAILED,
    VERSION,
    console,
    example,
    json_option,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from abalone_assets.provenance.rebuild import Rebuilt

ARCHIVE_NAME: Final = "model.tar.gz"
VERDICT_NAME: Final = "reproduced.json"


@click.command(epilog=example("abalone reproduce 3", "abalone reproduce 3 --json --output rebuilt"))
@click.argument("version", type=VERSION)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Folder to leave {ARCHIVE_NAME} and the verdict in; they are kept nowhere else.",
)
@json_option
@click.pass_context
def reproduce(ctx: click.Context, version: int, output: Path | None, *, as_json: bool) -> None:
    """Train a model version again, and compare it with the registered one byte by byte.

    From the lake alone: the base survey and the survey days as they were then, prepared and
    trained here with the framework and the hyperparameters of then. It changes neither lake nor
    registry, and what has landed since does not matter. Exits with 0 only when the bytes of every
    file in the archive are the same, however it is packed. Other libraries, code or another kind
    of processor give other bytes: it says which differ.
    """
    from abalone_assets.lake.lake import Lake
    from abalone_assets.provenance.rebuild import rebuild
    from abalone_assets.registry.open import open_registry
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    out = console(stderr=as_json)
    rebuilt = rebuild(
        open_registry(settings),
        Lake(settings.lake_uri),
        version,
        lambda step: out.print(f"… {step}", style="cyan"),
    )
    if output is not None:
        _leave(rebuilt, output)
    if as_json:
        print_json(rebuilt.to_document())
    else:
        _show(rebuilt, output)
    if not rebuilt.reproduced:
        ctx.exit(FAILED)


def _leave(rebuilt: Rebuilt, folder: Path) -> None:
    import json

    from abalone_assets.errors import StorageError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        if rebuilt.archive is not None:
            (folder / ARCHIVE_NAME).write_bytes(rebuilt.archive)
        text = json.dumps(rebuilt.to_document(), indent=1)
        (folder / VERDICT_NAME).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written: {error}; name another folder") from error


def _show(rebuilt: Rebuilt, output: Path | None) -> None:
    out = console()
    version = f"version {rebuilt.version}"
    if rebuilt.verdict == "impossible":
        out.print(f"{version} cannot be made again:", style="red")
        for problem in rebuilt.problems:
            out.print(f"  {problem}")
        return
    if output is not None:
        out.print(f"Left in {output}: {ARCHIVE_NAME}, {VERDICT_NAME}")
    if rebuilt.verdict == "identical":
        out.print(f"Identical: {version} was made again, byte for byte.", style="green")
        out.print(f"SHA-256 {rebuilt.rebuilt_sha256}")
        return
    if rebuilt.verdict == "same_files":
        out.print(
            f"The same files: {version} was made again, and every file of its archive is the same "
            "byte for byte.",
            style="green",
        )
        out.print("Only the packing differs, as when SageMaker or another zlib has packed it.")
        return
    out.print(f"Differs: {version} did not come out as it is registered.", style="yellow")
    if rebuilt.same_model:
        out.print("The file that answers requests is the same; what the archive tells differs.")
    for problem in rebuilt.problems:
        out.print(problem)
    if rebuilt.members:
        out.print(f"Files that differ: {', '.join(rebuilt.members)}")
    then, now = rebuilt.code or (None, None)
    code = {"code": (str(then), str(now))} if then else {}
    changes = {**(rebuilt.libraries or {}), **(rebuilt.machine or {}), **code}
    print_table(
        ["what", "then", "now"],
        ((name, before or "-", after or "-") for name, (before, after) in changes.items()),
    )
    if not changes:
        out.print("Code, libraries and machine are as they were, as far as that is recorded.")
