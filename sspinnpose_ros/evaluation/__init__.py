# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores against laboratory references, and the classical estimator to compare with."""
