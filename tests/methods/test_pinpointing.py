import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.errors import UserError
from methods.neurontune.pinpointing import (
    Neurons,
    Selection,
    contributions,
    join,
    resolve_count,
    select,
    select_at_random,
)

WIDTH = 5
Scores = list[list[float]]


def tables(layers: int = 3) -> st.SearchStrategy[Scores]:
    number = st.floats(-10, 10, width=32)
    return st.lists(st.lists(number, min_size=WIDTH, max_size=WIDTH), min_size=layers, max_size=layers)


def places(neurons: Neurons) -> list[int]:
    return (neurons.block * WIDTH + neurons.place).tolist()


def one_row(*scores: float) -> torch.Tensor:
    return torch.tensor([scores])


@pytest.mark.parametrize(("value", "count"), [(0.0, 0), (1e-9, 1), (0.1, 15), (0.005, 1), (1.0, 1), (12.0, 12)])
def test_a_count_below_one_is_a_share(value: float, count: int) -> None:
    assert resolve_count("safety_neurons", value, 150) == count


def test_a_count_that_is_neither_whole_nor_a_share_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        resolve_count("safety_neurons", 2.5, 150)
    assert str(caught.value) == (
        "Setting 'safety_neurons' of 'neurontune' is 2.5; give a whole number, or a share below 1."
    )


SAMPLES = torch.tensor([[[4.0, -8.0, 2.0], [1.0, 0.0, -2.0]], [[0.5, 1.0, 0.25], [-0.75, 0.125, 0.0]]])


def test_samples_join_as_the_mean_of_scores_divided_by_each_samples_largest() -> None:
    wanted = (SAMPLES[0] / 8 + SAMPLES[1] / 1) / 2
    assert torch.allclose(join(SAMPLES, "mean_of_normalised", "signed"), wanted)


def test_samples_join_as_a_plain_mean() -> None:
    assert torch.allclose(join(SAMPLES, "mean", "signed"), (SAMPLES[0] + SAMPLES[1]) / 2)


def test_the_absolute_value_is_taken_before_samples_join() -> None:
    assert torch.allclose(join(SAMPLES, "mean", "absolute"), (SAMPLES[0].abs() + SAMPLES[1].abs()) / 2)


def test_samples_join_as_a_mean_rank() -> None:
    ranks = [
        [sum(other < score for other in sample.flatten().tolist()) for score in sample.flatten().tolist()]
        for sample in SAMPLES
    ]
    wanted = torch.tensor(ranks).float().mean(dim=0).view(2, 3)
    assert torch.equal(join(SAMPLES, "mean_rank", "signed"), wanted)


def test_a_vote_counts_samples_where_a_neuron_is_in_the_top_twenty_and_reaches_a_tenth() -> None:
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(6, 2, 30, generator=generator)
    votes = torch.zeros(60)
    for sample in samples.view(6, 60):
        ranked = sorted(range(60), key=lambda neuron: -float(sample[neuron]))[:20]
        for neuron in ranked:
            votes[neuron] += float(sample[neuron]) >= 0.1 * float(sample.abs().max())
    joined = join(samples, "vote", "signed").flatten()
    assert torch.equal(joined.round(), votes)
    by_hand = sorted(range(60), key=lambda neuron: (-float(votes[neuron]), -float(_normalised_mean(samples)[neuron])))
    assert joined.argsort(descending=True).tolist() == by_hand


def _normalised_mean(samples: torch.Tensor) -> torch.Tensor:
    flat = samples.flatten(1)
    return torch.stack([row / row.abs().max() for row in flat]).mean(dim=0)


def test_a_neuron_in_both_sets_stays_where_its_normalised_score_is_larger() -> None:
    safety, utility = one_row(10, 9, 1, 0, 0), one_row(0, 4, 3, 2, 5)
    found = select(safety, utility, (2, 2), "larger_score", refill=False)
    assert (places(found.safety), places(found.utility), found.contested) == ([0, 1], [4], 1)
    weaker = select(one_row(10, 2, 1, 0, 0), utility, (2, 2), "larger_score", refill=False)
    assert (places(weaker.safety), places(weaker.utility), weaker.contested) == ([0], [4, 1], 1)


def test_refilling_takes_the_next_best_that_nobody_has() -> None:
    found = select(one_row(10, 9, 1, 0, 0), one_row(0, 4, 3, 2, 5), (2, 2), "larger_score", refill=True)
    assert (places(found.safety), places(found.utility)) == ([0, 1], [4, 2])


def test_a_neuron_in_both_sets_may_leave_both() -> None:
    safety, utility = one_row(10, 9, 1, 0, 0), one_row(0, 4, 3, 2, 5)
    found = select(safety, utility, (2, 2), "drop", refill=False)
    assert (places(found.safety), places(found.utility)) == ([0], [4])
    refilled = select(safety, utility, (2, 2), "drop", refill=True)
    assert (places(refilled.safety), places(refilled.utility)) == ([0, 2], [4, 3])


def test_a_neuron_in_both_sets_may_stay_in_both() -> None:
    found = select(one_row(10, 9, 1, 0, 0), one_row(0, 4, 3, 2, 5), (2, 2), "both", refill=True)
    assert (places(found.safety), places(found.utility), found.contested) == ([0, 1], [4, 1], 1)


@given(tables(), tables(), st.integers(0, 7), st.integers(0, 8))
def test_refilled_sets_have_their_counts_and_nothing_in_common(
    safety: Scores, utility: Scores, safety_count: int, utility_count: int
) -> None:
    found = select(
        torch.tensor(safety), torch.tensor(utility), (safety_count, utility_count), "larger_score", refill=True
    )
    chosen = places(found.safety), places(found.utility)
    assert [len(set(one)) for one in chosen] == [len(one) for one in chosen] == [safety_count, utility_count]
    assert not set(chosen[0]) & set(chosen[1])


@given(tables(), tables(), st.integers(0, 15), st.integers(0, 15))
def test_the_contested_neurons_are_those_in_both_top_lists(
    safety: Scores, utility: Scores, safety_count: int, utility_count: int
) -> None:
    tops = [_top(safety, safety_count), _top(utility, utility_count)]
    arguments = torch.tensor(safety), torch.tensor(utility), (safety_count, utility_count)
    assert select(*arguments, "drop", refill=False).contested == len(tops[0] & tops[1])
    both = select(*arguments, "both", refill=False)
    assert (set(places(both.safety)), set(places(both.utility))) == (tops[0], tops[1])


def _top(scores: Scores, count: int) -> set[int]:
    flat = [score for row in scores for score in row]
    return set(sorted(range(len(flat)), key=lambda neuron: (-flat[neuron], neuron))[:count])


def _at_random(seed: int) -> Selection:
    return select_at_random(3, WIDTH, (6, 7), torch.Generator().manual_seed(seed))


def test_random_neurons_are_distinct_and_as_many_as_asked_for() -> None:
    found = _at_random(0)
    chosen = [*places(found.safety), *places(found.utility)]
    assert (len(found.safety.block), len(found.utility.block)) == (6, 7)
    assert len(set(chosen)) == 13
    assert set(chosen) <= set(range(15))


def test_random_neurons_depend_on_the_seed_alone() -> None:
    assert places(_at_random(0).safety) == places(_at_random(0).safety)
    assert places(_at_random(0).safety) != places(_at_random(1).safety)


def test_contributions_are_means_over_the_chosen_neurons_of_a_layer() -> None:
    scores = torch.tensor([[1.0, 2.0, 5.0], [9.0, 9.0, 9.0], [-1.0, 0.5, 0.0]])
    chosen = Neurons(torch.tensor([0, 2, 0]), torch.tensor([2, 1, 0]))
    assert contributions(scores, chosen) == [3.0, None, 0.5]
