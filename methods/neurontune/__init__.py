"""NeuronTune (arXiv 2508.09473): scale a sparse set of neurons, found by attack-aware attribution, tuned by MAML."""
