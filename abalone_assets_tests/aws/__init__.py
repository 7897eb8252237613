"""Tests of what the profile aws does with boto3."""
