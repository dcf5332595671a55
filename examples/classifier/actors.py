"""The models as Ray actors, one each, loaded once for all API workers. mlpack's head calls `deploy` when it is up."""

import os
from pathlib import Path

import numpy as np
import ray

HERE = Path(__file__).parent
FOREVER = {"max_restarts": -1, "max_task_retries": 3}
"""A killed actor is made again, and the calls that it had not answered are asked again."""


@ray.remote(**FOREVER)
class ClipActor:
    """The torch model."""

    def __init__(self) -> None:
        import torch
        from clip import Clip
        from safetensors.torch import load_file

        self._torch, self._model = torch, Clip().eval()
        path = os.environ.get("CLIP_PATH", HERE / "weights" / "clip.safetensors")
        self._model.load_state_dict(load_file(path))

    def ready(self) -> int:
        """The process that holds the model."""
        return os.getpid()

    def scores(self, picture: np.ndarray) -> np.ndarray:
        """Probability of each label."""
        with self._torch.inference_mode():
            batch = self._torch.from_numpy(picture.copy()).unsqueeze(0)
            return self._model(batch).softmax(1)[0].numpy()


@ray.remote(**FOREVER)
class TreesActor:
    """The LightGBM model."""

    def __init__(self) -> None:
        import lightgbm

        self._model = lightgbm.Booster(model_file=os.environ.get("TREES_PATH", HERE / "weights" / "trees.txt"))
        self._threads = int(os.environ.get("OMP_NUM_THREADS", "1"))

    def ready(self) -> int:
        """The process that holds the model."""
        return os.getpid()

    def scores(self, picture: np.ndarray) -> np.ndarray:
        """Probability of each label."""
        from eyes import features

        return self._model.predict(features(picture)[None], num_threads=self._threads)[0]


ACTORS = {"clip": ClipActor, "trees": TreesActor}


def deploy() -> list:
    """Make every actor under its name, unless it lives already; their handles."""
    return [
        actor.options(name=name, lifetime="detached", get_if_exists=True).remote() for name, actor in ACTORS.items()
    ]
