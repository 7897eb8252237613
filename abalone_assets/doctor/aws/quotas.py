"""The part of ``abalone doctor`` that compares SageMaker's quotas with what a release takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from abalone_assets.aws.clients import client
from abalone_assets.aws.failures import AwsError, translate_errors
from abalone_assets.doctor.finding import Finding, ok

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.settings.aws import AwsSettings

MAX_PAGES: Final = 100
"""SageMaker has some thousand quotas, a hundred to a page."""

LISTINGS: Final = ("list_service_quotas", "list_aws_default_service_quotas")
"""The first leaves quotas out that were never changed in this account; the second has them all."""


def quotas(aws: AwsSettings, on_progress: Callable[[str], None]) -> Finding:
    """Compare; a new version runs beside the old one.

    Args:
        aws: For the instance types.
        on_progress: Told of each page of the list.

    Raises:
        AwsError: Service Quotas refuses.
    """
    spot = "spot " if aws.training_spot else ""
    needed = {
        f"{aws.training_instance_type} for {spot}training job usage": 1,
        f"{aws.processing_instance_type} for processing job usage": 1,
        f"{aws.endpoint_instance_type} for endpoint usage": 2 * aws.endpoint_instance_count,
    }
    allowed: dict[str, float] = {}
    for listing in LISTINGS:
        missing = needed.keys() - allowed.keys()
        if missing:
            allowed |= _listed(listing, missing, on_progress)
    short = [
        f"{name}: {allowed[name]:g} of {count} needed"
        for name, count in needed.items()
        if allowed.get(name, count) < count
    ]
    if short:
        remedy = "ask for more in the console (Service Quotas), or take other instance types"
        return Finding("quotas", "failed", "; ".join(short), remedy)
    unknown = sorted(needed.keys() - allowed.keys())
    if unknown:
        remedy = "take instance types that SageMaker has in this region"
        return Finding("quotas", "warning", f"there is none of: {', '.join(unknown)}", remedy)
    return ok("quotas", "; ".join(f"{name}: {allowed[name]:g}" for name in needed))


def _listed(listing: str, names: set[str], on_progress: Callable[[str], None]) -> dict[str, float]:
    """Those of the quotas that a listing has."""
    found: dict[str, float] = {}
    with translate_errors(AwsError, "the quotas of SageMaker"):
        # Service Quotas throttles a list of many pages even when nobody else asks.
        pages = client("service-quotas", throttled=True).get_paginator(listing)
        limits = {"MaxItems": MAX_PAGES * 100, "PageSize": 100}
        asked = pages.paginate(ServiceCode="sagemaker", PaginationConfig=limits)
        for number, page in enumerate(asked, start=1):
            on_progress(f"quotas of SageMaker, page {number}")
            found |= {
                quota["QuotaName"]: quota["Value"]
                for quota in page["Quotas"]
                if quota["QuotaName"] in names
            }
            if names <= found.keys():
                break
    return found
