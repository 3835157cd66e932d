"""No configuration, however written, hangs, runs code, leaves its folder or ends badly."""

from __future__ import annotations

import json
import os
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from debate.config.document import MAX_BYTES, MAX_DEPTH, MAX_NODES, parse_document, read_document
from debate.config.loader import load_run
from debate.config.run import RunSpec
from debate.errors import ConfigError, InputError
from debate.runner.plan import make_plan
from tests.config.broken import GOOD
from tests.hostile.corpus import NASTY, PATHS
from tests.hostile.strategies import nasty_texts

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n"
    for a, b in zip(string.ascii_lowercase, string.ascii_lowercase[1:10], strict=False)
)
TEXTS = {
    "a billion laughs": LAUGHS,
    "an alias in itself": "a: &a [*a]\n",
    "a deep list": "[" * 5000,
    "a deep mapping": "{a: " * 500 + "1" + "}" * 500,
    "an endless number": GOOD.replace("rounds: 2", "rounds: " + "9" * 5000),
    "an endless number in base 16": GOOD.replace("rounds: 2", "rounds: 0x" + "f" * 6000),
    "a date that is none": GOOD.replace("rounds: 2", "rounds: 2020-99-99"),
    "a word as a number": GOOD.replace("rounds: 2", 'rounds: !!int "abc"'),
    "a word as a date": GOOD + 'description: !!timestamp "abc"\n',
    "a word as a truth value": GOOD + 'description: !!bool "abc"\n',
    "bytes": GOOD + 'description: !!binary "aGVsbG8="\n',
    "a set": GOOD + "models: !!set {a, b}\n",
    "pairs": GOOD + "models: !!pairs [a: 1]\n",
    "a mapping that is a word": GOOD + "models: !!map abc\n",
    "a call": GOOD + "description: !!python/object/apply:os.getcwd []\n",
    "half a character": GOOD.replace("name: good", 'name: "\\ud800"'),
    "a null character in a path": GOOD.replace(
        "{generator: arithmetic, n: 4}", '{path: "a\\0b.csv", kind: text}'
    ),
    "infinite temperature": GOOD.replace("{id: a,", "{id: a, sampling: {temperature: .inf},"),
    "a name that is the folder above": GOOD.replace("name: good", "name: .."),
    "a name that is the folder": GOOD.replace("name: good", "name: ."),
    "more seats than a table has": GOOD.replace("{id: a,", "{id: a, count: 100000000,"),
    "more seats, written out": GOOD.replace(
        "  - {id: b, model: {engine: simulated}}\n", "  - {id: b, model: m}\n" * 1500
    ),
    "more questions than there are": GOOD.replace("n: 4", "n: 100000000000"),
    "more replicas than there are machines": GOOD.replace(
        "simulated}", "simulated, replicas: 9999999}"
    ),
    "a graph of millions": GOOD.replace(
        "topology: pairwise", "topology: {generator: complete_graph, args: {n: 100000000}}"
    ),
    "a graph of 2 to the 60": GOOD.replace(
        "topology: pairwise", "topology: {generator: hypercube_graph, args: {n: 60}}"
    ),
    "an edge of blanks": GOOD.replace("pairwise", f"{{edges: ['a{' ' * 200_000}b']}}"),
    "a condition of blanks": GOOD.replace(
        "pairwise", f"{{edges: [{{edge: a -> b, when: 'confidence{' ' * 200_000}0'}}]}}"
    ),
    "a prompt set elsewhere": GOOD.replace("{id: a,", "{id: a, prompts: ../../../etc,"),
    "a card elsewhere": GOOD.replace("  - {id: b, model: {engine: simulated}}", "  - ../../x.yaml"),
    "a topology elsewhere": GOOD.replace("pairwise", "../../../x.yaml"),
    "a cache elsewhere": GOOD + "log: {cache: ../../cache}\n",
    "a key in place of its variable": GOOD.replace(
        "{engine: simulated}",
        "{engine: openai, model: m, url: 'http://x/v1', api_key_env: sk-live-0123456789abcdefgh}",
    ),
}


def _arguments(engine: str, arguments: str) -> str:
    """A model whose engine is given arguments."""
    return f"models: {{m: {{engine: {engine}, model: x/y, engine_kwargs: {arguments}}}}}\n"


CODE = {
    "a protocol": ("protocol: my.module\n", 8),
    "a cell's protocol": ("cells: {x: {protocol: my.module}}\n", 8),
    "a runtime environment": ("cluster: {runtime_env: {pip: [evil]}}\n", 8),
    "a loader's variable": ("cluster: {env: {LD_PRELOAD: /tmp/evil.so}}\n", 8),
    "a path's variable": ("cluster: {env: {PYTHONPATH: /tmp}}\n", 8),
    "a strange cluster": ("cluster: {address: 'ray.example:6379'}\n", 8),
    "OpenSSL's modules": ("cluster: {env: {OPENSSL_CONF: evil.cnf}}\n", 8),
    "a cache of compiled code": ("cluster: {env: {TRITON_CACHE_DIR: /tmp}}\n", 8),
    "the user's folder": ("cluster: {env: {HOME: /tmp}}\n", 8),
    "another hub": ("cluster: {env: {HF_ENDPOINT: 'http://x', HF_TOKEN: null}}\n", 8),
    "a path in an allowed variable": ("cluster: {env: {VLLM_LOGGING_LEVEL: ./x}}\n", 8),
    "overridden configuration": (_arguments("vllm", "{hf_overrides: {auto_map: x}}"), 8),
    "pickled weights": (_arguments("vllm", "{load_format: pt}"), 8),
    "pickled weights in transformers": (_arguments("transformers", "{use_safetensors: false}"), 8),
    "an attention from the hub": (_arguments("transformers", "{attn_implementation: evil}"), 8),
    "remote code": (_arguments("vllm", "{trust_remote_code: true}"), 8),
    "a worker's class": (_arguments("vllm", "{worker_cls: evil}"), 8),
    "a plug-in": (_arguments("vllm", "{tool_parser_plugin: evil}"), 8),
    "a dotted name": (_arguments("vllm", "{load_format: a.b}"), 8),
    "a nested name": (_arguments("vllm", "{a: {b: ['m:f']}}"), 8),
    "transformers' remote code": (_arguments("transformers", "{trust_remote_code: true}"), 8),
}
HARMLESS = """\
models: {m: {engine: vllm, model: x/y, engine_kwargs: {max_model_len: 4096, dtype: auto,
  enforce_eager: true, trust_remote_code: false, quantization: fp8}}}
cluster: {env: {HF_HUB_OFFLINE: "1"}}
protocol: critique
"""


def planned(text: str, folder: Path, **more: Any) -> Any:
    path = folder / "run.yaml"
    path.write_text(text, errors="surrogatepass")
    return make_plan(load_run(path, **more))


@pytest.mark.parametrize("what", TEXTS)
def test_hostile_yaml_is_refused_in_a_line(what: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        planned(TEXTS[what], tmp_path)
    assert "run.yaml" in str(caught.value)
    assert len(str(caught.value)) < 2000
    assert "sk-live" not in str(caught.value)


def test_sizes_are_bounded() -> None:
    """What is too long is a list by aliases, which is read much sooner than one written out."""
    long = f"- &a [{'x,' * 1000}]\n" + "- *a\n" * (MAX_NODES // 1000)
    for text in (LAUGHS, "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), long):
        with pytest.raises(ConfigError, match=r"expands to|nested deeper"):
            parse_document(text, source="x", folder=Path())


def test_only_a_regular_file_is_a_configuration(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "device.yaml").symlink_to("/dev/zero")
    for name, what in {"pipe.yaml": "a named pipe", "device.yaml": "a device"}.items():
        with pytest.raises(ConfigError, match=f"is no regular file but {what}"):
            read_document(tmp_path / name)
    (tmp_path / "large.yaml").write_text("#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match=r"larger than 1,000,000 bytes"):
        read_document(tmp_path / "large.yaml")


@pytest.mark.parametrize("what", CODE)
def test_code_of_ones_own_can_be_forbidden(what: str, tmp_path: Path) -> None:
    text, line = CODE[what]
    used = text if "models" not in text else text + "# no seat need use it\n"
    with pytest.raises(ConfigError, match="--no-custom-code forbids it") as caught:
        planned(GOOD + used, tmp_path, custom_code=False)
    assert f"run.yaml:{line}: " in str(caught.value)


def test_what_is_only_data_is_not_forbidden(tmp_path: Path) -> None:
    assert planned(GOOD + HARMLESS, tmp_path, custom_code=False).num_debates == 4
    assert planned(GOOD, tmp_path, custom_code=False).num_debates == 4


def test_a_protocol_is_not_even_imported_where_code_is_forbidden(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    text = GOOD + "protocol: evil.protocol\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        with pytest.raises(ConfigError, match="forbids it"):
            planned(text, tmp_path, custom_code=False)
    assert not (tmp_path / "ran").exists()


def test_a_link_out_of_the_folder_is_no_way_out(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "card.yaml").write_text("model: {engine: simulated}\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path / "secret")
    text = GOOD.replace("  - {id: b, model: {engine: simulated}}", "  - link/card.yaml")
    with pytest.raises(ConfigError, match="leaves the folder"):
        planned(text, inside)


@pytest.mark.parametrize("path", [p for p in PATHS if "/" in p or "\\" in p or p.startswith(".")])
def test_a_name_is_no_path(path: str, tmp_path: Path) -> None:
    for field in ("name", "description"):
        text = GOOD.replace("name: good", f"{field}: {json.dumps(path)}")
        if field == "name":
            with pytest.raises(ConfigError):
                planned(text, tmp_path)
    cells = f"cells: {{{json.dumps(path)}: {{}}}}\n"
    with pytest.raises(ConfigError):
        planned(GOOD + cells, tmp_path)


@given(nasty_texts)
def test_any_text_as_yaml_is_a_document_or_an_error(text: str) -> None:
    try:
        parse_document(text, source="x.yaml", folder=Path())
    except ConfigError as error:
        assert str(error).startswith("x.yaml")  # noqa: PT017 - it may raise


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | nasty_texts
    | st.sampled_from([*(text for text in NASTY if len(text) < 99), "ring", "chat", "a", "adder"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(nasty_texts, inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    "name",
    "agents",
    "models",
    "topology",
    "task",
    "protocol",
    "rounds",
    "decision",
    "cells",
    "probes",
    "seeds",
    "output",
    "log",
    "cluster",
    "max_debates",
    "sweep",
    "hypotheses",
)
INNER = (
    ("agents", 0, "id"),
    ("agents", 0, "model"),
    ("agents", 0, "model", "engine"),
    ("agents", 0, "sampling"),
    ("agents", 0, "prompts"),
    ("agents", 0, "role"),
    ("task", "n"),
    ("task", "generator"),
    ("task", "path"),
    ("agents", 0),
    ("agents", 0, "count"),
    ("agents", 0, "model", "timeout_s"),
)


@given(st.sampled_from([*((field,) for field in FIELDS), *INNER]), VALUES)
def test_any_value_in_any_field_is_a_plan_or_an_error(place: tuple[Any, ...], value: Any) -> None:
    config = yaml.safe_load(GOOD)
    holder = config
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    try:
        make_plan(load_run(config))
    except InputError as error:
        assert str(error)  # noqa: PT017 - it may raise


def test_a_mapping_in_itself_or_of_many_levels_is_refused(tmp_path: Path) -> None:
    loop: dict[str, Any] = {}
    loop["agents"] = [loop]
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    for source in (loop, deep):
        with pytest.raises(ConfigError, match=f"nested deeper than {MAX_DEPTH} levels"):
            load_run(source)
    laughs: list[Any] = ["x"] * 9
    for _ in range(20):
        laughs = [laughs] * 9
    with pytest.raises(ConfigError, match="more than 2,000,000 values"):
        load_run({"agents": laughs})
    with pytest.raises(ConfigError, match=f"nested deeper than {MAX_DEPTH} levels"):
        load_run("quickstart", [".".join("a" * 5000) + "=1"])


def test_numbers_of_numpy_and_paths_are_taken_from_python(tmp_path: Path) -> None:
    config = {
        "agents": [{"id": "a", "model": {"engine": "simulated", "competence": np.float32(0.5)}}],
        "topology": "self_loop",
        "task": {"generator": "arithmetic", "n": np.int64(2)},
        "rounds": np.int32(1),
        "seeds": np.arange(2),
        "output": tmp_path / "out",
    }
    spec = load_run(config).spec
    assert (spec.rounds, spec.seeds, spec.output) == (1, (0, 1), str(tmp_path / "out"))


def test_a_folder_of_pickled_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "pytorch_model.bin").touch()
    text = GOOD + "models: {m: {engine: transformers, path: w}}\n"
    with pytest.raises(ConfigError, match=r"run\.yaml:8: .*pytorch_model\.bin.*--no-custom-code"):
        planned(text, tmp_path, custom_code=False)
    (tmp_path / "w" / "model.safetensors").touch()
    assert load_run(tmp_path / "run.yaml", custom_code=False)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("address: 0.0.0.0", "others in the network could reach the page"),
        ("hosts: [lab]", "is to have no further names"),
        ("token_env: USER", r"\$USER, .* may be guessed"),
        ("address: '::1', token_env: PAGE_TOKEN", None),
    ],
)
def test_a_page_for_a_person_is_for_whoever_runs_it(
    fields: str, told: str | None, tmp_path: Path
) -> None:
    text = GOOD + f"models: {{m: {{engine: human, via: web, {fields}}}}}\n"
    (tmp_path / "run.yaml").write_text(text)
    assert load_run(tmp_path / "run.yaml")
    if told is None:
        assert load_run(tmp_path / "run.yaml", custom_code=False)
    else:
        with pytest.raises(ConfigError, match=rf"run\.yaml:8: .*{told}.*--no-custom-code"):
            load_run(tmp_path / "run.yaml", custom_code=False)


REFUSED = {
    "CellSpec": "arm",
    "ClusterSpec": "address env runtime_env",
    "CustomModel": "engine options",
    "DatasetTask": "dataset",
    "DecisionSpec": "name",
    "FactorLevels": "arm",
    "HumanModel": "address hosts token_env",
    "ProbeSpec": "name",
    "ProtocolSpec": "name",
    "SweepSpec": "arm",
    "TopologySpec": "generator",
    "TransformersModel": "adapter engine_kwargs model path",
    "VllmModel": "adapter engine_kwargs model path",
}
"""Fields that `--no-custom-code` refuses where they name code, or what could load some."""
DATA = {
    "AgentSpec": "card description group id model past_of persona prompts system",
    "CellSpec": "agents author description factors",
    "ClusterSpec": "namespace",
    "ColumnsSpec": "category cluster id options question target tests",
    "DatasetTask": "filter path",
    "DecisionSpec": "confidence weights",
    "EdgeSpec": "edge",
    "FactorLevels": "anonymous author decision protocol read rounds show_confidence team topology",
    "GeneratorTask": "families filter",
    "HypothesisSpec": "cell control estimate source statement subject",
    "LogSpec": "cache",
    "OpenaiModel": "api_key_env ca_file chat_template extra_body headers model proxy url",
    "ProtocolSpec": "debate_if",
    "ReplayModel": "agent path",
    "RunSpec": "cells description hypotheses models name output",
    "SamplingSpec": "choice extra regex stop",
    "ScriptedModel": "replies",
    "SweepSpec": (
        "anonymous author decision exclude protocol read rounds show_confidence team topology"
    ),
    "TableTask": "filter path",
    "TopologySpec": "among args description split",
    "TransformersModel": "device revision template_options",
    "VllmModel": "revision template_options",
}
"""Fields that stand in prompts, requests, names or places of data, and never name code."""


def walk_fields(spec: type[BaseModel], seen: set[type]) -> Iterator[str]:
    """Yield each field below a spec that can hold a text of the user's own."""
    seen.add(spec)
    for name, field in spec.model_fields.items():
        types = list(walk_types(field.annotation))
        if any(each in (str, Any) for each in types):
            yield f"{spec.__name__}.{name}"
        for each in types:
            if isinstance(each, type) and issubclass(each, BaseModel) and each not in seen:
                yield from walk_fields(each, seen)


def walk_types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inside in get_args(annotation):
        yield from walk_types(inside)


def test_it_is_decided_of_every_field_whether_it_could_run_code() -> None:
    decided = [
        f"{spec}.{name}"
        for fields in (REFUSED, DATA)
        for spec, names in fields.items()
        for name in names.split()
    ]
    assert sorted(set(walk_fields(RunSpec, set()))) == sorted(decided)
