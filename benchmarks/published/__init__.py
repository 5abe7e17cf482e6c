"""Published sets: where each is from, what its columns mean, and its named subsets."""
