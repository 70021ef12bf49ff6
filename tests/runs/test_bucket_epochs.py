"""A run on a bucket asks for each file once, whatever its workers and epochs."""

import pytest

from data.test_prepare import corpus, uploaded
from runs_helpers import trained
from servers.faulty import faulty_s3  # noqa: F401
from servers.s3 import s3, s3_server  # noqa: F401
from tympan.data import cache


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_known", {})


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
def test_after_the_first_epoch_nothing_is_asked_of_the_bucket(workers, tmp_path, faulty_s3):  # noqa: F811
    proxy, root = faulty_s3
    source = uploaded(corpus(tmp_path / "corpus", 12), root)
    proxy.asked = []
    trained(
        tmp_path,
        data={"type": "manifest", "path": source.path, "sample_rate": 8000, "duration": 0.1},
        target={"type": "continuous", "quantities": {"x": ""}},
        training={"max_epochs": 4, "batch_size": 2, "early_stopping": False},
        loader={"num_workers": workers, "prefetch_size": 1},
    )
    together = 2 * workers  # clips that two workers may want at once where two epochs meet
    assert 12 <= proxy.count(r"\.wav", "GET") <= 12 + together
    assert proxy.count(r"\.wav", "HEAD") <= together  # a file that is new here comes with its version
    assert len(proxy.asked) <= 12 + 2 * together + 2
