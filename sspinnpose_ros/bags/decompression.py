"""Undo the compression that recorders apply, with what rosbags brings along."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import lz4.frame

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZSTD = b'\x28\xb5\x2f\xfd'
"""What zstd begins with, and no CDR."""

KINDS = ('', 'lz4', 'zstd')
"""Compressions of the chunks of an mcap file."""


def decompress_chunk(data: bytes, kind: str) -> bytes:
    """Return what a chunk of one of `KINDS` holds."""
    if kind == 'lz4':
        whole: bytes = lz4.frame.decompress(data)
        return whole
    return zstd.decompress(data) if kind == 'zstd' else data


def plain_message(data: bytes) -> bytes:
    """Return a message as it was sent.

    Only metadata.yaml says whether messages are compressed, so without it their bytes must.
    """
    return zstd.decompress(data) if data[:4] == ZSTD else data


def decompress_file(source: Path, target: Path) -> None:
    """Write what a zstd file holds to another."""
    with source.open('rb') as raw, zstd.open(raw, 'rb') as packed, target.open('wb') as whole:
        shutil.copyfileobj(packed, whole)
