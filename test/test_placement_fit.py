# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Check that known motion reveals where sensors sit."""

import numpy as np
import pytest

torch = pytest.importorskip('torch')

from sspinnpose_ros.core.body import body_from_anthropometry  # noqa: E402
from sspinnpose_ros.core.kinematics import kinematics  # noqa: E402
from sspinnpose_ros.core.virtual_imu import virtual_imu  # noqa: E402
from sspinnpose_ros.training.placement_fit import (  # noqa: E402
    PlacementPrior,
    fit_placement,
)


def test_rotation_and_offset_are_found_from_known_motion():
    rng = np.random.default_rng(0)
    body = body_from_anthropometry(mass_kg=torch.tensor([[70.0]]), height_m=torch.tensor([[1.7]]))
    q, qd, qdd = (torch.tensor(rng.normal(size=(1, 400, 9)) * s) for s in (0.4, 3.0, 20.0))
    motion = kinematics(body=body, q=q, qd=qd, qdd=qdd)
    assumed = torch.zeros(1, 1, 7, 2)
    offset = torch.tensor(rng.normal(size=(1, 7, 2)) * 0.02)
    angle = torch.tensor(rng.normal(size=(1, 7)) * 0.03)
    true = virtual_imu(motion=motion, position=assumed + offset[:, None])
    cos, sin = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
    measured = torch.stack(
        [cos * true[..., 0] + sin * true[..., 1], cos * true[..., 1] - sin * true[..., 0]], -1
    )
    virtual = virtual_imu(motion=motion, position=assumed)
    found = fit_placement(
        motion=motion,
        virtual=virtual,
        residual=measured - virtual[..., :2],
        measured=torch.ones(1, 400, 7),
        prior=PlacementPrior(correlated=1.0),
    )
    np.testing.assert_allclose(found[..., 0], angle, atol=0.004)
    np.testing.assert_allclose(found[..., 1:], offset, atol=0.004)


def test_without_evidence_the_prior_holds():
    body = body_from_anthropometry(mass_kg=torch.tensor([[70.0]]), height_m=torch.tensor([[1.7]]))
    motion = kinematics(
        body=body, q=torch.ones(1, 5, 9), qd=torch.ones(1, 5, 9), qdd=torch.ones(1, 5, 9)
    )
    found = fit_placement(
        motion=motion,
        virtual=virtual_imu(motion=motion, position=torch.zeros(1, 1, 7, 2)),
        residual=torch.ones(1, 5, 7, 2),
        measured=torch.zeros(1, 5, 7),
    )
    assert not found.any()
