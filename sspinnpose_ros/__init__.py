# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turn body-worn IMUs into a live skeleton with joint angles, moments and ground forces."""

__version__ = '0.1.0'
