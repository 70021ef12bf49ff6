"""The commands, as a user types them."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from corpora import speech_folder
from runs_helpers import write
from tympan.cli import app, main

runner = CliRunner()


def run(*arguments: str | Path) -> str:
    result = runner.invoke(app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["check", "--help"]])
def test_answers_at_once_and_without_torch(arguments: list[str]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run([sys.executable, "-m", "tympan", *arguments], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert out.stdout
    # Processor time, as wall time depends on what else the machine does; 0.5 s is promised, and slow machines take 1.5.
    used = [each.ru_utime + each.ru_stime for each in (before, after)]
    assert used[1] - used[0] < 3


def test_list_names_every_kind_and_choice() -> None:
    out = run("list")
    for word in ("dataset", "speech_folder", "synthesizer", "circular_membrane", "model", "crepe", "metric", "auroc"):
        assert word in out
    assert "crepe" not in run("list", "loss")


def test_schema_describes_every_choice_with_its_fields() -> None:
    schema = json.loads(run("schema"))
    text = json.dumps(schema)
    assert '"const": "circular_membrane"' in text
    assert "Samples per second (Hz)" in text
    fields = schema["properties"]
    assert {"data", "model", "optimizer", "training"} <= set(fields)
    assert all("description" in f or "$ref" in f or "oneOf" in f or "anyOf" in f for f in fields.values())


def test_mistakes_end_with_status_two_and_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                       monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    config = write(tmp_path / "run.yaml", modle="cnn")
    monkeypatch.setattr(sys, "argv", ["tympan", "check", str(config)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert "modle: unknown field" in err
    assert "Traceback" not in err


def test_what_is_assumed_is_a_plain_sentence(tmp_path: Path) -> None:
    config = write(tmp_path / "run.yaml", features={"type": "mel", "n_mels": 128, "window": 0.02, "hop": 0.01})
    command = [sys.executable, "-m", "tympan", "check", str(config)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "note: " in result.stderr
    assert "n_fft" in result.stderr
    assert ".py:" not in result.stderr


def test_check_reads_the_data(tmp_path: Path) -> None:
    out = run("check", write(tmp_path / "run.yaml"))
    assert "the configuration is sound" in out
    assert "60 of 60 recordings are usable" in out
    assert "train" in out


def test_check_names_what_is_not_usable_and_why(tmp_path: Path) -> None:
    corpus = speech_folder.fabricate(str(tmp_path / "corpus"))
    (tmp_path / "corpus" / "recordings" / "clinic-bob-0" / "waveform.wav").write_bytes(b"")
    config = write(
        tmp_path / "run.yaml",
        data={"type": "speech_folder", **corpus},
        split={"validation": "none"},
        target={"type": "binary", "labels": ["dysarthria"]},
    )
    result = runner.invoke(app, ["check", str(config)], terminal_width=200)
    assert result.exit_code == 1
    assert "11 of 12 recordings are usable" in result.stdout
    assert "clinic-bob-0" in result.stdout
    assert "positive" in result.stdout


def test_train_evaluate_predict_embed(tmp_path: Path) -> None:
    config = write(tmp_path / "run.yaml", checkpoint={"checkpoint_dir": str(tmp_path / "runs")})
    folder = Path(run("train", config, "training.max_epochs=1").splitlines()[-1])
    for name in ("run.yaml", "split.json", "log.jsonl", "metrics.json", "predictions.parquet", "report/index.html",
                 "model/config.json", "model/model.safetensors", "model/README.md"):  # fmt: skip
        assert (folder / name).is_file(), name
    metrics = json.loads((folder / "metrics.json").read_text())
    assert run("evaluate", folder).splitlines()[-1] == str(folder)
    assert json.loads((folder / "metrics.json").read_text()) == metrics

    sounds = Path(run("generate", config, tmp_path / "sounds", "data.size=5").splitlines()[-1])
    out = run("predict", folder, sounds)
    assert out.splitlines()[0] == "file,diameter (m)"
    assert len(out.splitlines()) == 6
    table = tmp_path / "answers.parquet"
    run("predict", folder, sounds / "sample_000000.wav", "--out", table)
    assert pq.read_table(table).num_rows == 1
    run("embed", folder, sounds, "--out", table)
    rows = pq.read_table(table).to_pylist()
    assert len(rows) == 5
    assert np.isfinite(rows[0]["vector"]).all()


def test_prepare_counts_what_is_new_and_fails_beyond_its_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    config = write(tmp_path / "run.yaml", data={"type": "speech_folder", **speech_folder.fabricate(str(tmp_path))})
    count = len(list(tmp_path.glob("recordings/*/waveform.*")))
    one = next(tmp_path.glob("recordings/*/waveform.*"))
    whole = one.read_bytes()
    one.write_bytes(b"not a sound")
    result = runner.invoke(app, ["prepare", str(config), "--workers", "1"])
    assert result.exit_code == 1
    assert (
        f"{count - 1} of {count} files are in {tmp_path / 'cache'}: {count - 1} are new, 0 were there" in result.output
    )
    (listed,) = (tmp_path / "cache" / "quarantine").iterdir()
    assert json.loads(listed.read_text())["uri"] == str(one.parent)
    assert f"{count - 1} were there" in run("prepare", config, "--workers", "1", "--bad", "1")
    one.write_bytes(whole)
    assert f"1 are new, {count - 1} were there" in run("prepare", config, "--workers", "1")
    assert "nothing to prepare" in run("prepare", write(tmp_path / "drum.yaml"))


def test_a_share_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--bad is a number of files .*not 'some'"):
        run("prepare", write(tmp_path / "run.yaml"), "--bad", "some")


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_answered(tmp_path: Path) -> None:
    config = write(tmp_path / "run.yaml", checkpoint={"checkpoint_dir": str(tmp_path / "runs")})
    folder = Path(run("train", config, "training.max_steps=1").splitlines()[-1])
    sounds = Path(run("generate", config, tmp_path / "sounds", "data.size=2").splitlines()[-1])
    (sounds / "broken.wav").write_bytes(b"RIFF")
    result = runner.invoke(app, ["predict", str(folder), str(sounds)])
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 3
    assert "broken.wav" in result.stderr


def test_a_dry_run_goes_the_whole_way(tmp_path: Path) -> None:
    config = write(tmp_path / "run.yaml", checkpoint={"checkpoint_dir": str(tmp_path / "runs")})
    folder = Path(run("train", config, "--dry-run").splitlines()[-1])
    assert folder.name.startswith("tiny-dry-")
    assert (folder / "report" / "index.html").is_file()


def test_only_takes_entries_and_ranges_and_refuses_what_is_beyond_before_counting_to_it(tmp_path: Path) -> None:
    words = ["generate", "5000-circular-drums-of-varying-size", tmp_path, "data.size=4", "data.duration=0.01"]
    run(*words)
    lost = tmp_path / "sample_000002.wav"
    lost.unlink()
    run(*words, "--only", "0,2-3")
    assert lost.is_file()
    for only, says in (("4", "4 entries, 3"), ("1-999999999999", "4 entries, 3"), ("3-1", "neither"), ("x", "neither")):
        with pytest.raises(ValueError, match=says):
            run(*words, "--only", only)
