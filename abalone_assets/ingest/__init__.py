"""What has landed against what has been ingested, and the way from one to the other."""
