// RUN: sinter-opt %s --sinter-check-plan --split-input-file --verify-diagnostics

// Two values that are alive at once may not meet.
func.func @meet(%x: tensor<4xf32>) -> tensor<4xf32> attributes {sinter.arena_bytes = 64 : i64, sinter.lower_bound_bytes = 64 : i64} {
  %a = sinter.launch @exp(%x) {home = array<i64: -1>, in_place = array<i64: -1>, offset = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %b = sinter.launch @exp(%x) {home = array<i64: -1>, in_place = array<i64: -1>, offset = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{operand 0 is overwritten before it is read}}
  %c = sinter.launch @add(%a, %b) {home = array<i64: 0>, in_place = array<i64: -1>, offset = array<i64: -1>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %c : tensor<4xf32>
}
sinter.kernel @exp schedule(#sinter.pointwise) : (tensor<4xf32>) -> tensor<4xf32> {
^bb0(%x: tensor<4xf32>):
  %y = sinter.exp %x : tensor<4xf32>
  sinter.yield %y : tensor<4xf32>
}
sinter.kernel @add schedule(#sinter.pointwise) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
^bb0(%x: tensor<4xf32>, %z: tensor<4xf32>):
  %y = sinter.add %x, %z : tensor<4xf32>
  sinter.yield %y : tensor<4xf32>
}

// -----

// A result over an operand that the kernel reads at other elements.
func.func @flip(%x: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {sinter.arena_bytes = 64 : i64, sinter.lower_bound_bytes = 64 : i64} {
  %a = sinter.launch @t(%x) {home = array<i64: -1>, in_place = array<i64: -1>, offset = array<i64: 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  // expected-error@+1 {{result 0 cannot take the storage of operand 0}}
  %b = sinter.launch @t(%a) {home = array<i64: -1>, in_place = array<i64: 0>, offset = array<i64: 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %c = sinter.launch @t(%b) {home = array<i64: 0>, in_place = array<i64: -1>, offset = array<i64: -1>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return %c : tensor<4x4xf32>
}
sinter.kernel @t schedule(#sinter.pointwise) : (tensor<4x4xf32>) -> tensor<4x4xf32> {
^bb0(%x: tensor<4x4xf32>):
  %y = sinter.transpose %x {permutation = array<i64: 1, 0>} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  sinter.yield %y : tensor<4x4xf32>
}

// -----

// Undeclared reuse.
func.func @undeclared(%x: tensor<4xf32>) -> tensor<4xf32> attributes {sinter.arena_bytes = 64 : i64, sinter.lower_bound_bytes = 64 : i64} {
  %a = sinter.launch @exp(%x) {home = array<i64: -1>, in_place = array<i64: -1>, offset = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{result 0 meets operand 0, which it may still read}}
  %b = sinter.launch @exp(%a) {home = array<i64: -1>, in_place = array<i64: -1>, offset = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %c = sinter.launch @exp(%b) {home = array<i64: 0>, in_place = array<i64: -1>, offset = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  return %c : tensor<4xf32>
}
sinter.kernel @exp schedule(#sinter.pointwise) : (tensor<4xf32>) -> tensor<4xf32> {
^bb0(%x: tensor<4xf32>):
  %y = sinter.exp %x : tensor<4xf32>
  sinter.yield %y : tensor<4xf32>
}

// -----

// State is overwritten before its last reader.
func.func @early(%w: tensor<4xf32> {sinter.role = "state", sinter.donated = 0 : i64}) -> (tensor<4xf32>, tensor<4xf32>) attributes {sinter.arena_bytes = 0 : i64, sinter.lower_bound_bytes = 0 : i64} {
  %a = sinter.launch @exp(%w) {home = array<i64: 0>, in_place = array<i64: 0>, offset = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{operand 0 is overwritten before it is read}}
  %b = sinter.launch @exp(%w) {home = array<i64: 1>, in_place = array<i64: -1>, offset = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}
sinter.kernel @exp schedule(#sinter.pointwise) : (tensor<4xf32>) -> tensor<4xf32> {
^bb0(%x: tensor<4xf32>):
  %y = sinter.exp %x : tensor<4xf32>
  sinter.yield %y : tensor<4xf32>
}

// -----

// Past the end of the arena, or astray.
func.func @outside(%x: tensor<4xf32>) -> tensor<4xf32> attributes {sinter.arena_bytes = 64 : i64, sinter.lower_bound_bytes = 64 : i64} {
  // expected-error@+1 {{result 0 at byte 64 is not an aligned place in the arena of 64 bytes}}
  %a = sinter.launch @exp(%x) {home = array<i64: -1>, in_place = array<i64: -1>, offset = array<i64: 64>} : (tensor<4xf32>) -> tensor<4xf32>
  %c = sinter.launch @exp(%a) {home = array<i64: 0>, in_place = array<i64: -1>, offset = array<i64: -1>} : (tensor<4xf32>) -> tensor<4xf32>
  return %c : tensor<4xf32>
}
sinter.kernel @exp schedule(#sinter.pointwise) : (tensor<4xf32>) -> tensor<4xf32> {
^bb0(%x: tensor<4xf32>):
  %y = sinter.exp %x : tensor<4xf32>
  sinter.yield %y : tensor<4xf32>
}

// -----

func.func @lost(%x: tensor<4xf32>) -> tensor<4xf32> attributes {sinter.arena_bytes = 64 : i64, sinter.lower_bound_bytes = 64 : i64} {
  %a = sinter.launch @exp(%x) {home = array<i64: -1>, in_place = array<i64: -1>, offset = array<i64: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{result 0 is not where its caller looks for it}}
  return %a : tensor<4xf32>
}
sinter.kernel @exp schedule(#sinter.pointwise) : (tensor<4xf32>) -> tensor<4xf32> {
^bb0(%x: tensor<4xf32>):
  %y = sinter.exp %x : tensor<4xf32>
  sinter.yield %y : tensor<4xf32>
}
