# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Open rosbag2 recordings that anyone may have written, and say in a sentence what is wrong."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rosbags.rosbag2 import Reader, ReaderError

from sspinnpose_ros.bags.decompression import decompress_file
from sspinnpose_ros.bags.mcap_recovery import RecoveredMcap, is_cut_off
from sspinnpose_ros.core.bounded_yaml import BrokenYamlError, UnboundedYamlError, read_yaml
from sspinnpose_ros.core.errors import RecordingError

METADATA = 'metadata.yaml'
LARGEST_METADATA_BYTES = 4_000_000
MOST_METADATA_VALUES = 200_000
LATEST_NS = 2**63 - 1
LONGEST_DETAIL = 200
COMPRESSED = '.zstd'

OpenReader = Reader | RecoveredMcap


@contextmanager
def open_reader(path: Path) -> Iterator[OpenReader]:
    """Open a rosbag2 folder or a single mcap or db3 file, compressed as a whole or not.

    Of a single mcap file that was never closed, what is whole is read; `recovery_remark` says so.

    Yields:
        The open reader; its topics, types, counts and times are what they should be.

    Raises:
        RecordingError: for files that are damaged or hold what no recorder writes.

    """
    _require_metadata(path)
    _require_merged(path)
    with ExitStack() as stack:
        try:
            reader = _opened(_unpacked(path, stack))
        except Exception as error:
            raise unreadable(path, error) from None
        stack.callback(reader.close)
        _require_connections(path, reader)
        yield reader


def recovery_remark(path: Path, reader: OpenReader) -> str | None:
    """Return a sentence where a file was never closed and only what is whole is read."""
    if not isinstance(reader, RecoveredMcap):
        return None
    seconds = (reader.end_time - reader.start_time) * 1e-9
    return (
        f'{path} was never closed, as after a crash of the recorder: {reader.message_count} '
        f'messages of {seconds:.1f} s are whole and are used.'
    )


def _opened(path: Path) -> OpenReader:
    if path.is_file() and path.suffix == '.mcap' and is_cut_off(path):
        return RecoveredMcap(path)
    reader = Reader(path)
    reader.open()
    return reader


def _unpacked(path: Path, stack: ExitStack) -> Path:
    if not path.is_file() or path.suffix != COMPRESSED:
        return path
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    whole = Path(folder) / path.stem
    decompress_file(path, whole)
    return whole


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


def _require_merged(path: Path) -> None:
    """Refuse a database whose newest part is still in another file, which the reader ignores."""
    files = [path] if path.is_file() else path.glob('*.db3')
    for file in files:
        log = file.with_name(f'{file.name}-wal')
        if file.suffix == '.db3' and log.exists() and log.stat().st_size:
            raise RecordingError(
                f'{file} was never closed: part of it is still in {log.name}, expected one file; '
                f"merge them with `sqlite3 {file} 'PRAGMA wal_checkpoint(TRUNCATE)'`."
            )


def _require_connections(path: Path, reader: OpenReader) -> None:
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
