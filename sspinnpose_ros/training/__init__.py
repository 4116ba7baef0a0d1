"""Synthetic wearers, physics losses and the self-supervised training loop."""
