"""A run as Python code meets it: frames, estimates, page, one debate."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from debate import log
from debate.errors import DebateError
from debate.installation import require_extra

if TYPE_CHECKING:
    from debate.analysis import Analysis

Frame = Literal["trajectories", "verdicts", "turns", "questions", "beliefs", "debates"]


class Run(log.Run):
    """A run directory, finished or in progress: what `debate.run` and `debate.open_run` return.

    Its frames are of polars. What `debate analyze`, `summarise`, `report` and `show` do, its
    methods of these names do.
    """

    def analyze(self, *, confidence: str = "confidence", **options: Any) -> Analysis:
        """Estimate what the debate did to accuracy and confidence.

        confidence: the estimator, by default the one that all turns carry. options: those of
        `debate.analysis.analyze`. Raises InputError where there is nothing to analyse.
        """
        from debate.analysis.source import read_source

        source = read_source(self.directory).with_confidence(confidence)
        return source.analyze(confidence=confidence, **options)

    def summarise(self) -> None:
        """Print the main questions with their answers, and accuracy and confidence by round."""
        from debate.runner.report_run import print_summary
        from debate.terminal import make_console

        print_summary(self.analyze(), make_console(), source=self.directory)

    def report(self, out: Path | str | None = None, **options: Any) -> Path:
        """Write the page and return its path, by default `report.html` in the run directory.

        options: those of `debate.report.write_report`, which says what it raises.
        """
        from debate.report import write_report
        from debate.runner.prompt_examples import render_examples

        page = None if out is None else Path(out)
        prompts = render_examples(self.directory)
        return write_report(self.directory, out=page, **{"prompts": prompts, **options})

    def show(
        self,
        question: str | int,
        *,
        cell: str | None = None,
        seed: int | None = None,
        prompts: bool = False,
        width: int = 80,
    ) -> None:
        """Print one debate: who said and heard what, and each round's verdict.

        question: an id, the beginning of one alone, or a number from 1. cell, seed: by default the
        first that debated it. Raises InputError where there is no such debate.
        """
        from debate.runner.show_debate import describe_debate, read_debate

        found = read_debate(self, str(question), cell=cell, seed=seed)
        for line in describe_debate(found, width=width, prompts=prompts):
            sys.stdout.write(f"{line}\n")

    def to_pandas(self, frame: Frame = "trajectories") -> Any:
        """Return a frame as a `pandas.DataFrame`. Raises InputError where pandas is absent."""
        require_extra("pandas", "to_pandas")
        return getattr(self, frame)().to_pandas()

    def __repr__(self) -> str:
        told = ", ".join(f"{what} {value}" for what, value in self._describe().items())
        return f"<Run {self.directory}: {told}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(what)}</th><td>{escape(str(value))}</td></tr>"
            for what, value in {"run": self.directory, **self._describe()}.items()
        )
        return f"<table>{rows}</table>"

    def _describe(self) -> Mapping[str, str]:
        """What the manifest and the questions tell in a glance."""
        try:
            manifest, num = self.manifest, len(self.questions_by_id)
        except DebateError as error:
            return {"unreadable": str(error)}
        cells = list(manifest.spec.get("cells") or ()) or ["main"]
        return {
            "status": manifest.status,
            "questions": f"{num:,}",
            "arms": ", ".join(cells[:8]) + (f" and {len(cells) - 8} more" if cells[8:] else ""),
            "agents": ", ".join(manifest.agents),
        }
