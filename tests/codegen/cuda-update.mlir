// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// Parameters with one update: a function of the body, called with each one's pointers and length. A block does
// 4096 elements of one parameter, four to a thread; what is left at the end of a parameter one by one.

func.func @sgd(%w: tensor<100x90xf32> {sinter.role = "parameter", sinter.donated = 0 : i64},
               %b: tensor<90xf32> {sinter.role = "parameter", sinter.donated = 1 : i64},
               %gw: tensor<100x90xf32>, %gb: tensor<90xf32>) -> (tensor<100x90xf32>, tensor<90xf32>) {
  %w2 = sinter.sub %w, %gw : tensor<100x90xf32>
  %b2 = sinter.sub %b, %gb : tensor<90xf32>
  return %w2, %b2 : tensor<100x90xf32>, tensor<90xf32>
}

// CHECK: // update_0: 4 blocks of 256 threads
// CHECK-NEXT: // computes sub
// CHECK: static __device__ __noinline__ void update_0_each0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL_CONST(f32) p1, SINTER_GLOBAL(f32) p2, const i32 p3, const i32 p4) {
// CHECK: [[END:v[0-9]+]] = p4 / 4;
// CHECK-NEXT: for (i32 [[I:v[0-9]+]] = p3 / 4 + [[T:v[0-9]+]]; [[I]] < [[END]]; [[I]] += 256) {
// CHECK: [[AT:v[0-9]+]] = [[I]] * 4;
// CHECK: [[W:v[0-9]+]] = loadVec<4>(p0, [[AT]]);
// CHECK-NEXT: [[G:v[0-9]+]] = loadVec<4>(p1, [[AT]]);
// CHECK: for (i32 [[N:v[0-9]+]] = 0; [[N]] < 4; [[N]] += 1) {
// CHECK: {{.*}} = [[W]][[[N]]] - [[G]][[[N]]];
// CHECK: storeVec(p2, [[AT]], {{.*}});
// CHECK: for (i32 [[I:v[0-9]+]] = [[END]] * 4 + [[T]]; [[I]] < p4; [[I]] += 256) {
// CHECK: p2[[[I]]] = {{.*}} - {{.*}};
// CHECK: extern "C" __global__ void __launch_bounds__(256)
// CHECK-NEXT: update_0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL_CONST(f32) p1, SINTER_GLOBAL_CONST(f32) p2, SINTER_GLOBAL_CONST(f32) p3, SINTER_GLOBAL(f32) p4, SINTER_GLOBAL(f32) p5) {
// CHECK: update_0_each0(p0, p1, p4, {{.*}}9000
// CHECK: update_0_each0(p2, p3, p5, {{.*}}90
