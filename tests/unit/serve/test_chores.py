"""What chat programs ask for their own ends is told from questions about files, and answered in the form that they ask for."""

import json

import pytest

from searchkit.serve.dialects.chat.chores import is_chore, without_model

HISTORY = "<chat_history>\nUSER: when does the lease of the studio end?\nASSISTANT: On 31 March 2026.\n</chat_history>"
OPEN_WEBUI = {
    "title": f'### Task:\nGenerate a concise title with an emoji.\nJSON format: {{ "title": "your title" }}\n{HISTORY}',
    "tags": f'### Task:\nGenerate 1-3 broad tags.\n### Output:\nJSON format: {{ "tags": ["tag1", "tag2"] }}\n{HISTORY}',
    "follow_ups": f'### Task:\nSuggest follow-up questions.\nJSON format: {{ "follow_ups": ["Question 1?"] }}\n{HISTORY}',
    "queries": f'### Task:\nAnalyze the chat history.\nJSON: {{ "queries": ["query1", "query2"] }}\n{HISTORY}',
    "text": '### Task:\nYou are an autocompletion system.\n### Output: {"text": "<completion>"}\n<text>when does</text>',
}
OTHERS = [
    "Provide a concise, 5-word-or-less title for the conversation, using its same language, with no punctuation. User: when?",
    "Please generate a short title for this chat based on the messages below, in the user's language.\nUser: when does it end?",
    "Summarize the following as a title of the conversation for the transcript below. Reply with the title alone, please.",
]
QUESTIONS = [
    "when does the lease end",
    "What is the title of the book that Sabine borrowed?",
    "which tags did we put on the photos of the boat",
    "generate a title",
    "Who wrote the conversation guide?",
    "Summarize the meeting about the studio: who came, what did they decide, and which questions are still open after it?",
]


@pytest.mark.parametrize("form", OPEN_WEBUI)
def test_the_form_that_is_asked_for_is_kept(form: str) -> None:
    assert is_chore(OPEN_WEBUI[form])
    answered = json.loads(without_model(OPEN_WEBUI[form]))
    assert list(answered) == [form]
    assert isinstance(answered[form], str if form in ("title", "text") else list)


def test_a_title_and_a_search_are_what_was_asked() -> None:
    assert json.loads(without_model(OPEN_WEBUI["title"])) == {"title": "when does the lease of"}
    assert json.loads(without_model(OPEN_WEBUI["queries"])) == {"queries": ["when does the lease of the studio end?"]}


@pytest.mark.parametrize("message", OTHERS)
def test_other_programs_get_a_line(message: str) -> None:
    assert is_chore(message)
    title = without_model(message)
    assert title and "\n" not in title and len(title.split()) <= 5


@pytest.mark.parametrize("question", QUESTIONS)
def test_questions_about_files_are_none(question: str) -> None:
    assert not is_chore(question)
