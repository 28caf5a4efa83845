#!/usr/bin/env python3
"""Speaks to sinter-lsp-server as an editor does: opens files, reads diagnostics, asks for a definition.

  check_lsp.py SINTER_LSP_SERVER
"""
import json
import subprocess
import sys

GOOD = """func.func @f(%x: tensor<4x3xf32>) -> tensor<4x3xf32> {
  %y = sinter.relu %x : tensor<4x3xf32>
  %z = sinter.exp %y : tensor<4x3xf32>
  return %z : tensor<4x3xf32>
}
"""
# The sum of a [4, 3] over dimension 1 has four elements.
BAD = """func.func @f(%x: tensor<4x3xf32>) -> tensor<3xf32> {
  %s = sinter.sum %x {dim = array<i64: 1>} : (tensor<4x3xf32>) -> tensor<3xf32>
  return %s : tensor<3xf32>
}
"""

server = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
number = 0


def send(method, parameters, wants=True):
    """A request, whose answer is returned, or a notification."""
    global number
    message = {"jsonrpc": "2.0", "method": method, "params": parameters}
    if wants:
        number += 1
        message["id"] = number
    text = json.dumps(message).encode()
    server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(text) + text)
    server.stdin.flush()
    if wants:
        return receive(lambda answer: answer.get("id") == number)["result"]


def receive(wanted):
    while True:
        length = 0
        while line := server.stdout.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if not length:
            sys.exit("the server has gone")
        message = json.loads(server.stdout.read(length))
        if wanted(message):
            return message


def opened(uri, text):
    """The diagnostics of a file that the editor opens."""
    send("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "mlir", "version": 1, "text": text}}, False)
    message = receive(lambda each: each.get("method") == "textDocument/publishDiagnostics" and each["params"]["uri"] == uri)
    return message["params"]["diagnostics"]


def expect(condition, what):
    if not condition:
        server.kill()
        sys.exit(str(what))


answer = send("initialize", {"processId": None, "rootUri": None, "capabilities": {}, "trace": "off"})
expect(answer["capabilities"].get("definitionProvider"), answer)
send("initialized", {}, False)

found = opened("file:///good.mlir", GOOD)
expect(found == [], found)

found = opened("file:///bad.mlir", BAD)
expect(found, "no diagnostic of an invalid file")
expect(found[0]["range"]["start"]["line"] == 1, found)
expect("inferred type(s) 'tensor<4xf32>'" in found[0]["message"], found)

# From the use of %y in the second op to where it is made.
place = send("textDocument/definition", {"textDocument": {"uri": "file:///good.mlir"}, "position": {"line": 2, "character": 19}})
expect(place and place[0]["range"]["start"] == {"line": 1, "character": 2}, place)

hover = send("textDocument/hover", {"textDocument": {"uri": "file:///good.mlir"}, "position": {"line": 1, "character": 10}})
expect("sinter.relu" in json.dumps(hover), hover)

send("shutdown", None)
send("exit", None, False)
expect(server.wait(10) == 0, f"exit status {server.returncode}")
print("diagnostics, a definition and a hover")
