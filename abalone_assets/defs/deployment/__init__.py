"""Stage 5: an approved model answers requests."""
