"""The forward engine.

Theory of operation
-------------------
A query evaluates P candidate deep prompts on B examples. A model family (`families`) is a chain:
word vectors, the input of layer 0, L layers, head. The candidates are applied at the inputs of the
layers (`tunables.prompt`).

`plan_query` sorts the examples by length into waves and splits the candidates into groups. A group
of G candidates runs through a wave as one `Packing`: inputs of all lengths, concatenated in a flat
array of tokens. This saves work, with equal results up to rounding:

1. In a one-layer search the states before that layer are the same for all candidates. They are
   computed once, kept for the next query (`cache`), and copied to each group.
2. Nothing is padded: linear maps and norms run on the flat array, attention runs per length.
3. The last layer runs at the read position only, without keys and values of other positions
   (`layers.attention.attend_at_read`). In an encoder-decoder this is the decoder's last layer,
   and its other layers stop at the read position (`layers.decoder`).
4. The LM head scores only the label words and probe words, at the read position.
5. Queries, keys and values are one map, attention is one fused kernel, and weights are stored in
   the layout of the machine's matrix units (`layers.linear`, `native`).

Determinism. The plan depends only on the profile and on the query's candidates, rows and layer, not
on load, memory or the requested outputs. The shared part is planned by the rows alone and computed
layer by layer, so it has the same bits from any starting layer. Requesting more outputs does not
change the bits of the others. Under one profile a query has one response, bit for bit. The same
example in another query may run in another wave; there the values are equal up to rounding.

Overflow. Values are bounded, so the inputs are finite. If the model still overflows, the outputs
contain infinities or NaN and are returned unchanged; the session handles them.

`reference.py` computes the same with plain transformers calls; the tests compare every path with it.
"""

import hashlib
from collections.abc import Collection, Generator, Hashable
from typing import Any

import torch

from harness.api.outputs import Response
from harness.engine.backbone import Backbone
from harness.engine.cache import Frontier, LayerCache
from harness.engine.collector import Collector
from harness.engine.info import EngineInfo
from harness.engine.layer_std import winsorised_std
from harness.engine.packing import Packing
from harness.engine.plan import Wave, plan_query
from harness.engine.profile import NumericProfile
from harness.engine.query import CheckedQuery, check_outputs
from harness.engine.text.encode import EncodedSplit, pack
from harness.engine.tunables import TUNABLES
from harness.engine.tunables.prompt import PromptCandidates
from harness.records import Array, FloatArray, IntArray

__all__ = ["Engine", "Steps"]

Steps = Generator[int, None, Response]
"""A query in progress: yields the token-layers of each step before it runs, returns the response."""

CACHE_BYTES = 1 << 30
"""Default bound of the layer cache."""


class Engine:
    """Evaluates deep prompts on encoded examples.

    Sets this process's number of threads to the profile's.

    Args:
        backbone: the model.
        profile: the numeric profile that the model was loaded with.
        n_prompt_tokens: M, >= 1.
        cache_bytes: bound of the layer cache; it never changes a result.
    """

    def __init__(
        self, backbone: Backbone, profile: NumericProfile, n_prompt_tokens: int, *, cache_bytes: int = CACHE_BYTES
    ) -> None:
        """Set the number of threads; computes nothing."""
        torch.set_num_threads(profile.threads)
        self.cache = LayerCache(cache_bytes)
        self._family = backbone.family
        self._profile = profile
        self.info = EngineInfo(
            family=backbone.family.name,
            n_layers=backbone.family.n_layers,
            hidden_size=backbone.family.hidden_size,
            n_prompt_tokens=n_prompt_tokens,
            embedding_std=backbone.embedding_std,
        )
        self.tunable = TUNABLES["prompt"](
            self.info.n_layers, n_prompt_tokens, self.info.hidden_size, backbone.family.prompt_start
        )

    def set_threads(self) -> None:
        """Set the profile's number of threads, which another round's engine may have changed."""
        torch.set_num_threads(self._profile.threads)

    def check(
        self,
        encoded: EncodedSplit,
        values: FloatArray,
        *,
        layer: int | None = None,
        base: FloatArray | None = None,
        rows: IntArray | None = None,
        outputs: Collection[str] = ("logits",),
    ) -> CheckedQuery:
        """Check a query before anything is charged or computed.

        Args:
            encoded: the split under the query's wording.
            values: float32 (P, L, M, D), or (P, M, D) with `layer`.
            layer: the layer that `values` replaces.
            base: float32 (L, M, D), the other layers; None means zeros.
            rows: int64, unique row numbers; None means all.
            outputs: fields of the response to fill. `layer_std` includes prompt, template and
                special tokens.

        Raises:
            InvalidQuery: an argument has a wrong type, shape or range.
        """
        wanted = check_outputs(encoded, outputs)
        prompts = self.tunable.check(values, layer=layer, base=base, mode=encoded.wording.mode)
        return CheckedQuery(encoded, prompts, encoded.select(rows), wanted)

    @torch.inference_mode()
    def evaluate(
        self, encoded: EncodedSplit, values: FloatArray, *, cache_key: Hashable = None, **query: Any
    ) -> Response:
        """Check a query and compute it; results are in the order of its rows.

        Args:
            encoded: the split under the query's wording.
            values: the candidates.
            cache_key: see `steps`.
            **query: the other arguments of `check`.

        Raises:
            InvalidQuery: see `check`.
        """
        steps = self.steps(self.check(encoded, values, **query), cache_key=cache_key)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                response: Response = done.value
                return response

    def steps(self, query: CheckedQuery, *, cache_key: Hashable = None) -> Steps:
        """Compute a query step by step, so that queries of several runs can take turns.

        Args:
            query: from `check`.
            cache_key: (attempt, split) under which the states before the query's layer are kept
                for the next query; None keeps nothing.

        Yields:
            The cost of each step before it runs: tokens times layers.
        """
        encoded, prompts, chosen = query.encoded, query.prompts, query.rows
        n_candidates = len(prompts.values)
        self.set_threads()
        plan = plan_query(encoded.lengths[chosen], n_candidates, self._profile.chunk_tokens)
        result = Collector.allocate(encoded.wording, self.info, n_candidates, len(chosen), query.outputs)
        shared = yield from self._run_shared(encoded, chosen, prompts, result.response.layer_std, cache_key)
        first = prompts.n_shared_layers
        # `layer_std` needs all examples of a candidate at once; otherwise one wave at a time is held.
        # Only the order of the steps differs, not the bits.
        waves = [plan.waves] if result.response.layer_std is not None else [(wave,) for wave in plan.waves]
        packed = {
            size: [[self._pack(encoded, chosen, wave, size) for wave in together] for together in waves]
            for size in {group.stop - group.start for group in plan.groups}
        }
        for group in plan.groups:
            for together, own in zip(waves, packed[group.stop - group.start], strict=True):
                yield sum(packing.n_tokens for packing in own) * (self.info.n_layers - first)
                states = [packing.spread(shared[wave.tokens]) for packing, wave in zip(own, together, strict=True)]
                if prompts.replaces_words:
                    for number, packing in enumerate(own):
                        prompts.insert(states[number], packing, group)
                        states[number] = self._family.begin(states[number], packing)
                self._run_group(own, states, first, prompts, group, result)
        return result.response

    def _pack(self, encoded: EncodedSplit, chosen: IntArray, wave: Wave, n_candidates: int) -> Packing:
        """Pack a wave of the query for some candidates."""
        return pack(encoded, chosen, wave.members, n_candidates, self._profile.device)

    def _run_shared(
        self,
        encoded: EncodedSplit,
        chosen: IntArray,
        prompts: PromptCandidates,
        layer_std: Array | None,
        cache_key: Hashable,
    ) -> Generator[int, None, torch.Tensor]:
        """Compute the states that all candidates share.

        Yields:
            As `steps`.

        Returns:
            (S, D), all rows' tokens, shortest example first: word vectors if the candidates replace
            words, else the input of the first layer that differs.
        """
        waves = plan_query(encoded.lengths[chosen], 1, self._profile.chunk_tokens).waves
        packings = [self._pack(encoded, chosen, wave, 1) for wave in waves]
        yield encoded.n_tokens(chosen)
        if prompts.replaces_words:
            return torch.cat([self._family.words(packing.ids) for packing in packings])
        is_kept = cache_key is not None and prompts.n_shared_layers > 0
        rows_digest = _rows_digest(encoded, chosen) if is_kept else b""
        # A frontier does not hold the standard deviations of the layers before it.
        frontier = self.cache.find(cache_key, rows_digest, prompts) if is_kept and layer_std is None else None
        if frontier is None:
            first = 0
            states = [self._family.begin(self._family.words(packing.ids), packing) for packing in packings]
        else:
            first = frontier.layer
            states = [frontier.states[wave.tokens].clone() for wave in waves]
        everyone = slice(0, 1)
        for layer in range(first, prompts.n_shared_layers):
            for number, packing in enumerate(packings):
                yield packing.n_tokens
                prompts.add(states[number], packing, layer, everyone)
                states[number] = self._family.step(layer, states[number], packing)
            if layer_std is not None:
                layer_std[:, layer + 1] = winsorised_std(torch.cat(states))
        shared = torch.cat(states)
        if is_kept and (frontier is None or frontier.layer < prompts.n_shared_layers):
            reached = prompts.n_shared_layers
            self.cache.keep(cache_key, Frontier(reached, prompts.shared_digest(reached), rows_digest, shared))
        return shared

    def _run_group(
        self,
        packings: list[Packing],
        states: list[torch.Tensor],
        first: int,
        prompts: PromptCandidates,
        group: slice,
        result: Collector,
    ) -> None:
        """Run a group of candidates from the input of layer `first` to its outputs."""
        last = self.info.n_layers - 1
        for layer in range(first, last):
            for number, packing in enumerate(packings):
                prompts.add(states[number], packing, layer, group)
                states[number] = self._family.step(layer, states[number], packing)
            if result.response.layer_std is not None:
                result.response.layer_std[group, layer + 1] = [
                    _spread(packings, states, candidate) for candidate in range(group.stop - group.start)
                ]
        for part, packing in zip(states, packings, strict=True):
            prompts.add(part, packing, last, group)
            result.read(self._family, self._family.finish(part, packing), packing, group.start)


def _rows_digest(encoded: EncodedSplit, chosen: IntArray) -> bytes:
    """Return the SHA-256 over the rows in order and their tokens, the wording's included."""
    total = hashlib.sha256(chosen.tobytes())
    total.update(encoded.lengths[chosen].tobytes())
    for row in chosen:
        total.update(encoded.example_ids(int(row)).tobytes())
    return total.digest()


def _spread(packings: list[Packing], states: list[torch.Tensor], candidate: int) -> float:
    """Return one candidate's `winsorised_std` over the tokens of all packings."""
    own = [packing.of_candidate(part, candidate) for packing, part in zip(packings, states, strict=True)]
    return winsorised_std(torch.cat(own))
