"""A chat model on `transformers`: prompts to token ids, greedy replies, log-probabilities."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import count

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from benchmarks.base import Prompt, Reply, StopReason
from methods.base import Block, ForwardState, GenerationSettings, Phase, PromptTokens, Requirements
from methods.blocks import find_blocks


class TransformersModel:
    """One loaded checkpoint with its tokenizer. Weights never want gradients; activations may."""

    def __init__(self, name: str, network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.running: ForwardState | None = None
        self._network: PreTrainedModel = network.requires_grad_(False)
        self._network.eval()

    @property
    def offers(self) -> Requirements:
        """Everything, but neurons where a block is a mixture of experts."""
        has_neurons = all(block.feed_forward is not None for block in self.blocks)
        return Requirements(activations=True, gradients=True, weights=True, neurons=has_neurons)

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
        """Chat template on; special tokens come from the template alone, so that none is doubled."""
        conversation = [{"role": message.role, "content": message.content} for message in prompt.messages]
        ids = self._render(conversation, with_header=True)
        without_header = self._render(conversation, with_header=False)
        user_end = len(without_header) - 1 if ids[: len(without_header)] == without_header else len(ids) - 1
        return PromptTokens(tuple(ids), user_end)

    def encode_reply(self, text: str) -> tuple[int, ...]:
        """The reply's tokens and the end of the assistant's turn."""
        return (*self._tokens(text), self._end_of_turn)

    @torch.no_grad()
    def generate(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> list[Reply]:
        """Greedy replies, left-padded, as one batch."""
        started = time.monotonic()
        encoded = [self.encode(prompt) for prompt in prompts]
        ids, mask = self._left_padded([tokens.ids for tokens in encoded])
        config = GenerationConfig(
            do_sample=False,
            max_new_tokens=settings.max_new_tokens,
            pad_token_id=self._pad,
            eos_token_id=self._stop_ids,
        )
        with self._tracked(prompts, [len(tokens.ids) for tokens in encoded], ids.shape[1]):
            output = self._network.generate(  # type: ignore[operator] # the base class does not declare it
                input_ids=ids, attention_mask=mask, generation_config=config
            )
        seconds = (time.monotonic() - started) / len(prompts)
        written = output[:, ids.shape[1] :].tolist()
        return [self._reply(prompt, row, seconds) for prompt, row in zip(prompts, written, strict=True)]

    @torch.no_grad()
    def log_probabilities(
        self, prompts: Sequence[Prompt], continuations: Sequence[Sequence[str]]
    ) -> list[list[Float[Tensor, " token"]]]:
        """Log-probabilities of continuations; those of a single token each share one pass per prompt."""
        wanted = [[self._tokens(text) for text in texts] for texts in continuations]
        share_a_row = all(len(tokens) == 1 for texts in wanted for tokens in texts)
        rows = [
            (index, [] if share_a_row else tokens)
            for index, texts in enumerate(wanted)
            for tokens in (texts[:1] if share_a_row else texts)
        ]
        logits = iter(self._last_logits(prompts, rows, keep=1 if share_a_row else 1 + max(len(row) for _, row in rows)))
        result: list[list[Tensor]] = []
        for texts in wanted:
            if share_a_row:
                last = next(logits)[-1]
                result.append([last[tokens] for tokens in texts])
            else:
                result.append([_of_tokens(next(logits), tokens) for tokens in texts])
        return result

    def _last_logits(
        self, prompts: Sequence[Prompt], rows: Sequence[tuple[int, list[int]]], keep: int
    ) -> Float[Tensor, "row keep vocabulary"]:
        """Log-softmax of the last `keep` positions of each row: a prompt's index and the tokens that follow it."""
        encoded = [self.encode(prompt) for prompt in prompts]
        ids, mask = self._left_padded([(*encoded[index].ids, *tokens) for index, tokens in rows])
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

    def _render(self, conversation: list[dict[str, str]], *, with_header: bool) -> list[int]:
        text = self.tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=with_header)
        return self._tokens(str(text))

    def _tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _left_padded(self, rows: Sequence[Sequence[int]]) -> tuple[Int[Tensor, "row token"], Int[Tensor, "row token"]]:
        width = max(len(row) for row in rows)
        ids = [[self._pad] * (width - len(row)) + list(row) for row in rows]
        mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
        return torch.tensor(ids, device=self.device), torch.tensor(mask, device=self.device)

    def _reply(self, prompt: Prompt, ids: list[int], seconds: float) -> Reply:
        end = next((index for index, token in enumerate(ids) if token in self._stop_ids), None)
        kept = ids if end is None else ids[:end]
        text = str(self.tokenizer.decode(kept, skip_special_tokens=True))
        stop = StopReason.LENGTH if end is None else StopReason.END
        return Reply(prompt.id, text.strip(), tuple(kept), stop, seconds)

    @cached_property
    def _stop_ids(self) -> list[int]:
        configured = self._network.generation_config.eos_token_id if self._network.generation_config else None
        listed = configured if isinstance(configured, list) else [configured]
        return sorted(
            {int(token) for token in (*listed, self.tokenizer.eos_token_id, self._end_of_turn) if token is not None}
        )

    @cached_property
    def _end_of_turn(self) -> int:
        """The token that the template puts after an assistant's words; the end-of-text token where it puts none."""
        turn = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        whole, opened = self._render(turn, with_header=False), self._render(turn[:1], with_header=True)
        after = whole[len(opened) + len(self._tokens("b")) :]
        return next((token for token in after if token in self.tokenizer.all_special_ids), self.tokenizer.eos_token_id)

    @cached_property
    def _pad(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self.tokenizer.eos_token_id)


def _of_tokens(log_probabilities: Float[Tensor, "keep vocabulary"], tokens: list[int]) -> Float[Tensor, " token"]:
    """Pick each token's log-probability from the position before it; rows end with the last token."""
    if not tokens:
        return log_probabilities.new_zeros(0)
    predicting = log_probabilities[-1 - len(tokens) : -1]
    return predicting.gather(1, torch.tensor(tokens, device=predicting.device)[:, None]).squeeze(1)
