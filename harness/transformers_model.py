"""A chat model on `transformers`: prompts to token ids, greedy replies, log-probabilities."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel, PreTrainedTokenizerBase

from benchmarks.base import Prompt, Reply
from harness.decoding import greedy
from harness.finite import FiniteLogits
from harness.prompting import Prompting
from harness.shared_prefix import agrees, group_by_prefix, log_probabilities_after
from methods.base import Block, ForwardState, GenerationSettings, Phase, PromptTokens, Requirements
from methods.blocks import find_blocks
from methods.padding import padded


class TransformersModel:
    """One loaded checkpoint with its tokenizer. Weights never want gradients; activations may."""

    def __init__(
        self,
        name: str,
        network: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompting: Prompting | None = None,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.prompting = prompting or Prompting(tokenizer)
        self.running: ForwardState | None = None
        self._network: PreTrainedModel = network.requires_grad_(False)
        self._network.eval()

    @property
    def offers(self) -> Requirements:
        """Everything, but neurons where a block is a mixture of experts, and weights where they are quantised.

        A quantised model on a CPU gives no gradients either.
        """
        has_neurons = all(block.feed_forward is not None for block in self.blocks)
        is_quantised = getattr(self._network.config, "quantization_config", None) is not None
        # On a CPU, bitsandbytes 0.50 runs 4-bit layers by a kernel that it gives no derivative for.
        has_gradients = not is_quantised or self.device.type != "cpu"
        return Requirements(
            activations=True,
            gradients=has_gradients,
            weights=not is_quantised,
            neurons=has_neurons,
            gradients_while_serving=has_gradients,
        )

    @property
    def network(self) -> nn.Module:
        """The causal language model."""
        return self._network

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Decoder blocks, first to last."""
        return find_blocks(self._network)

    @property
    def device(self) -> torch.device:
        """Where inputs belong."""
        device: torch.device = self._network.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        dtype: torch.dtype = self._network.dtype
        return dtype

    def encode(self, prompt: Prompt) -> PromptTokens:
        """Token ids of a prompt, as `Prompting` makes them for every engine."""
        return self.prompting.encode(prompt, self._context)

    def encode_reply(self, text: str) -> tuple[int, ...]:
        """The reply's tokens and the end of the assistant's turn."""
        return self.prompting.encode_reply(text)

    @torch.no_grad()
    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        """Greedy replies, left-padded, as one batch.

        Raises:
            NotFiniteError: If a logit is NaN or infinite.
        """
        started = time.monotonic()
        encoded = [self.encode(prompt) for prompt in prompts]
        ids, mask = padded([tokens.ids for tokens in encoded], self.device, "left", self._padding)
        config = GenerationConfig(
            do_sample=False,
            max_new_tokens=settings.max_new_tokens,
            pad_token_id=self._padding,
            eos_token_id=self._stop_ids,
        )
        with greedy(self._network), self._tracked(prompts, [len(tokens.ids) for tokens in encoded], ids.shape[1]):
            output = self._network.generate(  # type: ignore[operator] # the base class does not declare it
                input_ids=ids,
                attention_mask=mask,
                generation_config=config,
                logits_processor=LogitsProcessorList([FiniteLogits(self.name, self.dtype)]),
            )
        seconds = (time.monotonic() - started) / len(prompts)
        written = output[:, ids.shape[1] :].tolist()
        return [
            self.prompting.reply(prompt, row, self._stop_ids, seconds)
            for prompt, row in zip(prompts, written, strict=True)
        ]

    @torch.no_grad()
    def log_probabilities(
        self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]
    ) -> list[list[Float[Tensor, " token"]]]:
        """Log-probabilities of continuations; those of a single token each share one pass per prompt."""
        wanted = [
            [self.prompting.continuation(prompt, text) for text in texts]
            for prompt, texts in zip(prompts, continuations, strict=True)
        ]
        if all(len(tokens) == 1 for texts in wanted for tokens in texts):
            after = self._after(prompts, [[token for (token,) in texts] for texts in wanted])
            return [[row[place : place + 1] for place in range(len(row))] for row in after]
        rows = [(index, tokens) for index, texts in enumerate(wanted) for tokens in texts]
        logits = iter(self._last_logits(prompts, rows, keep=1 + max(len(row) for _, row in rows)))
        return [[_of_tokens(next(logits), tokens) for tokens in texts] for texts in wanted]

    def _after(self, prompts: Sequence[Prompt], wanted: Sequence[Sequence[int]]) -> list[Float[Tensor, " token"]]:
        """Log-probabilities that each prompt is followed by each of its tokens. A beginning in common is read once."""
        encoded = [self.encode(prompt).ids for prompt in prompts]
        found: dict[int, Tensor] = {}
        for rows, shared in group_by_prefix(encoded):
            chosen = [prompts[row] for row in rows]
            read = log_probabilities_after(self, chosen, [encoded[row] for row in rows], shared) if shared else None
            if read is not None:
                tokens = wanted[rows[-1]]
                whole = self._last_logits(chosen[-1:], [(0, [])], keep=1)[0, -1]
                read = read if agrees(read[-1, tokens], whole[tokens], self.dtype) else None
            if read is None:
                read = self._last_logits(chosen, [(place, []) for place in range(len(chosen))], keep=1)[:, -1]
            found |= {row: after[wanted[row]] for row, after in zip(rows, read, strict=True)}
        return [found[row] for row in range(len(prompts))]

    def _last_logits(
        self, prompts: Sequence[Prompt], rows: Sequence[tuple[int, list[int]]], keep: int
    ) -> Float[Tensor, "row keep vocabulary"]:
        """Log-softmax of the last `keep` positions of each row: a prompt's index and the tokens that follow it."""
        encoded = [self.encode(prompt) for prompt in prompts]
        whole = [(*encoded[index].ids, *tokens) for index, tokens in rows]
        ids, mask = padded(whole, self.device, "left", self._padding)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        lengths = [len(encoded[index].ids) for index, _ in rows]
        with self._tracked([prompts[index] for index, _ in rows], lengths, ids.shape[1], [len(row) for _, row in rows]):
            output = self._network(
                input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=keep, use_cache=False
            )
        return torch.log_softmax(output.logits.float(), dim=-1)

    @contextmanager
    def _tracked(
        self, prompts: Sequence[Prompt], lengths: Sequence[int], width: int, extra: Sequence[int] | None = None
    ) -> Iterator[None]:
        """Keep `running` true to each forward pass: the first reads the prompts, every later one writes a token."""
        prompt_length = torch.tensor(lengths, device=self.device)
        whole = prompt_length + torch.tensor(extra or [0] * len(lengths), device=self.device)
        columns = torch.arange(width, device=self.device)[None, :]
        passes = count()

        def update(*_: object) -> None:
            step = next(passes)
            phase = Phase.DECODE if step else Phase.PREFILL
            positions = (prompt_length - 1 + step)[:, None] if step else columns - (width - whole)[:, None]
            self.running = ForwardState(phase, tuple(prompts), positions, prompt_length - 1)

        handle = self._network.register_forward_pre_hook(update)
        try:
            yield
        finally:
            handle.remove()
            self.running = None

    @cached_property
    def _context(self) -> int | None:
        """Most tokens that the network was made for, where its configuration says so."""
        return getattr(self._network.config, "max_position_embeddings", None)

    @cached_property
    def _padding(self) -> int:
        """Some tokenizers pad with a token that the embedding has no row for; any does behind the mask."""
        rows = len(cast(Tensor, self._network.get_input_embeddings().weight))
        return self.prompting.padding if self.prompting.padding < rows else 0

    @cached_property
    def _stop_ids(self) -> list[int]:
        configuration = self._network.generation_config
        return self.prompting.stops(configuration.eos_token_id if configuration else None)


def _of_tokens(log_probabilities: Float[Tensor, "keep vocabulary"], tokens: list[int]) -> Float[Tensor, " token"]:
    """Pick each token's log-probability from the position before it; rows end with the last token."""
    if not tokens:
        return log_probabilities.new_zeros(0)
    predicting = log_probabilities[-1 - len(tokens) : -1]
    return predicting.gather(1, torch.tensor(tokens, device=predicting.device)[:, None]).squeeze(1)
