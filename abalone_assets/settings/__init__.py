"""Everything read from the environment, typed."""
