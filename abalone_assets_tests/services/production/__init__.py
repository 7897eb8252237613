"""The production instance on a real PostgreSQL, and what the containers run, as processes."""
