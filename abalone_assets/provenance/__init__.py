"""Where a version comes from, put to the test: it is made again, or held beside another one."""
