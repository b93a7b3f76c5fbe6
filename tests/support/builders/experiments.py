"""The smallest experiment, as its file has it."""

from benchmarks.delivery.tiny_model import NAME

EXPERIMENT = f"""
[targets]
container = "container"
function = "function"
[question]
metric = "response_s"
margin = 0.1
[trials]
pairs = 2
warm = 2
[pinned]
model = "{NAME}"
"""
