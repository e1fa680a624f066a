"""keyside over stdio, as an editor speaks to it that waits for each answer."""

import json
import os
import time

from .side import Answer, Place, Side, ms_since

LANGUAGE_IDS = {".rs": "rust", ".py": "python", ".js": "javascript", ".ts": "typescript", ".lua": "lua"}


class Keyside(Side):
    """The language server."""

    name = "keyside"

    def __init__(self, program: str, settings: dict, home: str, log: str):
        super().__init__([program, "serve"], {"KEYSIDE_HOME": home}, log)
        self.n_messages = 0
        self.version = 0
        capabilities = {"general": {"positionEncodings": ["utf-8"]}, "textDocument": {"inlineCompletion": {}}}
        self.ask(
            "initialize",
            {"processId": os.getpid(), "rootUri": "file:///project", "capabilities": capabilities, "initializationOptions": settings},
        )
        self.notify("initialized", {})
        while self.stats()["model"]["state"] == "loading":
            time.sleep(0.01)
        self.model = self.stats()["model"]
        if self.model["state"] != "ready":
            raise SystemExit(f"keyside has no model: {self.model['message']}")

    def round_trip_ms(self) -> float:
        """A message that asks for nothing of the model."""
        started = time.perf_counter()
        self.stats()
        return ms_since(started)

    def open(self, place: Place) -> None:
        """Opens the text; the one before is closed, so that both sides know this file only."""
        if self.version:
            self.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})
        self.place, self.uri, self.version = place, f"file:///project/{place.path}", 1
        extension = os.path.splitext(place.path)[1]
        language = LANGUAGE_IDS.get(extension, extension[1:])
        document = {"uri": self.uri, "languageId": language, "version": 1, "text": place.before + place.after}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def key(self, inserted: str) -> Answer:
        """One edit at the caret, one request after it."""
        started = time.perf_counter()
        caret = self.caret()
        self.place.before += inserted
        self.version += 1
        document = {"uri": self.uri, "version": self.version}
        change = {"range": {"start": caret, "end": caret}, "text": inserted}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})
        caret = self.caret()
        params = {"textDocument": {"uri": self.uri}, "position": caret, "context": {"triggerKind": 2}}
        items = self.ask("textDocument/inlineCompletion", params)["items"]
        ms = ms_since(started)
        return Answer(ms, self.shown(items[0], caret) if items else "", self.count_work())

    def caret(self) -> dict:
        """The caret as a position; columns are bytes."""
        return {"line": self.place.before.count("\n"), "character": len(self.place.line_before.encode())}

    def shown(self, item: dict, caret: dict) -> str:
        """An item begins at the start of the word at the caret; shown is what comes after the caret."""
        typed = self.place.line_before.encode()[item["range"]["start"]["character"] :].decode()
        if item["range"]["end"] != caret:
            # It replaces what stands after the caret, so it isn't what the person goes on with.
            return ""
        return item["insertText"][len(typed) :]

    def count_work(self) -> bool:
        """Adds up what the last key cost; returns whether the model was asked."""
        stats = self.stats()
        engine, last = stats["engine"], stats["last"]
        before = (self.work.evaluated_tokens, self.work.generated_tokens)
        self.work.evaluated_tokens, self.work.generated_tokens = engine["evaluated_tokens"], engine["generated_tokens"]
        is_asked = before != (self.work.evaluated_tokens, self.work.generated_tokens)
        if is_asked:
            self.work.prompt_ms += last["prompt_ms"]
            self.work.generate_ms += last["generate_ms"]
        return is_asked

    def stats(self) -> dict:
        """keyside's own counters."""
        return self.ask("keyside/stats", None)

    def notify(self, method: str, params: dict) -> None:
        """Sends what wants no answer."""
        self.send({"method": method, "params": params})

    def ask(self, method: str, params: dict | None):
        """Sends a request and waits for its answer."""
        self.n_messages += 1
        number = self.n_messages
        self.send({"id": number, "method": method} | ({} if params is None else {"params": params}))
        while True:
            message = self.receive()
            if "method" in message:
                # What the server asks of its client meanwhile must not wait for ever.
                if "id" in message:
                    self.send({"id": message["id"], "result": None})
            elif message["id"] == number:
                if "error" in message:
                    raise SystemExit(f"keyside has answered {method} with an error: {message['error']['message']}")
                return message["result"]

    def send(self, message: dict) -> None:
        """Writes one frame."""
        body = json.dumps({"jsonrpc": "2.0"} | message).encode()
        try:
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            self.process.stdin.flush()
        except BrokenPipeError:
            raise SystemExit(f"keyside has ended; what it said is in {self.log}") from None

    def receive(self) -> dict:
        """Reads one frame."""
        n_bytes = 0
        while line := self.read_line().strip():
            if line.startswith(b"Content-Length: "):
                n_bytes = int(line.partition(b": ")[2])
        return json.loads(self.process.stdout.read(n_bytes))
