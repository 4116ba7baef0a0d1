# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the estimator as a lifecycle node on the IMU topics of one wearer."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Imu, JointState
from std_srvs.srv import Trigger

from sspinnpose_ros.core.calibration import calibrate
from sspinnpose_ros.core.calibration_file import save_calibration
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.errors import UserError
from sspinnpose_ros.core.pipeline import Pipeline, PipelineConfig
from sspinnpose_ros.core.recent_frames import RecentFrames
from sspinnpose_ros.core.synchronizer import Synchronizer, SynchronizerConfig
from sspinnpose_ros.ros.calibration_guide import CalibrationGuide
from sspinnpose_ros.ros.conversions import TFMessage
from sspinnpose_ros.ros.device_input import DeviceInput, driven_joints
from sspinnpose_ros.ros.executor import make_executor
from sspinnpose_ros.ros.input_watch import InputWatch
from sspinnpose_ros.ros.outputs import Outputs
from sspinnpose_ros.ros.parameters import (
    ParameterError,
    check_choice,
    check_frames,
    declare_parameters,
    file_path,
    read_parameters,
    resolved_topic,
    resolved_topics,
    table_by_name,
    unknown_parameters,
)
from sspinnpose_ros.ros.session import Session
from sspinnpose_ros.ros.stop_signal import ignore_stop, start_rclpy, told_to_stop
from sspinnpose_ros.ros.tidying import Tidying
from sspinnpose_ros.ros.topic_qos import overridable
from sspinnpose_ros.ros.wearer import Wearer, load_wearer

NODE_NAME = 'sspinnpose'
TICK_S = 0.02
DIAGNOSTICS_S = 1.0
LOOK_S = 0.2
"""Longest time between two looks at whether the node is to stop."""

# SensorDataQoS, but for the depth: drivers send bursts of ten samples and more.
SAMPLES = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
RCLError = rclpy_implementation.RCLError


class EstimatorNode(LifecycleNode):
    """Configure, activate and serve; a `Session` does the work in between."""

    def __init__(self) -> None:
        """Declare parameters and services.

        Raises:
            ParameterError: for a parameter of the wrong type or out of range.

        """
        super().__init__(NODE_NAME)
        declare_parameters(self)
        self.add_on_set_parameters_callback(self._check_change)
        self._wearer: Wearer | None = None
        self._outputs: Outputs | None = None
        self._session: Session | None = None
        self._timers_made: list[Any] = []
        self._subscriptions_made: list[Any] = []
        self._jump = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None,
                min_backward=Duration(nanoseconds=-1),
                on_clock_change=True,
            ),
            post_callback=self._on_time_jump,
        )
        for name, answer in (
            ('calibrate', self._calibrate),
            ('reset', self._reset),
            ('save_calibration', self._save_calibration),
        ):
            self.create_service(Trigger, f'~/{name}', partial(self._serve, answer))

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read parameters and files; refuse with one sentence what cannot work."""
        refused = self._refusing(self._configure)
        if refused is not None:
            self._clean_up()
        return refused or super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to listen."""
        if super().on_activate(state) != SUCCESS:
            return FAILURE
        return self._refusing(self._activate) or SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening and publishing."""
        self._deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget everything that was read from parameters and files."""
        self._clean_up()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop for good."""
        self._deactivate()
        self._clean_up()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Return to the unconfigured state after a transition went wrong."""
        self._deactivate()
        self._clean_up()
        return SUCCESS

    def stop(self) -> None:
        """Deactivate if active, so that nothing is published any more."""
        if self._session is not None:
            self.trigger_deactivate()

    def autostart(self) -> bool:
        """Configure and activate; return whether both went well."""
        return self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS

    def _refusing(self, transition: Callable[[], None]) -> TransitionCallbackReturn | None:
        try:
            transition()
        except UserError as error:
            self.get_logger().error(str(error))
            self._deactivate()
            return FAILURE
        except Exception as error:
            # rclpy drops what a transition raises; say it before the state machine goes on.
            self.get_logger().error(f'A transition failed unexpectedly: {error!r}')
            raise
        return None

    def _configure(self) -> None:
        values = read_parameters(self)
        for sentence in unknown_parameters(self):
            self.get_logger().warning(sentence)
        check_frames(values)
        wearer = load_wearer(values)
        self._topics = resolved_topics(self, values, wearer.sensors)
        self._calibration_output = file_path(values, 'calibration_output').absolute()
        self._driven = driven_joints(values)
        self._device_topic = resolved_topic(
            self, values, name='exo.topic', example='exo/joint_states'
        )
        if len(wearer.sensors) < values['min_sensors']:
            raise ParameterError(
                f'The parameter sensors names {len(wearer.sensors)}, expected at least '
                f'min_sensors = {values["min_sensors"]}; name more or lower min_sensors.'
            )
        known = len(wearer.sensors) - len(wearer.unmounted())
        if known < values['min_sensors']:
            raise ParameterError(
                f'The calibration knows {known} of the worn sensors, expected at least '
                f'min_sensors = {values["min_sensors"]}; calibrate with all sensors worn.'
            )
        if wearer.unmounted():
            self.get_logger().warning(
                f'The calibration does not know {", ".join(wearer.unmounted())}: going on '
                'without; calibrate with all sensors worn.'
            )
        synchronizer = Synchronizer(
            sensors=wearer.sensors,
            config=SynchronizerConfig(
                rate_hz=wearer.model.rate_hz,
                max_wait_s=values['max_wait_s'],
                sensor_timeout_s=values['sensor_timeout_s'],
                max_gap_s=values['max_gap_s'],
                max_jump_s=values['max_jump_s'],
                max_ahead_s=values['max_ahead_s'],
                max_lag_s=values['max_lag_s'],
                averaging_s=values['averaging_s'],
                stamps_at_arrival=values['stamps'] == 'arrival',
            ),
            time_offset_s={
                sensor: values[f'imu.{sensor}.time_offset_s'] for sensor in wearer.sensors
            },
        )
        self._values, self._wearer = values, wearer
        self._pipeline = Pipeline(
            synchronizer=synchronizer,
            estimator=wearer.estimator(),
            config=PipelineConfig(
                min_sensors=values['min_sensors'],
                settle_s=values['settle_s'],
                rejoin_s=values['rejoin_s'],
                largest_angle_sigma_deg=values['largest_angle_sigma_deg'],
            ),
        )
        self._recent = RecentFrames(
            capacity=round(values['calibration_memory_s'] * wearer.model.rate_hz)
        )
        self._outputs = Outputs(
            self,
            wearer=wearer,
            world_frame=values['world_frame'],
            frame_prefix=values['frame_prefix'],
            hardware_id=self._hardware_id(),
            with_frames=self._with_frames(),
            with_joints=values['publish_joint_tf'],
            with_total=bool(self._driven),
        )

    def _with_frames(self) -> bool:
        if self._values['publish_tf'] and TFMessage is None:
            self.get_logger().warning(
                'publish_tf is true, but the package tf2_msgs is not installed: going on without '
                '/tf and /tf_static; install tf2_msgs or set publish_tf to false.'
            )
            return False
        return bool(self._values['publish_tf'])

    def _hardware_id(self) -> str:
        return self._values['frame_prefix'].rstrip('/_') or self.get_namespace().strip('/')

    def _activate(self) -> None:
        assert self._wearer is not None
        assert self._outputs is not None
        wearer, values, pipeline = self._wearer, self._values, self._pipeline
        if pipeline.synchronizer.statistics.frames:
            pipeline.reset('activated')
        self._recent.clear()
        # A group keeps a reference to all it ever held, so each session has its own.
        self._group = MutuallyExclusiveCallbackGroup()
        watch = InputWatch(
            topics=self._topics,
            pipeline=pipeline,
            missing_topic_s=values['missing_topic_s'],
            logger=self.get_logger(),
            count_publishers=self.count_publishers,
        )
        device = self._listen_to_device(watch) if self._driven else None
        session = Session(
            clock=self.get_clock(),
            pipeline=pipeline,
            recent=self._recent,
            outputs=self._outputs,
            watch=watch,
            guide=CalibrationGuide(
                pipeline=pipeline,
                recent=self._recent,
                sensors=wearer.sensors,
                logger=self.get_logger(),
            ),
            name=self.get_fully_qualified_name().strip('/'),
            hardware_id=self._hardware_id(),
            values=values,
            device=device,
        )
        self._session = session
        self._outputs.publish_fixed(wearer, self.get_clock().now().nanoseconds)
        for sensor in wearer.sensors:
            hear = partial(session.on_imu, sensor)
            self._subscribe(Imu, values[f'imu.{sensor}.topic'], hear, raw=True)
        # A paused /clock must not silence the status, hence a clock of its own.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timers_made = [
            self.create_timer(TICK_S, session.tick, self._group, clock=steady),
            self.create_timer(DIAGNOSTICS_S, session.diagnose, self._group, clock=steady),
        ]
        if pipeline.estimator is None:
            self.get_logger().warning(
                'The mounting of the sensors is unknown: let the wearer stand for some seconds '
                'and walk for twenty, then call ~/calibrate; or name a CALIBRATION.yaml with the '
                'parameter calibration.'
            )
        else:
            self.get_logger().info(
                f'Listening to {", ".join(wearer.sensors)} with the model {values["model"]}.'
            )

    def _listen_to_device(self, watch: InputWatch) -> DeviceInput:
        device = DeviceInput(
            joints=self._driven,
            topic=self._device_topic,
            timeout_s=self._values['exo.timeout_s'],
            now_ns=lambda: self.get_clock().now().nanoseconds,
            warn=watch.warn,
        )
        self._subscribe(JointState, self._values['exo.topic'], device.on_joint_states)
        return device

    def _subscribe(
        self, kind: Any, topic: str, hear: Callable[[Any], None], *, raw: bool = False
    ) -> None:
        with overridable(SAMPLES, topic=topic) as settings:
            self._subscriptions_made.append(
                self.create_subscription(
                    kind, topic, hear, callback_group=self._group, raw=raw, **settings
                )
            )

    def _deactivate(self) -> None:
        if self._session is not None:
            self._session.stop()
        self._session = None
        for timer in self._timers_made:
            self.destroy_timer(timer)
        for subscription in self._subscriptions_made:
            self.destroy_subscription(subscription)
        self._timers_made, self._subscriptions_made = [], []

    def _clean_up(self) -> None:
        if self._outputs is not None:
            self._outputs.destroy()
        self._outputs = self._wearer = None

    def _on_time_jump(self, jump: Any) -> None:
        if self._session is not None:
            self._session.reset('the clock of the node jumped')

    # Parameters

    def _check_change(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        table = table_by_name()
        for parameter in parameters:
            known = table.get(parameter.name)
            if known is None:
                continue
            if self._wearer is not None:
                return SetParametersResult(
                    successful=False,
                    reason=f'{parameter.name} is read at configuration: deactivate and clean up '
                    'the node, set it, then configure and activate again.',
                )
            try:
                check_choice(known, parameter.value)
            except ParameterError as error:
                return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    # Services

    def _serve(
        self,
        answer: Callable[[Session], str],
        request: Trigger.Request,
        response: Trigger.Response,
    ) -> Trigger.Response:
        try:
            if self._session is None:
                raise UserError(
                    'The node is not active, expected an active one; activate it, for instance '
                    f'with ros2 lifecycle set {self.get_fully_qualified_name()} activate.'
                )
            response.message = answer(self._session)
            response.success = True
            self.get_logger().info(response.message)
        except UserError as error:
            response.message = str(error)
            self.get_logger().warning(response.message)
        except Exception as error:
            # A request must not end the estimates; what is in use is replaced last.
            response.message = f'An unexpected error came up and nothing was changed: {error!r}'
            self.get_logger().error(f'{response.message}\n{traceback.format_exc()}')
        return response

    def _reset(self, session: Session) -> str:
        session.reset('asked for')
        return 'Estimation started afresh; the forward position is zero again.'

    def _calibrate(self, session: Session) -> str:
        assert self._wearer is not None
        assert self._outputs is not None
        wearer = self._wearer
        chosen = self._recent.longest_complete(wearer.sensors)
        if len(chosen.time_s) < wearer.model.rate_hz:
            raise UserError(
                f'All of {", ".join(wearer.sensors)} were heard together for '
                f'{len(chosen.time_s) / wearer.model.rate_hz:.1f} s, expected some standing and '
                'twenty seconds of walking; see /diagnostics for the sensors.'
            )
        rows = [SENSORS.index(sensor) for sensor in wearer.sensors]
        calibration = calibrate(
            time_s=chosen.time_s,
            acceleration=chosen.acceleration[:, rows],
            angular_rate=chosen.angular_rate[:, rows],
            sensors=wearer.sensors,
            height_m=wearer.subject.height_m,
        )
        calibrated = wearer.calibrated(calibration)
        self._pipeline.estimator = calibrated.estimator()
        self._wearer = calibrated
        session.reset('calibrated')
        self._outputs.publish_fixed(self._wearer, self.get_clock().now().nanoseconds)
        return ' '.join(calibration.sentences)

    def _save_calibration(self, session: Session) -> str:
        calibration = None if self._wearer is None else self._wearer.calibration
        if calibration is None:
            raise UserError(
                'There is no calibration yet, expected one to save; call ~/calibrate after some '
                'walking.'
            )
        path = self._calibration_output
        save_calibration(path, calibration)
        return f'Saved to {path}; start the node with calibration:={path} to use it again.'


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop.

    Returns:
        0 after an ordinary stop, 1 where the node could not start.

    """
    told = told_to_stop()
    if not start_rclpy(args, example='--ros-args -p mass_kg:=70.0'):
        return 1
    try:
        return _run(told)
    except ExternalShutdownException:
        return 0
    finally:
        rclpy.try_shutdown()
        ignore_stop()


def _run(told: Callable[[], bool]) -> int:
    try:
        node = EstimatorNode()
    except UserError as error:
        rclpy.logging.get_logger(NODE_NAME).fatal(str(error))
        return 1
    except (RCLError, ParameterException) as error:
        rclpy.logging.get_logger(NODE_NAME).fatal(
            f'The node cannot be made ({" ".join(str(error).split())}), expected valid arguments '
            'and parameter files; correct them.'
        )
        return 1
    executor = make_executor(node.get_parameter('executor').value)
    executor.add_node(node)
    try:
        if node.get_parameter('autostart').value and not node.autostart():
            return 1
        tidying = Tidying()
        while rclpy.ok() and not told():
            executor.spin_once(timeout_sec=LOOK_S)
            tidying.tidy()
        node.stop()
    except ExternalShutdownException:
        raise
    except Exception as error:
        # Whoever acts on the estimates is told before they end.
        node.get_logger().fatal(
            f'The node stops for an unexpected error: {error!r}\n{traceback.format_exc()}'
        )
        node.stop()
        return 1
    finally:
        executor.remove_node(node)
        executor.shutdown()
        node.destroy_node()
    return 0


if __name__ == '__main__':
    sys.exit(main())
