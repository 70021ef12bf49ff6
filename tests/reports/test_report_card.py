"""A card says what a model takes and answers, how good it is, and what it is not."""

import re

import pytest
from ruamel.yaml import YAML

from tympan.output import Output
from tympan.reports.card import card, harmless
from tympan.serving.artifact import Artifact, Config
from tympan.serving.listening import Listening

CONFIGURATION = """name: drums
data: {type: circular_membrane, size: 600}
split: {ratios: [0.7, 0.1, 0.2], group: drum, folds: null}
"""


def figure(value: float, unit: str = "") -> dict[str, object]:
    return {"value": value, "low": 0.9 * value, "high": 1.1 * value, "n": 120, "groups": 40, "note": "", "unit": unit}


@pytest.fixture(scope="module")
def text() -> str:
    size = {"type": "continuous", "quantities": {"diameter": "m"}, "mean": [0.3], "std": [0.1]}
    word = {"type": "categorical", "column": "a|b", "classes": ["no", "yes"]}
    config = Config.model_validate(
        {
            "audio": Listening(sample_rate=16000, samples=1024, channels="mean", crop="start", padding="left"),
            "features": {"type": "waveform"},
            "model": {"type": "cnn", "width": 4, "layers": 1},
            "outputs": {
                "size": Output.model_validate({"target": size}),
                "word": Output.model_validate({"target": word}),
            },
            "provenance": {"run": "drums", "seed": 7, "steps": 400, "checkpoint": "checkpoint-400"},
        }
    )
    metrics = {
        "validation": {"model": {"diameter": {"mae": figure(0.01, "m")}}},
        "test": {
            "model": {"diameter": {"mae": figure(0.0123, "m")}, "a|b": {"accuracy": figure(0.8)}},
            "baseline/ridge": {"diameter": {"mae": figure(0.02, "m")}, "a|b": {"accuracy": figure(0.85)}},
            "reference/closed-form": {"diameter": {"mae": figure(0.001, "m")}},
        },
    }
    return card(Artifact(config, config.build()), metrics, CONFIGURATION, ["No drum is in two parts."])


def test_a_card_says_what_goes_in_and_what_comes_out(text: str) -> None:
    assert text.startswith("# drums\n")
    assert "16,000 Hz" in text and "Clips of 0.064 s (1,024 samples)" in text
    assert "| diameter | a quantity | m | once per recording |" in text
    assert "| a\\|b | one class | no, yes | once per recording |" in text


def test_a_card_says_how_it_was_trained(text: str) -> None:
    assert "Data: `circular_membrane`, a synthesizer." in text
    assert "Split: ratios 0.7/0.1/0.2, group drum." in text
    assert "Steps: `400`." in text and "- No drum is in two parts." in text


def test_a_card_compares_with_baselines_and_tells_the_test_part_first(text: str) -> None:
    assert "| model | 0.01230 [0.01107, 0.01353] |" in text
    assert "| reference/closed-form | 0.001000 [0.000900, 0.001100] |" in text
    assert "It beats the only baseline; the nearest is ridge, 0.02000 [0.01800, 0.02200] m." in text
    assert "It does not beat every baseline: ridge, 0.8500" in text
    assert text.index("diameter: test part") < text.index("diameter: validation part")
    widths = {len(re.findall(r"(?<!\\)\|", row)) for row in text.split("## Results")[1].splitlines() if row[:1] == "|"}
    assert widths == {3}, "a row of a table has another number of cells"


def test_a_card_tells_the_limits(text: str) -> None:
    limits = text.split("## Limits")[1].split("##")[0]
    assert "Measured only on 120 recordings in 40 groups of `circular_membrane`" in limits
    assert "synthesised sound alone" in limits and "not a medical device" in limits


def test_a_card_says_how_to_load_it_and_holds_the_configuration(text: str) -> None:
    assert "tympan predict FOLDER sound.wav" in text
    assert "from tympan.serving.artifact import Artifact" in text
    compile(text.split("```python\n")[1].split("```")[0], "card", "exec")
    assert YAML(typ="safe").load(text.split("```yaml\n")[1].split("```")[0])["name"] == "drums"


def test_a_name_is_no_html_in_markdown_and_code_stays_as_it_is() -> None:
    name = "<img src=x onerror=alert(1)>"
    assert harmless(f"| {name} | R&D |") == "| &lt;img src=x onerror=alert(1)> | R&amp;D |"
    code = f"- `{name} (decision)` is 1, ``a ` {name}`` too\n\n```yaml\nlabel: {name}\n```"
    assert harmless(code) == code
    odd = [f"`{name}", f"| a` | {name}` |", f"a`\nb {name}`", f"``{name}`", f"```\nx\n```\n{name}\n```"]
    odd += [f"\\`{name}`", f"\\\\`a` {name} `", f"\\``a` {name} `", f"`a|b` {name} `", f"| `a\\|b` {name} ` |"]
    for text in odd:
        assert "<img" not in harmless(text), text


def test_no_label_gets_into_a_card_as_html() -> None:
    name = "<img src=x onerror=alert(1)>"
    config = Config.model_validate(
        {
            "audio": Listening(sample_rate=16000, samples=1024, channels="mean", crop="start", padding="left"),
            "features": {"type": "waveform"},
            "model": {"type": "cnn", "width": 4, "layers": 1},
            "outputs": {"ill": Output.model_validate({"target": {"type": "binary", "labels": [name]}})},
        }
    )
    text = card(Artifact(config, config.build()), {"test": {"model": {name: {"auroc": figure(0.8)}}}}, "", [name])
    assert "<img" not in text and text.count("&lt;img") >= 4
