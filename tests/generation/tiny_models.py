"""Builds small random models of real architectures, each with a tokenizer and a chat template, as folders.

Their weights are drawn widely, so that the likeliest token is never a near tie that rounding could turn.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.generation.model import ModelFormat, ResolvedModel
from bot.types import Prompt, PromptMessage, Role

CORPUS = (
    "The quick brown fox jumps over the lazy dog. What is the capital of France? It is Paris, of course.",
    "Ask me anything, and I shall answer as well as I can; one, two, three, four.",
    "你好，世界。今天天气很好，我们去公园吧。",
    "Grüße aus Köln, naïve café, 🙂🎉👨‍👩‍👧 emoji.",
)
SPECIAL_TOKENS = ("<pad>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>")
PAD, BOS, EOS = 0, 1, 2
VOCABULARY = 512

CHAT_TEMPLATE = (
    "<s>{% for message in messages %}<|{{ message.role }}|>{{ message.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
STRICT_TEMPLATE = (
    "<s>{% for message in messages %}"
    "{% if message.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "<|{{ message.role }}|>{{ message.content | trim }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SILENT_TEMPLATE = (
    "<s>{% for message in messages %}{% if message.role != 'system' %}"
    "<|{{ message.role }}|>{{ message.content }}</s>{% endif %}{% endfor %}<|assistant|>"
)
"""Leaves system texts out without a word."""


def _llama_like(name: str, **extra: Any) -> Callable[[Any], Any]:
    def config(transformers: Any) -> Any:
        return getattr(transformers, name)(
            vocab_size=VOCABULARY,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=16,
            intermediate_size=128,
            max_position_embeddings=512,
            tie_word_embeddings=False,
            bos_token_id=BOS,
            eos_token_id=EOS,
            pad_token_id=PAD,
            **extra,
        )

    return config


def _gpt2(transformers: Any) -> Any:
    return transformers.GPT2Config(
        vocab_size=VOCABULARY, n_embd=64, n_layer=2, n_head=4, n_positions=512,
        bos_token_id=BOS, eos_token_id=EOS, tie_word_embeddings=False,
    )  # fmt: skip


def _bloom(transformers: Any) -> Any:
    return transformers.BloomConfig(
        vocab_size=VOCABULARY, hidden_size=64, n_layer=2, n_head=4,
        bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD, tie_word_embeddings=False,
    )  # fmt: skip


def _mamba(transformers: Any) -> Any:
    return transformers.MambaConfig(
        vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=2, state_size=8,
        bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD, tie_word_embeddings=False,
    )  # fmt: skip


BATCHED: dict[str, Callable[[Any], Any]] = {
    "llama": _llama_like("LlamaConfig"),
    "qwen2": _llama_like("Qwen2Config"),
    "qwen3": _llama_like("Qwen3Config"),
    "gpt2": _gpt2,
    "gemma": _llama_like("GemmaConfig"),
    "gemma3": _llama_like("Gemma3TextConfig", sliding_window=8, layer_types=["sliding_attention", "full_attention"]),
    "mistral": _llama_like("MistralConfig", sliding_window=8),
}
"""Architectures that continuous batching runs exactly; the windows are shorter than any prompt."""

UNBATCHED: dict[str, Callable[[Any], Any]] = {
    "bloom": _bloom,  # its alibi bias is not handed to the paged attention
    "gemma2": _llama_like("Gemma2Config", sliding_window=8, query_pre_attn_scalar=16),  # caps attention scores
    "mamba": _mamba,  # has no attention
}
"""Architectures that continuous batching refuses or runs with another result."""


def make_model(folder: Path, architecture: str = "llama", *, chat_template: str | None = CHAT_TEMPLATE) -> Path:
    """Write a model of the architecture to the folder, the same one every time."""
    import torch
    import transformers

    config = (BATCHED | UNBATCHED)[architecture](transformers)
    with torch.random.fork_rng():
        torch.manual_seed(11)
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.dim() >= 2 and "conv" not in name and "A_log" not in name:
                    parameter.normal_(std=0.3)
    model.save_pretrained(folder)
    make_tokenizer(chat_template=chat_template).save_pretrained(folder)
    return folder


def make_tokenizer(*, chat_template: str | None = CHAT_TEMPLATE, spaces: str = "bytes") -> Any:
    """A tokenizer of `VOCABULARY` tokens.

    Args:
        chat_template: as Jinja; None for a model that is not made for talk.
        spaces: `bytes` for byte-level BPE as of GPT-2, `metaspace` for BPE with byte fallback as of Llama 2.
    """
    from transformers import PreTrainedTokenizerFast

    backend = _byte_level() if spaces == "bytes" else _metaspace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        additional_special_tokens=list(SPECIAL_TOKENS[3:]),
    )  # fmt: skip
    tokenizer.chat_template = chat_template
    return tokenizer


def _byte_level() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=list(SPECIAL_TOKENS), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator(CORPUS, trainer)
    missing = VOCABULARY - tokenizer.get_vocab_size()
    tokenizer.add_tokens([f"~{number}" for number in range(missing)])  # every id that a model may say has a text
    return tokenizer


def _metaspace() -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="never", split=True)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 256, special_tokens=list(SPECIAL_TOKENS), show_progress=False, limit_alphabet=90
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    trained = json.loads(tokenizer.to_str())["model"]
    vocabulary = trained["vocab"]
    vocabulary |= {f"<0x{byte:02X}>": len(vocabulary) + byte for byte in range(256)}
    merges = [tuple(pair) for pair in trained["merges"]]
    tokenizer.model = models.BPE(vocabulary, merges, byte_fallback=True, unk_token="<pad>")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def resolved(folder: Path, name: str = "tiny") -> ResolvedModel:
    """The folder as a found model."""
    return ResolvedModel(name, ModelFormat.SAFETENSORS, str(folder))


def ask(text: str, *, system: str = "") -> Prompt:
    """A prompt of one question."""
    opening = (PromptMessage(Role.SYSTEM, system),) if system else ()
    return Prompt((*opening, PromptMessage(Role.USER, text)))


QUESTIONS = (
    "What is the capital of France?",
    "你好，今天天气怎么样？",
    "Name three colours.",
    "Why is the sky blue? Answer in one sentence.",
    "fox",
    "Write one line about a lazy dog that dreams of the sea and of a small house on the shore.",
    "How many legs has a spider?",
    "Say hello in German 🙂",
)
"""Prompts of different lengths."""
