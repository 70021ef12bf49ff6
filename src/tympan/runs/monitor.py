"""The names of the figures that a run logs, and which of them says what is best."""

from collections.abc import Mapping

from ..output import Output, Part

_SHORT = {"train": "train", "validation": "val", "test": "test"}


def key(part: Part, metric: str, output: str, several: bool) -> str:
    """The name of a metric in the log: `val_accuracy`, or `val_<output>_accuracy` where there are several outputs."""
    return f"{_SHORT[part]}_{output}_{metric}" if several else f"{_SHORT[part]}_{metric}"


def monitored(outputs: Mapping[str, Output]) -> dict[str, bool]:
    """The figures that validation computes, and whether more of it is better: `val_loss`, `val_accuracy`, ..."""
    figures = {"val_loss": False}
    for name, output in outputs.items():
        for metric in output.figures("validation"):
            figures[key("validation", metric.type, name, len(outputs) > 1)] = metric.higher_is_better
    return figures
