"""Trains 500 trees of 127 leaves on made-up data with a fixed seed, and makes a table of 300 rows."""

from pathlib import Path

import lightgbm
import numpy as np

HERE = Path(__file__).parent
random = np.random.default_rng(7)
rows = random.normal(size=(10_000, 40))
target = np.sin(rows[:, 0] * rows[:, 1]) + rows[:, 2] ** 2 + random.normal(0, 0.3, len(rows))
options = {"num_leaves": 127, "min_data_in_leaf": 5, "seed": 7, "deterministic": True, "verbosity": -1}
(HERE / "weights").mkdir(exist_ok=True)
lightgbm.train(options, lightgbm.Dataset(rows, target), num_boost_round=500).save_model(HERE / "weights" / "trees.txt")
(HERE / "samples").mkdir(exist_ok=True)
np.save(HERE / "samples" / "input.npy", random.normal(size=(300, 40)).astype(np.float32))
