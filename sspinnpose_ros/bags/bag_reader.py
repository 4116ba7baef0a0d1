# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Open rosbag2 recordings that anyone may have written, and say in a sentence what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rosbags.rosbag2 import Reader, ReaderError

from sspinnpose_ros.core.bounded_yaml import BrokenYamlError, UnboundedYamlError, read_yaml
from sspinnpose_ros.core.errors import RecordingError

METADATA = 'metadata.yaml'
LARGEST_METADATA_BYTES = 4_000_000
MOST_METADATA_VALUES = 200_000
LATEST_NS = 2**63 - 1
LONGEST_DETAIL = 200


@contextmanager
def open_reader(path: Path) -> Iterator[Reader]:
    """Open a rosbag2 folder or a single mcap or db3 file.

    Yields:
        The open reader; its topics, types, counts and times are what they should be.

    Raises:
        RecordingError: for files that are damaged or hold what no recorder writes.

    """
    _require_metadata(path)
    try:
        reader = Reader(path)
        reader.open()
    except Exception as error:
        raise unreadable(path, error) from None
    try:
        _require_connections(path, reader)
        yield reader
    finally:
        reader.close()


def unreadable(path: Path, error: Exception) -> RecordingError:
    """Return the sentence for a recording whose reading raised `error`.

    What the reader raises for damage is not documented and of many kinds.
    """
    if isinstance(error, RecordingError):
        return error
    kind = 'a recording that closed properly' if isinstance(error, ReaderError) else 'a rosbag2'
    detail = ' '.join(str(error).split()).rstrip('.')[:LONGEST_DETAIL]
    detail = ''.join(each if each.isprintable() else '?' for each in detail)
    return RecordingError(
        f'{path} cannot be read ({detail or type(error).__name__}), expected {kind}; '
        'record again or repair it with `ros2 bag reindex`.'
    )


def _require_metadata(path: Path) -> None:
    """Read metadata.yaml within limits, before the reader does without."""
    if not path.is_dir():
        return
    try:
        content = read_yaml(
            path / METADATA,
            largest_bytes=LARGEST_METADATA_BYTES,
            most_values=MOST_METADATA_VALUES,
        )
    except OSError as error:
        raise unreadable(path / METADATA, error) from None
    except UnboundedYamlError as error:
        raise RecordingError(
            f'{path / METADATA} {error}, expected what `ros2 bag record` writes; record again or '
            'repair it with `ros2 bag reindex`.'
        ) from None
    except BrokenYamlError:
        raise RecordingError(
            f'{path / METADATA} is not YAML, expected what `ros2 bag record` writes; record again '
            'or repair it with `ros2 bag reindex`.'
        ) from None
    # The reader stumbles over other files only when it closes, and then leaves the bag open.
    information = content.get('rosbag2_bagfile_information') if isinstance(content, dict) else None
    if not isinstance(information, dict) or not isinstance(information.get('files', []), list):
        raise RecordingError(
            f'{path / METADATA} describes no recording, expected what `ros2 bag record` writes; '
            'record again or repair it with `ros2 bag reindex`.'
        )


def _require_connections(path: Path, reader: Reader) -> None:
    known = all(
        isinstance(each.topic, str)
        and each.topic.isprintable()
        and isinstance(each.msgtype, str)
        and each.msgtype.isprintable()
        and isinstance(each.msgcount, int)
        and each.msgcount >= 0
        for each in reader.connections
    )
    times = (reader.start_time, reader.end_time)
    if not known or not all(isinstance(each, int) and abs(each) <= LATEST_NS for each in times):
        raise RecordingError(
            f'{path} describes itself with topics, counts or times that cannot be, expected what '
            '`ros2 bag record` writes; record again or repair it with `ros2 bag reindex`.'
        )
