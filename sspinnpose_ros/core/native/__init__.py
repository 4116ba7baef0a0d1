"""Hold the estimator's step in C, which `core.native_step` calls."""
