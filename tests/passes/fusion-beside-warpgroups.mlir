// Where warpgroups multiply from memory, products that need something done to their factors have a launch of their own.
// RUN: sinter-opt %s --sinter-fusion | FileCheck %s

module attributes {sinter.target = #sinter.target<kind = "cuda", isa = "sm_90a", vectorBytes = 16, l1Bytes = 131072, l2Bytes = 52428800, sharedBytes = 49152, maxThreads = 1024, largeSharedBytes = 232448, matrix = "m64nNk16">} {

// CHECK-LABEL: func.func @no_producer
// CHECK: %[[F:.*]]:2 = sinter.fused({{.*}}) schedule(#sinter.staged)
// CHECK-COUNT-2: threads = 384
// CHECK: sinter.fused({{.*}}) schedule(#sinter.contraction<{{.*}}threads = 128
// CHECK-NEXT: ^bb0
// CHECK-NEXT: sinter.relu
// CHECK: return
func.func @no_producer(%x: tensor<4096x768xbf16>, %q: tensor<768x768xbf16>, %k: tensor<768x768xbf16>, %v: tensor<768x768xbf16>)
    -> (tensor<4096x768xbf16>, tensor<4096x768xbf16>, tensor<4096x768xbf16>) {
  %0 = sinter.matmul %x, %q {transpose_b = true} : (tensor<4096x768xbf16>, tensor<768x768xbf16>) -> tensor<4096x768xbf16>
  %1 = sinter.matmul %x, %k {transpose_b = true} : (tensor<4096x768xbf16>, tensor<768x768xbf16>) -> tensor<4096x768xbf16>
  %2 = sinter.relu %v : tensor<768x768xbf16>
  %3 = sinter.matmul %x, %2 {transpose_b = true} : (tensor<4096x768xbf16>, tensor<768x768xbf16>) -> tensor<4096x768xbf16>
  return %0, %1, %3 : tensor<4096x768xbf16>, tensor<4096x768xbf16>, tensor<4096x768xbf16>
}
}
