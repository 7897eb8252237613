"""Tests of the project; the folders mirror the package."""

import os

# Workers and the processes they start share few cores: threads of BLAS would wait for each other.
# BLAS reads this when it is loaded, so it must come before any other import.
os.environ.setdefault("OMP_NUM_THREADS", "1")
