"""What a run leaves to answer with: an artifact, or the weights alone where a part of it is Python's and in no file."""

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from ..data import storage
from ..data.reshaped import Reshaped
from ..pipeline import Pipeline
from ..serving.artifact import WEIGHTS_ALONE, Artifact
from .plain import Plain
from .run import Run

USE = f"""The run had a module or a function of Python's own (`module` of `model`, `x` of `data` below). No file holds
these, so no command can answer by this folder; Python can, where the same routine is built again:

```python
routine.load("RUN")  # in place of `train`: the folder above this one
print(routine.predict(waveform))  # a recording (channels, samples) at the data's sample rate
```

`{WEIGHTS_ALONE}` are the weights of the module by its own names, for `module.load_state_dict(load_file(...))` of
`safetensors.torch`, or of the whole pipeline where the model is one of tympan's. What a module gives is encoded: of a
continuous target, (quantity - mean) / std of `target` below, of its logarithm with `scale: log`."""


def export(artifact: Artifact, folder: Path, run: Run) -> Artifact:
    """Write the artifact and read it again; or write the weights alone, and give back what there is in memory."""
    if portable(run):
        artifact.save(folder)
        return Artifact.load(folder, trust=run.elsewhere)
    # A copy of each: modules may share weights, which safetensors refuses.
    state = {name: tensor.detach().cpu().clone() for name, tensor in own(artifact.pipeline).state_dict().items()}
    with storage.aside(folder / WEIGHTS_ALONE) as written:
        save_file(state, written)
    return artifact


def portable(run: Run) -> bool:
    """Whether files say all that answering needs: what `y` does to the values is done when it answers."""
    return not isinstance(run.model, Plain) and not (isinstance(run.data, Reshaped) and run.data.x)


def own(pipeline: Pipeline) -> nn.Module:
    """The user's own module, or the whole pipeline where the model is one of tympan's."""
    backbone: Any = pipeline.backbone
    return backbone.module if type(backbone).__module__ == Plain.__module__ else pipeline
