// Small kernels become stages of one launch, on a CPU.
// RUN: sinter-opt %s --sinter-fusion=ledger=true | FileCheck %s
// RUN: sinter-opt %s --sinter-fusion --sinter-outline | FileCheck %s --check-prefix=OUTLINE

module attributes {sinter.target = #sinter.target<kind = "cpu", isa = "avx2">} {

// The second stage reads the first one's rows through a reshape; both results that are wanted outside are
// results of the kernel.
// CHECK-LABEL: func.func @stages
// CHECK-NEXT: %[[F:.*]]:2 = sinter.fused(%{{.*}}) schedule(#sinter.staged)
// CHECK: %[[A:.*]] = sinter.fused({{.*}}) schedule(#sinter.reduction)
// CHECK: %[[R:.*]] = sinter.reshape %[[A]]
// CHECK: %[[B:.*]] = sinter.fused(%[[R]]) schedule(#sinter.reduction)
// CHECK: sinter.yield %[[A]], %[[B]]
// CHECK: return %[[F]]#0, %[[F]]#1
// OUTLINE-LABEL: func.func @stages
// OUTLINE-NEXT: sinter.launch
// OUTLINE-NEXT: return
func.func @stages(%x: tensor<16x8xf32>) -> (tensor<16xf32>, tensor<4xf32>) {
  %s = sinter.sum %x {dim = array<i64: 1>} : (tensor<16x8xf32>) -> tensor<16xf32>
  %r = sinter.reshape %s : (tensor<16xf32>) -> tensor<4x4xf32>
  %m = sinter.max %r {dim = array<i64: 0>} : (tensor<4x4xf32>) -> tensor<4xf32>
  return %s, %m : tensor<16xf32>, tensor<4xf32>
}

// Too much for one thread.
// CHECK-LABEL: func.func @no_serial_work
// CHECK-SAME: refused = "reduction_dims_differ"
// CHECK-NOT: #sinter.staged
// CHECK: return
func.func @no_serial_work(%x: tensor<1024x1024xf32>) -> (tensor<1024xf32>, tensor<4xf32>) {
  %s = sinter.sum %x {dim = array<i64: 1>} : (tensor<1024x1024xf32>) -> tensor<1024xf32>
  %r = sinter.reshape %s : (tensor<1024xf32>) -> tensor<256x4xf32>
  %m = sinter.max %r {dim = array<i64: 0>} : (tensor<256x4xf32>) -> tensor<4xf32>
  return %s, %m : tensor<1024xf32>, tensor<4xf32>
}

// What the first one makes passes through a kernel that is none: a path leads out and back.
// CHECK-LABEL: func.func @no_cycle
// CHECK-COUNT-3: schedule(
// CHECK: return
func.func @no_cycle(%x: tensor<16x8xf32>, %w: tensor<16x65536xf32>) -> tensor<f32> {
  %s = sinter.sum %x {dim = array<i64: 1>} : (tensor<16x8xf32>) -> tensor<16xf32>
  %r = sinter.reshape %s : (tensor<16xf32>) -> tensor<1x16xf32>
  %p = sinter.matmul %r, %w : (tensor<1x16xf32>, tensor<16x65536xf32>) -> tensor<1x65536xf32>
  %t = sinter.slice %p {start = array<i64: 0, 0>, limit = array<i64: 1, 16>, step = array<i64: 1, 1>} : (tensor<1x65536xf32>) -> tensor<1x16xf32>
  %y = sinter.mul %r, %t : tensor<1x16xf32>
  %m = sinter.sum %y {dim = array<i64: 0, 1>} : (tensor<1x16xf32>) -> tensor<f32>
  return %m : tensor<f32>
}

// A bias's sum runs beside the product that reads the same, whatever work that is.
// CHECK-LABEL: func.func @beside
// CHECK: %[[F:.*]]:2 = sinter.fused({{.*}}) schedule(#sinter.staged)
// CHECK-DAG: sinter.fused({{.*}}) schedule(#sinter.contraction)
// CHECK-DAG: sinter.fused({{.*}}) schedule(#sinter.reduction)
// CHECK: return
func.func @beside(%g: tensor<2048x256xf32>, %w: tensor<256x512xf32>) -> (tensor<2048x512xf32>, tensor<256xf32>) {
  %p = sinter.matmul %g, %w : (tensor<2048x256xf32>, tensor<256x512xf32>) -> tensor<2048x512xf32>
  %s = sinter.sum %g {dim = array<i64: 0>} : (tensor<2048x256xf32>) -> tensor<256xf32>
  return %p, %s : tensor<2048x512xf32>, tensor<256xf32>
}

// It would keep another large value alive.
// CHECK-LABEL: func.func @no_beside
// CHECK-NOT: #sinter.staged
// CHECK: return
func.func @no_beside(%g: tensor<2048x256xf32>, %h: tensor<2048x256xf32>, %w: tensor<256x512xf32>) -> (tensor<2048x512xf32>, tensor<256xf32>) {
  %p = sinter.matmul %g, %w : (tensor<2048x256xf32>, tensor<256x512xf32>) -> tensor<2048x512xf32>
  %m = sinter.mul %g, %h : tensor<2048x256xf32>
  %s = sinter.sum %m {dim = array<i64: 0>} : (tensor<2048x256xf32>) -> tensor<256xf32>
  return %p, %s : tensor<2048x512xf32>, tensor<256xf32>
}

// Query, key and value read the same: one launch computes the three products.
// CHECK-LABEL: func.func @products_beside
// CHECK: %[[F:.*]]:3 = sinter.fused({{.*}}) schedule(#sinter.staged)
// CHECK-COUNT-3: sinter.fused({{.*}}) schedule(#sinter.contraction)
// CHECK: return %[[F]]#0, %[[F]]#1, %[[F]]#2
func.func @products_beside(%x: tensor<64x32xf32>, %q: tensor<32x32xf32>, %k: tensor<32x32xf32>, %v: tensor<32x32xf32>)
    -> (tensor<64x32xf32>, tensor<64x32xf32>, tensor<64x32xf32>) {
  %a = sinter.matmul %x, %q : (tensor<64x32xf32>, tensor<32x32xf32>) -> tensor<64x32xf32>
  %b = sinter.matmul %x, %k : (tensor<64x32xf32>, tensor<32x32xf32>) -> tensor<64x32xf32>
  %c = sinter.matmul %x, %v : (tensor<64x32xf32>, tensor<32x32xf32>) -> tensor<64x32xf32>
  return %a, %b, %c : tensor<64x32xf32>, tensor<64x32xf32>, tensor<64x32xf32>
}

// Together both large products would be held at once: one of them is folded before the other is made.
// CHECK-LABEL: func.func @products_apart
// CHECK-NOT: #sinter.staged
// CHECK: return
func.func @products_apart(%x: tensor<64x32xf32>, %q: tensor<32x4096xf32>, %k: tensor<32x4096xf32>) -> (tensor<64xf32>, tensor<64xf32>) {
  %a = sinter.matmul %x, %q : (tensor<64x32xf32>, tensor<32x4096xf32>) -> tensor<64x4096xf32>
  %m = sinter.max %a {dim = array<i64: 1>} : (tensor<64x4096xf32>) -> tensor<64xf32>
  %b = sinter.matmul %x, %k : (tensor<64x32xf32>, tensor<32x4096xf32>) -> tensor<64x4096xf32>
  %n = sinter.max %b {dim = array<i64: 1>} : (tensor<64x4096xf32>) -> tensor<64xf32>
  return %m, %n : tensor<64xf32>, tensor<64xf32>
}

// One product reads the other.
// CHECK-LABEL: func.func @products_in_a_row
// CHECK-NOT: #sinter.staged
// CHECK: return
func.func @products_in_a_row(%x: tensor<32x32xf32>, %q: tensor<32x32xf32>) -> (tensor<32x32xf32>, tensor<32x32xf32>) {
  %a = sinter.matmul %x, %q : (tensor<32x32xf32>, tensor<32x32xf32>) -> tensor<32x32xf32>
  %b = sinter.matmul %x, %a : (tensor<32x32xf32>, tensor<32x32xf32>) -> tensor<32x32xf32>
  return %a, %b : tensor<32x32xf32>, tensor<32x32xf32>
}

// What one kernel waits for to be folded to scalars is folded in one launch, but for what that kernel folds itself.
// CHECK-LABEL: func.func @checks
// CHECK: = sinter.fused({{.*}}) schedule(#sinter.staged)
// CHECK-COUNT-2: = sinter.fused({{.*}}) schedule(#sinter.reduction)
// CHECK: sinter.yield
// CHECK: sinter.yield
// CHECK: = sinter.fused({{.*}}) schedule(#sinter.reduction)
// CHECK-NOT: sinter.fused
// CHECK: return
func.func @checks(%a: tensor<2048x256xf32>, %b: tensor<1024x64xf32>, %c: tensor<512x512xf32>) -> tensor<i1> {
  %ah = sinter.max %a {dim = array<i64: 0, 1>} : (tensor<2048x256xf32>) -> tensor<f32>
  %al = sinter.min %a {dim = array<i64: 0, 1>} : (tensor<2048x256xf32>) -> tensor<f32>
  %af = sinter.is_finite %ah : (tensor<f32>) -> tensor<i1>
  %ag = sinter.is_finite %al : (tensor<f32>) -> tensor<i1>
  %ab = sinter.logical_and %af, %ag : tensor<i1>
  %bh = sinter.max %b {dim = array<i64: 0, 1>} : (tensor<1024x64xf32>) -> tensor<f32>
  %bl = sinter.min %b {dim = array<i64: 0, 1>} : (tensor<1024x64xf32>) -> tensor<f32>
  %bf = sinter.is_finite %bh : (tensor<f32>) -> tensor<i1>
  %bg = sinter.is_finite %bl : (tensor<f32>) -> tensor<i1>
  %bb = sinter.logical_and %bf, %bg : tensor<i1>
  %ch = sinter.max %c {dim = array<i64: 0, 1>} : (tensor<512x512xf32>) -> tensor<f32>
  %cl = sinter.min %c {dim = array<i64: 0, 1>} : (tensor<512x512xf32>) -> tensor<f32>
  %cf = sinter.is_finite %ch : (tensor<f32>) -> tensor<i1>
  %cg = sinter.is_finite %cl : (tensor<f32>) -> tensor<i1>
  %cb = sinter.logical_and %cf, %cg : tensor<i1>
  %both = sinter.logical_and %ab, %bb : tensor<i1>
  %all = sinter.logical_and %both, %cb : tensor<i1>
  return %all : tensor<i1>
}
}
