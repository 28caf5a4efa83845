#!/usr/bin/env python3
"""Writes tokenizers/wordpiece.json: texts and what Hugging Face's BERT tokenizer makes of them.

  make_tokenizer_vectors.py            writes the files (needs `tokenizers` from PyPI; 0.15.2 made them)
  make_tokenizer_vectors.py --check    compares with the committed ones; 77 where `tokenizers` is not installed
  make_tokenizer_vectors.py --more N --run PROGRAM    gives N other texts to tokenizer_check

Random texts are of code points that Unicode 3.2 had with their class of today: tables differ in age.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
import unicodedata

try:
    from tokenizers import BertWordPieceTokenizer
except ImportError:
    print("skipped: the Python package tokenizers is not installed")
    sys.exit(77)

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokenizers")
VOCABULARY = os.path.join(HERE, "vocab.txt")
SETTINGS = [{"lowercase": True, "strip_accents": None, "handle_chinese_chars": True},
            {"lowercase": False, "strip_accents": None, "handle_chinese_chars": True},
            {"lowercase": True, "strip_accents": False, "handle_chinese_chars": True},
            {"lowercase": False, "strip_accents": True, "handle_chinese_chars": False}]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def vocabulary():
    letters = [chr(c) for c in range(33, 127)]
    letters += list("éüñçßøæłđäöåÉÜÑÇØÆŁÄÖÅαβγδεσςλΣΛабвгдежЖБя日本語中文字한국가각ᄒ하אבגדहिनदीกขค")
    words = ("un want wanted runn run running the The THE paris Paris new york naive cafe resume able ing s ed er "
             "aff aff able don t 19 2026 hello HELLO world co operate ness self playing play").split()
    pieces = "ing s ed er able ly ness tion aff ffable ble un a't né ção 19 26 中 文".split()
    tokens = SPECIAL + letters + ["##" + letter for letter in letters] + words + ["##" + piece for piece in pieces]
    return list(dict.fromkeys(tokens))


def known(c):
    old, now = unicodedata.ucd_3_2_0.category(chr(c)), unicodedata.category(chr(c))
    return old == now and old not in ("Cs", "Cn") and not 0x2B820 <= c <= 0x2B91F


POOLS = {
    "latin": list(range(0x20, 0x250)), "greek": list(range(0x370, 0x400)), "cyrillic": list(range(0x400, 0x500)),
    "marks": list(range(0x300, 0x370)), "spaces": [9, 10, 13, 0x20, 0xA0, 0x1680, 0x2003, 0x2009, 0x2028, 0x2029, 0x202F, 0x3000, 0xB, 0xC, 0x85],
    "controls": [0, 1, 7, 0x1F, 0x7F, 0x9F, 0xAD, 0x200B, 0x200D, 0x200E, 0xFEFF, 0xFFFD, 0xE000],
    "punctuation": list(range(0x2010, 0x2060)) + list(range(0x3001, 0x3020)) + [0xA1, 0xBF, 0x37E, 0x60C, 0xFF01, 0xFF0C],
    "chinese": list(range(0x4E00, 0x4E40)) + list(range(0xF900, 0xF920)) + [0x20000, 0x2F800, 0x3400],
    "hangul": list(range(0xAC00, 0xAC40)) + list(range(0x1100, 0x1110)), "indic": list(range(0x900, 0x980)) + list(range(0xE01, 0xE50)),
    "extended": list(range(0x1E00, 0x2000)), "symbols": list(range(0x20A0, 0x20B0)) + list(range(0x2100, 0x2150)) + [0x1D400, 0x1F600],
    "hebrew": list(range(0x591, 0x5F5)), "kana": list(range(0x3041, 0x3100)),
}
POOLS = {name: [chr(c) for c in pool if c in (0, 0xFFFD) or known(c)] for name, pool in POOLS.items()}


def text(source):
    parts = []
    for _ in range(source.randrange(1, 8)):
        kind = source.randrange(6)
        if kind == 0:
            parts.append(source.choice(VOCABULARY_WORDS) + source.choice(["", "ing", "s", "ly", "!", "'t", "-", "é"]))
        elif kind == 1:
            parts.append(source.choice(SPECIAL + ["[mask]", "[ SEP ]", "[CLS"]))
        else:
            pool = POOLS[source.choice(list(POOLS))]
            parts.append("".join(source.choice(pool) for _ in range(source.randrange(1, 9))))
        parts.append(source.choice(["", " ", "  ", "\t", ""]))
    return "".join(parts)


FIXED = ["", " ", "UNwanted, running!", "naïve café résumé", "Straße ΣΑΣ İstanbul", "日本語 in 中文字 text", "한국 가각", "a\u0301e\u0301",
         "don't--stop...", "x" * 99, "x" * 100, "x" * 101, "a" * 100 + " b", "é" * 100, "é" * 101, "e\u0301" * 100, "\u0000a\ufffdb\u200bc",
         "[CLS] a [SEP][MASK]b[PAD] [UNK]", "$100+5%=^`|~", "unaffable", "☃ snowman", "tabs\tand\nlines\r\n", "zero\u200dwidth", "ﬁ ligature ①",
         "हिन्दी में", "กขค ไทย", "שָׁלוֹם", "Ǆ ǅ Ⅷ Ⓐ", "\u1e9e\u0130\u0131"]
VOCABULARY_WORDS = [token for token in vocabulary() if token.isalpha()]


def cases(texts):
    found = []
    for number, settings in enumerate(SETTINGS):
        tokenizer = BertWordPieceTokenizer(VOCABULARY, clean_text=True, **settings)
        for one in texts:
            words = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(one))]
            found.append({"settings": number, "text": one, "words": words,
                          "tokens": tokenizer.encode(one, add_special_tokens=False).tokens})
    return found


def content(texts):
    lines = ",\n".join("  " + json.dumps(case, ensure_ascii=True) for case in cases(texts))
    return '{"settings": ' + json.dumps(SETTINGS) + ',\n "cases": [\n' + lines + "\n]}\n"


def main():
    if "--more" in sys.argv:
        count = int(sys.argv[sys.argv.index("--more") + 1])
        source = random.Random(count)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(content([text(source) for _ in range(count)]))
            file.flush()
            sys.exit(subprocess.run([sys.argv[sys.argv.index("--run") + 1], VOCABULARY, file.name]).returncode)
    files = {VOCABULARY: "\n".join(vocabulary()) + "\n"}
    if "--check" not in sys.argv:
        with open(VOCABULARY, "w", encoding="utf-8") as file:
            file.write(files[VOCABULARY])
    source = random.Random(7)
    files[os.path.join(HERE, "wordpiece.json")] = content(FIXED + [text(source) for _ in range(150)])
    for path, made in files.items():
        if "--check" in sys.argv:
            with open(path, encoding="utf-8") as file:
                if file.read() != made:
                    sys.exit(f"{path} is not what would be written")
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(made)


main()
