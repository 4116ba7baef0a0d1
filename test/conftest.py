"""Keep every test to one thread; small tensors only lose by more."""

import os

os.environ.setdefault('OMP_NUM_THREADS', '1')
