#!/usr/bin/env python3
"""Lets sinter-pass-check loose on bad passes, each of which it must catch in its own way, and on good ones.

  check_pass_check.py SINTER_PASS_CHECK PLUGIN
"""
import re
import subprocess
import sys

check, plugin = sys.argv[1:3]
# The pass, what it is caught at, and arguments.
BAD = [
    ("bad-value", "value"), ("bad-restless", "idempotence"), ("bad-random", "nondeterminism"),
    ("bad-nowhere", "location"), ("bad-invalid", "invalid"), ("bad-quadratic", "time", "--graphs", "12"),
    ("bad-exponential", "time", "--graphs", "6", "--seconds", "4"), ("bad-crash", "crash"), ("bad-silent", "failure"),
    ("bad-forgetful", "signature"), ("bad-rare", "value", "--graphs", "240"), ("bad-narrow", "precision"),
    ("bad-nan", "value", "--place", "after-autodiff", "--graphs", "150"), ("bad-gradient", "pipeline|idempotence"),
]


def run(*arguments):
    done = subprocess.run([check, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


problems = []
for name, kind, *arguments in BAD:
    extra = arguments if "--graphs" in arguments else ["--graphs", "24", *arguments]
    status, text = run(plugin, "--pass", name, *extra)
    found = re.findall(r"^  FAILED  (\w+):", text, re.M)
    if status != 1 or not any(re.fullmatch(kind, each) for each in found):
        problems.append(f"{name}: exit status {status}, found {found}\n{text}")
    else:
        print(f"{name}: {' '.join(found)}")

for arguments in ([plugin, "--pass", "good-tidy"],  # from outside
                  ["--pass", "sinter-decompose{all=true}", "--place", "before decompose"]):  # one of Sinter's own
    status, text = run(*arguments, "--graphs", "30")
    if status != 0 or "FAILED" in text:
        problems.append(f"{arguments}: exit status {status}\n{text}")

status, text = run(plugin, "--pass", "good-tidy", "--place", "before lunch")
if status != 2 or "there is no place 'before-lunch'" not in text:
    problems.append(f"a place that is not there: exit status {status}\n{text}")
status, text = run("--pass", "sinter-layout", "--place", "after share", "--graphs", "6")
if status != 1 or "it changed no graph at this place" not in text:
    problems.append(f"a pass that does nothing: exit status {status}\n{text}")
status, text = run(plugin + ".not")
if status != 2 or "cannot be loaded" not in text:
    problems.append(f"a plug-in that is not there: exit status {status}\n{text}")
if problems:
    sys.exit("\n".join(problems))
