"""What is written is read; a part is what the whole has there; what is unusable says why."""

import multiprocessing
import resource
import struct
import warnings
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import soxr

from tympan.component import AssumptionWarning
from tympan.data import audio, decode, storage

RATE = 22050


def sound(seconds: float = 3.0, rate: int = RATE, channels: int = 2, top: float = 3000.0) -> np.ndarray:
    """Noise without what a resampler to 8 kHz would remove, `(channels, samples)`."""
    n = round(seconds * rate)
    spectrum = np.fft.rfft(np.random.default_rng(3).standard_normal((channels, n)))
    spectrum[:, np.fft.rfftfreq(n, 1 / rate) > top] = 0
    x = np.fft.irfft(spectrum, n)
    return (0.5 * x / np.abs(x).max()).astype(np.float32)


def encode(path: Path, waveform: np.ndarray, codec: str, rate: int, format: str | None = None, **options: str) -> Path:
    with av.open(str(path), "w", format=format, options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo", bit_rate=192_000)
        for i in range(0, waveform.shape[1], 960 if codec == "libopus" else 1024):
            block = np.ascontiguousarray(waveform[:, i : i + (960 if codec == "libopus" else 1024)])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = rate, i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One recording in every format."""
    folder, x = tmp_path_factory.mktemp("formats"), sound()
    for name in ("x.wav", "x.flac", "x.mp3", "x.ogg", "x.aiff"):
        soundfile.write(folder / name, x.T, RATE)
    soundfile.write(folder / "float.wav", x.T, RATE, subtype="FLOAT")
    soundfile.write(folder / "x.opus", sound(rate=48000).T, 48000, format="OGG", subtype="OPUS")
    encode(folder / "x.m4a", x, "aac", RATE)
    encode(folder / "x.aac", x, "aac", RATE, "adts")
    encode(folder / "x.webm", sound(rate=48000), "libopus", 48000)
    return folder


EXACT = {"x.wav": 1e-4, "x.flac": 1e-4, "x.aiff": 1e-4, "float.wav": 1e-7}
LOSSY = ("x.mp3", "x.ogg", "x.opus", "x.m4a", "x.aac", "x.webm")


@pytest.mark.parametrize("name", [*EXACT, *LOSSY])
def test_every_format_gives_the_sound_that_went_in(folder, name):
    info, x = audio.info(folder / name), audio.read(folder / name, channels="keep")
    assert x.dtype == np.float32 and x.shape == (2, info.samples) == (info.channels, info.samples)
    truth = sound(rate=info.sample_rate)
    assert info.duration == pytest.approx(3, abs=0.1)
    n = min(x.shape[1], truth.shape[1])
    if name in EXACT:
        np.testing.assert_allclose(x, truth, atol=EXACT[name])
    elif name != "x.aac":  # a bare stream does not say how much its encoder put in front
        assert np.corrcoef(x[0, :n], truth[0, :n])[0, 1] > (0.85 if name == "x.ogg" else 0.98)


@pytest.mark.parametrize("rate", [None, 16000, 8000, 44100, 22051])
@pytest.mark.parametrize("name", ["x.wav", *LOSSY])
def test_a_part_is_what_the_whole_has_there(folder, name, rate):
    whole = audio.read(folder / name, rate)
    own = rate or audio.info(folder / name).sample_rate
    for start, duration in ((0.0, 0.5), (0.731, 0.4), (1.9, 0.001), (2.5, None), (2.8, 0.1), (2.9, 9.0)):
        part = audio.read(folder / name, rate, start=start, duration=duration)
        first = round(start * own)
        wanted = whole[:, first : None if duration is None else first + round(duration * own)]
        assert part.shape == wanted.shape and part.shape[1] > 0
        assert np.abs(part - wanted).max() <= 1e-3


def test_a_part_costs_what_it_is_long(tmp_path, monkeypatch):
    audio.write(tmp_path / "long.wav", np.zeros(RATE * 60, np.float32), RATE)
    encode(tmp_path / "long.m4a", np.zeros((2, RATE * 60), np.float32), "aac", RATE)
    asked = []
    seen = soundfile.SoundFile.read
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda self, n, *a, **k: asked.append(n) or seen(self, n, *a, **k))
    audio.read(tmp_path / "long.wav", 8000, start=40.0, duration=1.0)
    assert sum(asked) < 1.2 * RATE
    decoded = []
    turn = decode._float
    monkeypatch.setattr(decode, "_float", lambda frame: decoded.append(frame.samples) or turn(frame))
    audio.read(tmp_path / "long.m4a", 8000, start=40.0, duration=1.0)
    assert sum(decoded) < 2.5 * RATE


def test_resampling_keeps_what_both_rates_can_hold(tmp_path):
    t = np.arange(44100) / 44100
    audio.write(tmp_path / "x.wav", 0.5 * np.sin(2 * np.pi * 1000 * t), 44100, "FLOAT")
    x = audio.read(tmp_path / "x.wav", 16000)
    assert x.shape == (1, 16000)
    wanted = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    np.testing.assert_allclose(x[0, 1000:-1000], wanted[1000:-1000], atol=1e-4)
    audio.write(tmp_path / "high.wav", 0.5 * np.sin(2 * np.pi * 9000 * t), 44100, "FLOAT")
    assert np.abs(audio.read(tmp_path / "high.wav", 16000)[0, 1000:-1000]).max() < 0.5e-5  # -100 dB


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_channels_are_mixed_as_asked(tmp_path, channels, subtype):
    x = sound(0.1, channels=channels)
    audio.write(tmp_path / "x.wav", x, RATE, subtype)
    kept = audio.read(tmp_path / "x.wav", channels="keep")
    np.testing.assert_allclose(kept, x, atol=2**-15)
    for mix, wanted in {"mean": kept.mean(0), "sum": kept.sum(0), "first": kept[0]}.items():
        np.testing.assert_allclose(audio.read(tmp_path / "x.wav", channels=mix), wanted[None], atol=1e-6)


@pytest.mark.parametrize("rate", [100, 7999, 768_000])
def test_any_rate_is_read(tmp_path, rate):
    x = sound(0.5, rate=rate, channels=1, top=rate / 5)
    audio.write(tmp_path / "x.wav", x, rate)
    assert audio.info(tmp_path / "x.wav") == audio.Info(rate, 1, x.shape[1])
    assert audio.read(tmp_path / "x.wav", 16000).shape == soxr.resample(x.T, rate, 16000).T.shape


@pytest.mark.parametrize("rate", [None, 16000, 8000, 100])
def test_one_sample_is_a_recording(tmp_path, rate):
    audio.write(tmp_path / "x.wav", np.array([0.5], np.float32), 48000)
    np.testing.assert_allclose(audio.read(tmp_path / "x.wav", rate), [[0.5]], atol=1e-6)


@pytest.mark.parametrize("name", ["x.wav", "float.wav", *LOSSY])
@pytest.mark.parametrize("mix", ["mean", "keep"])
def test_a_long_recording_is_decoded_in_blocks_to_the_same_bits(folder, name, mix, monkeypatch):
    ask = [(16000, 0.0, None), (None, 0.0, None), (16000, 1.3, 1.1), (50000, 0.5, None)]
    whole = [audio.read(folder / name, rate, mix, start, duration) for rate, start, duration in ask]
    monkeypatch.setattr(decode, "BLOCK", 9999)
    for (rate, start, duration), wanted in zip(ask, whole, strict=True):
        found = audio.read(folder / name, rate, mix, start, duration)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6 * (name == "x.mp3"))


def test_a_remote_recording_is_read(folder):
    storage.write_bytes("memory://audio/x.flac", (folder / "x.flac").read_bytes())
    np.testing.assert_array_equal(audio.read("memory://audio/x.flac"), audio.read(folder / "x.flac"))
    audio.write("memory://audio/new.wav", sound(), RATE, "FLOAT")
    np.testing.assert_array_equal(audio.read("memory://audio/new.wav", channels="keep"), sound())


def _cut(name: str, share: float):
    return lambda folder: (folder / name).read_bytes()[: int(share * (folder / name).stat().st_size)]


def _flac_of(samples: int):
    def change(folder: Path) -> bytes:
        data = bytearray((folder / "x.flac").read_bytes())
        data[21] = data[21] & 0xF0 | samples >> 32
        data[22:26] = struct.pack(">I", samples & 0xFFFFFFFF)
        return bytes(data)

    return change


def _wav(channels: int, rate: int, data: bytes, promised: int | None = None, kind: int = 1, bits: int = 16) -> bytes:
    width = channels * bits // 8
    header = struct.pack("<HHIIHH", kind, channels, rate, rate * width % 2**32, width, bits)
    size = len(data) if promised is None else promised
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", min(size + 36, 2**32 - 1)) + chunks


def _floats(value: float) -> bytes:
    return _wav(1, RATE, np.array([0, 0.5, value, 0], "<f4").tobytes(), kind=3, bits=32)


BAD = {
    "empty.wav": (lambda folder: b"", r"is empty \(0 bytes\)"),
    "text.wav": (lambda folder: b"a table, not a sound\n" * 40, "is no sound: it looks like a text"),
    "text.au": (lambda folder: b"a table, not a sound\n" * 40, "is no sound: it looks like a text"),
    "list.m3u8": (
        lambda folder: f"#EXTM3U\n#EXTINF:9,\nfile://{folder}/x.aac\n#EXT-X-ENDLIST\n".encode(),
        "is no sound: it looks like a text",
    ),
    "noise.mp3": (lambda folder: np.random.default_rng(0).bytes(5000), "is no sound that is known here"),
    "cut.wav": (_cut("x.wav", 0.6), "is truncated, or its header lies: 264,600 bytes of sound are promised"),
    "cut.aiff": (_cut("x.aiff", 0.6), "is truncated, or its header lies"),
    "cut.flac": (_cut("x.flac", 0.6), "is truncated or damaged"),
    "cut.mp3": (_cut("x.mp3", 0.6), "is truncated or damaged, or its header lies: 66,150 samples are declared"),
    "cut.ogg": (_cut("x.ogg", 0.6), "is truncated: its last page is missing"),
    "cut.m4a": (_cut("x.m4a", 0.6), "begins like a recording but is truncated or damaged"),
    "cut.webm": (_cut("x.webm", 0.6), "is truncated or damaged"),
    "header.wav": (lambda folder: (folder / "x.wav").read_bytes()[:30], "begins like a recording"),
    "vast.flac": (_flac_of(2**36 - 1), "its header lies about its length, 68,719,476,735 samples cannot be"),
    "more.flac": (_flac_of(70_000), "is truncated or damaged, or its header lies"),
    "vast.wav": (lambda folder: _wav(1, RATE, b"\1\0" * 99, 0x7FFFFFFE), "or its header lies: 2,147,483,646 bytes"),
    "nan.wav": (lambda folder: _floats(float("nan")), "holds NaN samples, the first at 9.07029e-05 s"),
    "inf.wav": (lambda folder: _floats(float("-inf")), "holds infinite samples, the first at"),
    "silent.wav": (lambda folder: _wav(1, RATE, b""), r"holds no sound \(0 samples\)"),
    "slow.wav": (lambda folder: _wav(1, 50, b"\1\0" * 99), "says 50 Hz, outside 100 to 768000 Hz"),
    "fast.wav": (lambda folder: _wav(1, 4_000_000, b"\1\0" * 99), "says 4000000 Hz, outside"),
    "wide.wav": (lambda folder: _wav(65, RATE, b"\1\0" * 65 * 9), "has 65 channels, more than 64"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_unusable_says_why(folder, tmp_path, name):
    make, message = BAD[name]
    (tmp_path / name).write_bytes(make(folder))
    with pytest.raises(ValueError, match=f"{tmp_path / name}.*{message}.*; [a-z]"):
        audio.read(tmp_path / name)


def test_what_is_missing_is_named(tmp_path):
    for ask in (audio.read, audio.info):
        with pytest.raises(FileNotFoundError, match=r"none\.wav does not exist"):
            ask(tmp_path / "none.wav")


def test_a_cut_faststart_m4a_is_found(folder, tmp_path):
    whole = encode(tmp_path / "whole.m4a", sound(), "aac", RATE, movflags="faststart")
    assert audio.read(whole).shape[1] == audio.info(whole).samples
    (tmp_path / "cut.m4a").write_bytes(whole.read_bytes()[: int(0.6 * whole.stat().st_size)])
    with pytest.raises(ValueError, match=r"cut\.m4a is truncated or damaged"):
        audio.read(tmp_path / "cut.m4a")


def test_a_wrong_suffix_is_read_and_said(folder, tmp_path):
    (tmp_path / "x.wav").write_bytes((folder / "x.mp3").read_bytes())
    with pytest.warns(AssumptionWarning, match=r"x\.wav is called \.wav but holds MP3"):
        found = audio.read(tmp_path / "x.wav")
    np.testing.assert_array_equal(found, audio.read(folder / "x.mp3"))


@pytest.mark.parametrize("promised", [0, 0xFFFFFFFF])
def test_a_wav_from_a_pipe_has_no_length_and_is_read(tmp_path, promised):
    (tmp_path / "x.wav").write_bytes(_wav(1, RATE, b"\0\x40" * 500, promised))
    np.testing.assert_array_equal(audio.read(tmp_path / "x.wav"), np.full((1, 500), 0.5))


def test_a_flac_from_a_pipe_has_no_length_and_is_read(folder, tmp_path):
    (tmp_path / "x.flac").write_bytes(_flac_of(0)(folder))
    np.testing.assert_array_equal(audio.read(tmp_path / "x.flac"), audio.read(folder / "x.flac"))
    assert audio.info(tmp_path / "x.flac").samples == 3 * RATE


@pytest.mark.parametrize("start, duration", [(-1.0, None), (np.nan, None), (0.0, 0.0), (0.0, -1.0), (0.0, np.inf)])
def test_a_part_that_cannot_be_is_refused(folder, start, duration):
    with pytest.raises(ValueError, match=r"x\.wav from .* s for"):
        audio.read(folder / "x.wav", start=start, duration=duration)


def test_a_part_after_the_end_is_refused(folder):
    for name in ("x.wav", "x.webm"):
        with pytest.raises(ValueError, match=r"ends before 3\.5 s; start earlier"):
            audio.read(folder / name, start=3.5)


def _read_in_little_memory(path: Path) -> tuple[str, int]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        audio.read(path)
    except ValueError as error:
        return str(error), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return "no error", 0


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_small_file_cannot_fill_the_memory(tmp_path, monkeypatch):
    with soundfile.SoundFile(tmp_path / "bomb.flac", "w", 48000, 8, "PCM_16") as file:
        for _ in range(200):
            file.write(np.zeros((1 << 16, 8), np.int16))
    piped = bytearray((tmp_path / "bomb.flac").read_bytes())
    assert len(piped) < 2e6  # for 419 MB of float32
    piped[21:26] = bytes([piped[21] & 0xF0, 0, 0, 0, 0])
    (tmp_path / "piped.flac").write_bytes(piped)
    monkeypatch.setattr(audio, "MAX_DECODED_BYTES", 16 << 20)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        for name, most in {"bomb.flac": 10_000, "piped.flac": 100_000}.items():
            message, kilobytes = pool.apply_async(_read_in_little_memory, (tmp_path / name,)).get(timeout=20)
            assert name in message and "is longer than 16 MiB can hold" in message and "split the file" in message
            assert kilobytes < most
    assert audio.read(tmp_path / "bomb.flac", start=60.0, duration=1.0).shape == (1, 48000)
    monkeypatch.setattr(audio, "MAX_DECODED_BYTES", 4000)
    audio.write(tmp_path / "slow.wav", np.zeros(100, np.float32), 100)
    with pytest.raises(ValueError, match="is longer than"):  # small as it is, large once it is resampled
        audio.read(tmp_path / "slow.wav", 48000)


@pytest.mark.parametrize("name", ["x.wav", "x.flac"])
@pytest.mark.parametrize("subtype, error", [("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-24), ("FLOAT", 0)])
def test_what_is_written_is_read(tmp_path, name, subtype, error):
    x = sound()
    x[0, 0], x[1, 0] = 1, -1
    if name == "x.flac" and subtype in ("PCM_32", "FLOAT"):
        with pytest.raises(ValueError, match=f"FLAC cannot hold {subtype}"):
            audio.write(tmp_path / name, x, RATE, subtype)
        return
    audio.write(tmp_path / name, x, RATE, subtype)
    assert soundfile.info(tmp_path / name).subtype == subtype
    assert np.abs(audio.read(tmp_path / name, channels="keep") - x).max() <= error
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "name, waveform, rate, message",
    [
        ("x.ogg", np.zeros(9), RATE, r"should end in \.wav or \.flac"),
        ("x.wav", np.array([0, -1.5]), RATE, "would clip: the peak is 1.5"),
        ("x.wav", np.array([0, np.nan]), RATE, "would hold NaN or infinite samples"),
        ("x.wav", np.zeros(0), RATE, "would hold no samples"),
        ("x.wav", np.zeros(9), 20, "a sample rate is 100 to 768000 Hz, not 20"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, name, waveform, rate, message):
    with pytest.raises(ValueError, match=message):
        audio.write(tmp_path / name, waveform, rate)
    assert list(tmp_path.iterdir()) == []


def test_float_files_may_be_louder_than_one(tmp_path):
    audio.write(tmp_path / "x.wav", np.array([1.5, -3], np.float32), RATE, "FLOAT")
    np.testing.assert_array_equal(audio.read(tmp_path / "x.wav"), [[1.5, -3]])


def test_damaged_bytes_give_sound_or_a_named_error(folder, tmp_path):
    rng = np.random.default_rng(1)
    for name in ("x.wav", "x.flac", "x.mp3", "x.ogg", "x.m4a"):
        whole = (folder / name).read_bytes()
        for _ in range(30):
            data = bytearray(whole)
            for place in rng.integers(0, min(len(data), rng.choice([64, len(data)])), 8):
                data[place] = rng.integers(256)
            (tmp_path / name).write_bytes(data)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AssumptionWarning)
                try:
                    assert np.isfinite(audio.read(tmp_path / name, duration=0.2)).all()
                except ValueError as error:
                    assert name in str(error)
