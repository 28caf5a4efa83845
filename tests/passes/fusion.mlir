// What becomes one kernel. Refusals are in fusion-refusals.mlir.
// RUN: sinter-opt %s --sinter-fusion | FileCheck %s

// A chain of pointwise ops; the splat constant and the broadcast are inside.
// CHECK-LABEL: func.func @pointwise_chain
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>, %[[B:.*]]: tensor<8xf32>)
// CHECK-NEXT: %[[R:.*]] = sinter.fused(%[[B]], %[[X]]) schedule(#sinter.pointwise) attributes {sinter.name = "add_mul_relu_0"}
// CHECK-NEXT: ^bb0(%[[IB:.*]]: tensor<8xf32>, %[[IX:.*]]: tensor<4x8xf32>):
// CHECK-DAG:    %[[C:.*]] = sinter.constant dense<2.0
// CHECK-DAG:    %[[W:.*]] = sinter.broadcast %[[IB]]
// CHECK:        %[[S:.*]] = sinter.add %[[IX]], %[[W]]
// CHECK:        %[[M:.*]] = sinter.mul %[[S]], %[[C]]
// CHECK:        %[[U:.*]] = sinter.relu %[[M]]
// CHECK:        sinter.yield %[[U]]
// CHECK-NOT:  sinter.fused
// CHECK:      return %[[R]]
func.func @pointwise_chain(%x: tensor<4x8xf32>, %b: tensor<8xf32>) -> tensor<4x8xf32> {
  %c = sinter.constant dense<2.0> : tensor<4x8xf32>
  %w = sinter.broadcast %b : (tensor<8xf32>) -> tensor<4x8xf32>
  %s = sinter.add %x, %w : tensor<4x8xf32>
  %m = sinter.mul %s, %c : tensor<4x8xf32>
  %r = sinter.relu %m : tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// A value that is needed outside as well is a second result.
// CHECK-LABEL: func.func @two_results
// CHECK: %{{.*}}:2 = sinter.fused
// CHECK: sinter.yield %{{.*}}, %{{.*}} : tensor<16xf32>, tensor<16xf32>
// CHECK-NOT: sinter.fused
func.func @two_results(%x: tensor<16xf32>) -> (tensor<16xf32>, tensor<16xf32>) {
  %e = sinter.exp %x : tensor<16xf32>
  %n = sinter.neg %e : tensor<16xf32>
  return %e, %n : tensor<16xf32>, tensor<16xf32>
}

// Two readers of one value in one kernel.
// CHECK-LABEL: func.func @siblings
// CHECK: sinter.fused({{.*}}) schedule(#sinter.pointwise)
// CHECK-NOT: sinter.fused
func.func @siblings(%x: tensor<1024xf32>) -> (tensor<1024xf32>, tensor<1024xf32>) {
  %e = sinter.exp %x : tensor<1024xf32>
  %n = sinter.neg %x : tensor<1024xf32>
  return %e, %n : tensor<1024xf32>, tensor<1024xf32>
}

// Producers and a pointwise end join a reduction.
// CHECK-LABEL: func.func @reduction
// CHECK: sinter.fused({{.*}}) schedule(#sinter.reduction)
// CHECK: sinter.mul
// CHECK: sinter.sum
// CHECK: sinter.sqrt
// CHECK-NOT: sinter.fused
func.func @reduction(%x: tensor<32x64xf32>) -> tensor<32xf32> {
  %q = sinter.mul %x, %x : tensor<32x64xf32>
  %s = sinter.sum %q {dim = array<i64: 1>} : (tensor<32x64xf32>) -> tensor<32xf32>
  %r = sinter.sqrt %s : tensor<32xf32>
  return %r : tensor<32xf32>
}

// Reductions after reductions over the same rows are a row kernel.
// CHECK-LABEL: func.func @softmax
// CHECK: sinter.fused({{.*}}) schedule(#sinter.row)
// CHECK: sinter.max
// CHECK: sinter.exp
// CHECK: sinter.sum
// CHECK: sinter.div
// CHECK-NOT: sinter.fused
func.func @softmax(%x: tensor<32x64xf32>) -> tensor<32x64xf32> {
  %m = sinter.max %x {dim = array<i64: 1>, keepdim = true} : (tensor<32x64xf32>) -> tensor<32x1xf32>
  %mb = sinter.broadcast %m : (tensor<32x1xf32>) -> tensor<32x64xf32>
  %d = sinter.sub %x, %mb : tensor<32x64xf32>
  %e = sinter.exp %d : tensor<32x64xf32>
  %s = sinter.sum %e {dim = array<i64: 1>, keepdim = true} : (tensor<32x64xf32>) -> tensor<32x1xf32>
  %sb = sinter.broadcast %s : (tensor<32x1xf32>) -> tensor<32x64xf32>
  %y = sinter.div %e, %sb : tensor<32x64xf32>
  return %y : tensor<32x64xf32>
}

// Statistics over dimensions that are not last, as batch normalisation has them.
// CHECK-LABEL: func.func @normalise_channels
// CHECK: sinter.fused({{.*}}) schedule(#sinter.row)
// CHECK-NOT: sinter.fused
func.func @normalise_channels(%x: tensor<8x16x4x4xf32>) -> (tensor<8x16x4x4xf32>, tensor<16xf32>) {
  %m = sinter.mean %x {dim = array<i64: 0, 2, 3>} : (tensor<8x16x4x4xf32>) -> tensor<16xf32>
  %k = sinter.reshape %m : (tensor<16xf32>) -> tensor<1x16x1x1xf32>
  %b = sinter.broadcast %k : (tensor<1x16x1x1xf32>) -> tensor<8x16x4x4xf32>
  %c = sinter.sub %x, %b : tensor<8x16x4x4xf32>
  return %c, %m : tensor<8x16x4x4xf32>, tensor<16xf32>
}

// Bias, activation, residual and cast end a contraction.
// CHECK-LABEL: func.func @conv_end
// CHECK: sinter.fused({{.*}}) schedule(#sinter.contraction)
// CHECK-SAME: conv2d_add_relu_0
// CHECK-NOT: sinter.fused
func.func @conv_end(%x: tensor<2x3x8x8xf32>, %w: tensor<4x3x3x3xf32>, %b: tensor<4xf32>) -> tensor<2x4x6x6xf32> {
  %c = sinter.conv2d %x, %w : (tensor<2x3x8x8xf32>, tensor<4x3x3x3xf32>) -> tensor<2x4x6x6xf32>
  %r = sinter.reshape %b : (tensor<4xf32>) -> tensor<4x1x1xf32>
  %v = sinter.broadcast %r : (tensor<4x1x1xf32>) -> tensor<2x4x6x6xf32>
  %s = sinter.add %c, %v : tensor<2x4x6x6xf32>
  %y = sinter.relu %s : tensor<2x4x6x6xf32>
  return %y : tensor<2x4x6x6xf32>
}

// CHECK-LABEL: func.func @matmul_residual
// CHECK: sinter.fused({{.*}}) schedule(#sinter.contraction)
// CHECK: sinter.cast
// CHECK: sinter.matmul
// CHECK: sinter.add
// CHECK: sinter.cast
// CHECK-NOT: sinter.fused
func.func @matmul_residual(%a: tensor<64x32xf32>, %b: tensor<32x16xbf16>, %r: tensor<64x16xbf16>) -> tensor<64x16xf32> {
  %l = sinter.cast %a : (tensor<64x32xf32>) -> tensor<64x32xbf16>
  %m = sinter.matmul %l, %b : (tensor<64x32xbf16>, tensor<32x16xbf16>) -> tensor<64x16xbf16>
  %s = sinter.add %m, %r : tensor<64x16xbf16>
  %y = sinter.cast %s : (tensor<64x16xbf16>) -> tensor<64x16xf32>
  return %y : tensor<64x16xf32>
}

// Windows read their producers; scatters too.
// CHECK-LABEL: func.func @scatter_producer
// CHECK: sinter.fused({{.*}}) schedule(#sinter.scatter)
// CHECK-NOT: sinter.fused
func.func @scatter_producer(%g: tensor<6x8xf32>, %i: tensor<6xi64>) -> tensor<10x8xf32> {
  %n = sinter.neg %g : tensor<6x8xf32>
  %y = sinter.embedding_grad %n, %i : (tensor<6x8xf32>, tensor<6xi64>) -> tensor<10x8xf32>
  return %y : tensor<10x8xf32>
}

// A reshape between kernels is an alias; a constant that is not a splat stays outside.
// CHECK-LABEL: func.func @aliases
// CHECK: %[[T:.*]] = sinter.constant dense<[
// CHECK: %[[A:.*]] = sinter.fused(%{{.*}}, %[[T]]) schedule(#sinter.contraction)
// CHECK: %[[V:.*]] = sinter.reshape %[[A]]
// CHECK: sinter.fused(%[[V]], %{{.*}}) schedule(#sinter.contraction)
func.func @aliases(%x: tensor<4x2xf32>, %w: tensor<4x2xf32>) -> tensor<2x2xf32> {
  %t = sinter.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %a = sinter.matmul %x, %t : (tensor<4x2xf32>, tensor<2x2xf32>) -> tensor<4x2xf32>
  %v = sinter.reshape %a : (tensor<4x2xf32>) -> tensor<2x4xf32>
  %y = sinter.matmul %v, %w : (tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// Small reductions of one shape share a launch although they share no operand.
// CHECK-LABEL: func.func @equal_reductions
// CHECK: %{{.*}}:2 = sinter.fused({{.*}}) schedule(#sinter.reduction)
// CHECK-NOT: sinter.fused
func.func @equal_reductions(%a: tensor<8x4xf32>, %b: tensor<8x4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %x = sinter.sum %a {dim = array<i64: 0>} : (tensor<8x4xf32>) -> tensor<4xf32>
  %y = sinter.sum %b {dim = array<i64: 0>} : (tensor<8x4xf32>) -> tensor<4xf32>
  return %x, %y : tensor<4xf32>, tensor<4xf32>
}

// The update of every parameter is one kernel; the step number that all of them need is another.
// CHECK-LABEL: func.func @update
// CHECK: sinter.fused({{.*}}) schedule(#sinter.pointwise)
// CHECK: %{{.*}}:2 = sinter.fused({{.*}}) schedule(#sinter.update) attributes {sinter.name = "update_0"}
// CHECK-NOT: sinter.fused
func.func @update(%w: tensor<8x4xf32> {sinter.role = "parameter", sinter.donated = 0 : i64},
                  %b: tensor<4xf32> {sinter.role = "parameter", sinter.donated = 1 : i64},
                  %t: tensor<f32> {sinter.role = "state", sinter.donated = 2 : i64},
                  %gw: tensor<8x4xf32>, %gb: tensor<4xf32>)
    -> (tensor<8x4xf32>, tensor<4xf32>, tensor<f32>) {
  %one = sinter.constant dense<1.0> : tensor<f32>
  %step = sinter.add %t, %one : tensor<f32>
  %rw = sinter.broadcast %step : (tensor<f32>) -> tensor<8x4xf32>
  %rb = sinter.broadcast %step : (tensor<f32>) -> tensor<4xf32>
  %dw = sinter.div %gw, %rw : tensor<8x4xf32>
  %db = sinter.div %gb, %rb : tensor<4xf32>
  %w2 = sinter.sub %w, %dw : tensor<8x4xf32>
  %b2 = sinter.sub %b, %db : tensor<4xf32>
  return %w2, %b2, %step : tensor<8x4xf32>, tensor<4xf32>, tensor<f32>
}

// What is computed for several parameters is said once.
// CHECK-LABEL: func.func @update_in_segments
// CHECK: %{{.*}}:2 = sinter.fused(%arg2, %arg3, %arg0, %arg4, %arg1) schedule(#sinter.update) attributes {sinter.name = "update_{{[0-9]+}}"} over [8x4, 4] {
// CHECK: sinter.broadcast
// CHECK-NEXT: sinter.div
// CHECK-NEXT: sinter.sub
// CHECK-NEXT: sinter.yield
// CHECK-NOT: sinter.fused
func.func @update_in_segments(%w: tensor<8x4xf32> {sinter.role = "parameter", sinter.donated = 0 : i64},
                              %b: tensor<4xf32> {sinter.role = "parameter", sinter.donated = 1 : i64},
                              %t: tensor<f32>, %gw: tensor<8x4xf32>, %gb: tensor<4xf32>)
    -> (tensor<8x4xf32>, tensor<4xf32>) {
  %rw = sinter.broadcast %t : (tensor<f32>) -> tensor<8x4xf32>
  %rb = sinter.broadcast %t : (tensor<f32>) -> tensor<4xf32>
  %dw = sinter.div %gw, %rw : tensor<8x4xf32>
  %db = sinter.div %gb, %rb : tensor<4xf32>
  %w2 = sinter.sub %w, %dw : tensor<8x4xf32>
  %b2 = sinter.sub %b, %db : tensor<4xf32>
  return %w2, %b2 : tensor<8x4xf32>, tensor<4xf32>
}

// What computes something else, reads elements elsewhere or is a scalar stands beside the segments.
// CHECK-LABEL: func.func @update_of_several_kinds
// CHECK: %{{.*}}:5 = sinter.fused({{.*}}) schedule(#sinter.update)
// CHECK-DAG: sinter.mul %{{.*}}, %{{.*}} : tensor<3xf32>
// CHECK-DAG: sinter.broadcast
// CHECK: sinter.segments() of (%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) over [8x4, 4] {
// CHECK-NOT: sinter.segments
func.func @update_of_several_kinds(
    %a: tensor<8x4xf32> {sinter.role = "parameter", sinter.donated = 0 : i64},
    %b: tensor<4xf32> {sinter.role = "parameter", sinter.donated = 1 : i64},
    %c: tensor<3xf32> {sinter.role = "parameter", sinter.donated = 2 : i64},
    %d: tensor<2xf32> {sinter.role = "parameter", sinter.donated = 3 : i64},
    %e: tensor<f32> {sinter.role = "parameter", sinter.donated = 4 : i64},
    %ga: tensor<8x4xf32>, %gb: tensor<4xf32>, %gc: tensor<3xf32>, %gd: tensor<1xf32>, %ge: tensor<f32>)
    -> (tensor<8x4xf32>, tensor<4xf32>, tensor<3xf32>, tensor<2xf32>, tensor<f32>) {
  %a2 = sinter.sub %a, %ga : tensor<8x4xf32>
  %b2 = sinter.sub %b, %gb : tensor<4xf32>
  %c2 = sinter.mul %c, %gc : tensor<3xf32>
  %f = sinter.broadcast %gd : (tensor<1xf32>) -> tensor<2xf32>
  %d2 = sinter.sub %d, %f : tensor<2xf32>
  %e2 = sinter.sub %e, %ge : tensor<f32>
  return %a2, %b2, %c2, %d2, %e2 : tensor<8x4xf32>, tensor<4xf32>, tensor<3xf32>, tensor<2xf32>, tensor<f32>
}

// So do small reductions to one element and arithmetic on single elements.
// CHECK-LABEL: func.func @scalars_beside_a_reduction
// CHECK: %{{.*}}:2 = sinter.fused({{.*}}) schedule(#sinter.reduction)
// CHECK-NOT: sinter.fused
func.func @scalars_beside_a_reduction(%a: tensor<8x4xf32>, %t: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %x = sinter.sum %a {dim = array<i64: 0, 1>} : (tensor<8x4xf32>) -> tensor<f32>
  %y = sinter.exp %t : tensor<f32>
  return %x, %y : tensor<f32>, tensor<f32>
}

// What a mixed-precision step casts of its parameters before anything else is one launch.
// CHECK-LABEL: func.func @casts_of_arguments
// CHECK-NEXT: %{{.*}}:3 = sinter.fused(%arg0, %arg1, %arg2) schedule(#sinter.update) attributes {sinter.name = "cast_0"}
// CHECK: sinter.cast %{{.*}} : (tensor<5xf32>) -> tensor<5xf16>
// CHECK: sinter.segments() of (%{{.*}}, %{{.*}}) over [8x4, 2x3x3] {
// CHECK: sinter.cast %{{.*}} : (tensor<8x4xf32>) -> tensor<8x4xbf16>
// CHECK-NOT: sinter.fused
func.func @casts_of_arguments(%a: tensor<8x4xf32>, %b: tensor<5xf32>, %c: tensor<2x3x3xf32>) -> (tensor<8x4xbf16>, tensor<5xf16>, tensor<2x3x3xbf16>) {
  %x = sinter.cast %a : (tensor<8x4xf32>) -> tensor<8x4xbf16>
  %y = sinter.cast %b : (tensor<5xf32>) -> tensor<5xf16>
  %z = sinter.cast %c : (tensor<2x3x3xf32>) -> tensor<2x3x3xbf16>
  return %x, %y, %z : tensor<8x4xbf16>, tensor<5xf16>, tensor<2x3x3xbf16>
}

// Pooling ends a convolution where its windows do not overlap; what follows it joins, and the places of
// the largest are a second result.
// CHECK-LABEL: func.func @windows_end_a_contraction
// CHECK: %{{.*}}:2 = sinter.fused({{.*}}) schedule(#sinter.contraction)
// CHECK: sinter.conv2d
// CHECK: sinter.relu
// CHECK: sinter.max_pool2d
// CHECK: sinter.neg
// CHECK-NOT: sinter.fused
func.func @windows_end_a_contraction(%x: tensor<2x1x13x13xf32>, %w: tensor<4x1x3x3xf32>) -> (tensor<2x4x5x5xf32>, tensor<2x4x5x5xui8>) {
  %c = sinter.conv2d %x, %w : (tensor<2x1x13x13xf32>, tensor<4x1x3x3xf32>) -> tensor<2x4x11x11xf32>
  %r = sinter.relu %c : tensor<2x4x11x11xf32>
  %p, %i = sinter.max_pool2d %r {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x4x11x11xf32>) -> (tensor<2x4x5x5xf32>, tensor<2x4x5x5xui8>)
  %n = sinter.neg %p : tensor<2x4x5x5xf32>
  return %n, %i : tensor<2x4x5x5xf32>, tensor<2x4x5x5xui8>
}

// Each kernel computes for itself the little that a scalar takes which it spreads: neither waits for the other.
// CHECK-LABEL: func.func @spread_scalar
// CHECK: sinter.fused({{.*}}) schedule(#sinter.contraction)
// CHECK: sinter.div
// CHECK: sinter.fused({{.*}}) schedule(#sinter.contraction)
// CHECK: sinter.div
// CHECK-NOT: sinter.fused
// CHECK: return
func.func @spread_scalar(%a: tensor<64x32xf32>, %b: tensor<32x16xf32>, %c: tensor<8x64xf32>, %d: tensor<64x24xf32>, %s: tensor<f32>) -> (tensor<64x16xf32>, tensor<8x24xf32>) {
  %one = sinter.constant dense<1.0> : tensor<f32>
  %i = sinter.div %one, %s : tensor<f32>
  %p = sinter.matmul %a, %b : (tensor<64x32xf32>, tensor<32x16xf32>) -> tensor<64x16xf32>
  %ip = sinter.broadcast %i : (tensor<f32>) -> tensor<64x16xf32>
  %sp = sinter.mul %p, %ip : tensor<64x16xf32>
  %q = sinter.matmul %c, %d : (tensor<8x64xf32>, tensor<64x24xf32>) -> tensor<8x24xf32>
  %iq = sinter.broadcast %i : (tensor<f32>) -> tensor<8x24xf32>
  %sq = sinter.mul %q, %iq : tensor<8x24xf32>
  return %sp, %sq : tensor<64x16xf32>, tensor<8x24xf32>
}

// Copies that come into one kernel are one op again.
// CHECK-LABEL: func.func @twins
// CHECK-COUNT-1: sinter.broadcast
// CHECK-NOT: sinter.broadcast
// CHECK: return
func.func @twins(%x: tensor<4x8xf32>, %b: tensor<8xf32>) -> tensor<4x8xf32> {
  %w = sinter.broadcast %b : (tensor<8xf32>) -> tensor<4x8xf32>
  %s = sinter.add %x, %w : tensor<4x8xf32>
  %e = sinter.exp %s : tensor<4x8xf32>
  %y = sinter.mul %e, %w : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
