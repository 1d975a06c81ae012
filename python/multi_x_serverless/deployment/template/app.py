"""What is in a text? A workflow with a fan-out, a conditional call and a join.

    receive --> count_words ---------------> summarise
       |------> find_similar_words ------------>|
       |- if deep -> find_repeated_phrases ---->|

The text is personal data, so `receive` stays in the home region; what it hands on has no names in it and may be worked
on anywhere.
"""

import re
from collections import Counter
from itertools import combinations

from multi_x_serverless import MultiXServerlessWorkflow

workflow = MultiXServerlessWorkflow(name="example_text", version="0.0.1")

LONGEST_PHRASE = 5
SHORTEST_WORD = 4


@workflow.serverless_function(
    name="receive",
    entry_point=True,
    regions_and_providers={"allowed_regions": ["us-east-1"]},
)
def receive(event):
    """Take `{"text": "...", "deep": true}`, and hand its words on without names."""
    text = event["text"]
    if not isinstance(text, str) or not text.strip():
        raise ValueError("the event needs a 'text' that is not empty")
    names = {match.group(1).lower() for match in re.finditer(r"\b(?:Mr|Mrs|Ms|Dr)\.? ([A-Z]\w+)", text)}
    words = [word for word in re.findall(r"[a-z']+", text.lower()) if word not in names]
    workflow.invoke_serverless_function(count_words, words)
    workflow.invoke_serverless_function(find_similar_words, sorted(set(words)))
    workflow.invoke_serverless_function(find_repeated_phrases, words, bool(event.get("deep")))


@workflow.serverless_function(name="count_words")
def count_words(words):
    """The most frequent words."""
    counts = Counter(words)
    print(f"{len(words)} words, {len(counts)} different ones")  # shown by `multi_x_serverless logs`
    frequent = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:5]
    workflow.invoke_serverless_function(
        summarise, {"words": len(words), "distinct": len(counts), "frequent": [list(entry) for entry in frequent]}
    )


@workflow.serverless_function(name="find_similar_words")
def find_similar_words(words):
    """Pairs of words that differ by one letter: the heavy branch, it compares each word with each other."""
    long_words = [word for word in words if len(word) >= SHORTEST_WORD]
    similar = [[first, second] for first, second in combinations(long_words, 2) if edit_distance(first, second) == 1]
    workflow.invoke_serverless_function(summarise, {"similar": similar})


@workflow.serverless_function(name="find_repeated_phrases")
def find_repeated_phrases(words):
    """The longest phrases that stand in the text more than once; only run on demand."""
    phrases = Counter(
        " ".join(words[start : start + length])
        for length in range(2, LONGEST_PHRASE + 1)
        for start in range(len(words) - length + 1)
    )
    repeated = sorted(
        (phrase for phrase, count in phrases.items() if count > 1), key=lambda phrase: (-len(phrase), phrase)
    )
    workflow.invoke_serverless_function(summarise, {"repeated": repeated[:5]})


@workflow.serverless_function(name="summarise")
def summarise():
    """Join what the branches found. It runs once, when each branch has reported or was not called."""
    summary = {}
    for part in workflow.get_predecessor_data():
        summary.update(part)
    return summary


def edit_distance(first, second):
    """Letters to insert, delete or replace to get from one word to another; 2 or more counts as 2."""
    if abs(len(first) - len(second)) > 1:
        return 2
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, start=1):
        previous, row[0] = row[0], i
        for j, right in enumerate(second, start=1):
            replaced = previous + (left != right)
            previous = row[j]
            row[j] = min(replaced, row[j] + 1, row[j - 1] + 1)
    return min(row[-1], 2)
