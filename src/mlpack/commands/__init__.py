"""One module per command: plain arguments in, something shown, an exit code out."""
