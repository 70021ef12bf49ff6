"""Codes for recordings of people: what is shown of a run names nobody; a table in its folder tells whose they are."""

import csv
import io
import re
import secrets
from pathlib import Path

from ..data import storage
from .run import Run

FILE = "ids.csv"
"""The table of codes and ids in a run's folder; of several trainings they have one, in the folder above theirs."""


def codes(folder: Path, run: Run) -> dict[str, str]:
    """The code of each recording by its id, as ids.csv holds it; made for those that have none yet. Nothing where the
    ids may be shown.

    A code is eight hexadecimal digits, drawn at random: nobody can compute it from an id that they guess, and without
    the table nobody can tell whose it is. Each run draws its own.

    Args:
        folder: of the run, or of one of its trainings.
        run: whose data they are of.

    Raises:
        ValueError: ids.csv is no such table.
    """
    if not run.hides_ids:
        return {}
    member = re.fullmatch(r"(seed|fold)-\d+(-fold-\d+)?", folder.name) and (folder.parent / "run.yaml").is_file()
    path = (folder.parent if member else folder) / FILE
    known = _read(path) if path.is_file() else {}
    taken, before = set(known.values()), len(known)
    for id in (run.data.describe(i).id for i in range(len(run.data))):
        if id not in known:
            while (code := secrets.token_hex(4)) in taken:  # of the seed they could be computed
                pass
            known[id] = code
            taken.add(code)
    if len(known) > before:
        text = io.StringIO()
        # In the order of the codes, for that of the data might tell whose they are.
        csv.writer(text, lineterminator="\n").writerows([("code", "id"), *sorted((c, id) for id, c in known.items())])
        storage.write_text(path, text.getvalue())
    return known


def shown_as(folder: Path, run: Run, index: int) -> str:
    """What a recording is called in a log: its code where ids are hidden, else its id."""
    id = run.data.describe(index).id
    return codes(folder, run).get(id, id)


def _read(path: Path) -> dict[str, str]:
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    if rows[:1] != [["code", "id"]] or any(len(row) != 2 for row in rows):
        raise ValueError(
            f"{path}: is not the table of codes and ids that the run wrote; take it away, or put that back"
        )
    return {id: code for code, id in rows[1:]}
