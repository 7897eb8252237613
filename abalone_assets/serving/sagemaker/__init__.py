"""The endpoint on SageMaker."""
