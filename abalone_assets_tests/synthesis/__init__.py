"""Simulated surveys."""
