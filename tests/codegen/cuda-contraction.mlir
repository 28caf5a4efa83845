// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// Tiles in shared memory, loads of the next step on their way while one is multiplied, the epilogue on
// registers. Neighbours of four travel together where sizes allow (b, the result); a's rows are odd.

func.func @linear(%x: tensor<50x70xf32>, %w: tensor<70x64xf32>, %b: tensor<64xf32>) -> tensor<50x64xf32> {
  %0 = sinter.matmul %x, %w : (tensor<50x70xf32>, tensor<70x64xf32>) -> tensor<50x64xf32>
  %1 = sinter.broadcast %b : (tensor<64xf32>) -> tensor<50x64xf32>
  %2 = sinter.add %0, %1 : tensor<50x64xf32>
  %r = sinter.relu %2 : tensor<50x64xf32>
  return %r : tensor<50x64xf32>
}

// CHECK: // matmul_add_relu_0: 16 blocks of 64 threads
// CHECK-NEXT: // computes matmul broadcast add relu
// CHECK: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(64)
// CHECK-NEXT: matmul_add_relu_0(SINTER_GLOBAL_CONST(f32) p0, SINTER_GLOBAL_CONST(f32) p1, SINTER_GLOBAL_CONST(f32) p2, SINTER_GLOBAL(f32) p3) {
// CHECK-NEXT:   p0 = aligned(p0);
// CHECK-NEXT:   p1 = aligned(p1);
// CHECK-NEXT:   p2 = aligned(p2);
// CHECK-NEXT:   p3 = aligned(p3);
// CHECK-NEXT:   SINTER_SHARED_2D(f32, v0, 32, 16);
// CHECK-NEXT:   f32 v1[1][4];
// CHECK-NEXT:   SINTER_SHARED_2D(f32, v2, 32, 20);
// CHECK-NEXT:   f32 v3[4][1];
// CHECK-NEXT:   f32 v4[2];
// CHECK-NEXT:   f32 v5[2];
// CHECK-NEXT:   f32 v6[2][2];
// CHECK-NEXT:   const i32 v7 = (i32)blockIdx.x;
// CHECK-NEXT:   const i32 v8 = (i32)threadIdx.x;
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v9 = 0; v9 < 2; v9 += 1) {
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v10 = 0; v10 < 2; v10 += 1) {
// CHECK-NEXT:       v6[v9][v10] = 0.0f;
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT:   const i32 v11 = v7 / 4 * 16;
// CHECK-NEXT:   const i32 v12 = v8 / 16;
// CHECK-NEXT:   const i32 v13 = v8 % 16;
// CHECK-NEXT:   const i32 v14 = v8 / 4;
// CHECK-NEXT:   const i32 v15 = v8 % 4 * 4;
// CHECK-NEXT:   for (i32 v16 = 0; v16 < 6; v16 += 1) {
// CHECK-NEXT:     const i32 v17 = v16 * 16;
// CHECK-NEXT:     const i32 v18 = v17 + v13;
// CHECK-NEXT:     const i1 v19 = v18 < 70;
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v20 = 0; v20 < 4; v20 += 1) {
// CHECK-NEXT:       const i32 v21 = v20 * 4 + v11 + v12;
// CHECK-NEXT:       if (v21 < 50 && v19) {
// CHECK-NEXT:         const f32 v22 = p0[v21 * 70 + v18];
// CHECK-NEXT:         v3[v20][0] = v22;
// CHECK-NEXT:       } else {
// CHECK-NEXT:         v3[v20][0] = 0.0f;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     const i32 v23 = v17 + v14;
// CHECK-NEXT:     if (v23 < 70) {
// CHECK-NEXT:       const i32 v24 = v23 * 64;
// CHECK-NEXT:       const i32 v25 = v7 % 4 * 16;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v26 = 0; v26 < 4; v26 += 1) {
// CHECK-NEXT:         const f32 v27 = p1[v24 + v26 + v25 + v15];
// CHECK-NEXT:         v1[0][v26] = v27;
// CHECK-NEXT:       }
// CHECK-NEXT:     } else {
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v28 = 0; v28 < 4; v28 += 1) {
// CHECK-NEXT:         v1[0][v28] = 0.0f;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     if (v16 > 0) {
// CHECK-NEXT:       const i32 v29 = (v16 + 1) % 2 * 16;
// CHECK-NEXT:       const i32 v30 = v8 / 8 * 2;
// CHECK-NEXT:       const i32 v31 = v8 % 8 * 2;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v32 = 0; v32 < 16; v32 += 1) {
// CHECK-NEXT:         const i32 v33 = v32 + v29;
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v34 = 0; v34 < 2; v34 += 1) {
// CHECK-NEXT:           const f32 v35 = v2[v33][v34 + v30];
// CHECK-NEXT:           v5[v34] = v35;
// CHECK-NEXT:         }
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v36 = 0; v36 < 2; v36 += 1) {
// CHECK-NEXT:           const f32 v37 = v0[v33][v36 + v31];
// CHECK-NEXT:           v4[v36] = v37;
// CHECK-NEXT:         }
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v38 = 0; v38 < 2; v38 += 1) {
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v39 = 0; v39 < 2; v39 += 1) {
// CHECK-NEXT:             const f32 v40 = v5[v38];
// CHECK-NEXT:             const f32 v41 = v4[v39];
// CHECK-NEXT:             const f32 v42 = v6[v38][v39];
// CHECK-NEXT:             v6[v38][v39] = v42 + v40 * v41;
// CHECK-NEXT:           }
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     const i32 v43 = v16 % 2 * 16;
// CHECK-NEXT:     const i32 v44 = v43 + v13;
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v45 = 0; v45 < 4; v45 += 1) {
// CHECK-NEXT:       const f32 v46 = v3[v45][0];
// CHECK-NEXT:       v2[v44][v45 * 4 + v12] = v46;
// CHECK-NEXT:     }
// CHECK-NEXT:     const i32 v47 = v43 + v14;
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v48 = 0; v48 < 4; v48 += 1) {
// CHECK-NEXT:       const f32 v49 = v1[0][v48];
// CHECK-NEXT:       v0[v47][v48 + v15] = v49;
// CHECK-NEXT:     }
// CHECK-NEXT:     __syncthreads();
// CHECK-NEXT:   }
// CHECK-NEXT:   const i32 v50 = v8 / 8 * 2;
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v51 = 0; v51 < 2; v51 += 1) {
// CHECK-NEXT:     const i32 v52 = v51 + v11 + v50;
// CHECK-NEXT:     if (v52 < 50) {
// CHECK-NEXT:       const i32 v53 = v7 % 4 * 16;
// CHECK-NEXT:       const i32 v54 = v8 % 8 * 2;
// CHECK-NEXT:       const i32 v55 = v52 * 64;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v56 = 0; v56 < 2; v56 += 1) {
// CHECK-NEXT:         const f32 v57 = v6[v51][v56];
// CHECK-NEXT:         const f32 v58 = p2[v56 + v53 + v54];
// CHECK-NEXT:         const f32 v59 = v57 + v58;
// CHECK-NEXT:         p3[v55 + v56 + v53 + v54] = 0.0f > v59 ? 0.0f : v59;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }
