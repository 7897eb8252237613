"""Tests of abalone_assets.serving whose server is a process of its own."""
