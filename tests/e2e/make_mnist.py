#!/usr/bin/env python3
"""Writes a small data set in MNIST's files: make_mnist.py FOLDER TRAIN TEST

Ten kinds of bright bars on noise; the label is the bar's place. Nothing of the real data.
"""
import gzip
import os
import random
import struct
import sys


def write(folder, part, count, rng, pack):
    images, labels = bytearray(), bytearray()
    for i in range(count):
        label = i % 10
        labels.append(label)
        for y in range(28):
            for x in range(28):
                bar = 2 * label + 4 <= x < 2 * label + 7
                images.append(min(255, (180 if bar else 20) + rng.randrange(60)))
    opener, suffix = (gzip.open, ".gz") if pack else (open, "")
    with opener(os.path.join(folder, f"{part}-images-idx3-ubyte{suffix}"), "wb") as file:
        file.write(struct.pack(">IIII", 0x00000803, count, 28, 28) + images)
    with opener(os.path.join(folder, f"{part}-labels-idx1-ubyte{suffix}"), "wb") as file:
        file.write(struct.pack(">II", 0x00000801, count) + labels)


def main():
    folder, train, test = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(0)
    write(folder, "train", train, rng, pack=True)
    write(folder, "t10k", test, rng, pack=False)


if __name__ == "__main__":
    main()
