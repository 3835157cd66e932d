"""From trajectories to estimates: calibration, amplification, drift, flips, conformity, where."""

from debate.analysis.contrasts import Comparison
from debate.analysis.hypotheses import Finding
from debate.analysis.schema import Estimate, estimates_frame, trajectories_frame, verdicts_frame
from debate.analysis.source import analyze_run
from debate.analysis.summary import Analysis, analyze

__all__ = [
    "Analysis",
    "Comparison",
    "Estimate",
    "Finding",
    "analyze",
    "analyze_run",
    "estimates_frame",
    "trajectories_frame",
    "verdicts_frame",
]
