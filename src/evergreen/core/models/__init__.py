"""Estimators behind one protocol, chosen by name; buy-till-you-die models beside them."""
