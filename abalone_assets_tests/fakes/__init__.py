"""AWS on this machine: a moto server whose SageMaker and Glue jobs and endpoints really run.

Every test may ask for the
fixtures ``aws`` (the stand-in, fresh for each test) and ``s3`` (an empty prefix on its S3).
"""
