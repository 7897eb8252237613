"""What the profile aws does with boto3; no Dagster in it."""
