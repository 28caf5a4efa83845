// RUN: sinter-opt %s --sinter-fusion=singletons=true --sinter-outline --sinter-plan-memory --sinter-check-plan | FileCheck %s

// A chain of singletons: each result takes the storage of the operand that dies; the last one is written
// to the caller.
// CHECK-LABEL: func.func @in_place
// CHECK-SAME: sinter.arena_bytes = 64 : i64, sinter.lower_bound_bytes = 64 : i64
// CHECK: sinter.launch @exp_0({{.*}}) {home = array<i64: -1>, in_place = array<i64: -1>, offset = array<i64: 0>}
// CHECK: sinter.launch @neg_0({{.*}}) {home = array<i64: -1>, in_place = array<i64: 0>, offset = array<i64: 0>}
// CHECK: sinter.launch @relu_0({{.*}}) {home = array<i64: 0>, in_place = array<i64: -1>, offset = array<i64: -1>}
func.func @in_place(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %a = sinter.exp %x : tensor<4x4xf32>
  %b = sinter.neg %a : tensor<4x4xf32>
  %c = sinter.relu %b : tensor<4x4xf32>
  return %c : tensor<4x4xf32>
}

// A contraction reads its operands all over: its result lies elsewhere, 64 bytes apart. A reshape is
// the same bytes.
// CHECK-LABEL: func.func @apart
// CHECK-SAME: sinter.arena_bytes = 128 : i64, sinter.lower_bound_bytes = 128 : i64
// CHECK: sinter.launch @exp_1({{.*}}) {home = array<i64: -1>, in_place = array<i64: -1>, offset = array<i64: [[A:[0-9]+]]>}
// CHECK: sinter.reshape
// CHECK: sinter.launch @matmul_0({{.*}}) {home = array<i64: -1>, in_place = array<i64: -1>, offset = array<i64: [[B:[0-9]+]]>}
// CHECK: sinter.launch @neg_0({{.*}}) {home = array<i64: 0>
func.func @apart(%x: tensor<16xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %a = sinter.exp %x : tensor<16xf32>
  %r = sinter.reshape %a : (tensor<16xf32>) -> tensor<4x4xf32>
  %m = sinter.matmul %r, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %c = sinter.neg %m : tensor<4x4xf32>
  return %c : tensor<4x4xf32>
}

// State is updated where it lies.
// CHECK-LABEL: func.func @donated
// CHECK: sinter.launch @sub_0(%{{.*}}, %{{.*}}) {home = array<i64: 0>, in_place = array<i64: 0>, offset = array<i64: -1>}
// CHECK-NOT: sinter.launch
func.func @donated(%w: tensor<4xf32> {sinter.role = "parameter", sinter.donated = 0 : i64}, %g: tensor<4xf32>) -> tensor<4xf32> {
  %n = sinter.sub %w, %g : tensor<4xf32>
  return %n : tensor<4xf32>
}

// A reader of the old value comes first, though it stands later.
// CHECK-LABEL: func.func @read_before_write
// CHECK: sinter.launch @exp_
// CHECK: sinter.launch @sub_0
// CHECK: return
func.func @read_before_write(%w: tensor<4xf32> {sinter.role = "parameter", sinter.donated = 0 : i64}, %g: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %n = sinter.sub %w, %g : tensor<4xf32>
  %e = sinter.exp %w : tensor<4xf32>
  return %n, %e : tensor<4xf32>, tensor<4xf32>
}

// The old value is wanted after the new one exists: the new one waits in the arena and is copied.
// CHECK-LABEL: func.func @old_value_wanted
// CHECK: %[[N:.*]] = sinter.launch @sub_0({{.*}}) {home = array<i64: -1>
// CHECK: sinter.launch @mul_0
// CHECK: sinter.launch @copy(%[[N]]) {home = array<i64: 0>
func.func @old_value_wanted(%w: tensor<4xf32> {sinter.role = "parameter", sinter.donated = 0 : i64}, %g: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %n = sinter.sub %w, %g : tensor<4xf32>
  %m = sinter.mul %n, %w : tensor<4xf32>
  return %n, %m : tensor<4xf32>, tensor<4xf32>
}

// Two states change places by way of the arena: three copies.
// CHECK-LABEL: func.func @swap
// CHECK-COUNT-3: sinter.launch @copy
// CHECK-NOT: sinter.launch
func.func @swap(%a: tensor<4xf32> {sinter.role = "state", sinter.donated = 0 : i64},
                %b: tensor<4xf32> {sinter.role = "state", sinter.donated = 1 : i64}) -> (tensor<4xf32>, tensor<4xf32>) {
  return %b, %a : tensor<4xf32>, tensor<4xf32>
}

// State that keeps its value needs nothing; a value returned twice and an argument are copied.
// CHECK-LABEL: func.func @copies
// CHECK: sinter.launch @exp_{{[0-9]+}}({{.*}}) {home = array<i64: 1>
// CHECK-COUNT-2: sinter.launch @copy
// CHECK-NOT: sinter.launch
func.func @copies(%s: tensor<4xf32> {sinter.role = "state", sinter.donated = 0 : i64}, %x: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %e = sinter.exp %x : tensor<4xf32>
  return %s, %e, %e, %x : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// What frees the large value goes first.
// CHECK-LABEL: func.func @order
// CHECK-SAME: sinter.arena_bytes = 8320 : i64, sinter.lower_bound_bytes = 8320 : i64
func.func @order(%x: tensor<32xf32>) -> tensor<f32> {
  %a = sinter.broadcast %x : (tensor<32xf32>) -> tensor<64x32xf32>
  %b = sinter.broadcast %x : (tensor<32xf32>) -> tensor<64x32xf32>
  %ea = sinter.exp %a : tensor<64x32xf32>
  %eb = sinter.neg %b : tensor<64x32xf32>
  %sa = sinter.sum %ea {dim = array<i64: 0, 1>} : (tensor<64x32xf32>) -> tensor<f32>
  %sb = sinter.sum %eb {dim = array<i64: 0, 1>} : (tensor<64x32xf32>) -> tensor<f32>
  %y = sinter.add %sa, %sb : tensor<f32>
  return %y : tensor<f32>
}
