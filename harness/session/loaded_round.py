"""A loaded round: the rules, the model and the task data shared by all of its runs."""

import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from harness.api import ModelInfo, Response, Split
from harness.config import RoundConfig, TaskConfig, shared_folder
from harness.engine import (
    Backbone,
    CheckedQuery,
    CompiledWording,
    EncodedSplit,
    Engine,
    NumericProfile,
    Scheduler,
    compile_wording,
    encode,
    load_backbone,
)
from harness.errors import DataError, InvalidQuery, UsageError
from harness.records import Array, WordingRequest
from harness.sandbox import SandboxPolicy
from harness.tasks import TaskData, load_task_data, public_rows

__all__ = ["LoadedRound", "LoadedTask", "model_folder"]

_PROMPTS_PER_CALL = 4
"""Deep prompts that a solver may send per call of its budget; a call uses at most one."""


@dataclass(frozen=True)
class LoadedTask:
    """One task, loaded: its data and the test rows as the model reads them.

    Attributes:
        config: the task in the round file.
        data: test rows, k-shot sets and their digest.
        wording: the official wording.
        encoded_test: the test rows under the official wording.
        is_public: bool (B,), which test rows are public.
    """

    config: TaskConfig
    data: TaskData
    wording: CompiledWording
    encoded_test: EncodedSplit
    is_public: Array


@dataclass
class LoadedRound:
    """A round, ready to run attempts, several at once. Model and data are loaded on first use and kept.

    Attributes:
        config: the rules.
        scheduler: shares the engine among the attempts.
    """

    config: RoundConfig
    scheduler: Scheduler = field(default_factory=Scheduler, repr=False)
    _tasks: dict[str, LoadedTask] = field(default_factory=dict, repr=False)
    _loading: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @cached_property
    def profile(self) -> NumericProfile:
        """The round's numeric profile."""
        numeric = self.config.numeric
        return NumericProfile(
            device=numeric.device, dtype=numeric.dtype, threads=numeric.threads, chunk_tokens=numeric.chunk_tokens
        )

    @cached_property
    def backbone(self) -> Backbone:
        """The model's weights and tokenizer.

        Raises:
            ModelError: the model cannot be loaded.
        """
        from transformers.utils import logging  # noqa: PLC0415 (heavy; already loaded by the engine)

        # A bar for half a second of loading would disturb the bar of the run.
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers lacks types
        model = self.config.model
        return load_backbone(model_folder(model.source), revision=model.revision, profile=self.profile)

    @cached_property
    def engine(self) -> Engine:
        """The forward engine over the backbone."""
        return Engine(self.backbone, self.profile, self.config.model.n_prompt_tokens)

    def load(self) -> None:
        """Load the model, once, in any number of threads.

        Raises:
            ModelError: the model cannot be loaded.
        """
        with self._loading:
            _ = self.engine

    def evaluate(self, attempt: Hashable, query: CheckedQuery, *, split: str | None = None) -> tuple[Response, float]:
        """Compute a query of an attempt, in turns with the other attempts.

        Args:
            attempt: key of the attempt, which uses a single thread.
            query: from `engine.check`.
            split: key under which the states below the query's layer are cached for the next query of the
                attempt; None caches nothing.

        Returns:
            The response, and the seconds of its computation without the wait for a turn.
        """
        cache_key = None if split is None else (attempt, split)
        return self.scheduler.evaluate(self.engine, attempt, query, cache_key=cache_key)

    def forget(self, attempt: Hashable) -> None:
        """Drop the cached states of an attempt that has ended."""
        self.engine.cache.drop_owner(attempt)

    @cached_property
    def policy(self) -> SandboxPolicy:
        """The limits of the round for the sandbox."""
        limits, info = self.config.limits, self.engine.info
        prompt = info.n_layers * info.n_prompt_tokens * info.hidden_size * np.dtype(np.float32).itemsize
        budget = max(task.budget_calls for task in self.config.task)
        return SandboxPolicy(
            inbound_bytes=max(SandboxPolicy().inbound_bytes, _PROMPTS_PER_CALL * budget * prompt),
            solver_s=limits.solver_s,
            cpu_s=limits.cpu_s,
            predict_s=limits.predict_s,
            memory_bytes=limits.memory_bytes,
            scratch_bytes=limits.scratch_bytes,
            log_bytes=limits.log_bytes,
            state_bytes=limits.state_bytes,
            max_ensemble=limits.max_ensemble,
        )

    def task(self, name: str) -> LoadedTask:
        """Load a task.

        Raises:
            UsageError: the round has no such task.
            DataError: its data, template or words cannot be used.
        """
        with self._loading:
            if name not in self._tasks:
                self._tasks[name] = self._load_task(name)
            return self._tasks[name]

    def _load_task(self, name: str) -> LoadedTask:
        config = self.config.task_named(name)
        if config is None:
            known = ", ".join(task.name for task in self.config.task)
            raise UsageError(f"round {self.config.name!r} has no task {name!r}; it has {known}")
        data = load_task_data(config)
        is_public = public_rows(data.test.labels, config.public_fraction, self.config.round.seed)
        labels = data.test.labels
        lacking = set(labels.tolist()) - set(labels[~is_public].tolist())
        if config.public_fraction < 1 and lacking:
            raise DataError(
                f"task {name!r}: public_fraction {config.public_fraction} needs at least two test rows of "
                f"every class, one of them private; class {config.words[min(lacking)]!r} has one: use 1.0"
            )
        try:
            words = tuple((word,) for word in config.words)
            wording = self.compile(config, WordingRequest(config.template, words))
        except InvalidQuery as error:
            raise DataError(f"task {name!r} of round {self.config.name!r}: {error}") from error
        return LoadedTask(
            config=config, data=data, wording=wording, encoded_test=self.encode(wording, data.test), is_public=is_public
        )

    def compile(self, config: TaskConfig, request: WordingRequest) -> CompiledWording:
        """Compile a wording for this round's model.

        Raises:
            InvalidQuery: the wording is invalid; the message gives the reason.
        """
        return compile_wording(
            self.backbone,
            request,
            n_fields=len(config.fields),
            n_prompt_tokens=self.config.model.n_prompt_tokens,
            placeholder_ids=_placeholder_ids(self.config),
            label_token=self.config.model.label_token,
        )

    def encode(self, wording: CompiledWording, split: Split) -> EncodedSplit:
        """Tokenize a split under a wording."""
        return encode(self.backbone, wording, split.texts)

    def model_info(self, task: TaskConfig) -> ModelInfo:
        """Return the public description of the model for a solver."""
        info = self.engine.info
        return ModelInfo(
            family=info.family,
            n_layers=info.n_layers,
            hidden_size=info.hidden_size,
            n_prompt_tokens=info.n_prompt_tokens,
            embedding_std=info.embedding_std,
            max_calls=task.budget_calls,
            outputs=tuple(sorted(self.config.outputs.allowed)),
            max_ensemble=self.config.limits.max_ensemble,
        )


def model_folder(source: str) -> str:
    """Return the folder or the hub name of `model.source`.

    Raises:
        UsageError: a model in the shared folder is missing.
    """
    if source == "toy":
        from harness.toy import WEIGHTS_DIR  # noqa: PLC0415 (only toy rounds need it)

        return str(WEIGHTS_DIR)
    scheme, _, location = source.partition(":")
    if scheme == "path" and location.startswith("@shared/"):
        folder = shared_folder() / location.removeprefix("@shared/")
        if not folder.is_dir():
            raise UsageError(
                f"model folder {folder} does not exist; name the shared folder with --shared or GRADFREE_SHARED"
            )
        return str(folder)
    return location


def _placeholder_ids(config: RoundConfig) -> tuple[int, ...] | None:
    """Return the placeholder ids of the toy model; None, the official range, for other models."""
    if config.model.source != "toy":
        return None
    from harness.toy import PLACEHOLDER_IDS  # noqa: PLC0415 (only toy rounds need it)

    return PLACEHOLDER_IDS[: config.model.n_prompt_tokens]
