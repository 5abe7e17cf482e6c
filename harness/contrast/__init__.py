"""`equipoise compare`: two arms of one run, or of two, on the prompts that both have answered."""
