# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recordings in, results out: rosbag2 and npz files, without ROS."""
