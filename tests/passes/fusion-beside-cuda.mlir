// Products that read one value run side by side in one launch of a GPU, each with its own results.
// RUN: sinter-opt %s --sinter-fusion=ledger=true | FileCheck %s
// RUN: sinter-opt %s --sinter-fusion=numerics=strict | FileCheck %s --check-prefix=STRICT

module attributes {sinter.target = #sinter.target<kind = "cuda", isa = "sm_90", vectorBytes = 16, l1Bytes = 131072, l2Bytes = 52428800, sharedBytes = 49152, maxThreads = 1024, largeSharedBytes = 232448, matrix = "m16n8k16">} {

// Queries, keys and values, of groups: blocks of all three are alike, and no sum is cut into parts.
// CHECK-LABEL: func.func @projections
// CHECK: %[[F:.*]]:3 = sinter.fused({{.*}}) schedule(#sinter.staged)
// CHECK: schedule(#sinter.contraction<[[TILE:[^>]*]]>)
// CHECK: schedule(#sinter.contraction<[[TILE]]>)
// CHECK: schedule(#sinter.contraction<[[TILE]]>)
// CHECK: return %[[F]]#0, %[[F]]#1, %[[F]]#2
func.func @projections(%x: tensor<1024x768xbf16>, %q: tensor<768x768xbf16>, %k: tensor<256x768xbf16>, %v: tensor<256x768xbf16>,
                       %b: tensor<768xbf16>) -> (tensor<1024x768xbf16>, tensor<1024x256xbf16>, tensor<1024x256xbf16>) {
  %0 = sinter.matmul %x, %q {transpose_b = true} : (tensor<1024x768xbf16>, tensor<768x768xbf16>) -> tensor<1024x768xbf16>
  %1 = sinter.broadcast %b : (tensor<768xbf16>) -> tensor<1024x768xbf16>
  %2 = sinter.add %0, %1 : tensor<1024x768xbf16>
  %3 = sinter.matmul %x, %k {transpose_b = true} : (tensor<1024x768xbf16>, tensor<256x768xbf16>) -> tensor<1024x256xbf16>
  %4 = sinter.matmul %x, %v {transpose_b = true} : (tensor<1024x768xbf16>, tensor<256x768xbf16>) -> tensor<1024x256xbf16>
  return %2, %3, %4 : tensor<1024x768xbf16>, tensor<1024x256xbf16>, tensor<1024x256xbf16>
}

// Blocks for numbers of one type are not blocks for another's.
// CHECK-LABEL: func.func @no_other_numbers
// CHECK-NOT: #sinter.staged
// CHECK: return
func.func @no_other_numbers(%x: tensor<1024x768xf32>, %q: tensor<768x768xf32>, %k: tensor<768x768xbf16>) -> (tensor<1024x768xf32>, tensor<1024x768xbf16>) {
  %0 = sinter.matmul %x, %q : (tensor<1024x768xf32>, tensor<768x768xf32>) -> tensor<1024x768xf32>
  %1 = sinter.cast %x : (tensor<1024x768xf32>) -> tensor<1024x768xbf16>
  %2 = sinter.matmul %1, %k : (tensor<1024x768xbf16>, tensor<768x768xbf16>) -> tensor<1024x768xbf16>
  return %0, %2 : tensor<1024x768xf32>, tensor<1024x768xbf16>
}

// One waits for the other: blocks of a launch do not.
// CHECK-LABEL: func.func @no_order
// CHECK-NOT: #sinter.staged
// CHECK: return
func.func @no_order(%x: tensor<1024x768xbf16>, %q: tensor<768x768xbf16>) -> tensor<1024x768xbf16> {
  %0 = sinter.matmul %x, %q : (tensor<1024x768xbf16>, tensor<768x768xbf16>) -> tensor<1024x768xbf16>
  %1 = sinter.matmul %0, %q : (tensor<1024x768xbf16>, tensor<768x768xbf16>) -> tensor<1024x768xbf16>
  return %1 : tensor<1024x768xbf16>
}

// Few results of long sums: parts of them fill the machine, which one launch for both could not.
// CHECK-LABEL: func.func @no_parts
// CHECK-NOT: #sinter.staged
// CHECK: splitK
// CHECK: return
func.func @no_parts(%x: tensor<65536x64xbf16>, %d: tensor<65536x64xbf16>, %e: tensor<65536x64xbf16>) -> (tensor<64x64xbf16>, tensor<64x64xbf16>) {
  %0 = sinter.matmul %d, %x {transpose_a = true} : (tensor<65536x64xbf16>, tensor<65536x64xbf16>) -> tensor<64x64xbf16>
  %1 = sinter.matmul %e, %x {transpose_a = true} : (tensor<65536x64xbf16>, tensor<65536x64xbf16>) -> tensor<64x64xbf16>
  return %0, %1 : tensor<64x64xbf16>, tensor<64x64xbf16>
}

// Alone each would add up parts of its sums: strict numerics wants the bits of that.
// CHECK-LABEL: func.func @no_strict
// CHECK: #sinter.staged
// CHECK-NOT: splitK
// CHECK: return
// STRICT-LABEL: func.func @projections
// STRICT: #sinter.staged
// STRICT-LABEL: func.func @no_strict
// STRICT-NOT: #sinter.staged
// STRICT-COUNT-2: splitK = 4
// STRICT: return
func.func @no_strict(%x: tensor<4096x256xbf16>, %d: tensor<4096x768xbf16>, %e: tensor<4096x768xbf16>) -> (tensor<256x768xbf16>, tensor<256x768xbf16>) {
  %0 = sinter.matmul %x, %d {transpose_a = true} : (tensor<4096x256xbf16>, tensor<4096x768xbf16>) -> tensor<256x768xbf16>
  %1 = sinter.matmul %x, %e {transpose_a = true} : (tensor<4096x256xbf16>, tensor<4096x768xbf16>) -> tensor<256x768xbf16>
  return %0, %1 : tensor<256x768xbf16>, tensor<256x768xbf16>
}

// A weight is cast once, for all products with it: a matrix unit takes bf16 from memory as it lies there.
// CHECK-LABEL: func.func @weights_are_cast_once
// CHECK: sinter.fused({{.*}}) schedule(#sinter.pointwise)
// CHECK: sinter.cast
// CHECK-NOT: sinter.cast
// CHECK: return
func.func @weights_are_cast_once(%x: tensor<1024x768xbf16>, %d: tensor<1024x512xbf16>, %w: tensor<512x768xf32>) -> (tensor<1024x512xbf16>, tensor<1024x768xbf16>) {
  %0 = sinter.cast %w : (tensor<512x768xf32>) -> tensor<512x768xbf16>
  %1 = sinter.matmul %x, %0 {transpose_b = true} : (tensor<1024x768xbf16>, tensor<512x768xbf16>) -> tensor<1024x512xbf16>
  %2 = sinter.matmul %d, %0 : (tensor<1024x512xbf16>, tensor<512x768xbf16>) -> tensor<1024x768xbf16>
  return %1, %2 : tensor<1024x512xbf16>, tensor<1024x768xbf16>
}
}
