#!/usr/bin/env python3
"""Adapters that bert_ner writes are what peft reads, and the merged folder what transformers reads.

  check_peft.py BERT_NER FOLDER    a Hugging Face folder; skipped where peft or transformers is not installed
"""
import os
import struct
import subprocess
import sys
import tempfile

try:
    import torch
    from peft import PeftModel
    from transformers import AutoTokenizer, BertForTokenClassification
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

program, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])


def npy(path):
    with open(path, "rb") as file:
        data = file.read()
    start = 10 + int.from_bytes(data[8:10], "little")
    shape = eval(data[10:start].decode())["shape"]
    return torch.tensor(struct.unpack(f"<{(len(data) - start) // 4}f", data[start:])).reshape(shape)


with tempfile.TemporaryDirectory() as work:
    os.chdir(work)
    os.mkdir("data")
    words = [["Ab", "c", "efg"], ["hi", "dab", "cc", "bad"]]
    for part in ("train", "valid", "test"):
        with open(f"data/{part}.txt", "w", encoding="utf-8") as file:
            for sentence in words * 4:
                file.write("".join(f"{word} {'B-PER' if word[0] in 'Ab' else 'O'}\n" for word in sentence) + "\n")
    subprocess.run([program, "--device", "cpu", "--model", source, "--data", "data", "--lora", "4", "--lr", "0.02", "--length", "16",
                    "--epochs", "3", "--batch-size", "4", "--logits", "logits.npy", "--adapter", "adapter", "--export", "merged"],
                   check=True, stdout=subprocess.DEVNULL)
    ours = npy("logits.npy")
    tokenizer = AutoTokenizer.from_pretrained("merged")
    batch = tokenizer(words * 4, is_split_into_words=True, padding="max_length", max_length=ours.shape[1], return_tensors="pt")
    seen = batch["attention_mask"].bool()
    base = BertForTokenClassification.from_pretrained(source)
    models = {"base": base.eval(), "peft": PeftModel.from_pretrained(base, "adapter").eval(),
              "merged": BertForTokenClassification.from_pretrained("merged").eval()}
    for name in ("peft", "merged"):
        with torch.no_grad():
            theirs = models[name](**batch).logits
        worst = ((theirs - ours)[seen].abs().max() / ours[seen].abs().max()).item()
        print(f"{name}: logits differ by {worst:.2g} of the largest")
        if not worst < 1e-5:
            sys.exit(1)
