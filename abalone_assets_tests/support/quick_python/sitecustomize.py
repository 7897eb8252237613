"""Python imports this module by itself, from the first folder of ``PYTHONPATH`` that has it.

Imports make objects that stay: to look for garbage among them after each 700 is a sixth of what it
costs to import Dagster.
"""

import gc

gc.set_threshold(100_000, 50, 100)
