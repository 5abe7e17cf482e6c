"""The refusal direction (Arditi et al. 2024): one vector of the residual stream, added or taken away."""
