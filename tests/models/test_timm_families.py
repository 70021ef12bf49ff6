"""An image network of every family of timm hears one channel, learns, is exported, and says the same again."""

from pathlib import Path

import pytest
import timm
import torch

from tympan.component import AssumptionWarning
from tympan.serving.artifact import Artifact, Config

torch.set_num_threads(1)

# The smallest networks of their families. All that are not quick are marked as slow.
QUICK = (
    "resnet10t", "regnetx_002", "efficientnet_lite0", "mobilenetv3_small_050", "ghostnet_050", "repghostnet_050",
    "starnet_s050", "edgenext_xx_small", "mobilevit_xxs", "efficientvit_m0", "vit_tiny_patch16_224", "pit_ti_224",
    "xcit_nano_12_p16_224", "dla46x_c", "test_coatnet", "test_maxvit", "test_nfnet", "test_mambaout",
)  # fmt: skip
CONVOLUTIONAL = (
    "bat_resnext26ts", "convmixer_768_32", "convnextv2_atto", "cs3darknet_s", "cspnext_tiny", "densenet121", "dpn48b",
    "efficientnetv2_rw_t", "fasternet_t0", "fbnetc_100", "focalnet_tiny_srf", "hardcorenas_b", "hgnetv2_b0",
    "hrnet_w18_small", "inception_next_atto", "inception_resnet_v2", "inception_v3", "inception_v4", "lcnet_050",
    "legacy_seresnet18", "legacy_xception", "mixnet_s", "mnasnet_small", "mobilenetv4_conv_small_035", "mobileone_s0",
    "nasnetalarge", "nf_regnet_b0", "pnasnet5large", "rdnet_tiny", "repvgg_a0", "repvit_m1", "res2net50_14w_8s",
    "resnest14d", "resnetv2_18", "resnext26ts", "rexnet_100", "selecsls42", "skresnet18", "spnasnet_100",
    "tf_efficientnet_lite0", "tresnet_m", "vgg11", "vovnet39a", "xception41",
)  # fmt: skip
TRANSFORMERS = (
    "beit_base_patch16_224", "cait_xxs24_224", "convit_tiny", "crossvit_tiny_240", "davit_tiny",
    "deit_tiny_distilled_patch16_224", "eva02_tiny_patch14_224", "flexivit_small", "gcvit_xxtiny", "hiera_tiny_224",
    "hieradet_small", "mvitv2_tiny", "naflexvit_base_patch16_gap", "nest_tiny", "pvt_v2_b0",
    "swin_tiny_patch4_window7_224", "swinv2_cr_tiny_ns_224", "swinv2_tiny_window8_256", "tnt_s_patch16_224",
    "twins_pcpvt_small", "twins_svt_small", "vit_relpos_small_patch16_224", "volo_d1_224",
)  # fmt: skip
HYBRID = (
    "botnet26t_256", "caformer_s18", "coat_tiny", "efficientformer_l1", "efficientformerv2_s0", "efficientvim_m1",
    "fastvit_t8", "gmlp_ti16_224", "halonet_h1", "iformer_t", "lambda_resnet26t", "levit_128s", "mixer_s32_224",
    "mobilenetv4_hybrid_medium", "nextvit_small", "poolformer_s12", "resmlp_12_224", "sequencer2d_s", "shvit_s1",
    "swiftformer_xs", "tiny_vit_5m_224", "visformer_tiny", "vit_small_r26_s32_224", "vitamin_small_224",
)  # fmt: skip
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in CONVOLUTIONAL + TRANSFORMERS + HYBRID]
SAMPLES = 20480  # 129 frames: a width that no network is built for


def config(name: str) -> Config:
    return Config.model_validate(
        {
            "audio": {"sample_rate": 16000, "samples": SAMPLES, "channels": "mean", "crop": "all", "padding": "left"},
            "features": {"type": "mel", "n_mels": 128, "window": 0.025, "hop": 0.010, "n_fft": 1024},
            "model": {"type": "timm", "name": name},
            "outputs": {"ill": {"target": {"type": "binary", "labels": ["als"]}}},
        }
    )


@pytest.mark.filterwarnings("ignore:.*are stretched to:tympan.component.AssumptionWarning")
@pytest.mark.parametrize("name", [*QUICK, *SLOW])
def test_it_hears_one_channel_learns_and_is_exported(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    described = config(name)
    pipeline = described.build().train()
    x = 0.1 * torch.randn(2, 1, SAMPLES)
    first = next(pipeline.backbone.parameters())  # at the sound's end of the network
    before = first.detach().clone()
    answer = pipeline(x)["prediction"]["ill"]
    wrong = torch.nn.functional.binary_cross_entropy_with_logits(answer, torch.tensor([0.0, 1.0]).view_as(answer))
    wrong.backward()
    torch.optim.SGD(pipeline.parameters(), 0.01).step()
    assert not torch.equal(first, before)
    assert all(p.isfinite().all() for p in pipeline.parameters())

    artifact = Artifact(described, pipeline)
    artifact.save(tmp_path)
    (((start, end, vector),), ((_, _, again),)) = (
        next(iter(a.embed([x[0].numpy()]))) for a in (artifact, Artifact.load(tmp_path))
    )
    assert (start, end) == (0, 1.28)
    assert vector.shape == (len(pipeline.embedded.channels),) and vector.isfinite().all() and vector.any()
    assert torch.equal(vector, again)


def test_families_are_many_and_each_is_there_once() -> None:
    names = [*QUICK, *CONVOLUTIONAL, *TRANSFORMERS, *HYBRID]
    assert len(set(names)) == len(names)
    modules = {module: set(timm.list_models(module=module)) for module in timm.list_modules()}
    assert len([module for module, known in modules.items() if known & set(names)]) > 60


def test_an_image_of_a_size_that_a_network_does_not_take_is_stretched_and_it_is_said() -> None:
    with pytest.warns(AssumptionWarning, match="'convit_tiny' takes no image of 128 channels by 129 frames .* 224 by"):
        pipeline = config("convit_tiny").build()
    assert pipeline.backbone.size == (224, 224)


def test_a_last_batch_of_one_clip_is_learnt_from_by_networks_that_normalise_over_clips() -> None:
    backbone = config("skresnet18").build().train().backbone
    real = torch.ones(1, 129, dtype=torch.bool)
    embedding = backbone(torch.randn(1, 128, 129), real)
    assert embedding.shape == (1, 512, 5)
    embedding.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in backbone.parameters() if p.grad is not None)
    assert next(backbone.parameters()).grad.any()


@pytest.mark.filterwarnings("ignore:CSATv2 is designed for 3-channel RGB input:UserWarning")
def test_a_network_that_sees_colours_alone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'csatv2' cannot take an image of 128 channels by 129 frames, nor one of"):
        config("csatv2").build()
