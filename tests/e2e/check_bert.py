#!/usr/bin/env python3
"""bert_ner and Hugging Face folders: what is written is read back, older names too, and what mistakes say.

  check_bert.py BERT_NER FOLDER    a folder with config.json, model.safetensors, vocab.txt
"""
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

program, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])


def call(*options, says="", fails=False):
    done = subprocess.run([program, "--device", "cpu", *options], capture_output=True, text=True)
    text = done.stderr if fails else done.stdout
    if (done.returncode != 0) != fails or done.returncode < 0 or not re.search(says, text):
        sys.exit(f"{options}: exit status {done.returncode}, expected '{says}'\n{done.stdout}{done.stderr}")
    return done.stdout


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, content):
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def rewrite(path, change):
    """Changes the header of a safetensors file."""
    data = read(path)
    length = int.from_bytes(data[:8], "little")
    header = change(json.loads(data[8:8 + length]))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    write(path, struct.pack("<Q", len(text)) + text + data[8 + length:])


def folder(name, change=lambda path: None):
    shutil.rmtree(name, ignore_errors=True)
    shutil.copytree(source, name)
    change(name)
    return name


def numbers(path):
    data = read(path)
    start = 10 + int.from_bytes(data[8:10], "little")
    return data[:start], struct.unpack(f"<{(len(data) - start) // 4}f", data[start:])


def edited(path, file, change):
    with open(os.path.join(path, file), encoding="utf-8") as stream:
        content = json.load(stream)
    change(content)
    write(os.path.join(path, file), json.dumps(content))


def round_trip():
    data = "".join(f"{word} {tag}\n" for word, tag in (("Ab", "B-PER"), ("c", "I-PER"), ("efg", "O"))) + "\n"
    write("data.txt", data * 20)
    common = ["--data", "data.txt", "--length", "12", "--batch-size", "4"]
    call("--model", source, *common, "--epochs", "30", "--lr", "0.01", "--patience", "0", "--logits", "a.npy", "--export", "out",
         "--save", "trained.safetensors", says="wrote out")
    # The folder that was written, and the parameters alone, are the model that was trained.
    call("--model", "out", *common, "--evaluate", "--logits", "b.npy")
    call("--model", source, *common, "--evaluate", "--load", "trained.safetensors", "--logits", "c.npy")
    assert read("a.npy") == read("b.npy") == read("c.npy")
    text = call("--model", "out", "--tag", "Ab c, efg!", says=r"^Ab\tB-PER\nc\t\S+\n,\t\S+\nefg\t\S+\n!\t\S+\n$")
    assert "\tO\n" in text, text
    # Names of older checkpoints, and those of the body alone.
    def old(header):
        renamed = {}
        for name, value in header.items():
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
            renamed[name.removeprefix("bert.")] = value
        return renamed
    folder("old", lambda path: shutil.copy("out/model.safetensors", path))
    rewrite("old/model.safetensors", old)
    call("--model", "old", *common, "--evaluate", "--logits", "d.npy")
    assert read("a.npy") == read("d.npy")
    # Without a classifier there is a new one, of the data's labels.
    rewrite("old/model.safetensors", lambda header: {name: value for name, value in header.items() if "classifier" not in name}
            | {"cls.predictions.bias": header["classifier.bias"], "filler": {**header["classifier.weight"], "dtype": "F32"}})
    call("--model", "old", *common, "--steps", "1", says="the classifier is new: old has none for 3 labels")


def goes_on():
    """A training that goes on from its checkpoint is the one that was never stopped."""
    few = ["--batch-size", "32", "--patience", "0"]
    call(*few, "--epochs", "2", "--save", "whole.safetensors")
    # The schedule is that of two epochs, so the first of them is stopped from outside.
    process = subprocess.Popen([program, "--device", "cpu", *few, "--epochs", "2", "--checkpoint", "training.ckpt"],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if re.match(r"epoch 1/2", line):
            break
    process.kill()
    process.wait()
    call(*few, "--epochs", "2", "--checkpoint", "training.ckpt", "--save", "resumed.safetensors")
    assert read("whole.safetensors") == read("resumed.safetensors")


def mistakes():
    def bad(name, change, says, *options):
        folder(name, change)
        call("--model", name, *(options or ("--tag", "a b")), says=says, fails=True)
    bad("unk", lambda path: write(f"{path}/vocab.txt", "[PAD]\n[CLS]\n[SEP]\na\n"), r"error: unk/vocab.txt: the vocabulary lacks \[UNK\]")
    bad("many", lambda path: write(f"{path}/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n" + "".join(f"w{i}\n" for i in range(40))),
        "many: vocab.txt has 44 tokens, the model 40")
    bad("sizes", lambda path: edited(path, "config.json", lambda c: c.update(hidden_size=32)),
        r"sizes/model.safetensors is not a checkpoint of this model; of another type: 'bert\.\S+' \(f32\[40, 16\] in the file, f32\[40, 32\] here\)")
    bad("layers", lambda path: edited(path, "config.json", lambda c: c.update(num_hidden_layers=3)), r"missing: 'bert\.encoder\.layer\.2\.")
    bad("fewer", lambda path: edited(path, "config.json", lambda c: c.update(num_hidden_layers=1)), r"unexpected: 'bert\.encoder\.layer\.1\.")
    bad("half", lambda path: write(f"{path}/model.safetensors", read(f"{path}/model.safetensors")[:9000]), "model.safetensors.*truncated")
    bad("heads", lambda path: edited(path, "config.json", lambda c: c.update(num_attention_heads=3)), "3 heads do not divide a width of 16")
    bad("act", lambda path: edited(path, "config.json", lambda c: c.update(hidden_act="silu")), "hidden_act 'silu' is none of")
    bad("kind", lambda path: edited(path, "config.json", lambda c: c.update(model_type="gpt2")), "the model is a 'gpt2'")
    bad("broken", lambda path: write(f"{path}/config.json", "{"), "broken/config.json: no JSON object")
    bad("none", lambda path: os.remove(f"{path}/config.json"), "none/config.json: cannot be read; a Hugging Face folder has")
    bad("weights", lambda path: os.remove(f"{path}/model.safetensors"), "weights/model.safetensors.*No such file")
    call("--model", source, "--length", "64", fails=True, says="--length 64: the model has 16 positions")
    write("tags.txt", "a O\n\nb B-XYZ\n\n" * 10)
    call("--model", source, "--data", "tags.txt", "--length", "12", fails=True, says=r"tags.txt: line \d+: tag 'B-XYZ' is none of the model's \(O, B-PER, I-PER\)")
    write("utf8.txt", b"a O\n\xff O\n")
    call("--data", "utf8.txt", fails=True, says="utf8.txt: line 2: no UTF-8 at byte 1")
    call("--data", "missing", fails=True, says="missing: no such file")
    os.mkdir("empty")
    call("--data", "empty", fails=True, says="empty: no train.txt or train.conll")


with tempfile.TemporaryDirectory() as work:
    os.chdir(work)
    round_trip()
    goes_on()
    mistakes()
