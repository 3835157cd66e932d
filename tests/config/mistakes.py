"""What users of other tools write, and what the error must say."""

from __future__ import annotations

from typing import NamedTuple


class Mistake(NamedTuple):
    """One word or value from elsewhere: where it is written, and words of the one error."""

    where: str
    written: str
    words: tuple[str, ...]


MISTAKES = (
    Mistake(
        "top", "temperature: 0.7", ("agents: [{id: a, model: m, sampling: {temperature: 0.7}}]",)
    ),
    Mistake("top", "max_tokens: 99", ("sampling: {max_tokens: 99}",)),
    Mistake("top", "dataset: mmlu", ("under `task:`", "task: {dataset: mmlu, path: FILE}")),
    Mistake("top", "dataset: mine.csv", ("task: {path: mine.csv, kind: number}",)),
    Mistake("top", "limit: 5", ("under `task:`", "task: {limit: 5}")),
    Mistake("top", "num_agents: 3", ("in an agent", "count: 3")),
    Mistake("top", "n_rounds: 3", ("`rounds: 3`",)),
    Mistake("top", "max_rounds: 3", ("`rounds: 3`",)),
    Mistake("top", "turns: 3", ("`rounds: 3`",)),
    Mistake("top", "seed: 7", ("`seeds: [0, 1, 2]`",)),
    Mistake("top", "system_prompt: Be kind.", ("in an agent", "system: Be kind.")),
    Mistake("top", "judge: gpt", ("role: judge",)),
    Mistake("top", "edges: [a -> b]", ("under `topology:`",)),
    Mistake("top", "stop: consensus", ("protocol: {stop: consensus}",)),
    Mistake("top", "max_cost: 5", ("budget: {dollars: 5}",)),
    Mistake("top", "output_dir: x", ("`output: x`",)),
    Mistake("top", "api_key: sk-abcdefghij0123456789", ("api_key_env: MY_KEY", "under `models:`")),
    Mistake("top", "seeds: 3", ("a list is needed, as in `seeds: [0, 1, 2]`",)),
    Mistake("top", "seeds: []", ("at least 1",)),
    Mistake("top", "probes: verbal", ("probes: [verbal]",)),
    Mistake("top", "budget: 5", ("budget: {dollars: 5}",)),
    Mistake("top", "cluster: auto", ("cluster: {address: auto}",)),
    Mistake("top", "decision: majority_vote", ("here that is `majority`",)),
    Mistake("top", "protocol: debate", ("here that is `exchange`",)),
    Mistake("top", "models: gpt-4o", ("models: {m: {engine: openai",)),
    Mistake("top", "model: gpt-4o", ('did you mean "models"', "topology)", "models: {m: {engine")),
    Mistake("agents", "3", ("agents: [adder, multiplier]", "count: 3")),
    Mistake("topology", "fully_connected", ("here that is `complete`",)),
    Mistake("model", "engine: openai, model: m, base_url: 'http://h/v1'", ("`url: http://h/v1`",)),
    Mistake("model", "engine: openai, model: m, api_base: 'http://h/v1'", ("`url: http://h/v1`",)),
    Mistake("model", "engine: openai, model: m, baseUrl: 'http://h/v1'", ("`url: http://h/v1`",)),
    Mistake("model", "engine: openai, url: 'http://u', model_name: m", ("`model: m`",)),
    Mistake(
        "model",
        "engine: openai, url: 'http://u', model: m, api_key: hunter2",
        ("api_key_env: MY_KEY",),
    ),
    Mistake(
        "model",
        "engine: openai, url: 'http://u', model: m, token: hunter2",
        ("api_key_env: MY_KEY",),
    ),
    Mistake(
        "model",
        "engine: openai, url: 'http://u', model: m, top_p: 0.9",
        ("sampling: {top_p: 0.9}",),
    ),
    Mistake(
        "model", "engine: openai, url: 'http://u', model: m, max_retries: 3", ("`retries: 3`",)
    ),
    Mistake(
        "model", "engine: openai, url: 'http://u', model: m, timeout: 60", ("`timeout_s: 60`",)
    ),
    Mistake(
        "model",
        "engine: openai, url: 'http://u', model: m, num_concurrent: 4",
        ("`max_in_flight: 4`",),
    ),
    Mistake(
        "model",
        "engine: openai, url: 'http://u', model: m, cost: 1",
        ("price: {prompt", "US dollars"),
    ),
    Mistake("model", "engine: vllm, model: m, tensor_parallel_size: 2", ("`gpus: 2`",)),
    Mistake(
        "model", "engine: vllm, model: m, max_model_len: 99", ("engine_kwargs: {max_model_len",)
    ),
    Mistake("model", "engine: vllm-openai, model: m, url: 'http://u'", ("`openai`", "`url`")),
    Mistake("model", "engine: hf, model: m", ("`transformers`",)),
    Mistake("model", "engine: [vllm], model: m", ("engine",)),
    Mistake("model", "provider: openai_api, url: 'http://u', model: m", ("`engine: openai`",)),
    Mistake("agent", "temperature: 0.7", ("under `sampling:`", "sampling: {temperature: 0.7}")),
    Mistake("agent", "max_new_tokens: 9", ("sampling: {max_tokens: 9}",)),
    Mistake("agent", "sampling: {seed: 3}", ("at the top of the file", "seeds: [0, 1, 2]")),
    Mistake("agent", "sampling: {repetition_penalty: 1.1}", ("extra: {repetition_penalty: 1.1}",)),
    Mistake("agent", "system_message: Hi", ("`system: Hi`",)),
    Mistake("agent", "base_url: 'http://h/v1'", ("model: {engine: openai, url: http://h/v1",)),
    Mistake("agent", "role: assistant", ("`debater`",)),
    Mistake("task", "gsm8k", ("fields are needed", "task: {dataset: gsm8k, path: FILE}")),
    Mistake("task", "mine.csv", ("task: {path: mine.csv",)),
    Mistake("task", "{dataset: mmlu}", ("path: FILE", "mmlu_pro", "truthfulqa_mc2")),
    Mistake("task", "{dataset: cais/mmlu}", ("task: {dataset: mmlu, path: FILE}",)),
    Mistake("task", "{dataset: mmlx}", ('did you mean "mmlu"', "truthfulqa_mc2")),
    Mistake("task", "{dataset: gsm8k, path: q.csv, kind: number}", ("another kind of task",)),
    Mistake("task", "{path: q.csv, kind: multiple_choice}", ("`choice`",)),
    Mistake("task", "{path: q.csv, kind: number, max_samples: 9}", ("`limit: 9`",)),
    Mistake("task", "{path: q.csv, kind: number, split: test}", ("is the split",)),
    Mistake("task", "{path: q.csv, kind: number, answer_column: a}", ("columns: {target: a}",)),
    Mistake("task", "{path: q.csv}", ("kind: choice",)),
    Mistake("task", "{generator: arithmetic, num_questions: 5}", ("`n: 5`",)),
)
