"""What can go wrong, as one family: every message is one line that names the file, the place and the cure."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class JphtrError(Exception):
    """Any failure that jphtr foresaw; the command line prints it as one line and exits with 1."""


class ImageError(JphtrError):
    """A picture that cannot be read."""


class DataError(JphtrError):
    """An archive, glyph file, line file or text that is not what it should be."""


class ModelError(JphtrError):
    """A model file that is not one, is too new, or does not fit the task."""


class SettingsError(JphtrError):
    """A setting with an unknown name or an impossible value."""


class CharsetError(JphtrError):
    """Text with characters that a charset does not hold."""


class MissingExtraError(JphtrError):
    """A command that needs packages which the small reading install does not bring."""


def require(module: str, extra: str = "train") -> ModuleType:
    """Import `module`, or say in one line which install brings it.

    Raises
    ------
    MissingExtraError
        If the module (or the package it lives in) is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "jphtr":
            raise
        who = "this" if module.split(".")[0] == error.name else module
        raise MissingExtraError(
            f'{who} needs the package {error.name}; install it with: pip install "jphtr[{extra}]"'
        ) from None
