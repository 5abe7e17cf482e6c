"""What is asked: benchmarks, alignment data and the embedded world."""
