# Copyright 2026 The sspinnpose_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Undo the compression that recorders apply, with what rosbags itself uses.

It is imported only where there is something to undo: how rosbags does it is its own affair, and
another version of it shall still read what is not compressed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ZSTD = b'\x28\xb5\x2f\xfd'
"""What zstd begins with, and no CDR."""

KINDS = ('', 'lz4', 'zstd')
"""Compressions of the chunks of an mcap file."""


def decompress_chunk(data: bytes, kind: str) -> bytes:
    """Return what a chunk of one of `KINDS` holds."""
    if not kind:
        return data
    from rosbags.rosbag2.storage_mcap import lz4_decompress, zstd

    whole: bytes = lz4_decompress(data) if kind == 'lz4' else zstd.decompress(data)
    return whole


def plain_message(data: bytes) -> bytes:
    """Return a message as it was sent.

    Only metadata.yaml says whether messages are compressed, so without it their bytes must.
    """
    return decompress_chunk(data, 'zstd') if data[:4] == ZSTD else data


def decompress_file(source: Path, target: Path) -> None:
    """Write what a zstd file holds to another."""
    from rosbags.rosbag2.storage_mcap import zstd

    with source.open('rb') as raw, zstd.open(raw, 'rb') as packed, target.open('wb') as whole:
        shutil.copyfileobj(packed, whole)
