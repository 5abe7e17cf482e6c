import pytest
import torch

from methods.teacher_forcing import Pair, collate, negative_log_likelihood, reply_logits
from tests.methods.literal_attribution import reply_predictions
from tests.methods.tiny_models import FAMILIES, attacked_and_plain, tiny


def pairs() -> list[Pair]:
    """Prompts and replies of different lengths, the shortest reply one token long."""
    attacked, plain = attacked_and_plain(tiny())
    return [attacked, plain, Pair(plain.prompt[:9], plain.reply[:1]), Pair(attacked.prompt, attacked.reply[:7])]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_likelihood_in_a_batch_is_the_mean_over_each_reply_alone(family: str) -> None:
    model = tiny(family)
    with torch.no_grad():
        batch = collate(pairs(), model.device)
        found = negative_log_likelihood(reply_logits(model, batch), batch)
        for value, pair in zip(found.tolist(), pairs(), strict=True):
            rows = reply_predictions(model, pair).log_softmax(dim=1)
            chosen = [float(row[token]) for row, token in zip(rows, pair.reply, strict=True)]
            assert value == pytest.approx(-sum(chosen) / len(chosen), rel=1e-4)


def test_padding_stands_on_the_right_behind_the_mask() -> None:
    batch = collate(pairs(), torch.device("cpu"))
    for row, mask, pair in zip(batch.ids.tolist(), batch.mask.tolist(), pairs(), strict=True):
        whole = [*pair.prompt, *pair.reply]
        assert row[: len(whole)] == whole
        assert mask == [1] * len(whole) + [0] * (len(row) - len(whole))
