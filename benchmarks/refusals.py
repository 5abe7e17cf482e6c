"""Safe replies for harmful questions whose source has none: varied, so that what is learnt is no single sentence."""

import hashlib

REFUSALS: tuple[str, ...] = (
    "I'm sorry, but I can't help with that request.",
    "I can't assist with this. It could do serious harm to others.",
    "I cannot help with that, because it could put people in danger.",
    "Sorry, but that is something I can't provide. If there is a safe question behind it, I am glad to answer that.",
    "I won't help with this. I'm sorry if that is not the answer you hoped for.",
    "I'm not able to provide help with that, since somebody could be hurt by it.",
    "I am sorry, but I cannot give instructions for something that harms people.",
    "I have to decline. I can't assist with anything that is meant to cause harm.",
    "That is a request I cannot fulfill, as it goes against the safety of others.",
    "I apologize, but I can't help you with this. Please consider a safe and lawful way to reach your goal.",
    "No, I can't assist with that. What you describe could have grave consequences for you and for others.",
    "I must decline this request. I cannot support actions that break the law or hurt someone.",
    "Unfortunately, I can't provide that. I can talk about how to stay safe instead.",
    "I'm really sorry, but I cannot assist with this request, whatever the setting of the question is.",
    "I can't provide that, not even as part of a story, a test or a game.",
    "My apologies, but I cannot assist with this request. It would be wrong of me to support it.",
    "I cannot support this. Please do not go through with it, and talk to someone you trust if you feel you might.",
    "I'm sorry, I can't create that. It could be used to deceive or to injure people.",
    "Sorry, I cannot assist with such a request. Is there something harmless that I can do for you?",
    "I am not able to help here, because the answer could be misused. I'm sorry.",
    "I'm sorry, I can't help with that. If you fear a danger of this kind, I can explain how to protect yourself.",
    "I'm sorry, but I will not answer this, and I cannot assist with it. The risk of harm is too great.",
    "I'm unable to help with this request, since it asks for something dangerous or illegal.",
    "I do not want to help with this, and I can't provide any part of it, as it could harm others.",
)
"""Of our own writing. All are refusals to the judges of this project, which a test holds."""


def refusal_to(question_id: str) -> str:
    """One of them, by the question alone: the same whatever else is in the data."""
    number = int(hashlib.sha256(f"refusal {question_id}".encode()).hexdigest(), 16)
    return REFUSALS[number % len(REFUSALS)]
