"""Benchmarks that anybody can repeat; each reports ratios within one run, because machines differ."""
