"""Tests of the whole platform, from a landed survey to the endpoint's answer.

Every test here has the marker ``story``.
"""
