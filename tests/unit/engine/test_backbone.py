import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from harness.engine import Backbone, NumericProfile, load_backbone
from harness.errors import ModelError, UsageError

PROFILE = NumericProfile()


@pytest.fixture
def copied(folders, tmp_path):
    """A model folder that a test may spoil."""
    return shutil.copytree(folders["roberta"], tmp_path / "model")


def edit_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("name", ["/no/such/folder", "./models/none", "~/none/at/all", "a/b/c"])
def test_load_missing_folder_says_what_to_do(name):
    with pytest.raises(UsageError, match=r"does not exist; expected one with config\.json"):
        load_backbone(name, profile=PROFILE)


def test_load_hub_id_offline_names_the_setting(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"nobody/nothing \(HF_HUB_OFFLINE=1"):
        load_backbone("nobody/nothing", profile=PROFILE)


def test_load_unsupported_architecture_names_the_families(copied):
    config = json.loads((copied / "config.json").read_text())
    config["model_type"] = "electra"
    (copied / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"'electra' is not supported.*bart, bert, gpt2, roberta, t5"):
        load_backbone(str(copied), profile=PROFILE)


def test_load_folder_without_tokenizer_is_refused(copied):
    for path in copied.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ModelError, match="tokenizer has no words"):
        load_backbone(str(copied), profile=PROFILE)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b""),
        ("model.safetensors", b"\x40\x00\x00\x00\x00\x00\x00\x00{"),
        ("config.json", b'{"model_type": "roberta", "hidden_size": "wide"}'),
        ("tokenizer.json", b'{"version": "1.0"}'),
    ],
)
def test_load_damaged_file_is_refused(copied, name, content):
    (copied / name).write_bytes(content)
    with pytest.raises(ModelError, match=f"cannot load the model {copied}"):
        load_backbone(str(copied), profile=PROFILE)


def test_load_checkpoint_without_head_is_refused(copied):
    edit_weights(copied, lambda weights: weights.pop("lm_head.dense.weight"))
    with pytest.raises(ModelError, match=r"missing .*lm_head.dense.weight"):
        load_backbone(str(copied), profile=PROFILE)


@pytest.mark.parametrize("family", ["gpt2", "bart"])
def test_load_body_whose_head_is_tied_to_its_words_is_enough(family, backbones, folders, tmp_path):
    # GPT-2 and BART lie on the hub like this: the body's tensors, named without its prefix.
    shutil.copytree(folders[family], tmp_path / "model")
    whole = backbones[family].model
    whole.base_model.save_pretrained(tmp_path / "model")
    body = load_backbone(str(tmp_path / "model"), profile=PROFILE)
    assert type(body.model) is type(whole)
    assert body.model.lm_head.weight.equal(whole.lm_head.weight)
    assert body.family.word_embeddings.equal(backbones[family].family.word_embeddings)


def test_digests_are_stable_and_follow_the_content(copied, backbones):
    same = load_backbone(str(copied), profile=PROFILE)
    assert same.weights_digest == backbones["roberta"].weights_digest
    assert same.tokenizer_digest == backbones["roberta"].tokenizer_digest
    assert same.tokenizer_digest != backbones["bert"].tokenizer_digest

    def nudge(weights):
        weights["lm_head.dense.weight"][0, 0] = np.nextafter(weights["lm_head.dense.weight"][0, 0], 9)

    edit_weights(copied, nudge)
    assert load_backbone(str(copied), profile=PROFILE).weights_digest != same.weights_digest


def test_embedding_std_is_unclipped(backbone):
    weights = backbone.model.get_input_embeddings().weight.numpy().astype(np.float64)
    assert backbone.embedding_std == pytest.approx(weights.std(), rel=1e-12)


def test_adapt_tokenizer_that_reads_special_tokens_in_texts_is_refused(backbones):
    vocabulary = {token: number for number, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", "a", "b"])}
    core = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    )
    with pytest.raises(ModelError, match="reads '<s>' in plain text"):
        Backbone.adapt(backbones["roberta"].model, tokenizer)


def test_adapt_tokenizer_without_mask_is_refused(backbones, small):
    tokenizer = small.roberta_tokenizer()
    tokenizer.mask_token = None
    with pytest.raises(ModelError, match="defines no mask_token"):
        Backbone.adapt(backbones["roberta"].model, tokenizer)


def test_adapt_tokenizer_larger_than_the_model_is_refused(backbones, small):
    tokenizer = small.roberta_tokenizer()
    tokenizer.add_tokens([f"extra{number}" for number in range(5)])
    with pytest.raises(ModelError, match="use the tokenizer saved with the model"):
        Backbone.adapt(backbones["roberta"].model, tokenizer)
