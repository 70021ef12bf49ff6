"""Changes of which one number is drawn evenly between two."""

from typing import Any, ClassVar

from pydantic import model_validator

from . import Augmentation


class Between(Augmentation):
    """An augmentation with a number that is drawn evenly from `low` to `high`, which may be equal."""

    unit: ClassVar[str] = ""
    """Of both, as messages write it behind a number."""

    nothing: ClassVar[float | None] = None
    """The number that leaves sound as it is, if there is one."""

    low: float
    """The lowest."""
    high: float
    """The highest."""

    @property
    def unread(self) -> str | None:
        """Why neither of both is read, if none is."""
        return None

    @model_validator(mode="after")
    def _ordered(self) -> "Between":
        for name in ("low", "high") if self.unread else ():
            # A run writes its configuration with every field, those of no effect too, as they are by default.
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{self.type}.{name} is not read: {self.unread}; leave {name} out")
        if self.low > self.high:
            raise ValueError(
                f"{self.type}.low is {self.low:g}{self.unit}, above high, {self.high:g}{self.unit}; exchange them"
            )
        if self.p and self.low == self.high == self.nothing:
            raise ValueError(
                f"{self.type}.low and high are both {self.low:g}{self.unit}, which changes nothing; change one of "
                "them, or leave it out"
            )
        return self

    def between(self, uniform: Any) -> Any:
        """The number, or a tensor of them, that numbers in [0, 1) decide."""
        return self.low + (self.high - self.low) * uniform
