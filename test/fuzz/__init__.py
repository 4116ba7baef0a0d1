# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hostile input for every place that reads something: what is refused, is refused in a sentence.

`targets.py` names the readers, `mutation.py` makes valid input hostile, `campaign.py` runs cases
and watches time and memory, `__main__.py` does so for as long as wanted.
"""
