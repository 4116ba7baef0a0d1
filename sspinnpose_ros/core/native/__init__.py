# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hold the estimator's step in C, which `core.native_step` calls."""
