# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node: messages in, messages out, and nothing computed in between."""
