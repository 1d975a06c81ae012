"""Scripts that draw what benchmarks found."""
