"""Language models in GGUF, run by llama.cpp in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import xllamacpp

from processors.inference.errors import ModelError
from processors.inference.frameworks.gguf_file import refuse_unsafe
from processors.inference.frameworks.port import Generated, Prompt
from processors.inference.frameworks.stops import Stops
from processors.inference.repository import Entry
from processors.worker.context import HandlerError, Rejected

_CONTEXT_TOKENS = 2048  # where the manifest says none
_PROMPT_TOKENS = 128  # of a question that are read at once: between two such parts it is noticed that nobody waits
_AT_ONCE = 2  # generations of one model; more wait
_TOO_LONG = "exceed_context_size_error"


def check(entry: Entry) -> None:
    """Refuse a file that is no GGUF."""
    assert entry.file is not None
    facts = refuse_unsafe(entry.file, f"The model {entry.manifest.reference}")
    if "general.architecture" not in facts:
        raise ModelError("not_gguf", f"The model {entry.manifest.reference} does not say which architecture it has.")


def load(entry: Entry, threads: int) -> GgufGenerator:
    """Load a model."""
    context = entry.manifest.resources.context_tokens or _CONTEXT_TOKENS
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(entry.file)
    parameters.n_ctx = context * _AT_ONCE
    parameters.n_parallel = _AT_ONCE
    parameters.n_batch = parameters.n_ubatch = _PROMPT_TOKENS
    # Its threads wait for each other by spinning: where one of them has no processor to itself, all become slow.
    count = max(1, threads - 1)
    for each in (parameters.cpuparams, parameters.cpuparams_batch):
        each.n_threads = count
        each.poll = 0
    parameters.cache_ram_mib = 0  # what earlier questions were is nothing to keep
    parameters.warmup = False
    parameters.verbosity = 0
    return GgufGenerator(entry, xllamacpp.Server(parameters), context)


class GgufGenerator:
    """A loaded language model."""

    device = "cpu"

    def __init__(self, entry: Entry, server: Any, context_tokens: int) -> None:
        self.context_tokens = context_tokens
        self._what = f"The model {entry.manifest.reference}"
        self._server = server

    def generate(self, prompt: Prompt, say: Callable[[str], bool]) -> Generated:
        """Continue a conversation."""
        answer = _Answer(say, Stops(prompt.stop))
        request: dict[str, Any] = {
            "messages": list(prompt.messages),
            "max_tokens": min(prompt.max_tokens, self.context_tokens),
            "temperature": prompt.temperature,
            "seed": prompt.seed if prompt.seed is not None else 0xFFFFFFFF,  # which llama.cpp takes for none
            "stream": True,
            "return_progress": True,  # while the question is read, too
            "cache_prompt": False,
        }
        request |= {name: value for name in ("top_k", "top_p") if (value := getattr(prompt, name)) is not None}
        said = self._server.handle_chat_completions(request, answer.take)
        if error := answer.error or (said.get("error") if isinstance(said, dict) else None):
            self._raise(error)
        return answer.ending(self.context_tokens)

    def close(self) -> None:
        """Let go of its memory."""
        del self._server

    def _raise(self, error: dict[str, Any]) -> None:
        if error.get("type") == _TOO_LONG:
            message = f"{self._what} takes {self.context_tokens} tokens, question and answer together"
            message += f", and the question alone has {error.get('n_prompt_tokens')}."
            raise Rejected("text_too_long", message, "Give it a shorter text.")
        raise HandlerError("model_failed", f"{self._what} failed: {error.get('message')}.", retryable=False)


class _Answer:
    """Takes what the server says, piece by piece."""

    def __init__(self, say: Callable[[str], bool], stops: Stops) -> None:
        self.error: dict[str, Any] | None = None
        self._say = say
        self._stops = stops
        self._reason = ""
        self._prompt_tokens = 0
        self._generated = 0
        self._is_heard = True

    def take(self, chunk: dict[str, Any]) -> bool:
        """Take one piece; True ends the generation."""
        if "error" in chunk:
            self.error = chunk["error"]
            return True
        for choice in chunk.get("choices", ()):
            piece = choice.get("delta", {}).get("content") or ""
            self._generated += bool(piece)
            self._tell(self._stops.feed(piece))
            self._reason = choice.get("finish_reason") or self._reason
        # Where a text that was asked for ends the answer, the timings of the last chunk never come.
        self._prompt_tokens = (chunk.get("prompt_progress") or {}).get("total", self._prompt_tokens)
        timings = chunk.get("timings")
        if timings:
            self._prompt_tokens = timings.get("prompt_n", 0) + timings.get("cache_n", 0)
            self._generated = timings.get("predicted_n", self._generated)
        return self._stops.is_met or not self._is_heard

    def ending(self, context_tokens: int) -> Generated:
        """How it ended, with a model that takes so many tokens."""
        if self._stops.is_met:
            reason = "stop_sequence"
        else:
            self._tell(self._stops.rest())
            reason = "length" if self._reason == "length" else "eos_token"
        room = max(0, context_tokens - self._prompt_tokens)
        return Generated(reason, self._prompt_tokens, self._generated, room)

    def _tell(self, text: str) -> None:
        if self._is_heard:
            self._is_heard = self._say(text)
