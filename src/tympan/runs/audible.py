"""What no sound of the data can tell: a size in metres, where tension or density differ from drum to drum."""

import numpy as np

from .prepare import Prepared

_LOOKED_AT = 500  # recordings


def unheard(prepared: Prepared) -> list[str]:
    """Why an error in metres tells little, where pitch depends on more than size; in words, nothing where it does not.

    A membrane's partials are a wave speed by a length, and the wave speed is the root of tension by density: doubling
    the size and the speed changes no partial.
    """
    run = prepared.run
    lengths = [name for o in run.outputs.values() for name, unit in o.target.unit.items() if unit == "m"]
    if not lengths:
        return []
    values = [run.data.values(i) for i in prepared.parts.train[:_LOOKED_AT]]
    speeds = [np.sqrt(v["tension"] / v["density"]) for v in values if {"tension", "density"} <= set(v)]
    known = np.array([s for s in speeds if np.ndim(s) == 0 and np.isfinite(s)], float)
    if not known.size or np.ptp(known) <= 1e-6 * known.max():
        return []
    return [
        f"Tension or density differ from drum to drum (waves run at {known.min():.4g} to {known.max():.4g} m/s), and "
        f"partials tell the size by the wave speed alone: of {' and '.join(lengths)} only ratios and ranks can be "
        "heard. Read the rank correlation (spearman), and no error in metres as one of the model."
    ]
