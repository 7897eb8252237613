"""End to end: a real daemon, web server and endpoint server, watched from outside."""
