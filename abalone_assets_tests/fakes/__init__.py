"""AWS on this machine: a moto server whose SageMaker and Glue jobs and endpoints really run.

A test module that names ``abalone_assets_tests.fakes.fixtures`` in ``pytest_plugins`` gets the
fixtures ``aws`` (the stand-in, fresh for each test) and ``s3`` (an empty prefix on its S3).
"""
