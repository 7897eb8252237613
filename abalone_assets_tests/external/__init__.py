"""Tests of the entry scripts."""
