# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fix the names, orders, signs and frames that every other module uses.

Segment frames have their origin at the proximal joint (pelvis: mid-point of the hips) and the
REP-103 axes x forward, y left, z up while the person stands upright. The planar model lives in
the sagittal plane: positions are (forward, up) and a segment's inclination is positive when it
turns backward-to-forward underneath its proximal joint, that is about the axis to the person's
right. Joint angles are zero in upright standing with straight legs; hip flexion, knee flexion
and ankle dorsiflexion are positive.
"""

GRAVITY = 9.81
"""Standard magnitude of gravity used everywhere, in m/s^2."""

SIDES = ('r', 'l')

SEGMENTS = ('pelvis', 'thigh_r', 'shank_r', 'foot_r', 'thigh_l', 'shank_l', 'foot_l')
"""Order of every segment axis; the pelvis carries head, arms and trunk."""

SENSORS = SEGMENTS
"""Order of every sensor axis: one sensor a segment, named after it."""

OPTIONAL_SENSORS = ('trunk',)
"""Sensors that recordings may hold beside `SENSORS`."""

JOINTS = (
    'hip_flexion_r',
    'knee_angle_r',
    'ankle_angle_r',
    'hip_flexion_l',
    'knee_angle_l',
    'ankle_angle_l',
)
"""Order of every joint axis (OpenSim's coordinate names)."""

COORDINATES = ('pelvis_forward', 'pelvis_up', 'pelvis_tilt', *JOINTS)
"""Order of generalized coordinates: metres, metres, then radians."""

JOINT_SIGNS = (1.0, -1.0, 1.0, 1.0, -1.0, 1.0)
"""Sign that turns a joint angle into the child's inclination relative to its parent."""

POSSIBLE_ANGLE_DEG = 2 * ((-60.0, 150.0), (-30.0, 170.0), (-75.0, 60.0))
"""Range of each joint, in the order of `JOINTS`, set by hand, wide of what people reach
in any usual movement."""

PARENTS = {
    'pelvis': 'odom',
    'thigh_r': 'pelvis',
    'shank_r': 'thigh_r',
    'foot_r': 'shank_r',
    'thigh_l': 'pelvis',
    'shank_l': 'thigh_l',
    'foot_l': 'shank_l',
}
"""Parent frame of each segment."""

JOINT_OF_SEGMENT = {
    'thigh_r': 'hip_flexion_r',
    'shank_r': 'knee_angle_r',
    'foot_r': 'ankle_angle_r',
    'thigh_l': 'hip_flexion_l',
    'shank_l': 'knee_angle_l',
    'foot_l': 'ankle_angle_l',
}
"""Joint between each segment and its parent."""

REP155_JOINTS = {
    'hip_flexion_r': 'r_p_hip',
    'knee_angle_r': 'r_knee',
    'ankle_angle_r': 'r_ankle',
    'hip_flexion_l': 'l_p_hip',
    'knee_angle_l': 'l_knee',
    'ankle_angle_l': 'l_ankle',
}
"""REP-155 names of the joints (REP-155 fixes its ankles; ours move)."""

CONTACT_POINTS = ('heel', 'toe')
"""Order of the contact points of a foot."""

SAGITTAL_CHANNELS = ('specific_force_forward', 'specific_force_up', 'rate_right')
"""Channels of a sensor in its segment's sagittal plane: m/s^2, m/s^2, rad/s."""

SENSOR_SETS = {
    'all': SENSORS,
    'feet+thighs': ('thigh_r', 'foot_r', 'thigh_l', 'foot_l'),
    'feet+shanks': ('shank_r', 'foot_r', 'shank_l', 'foot_l'),
    'thighs+shanks': ('thigh_r', 'shank_r', 'thigh_l', 'shank_l'),
    'shanks+pelvis': ('pelvis', 'shank_r', 'shank_l'),
}
"""Sensor sets of the paper, by name."""
