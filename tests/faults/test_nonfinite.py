"""A loss or a gradient that is no number ends the run with the recordings named, or is left out without a trace."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import saved
from runs_helpers import log, run_of, trained
from tympan.runs.nonfinite import FILE, NonFinite
from tympan.runs.surviving import SurvivingTrainer
from tympan.runs.train import train

TIMM: dict[str, Any] = {"model": {"type": "timm", "name": "test_efficientnet"},
                        "features": {"type": "mel", "n_mels": 32, "window": 0.02, "hop": 0.0031}}  # fmt: skip
AT = 2


@pytest.fixture(params=["loss nan", "loss inf", "gradient"])
def spoilt(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """The third step of every training goes wrong; the keys of its examples."""
    keys: list[torch.Tensor] = []
    hooks: list[Any] = []
    plain = SurvivingTrainer.compute_loss

    def loss(self: SurvivingTrainer, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        value = plain(self, model, inputs, *rest, **named)
        if self.state.global_step == AT and model.training:
            keys.append(inputs["key"])
            if request.param == "gradient":
                hooks.append(
                    next(model.parameters()).register_hook(lambda grad: [grad * torch.inf, hooks.pop().remove()][0])
                )
                return value
            return value * float(request.param.partition(" ")[2])
        return value

    monkeypatch.setattr(SurvivingTrainer, "compute_loss", loss)
    return keys


def _noted(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / FILE).read_text().splitlines()]


def test_it_ends_the_run_and_names_the_recordings(tmp_path: Path, spoilt: list[torch.Tensor]) -> None:
    run = run_of(tmp_path, training={"max_epochs": 3, "batch_size": 16})
    with pytest.raises(
        NonFinite, match=r"step 3: the (loss is (nan|inf)|largest gradient is (nan|inf)).*nonfinite: skip"
    ):
        train(run, console=saved.QUIET)
    (folder,) = (tmp_path / "runs").iterdir()
    (line,) = _noted(folder)
    assert line["step"] == AT + 1 and line["policy"] == "stop"
    assert line["ids"] == [run.data.describe(int(i)).id for i in spoilt[0][:, 1]]


@pytest.mark.parametrize("accumulate", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_a_step_that_is_left_out_changes_nothing(
    accumulate: int, tmp_path: Path, spoilt: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[dict[str, Any]] = []

    def note(self: SurvivingTrainer, logs: Any, *rest: Any, plain: Any = SurvivingTrainer.log, **named: Any) -> None:
        plain(self, logs, *rest, **named)
        if "loss" in logs:
            weights = {
                name: tensor.clone() for name, tensor in self.accelerator.unwrap_model(self.model).state_dict().items()
            }
            moments = {
                f"{i} {k}": v.clone() for i, own in self.optimizer.state_dict()["state"].items() for k, v in own.items()
            }
            found.append({"weights": weights, "moments": moments})

    monkeypatch.setattr(SurvivingTrainer, "log", note)
    training = {"max_steps": 5, "batch_size": 8, "accumulate_grad_batches": accumulate, "nonfinite": "skip"}
    result = trained(tmp_path, training=training, logging={"log_every_n_steps": 1, "worst_examples": 0}, **TIMM)
    before, after, later = found[AT - 1], found[AT], found[AT + 1]
    assert any("running_mean" in name for name in before["weights"])
    for kind in ("weights", "moments"):
        assert before[kind].keys() == after[kind].keys() and before[kind]
        assert all(torch.equal(before[kind][name], after[kind][name]) for name in before[kind])
        assert any(not torch.equal(after[kind][name], later[kind][name]) for name in before[kind])
    lines = {line["step"]: line["loss"] for line in log(result) if "loss" in line}
    assert [step for step, loss in lines.items() if loss is None] in ([AT + 1], [])  # never averaged away
    (line,) = _noted(result.folder)
    assert line["step"] == AT + 1 and line["policy"] == "skip"
