"""Serves one model."""

import torch

app = torch
