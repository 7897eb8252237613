"""Tests of the asset declarations."""
