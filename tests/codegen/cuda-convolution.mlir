// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// An implicit matrix product: where a tile is filled, places in the padding are zero.

func.func @conv(%x: tensor<2x3x16x16xf32>, %w: tensor<8x3x3x3xf32>) -> tensor<2x8x16x16xf32> {
  %r = sinter.conv2d %x, %w {padding = array<i64: 1, 1>} : (tensor<2x3x16x16xf32>, tensor<8x3x3x3xf32>) -> tensor<2x8x16x16xf32>
  return %r : tensor<2x8x16x16xf32>
}

// CHECK: // conv2d_0: {{[0-9]+}} blocks of {{[0-9]+}} threads
// CHECK-NEXT: // computes conv2d
// CHECK: conv2d_0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL_CONST(f32) p1, SINTER_GLOBAL(f32) p2) {
// CHECK-NEXT:   p0 = aligned(p0);
// CHECK:   SINTER_SHARED_2D(f32, [[IMAGE:v[0-9]+]], 32, {{[0-9]+}});
// CHECK:   SINTER_SHARED_2D(f32, [[WEIGHT:v[0-9]+]], 32, {{[0-9]+}});
// CHECK:       f32 [[X:v[0-9]+]];
// CHECK-NEXT:       if (v{{[0-9]+}} >= 0 && v{{[0-9]+}} < 16 && v{{[0-9]+}} >= 0 && v{{[0-9]+}} < 16) {
// CHECK-NEXT:         const f32 [[READ:v[0-9]+]] = p0[{{.*}}];
// CHECK-NEXT:         [[X]] = [[READ]];
// CHECK-NEXT:       } else {
// CHECK-NEXT:         [[X]] = 0.0f;
// CHECK:   __syncthreads();
// CHECK:   p2[{{.*}}] = v
