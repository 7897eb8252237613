"""Which checks ``abalone doctor`` makes in the profile in force."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING

from abalone_assets.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abalone_assets.doctor.finding import Finding
    from abalone_assets.settings.platform import Settings


def repair(settings: Settings) -> Iterator[Finding]:
    """Mend what the profile keeps on this machine and can make again; says what was done.

    Raises:
        SettingsError: The profile keeps nothing here.
    """
    if settings.profile != "local":
        raise SettingsError(
            "--repair mends the files of the profile local; in the profile aws the next run of "
            "the asset `quarantined_rows` or `merged_dataset` brings Glue's tables up to date"
        )
    from abalone_assets.doctor.home import repair_home
    from abalone_assets.doctor.local import repair_local

    return chain(repair_home(settings), repair_local(settings))


def examine(settings: Settings, on_progress: Callable[[str], None]) -> Iterator[Finding]:
    """Look at everything that the profile needs, one thing after the other; launches nothing."""
    if settings.profile == "local":
        from abalone_assets.doctor.local import local_findings

        return local_findings(settings)
    # Whoever asks wants to know that nobody answers, and not to wait until somebody does.
    os.environ.setdefault("AWS_MAX_ATTEMPTS", "2")
    from abalone_assets.doctor.aws.account import aws_findings
    from abalone_assets.settings.aws import load_aws_settings

    return aws_findings(settings, load_aws_settings(), on_progress)
