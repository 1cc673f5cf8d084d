"""How good models are and which one wins: losses, the gate, baselines, slices, curves."""
