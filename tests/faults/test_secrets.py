"""What is secret, in the environment or in an address, is in nothing that is written or said."""

import json
import sys
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpora import hku956, put_sound, tone
from runs_helpers import DRUM, ONE_EPOCH, trained, write
from tympan.addresses import shown
from tympan.cli import app
from tympan.data.datasets.manifest import Manifest
from tympan.runs.configuration import ConfigurationError, load

sys.path.append(str(Path(__file__).parents[1] / "data"))
from test_download import loopback, send, server  # noqa: F401

CANARY = "canary7f3a"
ENVIRONMENT = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "WANDB_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
SECRET = [
    f"https://user:{CANARY}@host.example/x.csv",
    f"s3://{CANARY}:{CANARY}@bucket/x.csv",
    f"https://host.example/x.csv?X-Amz-Credential=a&X-Amz-Signature={CANARY}",
    f"https://host.example/x.csv?a=1&X-Goog-Signature={CANARY}",
    f"https://host.example/x.csv?sv=1&sig={CANARY}",
    f"https://host.example/x.csv?access_token={CANARY}",
    f"https://host.example?api_key={CANARY}",
]


@pytest.fixture
def planted(tmp_path, monkeypatch) -> Path:
    """An environment full of secrets; all its folders are below the test's own."""
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, CANARY)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "google.json").write_text(json.dumps({"type": "service_account", "private_key": CANARY}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "keys" / "google.json"))
    return tmp_path


def found(folder: Path) -> list[Path]:
    """The files in which the secret is."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [path for path in files if CANARY.encode() in path.read_bytes()]


def test_a_run_on_links_with_signatures_holds_none_of_them(planted, capfd, loopback, monkeypatch):  # noqa: F811
    monkeypatch.setenv("TYMPAN_CACHE", str(planted / "cache"))
    config = hku956.fabricate(str(planted / "corpus"))
    songs = {f"/{p.name}": send(200, p.read_bytes()) for p in (planted / "corpus" / "songs").iterdir()}
    with server(songs) as running:
        links = [f"{Path(s).stem},http://127.0.0.1:{running.server_port}{s}?X-Amz-Signature={CANARY}" for s in songs]
        (planted / "corpus" / "2. original_song_audio.csv").write_text("\n".join(["song_id,link", *links]))
        data = {k: v for k, v in config.items() if k != "data_directories"}
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            result = trained(
                planted / "out",
                data={"type": "hku956", **data, "sample_rate": 4000, "duration": 6.0},
                split={"protocol": "unseen_song", "ratios": [0.5, 0.25, 0.25]},
                features={**DRUM["features"], "n_mels": 8, "window": 0.1, "hop": 0.05},
                target={"type": "continuous", "quantities": {"eda": "z"}, "rate": 4},
                training={**ONE_EPOCH, "max_steps": 1, "batch_size": 2},
                logging={"worst_examples": 0, "tensorboard": True},
            )
    assert any(CANARY in path for path, _ in running.asked)
    assert not found(result.folder) and not found(planted / "cache") and not found(planted / "out")
    out = capfd.readouterr()
    assert CANARY not in out.out + out.err + " ".join(str(warning.message) for warning in said)


@pytest.mark.parametrize("address", SECRET)
def test_an_address_with_a_secret_is_refused_before_anything_is_written(address, planted, monkeypatch):
    monkeypatch.chdir(planted)
    manifest = {"type": "manifest", "path": address, "sample_rate": 8000, "duration": 0.1}
    target = {"type": "continuous", "quantities": ["f0"]}
    for sections in (
        {"data": manifest, "target": target},
        {"data": {**manifest, "path": "t.csv", "columns": {"f0": address}}, "target": target},
        {"checkpoint": {"load_from_checkpoint": address}},
        {"checkpoint": {"upload": address}},
    ):
        file = write(planted / "run.yaml", **sections)
        with pytest.raises(ConfigurationError, match=r"a name or a password|goes on with a secret \(") as refused:
            load(file)
        assert (CANARY not in str(refused.value) and "host" in str(refused.value)) or "bucket" in str(refused.value)
        done = CliRunner().invoke(app, ["train", str(file)])
        assert done.exit_code and CANARY not in done.output
        file.unlink()
    assert not (planted / "runs").exists()
    for fields in ({"path": address}, {"path": 5, "columns": [address]}):
        with pytest.raises(ValueError) as raw:
            Manifest.model_validate({**manifest, **fields})
        assert CANARY not in str(raw.value)


@pytest.mark.parametrize("address", SECRET)
def test_a_table_may_hold_no_secret(address, tmp_path):
    put_sound(str(tmp_path / "a.wav"), tone(300, 0.4, 8000), 8000)
    (tmp_path / "t.csv").write_text(f"path\na.wav\n{address}\n")
    with pytest.raises(ValueError, match=r"t\.csv, column 'path': .*(a name or a password|with a secret)") as refused:
        len(Manifest(path=str(tmp_path / "t.csv"), sample_rate=8000, duration=0.1))
    assert CANARY not in str(refused.value)


def test_addresses_are_shown_without_their_secrets():
    assert not any(CANARY in shown(address) for address in SECRET)
    for same in ("a/b?.wav", "/x@y/z.wav", "s3://bucket/a?b@c.wav", "https://host/a@b.wav", "memory://x.wav"):
        assert shown(same) == same
    assert shown("https://u:p@host:1/a?b#c") == "https://host:1/a"


@pytest.mark.parametrize(
    "address", ["https://host.example/x.csv?download=1&v=2", "s3://b/a@b?x.csv", "https://h/a@b.csv"]
)
def test_an_address_without_a_secret_is_taken(address):
    assert Manifest(path=address, sample_rate=8000, duration=0.1).path == address
