# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the node's pipeline over a recording and write what comes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sspinnpose_ros.bags.device_bag import DevicePlayback
from sspinnpose_ros.bags.imu_bag import ImuBag
from sspinnpose_ros.bags.reference import ESTIMATE_ROW, EstimateTable
from sspinnpose_ros.bags.result_bag import ResultBag
from sspinnpose_ros.bags.signal_check import SignalCheck, require_numbers
from sspinnpose_ros.bags.stream_check import StreamCheck
from sspinnpose_ros.core.conventions import JOINTS, SIDES
from sspinnpose_ros.core.errors import RecordingError
from sspinnpose_ros.core.estimate_status import Level
from sspinnpose_ros.core.estimator import Estimator
from sspinnpose_ros.core.mounting import Mounting
from sspinnpose_ros.core.pipeline import Outcome, Pipeline, PipelineConfig
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig

BAG = 'bag'
ESTIMATE = 'estimate.npz'
ROWS = 512


@dataclass(frozen=True)
class EstimateSummary:
    """Hold what an estimation did.

    Attributes:
        frames: grid points.
        estimates: frames with an estimate.
        warnings: estimates that were marked WARN.
        recorded_s: duration of the recording, s.
        elapsed_s: time it took, s.

    """

    frames: int
    estimates: int
    warnings: int
    recorded_s: float
    elapsed_s: float

    @property
    def realtime_factor(self) -> float:
        """How many times faster than real time it went."""
        return self.recorded_s / max(self.elapsed_s, 1e-9)


def recorded_outcomes(
    bag: ImuBag,
    *,
    estimator: Estimator,
    sensors: Sequence[str],
    skip_bad_samples: bool = False,
    time_offset_s: Mapping[str, float] | None = None,
    realtime_factor: float | None = None,
    progress: Callable[[int], None] | None = None,
    remark: Callable[[str], None] | None = None,
    hear: Callable[[float], None] | None = None,
) -> Iterator[Outcome]:
    """Push a recording through the node's pipeline.

    Args:
        bag: the open recording.
        estimator: for the wearer.
        sensors: those to use.
        skip_bad_samples: whether NaN and infinity count as missing instead of as an error.
        time_offset_s: added to every stamp of a sensor, s; zero where none is named.
        realtime_factor: pace, in recorded seconds per second; as fast as possible when None.
        progress: called with the number of messages read since the last call.
        remark: called with sentences about what is odd but not fatal, at the end.
        hear: called with the time of recording of every sample before it is used, s.

    Yields:
        The outcomes in order of time.

    Raises:
        RecordingError: for implausible signals, NaN, sensors that are too slow, stuck or on
            another clock, and a recording without a single estimate.

    """
    config = PipelineConfig()
    pipeline = Pipeline(
        synchronizer=Synchronizer(
            sensors=sensors,
            config=SynchronizerConfig(rate_hz=estimator.rate_hz),
            time_offset_s=time_offset_s,
        ),
        estimator=estimator,
        config=config,
    )
    statistics = pipeline.synchronizer.statistics
    check = SignalCheck(path=bag.path, sensors=sensors, mounting=estimator.mounting)
    streams = StreamCheck(bag, sensors=sensors, statistics=statistics)
    begin = time.monotonic()
    first: float | None = None
    read = estimates = 0
    outcome: Outcome | None = None
    for sensor, stamp_s, sample, arrival_s in bag.samples(sensors):
        if realtime_factor is not None:
            first = arrival_s if first is None else first
            wait = begin + (arrival_s - first) / realtime_factor - time.monotonic()
            if wait > 0.0:
                time.sleep(wait)
        if hear is not None:
            hear(arrival_s)
        streams.note(sensor, stamp_s)
        pipeline.push(sensor=sensor, stamp_s=stamp_s, sample=sample, arrival_s=arrival_s)
        for outcome in pipeline.drain(now_s=arrival_s):
            check.note(outcome.frame)
            estimates += outcome.estimate is not None
            yield outcome
        read += 1
        if read == ROWS:
            if progress is not None:
                progress(read)
            read = 0
            if not skip_bad_samples:
                require_numbers(path=bag.path, statistics=statistics)
            streams.look()
    for outcome in pipeline.flush():
        check.note(outcome.frame)
        estimates += outcome.estimate is not None
        yield outcome
    check.finish()
    if not skip_bad_samples:
        require_numbers(path=bag.path, statistics=statistics)
    streams.finish()
    if progress is not None:
        progress(read)
    if not estimates:
        reason = 'too few samples' if outcome is None else outcome.status.message
        raise RecordingError(
            f'{bag.path} gave not a single estimate ({reason}), expected some seconds of at least '
            f'{config.min_sensors} sensors together; record longer or with more sensors.'
        )
    if remark is not None:
        for sentence in streams.remarks:
            remark(sentence)


def estimate_recording(
    bag: ImuBag,
    *,
    folder: Path,
    estimator: Estimator,
    mounting: Mounting,
    sensors: Sequence[str],
    skip_bad_samples: bool = False,
    time_offset_s: Mapping[str, float] | None = None,
    realtime_factor: float | None = None,
    progress: Callable[[int], None] | None = None,
    remark: Callable[[str], None] | None = None,
    device: DevicePlayback | None = None,
) -> EstimateSummary:
    """Write the estimates of a recording as `bag/` and `estimate.npz`.

    Args:
        bag: the open recording.
        folder: an existing folder that is free for both.
        estimator: for the wearer.
        mounting: of the sensors, for their frames.
        sensors: those to use.
        skip_bad_samples: as for `recorded_outcomes`.
        time_offset_s: as for `recorded_outcomes`.
        realtime_factor: as for `recorded_outcomes`.
        progress: as for `recorded_outcomes`.
        remark: as for `recorded_outcomes`.
        device: whose torques are taken off the moments; the totals are written as well.

    Returns:
        What was done.

    Raises:
        RecordingError: as for `recorded_outcomes` and `DevicePlayback.hear`.

    """
    begin = time.monotonic()
    frames = estimates = warnings = 0
    result = ResultBag(
        folder / BAG,
        body=estimator.body,
        sensor_position_m=estimator.subject.sensor_position_m,
        mounting=mounting,
        sensors=sensors,
        origin_ns=bag.origin_ns,
        with_sigma=estimator.tells_sigma,
        with_total=device is not None,
    )
    with closing(EstimateTable(folder / 'rows.partial')) as table:
        try:
            rows: list[Outcome] = []
            totals: list[Outcome] = []
            for outcome in recorded_outcomes(
                bag,
                estimator=estimator,
                sensors=sensors,
                skip_bad_samples=skip_bad_samples,
                time_offset_s=time_offset_s,
                realtime_factor=realtime_factor,
                progress=progress,
                remark=remark,
                hear=None if device is None else device.hear,
            ):
                total = outcome
                if device is not None:
                    outcome = device.share(total)
                result.append(outcome, total=total)
                rows.append(outcome)
                totals.append(total)
                frames += 1
                estimates += outcome.estimate is not None
                warnings += outcome.status.level == Level.WARN
                if len(rows) == ROWS:
                    table.append(estimate_rows(rows, totals=totals))
                    rows, totals = [], []
            table.append(estimate_rows(rows, totals=totals))
            result.close()
        except BaseException:
            result.abort()
            raise
        table.save(folder / ESTIMATE, with_total=device is not None)
    return EstimateSummary(
        frames=frames,
        estimates=estimates,
        warnings=warnings,
        recorded_s=bag.duration_s,
        elapsed_s=time.monotonic() - begin,
    )


def estimate_rows(
    outcomes: Sequence[Outcome], *, totals: Sequence[Outcome] | None = None
) -> np.ndarray:
    """Arrange outcomes as rows of `ESTIMATE_ROW`, NaN where there is no estimate.

    Args:
        outcomes: (n) in order of time.
        totals: (n) the same before the torque of a device was taken off; by default `outcomes`.

    Returns:
        (n,) rows.

    """
    rows = np.zeros(len(outcomes), dtype=ESTIMATE_ROW)
    for name, (kind, *_) in (ESTIMATE_ROW.fields or {}).items():
        if kind.base.kind == 'f':
            rows[name] = np.nan
    rows['time'] = [outcome.frame.time_s for outcome in outcomes]
    rows['status'] = [int(outcome.status.level) for outcome in outcomes]
    known = np.array([outcome.estimate is not None for outcome in outcomes], dtype=bool)
    estimates = [outcome.estimate for outcome in outcomes if outcome.estimate is not None]
    if not estimates:
        return rows
    q, qd = np.array([e.q for e in estimates]), np.array([e.qd for e in estimates])
    effort = np.array([e.effort for e in estimates])
    total = np.array([o.estimate.effort for o in totals or outcomes if o.estimate is not None])
    force = np.array([e.ground_force for e in estimates])
    pressure = np.array([e.cop_forward for e in estimates])
    angle_sigma = np.array([e.angle_sigma for e in estimates])
    effort_sigma = np.array([e.effort_sigma for e in estimates])
    force_sigma = np.array([e.ground_force_sigma for e in estimates])
    columns = {
        'position_pelvis_forward': q[:, 0],
        'position_pelvis_up': q[:, 1],
        'angle_pelvis_tilt': q[:, 2],
        'residual': np.array([e.residual for e in estimates]),
        'present': np.array([e.present for e in estimates]),
    }
    for index, joint in enumerate(JOINTS):
        columns[f'angle_{joint}'] = q[:, 3 + index]
        columns[f'velocity_{joint}'] = qd[:, 3 + index]
        columns[f'moment_{joint}'] = effort[:, index]
        columns[f'moment_total_{joint}'] = total[:, index]
        columns[f'sigma_angle_{joint}'] = angle_sigma[:, index]
        columns[f'sigma_moment_{joint}'] = effort_sigma[:, index]
    for index, side in enumerate(SIDES):
        columns[f'grf_forward_{side}'] = force[:, index, 0]
        columns[f'grf_up_{side}'] = force[:, index, 1]
        columns[f'cop_forward_{side}'] = pressure[:, index]
        columns[f'sigma_grf_forward_{side}'] = force_sigma[:, index, 0]
        columns[f'sigma_grf_up_{side}'] = force_sigma[:, index, 1]
    for name, values in columns.items():
        rows[name][known] = values
    return rows
