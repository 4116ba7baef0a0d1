# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers only: body, physics, network, synchronizer and estimator, without any ROS import."""
