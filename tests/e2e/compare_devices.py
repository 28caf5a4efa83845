#!/usr/bin/env python3
"""Trains an example for some steps on two devices and compares the losses.

  compare_devices.py FOLDER TOLERANCE DEVICE DEVICE [--data KIND TRAIN TEST] [--mean] -- COMMAND...

With --mean only the mean over all steps is compared, in one run of each.
"""
import json
import os
import subprocess
import sys


def run(command, device, record):
    done = subprocess.run([*command, "--device", device, "--log-every", "1", "--json", record],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(f"--- {device}\n{done.stdout}", end="")
    if done.returncode:
        sys.exit(f"exit status {done.returncode}")
    with open(record, encoding="utf-8") as file:
        return json.load(file)


def main():
    split = sys.argv.index("--")
    arguments, command = sys.argv[1:split], sys.argv[split + 1:]
    folder, tolerance, devices, data = arguments[0], float(arguments[1]), arguments[2:4], arguments[4:]
    once = "--mean" in data
    data = [word for word in data if word != "--mean"]
    os.makedirs(folder, exist_ok=True)
    if data:
        made = os.path.join(folder, data[1])
        maker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "make_data.py")
        subprocess.run([sys.executable, "-B", maker, data[1], made, *data[2:4]], check=True)
        command = [*command, "--data", made]
    # Every loss is compared: with a growing number of steps the mean's last term is the last loss.
    steps = int(command[command.index("--steps") + 1])
    for count in range(steps if once else 1, steps + 1):
        now = [str(count) if i and command[i - 1] == "--steps" else word for i, word in enumerate(command)]
        losses = [run(now, device, os.path.join(folder, f"{device}.json"))["epochs"][0]["train_loss"] for device in devices]
        print(f"{count} steps: {losses}")
        if not abs(losses[0] - losses[1]) <= tolerance * abs(losses[0]):
            sys.exit(f"the losses differ by more than {tolerance} of themselves")


if __name__ == "__main__":
    main()
