"""llama-server over HTTP, with the requests and the cache of llama.vim before it."""

import http.client
import json
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from .side import Answer, Place, Side, ms_since


@dataclass
class Context:
    """What llama.vim sends of a place."""

    prefix: str
    middle: str
    suffix: str
    n_indent: int
    # Of a line of blanks only, which isn't sent, the blanks.
    blanks: str
    # How many characters of the file stand before the caret.
    at: int

    @property
    def before(self) -> str:
        """The text before the caret, as far as it is sent."""
        return self.prefix + self.middle


@dataclass
class LlamaVimSettings:
    """llama.vim's defaults."""

    n_prefix_lines: int = 256
    n_suffix_lines: int = 64
    n_predict: int = 128
    # The first answer is to come soon, what is asked in the background may take its time.
    predict_ms: int = 250
    background_predict_ms: int = 1000
    n_cached: int = 250
    n_typed_ahead: int = 128
    # Besides under its own, an answer is kept under the keys that have this many lines less, so that it is found after scrolling.
    n_trimmed_lines: int = 3
    # Asking in the background for what comes after the text that is shown.
    is_speculative: bool = False


class LlamaVim(Side):
    """llama-server in a process of its own, and llama.vim before it.

    Where the two could differ, this one is the quicker: requests go over a socket instead of through a process for each, a key that
    comes while the server is busy is sent as soon as it isn't instead of by a timer of 100 ms, and there are no chunks of other files.
    Carets stand at ends of lines only, so nothing is said here of the rest of a line.
    """

    name = "llama-server"

    def __init__(self, command: list[str], settings: LlamaVimSettings, log: str):
        super().__init__(command, {}, log)
        self.settings = settings
        self.about = json.loads(self.read_line())
        self.cache: OrderedDict[tuple[str, str], str] = OrderedDict()
        self.background: list[tuple[Context, Future]] = []
        self.one_at_a_time = ThreadPoolExecutor(1)
        # What the server's answers are replaced with, by the number of characters before the caret.
        self.texts: dict[int, str] = {}

    def round_trip_ms(self) -> float:
        """A request that asks for nothing of the model."""
        started = time.perf_counter()
        self.request("GET", "/health", None)
        return ms_since(started)

    def open(self, place: Place) -> None:
        """Goes to another text; what the background asks about the one before is waited for."""
        self.wait_for_background()
        self.place = place

    def key(self, inserted: str) -> Answer:
        """Looks into the cache; if nothing is there, asks the server."""
        started = time.perf_counter()
        self.place.before += inserted
        context = self.context(self.place.before, self.place.after)
        self.keep_finished()
        content = self.look_up(context)
        if content is None and self.background:
            self.wait_for_background()
            content = self.look_up(context)
        is_asked = content is None
        if is_asked:
            content = self.keep(context, self.infill(context, self.settings.predict_ms))
        text = self.shown(content)
        ms = ms_since(started)
        if self.settings.is_speculative and text:
            after_it = self.context(self.place.before + text, self.place.after)
            after_it.n_indent = context.n_indent
            # llama.vim asks for the place itself as well, where the text came out of the cache.
            self.ask_in_background([after_it, context])
        return Answer(ms, text, is_asked)

    def context(self, before: str, after: str) -> Context:
        """The lines around the caret. In a line of blanks only, the line counts as empty."""
        *lines_before, line = before.split("\n")
        lines_after = after.removesuffix("\n").split("\n")[1:]
        prefix = "\n".join(lines_before[-self.settings.n_prefix_lines :]) + "\n"
        suffix = "\n" + "\n".join(lines_after[: self.settings.n_suffix_lines]) + "\n"
        if not line.strip():
            return Context(prefix, "", suffix, 0, line, len(before))
        return Context(prefix, line, suffix, len(line) - len(line.lstrip()), "", len(before))

    def look_up(self, context: Context) -> str | None:
        """What is kept for this place, or else the longest rest of what is kept for a place shortly before it."""
        key = (context.before, context.suffix)
        if key in self.cache:
            self.cache.move_to_end(key)
            return self.cache[key]
        found, rest = [], ""
        # Not one look for each of the places: hashing so much text so often would cost more than it does in the editor.
        for (before, suffix), content in self.cache.items():
            n_typed = len(context.before) - len(before)
            if 0 < n_typed <= self.settings.n_typed_ahead and suffix == context.suffix and context.before.startswith(before):
                found.append((before, suffix))
                if content.startswith(context.before[-n_typed:]):
                    rest = max(rest, content[n_typed:], key=len)
        for key in found:
            self.cache.move_to_end(key)
        return rest or None

    def keep(self, context: Context, content: str) -> str:
        """Puts an answer into the cache, whose least used go."""
        prefix = context.prefix
        for _ in range(1 + self.settings.n_trimmed_lines):
            if not prefix:
                break
            self.cache[prefix + context.middle, context.suffix] = content
            self.cache.move_to_end((prefix + context.middle, context.suffix))
            if len(self.cache) > self.settings.n_cached:
                self.cache.popitem(last=False)
            prefix = prefix.partition("\n")[2]
        return content

    def infill(self, context: Context, predict_ms: int) -> str:
        """Asks the server; what it costs is the server's, what it says may be replaced."""
        answer = self.request(
            "POST",
            "/infill",
            {
                "id_slot": 0,
                "input_prefix": context.prefix,
                "input_suffix": context.suffix,
                "input_extra": [],
                "prompt": context.middle,
                "n_predict": self.settings.n_predict,
                "stop": [],
                "n_indent": context.n_indent,
                "top_k": 40,
                "top_p": 0.90,
                "samplers": ["top_k", "top_p", "infill"],
                "stream": False,
                "cache_prompt": True,
                "t_max_prompt_ms": 500,
                "t_max_predict_ms": predict_ms,
                "response_fields": ["content", "timings"],
                # Not llama.vim's: the same run gives the same texts.
                "seed": 7,
            },
        )
        timings = answer["timings"]
        self.work.evaluated_tokens += timings["prompt_n"]
        self.work.generated_tokens += timings["predicted_n"]
        self.work.prompt_ms += timings["prompt_ms"]
        self.work.generate_ms += timings["predicted_ms"]
        if context.at in self.texts:
            return context.blanks + self.texts[context.at]
        return answer["content"]

    def request(self, method: str, path: str, body: dict | None) -> dict:
        """One request over a connection of its own."""
        connection = http.client.HTTPConnection(self.about["address"], timeout=600)
        try:
            connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        except OSError as error:
            raise SystemExit(f"llama-server can't be asked ({error}); what it said is in {self.log}") from None
        finally:
            connection.close()
        if "error" in answer:
            raise SystemExit(f"llama-server has answered with an error: {answer['error']['message']}")
        return answer

    def shown(self, content: str) -> str:
        """What llama.vim shows of an answer: not its empty end, not an indentation that is there, nothing that the next lines are."""
        lines = content.rstrip("\n").split("\n")
        line = self.place.line_before
        if not line.strip():
            lines[0] = lines[0].removeprefix(line)
        following = self.place.after.split("\n")[1:]
        if lines[0] == "" and lines[1:] == following[: len(lines) - 1]:
            return ""
        while following and not following[0].strip():
            following.pop(0)
        repeats = bool(following) and line + lines[0] == following[0]
        if repeats and len(lines) == 2:
            repeats = following[1:2] != [] and following[1].startswith(lines[1])
        elif repeats:
            repeats = lines[1:] == following[1 : len(lines)]
        text = "\n".join(lines)
        return "" if repeats or not text.strip() else text

    def ask_in_background(self, contexts: list[Context]) -> None:
        """Asks for what isn't kept yet, one after the other, instead of what hasn't been begun."""
        for _, future in self.background:
            future.cancel()
        for context in contexts:
            if (context.before, context.suffix) not in self.cache:
                future = self.one_at_a_time.submit(self.infill, context, self.settings.background_predict_ms)
                self.background.append((context, future))

    def keep_finished(self) -> None:
        """Puts what the background has finished into the cache."""
        for context, future in self.background:
            if future.done() and not future.cancelled():
                self.keep(context, future.result())
        self.background = [(context, future) for context, future in self.background if not future.done()]

    def wait_for_background(self) -> None:
        """Waits for the request that runs; what hasn't begun never will."""
        for _, future in self.background:
            if not future.cancel():
                future.exception()
        self.keep_finished()

    def end(self) -> None:
        """Ends the process, and the thread beside it."""
        self.wait_for_background()
        self.one_at_a_time.shutdown()
        super().end()
