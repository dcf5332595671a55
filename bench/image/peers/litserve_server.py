"""The embedding app as LitServe has it: the same model, input and answer."""

# It runs in an image with packages that are only there.
# mypy: ignore-errors
import os

import litserve
import torch
from transformers import AutoModel, AutoTokenizer


class Embedding(litserve.LitAPI):
    def setup(self, device):  # noqa: ARG002
        folder = os.environ.get("MODEL_DIR", "weights/all-minilm-l6-v2")
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model = AutoModel.from_pretrained(folder, local_files_only=True).eval()

    def decode_request(self, request):
        return request["texts"]

    def predict(self, texts):
        batch = self.tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
        with torch.inference_mode():
            tokens = self.model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        return torch.nn.functional.normalize((tokens * mask).sum(1) / mask.sum(1), dim=1)

    def encode_response(self, output):
        return {"embeddings": output.tolist()}


if __name__ == "__main__":
    litserve.LitServer(Embedding(api_path="/embed"), accelerator="cpu", workers_per_device=2).run(port=8000)
