"""`equipoise verify`: everything that a run published, recomputed from its replies, and every digest checked."""
