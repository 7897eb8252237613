"""The preparation as a Glue job on Spark."""

from dataclasses import asdict

import dagster as dg
from pydantic import Field

from abalone_assets.errors import StorageError
from abalone_assets.etl.request import PrepareReport, PrepareRequest
from abalone_assets.resources.aws.jobs import digest_of, job_report, pipes_options
from abalone_assets.resources.etl_engine import EtlEngine
from abalone_assets.resources.jobs import JobReport
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.storage.records import record_of


class GlueEngine(EtlEngine):
    """Spark in a Glue job, which runs the same expressions as `PolarsEngine`."""

    jobs_uri: str = Field(description="s3:// prefix of what jobs are given and give back.")
    job: str = Field(description="Name of the Glue job.")
    max_runtime_seconds: int = Field(description="A run that takes longer is stopped.")
    poll_seconds: float = Field(description="Wait between two looks at the run.")

    def prepare(
        self, request: PrepareRequest, context: dg.AssetExecutionContext
    ) -> tuple[PrepareReport, JobReport]:
        """Run it as a run of the Glue job.

        Raises:
            PipesJobError: The run failed; the message has Glue's reason and the last log lines.
        """
        from abalone_assets.aws.clients import client
        from abalone_assets.aws.parameters import resolve
        from abalone_assets.aws.prices import GLUE_PRICES
        from abalone_assets.pipes import PipesGlueJobClient
        from abalone_assets.resources.aws.code_bundle import CodeBundles

        jobs = ObjectStore(self.jobs_uri)
        script, modules = CodeBundles(jobs).preparation()
        document = asdict(request)
        invocation = PipesGlueJobClient(
            **pipes_options(jobs, self.poll_seconds),
            client=client("glue", retries=False),  # a repeated StartJobRun would start two runs
            prices=GLUE_PRICES,
        ).run(
            context=context,
            start_job_run_params={
                "JobName": resolve(self.job),
                "Timeout": -(-self.max_runtime_seconds // 60),
                "Arguments": {"--scriptLocation": script, "--extra-py-files": modules},
            },
            extras={"request": document},
            inputs=digest_of(document),
        )
        reports = [message["report"] for message in invocation.get_custom_messages()]
        name = invocation.job.name
        if not reports:
            raise StorageError(f"{name}: the Glue script ended without a report")
        report = record_of(
            PrepareReport, reports[-1], f"the report of {name}", remedy="see its last log lines"
        )
        return report, job_report(invocation, "Glue")
