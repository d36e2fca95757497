"""Prints TAP, the plan at the end; it must not decide what passes."""
import sys


class Tap:
    """One test program: points are numbered as they come."""

    def __init__(self):
        self.count = 0
        self.failures = 0

    def _point(self, line, diagnostics):
        print(line)
        for text in diagnostics:
            for part in str(text).splitlines():
                print(f"# {part}")
        sys.stdout.flush()

    def check(self, good, what, diagnostics=()):
        """ok or not ok; diagnostics are printed either way."""
        self.count += 1
        self.failures += not good
        what = what.replace("#", r"\#")
        self._point(f"{'' if good else 'not '}ok {self.count} - {what}", diagnostics)
        return good

    def skip(self, what, why):
        self.count += 1
        self._point(f"ok {self.count} - {what} # SKIP {why}", ())

    def bail_out(self, why):
        print(f"Bail out! {why}", flush=True)
        sys.exit(1)

    def done(self):
        """Prints the plan; returns the exit code."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failures or not self.count else 0
