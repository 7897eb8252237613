"""Endpoints: one that a server of this machine hosts, and one on SageMaker."""
