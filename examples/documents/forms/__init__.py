"""Tax forms: uploaded, read, understood by a language model, checked, stored."""
