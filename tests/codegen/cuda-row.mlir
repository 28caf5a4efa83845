// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// A warp a row, a word of four a lane: two reductions by exchanges, one reading, one write.

func.func @softmax(%x: tensor<8x100xf32>) -> tensor<8x100xf32> {
  %r = sinter.softmax %x {dim = 1 : i64} : tensor<8x100xf32>
  return %r : tensor<8x100xf32>
}

// CHECK: // max_sub_exp_sum_div_0: 2 blocks of 128 threads
// CHECK-NEXT: // computes max broadcast sub exp sum broadcast div
// CHECK: #include "sinter/math.cuh"
// CHECK-NEXT: #include "sinter/memory.cuh"
// CHECK-NEXT: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(128)
// CHECK-NEXT: max_sub_exp_sum_div_0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL(f32) p1) {
// CHECK-NEXT:   alignas(16) f32 v0[4];
// CHECK-NEXT:   const i32 v1 = (i32)threadIdx.x;
// CHECK-NEXT:   const i32 v2 = v1 % 32;
// CHECK-NEXT:   const i1 v3 = v2 < 25;
// CHECK-NEXT:   const i32 v4 = (i32)blockIdx.x * 400 + minimum(v2, 24) * 4 + v1 / 32 * 100;
// CHECK-NEXT:   const Vec<f32, 4> v5 = loadVec<4>(p0, v4);
// CHECK-NEXT:   f32 v6 = bitCast<f32>(4286578688u);
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v7 = 0; v7 < 4; v7 += 1) {
// CHECK-NEXT:     v6 = maximum(v6, v3 ? v5[v7] : bitCast<f32>(4286578688u));
// CHECK-NEXT:   }
// CHECK-NEXT:   const f32 v8 = __shfl_xor_sync(0xffffffffu, v6, 16, 32);
// CHECK-NEXT:   const f32 v9 = maximum(v6, v8);
// CHECK-NEXT:   const f32 v10 = __shfl_xor_sync(0xffffffffu, v9, 8, 32);
// CHECK-NEXT:   const f32 v11 = maximum(v9, v10);
// CHECK-NEXT:   const f32 v12 = __shfl_xor_sync(0xffffffffu, v11, 4, 32);
// CHECK-NEXT:   const f32 v13 = maximum(v11, v12);
// CHECK-NEXT:   const f32 v14 = __shfl_xor_sync(0xffffffffu, v13, 2, 32);
// CHECK-NEXT:   const f32 v15 = maximum(v13, v14);
// CHECK-NEXT:   const f32 v16 = __shfl_xor_sync(0xffffffffu, v15, 1, 32);
// CHECK-NEXT:   const f32 v17 = maximum(v15, v16);
// CHECK-NEXT:   f32 v18 = 0.0f;
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v19 = 0; v19 < 4; v19 += 1) {
// CHECK-NEXT:     v18 = v18 + (v3 ? expf(v5[v19] - v17) : 0.0f);
// CHECK-NEXT:   }
// CHECK-NEXT:   const f32 v20 = __shfl_xor_sync(0xffffffffu, v18, 16, 32);
// CHECK-NEXT:   const f32 v21 = v18 + v20;
// CHECK-NEXT:   const f32 v22 = __shfl_xor_sync(0xffffffffu, v21, 8, 32);
// CHECK-NEXT:   const f32 v23 = v21 + v22;
// CHECK-NEXT:   const f32 v24 = __shfl_xor_sync(0xffffffffu, v23, 4, 32);
// CHECK-NEXT:   const f32 v25 = v23 + v24;
// CHECK-NEXT:   const f32 v26 = __shfl_xor_sync(0xffffffffu, v25, 2, 32);
// CHECK-NEXT:   const f32 v27 = v25 + v26;
// CHECK-NEXT:   const f32 v28 = __shfl_xor_sync(0xffffffffu, v27, 1, 32);
// CHECK-NEXT:   const f32 v29 = v27 + v28;
// CHECK-NEXT:   if (v3) {
// CHECK-NEXT:     const Vec<f32, 4> v30 = loadVec<4>(p0, v4);
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v31 = 0; v31 < 4; v31 += 1) {
// CHECK-NEXT:       v0[v31] = expf(v30[v31] - v17) / v29;
// CHECK-NEXT:     }
// CHECK-NEXT:     const Vec<f32, 4> v32 = loadVec<4>(v0, 0);
// CHECK-NEXT:     storeVec(p1, v4, v32);
// CHECK-NEXT:   }
// CHECK-NEXT: }
