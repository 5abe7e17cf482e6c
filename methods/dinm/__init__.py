"""DINM (arXiv 2403.14472): locate one toxic layer and edit its down-projection for a few steps."""
