"""Text generation: an answer to a text, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from processors.inference.frameworks.port import Generated, Generator, Prompt
from processors.inference.model import Model
from processors.inference.tasks.task import Asked, Task

USUAL_TOKENS = 256


def write(model: Model, prompt: Prompt, asked: Asked) -> tuple[str, Generated]:
    """The text that a model writes, and how it ended; each piece is told as it comes."""
    pieces: list[str] = []

    def say(piece: str) -> bool:
        pieces.append(piece)
        asked.on_text(piece)
        return True

    done = cast(Generator, model.runs.session).generate(prompt, say)
    model.runs.tokens[0] += done.prompt_tokens
    model.runs.written += done.generated_tokens
    is_asked = asked.parameters.max_tokens is not None
    if prompt.max_tokens > done.room_tokens and (is_asked or done.finish_reason == "length"):
        model.room = min(done.room_tokens, done.room_tokens if model.room is None else model.room)
    return "".join(pieces), done


def _generate(model: Model, texts: Sequence[str], asked: Asked) -> list[Any]:
    wanted = asked.parameters
    answers: list[Any] = []
    for text in texts:
        system = [{"role": "system", "content": wanted.system}] if wanted.system else []
        prompt = Prompt(
            messages=[*system, {"role": "user", "content": text}],
            max_tokens=wanted.max_tokens or USUAL_TOKENS,
            temperature=wanted.temperature or 0.0,
            top_k=wanted.top_k,
            top_p=wanted.top_p,
            seed=wanted.seed,
            stop=wanted.stop or (),
        )
        written, done = write(model, prompt, asked)
        details = {
            "finish_reason": done.finish_reason,
            "generated_tokens": done.generated_tokens,
            "prefill": [],
            "tokens": [],
            **({"seed": wanted.seed} if wanted.seed is not None else {}),
        }
        answers.append({"generated_text": written, "details": details})
    return answers


def _text(answer: Any) -> str:
    return str(answer["generated_text"])


TASK = Task(
    "text",
    _generate,
    _text,
    chunk=1,
)
