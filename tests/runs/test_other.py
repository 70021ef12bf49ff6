"""Other data for a trained run, bare weights, and embeddings of every layer, on a made-up clinic."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from corpora import put_sound, speech_folder, tone
from runs_helpers import ONE_EPOCH, trained, write
from tympan.cli import app
from tympan.component import AssumptionWarning
from tympan.pipeline import Pipeline
from tympan.runs.again import evaluate_again
from tympan.runs.configuration import load
from tympan.runs.other import evaluate_on, evaluate_weights, on_other, run_of
from tympan.serving.artifact import Artifact

HEAD = {"bottleneck": 6, "shared_dense": 5, "layer_norm": True}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    """A clinic's folder, a run on it with two classifiers, and its configuration."""
    root = tmp_path_factory.mktemp("clinic")
    data = {"type": "speech_folder", **speech_folder.fabricate(str(root / "data")), "label_file": "labels.txt"}
    (root / "data" / "labels.txt").write_text("dysarthria\nold\n")
    sections = {
        "data": {**data, "derived": {"old": '"age" > 51'}},
        "target": {"type": "binary"},
        "head": HEAD,
        "features": {"type": "mel", "n_mels": 8, "window": 0.064, "hop": 0.02},
        "training": ONE_EPOCH,
    }
    made = trained(root, **sections)
    return root, made.folder, write(root / "run.yaml", **sections, checkpoint={"checkpoint_dir": str(root / "more")})


def another(root, name, speakers=("gus", "hal")):
    """A folder of new speakers."""
    folder = root / name
    rows = ["uid,subject,age,dysarthria"]
    for n, speaker in enumerate(speakers):
        for take in range(3):
            uid = f"new-{speaker}-{take}"
            rows.append(f"{uid},{speaker},{50 + 3 * n},{(n + take) % 2}")
            put_sound(str(folder / "recordings" / uid / "waveform.wav"), tone(333 + 40 * take + 9 * n, 0.4, 8000), 8000)
            (folder / "recordings" / uid / "metadata.json").write_text('{"encoding": "WAV", "sample_rate_hz": 8000}')
    (folder / "labels.txt").write_text("dysarthria\nold\n")
    (folder / "test.csv").write_text("\n".join(rows))
    return folder


def told(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_labels_of_a_line_have_a_classifier_and_the_head_is_what_was_asked_for(clinic):
    artifact = Artifact.load(clinic[1])
    head = artifact.config.outputs["target"].head
    assert head.groups == (("dysarthria",), ("old",))
    assert artifact.config.outputs["target"].target.outputs == ("dysarthria", "old")


def test_ft_is_the_dense_layer_before_its_normalisation_and_st_the_shared_one(clinic):
    pipeline = Artifact.load(clinic[1]).pipeline
    x = torch.randn(3, 1, 2000, generator=torch.Generator().manual_seed(0))
    embedded, _ = pipeline.embedding(x)
    head = pipeline.heads["target"]
    pooled = embedded.mean(2)
    shared = head.shared[0](pooled).relu()  # pyright: ignore
    dense = [c.dense(shared) for c in head.classifiers]  # pyright: ignore
    torch.testing.assert_close(pipeline.embed(x), pooled)
    torch.testing.assert_close(pipeline.embed(x, pooling="max"), embedded.amax(2))
    torch.testing.assert_close(pipeline.embed(x, pooling="sum"), embedded.sum(2))
    torch.testing.assert_close(pipeline.embed(x, layer="st"), shared)
    torch.testing.assert_close(pipeline.embed(x, layer="ft"), (dense[0] + dense[1]) / 2)
    torch.testing.assert_close(pipeline.embed(x, layer="ft", pooling="max"), torch.maximum(*dense))


def test_nothing_is_written_where_data_lie_unless_it_is_asked_for(clinic, tmp_path, monkeypatch):
    folder = another(tmp_path, "hospital")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    told("embed", clinic[1], "--data", "hospital")
    monkeypatch.chdir(folder)
    made = Path(told("embed", clinic[1]).strip().splitlines()[-1])
    assert sorted(tmp_path.rglob("*")) == before and pq.read_table(made).num_rows == 12


@pytest.mark.parametrize(("layer", "width"), [("pt", 8), ("ft", 6), ("st", 5)])
def test_embeddings_of_a_runs_own_data_say_who_and_which_part(layer, width, clinic, tmp_path):
    told("embed", clinic[1], "--layer", layer, "-o", tmp_path / "e.parquet")
    told("embed", clinic[1], "--layer", layer, "-o", tmp_path / "again.parquet")
    table = pq.read_table(tmp_path / "e.parquet")
    assert table.column_names == ["id", "subject", "split", "layer", "start", "end", "vector"]
    assert table.equals(pq.read_table(tmp_path / "again.parquet"))
    rows = table.to_pylist()
    assert len(rows) == 12 and {len(row["vector"]) for row in rows} == {width} and {r["layer"] for r in rows} == {layer}
    kept = json.loads((clinic[1] / "split.json").read_text())
    assert all(row["id"] in kept[row["split"]]["ids"] for row in rows)
    assert rows[0]["id"] == "clinic-ann-0" and rows[0]["subject"] == "ann"


def test_embeddings_of_other_data_and_of_files(clinic, tmp_path):
    folder = another(tmp_path, "new")
    told("embed", clinic[1], "--data", folder, "-o", tmp_path / "e.parquet")
    told("embed", clinic[1], folder / "recordings", "-o", tmp_path / "f.parquet")
    ours, files = (pq.read_table(tmp_path / f"{n}.parquet").to_pylist() for n in "ef")
    assert [r["subject"] for r in ours] == ["gus"] * 3 + ["hal"] * 3 and {r["split"] for r in ours} == {"test"}
    np.testing.assert_allclose([r["vector"] for r in ours], [r["vector"] for r in files], atol=1e-5)
    (made,) = told("embed", clinic[1] / "model", "--data", folder).splitlines()[-1:]
    assert Path(made).parent == clinic[1] / "embeddings" and pq.read_table(made).to_pylist() == ours
    with pytest.raises(FileNotFoundError, match="nor does the folder above it; name sound files"):
        run_of(str(tmp_path))


def test_a_layer_that_is_not_there_is_told(clinic):
    root, _, config = clinic
    pipeline = Artifact.load(trained(root / "plain", **{**_sections(config), "head": {}}).folder).pipeline
    assert isinstance(pipeline, Pipeline)
    for layer, says in (("ft", "no dense layer before its last; train with head.bottleneck"), ("st", "shared_dense")):
        with pytest.raises(ValueError, match=says):
            pipeline.embed(torch.randn(1, 1, 2000), layer=layer)


def _sections(config):
    from ruamel.yaml import YAML

    loaded = YAML(typ="safe").load(config.read_text())
    return {name: loaded[name] for name in ("data", "target", "features", "training")}


def test_other_data_are_scored_with_everything_frozen(clinic, tmp_path):
    folder = another(tmp_path, "new")
    before = {p: p.read_bytes() for p in clinic[1].rglob("*") if p.is_file()}
    metrics, made = evaluate_on(str(clinic[1]), str(folder))
    assert made.parent == clinic[1] / "evaluations" and (made / "predictions.parquet").is_file()
    own = metrics["test"]
    assert own["model"]["dysarthria"]["auroc"]["n"] == 6 and "baseline/logistic" in own
    assert all(path.read_bytes() == data for path, data in before.items())
    by_table, _ = evaluate_on(str(clinic[1]), str(folder / "test.csv"))
    assert by_table == metrics


def test_outputs_are_called_as_one_says(clinic, tmp_path, monkeypatch):
    folder = another(tmp_path, "new")
    monkeypatch.chdir(tmp_path)
    embedded = Path(told("embed", clinic[1], "--data", folder, "--dataset", "ward-7").strip().splitlines()[-1])
    assert embedded.parent == clinic[1] / "embeddings" and embedded.name.startswith("ward-7-")
    assert pq.read_table(embedded).num_rows == 6
    made = told("evaluate", clinic[1], "--data", folder, "--dataset", "ward-7").strip().splitlines()[-1]
    assert Path(made).parent == clinic[1] / "evaluations" and Path(made).name.startswith("ward-7-")
    for arguments, says in (
        (["--data", folder, "--dataset", "../ward"], "ward"),
        (["--dataset", "ward-7"], "without that, leave it out"),
    ):
        refused = CliRunner().invoke(app, ["evaluate", str(clinic[1]), *map(str, arguments)])
        assert refused.exit_code and says in refused.output + str(refused.exception)


def test_baselines_are_left_out_where_the_runs_own_data_are_gone(clinic, tmp_path):
    folder = another(tmp_path, "new")
    run = tmp_path / "run"
    shutil.copytree(clinic[1], run)
    text = (run / "run.yaml").read_text()
    (run / "run.yaml").write_text(text.replace(str(clinic[0] / "data"), str(tmp_path / "gone")))
    with pytest.warns(AssumptionWarning, match="own data cannot be read .* baselines are left out"):
        metrics, _ = evaluate_on(str(run), str(folder))
    assert set(metrics["test"]) == {"model"}


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("speakers", r"subject ann: 1 in all, are what the run was .* in the column 'subject': 'other-ann' for 'ann'"),
        ("labels", "nothing is known there of dysarthria, old, which the run predicts"),
        ("nothing", "holds none of train.csv"),
    ],
)
def test_data_that_do_not_fit_are_refused(how, says, clinic, tmp_path):
    folder = another(tmp_path, "new", ("ann", "hal") if how == "speakers" else ("gus", "hal"))
    table = folder / "test.csv"
    if how == "labels":
        table.write_text(table.read_text().replace("dysarthria", "something").replace("age", "years"))
    elif how == "nothing":
        table.unlink()
    with pytest.raises(ValueError, match=says):
        evaluate_on(str(clinic[1]), str(folder))


def test_data_without_labels_are_embedded_and_those_with_some_are_scored_by_them(clinic, tmp_path):
    folder = another(tmp_path, "new")
    (folder / "labels.txt").unlink()  # the run's own says what is predicted
    whole, _ = evaluate_on(str(clinic[1]), str(folder))
    table = folder / "test.csv"
    table.write_text(table.read_text().replace("age", "years"))
    with pytest.warns(AssumptionWarning, match="nothing is known there of old; the other outputs are scored"):
        metrics, _ = evaluate_on(str(clinic[1]), str(folder))
    assert metrics["test"]["model"]["dysarthria"] == whole["test"]["model"]["dysarthria"]
    assert metrics["test"]["model"]["old"]["auroc"]["n"] == 0 < whole["test"]["model"]["old"]["auroc"]["n"]
    table.write_text("\n".join(line.rpartition(",")[0].rpartition(",")[0] for line in table.read_text().splitlines()))
    told("embed", clinic[1], "--data", folder, "-o", tmp_path / "e.parquet")
    assert pq.read_table(tmp_path / "e.parquet").num_rows == 6


def test_paths_may_be_those_of_the_working_folder(clinic, tmp_path, monkeypatch):
    folder = another(tmp_path, "new")
    whole, _ = evaluate_on(str(clinic[1]), str(folder))
    monkeypatch.chdir(tmp_path)
    assert evaluate_on(str(clinic[1]), "new")[0] == whole
    assert evaluate_on(str(clinic[1]), "new/test.csv")[0] == whole
    run = load(clinic[1] / "run.yaml")
    monkeypatch.chdir(clinic[0])
    own = run.model_copy(update={"data": run.data.model_copy(update={"root": "data"})})
    (folder / "labels.txt").unlink()
    other = on_other(own, os.path.relpath(folder))
    assert other.data.labels.groups == run.data.labels.groups and len(other.data) == 6


def test_tables_may_lie_apart_from_the_sound_as_a_folder_or_one(clinic, tmp_path):
    apart = tmp_path / "apart"
    apart.mkdir()
    rows = [row.split(",") for row in (clinic[0] / "data" / "train.csv").read_text().splitlines()]
    who = rows[0].index("subject")
    renamed = [rows[0], *([*row[:who], f"new-{row[who]}", *row[who + 1 :]] for row in rows[1:])]
    (apart / "test.csv").write_text("\n".join(map(",".join, renamed)))
    metrics, _ = evaluate_on(str(clinic[1]), str(apart))
    assert evaluate_on(str(clinic[1]), str(apart / "test.csv"))[0] == metrics
    told("embed", clinic[1], "--data", apart, "-o", tmp_path / "e.parquet")
    assert pq.read_table(tmp_path / "e.parquet").num_rows == len(rows) - 1


def test_the_report_says_that_the_model_was_trained_elsewhere_and_frozen(clinic, tmp_path):
    folder = another(tmp_path, "hospital")
    output = told("evaluate", clinic[1], "--data", folder)
    page, made = output.strip().splitlines()[-2:]
    assert page == f"report: {made}/report/index.html"
    text = (Path(made) / "report" / "index.html").read_text()
    assert f"trained elsewhere, as the run “{clinic[1].name}”, and is judged here on other data, “hospital”" in text
    assert "Everything was frozen" in text and "fitted on the training part of that run" in text
    assert "dysarthria-calibration" in text and "suspect" in text and not re.search("new-(gus|hal)", text)
    tripod = (Path(made) / "report" / "tripod.md").read_text()
    assert "evaluated on other data, without being updated" in tripod and "SHA-256" not in tripod
    data = json.loads((Path(made) / "summary.json").read_text())["data"]
    assert data["test"]["recordings"] == 6 and data["train"]["recordings"] > 0
    with pytest.raises(ValueError, match="holds figures on other data; name the folder of the run"):
        evaluate_again(made)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_bare_weights_are_scored_strictly_and_nothing_vouches_for_them(suffix, clinic, tmp_path):
    weights = clinic[1] / "model" / "model.safetensors"
    if suffix == ".pth":
        weights = tmp_path / "model.pth"
        torch.save(load_file(clinic[1] / "model" / "model.safetensors"), weights)
    with pytest.warns(AssumptionWarning, match="nothing vouches that"):
        output = told("evaluate", clinic[2], "--weights", weights)
    folder = output.strip().splitlines()[-1]
    own = json.loads((clinic[1] / "metrics.json").read_text())["test"]["model"]
    scored = json.loads((clinic[0] / "more" / folder.rpartition("/")[2] / "metrics.json").read_text())
    assert scored["test"]["model"] == own and "model" in scored["validation"]  # by which thresholds are chosen
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    result = CliRunner().invoke(app, ["evaluate", str(clinic[2]), "--weights", str(tmp_path / "other.pth")])
    assert result.exit_code != 0 and "other.pth does not fit the configuration" in str(
        result.exception or result.output
    )


def test_what_stands_in_the_way_of_bare_weights_is_told_first(clinic, tmp_path):
    weights = tmp_path / "text.pth"
    weights.write_text("hello weights\n")
    said = CliRunner().invoke(app, ["evaluate", str(clinic[2]), "--weights", str(weights)]).exception
    assert isinstance(said, ValueError) and f"--weights: {weights} cannot be read as weights" in str(said)
    sound = str(clinic[1] / "model" / "model.safetensors")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    there = f"checkpoint={{run_dir: {tmp_path / 'full'}}}"
    with pytest.raises(ValueError, match=r"run_dir: .*full is there already"):  # and no note that nothing vouches
        evaluate_weights(load(clinic[2], [there]), sound)
