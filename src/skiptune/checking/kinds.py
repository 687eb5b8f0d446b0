"""The kinds of findings: what each is, from which share of the rows on it is a fault, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: The share of a part's rows up to which what is usual in small numbers is only a remark.
FEW = 0.01
#: The same for repeats, which published sets have, too.
SOME = 0.05
#: The same for what harms little.
MANY = 0.1


@dataclass(frozen=True)
class Kind:
    """A kind of findings.

    Attributes:
        what: in words, as the heading of a group.
        advice: what to do.
        remark_up_to: the share of a part's rows up to which it is a remark: 0, always a fault; 1, never one.
    """

    what: str
    advice: str
    remark_up_to: float = 0.0


_REPAIR = "mend or remove these rows; a run leaves them out"

#: Name → kind, in the order in which they are reported.
KINDS: Mapping[str, Kind] = {
    "unreadable_file": Kind("a file that cannot be read", "a run would stop here; mend the file or the recipe"),
    "no_parts": Kind("parts that cannot be cut", "give more data, another share, or files of their own"),
    "model": Kind("a task that cannot be made", "mend the model or the data: no row went through the processor"),
    "bad_json": Kind("rows that are not valid JSON", _REPAIR),
    "not_utf8": Kind("rows that are not UTF-8 text", "save the file as UTF-8; a run leaves these rows out"),
    "missing_image": Kind(
        "images that are not there",
        "put the files in place, or mend the paths: relative to the folder of images, with /, and capitals count",
    ),
    "unreadable_image": Kind("images that cannot be read", "download or save these files again"),
    "damaged_image": Kind(
        "images whose pixels are damaged", "download or save these files again; training would see grey in their place"
    ),
    "placeholder_mismatch": Kind(
        "rows with more or fewer places for images than images", "write one <image> for each image of the row"
    ),
    "unknown_role": Kind(
        "turns of an unknown role", "use system, user and assistant, or the names that the format has"
    ),
    "turn_order": Kind(
        "turns out of order", "let user and assistant alternate, the user first, the system only at the start"
    ),
    "empty_text": Kind("empty texts", "write what is asked, or remove the row"),
    "empty_answer": Kind("empty answers", "write the answer, or remove the row"),
    "no_answer": Kind("rows without an answer", "add the answer, or remove the row: nothing is learnt from it"),
    "answer_not_in_options": Kind("answers that are none of the options", "make the answer one of the row's options"),
    "bad_row": Kind("other rows that cannot be used", _REPAIR),
    "images_lost": Kind(
        "rows whose images do not all reach the model", "look at the chat template and the processor: they drop images"
    ),
    "template": Kind(
        "rows whose answers cannot be found in the chat template's text",
        "give the model a chat template that writes every turn by itself",
    ),
    "dated_template": Kind(
        "a chat template that writes the day's date", "write a date of your own in the place of strftime_now", 1.0
    ),
    "refused": Kind("rows that the model's processor refuses", "mend these rows, or choose another model"),
    "lost_answer": Kind("rows whose answers are cut off whole", "raise max_length, or shorten what stands before"),
    "truncated_answer": Kind("rows whose answers are cut", "raise max_length, or shorten the texts"),
    "cut_text": Kind("texts that are cut", "shorten them: the model has no room for more", MANY),
    "too_many_pixels": Kind("images larger than max_pixels", "make these images smaller, or raise max_pixels"),
    "tiny_image": Kind("tiny images", "check that they are no thumbnails or icons of failed downloads", FEW),
    "huge_image": Kind(
        "very large images", "make them smaller: they take long to read, and the model shrinks them", 1.0
    ),
    "narrow_image": Kind("very long and narrow images", "check that they are no banners or rules", FEW),
    "one_colour": Kind("images of one colour", "check that they are no broken downloads or placeholders", FEW),
    "literal_placeholder": Kind(
        "placeholders of images that stand as text", "remove them, or give the images that they stand for"
    ),
    "special_token": Kind(
        "special tokens of a model inside texts",
        "remove them: the model would read them as the end of a turn or the like",
    ),
    "damaged_text": Kind("texts with damaged characters", "save the file in the encoding that it was written in", FEW),
    "unknown_token": Kind(
        "answers that the tokenizer cannot write",
        "replace these characters, or choose a model with a larger vocabulary",
    ),
    "no_value": Kind(
        "answers that stand for no value",
        "give the answer, or remove the row: tables write nan or None where there is none",
        FEW,
    ),
    "written_value": Kind(
        "answers with HTML, or written as a value of Python", "take the text out of it where the file is made", FEW
    ),
    "several_turns": Kind(
        "answers that hold further turns",
        "cut the answer there, or make turns of them; the model would ask itself",
        FEW,
    ),
    "refusal": Kind(
        "answers of assistants that saw no image", "remove these rows: the model would learn to refuse", FEW
    ),
    "swapped": Kind("answers that ask", "check that question and answer were not swapped", 1.0),
    "leaked_answer": Kind("answers that stand in the question", "remove the answer from the question", FEW),
    "shared_images": Kind(
        "images that are in two parts", "keep each image in one part; held-out numbers would be too good"
    ),
    "shared_rows": Kind("rows that are in two parts", "keep each row in one part; held-out numbers would be too good"),
    "shared_texts": Kind(
        "texts that are in two parts", "check that they were not copied from one part to the other", 1.0
    ),
    "duplicate": Kind("rows that are there twice", "keep one of them", SOME),
    "duplicate_id": Kind("different rows with the same id", "give every row an id of its own", 1.0),
    "contradiction": Kind("the same question about the same image with another answer", "decide for one answer", SOME),
    "one_answer": Kind("one answer for nearly all rows", "add rows with other answers: there is little to learn"),
    "long_answer": Kind("answers far longer than the others", "check that no two rows ran together", 1.0),
    "repeated_image": Kind("rows with the same image twice", "check that the second one was meant to be another", 1.0),
    "one_image": Kind("one image for very many rows", "check that the image names of the rows are right", 1.0),
    "unseen_label": Kind("labels that training does not have", "add training rows of these labels", FEW),
    "unlabelled": Kind("rows to which the set gives no label", "nothing: a run leaves them out", 1.0),
}
