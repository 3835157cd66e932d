"""MATH (Hendrycks et al. 2021, arXiv 2103.03874): competition problems with worked solutions."""

from __future__ import annotations

from debate.tasks.items import DataRow, Item, require_text, to_text
from debate.tasks.number import normalise_number

_BOXES = ("\\boxed", "\\fbox")


def to_item(row: DataRow) -> Item:
    r"""Return one problem; its target is the column `answer`, or the last box of the solution.

    A target that states a number is compared as one, any other as a text: an expression that is
    equal but written otherwise counts as wrong.

    >>> cells = {"problem": "1/2?", "solution": r"It is $\boxed{\frac{1}{2}}$.", "type": "Algebra"}
    >>> to_item(DataRow("1.json, entry 1", cells)).kind
    'number'
    """
    cells = row.cells
    target = to_text(cells.get("answer")) or find_last_box(require_text(row, "solution"))
    if not target:
        raise ValueError("the solution must hold its answer in \\boxed{…}")
    return Item(
        id=cells.get("unique_id"),
        text=require_text(row, "problem"),
        kind="text" if normalise_number(target) is None else "number",
        target=target,
        category=cells.get("subject") or cells.get("type"),
    )


def find_last_box(solution: str) -> str | None:
    r"""Return what the last box holds, with its braces paired; None where there is no whole box.

    >>> find_last_box(r"\boxed{1} and \boxed{\frac{1}{2}}"), find_last_box(r"\boxed 7.")
    ('\\frac{1}{2}', '7')
    """
    start = max(solution.rfind(box) + len(box) * (box in solution) for box in _BOXES)
    rest = solution[start:].lstrip() if start > 0 else ""
    if not rest.startswith("{"):
        return rest.split("$")[0].rstrip(" .") or None
    depth = 0
    for place, sign in enumerate(rest):
        depth += (sign == "{") - (sign == "}")
        if depth == 0:
            return rest[1:place]
    return None
