"""Simulated surveys: a synthesizer of animals, and the surveys it writes."""
