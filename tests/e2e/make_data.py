#!/usr/bin/env python3
"""Writes a small data set in a real one's files: make_data.py mnist|cifar10 FOLDER TRAIN TEST

Ten kinds of bright bars on noise; the label is the bar's place. Nothing of the real data. MNIST's training
files are packed by gzip, its test files are not; CIFAR's five training files share TRAIN samples.
"""
import gzip
import os
import random
import struct
import sys


def image(rng, label, side, channels):
    pixels = bytearray()
    for channel in range(channels):
        for y in range(side):
            for x in range(side):
                bar = 2 * label + 4 <= x < 2 * label + 7
                pixels.append((180 if bar else 20 + 10 * channel) + rng.randrange(60))
    return pixels


def mnist(folder, rng, train, test):
    for part, count, opener, suffix in (("train", train, gzip.open, ".gz"), ("t10k", test, open, "")):
        labels = bytes(i % 10 for i in range(count))
        images = b"".join(image(rng, label, 28, 1) for label in labels)
        with opener(os.path.join(folder, f"{part}-images-idx3-ubyte{suffix}"), "wb") as file:
            file.write(struct.pack(">IIII", 0x00000803, count, 28, 28) + images)
        with opener(os.path.join(folder, f"{part}-labels-idx1-ubyte{suffix}"), "wb") as file:
            file.write(struct.pack(">II", 0x00000801, count) + labels)


def cifar10(folder, rng, train, test):
    names = [f"data_batch_{i}.bin" for i in range(1, 6)]
    for name, count in [(name, train // 5) for name in names] + [("test_batch.bin", test)]:
        with open(os.path.join(folder, name), "wb") as file:
            for i in range(count):
                file.write(bytes([i % 10]) + image(rng, i % 10, 32, 3))


def main():
    kind, folder, train, test = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    os.makedirs(folder, exist_ok=True)
    {"mnist": mnist, "cifar10": cifar10}[kind](folder, random.Random(0), train, test)


if __name__ == "__main__":
    main()
