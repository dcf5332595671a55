"""The embedding app as BentoML has it: the same model, input and answer."""

# It runs in an image with packages that are only there.
# mypy: ignore-errors
import os

import bentoml


@bentoml.service(name="embedding", workers=2)
class Embedding:
    def __init__(self) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        folder = os.environ.get("MODEL_DIR", "weights/all-minilm-l6-v2")
        self.torch = torch
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model = AutoModel.from_pretrained(folder, local_files_only=True).eval()

    @bentoml.api
    def embed(self, texts: list[str]) -> dict[str, list[list[float]]]:
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
        with self.torch.inference_mode():
            tokens = self.model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        mean = (tokens * mask).sum(1) / mask.sum(1)
        return {"embeddings": self.torch.nn.functional.normalize(mean, dim=1).tolist()}
