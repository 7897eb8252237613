"""The harness of the benchmarks; what they measure is no test."""
