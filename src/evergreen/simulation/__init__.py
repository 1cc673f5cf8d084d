"""A simulated retailer with known ground truth; see ``docs/simulation.md``."""
