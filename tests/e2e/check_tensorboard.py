#!/usr/bin/env python3
"""Reads the event files that a training wrote: records, checksums and protocol buffers, by a reader of its own or by the
tensorboard package.

  check_tensorboard.py PROGRAM [--with-tensorboard]    exit 77: it cannot be had here
"""
import glob
import os
import struct
import subprocess
import sys
import tempfile

program = sys.argv[1]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C


def records(path):
    with open(path, "rb") as file:
        data = file.read()
    at = 0
    while at < len(data):
        head = data[at:at + 8]
        (length,), (head_crc,) = struct.unpack("<Q", head), struct.unpack_from("<I", data, at + 8)
        body = data[at + 12:at + 12 + length]
        (body_crc,) = struct.unpack_from("<I", data, at + 12 + length)
        assert len(body) == length and head_crc == masked(head) and body_crc == masked(body), f"{path}: record at {at}"
        yield body
        at += 16 + length


def fields(data):
    """(number, value) of a message: integers, bytes, or the raw bytes of fixed-size numbers."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
        else:
            size = {1: 8, 5: 4}.get(kind) or varint()
            yield key >> 3, data[at:at + size]
            at += size


def scalars_by_hand(folder):
    """tag -> step -> value, with what a later start purged left out."""
    found, versions = {}, 0
    for path in sorted(glob.glob(os.path.join(folder, "events.out.tfevents.*"))):
        for number, body in enumerate(records(path)):
            event = dict(fields(body))
            assert struct.unpack("<d", event[1])[0] > 1.5e9  # seconds since 1970
            if number == 0:
                assert event[3] == b"brain.Event:2", event
                versions += 1
            step = event.get(2, 0)
            if 7 in event:
                assert dict(fields(event[7])) == {1: 1}
                for values in found.values():
                    for later in [s for s in values if s >= step]:
                        del values[later]
            if 5 in event:
                value = dict(fields(dict(fields(event[5]))[1]))
                found.setdefault(value[1].decode(), {})[step] = struct.unpack("<f", value[2])[0]
    assert versions
    return found


def scalars_by_tensorboard(folder):
    venv = os.path.join(folder, "venv")
    made = subprocess.run([sys.executable, "-m", "venv", venv], capture_output=True, text=True)
    if made.returncode == 0:
        made = subprocess.run([os.path.join(venv, "bin", "pip"), "install", "-q", "--retries", "1", "tensorboard"], capture_output=True,
                              text=True)
    if made.returncode:
        print("skipped: no tensorboard package to be had: " + (made.stderr.strip().splitlines() or ["no pip"])[-1])
        sys.exit(77)
    script = ("import json, sys\nfrom tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
              "read = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0}).Reload()\n"
              "print(json.dumps({tag: {e.step: e.value for e in read.Scalars(tag)} for tag in read.Tags()['scalars']}))")
    done = subprocess.run([os.path.join(venv, "bin", "python"), "-c", script, os.path.join(folder, "runs")], capture_output=True,
                          text=True, check=True)
    import json
    return {tag: {int(step): value for step, value in values.items()} for tag, values in json.loads(done.stdout.splitlines()[-1]).items()}


with tempfile.TemporaryDirectory() as folder:
    # One that is killed on its way, and its rest.
    process = subprocess.Popen([program, folder, "20"], stdout=subprocess.DEVNULL)
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    out = subprocess.run([program, folder], capture_output=True, text=True, check=True).stdout
    runs = os.path.join(folder, "runs")
    found = scalars_by_tensorboard(folder) if "--with-tensorboard" in sys.argv else scalars_by_hand(runs)
    epochs = [line.split() for line in out.splitlines() if line.startswith("epoch")]
    assert sorted(found) == ["epoch/loss", "epoch/val_accuracy", "epoch/val_loss", "train/loss", "train/lr"], sorted(found)
    steps = 0
    for epoch in epochs:
        steps += int(epoch[5])
        for tag, text in zip(("epoch/loss", "epoch/val_loss", "epoch/val_accuracy", "train/lr"), (epoch[2], epoch[3], epoch[4], epoch[7])):
            written, printed = found[tag].get(steps), float.fromhex(text)
            assert written is not None and abs(written - printed) <= 1e-6 * abs(printed), (tag, steps, written, printed)
    assert sorted(found["train/loss"]) == list(range(1, steps + 1)), sorted(found["train/loss"])
    print(f"{sum(map(len, found.values()))} scalars of {steps} steps in {len(os.listdir(runs))} files")
