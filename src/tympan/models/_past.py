"""What models share that may hear their own past answers."""

from pydantic import Field

from . import Model


class Hearing(Model):
    """A model that may hear its past: what it is taught with in training."""

    hears_past: bool = False
    """Whether it also hears its own past answers, one step of the target after the other."""
    past_dropout: float = Field(default=0.2, ge=0, le=1)
    """The probability that a clip's whole past is left out in training, so that a cold start is learned."""
    past_noise: float = Field(default=2.0, ge=0)
    """The deviation of the noise that is added to the true past in training, in deviations of a quantity. Of a signal
    that changes slowly the past tells nearly all, and without noise the sound would hardly be listened to."""

    @property
    def autoregressive(self) -> bool:
        return self.hears_past
