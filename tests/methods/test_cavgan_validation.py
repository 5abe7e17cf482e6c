from dataclasses import replace

import pytest
import torch
from torch import Tensor

from methods.cavgan.networks import Discriminator
from methods.cavgan.settings import CavganSettings
from methods.cavgan.training import Epoch, Judged, Losses, Material, States, Verdict, train
from methods.cavgan.validation import Groups, Trained, best_layer, held_out_sources, trained

SETTINGS = CavganSettings(epochs=4)
CPU = torch.device("cpu")
WIDTH = 12


def cloud(seed: int, *axes: int) -> Tensor:
    """Points around one that lies four further along these axes."""
    states = torch.randn(20, WIDTH, generator=torch.Generator().manual_seed(seed))
    states[:, list(axes)] += 4
    return states


def groups(dev_benign: dict[str, Tensor] | None = None) -> Groups:
    """Malice lies along axis 0 and commands along axis 1; malicious questions and benign ones of B are commands."""
    benign = {"A": cloud(1), "B": cloud(2, 1)}
    return Groups(
        cloud(0, 0, 1), benign, cloud(3, 0, 1), {"A": cloud(4), "B": cloud(5, 1)} if dev_benign is None else dev_benign
    )


def verdicts(material: Material) -> list[Verdict]:
    return [epoch.verdict for epoch in train(material, SETTINGS, 0, CPU)]


def worst(*some: list[Verdict]) -> list[Verdict]:
    return [Verdict(*map(min, *pair)) for pair in zip(*some, strict=True)]


def test_epochs_are_judged_by_the_source_that_was_left_out_of_training() -> None:
    found, given = trained(groups(), SETTINGS, 0, CPU), groups()
    parts = [
        verdicts(
            Material(
                States(given.train_malicious, given.train_benign[other]),
                Judged(given.dev_malicious, {name: given.dev_benign[name]}),
            )
        )
        for name, other in (("A", "B"), ("B", "A"))
    ]
    assert list(found.verdicts) == worst(*parts)
    accuracies = [one.accuracy for one in found.verdicts]
    assert found.number == max(number for number, one in enumerate(accuracies, 1) if one == max(accuracies))
    assert found.verdict.accuracy == max(accuracies)


def test_the_detector_that_serves_has_learnt_from_all_sources_and_its_threshold_serves_all() -> None:
    given = groups()
    found = trained(given, SETTINGS, 0, CPU)
    everything = Material(
        States(given.train_malicious, torch.cat(list(given.train_benign.values()))),
        Judged(given.dev_malicious, given.dev_benign),
    )
    expected = train(everything, SETTINGS, 0, CPU)[found.number - 1]
    assert found.best.threshold == expected.threshold
    assert torch.equal(found.best.discriminator.layers[0].weight, expected.discriminator.layers[0].weight)


def test_a_detector_that_learnt_style_is_found_out_by_the_source_that_it_does_not_know() -> None:
    alone = groups()._replace(train_benign={"A": cloud(1)}, dev_benign={"A": cloud(4)})
    styled, held_out = (trained(given, replace(SETTINGS, epochs=10), 0, CPU) for given in (alone, groups()))
    assert styled.verdict.margin > 2 * held_out.verdict.margin


def test_a_source_that_dev_lacks_is_judged_by_its_train_questions_and_one_that_train_lacks_always() -> None:
    found, given = trained(groups({"C": cloud(6)}), SETTINGS, 0, CPU), groups()
    parts = [
        verdicts(
            Material(
                States(given.train_malicious, given.train_benign[other]),
                Judged(given.dev_malicious, {"C": cloud(6), name: given.train_benign[name]}),
            )
        )
        for name, other in (("A", "B"), ("B", "A"))
    ]
    assert list(found.verdicts) == worst(*parts)


def test_with_one_source_nothing_is_held_out() -> None:
    given = groups()._replace(train_benign={"A": cloud(1)})
    assert held_out_sources(given) == []
    found = trained(given, SETTINGS, 0, CPU)
    assert list(found.verdicts) == [epoch.verdict for epoch in found.epochs]


def layer(area: float, margin: float) -> Trained:
    verdict = Verdict(area, 1.0, margin)
    epoch = Epoch(Discriminator(WIDTH), 0.5, verdict, Losses(0.0, 0.0))
    return Trained(1, [epoch], [verdict])


@pytest.mark.parametrize(
    ("areas", "margins", "expected"),
    [
        ((0.9, 1.0, 0.95), (9.0, 1.0, 9.0), 13),
        ((1.0, 1.0, 1.0), (2.0, 3.0, 4.0), 14),
        ((1.0, 1.0, 1.0), (2.0, 2.0, 2.0), 13),
    ],
)
def test_the_layer_that_ranks_best_is_taken_of_equals_the_one_with_the_widest_margin_and_then_the_middle_one(
    areas: tuple[float, ...], margins: tuple[float, ...], expected: int
) -> None:
    found = {12 + index: layer(*pair) for index, pair in enumerate(zip(areas, margins, strict=True))}
    assert best_layer(found) == expected
