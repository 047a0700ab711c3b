"""Deflate and inflate one picture at a time, with ISA-L where it is installed: five and two times as fast as zlib."""

from __future__ import annotations

import zlib
from types import ModuleType

_zlib: ModuleType = zlib
_LEVEL = 1  # higher levels of zlib save 5 % and take twice as long

try:
    from isal import isal_zlib
except ImportError:  # no wheel for this machine: streams of the same kind, slower
    pass
else:
    _zlib, _LEVEL = isal_zlib, 2  # smaller than zlib's level 1 on glyphs

ERRORS: tuple[type[Exception], ...] = (zlib.error, _zlib.error)  # of a damaged stream


def deflated(picture: bytes | memoryview) -> bytes:
    """A zlib stream (RFC 1950) of the bytes: what HDF5's gzip filter keeps of a chunk."""
    stream: bytes = _zlib.compress(picture, _LEVEL)
    return stream


def inflated(stream: bytes) -> bytes:
    """The bytes of a zlib stream.

    Raises
    ------
    ERRORS
        If it is damaged.
    """
    picture: bytes = _zlib.decompress(stream)
    return picture
