"""What SCANS lets one choose: how strongly and where to steer, what to learn from, and how prompts are told apart."""

from dataclasses import dataclass

from methods.settings import Range, setting

PAPER = "SCANS, arXiv 2408.11491"
CODE = "the authors' SCANS_llama.py"
OURS = "our choice"


@dataclass(frozen=True, slots=True)
class ScansSettings:
    """Steering first, then the anchors, then the classification of prompts."""

    alpha: float = setting(
        1.0,
        "How strongly to steer, in units of `strength`.",
        source=OURS
        + ": all blocks together move a prompt as far as harmful and benign anchors lie apart; published: 3.5 "
        "for Llama-2 and 4 for Vicuna, absolute",
        low=0,
        search=Range(0.05, 4, log=True),
    )
    strength: str = setting(
        "separation",
        "Unit of alpha: the distance between the harmful and the benign anchors' means, shared out over the steered blocks; "
        "or at every block the median norm of the residual stream over the anchors, which a few outlying dimensions may "
        "make up (relative), or a plain length (absolute).",
        source=f"absolute in {CODE}; separation is our choice, since it knows of norms, of depth and of how many blocks add up",
        choices=("separation", "relative", "absolute"),
    )
    layers: str = setting(
        "depth",
        "Blocks after which to steer, counted from 0: 'depth' (those between 31.25 % and 62.5 % of the depth), 'auto' "
        "(those whose vector points at refusal words), or a range with both ends such as 10-19.",
        source=f"10-19 of 32 in {CODE}, resolved against depth; the words are the reason that the paper gives",
        search=("depth", "auto"),
    )
    refusal_words: int = setting(
        2,
        "How many of the 50 tokens that a layer's vector points at must be refusal words for 'auto' to take the layer.",
        source=OURS + ": the paper shows such tokens and leaves the choice to the eye",
        unit="tokens",
        low=1,
        high=50,
    )
    negative_steering: bool = setting(
        True, "Steer safe prompts away from refusal; false leaves them alone.", source=CODE
    )
    direction: str = setting(
        "difference",
        "What is added: the difference between the anchors' means, or as a control of equal norm a random vector, or the "
        "difference after the anchors' labels were shuffled. Layers and classification are those of the true labels.",
        source=f"difference in {PAPER}, section 3; random and shuffled are the usual controls",
        choices=("difference", "random", "shuffled_labels"),
    )
    anchors: int = setting(64, "Train prompts of each intent to learn from.", source=CODE, unit="prompts", low=1)
    anchor_kind: str = setting(
        "mixed",
        "Which train prompts serve as anchors: questions without their attacks, attacked ones, or half of each (fewer "
        "attacked ones where one intent lacks them, so that both have the same share).",
        source=f"plain in {CODE} (AdvBench and TruthfulQA); mixed tells dev prompts of the embedded model apart best",
        choices=("mixed", "plain", "attacked"),
        search=("mixed", "plain", "attacked"),
    )
    transition: str = setting(
        "last_prompt_token",
        "Where the transition to 'Sure' starts: at the last prompt token, or at the end of the user's turn. They are "
        "one in Llama-2's template and differ where the assistant's turn has a header.",
        source=f"one token in {CODE}; the last tells dev prompts of the embedded model apart better",
        choices=("last_prompt_token", "user_end"),
    )
    threshold_rule: str = setting(
        "dev",
        "Whether the threshold is the one that tells dev prompts apart best (balanced accuracy), or given.",
        source=OURS + f"; {CODE} has one for each test set",
        choices=("dev", "fixed"),
    )
    threshold: float = setting(
        0.75,
        "Similarity from which a prompt counts as unsafe, where the rule is 'fixed'.",
        source=f"default of {CODE}",
        low=-1,
        high=1,
    )
