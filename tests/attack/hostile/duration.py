"""Keeping the worker busy."""

import re
import signal
import socket
import time

from case import WATCHDOG, attack, go_on_without_a_main_thread, libc

_CPU = {"cpu_s": 0.7, "hold_s": 1.5, "relaxed": {"cpu_s": 2.0}}
_WALL = {"solver_s": 0.7, "hold_s": 1.5, "relaxed": {"solver_s": 2.0}}


@attack(WATCHDOG, "TLE", **_CPU)
def spin(given, model):
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True:
        pass


@attack(WATCHDOG, "TLE", **_CPU)
def spin_without_a_main_thread(given, model):
    def rest():
        while True:
            pass

    go_on_without_a_main_thread(rest)


@attack(WATCHDOG, "TLE", **_CPU)
def match_without_end(given, model):
    """In C, without giving up the interpreter's lock: nothing inside could interrupt it."""
    return re.match("(a+)+b", "a" * 60)


@attack(WATCHDOG, "TLE", **_WALL)
def sleep(given, model):
    time.sleep(60)


@attack(WATCHDOG, "TLE", **_WALL)
def stop_itself(given, model):
    signal.raise_signal(signal.SIGSTOP)


@attack(WATCHDOG, "TLE", **_WALL)
def ignore_every_signal(given, model):
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    time.sleep(60)


@attack(WATCHDOG, "TLE", **_WALL)
def take_an_unreadable_name(given, model):
    """The watchdog reads names beside figures: one that is no text must not end it."""
    libc.prctl(15, b"\xff) \n\xfe", 0, 0, 0)
    time.sleep(60)


@attack(WATCHDOG, "TLE", **_WALL)
def send_frame_slowly(given, model):
    """A byte now and then: each arrives, the frame never does."""
    import os

    for byte in b"GFA1" + bytes(20):
        os.write(3, bytes([byte]))
        time.sleep(1)


@attack(WATCHDOG, "TLE", **_WALL)
def never_read_answers(given, model):
    """Ask for much and read nothing: the harness's own writing must not block for ever."""
    from wire import ask_without_reading

    ask_without_reading(socket.socket(fileno=3), 40)
    time.sleep(60)
