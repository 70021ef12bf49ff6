"""What `docs/reliability.md` says of the stock Trainer is what it does."""

from pathlib import Path

import pytest
import stock

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


@pytest.mark.slow
def test_the_page_tells_what_the_stock_trainer_does() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for fault, outcome in stock.outcomes().items():
        row = next(line for line in text.splitlines() if line.startswith(f"| {fault} |"))
        assert outcome.partition(":")[0].partition(",")[0] in row, (fault, outcome)
