"""What every feature promises, for every file in the directory."""

import json
import warnings

import pytest
import torch

from tympan.component import AssumptionWarning
from tympan.features import Feature
from tympan.representation import Representation
from tympan.signals import Signal

CLIPS = [(8000.0, 8000), (16000.0, 40001), (22050.0, 22050), (44100.0, 22050), (48000.0, 1024)]

pytestmark = pytest.mark.parametrize("name", Feature.names())


def make(name):
    """A feature of frames short enough for every clip, with a hop that is no divisor of anything."""
    choice = Feature.find(name)
    return choice(**({"window": "300 samples", "hop": "130 samples"} if "window" in choice.model_fields else {}))


def audio(rate, samples):
    return Signal(("audio",), rate, samples / rate)


def build(feature, signal):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        return feature.build(signal)


def represent(signal, name, **fields):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        return Representation(signal, "left", make(name).model_copy(update=fields))


def noise(batch, samples, seed=0):
    return 0.1 * torch.randn(batch, 1, samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("rate", "samples"), CLIPS)
def test_declared_signal_is_the_real_shape(name, rate, samples):
    module, signal = build(make(name), audio(rate, samples))
    x = module(noise(2, samples))
    assert x.dtype == torch.float32
    assert x.shape == (2, len(signal.channels), signal.frames)
    assert len(set(signal.channels)) == len(signal.channels)
    assert signal.rate is not None and signal.frames / signal.rate == pytest.approx(signal.duration)
    assert samples / rate - signal.duration < 300 / rate


@pytest.mark.parametrize(("rate", "samples"), CLIPS[:-1])
def test_defaults_work_at_common_rates(name, rate, samples):
    module, signal = build(Feature.find(name)(), audio(rate, samples))
    assert module(noise(1, samples)).shape == (1, len(signal.channels), signal.frames)


@pytest.fixture(params=[1, 3])
def threads(request):
    """Numbers of threads, which take as many clips at once."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_a_clip_is_independent_of_its_batch_mates(name):
    module, _ = build(make(name), audio(16000.0, 8000))
    x = noise(5, 8000) * torch.tensor([1e-3, 1.0, 0.0, 10.0, 1e-2])[:, None, None]
    together = module(x)
    for i in range(5):
        alone = module(x[i : i + 1])
        assert (alone - together[i : i + 1]).abs().max() <= 1e-6 * alone.abs().max()


def test_clips_together_equal_clips_apart(name, monkeypatch):
    """The way of accelerators and compilers, which take the whole batch at once, gives the same numbers."""
    module, _ = build(make(name), audio(16000.0, 8000))
    x = noise(3, 8000)
    apart = module(x)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(module(x), apart, rtol=1e-5, atol=1e-4)


def test_a_delay_of_one_hop_moves_one_frame(name):
    signal = audio(16000.0, 8000)
    module, features = build(make(name), signal)
    assert signal.rate is not None and features.rate is not None
    hop = round(signal.rate / features.rate)
    x = noise(1, 8000) * torch.hann_window(8000)
    late = torch.cat([torch.zeros(1, 1, hop), x[..., :-hop]], 2)
    edge = 5
    before, after = module(x)[..., edge : -edge - 1], module(late)[..., edge + 1 : -edge]
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-3)
    assert (after - module(x)[..., edge + 1 : -edge]).abs().max() > 0.1


def test_silence_and_extremes_are_finite(name):
    module, _ = build(make(name), audio(8000.0, 8000))
    click = torch.zeros(1, 1, 8000)
    click[..., 4000] = 1.0
    for x in (torch.zeros(1, 1, 8000), torch.ones(1, 1, 8000), click, 1e-12 * noise(1, 8000)):
        assert module(x).isfinite().all()


def test_nothing_is_learned_or_saved(name):
    module, _ = build(make(name), audio(8000.0, 8000))
    assert not list(module.parameters())
    assert not module.state_dict()
    assert not module(noise(1, 8000)).requires_grad
    assert all(b.dtype == torch.float32 for b in module.buffers())


def test_moves_between_devices(name):
    """Every constant follows the module: on the meta device a forgotten one is an error."""
    module, signal = build(make(name), audio(8000.0, 8000))
    x = module.to("meta")(noise(2, 8000).to("meta"))
    assert x.is_meta and x.shape == (2, len(signal.channels), signal.frames)


def test_gradients_reach_the_waveform(name):
    module, _ = build(make(name), audio(8000.0, 2000))
    x = noise(1, 2000).requires_grad_()
    module(x).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all() and x.grad.abs().sum() > 0


@pytest.mark.parametrize(("rate", "samples"), CLIPS)
def test_mono_is_represented_as_the_bare_feature_has_it(name, rate, samples):
    """To the bit: neither several channels nor other rates are in the way of one channel at the data's own."""
    x = noise(2, samples)
    module, signal = build(make(name), audio(rate, samples))
    whole = represent(audio(rate, samples), name, standardize="none")
    peak = x / x.abs().amax((1, 2), keepdim=True)
    assert whole.signal == signal and signal.planes == 1
    assert whole(x)[0].equal(module(peak))


@pytest.mark.parametrize(("rate", "samples"), CLIPS)
@pytest.mark.parametrize("channels", [("left", "right"), ("bell", "chest", "air")])
def test_every_channel_is_heard_by_itself(name, rate, samples, channels):
    stereo = represent(Signal(channels, rate, samples / rate), name, normalize="none", standardize="none")
    mono = represent(audio(rate, samples), name, normalize="none", standardize="none")
    x = torch.cat([noise(2, samples, seed) for seed in range(len(channels))], 1)
    y, real = stereo(x)
    signal = stereo.signal
    assert y.shape == (2, len(signal.channels), signal.frames)
    assert signal.planes == len(channels) and real.all()
    assert len(set(signal.channels)) == len(signal.channels)
    for place, (channel, part) in enumerate(zip(channels, y.chunk(len(channels), 1), strict=True)):
        assert part.equal(mono(x[:, place : place + 1])[0])
        bands = len(signal.channels) // len(channels)
        assert all(n.startswith(channel) for n in signal.channels[place * bands : (place + 1) * bands])


@pytest.mark.parametrize(("rate", "samples"), CLIPS)
@pytest.mark.parametrize("own", [16000, 22050])
def test_a_rate_of_its_own_is_that_of_the_resampled_sound(name, rate, samples, own):
    # Shorter clips than a window of the feature's own rate are refused, which is tested elsewhere.
    whole = represent(audio(rate, samples), name, sample_rate=own)
    y, real = whole(noise(2, samples))
    signal = whole.signal
    assert y.shape == (2, len(signal.channels), signal.frames) and real.all()
    assert signal == build(make(name), audio(float(own), int(samples * own / rate)))[1]
    assert not whole.state_dict()


def test_json_round_trip(name):
    feature = make(name)
    text = feature.model_dump_json()
    assert json.loads(text)["type"] == name
    assert Feature.model_validate_json(text) == feature


def test_a_clip_shorter_than_a_window_is_refused_with_the_length_needed(name):
    feature = make(name)
    if not hasattr(feature, "window"):
        pytest.skip("its frames are samples")
    with pytest.raises(ValueError, match="at least 300 samples"):
        build(feature, audio(8000.0, 299))
    module, _ = build(feature, audio(8000.0, 300))
    assert module(noise(1, 300)).isfinite().all()
    with pytest.raises(ValueError, match="at least 300 samples"):
        module(noise(1, 299))


def test_lengths_that_do_not_fit_are_refused(name):
    choice = Feature.find(name)
    if "window" not in choice.model_fields:
        pytest.skip("its frames are samples")
    with pytest.raises(ValueError, match="hop of 1e-05 is 0"):
        choice(hop=1e-5).build(audio(8000.0, 8000))
    with pytest.raises(ValueError, match="set n_fft to at least 400"):
        choice(window="400 samples", n_fft=256).build(audio(8000.0, 8000))
    with pytest.raises(ValueError, match="mono"):
        choice().build(Signal(("left", "right"), 8000.0, 1.0))
    with pytest.raises(ValueError, match="no length"):
        choice(window="25 ms")
