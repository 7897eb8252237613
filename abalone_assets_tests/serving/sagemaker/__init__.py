"""Tests of abalone_assets.serving.sagemaker."""
