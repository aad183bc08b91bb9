"""A worker in a process of its own, forked from one that has imported everything: it starts in no time."""

import multiprocessing

from chaos_worker import work

__all__ = ["ForkedWorker"]

_PRELOADED = [
    "chaos_worker",
    "harness.session.attempt",
    "harness.toy.grammar",
    "transformers.models.roberta.modeling_roberta",
]


class ForkedWorker:
    """Works until the queue is empty; has the methods of `subprocess.Popen` that tests use."""

    def __init__(self, home):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        self._process = context.Process(target=work, args=(str(home),))
        self._process.start()
        self.pid = self._process.pid

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout=None):
        self._process.join(timeout)
        return self._process.exitcode

    def kill(self):
        self._process.kill()
        self._process.join()
