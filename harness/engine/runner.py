"""The forward engine.

Theory of operation
-------------------
A query asks for P candidate deep prompts on B examples. A model family (`families`) is a chain:
word vectors, the input of layer 0, L layers, head. At the input of every layer the deep prompt of
that layer is *added* to the states at the prompt positions, over the placeholder tokens, and so
accumulates through the residual stream (wordings of mode "add"). In mode "cat" the prompt of layer
0 stands in place of the word vectors there, and no layer adds anything.

`plan_query` sorts the examples by length into blocks and the candidates into groups. A group of G
candidates runs through a block of n examples as one batch of G * n inputs, candidate-major. What is
saved, with equal results up to rounding:

1. In a one-layer search the states before that layer are the same for all candidates. They are
   computed once per query, for one candidate, and copied to each group (`_run_shared`).
2. The last layer runs for the read position alone.
3. The LM head scores the label words (and probe words) alone, at the read position.
4. There is little padding, and none where lengths are equal.

Determinism. The plan depends on the profile and on the query's candidates, rows and layer, and on
nothing else: not on load, memory or the outputs that are asked. An output is computed beside the
others, never instead of them, so asking for more does not change a bit of the rest. Under one
profile a query has one answer, bit for bit. The same example in another query may share a block
with others, where equality holds within rounding.

Overflow. Values are bounded, so the inputs are finite; where a model still overflows, the outputs
hold infinities or NaN and are returned as they are. Whose fault that is, the session decides.

`reference.py` computes the same with plain transformers calls; every path here is tested against it.
"""

from collections.abc import Collection

import torch

from harness.api.types import Response
from harness.engine.backbone import Backbone
from harness.engine.batch import Batch, load_batch
from harness.engine.collector import Collector
from harness.engine.encode import EncodedSplit
from harness.engine.info import EngineInfo
from harness.engine.layer_std import winsorised_std
from harness.engine.plan import plan_query
from harness.engine.profile import NumericProfile
from harness.engine.prompts import DeepPrompts, check_values
from harness.errors import InvalidQuery
from harness.records import OUTPUTS, Array, FloatArray, IntArray

__all__ = ["Engine"]


class Engine:
    """Evaluates deep prompts on encoded examples. Holds no state between queries.

    Sets the number of threads of this process to the profile's.

    Args:
        backbone: the model.
        profile: the numeric profile it was loaded under.
        n_prompt_tokens: M, >= 1.
    """

    def __init__(self, backbone: Backbone, profile: NumericProfile, n_prompt_tokens: int) -> None:
        """Fix threads; nothing is computed yet."""
        torch.set_num_threads(profile.threads)
        self._family = backbone.family
        self._pad_id = backbone.specials.pad
        self._profile = profile
        self.info = EngineInfo(
            family=backbone.family.name,
            n_layers=backbone.family.n_layers,
            hidden_size=backbone.family.hidden_size,
            n_prompt_tokens=n_prompt_tokens,
            embedding_std=backbone.embedding_std,
        )

    def check(
        self,
        encoded: EncodedSplit,
        values: FloatArray,
        *,
        layer: int | None = None,
        base: FloatArray | None = None,
        rows: IntArray | None = None,
        outputs: Collection[str] = ("logits",),
    ) -> tuple[DeepPrompts, IntArray]:
        """Check a query without computing anything: what may be charged before `evaluate`.

        Returns:
            The prompts, and the rows as int64.

        Raises:
            InvalidQuery: what was given and what was expected.
        """
        if not outputs or not set(outputs) <= set(OUTPUTS):
            raise InvalidQuery(f"outputs: {sorted(outputs)}; expected one or more of {', '.join(OUTPUTS)}")
        if "word_logits" in outputs and not encoded.wording.probe_ids:
            raise InvalidQuery("outputs: word_logits of a wording without probe_words; give the wording some")
        prompts = check_values(
            values,
            layer=layer,
            base=base,
            n_layers=self.info.n_layers,
            n_prompt_tokens=self.info.n_prompt_tokens,
            hidden_size=self.info.hidden_size,
            mode=encoded.wording.mode,
        )
        return prompts, encoded.select(rows)

    @torch.inference_mode()
    def evaluate(
        self,
        encoded: EncodedSplit,
        values: FloatArray,
        *,
        layer: int | None = None,
        base: FloatArray | None = None,
        rows: IntArray | None = None,
        outputs: Collection[str] = ("logits",),
    ) -> Response:
        """Evaluate P candidates on rows of a split; results stand in the order of `rows`.

        Args:
            encoded: the split under the query's wording.
            values: float32 (P, L, M, D), or (P, M, D) with `layer`.
            layer: the layer that `values` replaces.
            base: float32 (L, M, D), the other layers; None means zeros.
            rows: int64, unique row numbers; None means all.
            outputs: fields of the response to fill. `layer_std` counts prompt, template and
                special tokens as real tokens, and no padding.

        Raises:
            InvalidQuery: see `check`.
        """
        # Another engine of this process may have set its own: threads are part of the profile.
        torch.set_num_threads(self._profile.threads)
        prompts, chosen = self.check(encoded, values, layer=layer, base=base, rows=rows, outputs=outputs)
        plan = plan_query(encoded.lengths[chosen], len(values), self._profile.chunk_tokens)
        batches = [
            load_batch(encoded, chosen, block, pad_id=self._pad_id, device=self._profile.device)
            for block in plan.blocks
        ]
        result = Collector.allocate(encoded.wording, self.info, len(values), len(chosen), outputs)
        # `layer_std` looks at all examples of a candidate at once; without it a block at a time is
        # held. Only the order of the steps differs, so the bits do not.
        waves = [batches] if result.response.layer_std is not None else [[batch] for batch in batches]
        for wave in waves:
            self._run_wave(wave, plan.groups, prompts, result)
        return result.response

    def _run_wave(
        self, batches: list[Batch], groups: tuple[slice, ...], prompts: DeepPrompts, result: Collector
    ) -> None:
        """Run all candidates on some batches."""
        is_cat = prompts.mode == "cat"
        first = 0 if is_cat else prompts.n_shared_layers
        if is_cat:
            shared = [self._family.words(batch.ids) for batch in batches]
        else:
            shared = self._run_shared(batches, prompts, result.response.layer_std)
        for group in groups:
            size = group.stop - group.start
            states = [part.repeat(size, 1, 1) for part in shared]
            if is_cat:
                states = [self._family.begin(self._insert(part, prompts, group)) for part in states]
            self._run_group(batches, states, first, prompts, group, result)

    def _run_shared(
        self, batches: list[Batch], prompts: DeepPrompts, layer_std: Array | None
    ) -> list[torch.Tensor]:
        """Run what all candidates have in common; per batch the input of their first own layer."""
        states = [self._family.begin(self._family.words(batch.ids)) for batch in batches]
        everyone = slice(0, 1)
        for layer in range(prompts.n_shared_layers):
            for number, batch in enumerate(batches):
                self._add(states[number], prompts, layer, everyone)
                states[number] = self._family.step(layer, states[number], batch.mask(1))
            if layer_std is not None:
                layer_std[:, layer + 1] = _spread(batches, states, 0, 1)
        return states

    def _run_group(
        self,
        batches: list[Batch],
        states: list[torch.Tensor],
        first: int,
        prompts: DeepPrompts,
        group: slice,
        result: Collector,
    ) -> None:
        """Run a group of candidates from the input of layer `first` to its outputs."""
        size = group.stop - group.start
        masks = [batch.mask(size) for batch in batches]
        last = self.info.n_layers - 1
        for layer in range(first, last):
            for number, mask in enumerate(masks):
                self._add(states[number], prompts, layer, group)
                states[number] = self._family.step(layer, states[number], mask)
            if result.response.layer_std is not None:
                result.response.layer_std[group, layer + 1] = [
                    _spread(batches, states, candidate, size) for candidate in range(size)
                ]
        for part, batch, mask in zip(states, batches, masks, strict=True):
            self._add(part, prompts, last, group)
            features = self._family.finish(part, mask, batch.read.repeat(size))  # (G * n, D)
            result.read(self._family, features, group, batch.members)

    def _prompt_positions(self, states: torch.Tensor, n_candidates: int) -> torch.Tensor:
        """Return a view of the prompt positions: (G * n, T, D) to (G, n, M, D)."""
        start = self._family.prompt_start
        return states.view(n_candidates, -1, *states.shape[1:])[
            :, :, start : start + self.info.n_prompt_tokens
        ]

    def _add(self, states: torch.Tensor, prompts: DeepPrompts, layer: int, group: slice) -> None:
        """Add the prompts of a layer to its input, in place. In mode "cat" they are all zero."""
        prompt = prompts.at(layer, group)
        if prompt is not None and prompts.mode == "add":
            window = self._prompt_positions(states, group.stop - group.start)
            window += self._tensor(prompt).unsqueeze(1)

    def _insert(self, words: torch.Tensor, prompts: DeepPrompts, group: slice) -> torch.Tensor:
        """Put the prompts of layer 0 in place of the word vectors there."""
        prompt = prompts.at(0, group)
        window = self._prompt_positions(words, group.stop - group.start)
        window[:] = 0 if prompt is None else self._tensor(prompt).unsqueeze(1)
        return words

    def _tensor(self, values: FloatArray) -> torch.Tensor:
        """Copy an array to the device; it may be read-only, as arrays from the wire are."""
        return torch.tensor(values, device=self._profile.device)


def _spread(batches: list[Batch], states: list[torch.Tensor], candidate: int, n_candidates: int) -> float:
    """Return one candidate's `winsorised_std` over the real tokens of all batches."""
    real = [
        part.view(n_candidates, *batch.real.shape, -1)[candidate][batch.real]
        for part, batch in zip(states, batches, strict=True)
    ]
    return winsorised_std(torch.cat(real))
