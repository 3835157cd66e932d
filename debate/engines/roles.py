"""Messages for models that know no system role, or no two messages of one speaker in a row."""

from __future__ import annotations

import re
from collections.abc import Sequence

from debate.types import Message

FOLDED = "system text and repeated turns joined to the user's: their roles were refused"
"""The note of a call whose messages were folded because the model refused their roles."""

_REFUSAL = re.compile(
    r"(system|developer)\W{0,3}\s?(role|prompt|message|instruction)"
    r"|roles? must alternate|must alternate between|alternate user"
    r"|only user(,| and| or) (assistant|model)"
    r"|(unexpected|unknown|invalid|unsupported|unrecognized) (message )?role"
    r"|\brole\b.{0,60}(not supported|unsupported|not allowed|invalid|not permitted)"
    r"|consecutive (user|assistant) messages|same role in a row",
    re.IGNORECASE | re.DOTALL,
)


def is_role_refusal(message: str) -> bool:
    """Whether an error says that a role, or the order of roles, is not accepted.

    >>> is_role_refusal("Conversation roles must alternate user/assistant/user/assistant")
    True
    """
    return bool(_REFUSAL.search(message))


def fold_roles(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Put system text at the head of the next user message; join what one speaker says in a row.

    Texts are joined by an empty line. System text after which nobody speaks becomes the user's.

    >>> asked = (Message(role="system", content="Be brief."), Message(role="user", content="1+1?"))
    >>> [(each.role, each.content) for each in fold_roles(asked)]
    [('user', 'Be brief.\\n\\n1+1?')]
    """
    folded: list[Message] = []
    for message in messages:
        role = "user" if message.role == "system" else message.role
        if folded and folded[-1].role == role:
            content = f"{folded[-1].content}\n\n{message.content}"
            folded[-1] = Message(role=role, content=content)
        else:
            folded.append(Message(role=role, content=message.content))
    return tuple(folded)
