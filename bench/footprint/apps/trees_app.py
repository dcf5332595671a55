# mypy: ignore-errors
"""Trees: a scikit-learn forest by joblib, LightGBM or XGBoost (LIBRARY), asked with BATCH rows of FEATURES numbers."""

import os

import numpy as np
from http_app import wsgi

LIBRARY, MODEL, BATCH = os.environ["LIBRARY"], os.environ["MODEL"], int(os.environ["BATCH"])
FEATURES = int(os.environ["FEATURES"])

if LIBRARY == "sklearn":
    import joblib
    import sklearn.ensemble  # noqa: F401 - what the file names

    forest = joblib.load(MODEL)
    answer = forest.predict
elif LIBRARY == "lightgbm":
    import lightgbm

    answer = lightgbm.Booster(model_file=MODEL).predict
else:
    import xgboost

    booster = xgboost.Booster(model_file=MODEL)

    def answer(rows):
        return booster.predict(xgboost.DMatrix(rows))


def predict(seed):
    values = np.random.default_rng(seed).standard_normal((BATCH, FEATURES))
    return [round(float(value), 3) for value in answer(values)[:8]]


app = wsgi(predict)
