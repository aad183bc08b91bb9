import pytest
import small_models
from transformers import AutoTokenizer

from harness.engine import encode
from harness.errors import InvalidQuery, UsageError

MESSY = [
    "a gripping film",
    "hide new secretions from the parental units ",
    "  two  spaces , and a tab\t",
    "",
    "(it's) \u201cquoted\u201d caf\u00e9 \u4e2d\u6587 \U0001f600!",
    "ends with a stop.",
    "line\nbreak\n",
]


def fields_of(template):
    return 2 if "{a}" in template else 1


def build(backbone, template=None, words=("bad", "great"), **options):
    template = template or small_models.PLAIN[backbone.family.name][1]
    options.setdefault("n_fields", fields_of(template))
    options.setdefault("n_prompt_tokens", 5)
    return small_models.compile_wording(backbone, template, words, **options)


def row_ids(backbone, compiled, *fields):
    return encode(backbone, compiled, [fields]).ids.tolist()


@pytest.mark.parametrize("text", MESSY)
@pytest.mark.parametrize(
    ("family", "task"), [(family, task) for family, tasks in small_models.OFFICIAL.items() for task in tasks]
)
def test_official_template_assembled_ids_equal_tokenized_string(backbones, small, family, task, text):
    backbone, template = backbones[family], small.OFFICIAL[family][task]
    official = AutoTokenizer.from_pretrained(backbone.source)
    official.backend_tokenizer.no_truncation()
    placeholder = "bad great film good Company"
    n_prompt_tokens = len(official(placeholder, add_special_tokens=False).input_ids)
    fields = (text, "it was good")[: fields_of(template)]
    compiled = build(backbone, template, n_prompt_tokens=n_prompt_tokens, placeholder=placeholder)
    mask = small.MASKS.get(family, official.mask_token)
    expected = official(small.formatted(template, placeholder, fields, mask)).input_ids
    assert row_ids(backbone, compiled, *fields) == expected


def test_template_words_split_into_pieces_that_matter(backbones):
    # The equality above would be empty if the tokenizers did not glue spaces to words.
    roberta = backbones["roberta"]
    assert roberta.token_ids(" It") != roberta.token_ids("It")
    assert roberta.token_ids("It was") == roberta.token_ids("It") + roberta.token_ids(" was")


def test_placeholder_default_takes_the_official_range(backbone):
    compiled = build(backbone, n_prompt_tokens=50)
    assert compiled.placeholder_ids == tuple(range(1000, 1050))
    start = backbone.family.prompt_start
    assert row_ids(backbone, compiled, "film")[start : start + 50] == list(range(1000, 1050))


def test_placeholder_text_short_is_filled_and_long_is_cut(backbone):
    own = backbone.token_ids("bad film")
    short = build(backbone, placeholder="bad film", n_prompt_tokens=8)
    assert short.placeholder_ids == own + tuple(range(1000 + len(own), 1008))
    long = build(backbone, placeholder="bad film " * 9, n_prompt_tokens=2)
    assert long.placeholder_ids == backbone.token_ids("bad film " * 9)[:2]


def test_placeholder_ids_given_by_the_round_replace_the_range(backbone):
    assert build(backbone, placeholder_ids=(7, 8, 9, 10, 11)).placeholder_ids == (7, 8, 9, 10, 11)


@pytest.mark.parametrize("ids", [(7, 8), (7, 8, 9, 10, 5000), (7, 8, 9, 10, -1), (7, 8, 9, 10, None)])
def test_placeholder_ids_wrong_are_the_rounds_fault(backbone, ids):
    ids = tuple(backbone.specials.pad if number is None else number for number in ids)
    with pytest.raises(UsageError, match="Placeholder id"):
        build(backbone, placeholder_ids=ids)


def test_mode_cat_reserves_the_prompt_positions(backbone):
    compiled = build(backbone, mode="cat")
    after = backbone.family.prompt_start + 5
    assert row_ids(backbone, compiled, "film")[after:] == row_ids(backbone, build(backbone), "film")[after:]
    with pytest.raises(InvalidQuery, match="no placeholder"):
        build(backbone, mode="cat", placeholder="film")


@pytest.mark.parametrize(
    "forged", ["[MASK]", "<mask>", "</s>", "[SEP] [PAD] <pad> [CLS] <s>", "<|endoftext|>", "<extra_id_0>"]
)
def test_special_tokens_in_texts_templates_and_placeholders_stay_text(backbone, forged):
    specials = backbone.specials
    compiled = build(backbone, "{p} . " + forged + " {text} [M]", placeholder=forged)
    ids = row_ids(backbone, compiled, f"a {forged} b")
    own = specials.all_ids - {specials.pad}
    assert [ids.count(number) for number in own] == [1] * len(own)
    assert specials.pad not in ids


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{p} . {text} . It was .", r"\[M\] occurs 0 times"),
        ("{p} . {text} [M] [M] .", r"\[M\] occurs 2 times"),
        ("{p} . It was [M] .", r"\{text\} occurs 0 times"),
        ("{p} {text} {text} [M]", r"\{text\} occurs 2 times"),
        ("{text} [M]", r"\{p\} occurs 0 times"),
        ("{p} {p} {text} [M]", r"\{p\} occurs 2 times"),
        ("{text} {p} [M]", "does not begin"),
        ("Review: {p} {text} [M]", "does not begin"),
        ("{p} {text} {a} [M]", r"names \{a\}; this task has \{text\}"),
        ("{p} {text} [M] \ud800", "Unicode"),
        ("{p} {text}" + " film" * 200 + " [M]", "takes .* tokens .* at most 128"),
    ],
)
def test_template_malformed_is_refused(backbone, template, says):
    with pytest.raises(InvalidQuery, match=says):
        build(backbone, template, n_fields=1)


@pytest.mark.parametrize("template", ["{p} {text} . It was [M] .", "{p} [M] {text}"])
def test_template_of_a_causal_model_ends_at_the_mask(backbones, template):
    with pytest.raises(InvalidQuery, match=r"goes on after \[M\]; a gpt2 model is read at its last token"):
        build(backbones["gpt2"], template)


@pytest.mark.parametrize("template", ["{p} {a} [M]", "{p} {text} [M]"])
def test_template_of_a_pair_task_needs_both_fields(backbone, template):
    with pytest.raises(InvalidQuery, match=r"\{[ab]\} occurs 0 times"):
        build(backbone, template, n_fields=2)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("bad", "bad"), r"class 0 \('bad'\) and class 1 \('bad'\) share token"),
        ((("bad", "film"), ("great", "film")), r"class 0 \('film'\) and class 1 \('film'\)"),
        ((), "no words"),
        (("bad", ()), "class 1 has no word"),
        (("bad", ""), "class 1 has the word ''"),
        (("bad", " great"), "without white space"),
        (("bad", "gre\udc00at"), "Unicode"),
    ],
)
def test_words_malformed_are_refused(backbone, words, says):
    with pytest.raises(InvalidQuery, match=says):
        build(backbone, words=words)


@pytest.mark.parametrize("option", ["words", "probe_words"])
def test_word_unknown_is_refused(backbones, option):
    options = {"words": ("bad", "\u4e2d")} if option == "words" else {"probe_words": ("\u4e2d",)}
    with pytest.raises(InvalidQuery, match="does not know"):
        build(backbones["bert"], **options)


def test_label_token_is_the_first_id_without_or_with_a_space(backbones):
    roberta, bert = backbones["roberta"], backbones["bert"]
    official = build(roberta, words=("bad", "great"), probe_words=("film",))
    spaced = build(roberta, words=("bad", "great"), probe_words=("film",), label_token="spaced")
    assert official.class_ids == tuple((roberta.token_ids(word)[0],) for word in ("bad", "great"))
    assert spaced.class_ids == tuple((roberta.token_ids(" " + word)[0],) for word in ("bad", "great"))
    assert official.probe_ids == (roberta.token_ids("film")[0],)
    assert spaced.probe_ids == (roberta.token_ids(" film")[0],)
    assert set(official.class_ids).isdisjoint(spaced.class_ids)
    assert build(bert).class_ids == build(bert, label_token="spaced").class_ids


def test_class_with_several_words_keeps_them_all(backbone):
    compiled = build(backbone, words=(("bad", "boring"), "great"))
    assert [len(ids) for ids in compiled.class_ids] == [2, 1]
    assert compiled.words == (("bad", "boring"), ("great",))


@pytest.mark.parametrize(
    ("options", "error"),
    [({"mode": "prefix"}, InvalidQuery), ({"label_token": "first"}, UsageError), ({"n_fields": 3}, UsageError)],
)
def test_options_unknown_are_refused(backbone, options, error):
    with pytest.raises(error):
        build(backbone, **options)
