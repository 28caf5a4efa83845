// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// A block a row: two reductions within warps and then over them, one write.

func.func @softmax(%x: tensor<8x100xf32>) -> tensor<8x100xf32> {
  %r = sinter.softmax %x {dim = 1 : i64} : tensor<8x100xf32>
  return %r : tensor<8x100xf32>
}

// CHECK: // max_sub_exp_sum_div_0: 8 blocks of 128 threads
// CHECK-NEXT: // computes max broadcast sub exp sum broadcast div
// CHECK: #include "sinter/math.cuh"
// CHECK-NEXT: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(128)
// CHECK-NEXT: max_sub_exp_sum_div_0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL(f32) p1) {
// CHECK-NEXT:   SINTER_SHARED(f32, v0, 4);
// CHECK-NEXT:   SINTER_SHARED(f32, v1, 4);
// CHECK-NEXT:   const i32 v2 = (i32)threadIdx.x;
// CHECK-NEXT:   const i32 v3 = (i32)blockIdx.x * 100;
// CHECK-NEXT:   f32 v4 = bitCast<f32>(4286578688u);
// CHECK-NEXT:   for (i32 v5 = v2; v5 < 100; v5 += 128) {
// CHECK-NEXT:     const f32 v6 = p0[v3 + v5];
// CHECK-NEXT:     v4 = maximum(v4, v6);
// CHECK-NEXT:   }
// CHECK-NEXT:   const f32 v7 = __shfl_xor_sync(0xffffffffu, v4, 16, 32);
// CHECK-NEXT:   const f32 v8 = maximum(v4, v7);
// CHECK-NEXT:   const f32 v9 = __shfl_xor_sync(0xffffffffu, v8, 8, 32);
// CHECK-NEXT:   const f32 v10 = maximum(v8, v9);
// CHECK-NEXT:   const f32 v11 = __shfl_xor_sync(0xffffffffu, v10, 4, 32);
// CHECK-NEXT:   const f32 v12 = maximum(v10, v11);
// CHECK-NEXT:   const f32 v13 = __shfl_xor_sync(0xffffffffu, v12, 2, 32);
// CHECK-NEXT:   const f32 v14 = maximum(v12, v13);
// CHECK-NEXT:   const f32 v15 = __shfl_xor_sync(0xffffffffu, v14, 1, 32);
// CHECK-NEXT:   const f32 v16 = maximum(v14, v15);
// CHECK-NEXT:   const i32 v17 = v2 / 32;
// CHECK-NEXT:   const i1 v18 = v2 % 32 == 0;
// CHECK-NEXT:   if (v18) {
// CHECK-NEXT:     v1[v17] = v16;
// CHECK-NEXT:   }
// CHECK-NEXT:   __syncthreads();
// CHECK-NEXT:   const f32 v19 = v1[0];
// CHECK-NEXT:   const f32 v20 = v1[1];
// CHECK-NEXT:   const f32 v21 = v1[2];
// CHECK-NEXT:   const f32 v22 = v1[3];
// CHECK-NEXT:   const f32 v23 = maximum(maximum(maximum(v19, v20), v21), v22);
// CHECK-NEXT:   f32 v24 = 0.0f;
// CHECK-NEXT:   for (i32 v25 = v2; v25 < 100; v25 += 128) {
// CHECK-NEXT:     const f32 v26 = p0[v3 + v25];
// CHECK-NEXT:     v24 = v24 + expf(v26 - v23);
// CHECK-NEXT:   }
// CHECK-NEXT:   const f32 v27 = __shfl_xor_sync(0xffffffffu, v24, 16, 32);
// CHECK-NEXT:   const f32 v28 = v24 + v27;
// CHECK-NEXT:   const f32 v29 = __shfl_xor_sync(0xffffffffu, v28, 8, 32);
// CHECK-NEXT:   const f32 v30 = v28 + v29;
// CHECK-NEXT:   const f32 v31 = __shfl_xor_sync(0xffffffffu, v30, 4, 32);
// CHECK-NEXT:   const f32 v32 = v30 + v31;
// CHECK-NEXT:   const f32 v33 = __shfl_xor_sync(0xffffffffu, v32, 2, 32);
// CHECK-NEXT:   const f32 v34 = v32 + v33;
// CHECK-NEXT:   const f32 v35 = __shfl_xor_sync(0xffffffffu, v34, 1, 32);
// CHECK-NEXT:   const f32 v36 = v34 + v35;
// CHECK-NEXT:   if (v18) {
// CHECK-NEXT:     v0[v17] = v36;
// CHECK-NEXT:   }
// CHECK-NEXT:   __syncthreads();
// CHECK-NEXT:   const f32 v37 = v0[0];
// CHECK-NEXT:   const f32 v38 = v0[1];
// CHECK-NEXT:   const f32 v39 = v0[2];
// CHECK-NEXT:   const f32 v40 = v0[3];
// CHECK-NEXT:   const f32 v41 = v37 + v38 + v39 + v40;
// CHECK-NEXT:   for (i32 v42 = v2; v42 < 100; v42 += 128) {
// CHECK-NEXT:     const i32 v43 = v3 + v42;
// CHECK-NEXT:     const f32 v44 = p0[v43];
// CHECK-NEXT:     p1[v43] = expf(v44 - v23) / v41;
// CHECK-NEXT:   }
// CHECK-NEXT: }
