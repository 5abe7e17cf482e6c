"""What the linear judge sees of a reply: hashed n-grams of its start, and what the phrase rules say of it.

N-grams know the style they were learnt from; a phrase rule holds in any style. So both stand side by side, and hashing
needs no vocabulary: the weights are the whole model.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from metrics.base import Verdict
from metrics.judges.keyword import judge_text as keyword
from metrics.judges.keyword import normalised
from metrics.judges.published import judge_text as listed
from metrics.judges.published_lists import GCG, GCG_SHORT, HARMBENCH, SCANS, XSTEST

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float
    from scipy.sparse import csr_matrix

WINDOW = 400
"""Characters from the start of a reply whose n-grams count: refusals open replies, topics fill the rest."""
BUCKETS = 2**16
"""For each kind of n-gram: about 60,000 kinds occur in the training replies, so few of weight share one."""
CHARACTERS, WORDS = (2, 5), (1, 3)
"""Lengths of n-grams."""
_WORD = r"(?u)\b\w[\w']*"
_LISTS = {"gcg": GCG, "gcg_short": GCG_SHORT, "harmbench": HARMBENCH, "scans": SCANS, "xstest": XSTEST}
RULES = ("keyword", *_LISTS)
LENGTHS = (100, 200, 400, 800)
"""A feature each: whether the reply is shorter, in characters."""
NGRAMS = slice(0, 2 * BUCKETS)
PHRASES = slice(NGRAMS.stop, NGRAMS.stop + len(RULES))
SHORTNESS = slice(PHRASES.stop, PHRASES.stop + len(LENGTHS))
WIDTH = SHORTNESS.stop


def features(texts: Sequence[str]) -> "csr_matrix":
    """One row a reply, `WIDTH` columns: n-grams of characters, of words, phrase rules, lengths."""
    import numpy as np
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import HashingVectorizer

    plain = [normalised(_whole(text)) for text in texts]
    shared = {"n_features": BUCKETS, "alternate_sign": False, "binary": True}
    kinds = (
        HashingVectorizer(analyzer="char_wb", ngram_range=CHARACTERS, **shared),
        HashingVectorizer(analyzer="word", token_pattern=_WORD, ngram_range=WORDS, **shared),
    )
    grams = [kind.transform([text[:WINDOW] for text in plain]) for kind in kinds]
    dense = np.array([[*rules_met(text), *_shorter(text)] for text in plain], dtype=np.float64)
    return csr_matrix(hstack([*grams, csr_matrix(dense.reshape(len(plain), len(RULES) + len(LENGTHS)))]))


def rules_met(plain: str) -> list[bool]:
    """Which of `RULES` call a normalised reply a refusal."""
    judgements = [keyword(plain), *(listed(plain, phrases) for phrases in _LISTS.values())]
    return [judgement.verdict is Verdict.REFUSED for judgement in judgements]


def scales(phrase_weight: float, length_weight: float) -> "Float[np.ndarray, ' feature']":
    """What each feature is multiplied with."""
    import numpy as np

    factors = np.ones(WIDTH)
    factors[PHRASES], factors[SHORTNESS] = phrase_weight, length_weight
    return factors


def _whole(text: str) -> str:
    """A lone half of a surrogate pair, which no hash takes, becomes a question mark."""
    return text.encode(errors="replace").decode()


def _shorter(plain: str) -> list[bool]:
    return [len(plain) < length for length in LENGTHS]
