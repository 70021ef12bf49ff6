"""A signal that the data know at one rate is learned and scored at another, in its place."""

import numpy as np
import pytest
from pydantic import ValidationError

from tympan.data import Description, Example, Source
from tympan.data.split import Parts
from tympan.runs.encode import Encode
from tympan.runs.prepare import known, prepare
from tympan.runs.rates import AtRate
from tympan.runs.run import Run


class Swinging(Source):
    """Noise of 4 s, and a swing of 0.5 Hz that is known at its own rate."""

    sample_rate: int = 1000
    duration: float = 2.0
    rate: float = 50.0

    @property
    def rates(self):
        return {"swing": self.rate}

    def __len__(self):
        return 12

    def __getitem__(self, index):
        noise = np.random.default_rng(index).normal(size=(1, 4000)).astype(np.float32)
        return Example(noise, self.values(index), str(index))

    def values(self, index):
        return {"swing": np.sin(np.pi * np.arange(round(4 * self.rate)) / self.rate + index)}

    def describe(self, index):
        return Description(str(index), {}, 4.0)


def run(rate, data=None, **fields):
    told = {
        "data": data or Swinging(),
        "features": {"type": "mel", "window": 0.05, "hop": 0.02, "n_mels": 8, "sample_rate": 1000},
        "model": {"type": "cnn", "width": 4},
        "target": {"type": "continuous", "quantities": ["swing"], "rate": rate, "mean": [0], "std": [1]},
        "hardware": {"precision": "fp32"},
        **fields,
    }
    return Run.model_validate(told)


@pytest.mark.parametrize("native", [4.0, 50.0])
@pytest.mark.parametrize("rate", [4.0, 10.0, 50.0])
def test_a_frame_stays_at_its_second_both_up_and_down(native, rate):
    data = Swinging(rate=native, crop="random")
    one = run(rate, data)
    encode = prepare(one, Parts([0, 1], [2], [3])).encode
    for index, epoch in ((0, 0), (3, 1)):
        clip = data.clip(index, epoch, 5)
        (encoded,) = encode(clip)["target"].numpy()
        first = round(clip.start * rate)
        right = np.sin(np.pi * (first + np.arange(len(encoded))) / rate + index)
        assert len(encoded) == round(4 * rate) - first
        away = slice(round(rate), -round(rate)) if first else slice(0, -round(rate))
        np.testing.assert_allclose(encoded[away], right[away], atol=0.02)


def test_what_is_fitted_and_counted_is_at_the_targets_rate():
    (values,) = known(run(4.0), [1])
    assert len(values["swing"]) == 16


@pytest.mark.parametrize(("name", "hertz"), [("native", 50.0), ("features", 50.0), ("audio", 1000.0)])
def test_a_rate_may_be_named_and_is_hertz_from_then_on(name, hertz):
    one = run(name)
    assert one.target is not None and one.target.rate == hertz
    several = {"a": {"target": {"type": "continuous", "quantities": ["swing"], "rate": name}}}
    assert run(4.0, target=None, targets=several).targets["a"].target.rate == hertz


def test_a_native_rate_that_nothing_has_is_refused():
    with pytest.raises(ValidationError, match="native is one rate that the data have, and there is other of"):
        run("native", target={"type": "continuous", "quantities": ["other"], "rate": "native"})
    with pytest.raises(ValidationError, match="rate"):
        run("quick")


def test_of_a_mixture_each_corpus_comes_to_the_rate_from_its_own():
    swing = {name: np.arange(float(n)) for name, n in (("slow", 16), ("fast", 200))}
    at_rate = AtRate({"swing": 4.0}, {"": {}, "slow": {"swing": 4.0}, "fast": {"swing": 50.0}})
    assert at_rate({"swing": swing["slow"]}, "slow")["swing"] is swing["slow"]
    np.testing.assert_allclose(at_rate({"swing": swing["fast"]}, "fast")["swing"], np.arange(16) * 12.5, atol=0.5)


def test_an_encoder_is_sent_to_workers():
    import pickle

    one = run(4.0)
    encode = Encode(
        {"target": one.outputs["target"].target}, AtRate.of(one.data, {"target": one.outputs["target"].target})
    )
    assert pickle.loads(pickle.dumps(encode)).at_rate == encode.at_rate  # noqa: S301
