# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Store a trained network as a folder: weights.safetensors and model.json, no pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from sspinnpose_ros.core.atomic_output import folder_beside
from sspinnpose_ros.core.brief import brief
from sspinnpose_ros.core.conventions import SENSORS
from sspinnpose_ros.core.errors import ModelError
from sspinnpose_ros.core.file_version import is_readable, version_advice
from sspinnpose_ros.core.network_step import expected_shapes
from sspinnpose_ros.core.uncertainty import has_head, head_shapes

FORMAT = 'sspinnpose-model'
VERSION_WITHOUT_SIGMA, VERSION = 1, 2
"""A model of version 1 has no head for uncertainty; its estimates come without sigmas."""

WEIGHTS_FILE = 'weights.safetensors'
DESCRIPTION_FILE = 'model.json'
MAX_WEIGHT_BYTES = 64 * 2**20
MAX_HIDDEN = 1024

_DTYPES: dict[str, np.dtype[np.float32] | np.dtype[np.float64]] = {
    'F32': np.dtype('<f4'),
    'F64': np.dtype('<f8'),
}


@dataclass(frozen=True)
class Model:
    """Hold a network's weights and what they were made for.

    Attributes:
        weights: by the names of `GaitNetwork.state_dict`, float32; with those of
            `uncertainty.head_shapes` where the model tells its uncertainty.
        hidden: units of each recurrent layer.
        rate_hz: sample rate of the grid the network runs on.
        sensors: sensors the network has inputs for, in their order.
        provenance: how it was trained: seed, data, version, anything JSON holds.

    """

    weights: Mapping[str, np.ndarray]
    hidden: int
    rate_hz: float
    sensors: tuple[str, ...]
    provenance: Mapping[str, Any]


def default_model_path() -> Path:
    """Return the folder of the shipped model."""
    return Path(str(resources.files('sspinnpose_ros'))) / 'models' / 'default'


def save_model(path: Path, model: Model) -> None:
    """Write a model folder beside its place and move it there.

    Args:
        path: folder to make or replace; an existing folder must be a model.
        model: what to write.

    Raises:
        OutputError: if the place is taken by something else or cannot be written.

    """
    blob = _pack({name: np.asarray(w, '<f4') for name, w in sorted(model.weights.items())})
    description = {
        'format': FORMAT,
        'version': VERSION if has_head(model.weights) else VERSION_WITHOUT_SIGMA,
        'hidden': model.hidden,
        'rate_hz': model.rate_hz,
        'sensors': list(model.sensors),
        'sha256': hashlib.sha256(blob).hexdigest(),
        'provenance': dict(model.provenance),
    }
    contents = (WEIGHTS_FILE, DESCRIPTION_FILE)
    with folder_beside(path, overwrite=True, contents=contents) as folder:
        (folder / WEIGHTS_FILE).write_bytes(blob)
        (folder / DESCRIPTION_FILE).write_text(json.dumps(description, indent=2) + '\n')


def load_model(path: Path | str) -> Model:
    """Read and validate a model folder; 'default' is the shipped one.

    Raises:
        ModelError: if anything about it is missing, damaged, or for other sensors.

    """
    folder = default_model_path() if str(path) == 'default' else Path(path)
    description = _read_description(folder)
    blob = _read_weights(folder)
    if hashlib.sha256(blob).hexdigest() != description.get('sha256'):
        raise ModelError(
            f'{folder / WEIGHTS_FILE} does not match the sha256 in {DESCRIPTION_FILE}, expected '
            'an unchanged pair of files; copy the model again.'
        )
    hidden = description.get('hidden')
    if isinstance(hidden, bool) or not isinstance(hidden, int) or not 1 <= hidden <= MAX_HIDDEN:
        raise ModelError(
            f'{folder / DESCRIPTION_FILE} says hidden = {brief(hidden)}, expected a whole number '
            f'from 1 to {MAX_HIDDEN}; choose another model.'
        )
    sensors = description.get('sensors')
    if sensors != list(SENSORS):
        raise ModelError(
            f'the model {folder} was made for the sensors {brief(sensors)}, expected '
            f'{", ".join(SENSORS)}; choose or train a model for these.'
        )
    rate = description.get('rate_hz')
    if not isinstance(rate, (int, float)) or not 20.0 <= rate <= 1000.0:
        raise ModelError(
            f'{folder / DESCRIPTION_FILE} says rate_hz = {brief(rate)}, expected 20 to 1000; '
            'choose another model.'
        )
    provenance = description.get('provenance', {})
    if not isinstance(provenance, dict):
        raise ModelError(
            f'{folder / DESCRIPTION_FILE} says provenance = {brief(provenance)}, expected how the '
            'model was trained, by name; choose another model.'
        )
    weights = _unpack(blob, folder / WEIGHTS_FILE)
    shapes = expected_shapes(hidden)
    if description['version'] == VERSION:
        shapes |= head_shapes(hidden)
    for name, shape in shapes.items():
        seen = weights[name].shape if name in weights else None
        if seen != shape:
            raise ModelError(
                f'the weight {name} in {folder} has shape {seen}, expected {shape}; '
                'it was made by another version of the network, train it again.'
            )
        if not np.isfinite(weights[name]).all():
            raise ModelError(
                f'the weight {name} in {folder} holds NaN or infinity, expected finite numbers; '
                'train the model again.'
            )
    return Model(
        weights={name: weights[name] for name in shapes},
        hidden=hidden,
        rate_hz=float(rate),
        sensors=tuple(sensors),
        provenance=provenance,
    )


def _read_description(folder: Path) -> dict[str, Any]:
    file = folder / DESCRIPTION_FILE
    try:
        if file.stat().st_size > 2**20:
            raise ModelError(f'{file} is larger than 1 MiB, expected a model description.')
        description = json.loads(file.read_text())
    except OSError as error:
        raise ModelError(
            f'no model can be read at {folder} ({error.strerror}), expected a folder with '
            f'{DESCRIPTION_FILE} and {WEIGHTS_FILE}; give the path of a trained model or '
            "'default'."
        ) from None
    except (ValueError, RecursionError):
        raise ModelError(
            f'{file} is not JSON, expected a model description; copy or train the model again.'
        ) from None
    if not isinstance(description, dict) or description.get('format') != FORMAT:
        raise ModelError(
            f'{file} does not say format = {FORMAT}, expected a sspinnpose model; '
            'choose another model.'
        )
    version = description.get('version')
    if not is_readable(version, readable=(VERSION_WITHOUT_SIGMA, VERSION)):
        advice = version_advice(version, newest=VERSION, again='train the model again')
        raise ModelError(
            f'{file} has version {brief(version)}, expected {VERSION_WITHOUT_SIGMA} or '
            f'{VERSION}; {advice}.'
        )
    return description


def _read_weights(folder: Path) -> bytes:
    file = folder / WEIGHTS_FILE
    try:
        if file.stat().st_size > MAX_WEIGHT_BYTES:
            raise ModelError(
                f'{file} is larger than {MAX_WEIGHT_BYTES // 2**20} MiB, expected the weights of '
                'a gait network; choose another model.'
            )
        return file.read_bytes()
    except OSError as error:
        raise ModelError(
            f'{file} cannot be read ({error.strerror}), expected the weights of a model; '
            'copy or train the model again.'
        ) from None


def _pack(tensors: Mapping[str, np.ndarray]) -> bytes:
    """Return tensors in the safetensors layout: header length, JSON header, raw data."""
    header: dict[str, Any] = {}
    offset = 0
    for name, value in tensors.items():
        header[name] = {
            'dtype': 'F32',
            'shape': list(value.shape),
            'data_offsets': [offset, offset + value.nbytes],
        }
        offset += value.nbytes
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    data = b''.join(np.ascontiguousarray(v).tobytes() for v in tensors.values())
    return len(text).to_bytes(8, 'little') + text + data


def _unpack(blob: bytes, file: Path) -> dict[str, np.ndarray]:
    damaged = ModelError(
        f'{file} is not a whole safetensors file, expected named float tensors; '
        'copy or train the model again.'
    )
    size = int.from_bytes(blob[:8], 'little')
    if len(blob) < 8 or size > len(blob) - 8:
        raise damaged
    try:
        header = json.loads(blob[8 : 8 + size])
    except (ValueError, RecursionError):
        raise damaged from None
    data = memoryview(blob)[8 + size :]
    tensors: dict[str, np.ndarray] = {}
    try:
        for name, entry in header.items():
            if name == '__metadata__':
                continue
            dtype = _DTYPES[entry['dtype']]
            begin, end = entry['data_offsets']
            shape = tuple(int(n) for n in entry['shape'])
            if min((0, *shape)) < 0 or not 0 <= begin <= end <= len(data):
                raise damaged
            if (end - begin) != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
                raise damaged
            values = np.frombuffer(data[begin:end], dtype).reshape(shape)
            tensors[name] = values.astype(np.float32)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise damaged from None
    return tensors
