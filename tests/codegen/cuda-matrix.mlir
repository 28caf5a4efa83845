// RUN: sinter-emit %s --target cuda --arch sm_80 | FileCheck %s
// Matrix units: both sides copied several steps ahead (40 rows and 72 columns leave tiles half empty, so copies have
// counts), fragments from swizzled rows, sums through shared memory to the epilogue.

func.func @linear(%x: tensor<40x136xbf16>, %w: tensor<136x72xbf16>, %b: tensor<72xbf16>) -> tensor<40x72xbf16> {
  %0 = sinter.matmul %x, %w : (tensor<40x136xbf16>, tensor<136x72xbf16>) -> tensor<40x72xbf16>
  %1 = sinter.broadcast %b : (tensor<72xbf16>) -> tensor<40x72xbf16>
  %2 = sinter.add %0, %1 : tensor<40x72xbf16>
  %r = sinter.relu %2 : tensor<40x72xbf16>
  return %r : tensor<40x72xbf16>
}

// CHECK: // matmul_add_relu_0: 9 blocks of 64 threads
// CHECK-NEXT: // computes matmul broadcast add relu
// CHECK: #include "sinter/async.cuh"
// CHECK-NEXT: #include "sinter/memory.cuh"
// CHECK-NEXT: #include "sinter/mma.cuh"
// CHECK-NEXT: #include "sinter/types.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(64)
// CHECK-NEXT: matmul_add_relu_0(SINTER_GLOBAL_CONST(bf16) p0, SINTER_GLOBAL_CONST(bf16) p1, SINTER_GLOBAL_CONST(bf16) p2, SINTER_GLOBAL(bf16) p3) {
// CHECK-NEXT:   p0 = aligned(p0);
// CHECK-NEXT:   p1 = aligned(p1);
// CHECK-NEXT:   p2 = aligned(p2);
// CHECK-NEXT:   p3 = aligned(p3);
// CHECK-NEXT:   alignas(16) bf16 v0[8];
// CHECK-NEXT:   alignas(16) bf16 v1[8];
// CHECK-NEXT:   alignas(16) f32 v2[8];
// CHECK-NEXT:   Fragment<4> v3[1];
// CHECK-NEXT:   MmaC v4[1][2];
// CHECK-NEXT:   const i32 v5 = (i32)blockIdx.x;
// CHECK-NEXT:   const i32 v6 = (i32)threadIdx.x;
// CHECK-NEXT:   SINTER_DYNAMIC_SHARED(i8, v7);
// CHECK-NEXT:   SINTER_SHARED_PART(bf16, v8, v7, 0, 2048);
// CHECK-NEXT:   SINTER_SHARED_PART(bf16, v9, v7, 4096, 4096);
// CHECK-NEXT:   SINTER_SHARED_PART(f32, v10, v7, 0, 640);
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v11 = 0; v11 < 2; v11 += 1) {
// CHECK-NEXT:     v4[0][v11] = MmaC{};
// CHECK-NEXT:   }
// CHECK-NEXT:   for (i32 v12 = 0; v12 < 8; v12 += 1) {
// CHECK-NEXT:     copyAsyncWait<2>();
// CHECK-NEXT:     __syncthreads();
// CHECK-NEXT:     if (v12 < 5) {
// CHECK-NEXT:       const i32 v13 = v6 % 4;
// CHECK-NEXT:       const i32 v14 = v5 / 3;
// CHECK-NEXT:       const i32 v15 = v6 / 4;
// CHECK-NEXT:       const i32 v16 = v12 * 32;
// CHECK-NEXT:       const i32 v17 = v13 * 8;
// CHECK-NEXT:       const i32 v18 = (v13 ^ v6 / 8 % 4) * 8;
// CHECK-NEXT:       const i32 v19 = v12 % 4;
// CHECK-NEXT:       const i32 v20 = v15 * 32;
// CHECK-NEXT:       copyAsyncFirst<16>(v8 + v18 + v19 * 512 + v20, p0 + v16 + v14 * 2176 + v15 * 136 + v17, v14 * 16 + v15 < 40 && v12 * 4 + v13 < 17 ? 8 : 0);
// CHECK-NEXT:       const i32 v21 = v5 % 3;
// CHECK-NEXT:       const i1 v22 = v21 * 4 + v13 < 9;
// CHECK-NEXT:       const i32 v23 = v12 * 2304;
// CHECK-NEXT:       const i32 v24 = v21 * 32;
// CHECK-NEXT:       const i32 v25 = v15 * 72;
// CHECK-NEXT:       const i32 v26 = v19 * 1024;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v27 = 0; v27 < 2; v27 += 1) {
// CHECK-NEXT:         copyAsyncFirst<16>(v9 + v27 * 512 + v18 + v26 + v20, p1 + v23 + v27 * 1152 + v24 + v17 + v25, v22 && v16 + v27 * 16 + v15 < 136 ? 8 : 0);
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     copyAsyncCommit();
// CHECK-NEXT:     if (v12 >= 3) {
// CHECK-NEXT:       const i32 v28 = v6 % 32;
// CHECK-NEXT:       const i32 v29 = v28 / 16;
// CHECK-NEXT:       const i32 v30 = v6 % 8;
// CHECK-NEXT:       const i32 v31 = v30 / 2;
// CHECK-NEXT:       const i32 v32 = (v12 + 1) % 4;
// CHECK-NEXT:       const i32 v33 = v32 * 512;
// CHECK-NEXT:       const i32 v34 = v28 / 8 % 2 * 256;
// CHECK-NEXT:       const i32 v35 = v30 * 32;
// CHECK-NEXT:       const i32 v36 = (v6 / 32 * 2 + v29 ^ v31) * 8;
// CHECK-NEXT:       const i32 v37 = v32 * 1024;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v38 = 0; v38 < 2; v38 += 1) {
// CHECK-NEXT:         const Fragment<4> v39 = loadMatrices<4>(v8 + (v38 * 2 + v29 ^ v31) * 8 + v33 + v34 + v35);
// CHECK-NEXT:         v3[0] = v39;
// CHECK-NEXT:         const Fragment<4> v40 = loadMatricesTransposed<4>(v9 + v38 * 512 + v36 + v37 + v34 + v35);
// CHECK-NEXT:         const Fragment<4> v41 = v3[0];
// CHECK-NEXT:         const MmaC v42 = v4[0][0];
// CHECK-NEXT:         v4[0][0] = mma<bf16>(v41, fragmentPart<0, 2>(v40), v42);
// CHECK-NEXT:         const MmaC v43 = v4[0][1];
// CHECK-NEXT:         v4[0][1] = mma<bf16>(v41, fragmentPart<2, 2>(v40), v43);
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT:   __syncthreads();
// CHECK-NEXT:   const i32 v44 = v6 % 32 / 4 * 40;
// CHECK-NEXT:   const i32 v45 = v6 / 32 * 16;
// CHECK-NEXT:   const i32 v46 = v6 % 4;
// CHECK-NEXT:   const i32 v47 = v46 * 2;
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v48 = 0; v48 < 2; v48 += 1) {
// CHECK-NEXT:     const MmaC v49 = v4[0][v48];
// CHECK-NEXT:     const i32 v50 = v48 * 8 + v44 + v45 + v47;
// CHECK-NEXT:     v10[v50] = v49.v[0];
// CHECK-NEXT:     v10[v50 + 1] = v49.v[1];
// CHECK-NEXT:     v10[v50 + 320] = v49.v[2];
// CHECK-NEXT:     v10[v50 + 321] = v49.v[3];
// CHECK-NEXT:   }
// CHECK-NEXT:   __syncthreads();
// CHECK-NEXT:   const i32 v51 = v6 / 4;
// CHECK-NEXT:   const i32 v52 = v5 / 3 * 16 + v51;
// CHECK-NEXT:   const i32 v53 = v5 % 3 * 4 + v46;
// CHECK-NEXT:   if (v52 < 40 && v53 < 9) {
// CHECK-NEXT:     const Vec<f32, 8> v54 = loadVec<8>(v10, v51 * 40 + v46 * 8);
// CHECK-NEXT:     storeVec(v2, 0, v54);
// CHECK-NEXT:     const i32 v55 = v53 * 8;
// CHECK-NEXT:     const Vec<bf16, 8> v56 = loadVec<8>(p2, v55);
// CHECK-NEXT:     storeVec(v1, 0, v56);
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v57 = 0; v57 < 8; v57 += 1) {
// CHECK-NEXT:       const f32 v58 = v2[v57];
// CHECK-NEXT:       const bf16 v59 = v1[v57];
// CHECK-NEXT:       const f32 v60 = (f32)bf16((f32)bf16(v58) + (f32)v59);
// CHECK-NEXT:       v0[v57] = bf16((f32)bf16(0.0f > v60 ? 0.0f : v60));
// CHECK-NEXT:     }
// CHECK-NEXT:     const Vec<bf16, 8> v61 = loadVec<8>(v0, 0);
// CHECK-NEXT:     storeVec(p3, v52 * 72 + v55, v61);
// CHECK-NEXT:   }
// CHECK-NEXT: }
