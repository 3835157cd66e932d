"""Agents of one's own: a persona, an agreement dial, a judge, and a prompt set in a folder."""

import shutil
import tempfile
from pathlib import Path

import debate
from debate.agents.prompt_sets import SHIPPED

folder = Path(tempfile.mkdtemp())
shutil.copytree(SHIPPED / "chat", folder / "terse")
(folder / "terse" / "opening.j2").write_text(
    "{{ question.text }}\n\nNo explanations. {% include 'answer_format.j2' %}\n"
)
run = debate.run(
    {
        "models": {"sim": {"engine": "simulated", "competence": 0.55}},
        "agents": [
            {"id": "sceptic", "model": "sim", "persona": "a sceptic", "agreement": 0.1},
            {"id": "pleaser", "model": "sim", "persona": "a diplomat", "agreement": 0.9},
            {"id": "terse", "model": "sim", "prompts": str(folder / "terse")},
            {"id": "judge", "model": {"engine": "simulated", "competence": 0.9}, "role": "judge"},
        ],
        "topology": "judge_panel_feedback",
        "decision": "judge_majority",
        "task": {"generator": "arithmetic", "n": 50},
        "rounds": 1,
        "log": {"prompts": True},
    },
    out=folder / "run",
    quiet=True,
)
turns = run.turns()
print(turns.group_by("agent", "kind").len().sort("agent", "kind"))
print(run.verdicts().filter(final=True).group_by("outcome").len().sort("outcome"))
