"""An agent: a seat with its prompts and what its model can do."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec

from debate.agents.prompt_sets import PromptSet
from debate.agents.untrusted import Written
from debate.config.agents import AgentSpec
from debate.config.protocol import ProtocolSpec
from debate.engines.base import Capabilities, Guided, Request, Sampling, Scene
from debate.types import AgentId, Kind, Message

ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A seat as the orchestrator uses it. `identity` tells its model's weights from others'."""

    spec: AgentSpec
    prompts: PromptSet
    protocol: ProtocolSpec
    identity: str
    capabilities: Capabilities

    @property
    def id(self) -> AgentId:
        """The seat's name."""
        return self.spec.id

    @property
    def answers_first(self) -> bool:
        """Whether the agent opens with an answer of its own."""
        return self.spec.role in ("debater", "tool")

    @property
    def votes(self) -> bool:
        """Whether its answers are ballots: a tool's, a judge's, a confederate's are not."""
        return self.spec.role == "debater" and not self.spec.confederate

    @cached_property
    def sampling(self) -> Sampling:
        """Its sampling with the stops of its prompt set, without a seed."""
        spec = self.spec.sampling
        return Sampling(
            temperature=spec.temperature,
            top_p=spec.top_p,
            top_k=spec.top_k,
            max_tokens=spec.max_tokens,
            stop=(*self.prompts.spec.stop, *spec.stop),
            extra=tuple(spec.extra.items()),
        )

    @cached_property
    def guided(self) -> Guided | None:
        """What its replies keep to, where they are constrained."""
        spec = self.spec.sampling
        return Guided(choice=spec.choice, regex=spec.regex) if spec.is_constrained else None

    @cached_property
    def system_messages(self) -> tuple[Message, ...]:
        """The system prompt, where there is anything to say in it."""
        values = {
            "system": self.spec.system and Written(self.spec.system),
            "persona": self.spec.persona and Written(self.spec.persona),
            "agreement": self.spec.agreement,
            "role": self.spec.role,
        }
        text = self.prompts.render("system", values).strip()
        return (Message(role="system", content=text),) if text else ()


def sampling(agent: Agent, seed: int | None, *, temperature: float | None = None) -> Sampling:
    """The agent's sampling with the stops of its prompt set; greedy sampling needs no seed.

    `temperature` stands over the agent's own.
    """
    base = agent.sampling
    heat = base.temperature if temperature is None else temperature
    if heat == base.temperature and (seed is None or heat <= 0):
        return base
    return replace(base, temperature=heat, seed=seed if heat > 0 else None)


def call_seed(
    *,
    seed: int,
    question: str,
    agent: AgentId,
    round: int,
    kind: Kind,
    about: str | None = None,
) -> int:
    """The seed of one call, in [0, 2³¹): from its place in the debate, not from the cell.

    Cells of one run therefore share whatever they ask alike, first of all the openings.
    """
    name = f"{seed}/{question}/{agent}/{round}/{kind}/{about or ''}"
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") >> 1


def call_hash(agent: Agent, request: Request) -> str:
    """What decides a call's outcome, as 32 hex digits: model, messages, sampling, seed.

    For an engine that sees the scene, also the agent's place and what it has said and heard.
    """
    content = (
        agent.identity,
        request.messages,
        request.prefill,
        request.candidates,
        request.sampling,
        request.guided,
        _scene_content(request.scene) if request.scene else None,
    )
    return hashlib.blake2b(ENCODER.encode(content), digest_size=16).hexdigest()


def _scene_content(scene: Scene) -> tuple[object, ...]:
    said = [(turn.ref, turn.value, turn.accepts, turn.confidences) for turn in scene.turns]
    subject = scene.subject.ref if scene.subject else None
    question = (scene.question.id, scene.question.text, scene.question.target)
    place = (scene.seed, scene.round, scene.kind, scene.agent, scene.about)
    return (*question, *place, subject, scene.heard, *said)
