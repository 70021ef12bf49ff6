"""A run is copied into a bucket, whole and once, and is scored, compared, asked and begun with from there."""

import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import saved
from runs_helpers import ONE_EPOCH, log, stopped, trained, write
from servers.faulty import faulty_gcs, faulty_s3  # noqa: F401
from servers.gcs import gcs, gcs_server  # noqa: F401
from servers.s3 import s3, s3_server  # noqa: F401
from tympan.cli import app
from tympan.component import AssumptionWarning
from tympan.data import cache, client, copies, storage, upload
from tympan.runs import folder as folders
from tympan.runs import mirror, trainer
from tympan.runs.asked import Interrupted
from tympan.runs.configuration import ConfigurationError, load
from tympan.runs.finetune import judged
from tympan.runs.lock import LOCK
from tympan.runs.resume import resume
from tympan.serving.artifact import Artifact


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_known", {})
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run that ended."""
    return trained(tmp_path_factory.mktemp("run"), training=ONE_EPOCH).folder


@pytest.fixture(params=["s3", "gcs"])
def bucket(request) -> tuple:
    """A proxy before an empty bucket, and the bucket."""
    return request.getfixturevalue(f"faulty_{request.param}")


def told(*arguments) -> list[str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.stdout.splitlines()


def tree(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != LOCK)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def puts(proxy) -> int:
    return proxy.count("", "PUT") + proxy.count("/upload/", "POST")


def test_a_copy_is_whole_and_what_is_there_is_not_sent_again(bucket, tmp_path):
    proxy, root = bucket
    folder = tmp_path / "made"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.json").write_text("{}")
    (folder / "deep" / "ä b.bin").write_bytes(bytes(range(256)) * 50)
    (folder / ".tmp-host-1-aa").write_text("half")
    to = f"{root}/runs/made"
    assert (upload.send(folder, to).sent, proxy.count("", "DELETE")) == (2, 0)
    there = {uri.removeprefix(f"{to}/"): storage.read_bytes(uri) for uri in storage.listing(to)}
    kept = json.loads(there.pop(upload.MANIFEST))
    assert there == {name: data for name, data in tree(folder).items() if ".tmp" not in name}
    assert set(kept) == set(there) and all(one["size"] == len(there[name]) for name, one in kept.items())
    (folder / "a.json").write_text("[]")
    proxy.asked = []
    again = upload.send(folder, to)
    assert (again.sent, again.there, again.size) == (1, 1, 2) and puts(proxy) == 2  # it, and the manifest
    storage.write_bytes(f"{to}/deep/ä b.bin", b"x" * 256 * 50)  # somebody else's
    assert upload.send(folder, to).sent == 1
    assert storage.read_bytes(f"{to}/deep/ä b.bin") == (folder / "deep" / "ä b.bin").read_bytes()


def test_a_copy_that_broke_off_goes_on(bucket, tmp_path):
    _, root = bucket
    for n in range(4):
        (tmp_path / "made").mkdir(exist_ok=True)
        (tmp_path / "made" / f"{n}.bin").write_bytes(bytes([n]) * 1000)
    to = f"{root}/made"

    def fail(uri, action):
        if uri.endswith("2.bin"):
            raise PermissionError(uri)
        return client.call(uri, action)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(PermissionError, match=r"2\.bin"):
        patch.setattr(upload, "call", fail)
        upload.send(tmp_path / "made", to)
    assert set(json.loads(storage.read_text(f"{to}/{upload.MANIFEST}"))) == {"0.bin", "1.bin"}
    again = upload.send(tmp_path / "made", to)
    assert (again.sent, again.there) == (2, 2)


def test_a_large_file_is_compared_by_the_checksum_of_its_parts(tmp_path, monkeypatch, s3):  # noqa: F811
    (tmp_path / "made").mkdir()
    monkeypatch.setattr(upload, "PART", 5 << 20)
    (tmp_path / "made" / "large.bin").write_bytes(bytes(11 << 20))
    monkeypatch.setattr(upload, "_bytes", lambda uri: pytest.fail("read again"))
    assert upload.send(tmp_path / "made", f"{s3}/made").sent == 1
    storage.write_text(f"{s3}/made/{upload.MANIFEST}", "{}")
    assert upload.send(tmp_path / "made", f"{s3}/made").sent == 0


def test_what_came_otherwise_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "x").write_bytes(b"right")
    monkeypatch.setattr(upload, "_bytes", lambda uri: "wrong")
    with pytest.raises(OSError, match="differs from"):
        upload.send(tmp_path / "made", "memory://bucket/made")


@pytest.mark.parametrize("to", ["runs", "https://host/runs", "gs://", "file:///tmp"])
def test_a_copy_goes_into_a_bucket(to, tmp_path):
    with pytest.raises(ValueError, match="is no folder of a bucket"):
        upload.send(tmp_path, to)


def test_a_trained_run_is_copied_and_answers_from_there(tmp_path, gcs):  # noqa: F811
    result = trained(tmp_path, checkpoint={"upload": f"{gcs}/runs"})
    uri = f"{gcs}/runs/{result.folder.name}"
    there = {one.removeprefix(f"{uri}/"): storage.read_bytes(one) for one in storage.listing(uri)}
    del there[upload.MANIFEST]
    assert there == tree(result.folder)
    shutil.rmtree(result.folder)
    artifact = Artifact.load(uri)
    assert artifact.config.provenance["run"] == "tiny"
    assert told("evaluate", uri)[-1] == uri
    assert storage.read_bytes(f"{uri}/metrics.json") == there["metrics.json"]


@pytest.mark.slow
def test_a_run_in_a_bucket_is_scored_compared_asked_and_begun_with(run, tmp_path, monkeypatch, s3):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    assert told("upload", run, f"{s3}/runs") == [f"{s3}/runs/{run.name}"]
    uri = f"{s3}/runs/{run.name}"
    sound = tmp_path / "sound.wav"
    from tympan.data import audio

    audio.write(sound, load(run / "run.yaml").data[0].waveform, 16000)
    assert told("predict", uri, sound) == told("predict", run, sound)
    told("embed", uri, "--out", f"{s3}/embeddings.csv")
    assert storage.read_text(f"{s3}/embeddings.csv").count(",pt,") == 60
    told("embed", f"{uri}/model", "--out", f"{s3}/of_the_artifact.csv")
    assert storage.read_text(f"{s3}/of_the_artifact.csv") == storage.read_text(f"{s3}/embeddings.csv")
    assert told("compare", uri, run)[-1] == f"{uri}/report/comparison.html"
    assert storage.exists(f"{uri}/report/comparison.html")
    begun = trained(tmp_path, training={"max_epochs": 0}, checkpoint={"load_from_checkpoint": uri})
    here = load_file(run / "model" / "model.safetensors")
    assert all(bool((t == here[n]).all()) for n, t in load_file(begun.folder / "model" / "model.safetensors").items())
    step = sorted((run / "checkpoints").iterdir())[-1].name
    record = json.loads((run / "split.json").read_text())
    for source in (uri, f"{uri}/checkpoints/{step}", f"{uri}/model"):
        assert judged(source, load(run / "run.yaml"), record) == judged(str(run), load(run / "run.yaml"), record)
    begun = trained(tmp_path, training=ONE_EPOCH, checkpoint={"load_from_checkpoint": f"{uri}/checkpoints/{step}"})
    assert json.loads((begun.folder / "summary.json").read_text())["begun_with"]


def test_bare_weights_of_a_bucket_are_scored(run, tmp_path, s3):  # noqa: F811
    storage.write_bytes(f"{s3}/w.safetensors", (run / "model" / "model.safetensors").read_bytes())
    config = write(tmp_path / "run.yaml", checkpoint={"checkpoint_dir": str(tmp_path / "runs")})
    with pytest.warns(AssumptionWarning, match="nothing vouches"):
        assert told("evaluate", config, "--weights", f"{s3}/w.safetensors")


def test_weights_of_a_network_lie_in_a_bucket(tmp_path, s3):  # noqa: F811
    import timm

    torch_weights = timm.create_model("test_resnet.r160_in1k", pretrained=False).state_dict()
    save_file(torch_weights, tmp_path / "w.safetensors")
    storage.write_bytes(f"{s3}/w.safetensors", (tmp_path / "w.safetensors").read_bytes())
    from runs_helpers import run_of
    from tympan.runs.prepare import prepare

    model = {"type": "timm", "name": "test_resnet.r160_in1k", "weights": f"{s3}/w.safetensors"}
    made = run_of(tmp_path, model=model)
    with pytest.warns(AssumptionWarning, match="is summed to hear one channel"):
        prepared = prepare(made, made.divide()[0])
        prepared.pipeline()
    assert prepared.run.model.weights == f"{s3}/w.safetensors"  # pyright: ignore


def test_a_run_that_was_stopped_is_copied_as_far_as_it_came(tmp_path, monkeypatch, gcs):  # noqa: F811
    made = load(
        write(
            tmp_path / "run.yaml",
            training={"max_epochs": 3, "batch_size": 16},
            checkpoint={"checkpoint_dir": str(tmp_path / "runs"), "upload": f"{gcs}/runs", "save_every_n_steps": 1},
        )
    )
    folder = stopped(monkeypatch, made, 4)
    uri = f"{gcs}/runs/{folder.name}"
    there = {one.removeprefix(f"{uri}/") for one in storage.listing(uri)} - {upload.MANIFEST}
    assert there == set(tree(folder)) and any(name.startswith("checkpoints/") for name in there)


def test_a_run_whose_machine_is_taken_away_goes_on_from_the_bucket(tmp_path, monkeypatch, s3):  # noqa: F811
    sections = {"training": {"max_epochs": 3, "batch_size": 16}, "logging": {"log_every_n_steps": 1}}
    whole = trained(tmp_path / "whole", **sections)
    monkeypatch.setattr(mirror, "PAUSE", 0.0)
    plain = mirror.Mirror.on_save

    def at_once(self, *args, **kwargs):
        plain(self, *args, **kwargs)
        self.close()

    own = {"checkpoint_dir": str(tmp_path / "runs"), "upload": f"{s3}/runs", "save_every_n_steps": 2, "save_top_k": 1}
    made = load(write(tmp_path / "run.yaml", **sections, checkpoint=own))
    with monkeypatch.context() as patch:
        patch.setattr(mirror.Mirror, "on_save", at_once)
        patch.setattr(folders, "send", lambda *_, **__: pytest.fail("there is nobody left to send it"))
        with pytest.raises(pytest.fail.Exception):
            stopped(patch, made, 5)
    (folder,) = (tmp_path / "runs").iterdir()
    uri = f"{s3}/runs/{folder.name}"
    there = {one.removeprefix(f"{uri}/").split("/")[1] for one in storage.listing(f"{uri}/checkpoints")}
    assert there == {path.name for path in (folder / "checkpoints").iterdir()}, "no more and no fewer than are kept"
    shutil.rmtree(folder)
    said = f"^{uri}: stopped by SIGTERM at step 5 of .* `tympan resume {uri}` goes on"
    with monkeypatch.context() as patch, pytest.raises(Interrupted, match=said):
        patch.setattr(saved.Stops, "step", 5)
        patch.setattr(trainer, "Tracker", saved.Stops)
        resume(uri, console=Console(quiet=True))
    resume(uri, console=Console(quiet=True))
    mine = load_file(whole.folder / "model" / "model.safetensors")
    storage_copy = tmp_path / "copy.safetensors"
    storage_copy.write_bytes(storage.read_bytes(f"{uri}/model/model.safetensors"))
    theirs = load_file(storage_copy)
    assert all(bool((t == theirs[n]).all()) for n, t in mine.items())
    lines = [json.loads(line) for line in storage.read_text(f"{uri}/log.jsonl").splitlines()]
    assert [line["step"] for line in lines] == [line["step"] for line in log(whole)]


def test_a_bucket_that_fails_meanwhile_stops_no_run(tmp_path, monkeypatch):
    def fail(*arguments, **named):
        raise PermissionError("gs://bucket may not be accessed")

    monkeypatch.setattr(mirror, "send", fail)
    copying = mirror.Mirror(tmp_path, "gs://bucket/run")
    monkeypatch.setattr(mirror, "PAUSE", 0.0)
    copying.on_save()
    copying.close()
    with pytest.warns(mirror.MirrorWarning, match="may not be accessed; training goes on"):
        copying.on_save()
    copying.on_save()  # once is enough
    copying.close()


def test_a_copy_that_fails_says_how_to_go_on(run, tmp_path, monkeypatch):
    made = load(run / "run.yaml", ["checkpoint.upload=gs://bucket/runs"])

    def fail(*arguments, **named):
        raise PermissionError("gs://bucket may not be accessed")

    monkeypatch.setattr(folders, "send", fail)
    with (
        pytest.raises(OSError, match=r"the run is whole in .*`tympan upload .* gs://bucket/runs` goes on"),
        folders.sent(made, run, Console(quiet=True)),
    ):
        pass
    with pytest.raises(KeyboardInterrupt), folders.sent(made, run, Console(quiet=True)):
        raise KeyboardInterrupt


def test_a_bucket_as_the_folder_of_runs_is_an_upload(tmp_path):
    config = write(tmp_path / "run.yaml", checkpoint={"checkpoint_dir": "gs://bucket/runs"})
    with pytest.warns(AssumptionWarning, match="runs are made in `runs`, and copied to gs://bucket/runs"):
        kept = load(config).checkpoint
    assert (kept.checkpoint_dir, kept.upload) == ("runs", "gs://bucket/runs")
    for changed in ("checkpoint.run_dir=gs://bucket/run", "checkpoint.upload=runs", "checkpoint.upload=gs://a/b"):
        with pytest.raises(ConfigurationError, match=r"run_dir|upload"):
            load(config, [changed, *(["checkpoint.checkpoint_dir=runs"] if "a/b" not in changed else [])])


def test_no_code_is_taken_on_the_word_of_a_copy(run, tmp_path):
    text = (run / "run.yaml").read_text().replace("type: cnn", "type: my_own.Thing")
    storage.write_text("memory://bucket/run/run.yaml", text)
    storage.write_text("memory://bucket/run/my_own.py", "raise SystemExit('it ran')")
    here = copies.here("memory://bucket/run")
    assert copies.foreign(here / "run.yaml") and not copies.foreign(run / "run.yaml")
    with pytest.raises(ConfigurationError, match="my_own"):
        load(here / "run.yaml")
