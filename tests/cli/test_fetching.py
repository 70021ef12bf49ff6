"""`tympan fetch`, as a user types it."""

import os
import pty
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from servers.record import NAME, Record, record  # noqa: F401
from tympan.cli import app, main
from tympan.data import fetch


def test_fetch_makes_the_folder_and_prints_it(
    record: Record,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetch, "HOME", record.address)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["fetch", NAME], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / NAME}\n"
    assert (tmp_path / NAME / "metadata.json").is_file()
    (tmp_path / NAME / "metadata.json").unlink()
    assert CliRunner().invoke(app, ["fetch", NAME]).exit_code != 0
    assert CliRunner().invoke(app, ["fetch", NAME, NAME, "--replace"]).exit_code == 0
    assert (tmp_path / NAME / "metadata.json").is_file()


def test_progress_is_shown_on_a_terminal(
    record: Record,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetch, "HOME", record.address)
    monkeypatch.setenv("TERM", "xterm")
    terminal, other = pty.openpty()
    with os.fdopen(other, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setattr(sys, "argv", ["tympan", "fetch", NAME, str(tmp_path / "drums")])
        with pytest.raises(SystemExit) as ended:
            main()
        monkeypatch.undo()
    said = os.read(terminal, 1 << 16).decode()
    os.close(terminal)
    assert ended.value.code == 0, said
    assert "fetch (MB)" in said
    assert "unpack (MB)" in said


def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("socket.getaddrinfo", nobody)
    monkeypatch.setattr(sys, "argv", ["tympan", "fetch", NAME, str(tmp_path / "drums")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {NAME} could not be fetched: https://zenodo.org could not be reached (Network is")
    assert err.count("\n") == 1
    assert f"tympan generate {NAME}" in err


def test_list_names_what_can_be_fetched() -> None:
    out = CliRunner().invoke(app, ["list", "official"], catch_exceptions=False).stdout
    assert out.startswith("official\n")
    assert NAME in out
