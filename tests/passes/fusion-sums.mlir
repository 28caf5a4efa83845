// Products that are added up are one kernel: the gradient of what several layers read.
// RUN: sinter-opt %s --sinter-fusion=ledger=true | FileCheck %s
// RUN: sinter-opt %s --sinter-fusion="numerics=strict ledger=true" | FileCheck %s --check-prefix=STRICT

module attributes {sinter.target = #sinter.target<kind = "cuda", isa = "sm_90", vectorBytes = 16, l1Bytes = 131072, l2Bytes = 52428800, sharedBytes = 49152, maxThreads = 1024, largeSharedBytes = 232448, matrix = "m16n8k16">} {

// Of queries, keys and values, and what comes by the residual; groups of queries share keys.
// CHECK-LABEL: func.func @sum
// CHECK-COUNT-1: schedule(#sinter.contraction
// CHECK-NOT: schedule(
// CHECK: return
// STRICT-LABEL: func.func @sum
// STRICT-SAME: detail = "matmul and matmul: strict numerics adds up each sum by itself"
// STRICT-SAME: refused = "second_contraction"
// STRICT-COUNT-3: schedule(#sinter.contraction
// STRICT: return
func.func @sum(%r: tensor<4x32x128xf32>, %q: tensor<128x256xf32>, %k: tensor<128x64xf32>, %v: tensor<128x64xf32>,
               %wq: tensor<256x128xf32>, %wk: tensor<64x128xf32>, %wv: tensor<64x128xf32>) -> tensor<4x32x128xf32> {
  %0 = sinter.matmul %q, %wq : (tensor<128x256xf32>, tensor<256x128xf32>) -> tensor<128x128xf32>
  %1 = sinter.reshape %0 : (tensor<128x128xf32>) -> tensor<4x32x128xf32>
  %2 = sinter.add %r, %1 : tensor<4x32x128xf32>
  %3 = sinter.matmul %k, %wk : (tensor<128x64xf32>, tensor<64x128xf32>) -> tensor<128x128xf32>
  %4 = sinter.reshape %3 : (tensor<128x128xf32>) -> tensor<4x32x128xf32>
  %5 = sinter.add %2, %4 : tensor<4x32x128xf32>
  %6 = sinter.matmul %v, %wv : (tensor<128x64xf32>, tensor<64x128xf32>) -> tensor<128x128xf32>
  %7 = sinter.reshape %6 : (tensor<128x128xf32>) -> tensor<4x32x128xf32>
  %8 = sinter.add %5, %7 : tensor<4x32x128xf32>
  return %8 : tensor<4x32x128xf32>
}

// The same in mixed precision: each product is widened first.
// CHECK-LABEL: func.func @narrow
// CHECK-COUNT-1: schedule(#sinter.contraction
// CHECK-NOT: schedule(
// CHECK: return
func.func @narrow(%q: tensor<128x64xbf16>, %k: tensor<128x64xbf16>, %wq: tensor<64x128xbf16>, %wk: tensor<64x128xbf16>) -> tensor<128x128xf32> {
  %0 = sinter.matmul %q, %wq : (tensor<128x64xbf16>, tensor<64x128xbf16>) -> tensor<128x128xbf16>
  %1 = sinter.cast %0 : (tensor<128x128xbf16>) -> tensor<128x128xf32>
  %2 = sinter.matmul %k, %wk : (tensor<128x64xbf16>, tensor<64x128xbf16>) -> tensor<128x128xbf16>
  %3 = sinter.cast %2 : (tensor<128x128xbf16>) -> tensor<128x128xf32>
  %4 = sinter.add %1, %3 : tensor<128x128xf32>
  return %4 : tensor<128x128xf32>
}

// Blocks of k would hold terms of two products.
// CHECK-LABEL: func.func @no_whole_blocks
// CHECK-SAME: detail = "matmul and matmul, whose sums of 100 terms are no multiple of 64"
// CHECK-SAME: refused = "second_contraction"
// CHECK: return
func.func @no_whole_blocks(%q: tensor<128x100xf32>, %k: tensor<128x64xf32>, %wq: tensor<100x128xf32>, %wk: tensor<64x128xf32>) -> tensor<128x128xf32> {
  %0 = sinter.matmul %q, %wq : (tensor<128x100xf32>, tensor<100x128xf32>) -> tensor<128x128xf32>
  %1 = sinter.matmul %k, %wk : (tensor<128x64xf32>, tensor<64x128xf32>) -> tensor<128x128xf32>
  %2 = sinter.add %0, %1 : tensor<128x128xf32>
  return %2 : tensor<128x128xf32>
}

// CHECK-LABEL: func.func @no_other_operands
// CHECK-SAME: detail = "matmul and matmul, whose operands lie or are declared in different ways"
// CHECK-SAME: refused = "second_contraction"
// CHECK: return
func.func @no_other_operands(%q: tensor<128x64xf32>, %k: tensor<128x64xf32>, %wq: tensor<64x128xf32>, %wk: tensor<128x64xf32>) -> tensor<128x128xf32> {
  %0 = sinter.matmul %q, %wq : (tensor<128x64xf32>, tensor<64x128xf32>) -> tensor<128x128xf32>
  %1 = sinter.matmul %k, %wk {transpose_b = true} : (tensor<128x64xf32>, tensor<128x64xf32>) -> tensor<128x128xf32>
  %2 = sinter.add %0, %1 : tensor<128x128xf32>
  return %2 : tensor<128x128xf32>
}

// A part of the sum is wanted by itself, ...
// CHECK-LABEL: func.func @no_part
// CHECK-SAME: detail = "matmul and matmul"
// CHECK-SAME: refused = "second_contraction"
// CHECK: return
func.func @no_part(%q: tensor<128x64xf32>, %k: tensor<128x64xf32>, %wq: tensor<64x128xf32>, %wk: tensor<64x128xf32>) -> (tensor<128x128xf32>, tensor<128x128xf32>) {
  %0 = sinter.matmul %q, %wq : (tensor<128x64xf32>, tensor<64x128xf32>) -> tensor<128x128xf32>
  %1 = sinter.matmul %k, %wk : (tensor<128x64xf32>, tensor<64x128xf32>) -> tensor<128x128xf32>
  %2 = sinter.add %0, %1 : tensor<128x128xf32>
  return %2, %0 : tensor<128x128xf32>, tensor<128x128xf32>
}

// ... or is no sum.
// CHECK-LABEL: func.func @no_sum
// CHECK-SAME: detail = "matmul and matmul"
// CHECK-SAME: refused = "second_contraction"
// CHECK: return
func.func @no_sum(%q: tensor<128x64xf32>, %k: tensor<128x64xf32>, %wq: tensor<64x128xf32>, %wk: tensor<64x128xf32>) -> tensor<128x128xf32> {
  %0 = sinter.matmul %q, %wq : (tensor<128x64xf32>, tensor<64x128xf32>) -> tensor<128x128xf32>
  %1 = sinter.matmul %k, %wk : (tensor<128x64xf32>, tensor<64x128xf32>) -> tensor<128x128xf32>
  %2 = sinter.mul %0, %1 : tensor<128x128xf32>
  return %2 : tensor<128x128xf32>
}

// One multiplies what the other makes.
// CHECK-LABEL: func.func @no_chain
// CHECK-SAME: refused = "second_contraction"
// CHECK: return
func.func @no_chain(%q: tensor<128x128xf32>, %w: tensor<128x128xf32>) -> tensor<128x128xf32> {
  %0 = sinter.matmul %q, %w : (tensor<128x128xf32>, tensor<128x128xf32>) -> tensor<128x128xf32>
  %1 = sinter.matmul %0, %w : (tensor<128x128xf32>, tensor<128x128xf32>) -> tensor<128x128xf32>
  %2 = sinter.add %0, %1 : tensor<128x128xf32>
  return %2 : tensor<128x128xf32>
}

// Each operand is a parameter of the launch.
// CHECK-LABEL: func.func @no_ninth
// CHECK-SAME: detail = "9 products that are added up, at most 8"
// CHECK-SAME: refused = "too_many_operands"
// CHECK: return
func.func @no_ninth(%a0: tensor<64x64xf32>, %a1: tensor<64x64xf32>, %a2: tensor<64x64xf32>, %a3: tensor<64x64xf32>, %a4: tensor<64x64xf32>, %a5: tensor<64x64xf32>, %a6: tensor<64x64xf32>, %a7: tensor<64x64xf32>, %a8: tensor<64x64xf32>, %w: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %p0 = sinter.matmul %a0, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %p1 = sinter.matmul %a1, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %p2 = sinter.matmul %a2, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %p3 = sinter.matmul %a3, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %p4 = sinter.matmul %a4, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %p5 = sinter.matmul %a5, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %p6 = sinter.matmul %a6, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %p7 = sinter.matmul %a7, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %p8 = sinter.matmul %a8, %w : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %s1 = sinter.add %p0, %p1 : tensor<64x64xf32>
  %s2 = sinter.add %s1, %p2 : tensor<64x64xf32>
  %s3 = sinter.add %s2, %p3 : tensor<64x64xf32>
  %s4 = sinter.add %s3, %p4 : tensor<64x64xf32>
  %s5 = sinter.add %s4, %p5 : tensor<64x64xf32>
  %s6 = sinter.add %s5, %p6 : tensor<64x64xf32>
  %s7 = sinter.add %s6, %p7 : tensor<64x64xf32>
  %s8 = sinter.add %s7, %p8 : tensor<64x64xf32>
  return %s8 : tensor<64x64xf32>
}
}
