"""A run as one page: tables, pictures and the transcripts behind them, readable offline."""

from debate.report.page import write_report

__all__ = ["write_report"]
