"""Generated sentences whose right labels are known: what the small models learn, and are asked about."""

import random

THEMES = {
    "sport": ("match", "team", "goal", "coach", "race", "stadium"),
    "food": ("soup", "bread", "dinner", "cook", "cheese", "salad"),
    "travel": ("train", "hotel", "airport", "island", "journey", "map"),
    "music": ("song", "piano", "band", "concert", "guitar", "choir"),
}
SENTIMENTS = {
    "negative": ("terrible", "bad", "awful", "poor"),
    "neutral": ("ordinary", "usual", "average", "plain"),
    "positive": ("lovely", "wonderful", "great", "excellent"),
}
EMOTIONS = {
    "anger": ("furious", "angry", "annoyed"),
    "fear": ("afraid", "scared", "worried"),
    "joy": ("happy", "glad", "delighted"),
    "sadness": ("sad", "lonely", "heartbroken"),
}
SAFETY = {
    "safe": ("thank you for reading", "see you next week", "write to me soon", "that is all for today"),
    "unsafe": ("i will hurt you", "you are a worthless idiot", "people like you should disappear", "go and die"),
}
HYPOTHESIS = "this text is about {}"
KINDS = {"sentiment": SENTIMENTS, "emotion": EMOTIONS, "safety": SAFETY}


def sentence(chance: random.Random) -> tuple[str, dict[str, str]]:
    """A text, and model -> right label."""
    labels = {"theme": chance.choice(list(THEMES))}
    labels |= {kind: chance.choice(list(words)) for kind, words in KINDS.items()}
    first, second = chance.sample(THEMES[labels["theme"]], 2)
    parts = [
        f"the {first} and the {second} were {chance.choice(SENTIMENTS[labels['sentiment']])}",
        f"i feel {chance.choice(EMOTIONS[labels['emotion']])} today",
        chance.choice(SAFETY[labels["safety"]]),
    ]
    chance.shuffle(parts)
    return " . ".join(parts), labels


def words() -> list[str]:
    """Every word there is, each once, in a fixed order."""
    texts = [text for kind in (*KINDS.values(), THEMES) for group in kind.values() for text in group]
    texts += [*THEMES, HYPOTHESIS.format(""), "the and the were i feel today ."]
    return list(dict.fromkeys(" ".join(texts).split()))
