"""What every loss promises, against torch and numpy written out by hand."""

import numpy as np
import pytest
import shapely
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from tympan.objectives import Loss, Target
from tympan.output import Output
from tympan.runs.conflicts import check_outputs

BATCH, CHANNELS, FRAMES = 4, 3, 6


def pair(space: str, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A random prediction, a target, and the prediction that is perfect for it."""
    g = torch.Generator().manual_seed(seed)
    prediction = torch.randn(BATCH, CHANNELS, FRAMES, generator=g)
    if space in ("real", "shape"):
        target = torch.randn(BATCH, CHANNELS, FRAMES, generator=g)
        return prediction, target, target.clone()
    if space == "binary":
        target = torch.randint(2, (BATCH, CHANNELS, FRAMES), generator=g).float()
        return prediction, target, 40 * target - 20
    target = torch.randint(CHANNELS, (BATCH, 1, FRAMES), generator=g).float()
    return prediction, target, 40 * (torch.arange(CHANNELS)[None, :, None] == target).float()


every = pytest.mark.parametrize("name", Loss.names())


@every
def test_least_at_perfection(name):
    loss = Loss.find(name)()
    for seed in range(10):
        prediction, target, perfect = pair(loss.space, seed)
        worse = perfect + 0.5 * prediction if loss.space in ("real", "shape") else prediction
        assert loss(perfect, target) < loss(worse, target)


@every
@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf"), 3e38])
def test_the_unknown_has_no_gradient_whatever_is_predicted_there(name, poison):
    loss = Loss.find(name)()
    prediction, target, _ = pair(loss.space)
    target[0], target[1, :, 2:4] = torch.nan, torch.nan
    unknown = target.isnan().expand_as(prediction)
    clean = prediction.clone().requires_grad_()
    poisoned = torch.where(unknown, poison, prediction).requires_grad_()
    values = [loss(p, target) for p in (clean, poisoned)]
    gradients = [torch.autograd.grad(v, p)[0] for v, p in zip(values, (clean, poisoned), strict=True)]
    assert torch.equal(*values)
    assert torch.equal(*gradients)
    assert gradients[1].isfinite().all()
    assert (gradients[1][unknown] == 0).all()
    assert (gradients[1][~unknown] != 0).any()


@every
def test_nothing_known_is_zero_and_still_has_a_gradient(name):
    loss = Loss.find(name)()
    prediction, target, _ = pair(loss.space)
    prediction.requires_grad_()
    value = loss(prediction, torch.full_like(target, torch.nan))
    value.backward()
    assert value == 0
    assert (prediction.grad == 0).all()


@every
def test_parts_add_up_by_the_count_of_the_whole(name):
    loss = Loss.find(name)()
    prediction, target, _ = pair(loss.space)
    per_value = loss.values(prediction, target, torch.ones_like(target, dtype=torch.bool))
    count = torch.tensor(per_value.numel())
    parts = [loss(prediction[i : i + 1], target[i : i + 1], count) for i in range(BATCH)]
    assert sum(parts).item() == pytest.approx(loss(prediction, target).item(), rel=1e-5)


@every
def test_survives_json(name):
    loss = Loss.find(name)()
    assert Loss.model_validate_json(loss.model_dump_json()) == loss == loss.fit(pair(loss.space)[1])


numbers = st.floats(-50, 50, width=32)
few = settings(max_examples=40, deadline=None)


@few
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=12), st.floats(0.1, 5))
def test_errors_of_quantities_equal_their_formulas(pairs, delta):
    p, t = np.array(pairs, np.float64).T
    e = np.abs(p - t)
    huber = np.where(e < delta, e**2 / 2, delta * (e - delta / 2))
    as_tensor = [torch.tensor(x, dtype=torch.float32)[None, None] for x in (p, t)]
    for choice, expected in (("mse", e**2), ("l1", e), ({"type": "huber", "delta": delta}, huber)):
        value = Loss.model_validate(choice)(*as_tensor).item()
        assert value == pytest.approx(expected.mean(), rel=1e-4, abs=1e-4)


@few
@given(st.lists(st.tuples(numbers, st.booleans()), min_size=1, max_size=12), st.floats(0.1, 10))
def test_binary_cross_entropy_equals_its_formula(pairs, weight):
    x, y = np.array(pairs, np.float64).T
    expected = np.mean(weight * y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x))
    loss = Loss.model_validate({"type": "bce", "positive_weights": [weight]})
    value = loss(*(torch.tensor(v, dtype=torch.float32)[None, None] for v in (x, y))).item()
    assert value == pytest.approx(expected, rel=1e-4, abs=1e-5)


@few
@given(
    st.lists(st.tuples(st.floats(-8, 8), st.booleans()), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.5, 2.0, 5.0]),
    st.sampled_from([1.0, 3.0]),
)
def test_focal_loss_equals_the_formula_of_its_authors(pairs, gamma, weight):
    """-alpha (1 - p)^gamma log p, where p is the probability of what is true (Lin et al. 2017, equation 5)."""
    x, y = np.array(pairs, np.float64).T
    p = np.where(y == 1, 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x)))
    expected = np.mean(np.where(y == 1, weight, 1.0) * -((1 - p) ** gamma) * np.log(p))
    as_tensor = [torch.tensor(v, dtype=torch.float32)[None, None] for v in (x, y)]
    value = Loss.model_validate({"type": "bce", "focal": gamma, "positive_weights": [weight]})(*as_tensor)
    assert value.item() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    if gamma == 0:
        assert value.equal(Loss.model_validate({"type": "bce", "positive_weights": [weight]})(*as_tensor))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_loss_has_a_gradient_where_the_answer_is_certain_and_none_of_what_is_unknown(gamma):
    x = torch.tensor([[[200.0], [-200.0], [200.0], [1.0]]], requires_grad=True)
    y = torch.tensor([[[1.0], [0.0], [0.0], [float("nan")]]])
    loss = Loss.model_validate({"type": "bce", "focal": gamma})(x, y)
    (slope,) = torch.autograd.grad(loss, x)
    assert loss.item() == pytest.approx(200 / 3, rel=1e-5), "a certain mistake counts as without"
    assert slope.ravel().tolist() == pytest.approx([0.0, 0.0, 1 / 3, 0.0], abs=1e-3)


@few
@given(
    st.lists(st.tuples(numbers, numbers, numbers, st.integers(0, 2)), min_size=1, max_size=12),
    st.sampled_from([0.0, 0.1]),
    st.sampled_from([None, (0.5, 1.0, 3.0)]),
)
def test_cross_entropy_equals_its_formula(rows, smoothing, weights):
    table = np.array(rows, np.float64)
    x, y = table[:, :3], table[:, 3].astype(int)
    logp = x - np.logaddexp.reduce(x, axis=1, keepdims=True)
    w = np.array(weights or (1, 1, 1))
    q = np.eye(3)[y] * (1 - smoothing) + smoothing / 3
    expected = -(q * w * logp).sum(1).mean()
    loss = Loss.model_validate({"type": "cross_entropy", "label_smoothing": smoothing, "class_weights": weights})
    value = loss(torch.tensor(x.T[None], dtype=torch.float32), torch.tensor(y[None, None], dtype=torch.float32)).item()
    assert value == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_automatic_weights_balance_what_is_known():
    nan = float("nan")
    targets = torch.tensor([[1, 0, 1, nan, 0], [0, 0, 1, nan, 1], [0, nan, 1, nan, 0], [0, 0, 1, nan, 0]])[:, :, None]
    fitted = Loss.model_validate({"type": "bce", "positive_weights": "auto"}).fit(targets)
    assert fitted.positive_weights == (3.0, 1.0, 1.0, 1.0, 3.0)
    rare = torch.cat([torch.ones(1, 1, 1), torch.zeros(999, 1, 1)])
    assert Loss.model_validate({"type": "bce", "positive_weights": "auto"}).fit(rare).positive_weights == (100.0,)

    classes = torch.tensor([0, 0, 0, 2, nan])[:, None, None]
    fitted = Loss.model_validate({"type": "cross_entropy", "class_weights": "auto"}).fit(classes)
    assert fitted.class_weights == pytest.approx((2 / 3, 1.0, 2.0))
    assert Loss.model_validate_json(fitted.model_dump_json()) == fitted


@pytest.mark.parametrize("kind", [("bce", "positive_weights"), ("cross_entropy", "class_weights")])
def test_weights_that_do_not_fit_are_refused(kind):
    name, field = kind
    prediction, target, _ = pair(Loss.find(name).space)
    with pytest.raises(ValueError, match="call fit"):
        Loss.model_validate({"type": name, field: "auto"})(prediction, target)
    with pytest.raises(ValueError, match=f"{field} has 2 numbers for 3"):
        Loss.model_validate({"type": name, field: [1, 2]})(prediction, target)
    with pytest.raises(ValueError):
        Loss.model_validate({"type": name, field: [1, -2, 1]})


def test_overlap_is_that_of_the_areas_shapely_finds_in_the_best_pose():
    from tympan.acoustics import radial

    sectors, target = 64, Target.find("shape")(points=64)
    corners = [np.random.default_rng(seed).normal(size=(9, 2)) for seed in range(6)]
    hulls = [np.array(shapely.convex_hull(shapely.MultiPoint(c)).exterior.coords)[:-1] for c in corners]
    encoded = torch.stack([target.encode({"vertices": hull}) for hull in hulls])
    truth, said = encoded[:3], encoded[3:].roll(9, 1)
    polygons = [radial.pose(radial.normalised(hull)) for hull in hulls]
    expected = []
    for a, b in zip(polygons[:3], polygons[3:], strict=True):
        one, two = shapely.Polygon(a), affinity.rotate(shapely.Polygon(b), 9 * 360 / sectors, origin=(0, 0))
        every = [
            affinity.rotate(side, 360 * k / sectors, origin=(0, 0))
            for side in (two, affinity.scale(two, 1, -1, origin=(0, 0)))
            for k in range(sectors)
        ]
        expected.append(max(one.intersection(p).area / one.union(p).area for p in every))
    found = Loss.find("overlap")()(said, truth).item()
    assert found == pytest.approx(1 - np.mean(expected), abs=0.01)


def test_overlap_does_not_mind_how_an_answer_is_turned_or_mirrored():
    g = torch.Generator().manual_seed(0)
    said, truth = torch.randn(2, 5, 16, 1, generator=g)
    loss = Loss.find("overlap")()
    for other in (said.roll(3, 1), said.flip(1), said.flip(1).roll(5, 1)):
        assert loss(other, truth).item() == pytest.approx(loss(said, truth).item(), abs=1e-6)
    assert loss(truth.flip(1).roll(4, 1), truth).item() == pytest.approx(0, abs=1e-6)


def test_training_on_overlap_ends_at_the_shape_in_some_pose():
    target = Target.find("shape")(points=32).encode({"vertices": [[0, 0], [3, 0], [2, 1], [0, 1.5]]})[None]
    x, loss = torch.zeros_like(target).requires_grad_(), Loss.find("overlap")()
    optimizer = torch.optim.Adam([x], 0.02)
    for _ in range(300):
        optimizer.zero_grad()
        value = loss(x, target)
        value.backward()
        optimizer.step()
    assert value.item() < 0.02


def over_time(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions and targets of 3 clips, 2 channels and 20 frames, some of them unknown, in float64."""
    g = torch.Generator().manual_seed(seed)
    prediction, target = torch.randn(2, 3, 2, 20, generator=g, dtype=torch.float64)
    target[0, 0, :7], target[1, 1], target[2, :, 4:6] = torch.nan, torch.nan, torch.nan
    return prediction, target


def test_concordance_equals_its_formula_over_known_frames():
    prediction, target = over_time()
    expected = []
    for clip in range(3):
        figures = []
        for p, t in zip(prediction[clip].numpy(), target[clip].numpy(), strict=True):
            p, t = p[~np.isnan(t)], t[~np.isnan(t)]
            if len(t):
                shared = 2 * np.cov(p, t, ddof=0)[0, 1]
                figures.append(1 - shared / (p.var() + t.var() + (p.mean() - t.mean()) ** 2))
        expected.append(np.mean(figures))
    assert Loss.find("ccc")()(prediction, target).item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_concordance_of_what_never_varies_has_a_finite_gradient_and_none_where_it_is_met():
    loss, flat = Loss.find("ccc")(), torch.full((1, 1, 9), 0.3, requires_grad=True)
    assert loss(flat, torch.full((1, 1, 9), 0.3)) == 0
    for target in (torch.full((1, 1, 9), 0.3), torch.full((1, 1, 9), 0.8), torch.arange(9.0)[None, None]):
        gradient = torch.autograd.grad(loss(flat, target), flat)[0]
        assert gradient.isfinite().all()
    assert loss(flat, torch.arange(9.0)[None, None]).item() == pytest.approx(1, abs=1e-5)


def test_a_signal_of_one_frame_has_a_concordance_and_nothing_known_has_no_loss():
    loss = Loss.find("ccc")()
    assert loss(torch.zeros(4, 1, 1), torch.ones(4, 1, 1)).isfinite()
    assert loss(torch.zeros(1, 1, 1), torch.full((1, 1, 1), torch.nan)) == 0


def test_a_loss_of_signals_is_refused_for_what_is_given_once_per_clip():
    output = Output.model_validate({"target": {"type": "continuous", "quantities": ["a"]}, "loss": "ccc"})
    with pytest.raises(ValueError, match="'ccc' is of signals over time, and target 'size' has no rate"):
        check_outputs({"size": output})


@pytest.mark.parametrize("band", [None, 3])
def test_soft_dtw_is_that_of_each_clip_and_channel_for_each_known_frame(band):
    prediction, target = over_time()
    for divergence in (False, True):
        loss = Loss.find("soft_dtw")(gamma=0.5, band=band, divergence=divergence)
        expected = []
        for clip in range(3):
            figures = []
            for p, t in zip(prediction[clip], target[clip], strict=True):
                p, t = p[~t.isnan()].numpy(), t[~t.isnan()].numpy()
                if len(t):
                    own = soft_minimum(p, p, 0.5, band) + soft_minimum(t, t, 0.5, band)
                    figures.append((soft_minimum(p, t, 0.5, band) - divergence * own / 2) / len(t))
            expected.append(np.mean(figures))
        assert loss(prediction, target).item() == pytest.approx(np.mean(expected), rel=1e-5)


def soft_minimum(a: np.ndarray, b: np.ndarray, gamma: float, band: int | None) -> float:
    """Soft-DTW of squared differences, cell by cell."""
    cells = np.full((len(a) + 1, len(b) + 1), np.inf)
    cells[0, 0] = 0
    for i, j in np.ndindex(len(a), len(b)):
        if band is None or abs(i - j) <= band:
            before = -np.array([cells[i, j], cells[i, j + 1], cells[i + 1, j]]) / gamma
            cells[i + 1, j + 1] = (a[i] - b[j]) ** 2 - gamma * np.logaddexp.reduce(before)
    return cells[-1, -1]


def test_soft_dtw_has_the_derivatives_of_its_values():
    from tympan.objectives.losses.soft_dtw import soft_dtw

    a, b = (torch.randn(2, 15, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).requires_grad_()
    lengths = torch.tensor([6, 0, 9])

    def double(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return soft_dtw(x, y, lengths, 0.3) * torch.tensor([1.0, 5.0, 2.0])

    assert torch.autograd.gradcheck(double, (a, b), eps=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["ccc", "soft_dtw"])
def test_unknown_frames_on_the_left_and_the_other_clips_change_nothing(name):
    loss = Loss.find(name)()
    prediction, target, _ = pair("real")
    target[0, 1, 2] = torch.nan
    padded = [torch.nn.functional.pad(x, (9, 0), value=v) for x, v in ((prediction, 1e9), (target, torch.nan))]
    assert loss(*padded).item() == pytest.approx(loss(prediction, target).item(), rel=1e-6)
    alone = [loss(p[None], t[None]).item() for p, t in zip(prediction, target, strict=True)]
    assert loss(prediction, target).item() == pytest.approx(np.mean(alone), rel=1e-5)


def test_training_on_soft_dtw_ends_at_the_truth_where_the_undivided_one_is_too_smooth():
    target = torch.randn(1, 1, 12, generator=torch.Generator().manual_seed(0))
    errors = {}
    for divergence in (True, False):
        x = target.clone().requires_grad_()
        loss, optimizer = Loss.find("soft_dtw")(gamma=1.0, divergence=divergence), torch.optim.Adam([x], 0.02)
        for _ in range(100):
            optimizer.zero_grad()
            loss(x, target).backward()
            optimizer.step()
        errors[divergence] = (x - target).abs().max().item()
    assert errors[True] < 0.02 < 0.2 < errors[False]
