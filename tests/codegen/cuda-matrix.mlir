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
// CHECK-NEXT:   Fragment<4> v1[1];
// CHECK-NEXT:   MmaC v2[1][2];
// CHECK-NEXT:   const i32 v3 = (i32)blockIdx.x;
// CHECK-NEXT:   const i32 v4 = (i32)threadIdx.x;
// CHECK-NEXT:   SINTER_DYNAMIC_SHARED(i8, v5);
// CHECK-NEXT:   SINTER_SHARED_PART(bf16, v6, v5, 0, 2048);
// CHECK-NEXT:   SINTER_SHARED_PART(bf16, v7, v5, 4096, 4096);
// CHECK-NEXT:   SINTER_SHARED_PART(f32, v8, v5, 0, 640);
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v9 = 0; v9 < 2; v9 += 1) {
// CHECK-NEXT:     v2[0][v9] = MmaC{};
// CHECK-NEXT:   }
// CHECK-NEXT:   for (i32 v10 = 0; v10 < 8; v10 += 1) {
// CHECK-NEXT:     copyAsyncWait<2>();
// CHECK-NEXT:     __syncthreads();
// CHECK-NEXT:     if (v10 < 5) {
// CHECK-NEXT:       const i32 v11 = v4 % 4;
// CHECK-NEXT:       const i32 v12 = v3 / 3;
// CHECK-NEXT:       const i32 v13 = v4 / 4;
// CHECK-NEXT:       const i32 v14 = v10 * 32;
// CHECK-NEXT:       const i32 v15 = v11 * 8;
// CHECK-NEXT:       const i32 v16 = (v11 ^ v4 / 8 % 4) * 8;
// CHECK-NEXT:       const i32 v17 = v10 % 4;
// CHECK-NEXT:       const i32 v18 = v13 * 32;
// CHECK-NEXT:       copyAsyncFirst<16>(v6 + v16 + v17 * 512 + v18, p0 + v14 + v12 * 2176 + v13 * 136 + v15, v12 * 16 + v13 < 40 && v10 * 4 + v11 < 17 ? 8 : 0);
// CHECK-NEXT:       const i32 v19 = v3 % 3;
// CHECK-NEXT:       const i1 v20 = v19 * 4 + v11 < 9;
// CHECK-NEXT:       const i32 v21 = v10 * 2304;
// CHECK-NEXT:       const i32 v22 = v19 * 32;
// CHECK-NEXT:       const i32 v23 = v13 * 72;
// CHECK-NEXT:       const i32 v24 = v17 * 1024;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v25 = 0; v25 < 2; v25 += 1) {
// CHECK-NEXT:         copyAsyncFirst<16>(v7 + v25 * 512 + v16 + v24 + v18, p1 + v21 + v25 * 1152 + v22 + v15 + v23, v20 && v14 + v25 * 16 + v13 < 136 ? 8 : 0);
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     copyAsyncCommit();
// CHECK-NEXT:     if (v10 >= 3) {
// CHECK-NEXT:       const i32 v26 = v4 % 32;
// CHECK-NEXT:       const i32 v27 = v26 / 16;
// CHECK-NEXT:       const i32 v28 = v4 % 8;
// CHECK-NEXT:       const i32 v29 = v28 / 2;
// CHECK-NEXT:       const i32 v30 = (v10 + 1) % 4;
// CHECK-NEXT:       const i32 v31 = v30 * 512;
// CHECK-NEXT:       const i32 v32 = v26 / 8 % 2 * 256;
// CHECK-NEXT:       const i32 v33 = v28 * 32;
// CHECK-NEXT:       const i32 v34 = (v4 / 32 * 2 + v27 ^ v29) * 8;
// CHECK-NEXT:       const i32 v35 = v30 * 1024;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v36 = 0; v36 < 2; v36 += 1) {
// CHECK-NEXT:         const Fragment<4> v37 = loadMatrices<4>(v6 + (v36 * 2 + v27 ^ v29) * 8 + v31 + v32 + v33);
// CHECK-NEXT:         v1[0] = v37;
// CHECK-NEXT:         const Fragment<4> v38 = loadMatricesTransposed<4>(v7 + v36 * 512 + v34 + v35 + v32 + v33);
// CHECK-NEXT:         const Fragment<4> v39 = v1[0];
// CHECK-NEXT:         const MmaC v40 = v2[0][0];
// CHECK-NEXT:         v2[0][0] = mma<bf16>(v39, fragmentPart<0, 2>(v38), v40);
// CHECK-NEXT:         const MmaC v41 = v2[0][1];
// CHECK-NEXT:         v2[0][1] = mma<bf16>(v39, fragmentPart<2, 2>(v38), v41);
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT:   __syncthreads();
// CHECK-NEXT:   const i32 v42 = v4 % 32 / 4 * 40;
// CHECK-NEXT:   const i32 v43 = v4 / 32 * 16;
// CHECK-NEXT:   const i32 v44 = v4 % 4;
// CHECK-NEXT:   const i32 v45 = v44 * 2;
// CHECK-NEXT:   #pragma unroll
// CHECK-NEXT:   for (i32 v46 = 0; v46 < 2; v46 += 1) {
// CHECK-NEXT:     const MmaC v47 = v2[0][v46];
// CHECK-NEXT:     const i32 v48 = v46 * 8 + v42 + v43 + v45;
// CHECK-NEXT:     v8[v48] = v47.v[0];
// CHECK-NEXT:     v8[v48 + 1] = v47.v[1];
// CHECK-NEXT:     v8[v48 + 320] = v47.v[2];
// CHECK-NEXT:     v8[v48 + 321] = v47.v[3];
// CHECK-NEXT:   }
// CHECK-NEXT:   __syncthreads();
// CHECK-NEXT:   const i32 v49 = v4 / 4;
// CHECK-NEXT:   const i32 v50 = v3 / 3 * 16 + v49;
// CHECK-NEXT:   const i32 v51 = v3 % 3 * 4 + v44;
// CHECK-NEXT:   if (v50 < 40 && v51 < 9) {
// CHECK-NEXT:     const Vec<f32, 8> v52 = loadVec<8>(v8, v49 * 40 + v44 * 8);
// CHECK-NEXT:     const i32 v53 = v51 * 8;
// CHECK-NEXT:     const Vec<bf16, 8> v54 = loadVec<8>(p2, v53);
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v55 = 0; v55 < 8; v55 += 1) {
// CHECK-NEXT:       const f32 v56 = (f32)bf16((f32)bf16(v52[v55]) + (f32)v54[v55]);
// CHECK-NEXT:       v0[v55] = bf16((f32)bf16(0.0f > v56 ? 0.0f : v56));
// CHECK-NEXT:     }
// CHECK-NEXT:     const Vec<bf16, 8> v57 = loadVec<8>(v0, 0);
// CHECK-NEXT:     storeVec(p3, v50 * 72 + v53, v57);
// CHECK-NEXT:   }
// CHECK-NEXT: }
