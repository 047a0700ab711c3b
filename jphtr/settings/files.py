"""Settings from YAML files and `key=value` overrides, and back to YAML; one clear line for every mistake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from jphtr.errors import SettingsError


class Section(BaseModel):
    """A frozen group of settings that knows its own names and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Section)


def load(model: type[S], path: Path | None = None, overrides: Iterable[str] = ()) -> S:
    """Settings from a YAML file, if there is one, with `key=value` overrides on top.

    Parameters
    ----------
    model : the settings class to read.
    path : YAML file; None starts from the defaults.
    overrides : texts such as "optim.lr=1e-3"; the value is read as YAML.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a name is unknown, or a value impossible; the message names the place.
    """
    settings = model() if path is None else _build(model, _read(path), str(path))
    for override in overrides:
        settings = replace(settings, override)
    return settings


def replace(settings: S, override: str) -> S:
    """A copy of the settings with one `key=value` applied.

    Raises
    ------
    SettingsError
        If the text is not `key=value`, or the key or the value does not fit.
    """
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise SettingsError(f"-s {override}: not of the form key=value, such as run.steps=1000")
    try:
        value = _number(yaml.safe_load(text))
    except yaml.YAMLError:
        raise SettingsError(f"-s {override}: the value is not YAML; put it in quotes") from None
    return assign(settings, {key.strip(): value}, f"-s {override}")


def assign(settings: S, values: Mapping[str, Any], where: str = "settings") -> S:
    """A copy of the settings with dotted keys such as "run.seed" set to values.

    Raises
    ------
    SettingsError
        If a key or a value does not fit; `where` opens the message.
    """
    data = settings.model_dump()
    for key, value in values.items():
        *sections, name = key.split(".")
        place: dict[str, Any] = data
        for depth, section in enumerate(sections):
            inner = place.get(section)
            if not isinstance(inner, dict):
                known = ".".join(sections[: depth + 1])
                raise SettingsError(f"{where}: {known}: unknown section; choose from {', '.join(place)}")
            place = inner
        if isinstance(place.get(name), dict) and not isinstance(value, dict):
            raise SettingsError(
                f"{where}: {key} is a section; set one of {', '.join(f'{key}.{k}' for k in place[name])}"
            )
        place[name] = value
    return _build(type(settings), data, where)


def to_yaml(settings: Section) -> str:
    """The settings as YAML, every line under its description: a template and the record of a run in one."""
    data = settings.model_dump(mode="json")
    lines: list[str] = []

    def write(model: type[Section], values: dict[str, Any], indent: str) -> None:
        for name, field in model.model_fields.items():
            value = values[name]
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, Section):
                lines.append(f"{indent}{name}:  # {field.description}")
                write(kind, value, indent + "  ")
            else:
                text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
                text = text.removesuffix("...\n").strip()
                lines.append(f"{indent}{name}: {text}  # {field.description}")

    write(type(settings), data, "")
    return "\n".join(lines) + "\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; give an existing YAML file") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "broken"
        raise SettingsError(f"{path}{line}: not YAML: {problem}; correct it") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise SettingsError(f"{path}: holds no mapping; write sections such as run: and optim:")
    return cast(dict[str, Any], _number(data))


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-3 as text (it wants 1.0e-3); people mean the number."""
    if isinstance(value, dict):
        return {key: _number(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_number(inner) for inner in value]
    if isinstance(value, str) and "e" in value.lower() and value[:1] in "+-.0123456789":
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _build(model: type[S], data: dict[str, Any], where: str) -> S:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        loc = [str(part) for part in first["loc"]]
        key = ".".join(loc)
        if first["type"] == "extra_forbidden":
            section = _section(model, loc[:-1])
            kind = "setting" if len(loc) > 1 else "section or setting"
            raise SettingsError(
                f"{where}: {key}: unknown {kind}; choose from {', '.join(section.model_fields)}"
            ) from None
        if first["type"] == "missing":
            raise SettingsError(f"{where}: {'.'.join(loc[:-1])}: too short; give every one of its values") from None
        message = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        raise SettingsError(f"{where}: {key}: {first['input']!r} will not do; it should be {message}") from None


def _section(model: type[Section], names: list[str]) -> type[Section]:
    """The class of the section that lies at `names` inside `model`."""
    for name in names:
        inner = model.model_fields[name].annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            model = inner
    return model
