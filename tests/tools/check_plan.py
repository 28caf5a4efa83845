"""sinter-plan as a person calls it: exit codes, messages, and plans checked pair by pair."""
import csv
import random
import subprocess
import sys
import tempfile
from pathlib import Path

tool = sys.argv[1]
folder = Path(tempfile.mkdtemp())


def plan(path, capacity, *more):
    return subprocess.run([tool, "--csv", str(path), "--capacity", str(capacity), *more],
                          capture_output=True, text=True)


def check(rows, text, capacity):
    """The plan in `text` is of `rows`, within the capacity, and nothing that is live together meets."""
    lines = list(csv.DictReader(text.splitlines()))
    assert list(lines[0]) == ["id", "lower", "upper", "size", "offset"], lines[0]
    assert [(r["id"], int(r["lower"]), int(r["upper"]), int(r["size"])) for r in lines] == rows
    placed = [(int(r["lower"]), int(r["upper"]), int(r["offset"]), int(r["offset"]) + int(r["size"]))
              for r in lines]
    for i, (lower, upper, begin, end) in enumerate(placed):
        assert 0 <= begin and end <= capacity, lines[i]
        for j, (lower2, upper2, begin2, end2) in enumerate(placed[:i]):
            together = lower < upper2 and lower2 < upper
            assert not (together and begin < end2 and begin2 < end), (lines[i], lines[j])


def cut(pieces, moments, size, seed):
    """A rectangle cut at random: its height is the least capacity."""
    rng = random.Random(seed)
    parts = [(0, moments, size)]
    while len(parts) < pieces:
        i = rng.randrange(len(parts))
        lower, upper, height = parts[i]
        if rng.random() < 0.5 and upper - lower > 1:
            at = rng.randrange(lower + 1, upper)
            parts[i:i + 1] = [(lower, at, height), (at, upper, height)]
        elif height > 1:
            at = rng.randrange(1, height)
            parts[i:i + 1] = [(lower, upper, at), (lower, upper, height - at)]
    rng.shuffle(parts)
    return [(f"b{i}", *part) for i, part in enumerate(parts)]


def write(name, rows, header="id,lower,upper,size"):
    path = folder / name
    path.write_text("\n".join([header] + [",".join(map(str, row)) for row in rows]) + "\n")
    return path


def refused(path, capacity, code, *words):
    done = plan(path, capacity)
    assert done.returncode == code, (done.returncode, done.stderr)
    assert done.stdout == "", done.stdout
    for word in words:
        assert word in done.stderr, (word, done.stderr)


small = [("b1", 0, 3, 4), ("b2", 3, 9, 4), ("b3", 0, 9, 4), ("b4", 9, 21, 4), ("b5", 0, 21, 4)]
path = write("small.csv", small)
done = plan(path, 12)
assert done.returncode == 0, done.stderr
check(small, done.stdout, 12)
done = plan(path, 12, "--output", str(folder / "out.csv"))
assert done.returncode == 0 and done.stdout == "", done.stderr
check(small, (folder / "out.csv").read_text(), 12)
refused(path, 11, 3, "no plan within 11", "12 are in use")

for pieces, seed in [(150, 1), (150, 2), (300, 3), (450, 4)]:
    rows = cut(pieces, 10000, 1 << 20, seed)
    done = plan(write("cut.csv", rows), 1 << 20)
    assert done.returncode == 0, (pieces, seed, done.stderr)
    check(rows, done.stdout, 1 << 20)

# Other names and orders of columns; `end` is the last moment, as in MiniMalloc's older files.
rows = [(7, "red", 0, 2, "a"), (7, "blue", 3, 5, "b")]
done = plan(write("columns.csv", rows, "size,colour,start,end,buffer_id"), 7)
assert done.returncode == 0, done.stderr
check([("a", 0, 3, 7), ("b", 3, 6, 7)], done.stdout, 7)

refused(write("column.csv", [("a", 0, 1)], "id,lower,upper"), 9, 2, "column.csv:1:", "'size'")
refused(write("upper.csv", [("a", 4, 4, 1)]), 9, 2, "upper.csv:2:", "'upper'")
refused(write("negative.csv", [("a", 0, 1, 1), ("b", 0, 1, -1)]), 9, 2, "negative.csv:3:", "'size'")
(folder / "empty.csv").write_text("")
refused(folder / "empty.csv", 9, 2, "empty.csv:1:", "empty")
refused(folder / "missing.csv", 9, 2, "cannot read")
refused(folder, 9, 2, "cannot read")

# Nothing is found in no time where the greedy orders do not do.
rows = cut(450, 20, 1 << 20, 5)
done = plan(write("hard.csv", rows), 1 << 20, "--seconds", "0")
assert done.returncode == 4 and "found no plan" in done.stderr, (done.returncode, done.stderr)

assert plan(path, -1).returncode == 2
assert subprocess.run([tool], capture_output=True).returncode == 2
assert subprocess.run([tool, "--help"], capture_output=True).returncode == 0
print("sinter-plan: as it should be")
