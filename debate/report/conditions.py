"""Conditions and models of a recorded configuration, each in a sentence for readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from debate.report.glossary import list_values
from debate.text import clean, count_noun, join_names, shorten, split_names

NOT_SHOWN = split_names(
    "host replicas gpus cpus max_in_flight timeout_s max_restarts max_failures pause_s price "
    "threads max_batch_size engine latency_s"
)
"""Settings of a model that say where and how fast it runs, and what is told anyway."""
SECRET = ("api_key_env", "headers", "proxy")
"""Settings that are nobody else's business."""
PROTOCOLS = {
    "critique": "each critic writes a critique, and the author answers again",
    "repeat": "everybody answers anew and hears nothing",
    "restate": "an author is told its last answer alone, as nobody's in particular",
    "filter": "critics judge in private; where they reject its answer, the author answers anew",
    "cross_critique": "critics judge each opening in private; nobody hears them",
}
"""What else happens than that agents hear one another's answers and answer again."""
ALTERNATIVES = {
    "own": "fresh samples of the critic itself",
    "others": "other agents' openings",
    "padding": "lines of noise, as many and as long as answers would be",
}

LABELS = {
    "swapped": "an own answer passes for another's, and others' for one's own",
    "own": "every answer is said to be the critic's own",
    "others": "every answer is said to be another agent's",
}


def describe_condition(spec: Mapping[str, Any], name: str) -> str:
    """Return what a condition shows an agent: the configuration's own words, else made from it.

    spec: of the run, with complete cells, as its manifest holds it.
    """
    cell = (spec.get("cells") or {}).get(name)
    if not isinstance(cell, Mapping):
        return ""
    if told := str(cell.get("description") or "").strip():
        return clean(" ".join(told.split()))
    parts = filter(None, (*_describe_members(cell), _describe_length(cell, spec)))
    return clean(f"{'; '.join(parts)}.")


def _describe_members(cell: Mapping[str, Any]) -> Iterator[str]:
    members = [str(agent) for agent in cell.get("agents") or ()]
    arm, author = cell.get("arm"), cell.get("author")
    if arm:
        shown = list_values("The arms").get(arm)
        others = [agent for agent in members if agent != author]
        yield f"{author} is shown {shown}" if shown else f"the arm {arm} around {author}"
        if others:
            yield f"with it in the team: {join_names(others)}"
    else:
        num = len(members)
        yield f"{count_noun(num, 'agent')}: {join_names(members)}"
        yield _describe_edges(_get_mapping(cell, "topology"))
        yield _describe_carried(_get_mapping(cell, "topology"))
    yield from _describe_protocol(_get_mapping(cell, "protocol"), is_arm=bool(arm))


def _describe_edges(topology: Mapping[str, Any]) -> str:
    """Who hears whom, in the topology's own words where it has some."""
    if told := str(topology.get("description") or "").strip().rstrip("."):
        return f"{told[0].lower()}{' '.join(told[1:].split())}"
    written = [str(_get_edge(edge)) for edge in topology.get("edges") or ()]
    if not written:
        return "" if topology.get("generator") or topology.get("rounds") else "nobody hears anybody"
    if all(edge.replace("<", "").endswith("-> itself") for edge in written):
        return "each hears only itself"
    return f"who critiques whom: {join_names(written)}"


def _describe_carried(topology: Mapping[str, Any]) -> str:
    """What edges carry, where that is less than all."""
    edges = [edge for edge in topology.get("edges") or () if isinstance(edge, Mapping)]
    layers = [_get_mapping(topology, "defaults"), *edges]
    said = (" and ".join(layer.get("carries") or ()).replace("_", " ") for layer in layers)
    found = [each for each in dict.fromkeys(said) if each]
    return f"edges carry {join_names(found)} alone" if found else ""


def _get_edge(edge: object) -> object:
    return edge.get("edge") if isinstance(edge, Mapping) else edge


def _describe_protocol(protocol: Mapping[str, Any], *, is_arm: bool) -> Iterator[str]:
    """What this condition does otherwise than that all hear all answers of those they hear."""
    name, view = str(protocol.get("name", "exchange")), _get_mapping(protocol, "view")
    if name != "exchange" and not (is_arm and name in ("repeat", "restate")):
        yield PROTOCOLS.get(name, f"protocol {name}")
    yield from _describe_judging(_get_mapping(protocol, "judging"))
    if view.get("noise") and not is_arm:
        yield "random text takes the place of what would be heard"
    if view.get("answers_only"):
        yield "only answers are heard, without their reasons"
    if view.get("rounds") == "last":
        yield "only the last round is shown"
    if view.get("max_critics"):
        yield f"at most {view['max_critics']} critics are heard"
    if protocol.get("speaking") == "sequential":
        yield "they speak one after another"
    if protocol.get("anonymous") is False:
        yield "speakers are named"
    if protocol.get("show_confidence"):
        yield "confidences are stated and heard"
    if protocol.get("stop") not in (None, "never"):
        yield f"a debate stops at {str(protocol['stop']).replace('_', ' ')}"
    if protocol.get("debate_if"):
        yield f"a debate goes on only on {protocol['debate_if']}"


def _describe_judging(judging: Mapping[str, Any]) -> Iterator[str]:
    if kind := judging.get("alternatives"):
        yield f"beside the answer stand {judging.get('k', '')} {ALTERNATIVES.get(kind, kind)}"
    if told := LABELS.get(judging.get("labels", "")):
        yield told


def _describe_length(cell: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    rounds = cell.get("rounds", spec.get("rounds"))
    if not isinstance(rounds, int):
        return ""
    if not rounds:
        return "" if cell.get("arm") == "single" else "openings only"
    return f"{count_noun(rounds, 'round')} after the openings"


def _get_mapping(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, Mapping) else {}


def describe_model(model: Mapping[str, Any]) -> str:
    """Return what a model is: its weights or its name at an endpoint, its engine, what it is asked.

    >>> describe_model({"engine": "openai", "model": "m-7b", "url": "http://h/v1", "gpus": 1})
    'm-7b at http://h/v1 (engine openai)'
    """
    named = model.get("model") or PurePath(str(model.get("path") or "")).name
    where = f" at {model['url']}" if model.get("url") else ""
    settings = [
        f"{name} {shorten(value, 40)}"
        for name, value in model.items()
        if name not in (*NOT_SHOWN, *SECRET, "model", "path", "url") and _is_telling(value)
    ]
    engine = f"engine {model.get('engine')}"
    if not named:
        return clean(", ".join((engine, *settings)))
    return clean(f"{shorten(named, 120)}{where} ({', '.join((engine, *settings))})")


def describe_sampling(agent: Mapping[str, Any]) -> str:
    """Return the sampling of an agent as "temperature 1, at most 24 tokens"."""
    sampling = dict(_get_mapping(agent, "sampling"))
    parts = [f"temperature {sampling.pop('temperature', None) or 0:g}"]
    if tokens := sampling.pop("max_tokens", None):
        parts.append(f"at most {tokens} tokens")
    if sampling.get("top_p") == 1.0:
        del sampling["top_p"]
    parts += [f"{k} {shorten(v, 40)}" for k, v in sampling.items() if _is_telling(v)]
    return clean(", ".join(parts))


def _is_telling(value: object) -> bool:
    """Whether a setting says anything: it is not absent, empty, or off."""
    return value not in (None, "", "auto", False, 0) and value not in ([], {}, ())
