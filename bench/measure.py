"""Runs commands as whole processes and takes their times; it must not judge the figures."""

import os
import signal
import statistics
import time
from dataclasses import dataclass

TIMEOUT_S = 180


class RunFailed(Exception):
    """A command could not be run to its end; the message is a sentence."""


@dataclass(frozen=True)
class Run:
    """One finished command."""

    wall_ns: int
    cpu_ns: int
    exit_code: int
    output: bytes
    errors: bytes

    def number_after(self, key):
        """The number after a word of the output or the messages; if there are more, the median."""
        words = (self.output + b" " + self.errors).decode(errors="replace").split()
        numbers = [int(number) for word, number in zip(words, words[1:])
                   if word == key and number.isdigit()]
        if not numbers:
            raise RunFailed(f"no '{key} N' in {(self.output + self.errors)[-200:]!r}")
        return statistics.median(numbers)


def _on_alarm(_signal, _frame):
    raise TimeoutError


def _wait(pid):
    previous = signal.signal(signal.SIGALRM, _on_alarm)
    signal.alarm(TIMEOUT_S)
    try:
        return os.wait4(pid, 0)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def _read_back(fd):
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd, "rb") as stream:
        return stream.read()


def _actions(output_fd, errors_fd):
    if output_fd is None:
        output = (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)
    else:
        output = (os.POSIX_SPAWN_DUP2, output_fd, 1)
    return [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), output,
            (os.POSIX_SPAWN_DUP2, errors_fd, 2)]


def run(argv, keep_output=False, good_exits=(0,)):
    """Runs argv[0], a path, with its output to /dev/null unless it is to be kept."""
    errors_fd = os.memfd_create("bench-errors")
    output_fd = os.memfd_create("bench-output") if keep_output else None
    actions = _actions(output_fd, errors_fd)
    start_ns = time.perf_counter_ns()
    try:
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=actions)
        _, status, usage = _wait(pid)
        wall_ns = time.perf_counter_ns() - start_ns
    except TimeoutError:
        raise RunFailed(f"{' '.join(argv)}: not done after {TIMEOUT_S} s") from None
    except OSError as error:
        raise RunFailed(f"{' '.join(argv)}: {error.strerror}") from None
    finally:
        errors = _read_back(errors_fd)
        output = b"" if output_fd is None else _read_back(output_fd)
    done = Run(wall_ns, round((usage.ru_utime + usage.ru_stime) * 1e9),
               os.waitstatus_to_exitcode(status), output, errors)
    if done.exit_code not in good_exits:
        message = errors.decode(errors="replace").strip()[-300:]
        raise RunFailed(f"{' '.join(argv)}: exit {done.exit_code} {message}")
    return done


def alternate(run_a, run_b, count):
    """Runs A B A B ...; either may be None. Returns the runs of A and those of B."""
    runs_a, runs_b = [], []
    for _ in range(count):
        for run_one, runs in ((run_a, runs_a), (run_b, runs_b)):
            if run_one is not None:
                runs.append(run_one())
    return runs_a, runs_b


def median(values):
    """The median, or None of nothing."""
    values = list(values)
    return statistics.median(values) if values else None
