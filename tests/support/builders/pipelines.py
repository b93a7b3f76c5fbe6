"""Tiny diffusers pipelines with random weights and a tokenizer of letters, made without a download."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

from tests.support.missing import need

TOKENS = [
    "<start>",
    "<end>",
    *string.ascii_lowercase,
    *(f"{letter}</w>" for letter in string.ascii_lowercase),
]
SIDE = 16


def need_diffusers() -> None:
    """Skip a test on a laptop without the extra; in CI it fails."""
    for name in ("torch", "diffusers", "transformers"):
        need(name, extra="diffusers")


def save_plain_pipeline(folder: Path, seed: int = 0) -> Path:
    """An unconditional pipeline of 16 px: a UNet and a DDIM scheduler."""
    import torch
    from diffusers import DDIMScheduler, DDPMPipeline, UNet2DModel

    torch.manual_seed(seed)
    unet = UNet2DModel(
        sample_size=SIDE,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )
    DDPMPipeline(unet, DDIMScheduler()).save_pretrained(folder)
    return folder


def save_text_pipeline(folder: Path) -> Path:
    """A text-to-image pipeline of 16 px: CLIP's text model, a UNet on 8x8 latents and a decoder."""
    import torch
    from diffusers import StableDiffusionPipeline

    torch.manual_seed(0)
    StableDiffusionPipeline(
        **_text_parts(folder),
        **_image_parts(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def save_flagging_pipeline(folder: Path) -> Path:
    """The same with a safety checker, the library's own, that flags whatever it sees."""
    import torch
    from diffusers import StableDiffusionPipeline
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    torch.manual_seed(0)
    layers = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = {**layers, "image_size": SIDE, "patch_size": 8, "projection_dim": 8}
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=8))
    with torch.no_grad():
        checker.concept_embeds_weights.fill_(-2.0)  # the threshold of each concept's cosine
    size = {"height": SIDE, "width": SIDE}
    StableDiffusionPipeline(
        **_text_parts(folder),
        **_image_parts(),
        safety_checker=checker,
        feature_extractor=CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=size),
    ).save_pretrained(folder)
    return folder


def _text_parts(folder: Path) -> dict[str, Any]:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    words = folder.parent / "words"
    words.mkdir(parents=True)
    (words / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(TOKENS)}))
    (words / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(
        str(words / "vocab.json"),
        str(words / "merges.txt"),
        bos_token="<start>",
        eos_token="<end>",
        unk_token="<end>",
        pad_token="<end>",
        model_max_length=16,
    )
    config = CLIPTextConfig(
        vocab_size=len(TOKENS),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return {"tokenizer": tokenizer, "text_encoder": CLIPTextModel(config)}


def _image_parts() -> dict[str, Any]:
    from diffusers import AutoencoderKL, EulerAncestralDiscreteScheduler, UNet2DConditionModel

    unet = UNet2DConditionModel(
        sample_size=SIDE // 2,
        block_out_channels=(8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    decoder = AutoencoderKL(
        block_out_channels=(8, 8),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        sample_size=SIDE,
    )
    # Its steps draw noise too, from the image's own stream.
    return {"unet": unet, "vae": decoder, "scheduler": EulerAncestralDiscreteScheduler()}
