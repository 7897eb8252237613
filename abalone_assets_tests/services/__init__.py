"""Tests that start services or programs: Spark, PostgreSQL, jobs of the AWS stand-in, servers.

A mirror of the rooms, of which the fast part is in the room's own folder. Every test here has the
marker ``service``.
"""
