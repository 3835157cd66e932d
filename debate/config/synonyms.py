"""What other tools call the fields and values of a configuration, and what is written here instead.

Words are compared in lower case, with `_` for `-`, spaces and the humps of camel case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "name": "run_name experiment experiment_name title",
        "rounds": "n_rounds num_rounds max_rounds debate_rounds number_of_rounds turns n_turns "
        "num_turns max_turns max_round iterations max_iterations num_iterations depth",
        "seeds": "seed random_seed random_seeds num_seeds n_seeds epochs repeats num_repeats "
        "n_repeats trials num_trials num_runs replications",
        "output": "output_dir output_path out_dir out log_dir save_dir results_dir save_path",
        "keep_going": "fail_on_error ignore_errors continue_on_error",
        "max_debates": "max_workers num_workers workers parallelism max_tasks concurrency",
        "probes": "confidence confidences confidence_method elicitation calibration",
        "topology": "graph network structure communication topologies speaker_selection "
        "speaker_selection_method adjacency",
        "decision": "aggregation aggregator voting vote decision_rule consensus_method",
        "protocol": "debate debate_protocol debate_format method",
        "protocol.stop": "early_stopping early_stop termination termination_condition "
        "is_termination_msg stop_condition stopping",
        "cells": "conditions arms variants experiments configurations",
        "task": "tasks",
        "agents": "debaters participants players members team roles",
        "models": "llms model_list engines",
        "agents.count": "num_agents n_agents agent_count number_of_agents num_debaters n_debaters",
        "agents.id": "name agent_name agent_id",
        "agents.role": "judge judges moderator referee",
        "agents.model": "llm llm_config model_client lm config_list",
        "agents.system": "system_prompt system_message sys_prompt instructions prompt instruction",
        "agents.persona": "character backstory profile personality role_description goal",
        "agents.prompts": "prompts prompt_template prompt_set prompt_format template templates "
        "prompt_templates num_fewshot fewshot few_shot num_shots n_shot",
        "agents.sampling": "generation_kwargs gen_kwargs generation_config sampling_params "
        "generate_config model_settings sampling_parameters",
        "agents.sampling.temperature": "temperature temp",
        "agents.sampling.max_tokens": "max_tokens max_new_tokens max_length max_gen_toks "
        "max_output_tokens max_completion_tokens num_predict max_tokens_to_sample",
        "agents.sampling.top_p": "top_p topp nucleus",
        "agents.sampling.top_k": "top_k topk",
        "agents.sampling.stop": "stop_sequences stop_words stop_strings until stop_seqs",
        "agents.sampling.regex": "guided_regex pattern",
        "agents.sampling.choice": "guided_choice",
        "agents.sampling.extra.frequency_penalty": "frequency_penalty",
        "agents.sampling.extra.presence_penalty": "presence_penalty",
        "agents.sampling.extra.repetition_penalty": "repetition_penalty",
        "agents.sampling.extra.min_p": "min_p",
        "models.engine": "provider backend api_type model_type client vendor type framework",
        "models.url": "base_url api_base api_url endpoint azure_endpoint host_url server_url "
        "openai_api_base server uri address",
        "models.model": "model_name model_id deployment deployment_name azure_deployment name "
        "pretrained model_name_or_path checkpoint repo_id hf_model",
        "models.path": "model_path weights weights_path",
        "models.adapter": "lora lora_path lora_adapter peft adapter_path",
        "models.api_key_env": "api_key openai_api_key apikey key api_token token key_env "
        "api_key_var api_key_name hf_token",
        "models.gpus": "num_gpus n_gpus gpu tensor_parallel_size tp tp_size num_gpus_per_worker",
        "models.replicas": "num_replicas n_replicas data_parallel_size dp copies",
        "models.max_in_flight": "max_connections num_concurrent batch_size max_num_seqs "
        "max_concurrent_requests concurrent_requests max_concurrency",
        "models.max_batch_size": "per_device_batch_size",
        "models.timeout_s": "timeout request_timeout timeout_seconds",
        "models.retries": "max_retries num_retries",
        "models.requests_per_minute": "rpm rate_limit max_rpm requests_per_min",
        "models.headers": "default_headers extra_headers",
        "models.template_options": "chat_template_kwargs template_kwargs",
        "models.dtype": "torch_dtype precision",
        "models.device": "device_map",
        "models.price": "cost pricing prices costs",
        "models.price.prompt": "input input_price prompt_price input_cost prompt_cost prompts",
        "models.price.generated": "output completion output_price completion_price output_cost "
        "completion_cost completions",
        "models.engine_kwargs": "model_kwargs vllm_kwargs model_args",
        "models.engine_kwargs.gpu_memory_utilization": "gpu_memory_utilization",
        "models.engine_kwargs.max_model_len": "max_model_len max_model_length context_length",
        "models.engine_kwargs.quantization": "quantization",
        "models.engine_kwargs.enforce_eager": "enforce_eager",
        "models.engine_kwargs.trust_remote_code": "trust_remote_code",
        "task.path": "path data data_path data_file data_files file filename dataset_path "
        "questions input_file",
        "task.dataset": "dataset name dataset_name dataset_id benchmark benchmark_name eval "
        "eval_name",
        "task.kind": "answer_type answer_format answer_kind question_type output_type type",
        "task.limit": "limit n max_samples num_questions n_questions num_samples n_samples samples "
        "max_examples num_examples max_questions subset_size sample_size",
        "task.n": "num_questions n_questions num_samples n_samples samples num_examples "
        "num_problems size count",
        "task.shuffle_options": "shuffle_choices shuffle_answers",
        "task.seed": "shuffle shuffle_seed data_seed",
        "task.filter": "subset where",
        "task.columns": "fields column_names column_mapping mapping",
        "task.columns.question": "question_column input_column question_field input prompt text "
        "problem query stem doc_to_text question_col",
        "task.columns.target": "target_column answer_column label_column answer_field answer label "
        "labels gold correct ground_truth reference solution correct_answer answers doc_to_target",
        "task.columns.options": "options_column choices_column choices choice_columns "
        "option_columns choice doc_to_choice answer_choices",
        "task.columns.category": "subject topic group category_column",
        "task.columns.id": "id_column question_id qid uid",
        "topology.edges": "links connections critiques",
        "topology.generator": "graph_type generator_name",
        "cluster.address": "ray_address ray_init head_address",
        "cluster.namespace": "ray_namespace",
        "budget.dollars": "max_cost cost_limit max_budget dollar_limit usd max_dollars",
        "budget.calls": "max_calls call_limit",
        "budget.tokens": "token_limit max_total_tokens",
        "budget.hours": "time_limit max_hours",
    }
)
"""What a field is called elsewhere, by its place here; a word may have several places."""

EXAMPLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "agents": "agents: [adder, multiplier]",
        "agents.model": "model: {engine: openai, url: 'http://localhost:8000/v1', model: NAME}",
        "agents.sampling": "sampling: {temperature: 0.7, max_tokens: 512}",
        "agents.prompts": "prompts: chat",
        "agents.role": "role: judge",
        "budget": "budget: {dollars: 5}",
        "cells": "cells: {pair: {agents: [a, b]}, alone: {rounds: 0}}",
        "cluster": "cluster: {address: auto}",
        "decision": "decision: majority",
        "hypotheses": "hypotheses: {helps: {statement: It helps., estimate: accuracy_change, "
        "cell: main, direction: above, smallest: 0.05}}",
        "keep_going": "keep_going: true",
        "log": "log: {prompts: true}",
        "models": "models: {m: {engine: openai, url: 'http://localhost:8000/v1', model: NAME}}",
        "models.api_key_env": "api_key_env: MY_KEY",
        "models.engine": "engine: openai",
        "models.headers": "headers: {X-Team: debate}",
        "models.price": "price: {prompt: 0.15, generated: 0.60}",
        "probes": "probes: [verbal]",
        "protocol": "protocol: {name: exchange, stop: consensus}",
        "protocol.stop": "stop: consensus",
        "seeds": "seeds: [0, 1, 2]",
        "task": "task: {path: questions.csv, kind: number}",
        "task.columns": "columns: {question: my_question, target: my_answer}",
        "task.filter": "filter: {subject: [physics, chemistry]}",
        "task.scoring": "scoring: {relative: 0.01}",
        "task.seed": "seed: 0",
        "task.shuffle_options": "shuffle_options: true",
        "topology": "topology: ring",
        "topology.edges": "edges: [a -> b, b -> a]",
    }
)
"""How a field is written, where what stands in its place need not be of its kind."""

NOTES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "agents": "several alike are `agents: [{id: a, model: m, count: 3}]`",
        "agents.prompts": "`chat` has a worked example of each kind of answer, `chat_zero` none",
        "agents.system": "the templates of all messages are its `prompts`",
        "models.api_key_env": "it names the environment variable that holds the key; the key "
        "itself stands in no file",
        "models.price": "in US dollars per million tokens",
        "models.price.prompt": "in US dollars per million tokens",
        "models.price.generated": "in US dollars per million tokens",
        "seeds": "each of them debates every question once",
        "task.dataset": "`path` names the data set's own file; nothing is downloaded",
    }
)
"""What else there is to know of a field."""

REMARKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "split": "the file that `path` names is the split",
        "stream": "replies are read whole; leave it out",
        "streaming": "replies are read whole; leave it out",
        "best_of": "for a vote over samples write `count: 5` in the agent, and `rounds: 0`",
        "functions": "tools that an agent may use are named as in `tools: {python: {}}`",
        "human_input_mode": "a person is asked by a model of theirs, `engine: human`",
        "code_execution_config": "code runs in a sandbox alone: `tools: {python: {timeout_s: 2}}`",
        "verbose": "the command line says how much is shown, as in `--quiet`",
        "system_template": "templates stand in a prompt set's folder, which `prompts` names",
    }
)
"""What to do about a word for which there is no field."""

VALUES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "engine": {
            "openai": "openai_api openai_chat openai_completions openai_chat_completions chatgpt "
            "gpt azure azure_openai azureopenai vllm_openai vllm_server vllm_serve "
            "local_completions local_chat_completions anthropic claude google gemini mistral "
            "ollama openrouter together togetherai groq deepseek fireworks litellm sglang tgi "
            "lmstudio llamacpp llama_cpp http api endpoint openai_compatible",
            "transformers": "hf huggingface hf_auto hugging_face pipeline torch pytorch local peft",
            "vllm": "vllm_vlm vllm_offline",
            "simulated": "mock mockllm fake dummy random test simulation",
        },
        "kind": {
            "choice": "mcq mc multiple_choice multichoice multi_choice abcd letter select "
            "single_choice boolean bool yes_no",
            "number": "numeric numerical int integer float num",
            "text": "string str free open freeform free_form short_answer open_ended exact_match "
            "generate_until qa",
            "math": "latex expression",
        },
        "role": {
            "debater": "assistant participant agent user proponent opponent solver answerer "
            "debator",
            "critic": "reviewer evaluator verifier",
            "judge": "moderator referee arbiter adjudicator",
        },
        "decision": {
            "majority": "majority_vote majority_voting vote voting plurality mode self_consistency",
            "unanimity": "unanimous consensus",
            "judge_majority": "judge moderator referee",
            "confidence_weighted": "weighted weighted_vote confidence_weighted_vote",
            "super_majority": "supermajority",
        },
        "protocol": {
            "exchange": "debate discussion multi_agent_debate mad chat conversation group_chat "
            "round_robin",
            "critique": "self_refine refine reflexion",
        },
        "topology": {
            "complete": "full fully_connected fully_connected_graph all all_to_all mesh clique",
            "chain": "line linear sequential path pipeline",
            "star": "hub hub_and_spoke centralized",
            "ring": "cycle circle circular round_robin",
            "self_loop": "self self_refine single",
            "pairwise": "pair pairs",
            "tree": "hierarchical hierarchy",
            "isolated": "none empty independent",
        },
        "dataset": {
            "arc": "arc_challenge arc_easy ai2_arc",
            "commonsenseqa": "csqa commonsense_qa",
            "gpqa": "gpqa_diamond gpqa_main gpqa_extended",
            "gsm8k": "gsm_8k gsm gsm8k_cot grade_school_math",
            "hellaswag": "hella_swag",
            "math": "math500 math_500 hendrycks_math competition_math minerva_math",
            "mmlu": "hendrycks_test mmlu_test",
            "mmlu_pro": "mmlupro",
            "strategyqa": "strategy_qa",
            "truthfulqa_mc1": "truthfulqa truthful_qa truthfulqa_mc",
        },
        "probes": {
            "verbal": "verbalized verbalised stated self_reported confidence verbal_confidence",
            "p_true": "ptrue p(true)",
            "belief": "logprob logprobs log_probs logits token_probs likelihood",
            "consistency": "self_consistency sampling agreement",
        },
    }
)
"""What a value is called elsewhere, by the field whose values these are."""


class Host(NamedTuple):
    """An endpoint of well-known models.

    words: what it is called before a model's name, as in `openai/gpt-4o`. key: the variable that
    its key usually stands in; None where there is none. names: a pattern of how the names of its
    own models begin; None where it serves those of others.
    """

    url: str
    key: str | None
    words: str
    names: str | None = None


_GEMINI = "https://generativelanguage.googleapis.com/v1beta/openai"
HOSTS: Final[tuple[Host, ...]] = (
    Host("https://api.openai.com/v1", "OPENAI_API_KEY", "openai", r"gpt-[345]|chatgpt|o[134]\b"),
    Host("https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", "anthropic", r"claude\b"),
    Host(_GEMINI, "GEMINI_API_KEY", "gemini google google_ai_studio", r"gemini\b"),
    Host(
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        "mistral mistral_ai",
        r"(?:mistral-(?:large|medium|tiny)|magistral|codestral)\b",
    ),
    Host(
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
        "deepseek",
        r"deepseek-(?:chat|reasoner)\b",
    ),
    Host("https://api.x.ai/v1", "XAI_API_KEY", "xai x_ai", r"grok\b"),
    Host("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "openrouter"),
    Host("https://api.together.xyz/v1", "TOGETHER_API_KEY", "together together_ai togetherai"),
    Host("https://api.groq.com/openai/v1", "GROQ_API_KEY", "groq"),
    Host("http://localhost:11434/v1", None, "ollama ollama_chat"),
    Host("http://localhost:8000/v1", None, "vllm hosted_vllm litellm sglang"),
)
"""Well-known endpoints of this kind."""


class HostedModel(NamedTuple):
    """A model by the name that its host knows, and the endpoint where it is asked."""

    name: str
    url: str
    key: str | None


_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def normalise(word: object) -> str:
    """Return a word as it stands in the tables.

    >>> normalise("Multiple-Choice"), normalise("baseUrl")
    ('multiple_choice', 'base_url')
    """
    parted = _CAMEL.sub("_", str(word).strip())
    return parted.lower().replace("-", "_").replace(" ", "_")


def list_meanings(word: str) -> tuple[str, ...]:
    """List the places of the fields that a word from elsewhere may mean.

    >>> list_meanings("max_new_tokens")
    ('agents.sampling.max_tokens',)
    """
    wanted = normalise(word)
    return tuple(place for place, words in FIELDS.items() if wanted in words.split())


def translate_value(field: str, value: object) -> str | None:
    """Return what a field's value from elsewhere is called here; None where it is not known.

    >>> translate_value("engine", "vllm-openai"), translate_value("dataset", "cais/mmlu")
    ('openai', 'mmlu')
    """
    wanted = normalise(str(value).rpartition("/")[2])
    for name, words in VALUES.get(field, {}).items():
        if wanted == name or wanted in words.split():
            return name
    return None


def find_hosted(name: str) -> HostedModel | None:
    """Return where a model is asked that is called so elsewhere; None for all but hosted ones.

    Known are names of well-known models, bare or after that of a provider, and any after the name
    of a provider that is no organisation of the hub.

    >>> find_hosted("openai/gpt-4o").url, find_hosted("claude-sonnet-4").key
    ('https://api.openai.com/v1', 'ANTHROPIC_API_KEY')
    >>> find_hosted("openai/gpt-oss-20b"), find_hosted("google/gemma-3-4b-it"), find_hosted("o1d")
    (None, None, None)
    """
    provider, _, rest = name.partition("/")
    bare = name.rpartition("/")[2].lower()
    for host in HOSTS:
        is_known = host.names is not None and re.match(host.names, bare) is not None
        is_its_own = rest != "" and normalise(provider) in host.words.split()
        if is_its_own and (is_known or host.names is None):
            return HostedModel(rest, host.url, host.key)
        if is_known and "/" not in name:
            return HostedModel(name, host.url, host.key)
    return None
