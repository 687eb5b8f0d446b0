"""The word-piece vocabulary of ``vilt-scenes``: words of captions, common English words, and all characters.

Other words are split into characters, so a question in Latin script has no unknown tokens.
"""

from __future__ import annotations

import string

from transformers import BertTokenizer

from .captions import COUNTS, POSITIONS, RELATIONS
from .scene import BACKGROUNDS, COLORS, SHAPES, SIZES

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_CAPTION_WORDS = """
a absent an and are at background below color contain contains does exactly image in is no not of picture present shape
shows the there crosses shapes stars circles rectangles triangles diamonds
"""
_COMMON_WORDS = """
about across after all along also another any around as away back be bed bedroom before behind being between beside
bench bicycle big bird blanket board boat body book books bookshelf bottle bowl box boxes boy bread bridge brush bus by
cabinet cake camera can candle car carpet cat ceiling chair chairs child children clock cloth clothes coat coffee
colour colored come computer cooking corner couch counter cow cup curtain dark desk dirt dish dog doing door doors down
dress drawer each eight either else empty fan far farthest fence few field five floor flower flowers food for found four
fridge from front frame furniture garbage bin girl glass go grass ground group hair half hand hanging has have he head
her here high his holding horse house how in inside into item items it its jacket jumping just keyboard kid kind kitchen
lamp lamps laptop large larger largest leaf left less light like little long looking low lower made magazine man many
material me men middle mirror monitor more most mountain mouse much near nearest next nine none number object objects
ocean off oil old on only open or other out outside over oven paint painting pan paper papers park part people person
phone picture pictures pillow pillows placed plant plants plate play playing pool pot printer rack refrigerator right
road rock room rope round row rug run running sand screen seat see seen seven shadow she sheet shelf shelves shirt shoe
show shower side sign silver sink sit sitting six sky small smaller smallest smiling snow so sofa some someone spoon
square stand standing stove street striped table tables tall telephone television ten tennis than that their them these
they thing things this those three through to together toilet towel toy track train tray tree trees two type under up
upper vase very walking wall walls was water wearing what when where which while who whole whose why wide window windows
with without woman women wood wooden work yes you young zero do did color
"""
_SUFFIXES = "s es ed ing er est ly y al ion ment ness"


def make_tokenizer(max_length: int) -> BertTokenizer:
    """An uncased word-piece tokenizer that truncates texts at ``max_length`` tokens."""
    phrases = (*COLORS, *SHAPES, *SIZES, *BACKGROUNDS, *POSITIONS, *RELATIONS, *COUNTS, _CAPTION_WORDS, _COMMON_WORDS)
    words = sorted({word for phrase in phrases for word in phrase.split() if len(word) > 1})
    characters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    pieces = [f"##{piece}" for piece in (*string.ascii_lowercase, *string.digits, *_SUFFIXES.split()) if piece]
    entries = list(dict.fromkeys([*SPECIAL, *words, *characters, *pieces]))
    vocab = {entry: number for number, entry in enumerate(entries)}
    return BertTokenizer(vocab=vocab, do_lower_case=True, model_max_length=max_length)
