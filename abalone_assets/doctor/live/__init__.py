"""`abalone doctor --live`: a release in small, under names of its own, and nothing left of it."""
