"""Spelling: one module per dialect, one filter per place in it. Everything that templates print passes through one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlpack.quoting.caddy import caddy
from mlpack.quoting.comment import comment
from mlpack.quoting.compose import compose
from mlpack.quoting.dockerfile import docker_argv, docker_copy, docker_copy_patterns, docker_word
from mlpack.quoting.dockerignore import dockerignore
from mlpack.quoting.env_file import env_line
from mlpack.quoting.markdown import md, md_code, md_code_cell, md_prose
from mlpack.quoting.nginx import nginx
from mlpack.quoting.python import py_name, python
from mlpack.quoting.quoted import Quoted
from mlpack.quoting.sh import sh, sh_words
from mlpack.quoting.systemd import unit_env, unit_exec, unit_path, unit_paths, unit_text, unit_word
from mlpack.quoting.yaml import yaml

FILTERS: dict[str, Callable[[Any], Quoted]] = {
    "caddy": caddy,
    "comment": comment,
    "compose": compose,
    "docker_argv": docker_argv,
    "docker_copy": docker_copy,
    "docker_copy_patterns": docker_copy_patterns,
    "docker_word": docker_word,
    "dockerignore": dockerignore,
    "env_line": env_line,
    "md": md,
    "md_code": md_code,
    "md_code_cell": md_code_cell,
    "md_prose": md_prose,
    "nginx": nginx,
    "py_name": py_name,
    "python": python,
    "sh": sh,
    "sh_words": sh_words,
    "unit_env": unit_env,
    "unit_exec": unit_exec,
    "unit_path": unit_path,
    "unit_paths": unit_paths,
    "unit_text": unit_text,
    "unit_word": unit_word,
    "yaml": yaml,
}
"""Every filter a template can use, by its name there."""

__all__ = ["FILTERS", "Quoted"]
