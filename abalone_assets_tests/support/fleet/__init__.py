"""A week of a fleet that sends bad files."""
