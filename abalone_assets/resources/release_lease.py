"""The lease on the lake as the steps of a release take it."""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from abalone_assets.lake.lease import HeldLease


class ReleaseLease(dg.ConfigurableResource[None]):
    """One release at a time: a run's first step takes the lease, and the run's end frees it."""

    lake: LakeResource
    _held: "HeldLease | None" = PrivateAttr(default=None)

    def hold(self, context: dg.AssetExecutionContext) -> None:
        """Take the lease for this run or, where it has it, make sure that it still does.

        Called again before what must not be done by two, such as a deployment.

        Raises:
            LeaseError: Another run releases, or has taken the lake over.
        """
        from abalone_assets.lake.lease import HeldLease

        if self._held is not None:
            self._held.check()
            return
        held = HeldLease(self.lake.open().store, context.run.run_id)
        held.acquire(context.log.info)
        self._held = held

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Free it, whatever became of the run."""
        held, self._held = self._held, None
        if held is None:
            return
        try:
            held.free()
        except Exception as error:  # the work is done, and a lease that is not renewed runs out
            if context.log:
                context.log.warning("the lease runs out by itself", exc_info=error)
