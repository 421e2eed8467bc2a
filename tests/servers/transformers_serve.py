"""`transformers serve` with a tiny random model, in a process of its own: `transformers_serve(folder)`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.servers.process import ServerProcess

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
START, END = "<|im_start|>", "<|im_end|>"
VOCABULARY = 320
SENTENCE = "the quick brown fox jumps over the lazy dog"


def transformers_serve(folder: Path) -> ServerProcess:
    """The server on a free port of the loopback, pinned to the model in `folder`; it knows no keys."""
    program = Path(sys.executable).with_name("transformers")
    return ServerProcess(
        (str(program), "serve", str(folder), "--host", "127.0.0.1", "--port", "0", "--device", "cpu"),
        ready=r"running on (http://127\.0\.0\.1:\d+)",
        environment={"HF_HOME": str(folder / "hub"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )


def build_model(folder: Path) -> None:
    """Write a chat model of two layers and random weights, which never ends by itself, and its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = _tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    model = Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    specials = [AddedToken(START, special=True), AddedToken(END, special=True)]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    model.train_from_iterator([SENTENCE] * 20, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, eos_token=END, pad_token=END)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
