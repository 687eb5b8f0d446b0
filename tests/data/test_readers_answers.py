"""VQA's rules for answers: normalisation case by case, and the accuracy against ten leave-one-out averages."""

from __future__ import annotations

import itertools
import random

import pytest

from skiptune import InputError
from skiptune.data.answers import answer_vocabulary, normalise_answer, official_accuracy, soft_scores

NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
FORGOTTEN = """
aint:ain't arent:aren't cant:can't couldve:could've couldnt:couldn't couldn'tve:couldn't've couldnt've:couldn't've
didnt:didn't doesnt:doesn't dont:don't hadnt:hadn't hadnt've:hadn't've hadn'tve:hadn't've hasnt:hasn't havent:haven't
hed:he'd hed've:he'd've he'dve:he'd've hes:he's howd:how'd howll:how'll hows:how's isnt:isn't itd:it'd itd've:it'd've
it'dve:it'd've itll:it'll maam:ma'am mightnt:mightn't mightnt've:mightn't've mightn'tve:mightn't've mightve:might've
mustnt:mustn't mustve:must've neednt:needn't notve:not've oclock:o'clock oughtnt:oughtn't ow's'at:'ow's'at
'ows'at:'ow's'at 'ow'sat:'ow's'at shant:shan't shed've:she'd've she'dve:she'd've shouldve:should've
shouldnt:shouldn't shouldnt've:shouldn't've shouldn'tve:shouldn't've somebody'd:somebodyd
somebodyd've:somebody'd've somebody'dve:somebody'd've somebodyll:somebody'll somebodys:somebody's
someoned:someone'd someoned've:someone'd've someone'dve:someone'd've someonell:someone'll someones:someone's
somethingd:something'd somethingd've:something'd've something'dve:something'd've somethingll:something'll
thats:that's thered:there'd thered've:there'd've there'dve:there'd've therere:there're theres:there's theyd:they'd
theyd've:they'd've they'dve:they'd've theyll:they'll theyre:they're theyve:they've twas:'twas wasnt:wasn't
wed've:we'd've we'dve:we'd've weve:we've werent:weren't whatll:what'll whatre:what're whats:what's whatve:what've
whens:when's whered:where'd wheres:where's whereve:where've whod:who'd whod've:who'd've who'dve:who'd've
wholl:who'll whos:who's whove:who've whyll:why'll whyre:why're whys:why's wont:won't wouldve:would've
wouldnt:wouldn't wouldnt've:wouldn't've wouldn'tve:wouldn't've yall:y'all yall'll:y'all'll y'allll:y'all'll
yall'd've:y'all'd've y'alld've:y'all'd've y'all'dve:y'all'd've youd:you'd youd've:you'd've you'dve:you'd've
youll:you'll youre:you're youve:you've
"""
CASES = {
    # the evaluation page's own examples
    "dont": "don't",
    "100,978": "100978",
    "2:50 pm": "2:50 pm",
    "girl's": "girl's",
    # lower case and space
    "Yes": "yes",
    "NO": "no",
    "  red   and blue ": "red and blue",
    "red\nblue": "red blue",
    "red\tblue": "red blue",
    "": "",
    # articles
    "a dog": "dog",
    "an apple": "apple",
    "The Tree": "tree",
    "the": "",
    "A": "",
    "man on the moon": "man on moon",
    "than": "than",
    "theatre": "theatre",
    # periods
    "yes.": "yes",
    "3.5": "3.5",
    ".5": ".5",
    "5.": "5",
    "u.s.a.": "usa",
    "mr. smith": "mr smith",
    "1.2.3": "1.2.3",
    "v2.0.": "v2.0",
    "end...": "end",
    "." * 33: ".",
    # commas
    "red, white": "red white",
    "red,white": "red white",
    "1,000": "1000",
    "1,000,000": "1000000",
    "red ,white": "red white",
    "1, 2": "1 2",
    "yes,": "yes",
    # a comma between digits changes what happens to every other mark
    "t-shirt 1,000": "tshirt 1000",
    "a/b 1,000": "ab 1000",
    # other punctuation: to a space inside a word, to nothing beside a space
    "t-shirt": "t shirt",
    "t - shirt": "t shirt",
    "t- shirt": "t shirt",
    "black/white": "black white",
    "black / white": "black white",
    "long-sleeve t- shirt": "longsleeve t shirt",
    "what?": "what",
    "what? no!": "what no",
    "hello!": "hello",
    "(left)": "left",
    "[left]": "left",
    "{left}": "left",
    '"stop"': "stop",
    "a;b": "b",
    "c;d": "c d",
    "c=d": "c d",
    "c+d": "c d",
    "c\\d": "c d",
    "c_d": "c d",
    "c>d": "c d",
    "c<d": "c d",
    "me@home": "me home",
    "c`d": "c d",
    "rock & roll": "rock & roll",
    "50%": "50%",
    "$5": "$5",
    "#1": "#1",
    "12:30": "12:30",
    "it's": "it's",
    # together
    "The  two dogs.": "2 dogs",
    "None": "0",
    "none of them": "0 of them",
    "twenty one": "twenty 1",
    "twenty-one": "twenty 1",
    "someone": "someone",
    "a DONT": "don't",
    "dont.": "don't",
    "she's": "she's",
    "let's": "let's",
    "well": "well",
    "its": "its",
    "Im": "im",
}
CASES |= {word: str(number) for number, word in enumerate(NUMBERS)}
CASES |= {f"{word.upper()} cats": f"{number} cats" for number, word in enumerate(NUMBERS)}
CASES |= dict(pair.split(":") for pair in FORGOTTEN.split())


@pytest.mark.parametrize(("answer", "expected"), list(CASES.items()))
def test_normalisation(answer: str, expected: str) -> None:
    assert normalise_answer(answer) == expected


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 200


def leave_one_out(answer: str, given: list[str]) -> float:
    """The published sentence, word by word: averaged over all subsets of nine of ten annotators."""
    if len(set(given)) > 1:
        answer, given = normalise_answer(answer), [normalise_answer(text) for text in given]
    subsets = list(itertools.combinations(given, len(given) - 1))
    return sum(min(1.0, sum(other == answer for other in subset) / 3) for subset in subsets) / len(subsets)


@pytest.mark.parametrize(("count", "expected"), list(enumerate([0, 0.3, 0.6, 0.9, 1, 1, 1, 1, 1, 1, 1])))
def test_accuracy_by_number_of_agreeing_annotators(count: int, expected: float) -> None:
    given = ["yes"] * count + ["no"] * (10 - count)
    assert official_accuracy("yes", given) == pytest.approx(expected)
    assert official_accuracy("Yes.", given) == pytest.approx(expected if 0 < count < 10 else 0)


def test_accuracy_is_the_mean_over_leave_one_out_subsets() -> None:
    rng = random.Random(0)
    words = ["yes", "Yes", "no.", "two", "2", "the dog", "dog", "t-shirt", "t shirt", "10"]
    for _ in range(500):
        given = rng.choices(rng.sample(words, rng.randint(1, 5)), k=rng.choice([1, 2, 9, 10, 10, 10]))
        answer = rng.choice(words)
        if len(given) > 1:
            assert official_accuracy(answer, given) == pytest.approx(leave_one_out(answer, given))
    with pytest.raises(InputError, match="annotator"):
        official_accuracy("yes", [])


def test_soft_scores_count_answers_as_written() -> None:
    given = ["net", "Net", "net", "net", "fence", "fence", *["2"] * 4]
    assert soft_scores(given) == {"net": 0.9, "Net": 0.3, "fence": 0.6, "2": 1.0}


def test_vocabulary_counts_normalised_majorities_in_order_of_appearance() -> None:
    majorities = ["rare"] * 8 + ["Yes"] * 5 + ["t-shirt"] * 9 + ["yes."] * 4 + ["two"] * 20
    assert answer_vocabulary(majorities) == ["yes", "t shirt", "2"]
    assert answer_vocabulary(majorities, least=1)[0] == "rare"
    with pytest.raises(InputError, match="21 questions"):
        answer_vocabulary(majorities, least=21)
