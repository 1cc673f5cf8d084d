"""A simulated retailer whose true probabilities are known; see ``docs/simulation.md``."""
