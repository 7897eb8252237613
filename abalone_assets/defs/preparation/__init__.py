"""Stage 2: all rows become one data set and its splits."""
