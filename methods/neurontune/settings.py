"""Every choice that NeuronTune's paper leaves open, and the knobs that it names.

The paper gives no code and few numbers, so most defaults are ours; `source` says which are the paper's. Labels such as
A2 or B3 number the ambiguities and are used throughout this folder.
"""

from dataclasses import dataclass

from methods.settings import Range, setting

OURS = "our choice: the paper does not say"


@dataclass(frozen=True, slots=True)
class NeuronTuneSettings:
    """Settings of both stages; the three ablations of the paper's table 4 are the first settings of each group."""

    safety_neurons: float = setting(
        0.00109,
        "Safety neurons to scale: a count, or a share of all neurons when below 1.",
        source="section 4.4: 500 of the 458,752 neurons of LLaMA3.1-8B (table 7), as a share",
        unit="neurons",
        low=0,
        search=Range(0.002, 0.1, log=True),
    )
    utility_neurons: float = setting(
        0.00327,
        "Utility neurons to scale: a count, or a share of all neurons when below 1.",
        source="section 4.4: 1,500 of the 458,752 neurons of LLaMA3.1-8B (table 7), as a share",
        unit="neurons",
        low=0,
        search=Range(0.002, 0.1, log=True),
    )

    # Stage 1: pinpointing.
    pinpointing: str = setting(
        "attribution",
        "How neurons are found; `random` is the ablation without neuron pinpointing, `shuffled_labels` a control: the same "
        "attributed samples, which of them count as harmful drawn by lot.",
        source="section 3.1 and table 4; shuffled labels are the usual permutation control",
        choices=("attribution", "random", "shuffled_labels"),
    )
    attack_selection: str = setting(
        "single_category",
        "Which attacked questions are attributed: one per strategy that stands alone, as many at random (the ablation "
        "without attack selection), or plain questions with a zero baseline.",
        source="section 3.1 and appendix A.6; the ablation's rule is our reading (B10)",
        choices=("single_category", "random", "plain"),
    )
    path: str = setting(
        "layer_joint",
        "A1: what moves together along the path of integration: the neurons of one layer, of all layers, or one neuron.",
        source="equation 4 moves one neuron, which needs 40 passes a neuron; layer by layer as in IRCAN's code",
        choices=("layer_joint", "all_layers_joint", "single_neuron"),
    )
    position: str = setting(
        "last_prompt_token",
        "A2: token positions whose activations move: the last prompt token, the tokens that both prompts end with, or "
        "all positions that predict the response.",
        source=OURS + "; last prompt token as in IRCAN",
        choices=("last_prompt_token", "question_span", "response_all"),
    )
    objective: str = setting(
        "mean_log_probability",
        "A3: what is differentiated: mean log-probability of the response's tokens, its first token's probability, the "
        "geometric mean probability, or the product of probabilities (computed in log space).",
        source="equation 3 says p(response); the product underflows on long responses, so the default is its log",
        choices=(
            "mean_log_probability",
            "first_token_probability",
            "geometric_mean_probability",
            "product_probability",
        ),
    )
    ircan_alpha_weight: bool = setting(
        False,
        "A4: weigh each path point by its position, as a derivative by the end point does. Completeness is lost.",
        source="the denominators of equation 4, and IRCAN's code; standard integrated gradients otherwise",
    )
    path_steps: int = setting(
        5,
        "A5: points on the path; where they miss completeness, a layer gets more. Other paths than layer by layer, and "
        "A4's weights, have no such check: give them 20.",
        source="our choice: 20 in IRCAN and knowledge neurons, which do not check completeness; same ranks with both",
        unit="points",
        low=1,
    )
    path_rule: str = setting(
        "midpoint",
        "A5: where the points lie: midpoints (error falls with the square of their number) or right ends.",
        source="right ends in IRCAN's code; midpoint is our choice",
        choices=("midpoint", "right"),
    )
    completeness_tolerance: float = setting(
        0.02,
        "A5: largest part of a sample's change of objective that its scores may miss before layers are refined.",
        source=OURS + "; the scores sum to the change (Sundararajan et al. 2017, proposition 1)",
        low=0,
        high=1,
    )
    path_refinements: int = setting(
        3,
        "A5: how often a layer that misses it is walked again with four times the points.",
        source=OURS,
        low=0,
        high=5,
    )
    aggregation: str = setting(
        "mean_of_normalised",
        "A7: how the samples' scores join: mean after dividing by each sample's largest, plain mean, mean rank, or a "
        "vote (top 20 of a sample that reach a tenth of its largest).",
        source=OURS + "; the vote is IRCAN's",
        choices=("mean_of_normalised", "mean", "mean_rank", "vote"),
    )
    score_sign: str = setting(
        "signed",
        "A8: rank by the signed score or by its absolute value.",
        source="section 3.1: 'highest score'",
        choices=("signed", "absolute"),
    )
    safe_response: str = setting(
        "reference",
        "A9: the safe response: the data's own, or the model's reply to the plain question where it begins with the same "
        "three words as one of the data's safe responses, so that it refuses.",
        source=OURS,
        choices=("reference", "own"),
    )
    utility_attribution: str = setting(
        "attacked_question",
        "A10: attribution on benign prompts: from the plain to the attacked benign question (from zero where the data has "
        "no attacked one with a useful answer), integrated gradients from zero, or gradient times activation.",
        source="section 3.1: 'similarly', with benign queries under attack; zero baseline as in knowledge neurons",
        choices=("zero_baseline", "gradient_times_activation", "attacked_question"),
    )
    utility_samples: int = setting(16, "A10: benign prompts that are attributed.", source=OURS, unit="prompts", low=1)
    overlap: str = setting(
        "larger_score",
        "A11: a neuron in both sets: stays where its normalised score is larger, leaves both, or gets both factors.",
        source=OURS,
        choices=("larger_score", "drop", "both"),
    )
    refill: bool = setting(True, "A12: fill the sets up to their counts after the overlap rule.", source=OURS)
    reply_tokens: int = setting(
        64,
        "Of a response, how many tokens count for attribution and tuning; prompts are never cut.",
        source=OURS + "; whether a reply refuses is settled in its first sentence",
        unit="tokens",
        low=1,
    )
    tokens_per_pass: int = setting(
        2048,
        "Largest number of tokens in one pass with gradients, more only for a single long prompt: bounds memory. Halved "
        "where memory still runs out.",
        source="our choice: 3 GB of activations for 135 M parameters in float32, 14 GB for 8 B in bfloat16",
        unit="tokens",
        low=1,
    )

    # Stage 2: adaptive modulation (algorithm 1).
    adaptive: bool = setting(
        True, "Tune the factors; false is the ablation without adaptive adjustment.", source="table 4"
    )
    safety_scale: float = setting(
        1.2, "B1: first factor of safety neurons.", source="algorithm 1, line 2 asks for more than 1", low=0, high=10
    )
    utility_scale: float = setting(
        0.8,
        "B1, B4: first factor of utility neurons.",
        source="algorithm 1, line 6 asks for less than 1",
        low=0,
        high=10,
    )
    scale_limit: float = setting(3.0, "B7: factors are kept between 0 and this.", source=OURS, low=1, high=100)
    safety_loss: str = setting(
        "nll",
        "B2: EvalSafety: negative log-likelihood of the safe response, or its margin over the unsafe response's.",
        source=OURS,
        choices=("nll", "margin"),
    )
    utility_loss: str = setting(
        "nll",
        "B2: EvalUtility: negative log-likelihood of the reference answer, or divergence from the unmodified model on it.",
        source=OURS,
        choices=("nll", "kl_to_unmodified"),
    )
    utility_inner_sign: int = setting(
        -1,
        "B3: direction of the inner utility step along the gradient of the loss: -1 descends, +1 is line 16 as printed.",
        source="line 16 prints +, which worsens utility if EvalUtility is a loss",
        choices=(-1, 1),
    )
    meta_gradient: str = setting(
        "first_order",
        "B6: gradient of the joint loss by the meta parameters: taken at the adapted ones, through the inner steps, or "
        "Reptile's difference.",
        source="line 21 does not say",
        choices=("first_order", "second_order", "reptile"),
    )
    inner_rate: float = setting(0.1, "B7: step size of the inner loop (gradient descent).", source=OURS, low=0)
    inner_clip: float = setting(1.0, "B7: largest norm of an inner gradient.", source=OURS, low=1e-6)
    meta_optimiser: str = setting(
        "gradient",
        "B7: step of the outer loop: along the gradient, in proportion to it, or Adam's, about as large for every factor.",
        source="line 21 prints a gradient step",
        choices=("gradient", "adam"),
    )
    meta_reach: float = setting(
        4.0,
        "B7: how far the factor with the largest first gradient would move in all epochs together, if its gradient "
        "stayed: sets the rate of the gradient step.",
        source=OURS
        + "; of 1 and 4, the one with the lower dev loss on a model of 135 M parameters and on the embedded one",
        low=0,
    )
    meta_rate: float = setting(
        0.1,
        "B7: step size of Adam; for Reptile the share of the way.",
        source="swept over 0.01, 0.03 and 0.1 on dev prompts of the embedded model; the paper does not say",
        low=0,
    )
    joint_weight: float = setting(0.5, "B8: lambda of line 20, the weight of safety.", source=OURS, low=0, high=1)
    epochs: int = setting(10, "B8: E of line 7; the rate of a gradient step falls with it.", source=OURS, low=0)
    inner_steps: int = setting(3, "B8: K of line 10.", source=OURS, low=0)
    batch_size: int = setting(8, "B8: prompts in each of B_s and B_u.", source=OURS, unit="prompts", low=1)
    local_samples: int = setting(
        8,
        "B9: prompts in each local set: attacks of the selected strategies, benign ones.",
        source=OURS,
        unit="prompts",
        low=1,
    )
    global_samples: int = setting(
        64, "B9: prompts in each global set: any attack, benign ones.", source=OURS, unit="prompts", low=1
    )
    validation_samples: int = setting(
        16,
        "B8: dev prompts of each kind on which the best epoch is chosen (line 23).",
        source=OURS,
        unit="prompts",
        low=1,
    )
