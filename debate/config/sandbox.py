"""Where code that a model wrote is run, what it may take, and the tools that agents may use."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from debate.config.spec import Spec
from debate.sandbox import SandboxName
from debate.sandbox.values import Limits

MAX_CALLS = 20
"""The most calls of one tool in a turn."""


class SandboxSpec(Spec):
    """A sandbox and the limits of each program in it."""

    sandbox: SandboxName = "monty"
    """Where code runs: `monty` (a subset of Python, from the extra `tools`) or `bubblewrap` (all of
    Python, on Linux where its program `bwrap` isolates)."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Seconds after which a program is ended."""
    memory_mb: Annotated[int, Field(ge=16, le=8192)] = 128
    """Megabytes of memory that a program may take."""

    @property
    def limits(self) -> Limits:
        """The limits of one program."""
        return Limits(time_s=self.timeout_s, memory_mb=self.memory_mb)


class PythonTool(SandboxSpec):
    """Python that an agent writes and is told the output of, within its turn."""

    max_calls: Annotated[int, Field(ge=1, le=MAX_CALLS)] = 3
    """The most programs that are run in one turn."""


class CalculatorTool(Spec):
    """Exact arithmetic that an agent asks for and is told the result of, within its turn."""

    max_calls: Annotated[int, Field(ge=1, le=MAX_CALLS)] = 3
    """The most calculations that are made in one turn."""


class ToolsSpec(Spec):
    """The tools that an agent may use in its turns."""

    python: PythonTool | None = None
    """Run Python that it writes; by default it cannot. `{}` takes the defaults."""
    calculator: CalculatorTool | None = None
    """Calculate what it writes; by default it cannot. `{}` takes the defaults."""
