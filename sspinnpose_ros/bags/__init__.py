"""Recordings in, results out: rosbag2 and npz files, without ROS."""
