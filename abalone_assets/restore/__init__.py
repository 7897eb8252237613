"""What Dagster shows, rebuilt from the lake's own records after its database was lost or moved."""
