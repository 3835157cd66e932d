"""Forty ways to get a configuration wrong, and what the error must say."""

from __future__ import annotations

from typing import NamedTuple


class Broken(NamedTuple):
    """One broken file: what is wrong, its text, the line that the error names, words in it."""

    what: str
    text: str
    line: int
    words: tuple[str, ...]


GOOD = """\
name: good
agents:
  - {id: a, model: {engine: simulated}}
  - {id: b, model: {engine: simulated}}
topology: pairwise
task: {generator: arithmetic, n: 4}
rounds: 2
"""


def _but(line: int, new: str) -> str:
    """The good file with one line replaced."""
    lines = GOOD.splitlines()
    lines[line - 1] = new
    return "\n".join(lines) + "\n"


def _plus(text: str) -> str:
    """The good file with something appended from line 8 on."""
    return GOOD + text


def _judging(told: str) -> str:
    """The good file with private judgements, in which critics are told something, on line 8."""
    return _but(7, f"rounds: 1\nprotocol: {{name: cross_critique, judging: {{{told}}}}}")


BROKEN = (
    Broken("a misspelt field", _plus("rouds: 3\n"), 8, ("rouds", 'did you mean "rounds"')),
    Broken("an unknown topology", _but(5, "topology: rnig"), 5, ("rnig", '"ring"')),
    Broken("an unknown card", _but(3, "  - addr"), 3, ("addr", "unknown")),
    Broken("an unknown engine", _but(3, "  - {id: a, model: {engine: vlm}}"), 3, ("vlm", "vllm")),
    Broken("no engine", _but(3, "  - {id: a, model: {}}"), 3, ("engine",)),
    Broken("a seat without a model", _but(3, "  - {id: a}"), 3, ("model", "missing")),
    Broken("a model that is not there", _but(3, "  - {id: a, model: bb}"), 3, ("bb", "models")),
    Broken("a seat twice", _but(4, "  - {id: a, model: {engine: simulated}}"), 4, ('"a"', "id")),
    Broken(
        "no agents",
        _but(2, "agents: []")
        .replace("  - {id: a, model: {engine: simulated}}\n", "")
        .replace("  - {id: b, model: {engine: simulated}}\n", ""),
        2,
        ("at least one",),
    ),
    Broken(
        "agents missing",
        "topology: ring\ntask: {generator: arithmetic, n: 4}\n",
        1,
        ("agents", "missing"),
    ),
    Broken("the task missing", _but(6, "description: no task"), 1, ("task", "missing")),
    Broken("rounds as a word", _but(7, "rounds: three"), 7, ("rounds", "three", "whole number")),
    Broken("a task in a word", _but(6, "task: gsm8k"), 6, ("gsm8k", "fields are needed")),
    Broken("seeds as a number", _plus("seeds: 3"), 8, ("seeds is 3", "a list is needed")),
    Broken(
        "a field of another part",
        _but(6, "task: {path: q.csv, kind: text, columns: {answer: a}}"),
        6,
        ("task.columns.answer", "known: category, cluster, id, options, question, target"),
    ),
    Broken("rounds below zero", _but(7, "rounds: -1"), 7, ("rounds", "-1")),
    Broken("rounds as a truth value", _but(7, "rounds: true"), 7, ("rounds", "True")),
    Broken("a fraction of a round", _but(7, "rounds: 2.5"), 7, ("rounds", "2.5")),
    Broken("an unknown protocol", _plus("protocol: exchnge\n"), 8, ("exchnge", "exchange")),
    Broken(
        "a protocol that cannot be imported", _plus("protocol: nowhere.at_all\n"), 8, ("nowhere",)
    ),
    Broken("a protocol that is no coroutine", _plus("protocol: math.sqrt\n"), 8, ("async def",)),
    Broken(
        "a misspelt word of the protocol",
        _plus("protocol: {speaking: sequentially}\n"),
        8,
        ("sequentially", "sequential"),
    ),
    Broken(
        "a stop that is none", _plus("protocol: {stop: agreement}\n"), 8, ("agreement", "consensus")
    ),
    Broken(
        "a condition that is none",
        _plus("protocol: {debate_if: confidence > 2}\n"),
        8,
        ("confidence > 2", "disagreement"),
    ),
    Broken("an unknown decision", _plus("decision: majorty\n"), 8, ("majorty", "majority")),
    Broken(
        "a field of another decision",
        _plus("decision: {name: majority, threshold: 0.7}\n"),
        8,
        ("threshold",),
    ),
    Broken("a panel without judges", _plus("decision: judge_majority\n"), 5, ("judge",)),
    Broken(
        "beliefs that nobody measures",
        _plus("decision: log_opinion_pool\n"),
        8,
        ("probes: [belief]",),
    ),
    Broken("an unknown probe", _plus("probes: [beliefs]\n"), 8, ("beliefs", "belief")),
    Broken(
        "a probe that the engine cannot answer",
        _but(3, "  - {id: a, model: {engine: scripted, replies: hi}}") + "probes: [belief]\n",
        8,
        ('"a"', "belief"),
    ),
    Broken(
        "a probe that the prompts do not know",
        _but(3, "  - {id: a, prompts: compact, model: {engine: simulated}}") + "probes: [verbal]\n",
        8,
        ("verbal",),
    ),
    Broken(
        "an unknown prompt set",
        _but(3, "  - {id: a, prompts: caht, model: {engine: simulated}}"),
        3,
        ("caht", "chat"),
    ),
    Broken("the same seed twice", _plus("seeds: [1, 1]\n"), 8, ("seed",)),
    Broken("a cell of nobody", _plus("cells:\n  x: {agents: [zed]}\n"), 9, ("zed",)),
    Broken("an edge to nobody", _but(5, "topology: {edges: [a -> bee]}"), 5, ("bee",)),
    Broken("an edge that is no edge", _but(5, "topology: {edges: [a => b]}"), 5, ("a => b",)),
    Broken(
        "an unknown generator",
        _but(5, "topology: {generator: wats_strogatz_graph}"),
        5,
        ("wats_strogatz_graph", "watts_strogatz_graph"),
    ),
    Broken("a task without a source", _but(6, "task: {kind: number}"), 6, ("path",)),
    Broken(
        "a data file that is not there",
        _but(6, "task: {path: none.jsonl, kind: number}"),
        6,
        ("none.jsonl",),
    ),
    Broken(
        "a path that leaves the folder",
        _but(6, "task: {path: ../../etc/passwd, kind: text}"),
        6,
        ("leaves the folder",),
    ),
    Broken(
        "weights named twice",
        _but(3, "  - {id: a, model: {engine: transformers, model: x, path: y}}"),
        3,
        ("exactly one",),
    ),
    Broken(
        "text that is not YAML",
        _but(3, "  - {id: a, model: {engine: simulated}"),
        4,
        ("not valid YAML",),
    ),
    Broken("a key twice", _plus("rounds: 3\n"), 8, ("rounds", "twice", "line 7")),
    Broken(
        "a tag that would run code",
        _plus("description: !!python/object/apply:os.getcwd []\n"),
        8,
        ("not valid YAML", "tag"),
    ),
    Broken("a name with a slash", _but(1, "name: a/b"), 1, ("a/b",)),
    Broken("a list where a mapping should be", "- a\n- b\n", 1, ("mapping",)),
    Broken("nothing", "", 1, ("mapping", "nothing")),
    Broken(
        "a negative temperature",
        _but(3, "  - {id: a, model: {engine: simulated}, sampling: {temperature: -1}}"),
        3,
        ("temperature", "-1"),
    ),
    Broken(
        "a reply in a form that its engine cannot keep to",
        _but(3, "  - {id: a, model: {engine: simulated}, sampling: {regex: '[0-9]+'}}"),
        3,
        ("simulated", "cannot constrain", "vllm"),
    ),
    Broken(
        "a reply constrained in two ways",
        _but(
            3,
            "  - {id: a, model: {engine: vllm, model: m}, "
            "sampling: {regex: '[0-9]+', choice: ['1']}}",
        ),
        3,
        ("choice", "regex", "one"),
    ),
    Broken(
        "a probability above one",
        _but(3, "  - {id: a, model: {engine: simulated, competence: 2}}"),
        3,
        ("competence", "2"),
    ),
    Broken(
        "an endpoint without an address",
        _but(3, "  - {id: a, model: {engine: openai, model: m}}"),
        3,
        ("url", "missing"),
    ),
    Broken(
        "judging in more than one round",
        _but(7, "rounds: 2\nprotocol: cross_critique"),
        7,
        ("rounds: 1",),
    ),
    Broken(
        "judging where nobody judges in private",
        _plus("protocol: {judging: {labels: swapped}}\n"),
        8,
        ("judging", "cross_critique"),
    ),
    Broken(
        "labels swapped that nobody sees", _judging("labels: swapped"), 8, ("anonymous: false",)
    ),
    Broken(
        "more alternatives than there are others",
        _judging("alternatives: others"),
        8,
        ("k is 3", "0 others"),
    ),
    Broken(
        "an unknown kind of alternative", _judging("alternatives: othrs"), 8, ("othrs", "others")
    ),
    Broken(
        "a factor that is none", _plus("sweep: {topolgy: [ring]}\n"), 8, ("topolgy", '"topology"')
    ),
    Broken("a sweep without factors", _plus("sweep: {}\n"), 8, ("at least one factor",)),
    Broken("an unknown arm", _plus("sweep:\n  arm: [self, pear]\n"), 9, ("pear", '"peer"')),
    Broken(
        "a topology in a sweep that is not there",
        _plus("sweep:\n  topology:\n    - star\n    - rnig\n"),
        11,
        ("rnig", '"ring"'),
    ),
    Broken(
        "a level without a name",
        _plus("sweep:\n  topology:\n    - {edges: [a -> b]}\n"),
        10,
        ("name", "topology: {NAME: …}"),
    ),
    Broken("a level twice", _plus("sweep:\n  rounds: [1, 2, 1]\n"), 9, ("r1", "twice")),
    Broken(
        "a level that its factor cannot have",
        _plus("sweep:\n  rounds: [1, -2]\n"),
        9,
        ("-2", "rounds"),
    ),
    Broken(
        "a zip of unequal factors",
        _plus("sweep: {rounds: [1, 2], author: [a, b, c], zip: [rounds, author]}\n"),
        8,
        ("author 3", "rounds 2"),
    ),
    Broken(
        "a zip of a factor without levels",
        _plus("sweep: {rounds: [1, 2], zip: [rounds, team]}\n"),
        8,
        ("team", "no levels"),
    ),
    Broken(
        "an exclusion of nothing there",
        _plus("sweep: {rounds: [1, 2], exclude: [{rounds: 3}]}\n"),
        8,
        ("r3", "r1"),
    ),
    Broken(
        "a team of nobody",
        _plus("sweep:\n  team: {one: [a], two: [a, zed]}\n"),
        9,
        ("zed", "no agent"),
    ),
    Broken(
        "an author who does not debate",
        _plus("sweep:\n  arm: [self]\n  author: [zed]\n"),
        9,
        ("zed", "debater"),
    ),
    Broken(
        "a peer of the same model",
        _but(4, "  - {id: b, model: a}") + "sweep: {arm: [peer]}\n",
        8,
        ("another model", "sibling"),
    ),
    Broken(
        "an arm that would end at once",
        _plus("protocol: {stop: consensus}\nsweep: {arm: [self]}\n"),
        9,
        ("consensus", "self"),
    ),
    Broken(
        "a cell that the sweep makes too",
        _plus("cells: {r1: {rounds: 3}}\nsweep: {rounds: [1, 2]}\n"),
        8,
        ("r1", "sweep"),
    ),
    Broken(
        "a script with neither replies nor states",
        _but(3, "  - {id: a, model: {engine: scripted}}"),
        3,
        ("replies", "states"),
    ),
    Broken(
        "a claim about no estimate",
        _plus(
            "hypotheses:\n  h: {statement: x, estimate: acuracy, cell: main, direction: above,"
            " smallest: 0.1}\n"
        ),
        9,
        ("acuracy", "accuracy"),
    ),
    Broken(
        "a claim about an arm that is not there",
        _plus(
            "cells: {left: {}, right: {}}\nhypotheses:\n  h: {statement: x, estimate: eai, "
            "cell: lef, direction: above, smallest: 0.1}\n"
        ),
        10,
        ("lef", '"left"'),
    ),
    Broken(
        "a control that an estimate cannot have",
        _plus(
            "cells: {left: {}, right: {}}\nhypotheses:\n  h: {statement: x, "
            "estimate: conformity, cell: left, control: right, direction: above, "
            "smallest: 0.1}\n"
        ),
        10,
        ("conformity", "control"),
    ),
    Broken(
        "a claim without what would matter",
        _plus("hypotheses:\n  h: {statement: x, estimate: eai, cell: main, direction: above}\n"),
        9,
        ("smallest", "missing"),
    ),
    Broken(
        "a claim in no direction",
        _plus(
            "hypotheses:\n  h: {statement: x, estimate: eai, cell: main, direction: up, "
            "smallest: 0.1}\n"
        ),
        9,
        ("up", "above"),
    ),
    Broken(
        "no slot for anybody", _plus("cluster: {slots: 0}\n"), 8, ("slots is 0", "greater than 0")
    ),
    Broken(
        "a way of swapping that is none",
        _plus("cluster: {slots: {count: 1, swap: nap}}\n"),
        8,
        ("nap", "sleep", "reload"),
    ),
    Broken(
        "a model that would take turns with itself",
        _plus(
            "cluster: {slots: 1}\nmodels:\n  twin: {engine: simulated, host: actor, replicas: 2}\n"
        ),
        10,
        ("2 replicas", "slots is 1"),
    ),
    Broken("no orchestrator", _plus("cluster: {orchestrators: 0}\n"), 8, ("orchestrators",)),
    Broken("a quorum of nobody", _plus("protocol: {quorum: 0}\n"), 8, ("quorum",)),
    Broken(
        "a critic under exchange",
        _but(3, "  - {id: a, role: critic, model: {engine: simulated}}"),
        5,
        ("critic",),
    ),
)
