"""The toy tokenizer: whole words, no unknown token, fixed ids."""

from harness.toy import PLACEHOLDER_IDS, PLACEHOLDER_WORDS
from harness.toy.grammar import GLOSSARY, documents, task_rows
from harness.toy.tasks import TASKS
from harness.toy.tokenizer import SPECIAL_TOKENS, build_tokenizer, vocabulary

TOKENIZER = build_tokenizer()


def ids(text: str) -> list[int]:
    return list(TOKENIZER(text, add_special_tokens=False).input_ids)


def test_placeholder_ids_decode_to_the_placeholder_words() -> None:
    assert TOKENIZER.convert_ids_to_tokens(list(PLACEHOLDER_IDS)) == list(PLACEHOLDER_WORDS)
    assert TOKENIZER.decode(list(PLACEHOLDER_IDS)) == " ".join(PLACEHOLDER_WORDS)


def test_raw_text_is_wrapped_in_start_and_end() -> None:
    encoded = TOKENIZER("It was great.").input_ids
    assert TOKENIZER.convert_ids_to_tokens(encoded) == ["<s>", "it", "was", "great", ".", "</s>"]


def test_every_row_and_document_is_known_words_only() -> None:
    unknown = TOKENIZER.unk_token_id
    for task, spec in TASKS.items():
        texts = {str(row[field]) for row in task_rows(task, "test") for field in spec.fields}
        assert all(unknown not in ids(text) for text in texts)
        assert all(len(ids(text)) == len(text.split()) for text in texts)
    vocab = vocabulary()
    for doc in documents(600, 1, tasks=(*TASKS, GLOSSARY)):
        assert all(word in vocab for word in doc.words)


def test_templates_and_label_words_are_known() -> None:
    for task in TASKS.values():
        frame = task.template
        for part in ("{p}", "{text}", "{a}", "{b}", "[M]"):
            frame = frame.replace(part, " ")
        assert TOKENIZER.unk_token_id not in ids(frame)
        label_ids = [ids(word) for word in task.words]
        assert all(len(label) == 1 for label in label_ids)
        assert len({label[0] for label in label_ids}) == len(task.words)


def test_pieces_encode_as_they_do_inside_a_sentence() -> None:
    assert ids("news: from about") == ids("news:") + ids("from") + ids("about")


def test_special_tokens_have_roberta_ids() -> None:
    assert TOKENIZER.convert_tokens_to_ids(list(SPECIAL_TOKENS)) == [0, 1, 2, 3, 4]
    assert TOKENIZER.pad_token_id == 1
    assert TOKENIZER.mask_token_id == 4
