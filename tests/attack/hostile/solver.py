"""The entry classes of the hostile submissions: run one attack and print its result."""

import importlib
import json
import os
import signal
import sys
import time

import numpy as np

from harness.api import Response, Solution


def _zeros(model):
    info = model.info
    return np.zeros((1, info.n_layers, info.n_prompt_tokens, info.hidden_size), np.float32)


def _attack(module, name, given, model):
    try:
        print("GOT", getattr(importlib.import_module(module), name)(given, model))
    except Exception as error:
        print("FAILED", getattr(error, "errno", None) or type(error).__name__, "|", error)
    sys.stdout.flush()


class Hostile:
    def __init__(self, module, name, **given):
        self.module, self.name, self.given = module, name, given

    def solve(self, task, model):
        _attack(self.module, self.name, self.given, model)
        return Solution(_zeros(model))


class Controls:
    """Without isolation: many attacks, each in a forked child without the channel. Prints JSON: name -> log."""

    child_s = 5.0

    def __init__(self, attacks, **given):
        self.attacks, self.given = attacks, given

    def solve(self, task, model):
        logs = {name: self._log(*place) for name, place in self.attacks.items()}
        print(json.dumps(logs))
        return Solution(_zeros(model))

    def _log(self, module, name):
        with open("log", "w+b") as log:
            child = os.fork()
            if child == 0:
                os.setsid()
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
                os.close(3)
                _attack(module, name, self.given, None)
                os._exit(0)
            deadline = time.monotonic() + self.child_s
            while not os.waitpid(child, os.WNOHANG)[0]:
                if time.monotonic() > deadline:
                    os.kill(child, signal.SIGKILL)
                    os.waitpid(child, 0)
                    break
                time.sleep(0.001)
            log.seek(0)
            return log.read().decode("utf-8", "replace")


class Predicting:
    """`predict` is the attack; it learns its name from the state, as it may."""

    def __init__(self, module, name, **given):
        self.case, self.given = f"{module}:{name}", given

    def solve(self, task, model):
        import __main__

        __main__.left = open("left", "w")
        state = {"case": np.frombuffer(self.case.encode(), np.uint8), "seen": np.zeros(1, np.int64)}
        if self.given["control"]:
            response = model.query(_zeros(model))
            response = Response(logits=response.logits)
            self.predict(response, state)
            print("GOT" if np.any(self.predict(response, state)) else "FAILED | nothing")
        return Solution(_zeros(model), state=state)

    @staticmethod
    def predict(response, state):
        module, name = state["case"].tobytes().decode().split(":")
        return getattr(importlib.import_module(module), name)(response, state)
