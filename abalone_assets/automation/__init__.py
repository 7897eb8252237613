"""What the sensors decide at a tick, and what the instance knows of runs."""
