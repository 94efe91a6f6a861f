"""Mixtures of the sources of pairs, found by Bayesian optimisation, and soups: averages of what was learned from several."""
