"""What decodes is chosen, told apart in the cache, and known to the artifact."""

import numpy as np
import pytest
import soundfile

from data.test_prepare import corpus
from tympan.data import audio, cache, decoders
from tympan.data.datasets.manifest import Manifest
from tympan.runs.naip import NaipAudio
from tympan.serving.listening import Listening


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    sound = np.sin(np.arange(8000) * 0.2) * 0.5
    for suffix in ("wav", "flac", "mp3", "ogg"):
        soundfile.write(tmp_path / f"x.{suffix}", sound, 8000)
    import av

    with av.open(str(tmp_path / "x.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(sound.astype("f4")[None], format="fltp", layout="mono")
        frame.sample_rate = 8000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return tmp_path


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg"])
def test_both_decode_what_both_know(files, suffix):
    path = files / f"x.{suffix}"
    one, other = (audio.read(path, decoder=decoder) for decoder in ("soundfile", "pyav"))
    np.testing.assert_array_equal(one, audio.read(path))
    n = min(one.shape[1], other.shape[1])
    exact = suffix in ("wav", "flac")
    assert np.abs(one[:, :n] - other[:, :n])[:, 1200:-1200].max() < (1e-6 if exact else 0.05)
    assert not exact or audio.info(path, "pyav") == audio.info(path, "soundfile")


def test_soundfile_alone_refuses_what_it_lacks(files):
    assert audio.read(files / "x.m4a").shape[1] >= 8000
    np.testing.assert_array_equal(audio.read(files / "x.m4a"), audio.read(files / "x.m4a", decoder="pyav"))
    with pytest.raises(ValueError, match=r"x\.m4a is no sound that soundfile decodes; write decoder: auto"):
        audio.read(files / "x.m4a", decoder="soundfile")


def test_each_decoder_has_entries_of_its_own_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    source = corpus(tmp_path / "corpus", 2)
    for n, decoder in enumerate(("auto", "soundfile", "pyav"), 1):
        own = source.model_copy(update={"decoder": decoder})
        assert own.fetch(0) and not own.fetch(0)
        own.clip(0, 0, 0)
        assert len(list((cache.folder() / "decoded").iterdir())) == n
        assert Listening.of(own).decoder == decoder


def test_librosa_stands_for_soundfile_where_it_is_installed(monkeypatch):
    told = {"path": "x.csv", "sample_rate": 8000, "duration": 0.1, "decoder": "librosa"}
    monkeypatch.setattr(decoders.importlib.util, "find_spec", lambda name: object())
    assert Manifest.model_validate(told).decoder == "soundfile"
    assert NaipAudio.model_validate({"decoder": "librosa"}).sections()["data"]["decoder"] == "soundfile"
    assert "decoder" not in NaipAudio().sections()["data"]
    monkeypatch.setattr(decoders.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="librosa is not installed"):
        Manifest.model_validate(told)
    with pytest.raises(ValueError, match="'auto', 'soundfile' or 'pyav'"):
        Manifest.model_validate({**told, "decoder": "ffmpeg"})
