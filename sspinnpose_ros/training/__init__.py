# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Synthetic wearers, physics losses and the self-supervised training loop."""
