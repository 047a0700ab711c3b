"""Settings: files, overrides, and what mistakes are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from jphtr import settings
from jphtr.errors import SettingsError
from jphtr.settings import Section, TrainCharSettings, TrainLineSettings

KINDS: dict[str, type[Section]] = {"line": TrainLineSettings, "char": TrainCharSettings}
CONFIGS = [
    path for kind in KINDS for path in sorted(Path(__file__).parents[1].joinpath("configs").glob(f"{kind}*.yaml"))
]


def test_a_file_with_overrides(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("optim:\n  lr: 1e-3\ndata:\n  glyphs: [a.h5]\nrun: {steps: 7}\n", "utf-8")
    given = settings.load(TrainLineSettings, file, ["run.steps=9", "compose.styles.print=2", "net.widths=[1, 2, 3, 4]"])
    assert given.optim.lr == 1e-3 and given.run.steps == 9
    assert given.data.glyphs == (Path("a.h5"),)
    assert given.compose.styles["print"] == 2 and given.compose.styles["hand"] > 0
    assert given.net.widths == (1, 2, 3, 4)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    given = settings.load(TrainLineSettings, None, ["data.texts=['一 #.txt', 'b: c.txt']", "run.max_minutes=1.5"])
    (tmp_path / "b.yaml").write_text(settings.to_yaml(given), "utf-8")
    assert settings.load(TrainLineSettings, tmp_path / "b.yaml") == given


@pytest.mark.parametrize("model", KINDS.values())
def test_every_setting_has_a_description_in_the_template(model: type[Section]) -> None:
    def fields(model: type[Section]) -> int:
        total = 0
        for name, field in model.model_fields.items():
            assert field.description and not field.description.endswith("."), f"{model.__name__}.{name}"
            assert not field.is_required(), f"{model.__name__}.{name}"
            inner = field.annotation
            total += 1 + (fields(inner) if isinstance(inner, type) and issubclass(inner, Section) else 0)
        return total

    assert settings.to_yaml(model()).count("  # ") == fields(model)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("optim.speed=1", "optim.speed: unknown setting; choose from lr,"),
        ("optimizer.lr=1", "optimizer: unknown section; choose from data,"),
        ("speed=1", "speed: unknown section or setting"),
        ("optim=3", "optim is a section; set one of optim.lr,"),
        ("optim.lr=fast", "optim.lr: 'fast' will not do; it should be a valid number"),
        ("optim.lr=-1", "optim.lr: -1 will not do; it should be greater than 0"),
        ("run.device=tpu", "run.device: 'tpu' will not do; it should be 'auto', 'cpu' or 'cuda'"),
        ("net.widths=[1, 2]", "net.widths: too short"),
        ("steps", "not of the form key=value"),
        ("run.seed=[", "not YAML"),
    ],
)
def test_a_wrong_override_is_named(override: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings.load(TrainLineSettings, None, [override])
    assert said in str(error.value) and override in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("optim:\n  speed: 1\n", "a.yaml: optim.speed: unknown setting; choose from lr,"),
        ("optimizer: {}\n", "a.yaml: optimizer: unknown section or setting; choose from data,"),
        ("run:\n  steps: 0\n", "a.yaml: run.steps: 0 will not do; it should be greater than or equal to 1"),
        ("run: [1\n", "a.yaml, line 2: not YAML"),
        ("- 1\n", "a.yaml: holds no mapping"),
        ("run: 3\n", "a.yaml: run: 3 will not do"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as error:
        settings.load(TrainLineSettings, file)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"a: \xe9\n")
    for name, said in (("none.yaml", "No such file"), ("latin", "not UTF-8"), (".", "directory")):
        with pytest.raises(SettingsError, match=said):
            settings.load(TrainLineSettings, tmp_path / name)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        TrainLineSettings().run.steps = 3  # type: ignore[misc]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_shipped_configs_are_valid(path: Path) -> None:
    settings.load(KINDS[path.name[:4]], path)
