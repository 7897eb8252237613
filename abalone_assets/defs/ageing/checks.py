"""What is checked of animals without rings: that none is lost, and how far ages can be trusted."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets.defs.metadata import files_table
from abalone_assets.lake.names import AGED_ANIMALS, QUARANTINED_ANIMALS, UNAGED_ANIMALS

if TYPE_CHECKING:
    from abalone_assets.ageing.ages import Counted
    from abalone_assets.ageing.intake import TakenInDay
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import Manifest

MAX_DOUBTFUL_SHARE = 0.25
"""Of animals like those that a model learnt from a tenth are doubtful, most of them old."""

INTAKE_CHECKS = [
    dg.AssetCheckSpec(
        "animals_are_conserved",
        asset=UNAGED_ANIMALS,
        blocking=True,
        description="Records in the day's files = rows in unaged_animals + quarantined_animals, as "
        "counted in what was written.",
    ),
    dg.AssetCheckSpec(
        "animals_files_are_readable",
        asset=UNAGED_ANIMALS,
        description="Every file of every day could be read as animals without rings.",
    ),
]
AGE_CHECKS = [
    dg.AssetCheckSpec(
        "every_animal_is_aged",
        asset=AGED_ANIMALS,
        description="Rows in aged_animals = rows in unaged_animals, as counted in what was "
        "written.",
    ),
    dg.AssetCheckSpec(
        "intervals_are_ordered",
        asset=AGED_ANIMALS,
        description="The predicted rings of every animal lie within their interval.",
    ),
    dg.AssetCheckSpec(
        "few_ages_are_doubtful",
        asset=AGED_ANIMALS,
        description=f"At most {MAX_DOUBTFUL_SHARE:.0%} of the animals are unlike those that the "
        "model learnt from, or of an age that it is bad at.",
    ),
]


def animals_are_conserved(taken: "Mapping[str, TakenInDay]") -> dg.AssetCheckResult:
    """Judge whether every record of the files is in one of the tables."""
    written = {
        asset: sum(each.written[asset] for each in taken.values())
        for asset in (UNAGED_ANIMALS, QUARANTINED_ANIMALS)
    }
    return dg.AssetCheckResult(
        asset_key=UNAGED_ANIMALS,
        check_name="animals_are_conserved",
        passed=all(each.is_conserved for each in taken.values()),
        metadata={"records": sum(each.records for each in taken.values()), **written},
    )


def animals_files_are_readable(manifest: "Manifest") -> dg.AssetCheckResult:
    """Judge the files of all days, so that a good day does not hide what is wrong with another."""
    remarked = [day for day, each in manifest.summaries.items() if each.remarks]
    files = [file for day in sorted(remarked) for file in manifest.days[day].files]
    refused = [file for file in files if file.is_refused]
    unread = [file for file in files if file.is_out_of_reach]
    return dg.AssetCheckResult(
        asset_key=UNAGED_ANIMALS,
        check_name="animals_files_are_readable",
        passed=not (refused or unread),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "files": sum(each.files for each in manifest.summaries.values()),
            "refused_files": len(refused),
            "refused": files_table(refused[::-1]),
            **({"out_of_reach": files_table(unread[::-1])} if unread else {}),
        },
    )


def age_checks(
    lake: "Lake", manifest: "Manifest", counted: "Mapping[str, Counted]"
) -> Iterator[dg.AssetCheckResult]:
    """Judge the ages that were written."""
    from abalone_assets.ingest.frames import rows_written

    unaged = sum(manifest.rows_of(day) for day in counted)
    aged = rows_written(*(lake.uri(AGED_ANIMALS, day) for day in counted)) if counted else 0
    disordered = sum(each.disordered for each in counted.values())
    doubtful = sum(each.doubtful for each in counted.values())
    yield _result(
        "every_animal_is_aged", passed=aged == unaged, counts={"unaged": unaged, "aged": aged}
    )
    yield _result("intervals_are_ordered", passed=not disordered, counts={"disordered": disordered})
    yield _result(
        "few_ages_are_doubtful",
        passed=doubtful <= MAX_DOUBTFUL_SHARE * aged,
        counts={"animals": aged, "doubtful": doubtful},
        severity=dg.AssetCheckSeverity.WARN,
    )


def nothing_aged() -> Iterator[dg.AssetCheckResult]:
    """What there is to judge while no model is live."""
    for spec in AGE_CHECKS:
        yield _result(spec.name, passed=True, counts={"animals": 0})


def _result(
    name: str,
    *,
    passed: bool,
    counts: Mapping[str, int],
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=AGED_ANIMALS,
        check_name=name,
        passed=passed,
        severity=severity,
        metadata=dict(counts),
    )
