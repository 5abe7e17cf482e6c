"""Methods from outside, as `path/to/file.py:Class`: one that is sound, and one for each way of being broken."""

# ruff: noqa: ANN001, ANN201, ANN202, ANN204, ANN205, ARG002, ARG004, ARG005 - other people's code need not follow our rules

from contextlib import contextmanager
from dataclasses import replace

import torch

from benchmarks.embedded import sets
from benchmarks.registry import load_benchmark
from methods.artefact import Artefact
from methods.base import Cost
from methods.default import Default
from methods.wrapped import Wrapped


class Arm:
    cost = Cost()

    def __init__(self, enter=lambda model: model, leave=lambda model: None, facts=None, tensors=None):
        self.enter, self.leave, self.facts, self.tensors = enter, leave, facts or {}, tensors or {}

    @contextmanager
    def applied(self, model):
        yield self.enter(model)
        self.leave(model)

    def save(self, folder):
        Artefact("any", self.cost, facts=self.facts, tensors=self.tensors).save(folder)

    def diagnostics(self):
        return {}


def hook(model):
    for _ in range(2):
        model.blocks[3].module.register_forward_hook(lambda *_: None)


def weight(model):
    return model.blocks[2].dense.down_projection.weight


def edit(model):
    weight(model).data[0, 0] += 1


class Good(Default):
    name = "good"

    @staticmethod
    def load(folder):
        return Arm()


class LacksAMember(Good):
    name = "lacks_a_member"
    needs = None
    load = None


class WrongSignature(Good):
    name = "wrong_signature"

    def fit(self, model, prompts):
        return Arm()


class Unmakable(Good):
    name = "unmakable"

    def __init__(self, settings):
        raise OSError("no licence")


class ChecksBadly(Good):
    name = "checks_badly"

    def check(self, model, data):
        return data.train[0].nothing


class LeaksInItsCheck(Good):
    name = "leaks_in_its_check"

    def check(self, model, data):
        hook(model)


class NanInTheFit(Good):
    name = "nan_in_the_fit"

    def fit(self, model, data, seed, progress):
        return Arm(tensors={"v": torch.tensor([0.0]).log() * 0})


class NanInTheReplies(Good):
    name = "nan_in_the_replies"

    @staticmethod
    def load(folder):
        class Noisy(Wrapped):
            def log_probabilities(self, prompts, continuations):
                rows = self.inner.log_probabilities(prompts, continuations)
                return [[option * float("nan") for option in row] for row in rows]

        return Arm(enter=Noisy)


class Quits(Good):
    name = "quits"

    def fit(self, model, data, seed, progress):
        raise SystemExit(3)


class SaysNothing(Good):
    name = "says_nothing"

    @staticmethod
    def load(folder):
        class Mute(Wrapped):
            def generate(self, prompts, settings):
                return [replace(reply, text=None) for reply in self.inner.generate(prompts, settings)]

        return Arm(enter=Mute)


class LeaksAHook(Good):
    name = "leaks_a_hook"

    @staticmethod
    def load(folder):
        return Arm(enter=lambda model: hook(model) or model)


class LeaksWhileFitting(Good):
    name = "leaks_while_fitting"

    def fit(self, model, data, seed, progress):
        hook(model)
        return Arm()


class LeaksAndFails(Good):
    name = "leaks_and_fails"

    def fit(self, model, data, seed, progress):
        edit(model)
        raise ZeroDivisionError("no neuron left")


class ChangesWeights(Good):
    name = "changes_weights"

    @staticmethod
    def load(folder):
        return Arm(leave=edit)


class LeavesTraining(Good):
    name = "leaves_training"

    @staticmethod
    def load(folder):
        return Arm(enter=lambda model: model.network.lm_head.train() and model)


class WantsGradients(Good):
    name = "wants_gradients"

    @staticmethod
    def load(folder):
        return Arm(leave=lambda model: weight(model).requires_grad_())


class LooksAtTheTest(Good):
    name = "looks_at_the_test"

    def fit(self, model, data, seed, progress):
        return Arm(facts={"best": load_benchmark("embedded_attacked").prompts[0].id})


class LooksBehindTheTable(Good):
    name = "looks_behind_the_table"

    def fit(self, model, data, seed, progress):
        return Arm(facts={"best": sets.benign().prompts[0].id})


class LearnsWhileAnswering(Good):
    name = "learns_while_answering"

    @staticmethod
    def load(folder):
        arm = Arm(facts={"asked": []})

        class Eager(Wrapped):
            def generate(self, prompts, settings):
                arm.facts["asked"] += [prompt.id for prompt in prompts]
                return self.inner.generate(prompts, settings)

        arm.enter = Eager
        return arm
