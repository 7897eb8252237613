"""Tests of abalone_assets.external as jobs of the stand-in and as processes."""
