# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Name the mistakes a user can make; each message is one sentence that says what to change."""


class UserError(Exception):
    """Report what was seen, what was expected and what to change."""


class SubjectError(UserError):
    """Report an impossible mass, height or segment length, or an unreadable subject file."""


class ModelError(UserError):
    """Report a model that cannot be read or was made for other sensors."""


class CalibrationError(UserError):
    """Report a recording that cannot be calibrated, or an unreadable calibration file."""


class RecordingError(UserError):
    """Report a bag that lacks what the job needs or holds implausible measurements."""


class MappingError(UserError):
    """Report a parameter file that does not say which sensor is on which topic."""


class TableError(UserError):
    """Report a CSV or NPZ file that does not say what its sensors measured."""


class DeviceError(UserError):
    """Report a torque of a worn device that cannot be, or a joint that there is not."""


class OutputError(UserError):
    """Report a place where a result cannot be written."""
