# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the estimator's step in C, where the package was built with a compiler.

The C code repeats what the functions of this package compute, about ten times faster; they remain
what is right. Without it, everything works as before.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np

from sspinnpose_ros.core.body import Body
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.decoder import OUTPUTS
from sspinnpose_ros.core.estimate import Estimate
from sspinnpose_ros.core.estimator_state import EstimatorState
from sspinnpose_ros.core.frame import Frame
from sspinnpose_ros.core.inclination import InclinationState
from sspinnpose_ros.core.mounting import Mounting
from sspinnpose_ros.core.uncertainty import (
    HEAD_BIAS,
    HEAD_WEIGHT,
    QUANTITIES,
    has_head,
    quantity_scale,
)

SWITCH = 'SSPINNPOSE_NATIVE'
"""Environment variable that keeps the C step from being used when it is 0."""

LANES = 32
"""Rows of a matrix that step.c works out together."""

_WEARER = np.dtype(
    [
        ('period_s', 'f8'),
        ('mass_kg', 'f8'),
        ('height_m', 'f8'),
        ('segment_mass', 'f8', 7),
        ('segment_inertia', 'f8', 7),
        ('segment_com', 'f8', (7, 2)),
        ('leg_length', 'f8', 2),
        ('contact_point', 'f8', (2, 2)),
        ('sensor_position', 'f8', (7, 2)),
        ('rotation', 'f8', (7, 3, 3)),
        ('acceleration_gain', 'f8', 7),
        ('gyro_bias', 'f8', (7, 3)),
        ('acceleration_bias', 'f8', (7, 3)),
    ]
)
_FRAME = np.dtype([('imu', 'f8', (7, 6)), ('there', 'f8', 7), ('present', 'f8', 7)])
_STATE = np.dtype(
    [
        ('turned', 'f8', 7),
        ('bias', 'f8', 7),
        ('last_rate', 'f8', 7),
        ('count', 'f8', 7),
        ('average', 'f8', (7, 2, 2)),
        ('pelvis_forward', 'f8'),
        ('last_speed', 'f8'),
        ('residual_square', 'f8', (7, 2)),
    ]
)
_ESTIMATE = np.dtype(
    [
        ('q', 'f8', 9),
        ('qd', 'f8', 9),
        ('qdd', 'f8', 9),
        ('effort', 'f8', 6),
        ('contact_force', 'f8', (2, 2, 2)),
        ('ground_force', 'f8', (2, 2)),
        ('cop_forward', 'f8', 2),
        ('sole_wrench', 'f8', (2, 3)),
        ('pelvis_residual', 'f8', 3),
        ('virtual_imu', 'f8', (7, 3)),
        ('residual', 'f8', (7, 3)),
        ('angle_sigma', 'f8', 6),
        ('effort_sigma', 'f8', 6),
        ('ground_force_sigma', 'f8', (2, 2)),
        ('output', 'f8', OUTPUTS),
    ]
)
_RECORDS = {'wearer': _WEARER, 'frame': _FRAME, 'state': _STATE, 'estimate': _ESTIMATE}


@lru_cache(maxsize=1)
def library() -> ctypes.PyDLL | None:
    """Return the C code; None where it was not built or fits another version of this file."""
    # PyDLL keeps the interpreter's lock: a step is shorter than handing it over and back.
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).parent / 'native' / f'_step{suffix}'
        if path.is_file():
            try:
                found = ctypes.PyDLL(str(path))
                sizes = {
                    name: ctypes.c_size_t.in_dll(found, f'sspinnpose_{name}_size').value
                    for name in _RECORDS
                }
            except (OSError, ValueError):
                return None
            fits = all(sizes[name] == record.itemsize for name, record in _RECORDS.items())
            return found if fits else None
    return None


def is_native() -> bool:
    """Tell whether estimators that are made now step in C."""
    return os.environ.get(SWITCH, '1') != '0' and library() is not None


class NativeStep:
    """Own the memory that the C code works on, for one wearer; not to be shared by threads.

    Attributes:
        output: (35,) what the network put out in the last step.

    """

    def __init__(
        self,
        *,
        weights: Mapping[str, np.ndarray],
        body: Body,
        mounting: Mounting,
        sensor_position: np.ndarray,
        rate_hz: float,
    ) -> None:
        """Arrange the constants.

        Args:
            weights: of the network and maybe of the uncertainty's head, of the right shapes.
            body: of the wearer, without batch axes.
            mounting: of some sensors; the others must never count as there.
            sensor_position: (7, 2) in the segment frames, (forward, up), m.
            rate_hz: of the frames, Hz.

        """
        code = library()
        assert code is not None
        hidden = len(weights['inner.bias'])
        code.sspinnpose_room.restype = ctypes.c_int
        self._wearer = _wearer_record(
            body=body, mounting=mounting, sensor_position=sensor_position, rate_hz=rate_hz
        )
        self._weights = _arranged_weights(weights, hidden=hidden)
        self._head = _arranged_head(weights, body=body) if has_head(weights) else None
        self._frame = np.zeros((), _FRAME)
        self._state = np.zeros((), _STATE)
        self._estimate = np.zeros((), _ESTIMATE)
        self._recurrent = np.zeros((2, 2, hidden), np.float32)
        self._room = np.zeros(code.sspinnpose_room(hidden), np.float32)
        self._imu, self._there, self._present = (self._frame[name] for name in _FRAME.names or ())
        self._state_parts = [self._state[name] for name in (_STATE.names or ())[:5]]
        self._numbers = np.asarray(self._state).reshape(1).view('f8')
        self._square = self._state['residual_square']
        # Copied as plain numbers, which takes a fraction of what copying records does.
        self._found = np.asarray(self._estimate).reshape(1).view('f8')
        self.output: np.ndarray = self._estimate['output']
        # What the memory holds already; states are never written to.
        self._latest: EstimatorState | None = None
        self._function = code.sspinnpose_step
        self._function.restype = None
        self._arguments = [
            ctypes.c_void_p(self._wearer.ctypes.data),
            ctypes.c_int(hidden),
            *(
                ctypes.c_void_p(None if part is None else part.ctypes.data)
                for part in (
                    self._weights,
                    self._head,
                    self._frame,
                    self._state,
                    self._recurrent,
                    self._room,
                    self._estimate,
                )
            ),
        ]

    def __call__(
        self, state: EstimatorState, frame: Frame, *, there: np.ndarray, chosen: np.ndarray
    ) -> tuple[EstimatorState, Estimate]:
        """Advance by one frame.

        Args:
            state: from the previous step, left as it is.
            frame: the next one.
            there: (7,) bool, mounted sensors that are there.
            chosen: (7,) bool, those of them to estimate from.

        Returns:
            The following state and the estimate.

        """
        if state is not self._latest:
            self._load(state)
        self._imu[...] = frame.imu
        self._there[...] = there
        self._present[...] = chosen
        self._function(*self._arguments)
        after = np.ndarray((), _STATE, self._numbers.copy())
        found = np.ndarray((), _ESTIMATE, self._found.copy())
        following = EstimatorState(
            inclination=InclinationState(
                turned=after['turned'],
                bias=after['bias'],
                last_rate=after['last_rate'],
                count=after['count'],
                average=after['average'],
            ),
            recurrent=self._recurrent.copy(),
            pelvis_forward=float(self._numbers[_FORWARD]),
            last_speed=float(self._numbers[_SPEED]),
            residual_square=after['residual_square'],
        )
        self._latest = following
        return following, Estimate(
            time_s=frame.time_s,
            q=found['q'],
            qd=found['qd'],
            qdd=found['qdd'],
            effort=found['effort'],
            contact_force=found['contact_force'],
            ground_force=found['ground_force'],
            cop_forward=found['cop_forward'],
            sole_wrench=found['sole_wrench'],
            pelvis_residual=found['pelvis_residual'],
            virtual_imu=found['virtual_imu'],
            residual=found['residual'],
            present=chosen,
            angle_sigma=found['angle_sigma'],
            effort_sigma=found['effort_sigma'],
            ground_force_sigma=found['ground_force_sigma'],
        )

    def _load(self, state: EstimatorState) -> None:
        before = state.inclination
        turned, bias, last_rate, count, average = self._state_parts
        turned[...] = before.turned
        bias[...] = before.bias
        last_rate[...] = before.last_rate
        count[...] = before.count
        average[...] = before.average
        self._numbers[_FORWARD] = state.pelvis_forward
        self._numbers[_SPEED] = state.last_speed
        self._square[...] = state.residual_square
        self._recurrent[...] = state.recurrent


_FORWARD = sum(_STATE[name].itemsize for name in (_STATE.names or ())[:5]) // 8
_SPEED = _FORWARD + 1


def _wearer_record(
    *, body: Body, mounting: Mounting, sensor_position: np.ndarray, rate_hz: float
) -> np.ndarray:
    record = np.zeros((), _WEARER)
    record['period_s'] = 1.0 / rate_hz
    for name in ('mass_kg', 'height_m', 'segment_mass', 'segment_inertia', 'segment_com'):
        record[name] = getattr(body, name)
    record['leg_length'], record['contact_point'] = body.leg_length, body.contact_point
    record['sensor_position'] = sensor_position
    record['acceleration_gain'] = 1.0
    for row, name in enumerate(SENSORS):
        if name in mounting.sensors:
            one = mounting.sensors[name]
            record['rotation'][row] = one.rotation
            record['acceleration_gain'][row] = one.acceleration_gain
            record['gyro_bias'][row] = one.gyro_bias_rad_s
            record['acceleration_bias'][row] = one.acceleration_bias_m_s2
    return record


def _arranged_weights(weights: Mapping[str, np.ndarray], *, hidden: int) -> np.ndarray:
    # tanh serves all four gates: sigmoid(x) = (1 + tanh(x / 2)) / 2.
    half = np.full((4 * hidden, 1), 0.5, np.float32)
    half[2 * hidden : 3 * hidden] = 1.0
    parts = []
    for layer in range(2):
        joined = np.concatenate(
            [weights[f'lstm.weight_ih_l{layer}'], weights[f'lstm.weight_hh_l{layer}']], 1
        )
        bias = weights[f'lstm.bias_ih_l{layer}'] + weights[f'lstm.bias_hh_l{layer}']
        parts.append(_in_blocks(joined * half, bias * half[:, 0]))
    parts.append(_in_blocks(weights['inner.weight'], weights['inner.bias']))
    parts.append(_in_blocks(weights['outer.weight'], weights['outer.bias']))
    parts.append(_in_blocks(weights['skip.weight'], np.zeros(OUTPUTS)))
    return np.concatenate(parts)


def _in_blocks(matrix: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Arrange a matrix as step.c reads it: blocks of LANES rows, in each column by column."""
    rows, columns = matrix.shape
    blocks = -(-rows // LANES)
    whole = np.zeros((blocks * LANES, columns), np.float32)
    whole[:rows] = matrix
    ends = np.zeros(blocks * LANES, np.float32)
    ends[:rows] = bias
    return np.concatenate([whole.reshape(blocks, LANES, columns).swapaxes(1, 2).ravel(), ends])


def _arranged_head(weights: Mapping[str, np.ndarray], *, body: Body) -> np.ndarray:
    weight = weights[HEAD_WEIGHT].astype(np.float64)
    bias = weights[HEAD_BIAS].astype(np.float64)
    scale = quantity_scale(mass_kg=body.mass_kg, height_m=body.height_m)
    assert len(scale) == QUANTITIES
    return np.concatenate([weight.ravel(), bias, scale])
