#!/usr/bin/env python3
"""Opens report.html of an example's training step in Chromium and uses it as a person does.

  check_report.py FOLDER [--pictures] [--data KIND TRAIN TEST] -- COMMAND...

COMMAND is run with --dump. Exit code 77, with the reason, where there is no Chromium. --pictures leaves
screenshots of every view, light and dark, in FOLDER.
"""
import os
import pathlib
import shutil
import subprocess
import sys

import browser

MOST_BYTES, MOST_SECONDS = 2_000_000, 1.0


def check(condition, message):
    if not condition:
        sys.exit("report.html: " + message)


def use(page, folder, light):
    count = page.evaluate("app.fn.items.length")
    check(count > 0, "no launches")
    check(page.evaluate("document.querySelectorAll('tr[data-row]').length") == count, "the overview lacks launches")
    check(page.evaluate("app.fn.measured"), "the times of the profile are missing")
    # Every kernel is one click away from wherever one is, and shows its text.
    for tab in ("overview", "graph", "memory", "ledger"):
        page.click(f"button[data-tab={tab}]")
        check(page.evaluate("document.querySelectorAll('.kernels button[data-kernel]').length") == count,
              f"not every kernel can be reached from {tab}")
        if light:
            page.screenshot(os.path.join(folder, f"{tab}-{light}.png"))
    for index in range(count):
        page.click(f".kernels button[data-kernel='{index}']")
        name = page.evaluate(f"app.fn.items[{index}].name")
        if page.evaluate(f"!app.fn.items[{index}].kernel"):
            continue
        text = page.evaluate("(document.querySelector('[data-kernel-text]') || {}).textContent")
        check(text and f"@{name}" in text and "sinter.yield" in text, f"a click on {name} does not show its text")
        check(page.evaluate("document.querySelector('.source .marked') !== null"),
              f"{name} stands without the user's lines")
        for tab in page.evaluate("[...document.querySelectorAll('.wide .segments button')].map((b) => b.textContent)"):
            page.evaluate(f"[...document.querySelectorAll('.wide .segments button')].find((b) => b.textContent === '{tab}').click()")
            check(page.evaluate("document.querySelector('[data-kernel-text]').textContent.length > 20"),
                  f"{name}: the text '{tab}' is empty")
        page.evaluate("document.querySelector('.wide .segments button').click()")
        if light and index == 0:
            page.screenshot(os.path.join(folder, f"kernel-{light}.png"))
    # The graphs, folded and unfolded.
    page.click("button[data-tab=graph]")
    for moment in page.evaluate("[...document.querySelectorAll('[data-moment]')].map((b) => b.dataset.moment)"):
        page.click(f"[data-moment={moment}]")
        nodes = page.evaluate("document.querySelectorAll('svg.graph .node').length")
        edges = page.evaluate("document.querySelectorAll('svg.graph .edge').length")
        check(nodes > 1 and edges > 0, f"the graph '{moment}' is not drawn: {nodes} nodes, {edges} edges")
        check(page.evaluate("[...document.querySelectorAll('svg.graph .node .box')].every((b) => b.getBoundingClientRect().width > 0)"),
              f"the graph '{moment}' has nodes without a size")
        if light:
            page.screenshot(os.path.join(folder, f"graph-{moment}-{light}.png"))
        page.click(".modules .head button")
        check(page.evaluate("document.querySelectorAll('svg.graph .node.group').length") == 0, "a module stays folded")
        all_nodes = page.evaluate("document.querySelectorAll('svg.graph .node').length")
        check(all_nodes == page.evaluate(f"app.fn['{moment}'].nodes.length"), "nodes are missing from the graph")
        page.click(".modules button.row")
        check(page.evaluate("document.querySelectorAll('svg.graph .node').length") < all_nodes, "a module does not fold")
        page.click(".modules button.row")
    page.click("[data-moment=after]")
    page.evaluate("document.querySelector('svg.graph .node[data-launch]').dispatchEvent(new MouseEvent('click'))")
    page.click(".details [data-open-kernel]")
    check(page.evaluate("app.tab") == "kernel", "a node of the graph does not lead to its kernel")
    # Memory: a box for every tensor of the arena, with words when the pointer is on it.
    page.click("button[data-tab=memory]")
    blocks = page.evaluate("document.querySelectorAll('svg.memory .block').length")
    check(blocks > 0 and blocks == page.evaluate("blocksOf(app.fn).length"), "the memory picture is not drawn")
    page.evaluate("document.querySelector('svg.memory .block').dispatchEvent(new MouseEvent('mousemove', {clientX: 600, clientY: 300}))")
    words = page.evaluate("document.querySelector('.tip').textContent")
    check(not page.evaluate("document.querySelector('.tip').hidden") and "[" in words and ".h:" in words or ".cpp:" in words,
          f"a tensor in memory does not say what it is: {words!r}")
    overlaps = page.evaluate("""(() => { const b = blocksOf(app.fn); let n = 0;
        for (let i = 0; i < b.length; ++i) for (let j = i + 1; j < b.length; ++j)
          if (b[i].start <= b[j].end && b[j].start <= b[i].end && b[i].offset < b[j].offset + b[j].bytes &&
              b[j].offset < b[i].offset + b[i].bytes && b[j].start !== b[i].end) ++n;
        return n; })()""")
    check(overlaps == 0, f"{overlaps} pairs of tensors overlap in the memory picture")
    # The ledger's search.
    page.click("button[data-tab=ledger]")
    found = "Number(document.querySelector('[data-found]').dataset.found)"
    before = page.evaluate(found)
    check(before == page.evaluate("app.fn.ledger.filter((e) => e.refused).length"), "the ledger lacks refusals")
    page.evaluate("(() => { const i = document.querySelector('.ledgerpage input'); i.value = 'conv2d'; i.dispatchEvent(new Event('input')); })()")
    check(0 < page.evaluate(found) < before, "the ledger's search finds nothing or everything")


def main():
    split = sys.argv.index("--")
    arguments, command = sys.argv[1:split], sys.argv[split + 1:]
    pictures = "--pictures" in arguments
    arguments = [argument for argument in arguments if argument != "--pictures"]
    folder, data = arguments[0], arguments[1:]
    path = browser.find()
    if not path:
        print(f"skipped: none of {', '.join(browser.NAMES)} is installed (tools/install-deps --tests)")
        sys.exit(77)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    if data:
        made = os.path.join(folder, data[1])
        maker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e", "make_data.py")
        subprocess.run([sys.executable, "-B", maker, data[1], made, *data[2:4]], check=True)
        command = [*command, "--data", made]
    dump = os.path.join(folder, "dump")
    subprocess.run([*command, "--steps", "1", "--dump", dump, "--profile", os.path.join(folder, "trace.json")],
                   check=True, stdout=subprocess.DEVNULL)
    report = pathlib.Path(dump, "train_step", "report.html").absolute()
    size = report.stat().st_size
    check(size < MOST_BYTES, f"{size} bytes, more than {MOST_BYTES}")
    text = report.read_text(encoding="utf-8")
    for outside in ('src="http', 'href="http', "@import", "url(http"):
        check(outside not in text, f"it needs something from outside: {outside}")
    for mode in ("light", "dark"):
        with browser.Browser(path, dark=mode == "dark") as page:
            page.open(report.as_uri(), "document.documentElement.dataset.ready")
            page.settle()
            seconds = page.busy()
            check(page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (mode == "dark"),
                  "the browser does not take the colour scheme")
            use(page, folder, mode if pictures else "")
            check(not page.problems, f"the console says: {page.problems}")
            print(f"{mode}: {size} bytes, {seconds:.2f} s of processor time to open, no word on the console")
            check(seconds <= MOST_SECONDS, f"it takes {seconds:.2f} s of processor time to open")


if __name__ == "__main__":
    main()
