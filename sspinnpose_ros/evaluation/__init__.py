"""Scores against laboratory references, and the classical estimator to compare with."""
