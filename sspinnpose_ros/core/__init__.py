"""Numbers only: body, physics, network, synchronizer and estimator, without any ROS import."""
