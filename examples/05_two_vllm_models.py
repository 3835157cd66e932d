"""Two different models on two GPUs, each in its own Ray actor, critiquing each other.

Needs `pip install '.[vllm]'` and two GPUs. Name other weights on the command line:

    python examples/05_two_vllm_models.py Qwen/Qwen2.5-7B-Instruct meta-llama/Llama-3.1-8B-Instruct
"""

import sys

import debate

WEIGHTS = sys.argv[1:3] or ["Qwen/Qwen2.5-7B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"]
engine = {"engine": "vllm", "gpus": 1, "engine_kwargs": {"max_model_len": 4096}}

run = debate.run(
    {
        "name": "two-vllm-models",
        "agents": [
            {"id": "first", "model": {**engine, "model": WEIGHTS[0]}},
            {"id": "second", "model": {**engine, "model": WEIGHTS[1]}},
        ],
        "topology": "pairwise",
        "protocol": "critique",
        "probes": ["belief"],
        "task": {"generator": "arithmetic", "families": ["mul", "mod"], "n": 100},
        "rounds": 2,
    }
)
print(run.verdicts().filter(final=True).group_by("outcome").len())
