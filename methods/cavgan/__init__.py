"""CAVGAN: a detector hardened by an adversary that disguises hidden states (arXiv 2507.06043)."""
