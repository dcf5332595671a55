"""Predicts."""

import sklearn

app = sklearn
