"""Real stand-ins for outside systems, which the demo, the benchmarks and the tests start."""
