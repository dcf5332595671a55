"""Makes the four models: small ones trained for half a minute together on generated sentences, or with --full such of
the original's sizes (BART-large and three RoBERTa-base, 3.1 GB in float32) with random weights, for sizing work.

Seeds are fixed. Architectures, kinds of labels and the limit of 512 tokens are the same in both sizes; the small ones
know the words of sentences.py only. Usage: make_weights.py [--full] [--to FOLDER]
"""

import argparse
import random
import shutil
from pathlib import Path

import torch
from sentences import EMOTIONS, HYPOTHESIS, SAFETY, SENTIMENTS, THEMES, sentence, words
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BartConfig,
    BartForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

HERE = Path(__file__).parent
LABELS = {
    "sentiment": tuple(SENTIMENTS),
    "emotion": tuple(EMOTIONS),
    "safety": tuple(SAFETY),
    "theme": ("contradiction", "neutral", "entailment"),
}
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
"""Where RoBERTa and BART have them: 0, 1, 2, 3."""
MAX_TOKENS = 512
STEPS = {"theme": 400, "sentiment": 150, "emotion": 150, "safety": 150}
RATES = {"theme": 3e-3, "sentiment": 1e-2, "emotion": 1e-2, "safety": 1e-2}
BATCH = 32
SEEDS = (5, 6, 7)
"""Tried in turn: whether a small model catches on depends a little on how a processor rounds."""
SPREAD = 0.15
"""Of the small models' first weights: BERT's 0.02 is made for a width of 768, and learns nothing for minutes at 32."""
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
"""At a width of 32 dropout takes away what there is to learn from."""
CHECKED = 200
ENOUGH = 0.97
"""Of fresh sentences that must be answered rightly; anything below this means that the recipe is broken."""


def tokenizer() -> PreTrainedTokenizerFast:
    """A word is a token; pairs look as RoBERTa's: <s> a </s></s> b </s>."""
    vocabulary = {word: at for at, word in enumerate((*SPECIAL, *words()))}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("<s>", 0), ("</s>", 2)]
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ends
    )
    names = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    names |= {"pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=MAX_TOKENS, **names)


def model(name: str, vocabulary: int, full: bool, seed: int = SEEDS[0]) -> torch.nn.Module:
    """An untrained model of the original's architecture."""
    torch.manual_seed(seed)
    labels = {"id2label": dict(enumerate(LABELS[name])), "label2id": {one: at for at, one in enumerate(LABELS[name])}}
    if name == "theme":
        size = {} if full else bart_size()
        return BartForSequenceClassification(
            BartConfig(vocab_size=50265 if full else vocabulary, num_labels=3, **size, **labels)
        )
    size = {} if full else {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    size |= {} if full else {"intermediate_size": 64, "initializer_range": SPREAD, **NO_DROPOUT}
    return RobertaForSequenceClassification(
        RobertaConfig(
            vocab_size=50265 if full else vocabulary,
            max_position_embeddings=MAX_TOKENS + 2,
            type_vocab_size=1,
            pad_token_id=1,
            bos_token_id=0,
            eos_token_id=2,
            **size,
            **labels,
        )
    )


def bart_size() -> dict[str, float]:
    both = ("encoder", "decoder")
    size = {f"{side}_layers": 1 for side in both} | {f"{side}_attention_heads": 2 for side in both}
    size |= {f"{side}_ffn_dim": 64 for side in both} | {"d_model": 64, "max_position_embeddings": 1024}
    return {**size, "init_std": SPREAD, "dropout": 0.0}


def batch(name: str, tokens: PreTrainedTokenizerFast, chance: random.Random, count: int):
    """Inputs of ``count`` sentences, and their labels' numbers."""
    pairs = [sentence(chance) for _ in range(count)]
    texts = [text for text, _ in pairs]
    if name != "theme":
        right = [LABELS[name].index(labels[name]) for _, labels in pairs]
        return tokens(texts, padding=True, return_tensors="pt", return_token_type_ids=False), torch.tensor(right)
    others = [labels["theme"] if chance.random() < 0.5 else chance.choice(list(THEMES)) for _, labels in pairs]
    right = [2 if asked == labels["theme"] else 0 for asked, (_, labels) in zip(others, pairs, strict=True)]
    asked = [HYPOTHESIS.format(other) for other in others]
    inputs = tokens(texts, asked, padding=True, return_tensors="pt", return_token_type_ids=False)
    return inputs, torch.tensor(right)


def train(name: str, made: torch.nn.Module, tokens: PreTrainedTokenizerFast) -> float:
    """Trains ``made`` and says what share of fresh sentences it gets right."""
    chance = random.Random(SEEDS[0])
    rate, steps = RATES[name], STEPS[name]
    optimiser = torch.optim.AdamW(made.parameters(), lr=rate)
    pace = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    made.train()
    for _ in range(steps):
        inputs, right = batch(name, tokens, chance, BATCH)
        loss = torch.nn.functional.cross_entropy(made(**inputs).logits, right)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(made.parameters(), 1.0)
        optimiser.step()
        pace.step()
    made.eval()
    inputs, right = batch(name, tokens, random.Random(99), CHECKED)
    with torch.inference_mode():
        return float((made(**inputs).logits.argmax(1) == right).float().mean())


def learnt(name: str, tokens: PreTrainedTokenizerFast) -> torch.nn.Module:
    """A small model that answers rightly. Raises SystemExit where no seed led to one."""
    shares = []
    for seed in SEEDS:
        made = model(name, len(tokens), False, seed)
        shares.append(train(name, made, tokens))
        if shares[-1] >= ENOUGH:
            return made
    raise SystemExit(f"{name}: {max(shares):.1%} of fresh sentences right at best, {ENOUGH:.0%} expected")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the original's sizes, untrained")
    parser.add_argument("--to", type=Path, default=HERE / "weights")
    asked = parser.parse_args()
    torch.set_num_threads(1)  # sums of the same order everywhere; and nothing here is large enough for two
    tokens = tokenizer()
    for name in LABELS:
        folder: Path = asked.to / name
        if (folder / "model.safetensors").is_file():
            continue
        made = model(name, len(tokens), True) if asked.full else learnt(name, tokens)
        draft = folder.with_name(f".{name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        made.save_pretrained(draft)
        tokens.save_pretrained(draft)
        for file in draft.iterdir():
            file.chmod(0o644)  # safetensors writes 0600, and containers run as another user
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
        print(f"{folder}: {sum(one.numel() for one in made.parameters()):,} parameters", flush=True)


if __name__ == "__main__":
    main()
