"""A first method to start from: `equipoise new-method NAME` writes it with its test."""
