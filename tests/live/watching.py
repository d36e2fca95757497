"""A command of memoir that watches, begun: its lines of JSON as they come, and how it ends."""
import json
import os
import signal
import subprocess
import tempfile
import time

import memoir

SECONDS = 60


class Watch:
    """memoir COMMAND --json …; `beginning` is its first line."""

    def __init__(self, *words):
        self.words = words
        self.file = tempfile.TemporaryFile()
        self.process = subprocess.Popen([memoir.program(), *words, "--json"], stdout=self.file,
                                        stderr=subprocess.PIPE)
        self.pid = self.process.pid
        self.beginning = self.wait_for(lambda lines: lines[:1])[0]

    def lines(self):
        text = os.pread(self.file.fileno(), 1 << 28, 0)
        return [json.loads(line) for line in text.split(b"\n")[:-1]]

    def wait_for(self, wanted):
        deadline = time.monotonic() + SECONDS
        while not (found := wanted(self.lines())):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise memoir.Failed(f"{' '.join(self.words)} did not say it: {self.lines()[-5:]}")
            time.sleep(0.01)
        return found

    def end(self, number=signal.SIGINT):
        """(exit code, all lines)."""
        self.process.send_signal(number)
        return self.process.wait(timeout=SECONDS), self.lines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        self.file.close()
