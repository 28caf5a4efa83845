// RUN: sinter-emit %s --target cuda --arch sm_90a | FileCheck %s
// Warpgroups: one sends for tiles by bulk copies, two multiply them from shared memory; a persistent grid. 3000 rows leave
// the last tiles half empty: bulk copies fill them with zeros, and results are checked on their way out.

func.func @linear(%x: tensor<3000x1024xbf16>, %w: tensor<4096x1024xbf16>, %b: tensor<4096xbf16>) -> tensor<3000x4096xbf16> {
  %0 = sinter.matmul %x, %w {transpose_b = true} : (tensor<3000x1024xbf16>, tensor<4096x1024xbf16>) -> tensor<3000x4096xbf16>
  %1 = sinter.broadcast %b : (tensor<4096xbf16>) -> tensor<3000x4096xbf16>
  %2 = sinter.add %0, %1 : tensor<3000x4096xbf16>
  %r = sinter.relu %2 : tensor<3000x4096xbf16>
  return %r : tensor<3000x4096xbf16>
}

// CHECK: // matmul_add_relu_0: 132 blocks of 384 threads
// CHECK-NEXT: // computes matmul broadcast add relu
// CHECK: #include "sinter/barrier.cuh"
// CHECK-NEXT: #include "sinter/bulk.cuh"
// CHECK-NEXT: #include "sinter/memory.cuh"
// CHECK-NEXT: #include "sinter/types.cuh"
// CHECK-NEXT: #include "sinter/wgmma.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(384)
// CHECK-NEXT: matmul_add_relu_0(SINTER_GLOBAL_CONST(bf16) p0, SINTER_GLOBAL_CONST(bf16) p1, SINTER_GLOBAL_CONST(bf16) p2, SINTER_GLOBAL(bf16) p3, const __grid_constant__ TensorMap p4, const __grid_constant__ TensorMap p5) {
// CHECK-NEXT:   p0 = aligned(p0);
// CHECK-NEXT:   p1 = aligned(p1);
// CHECK-NEXT:   p2 = aligned(p2);
// CHECK-NEXT:   p3 = aligned(p3);
// CHECK-NEXT:   alignas(16) bf16 v0[8];
// CHECK-NEXT:   alignas(16) bf16 v1[8];
// CHECK-NEXT:   alignas(16) f32 v2[8];
// CHECK-NEXT:   f32 v3[128];
// CHECK-NEXT:   const i32 v4 = (i32)threadIdx.x;
// CHECK-NEXT:   SINTER_DYNAMIC_SHARED(i8, v5);
// CHECK-NEXT:   SINTER_SHARED_PART(bf16, v6, v5, 0, 32768);
// CHECK-NEXT:   SINTER_SHARED_PART(bf16, v7, v5, 65536, 65536);
// CHECK-NEXT:   SINTER_SHARED_PART(f32, v8, v5, 196608, 5120);
// CHECK-NEXT:   SINTER_SHARED_PART(i64, v9, v5, 217088, 4);
// CHECK-NEXT:   SINTER_SHARED_PART(i64, v10, v5, 217120, 4);
// CHECK-NEXT:   const i1 v11 = v4 == 0;
// CHECK-NEXT:   if (v11) {
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v12 = 0; v12 < 4; v12 += 1) {
// CHECK-NEXT:       barrierInit(v9, v12, 1);
// CHECK-NEXT:       barrierInit(v10, v12, 8);
// CHECK-NEXT:     }
// CHECK-NEXT:     barrierFence();
// CHECK-NEXT:   }
// CHECK-NEXT:   __syncthreads();
// CHECK-NEXT:   if (v4 < 128) {
// CHECK-NEXT:     giveRegisters<40>();
// CHECK-NEXT:     if (v11) {
// CHECK-NEXT:       i32 v13 = 0;
// CHECK-NEXT:       i32 v14 = 0;
// CHECK-NEXT:       for (i32 v15 = (i32)blockIdx.x; v15 < 384; v15 += (i32)gridDim.x) {
// CHECK-NEXT:         const i32 v16 = v15 / 128 * 1024;
// CHECK-NEXT:         const i32 v17 = v15 % 8 * 128;
// CHECK-NEXT:         const i32 v18 = v15 % 128 / 8 * 256;
// CHECK-NEXT:         i32 v19 = v13;
// CHECK-NEXT:         i32 v20 = v14;
// CHECK-NEXT:         for (i32 v21 = 0; v21 < 16; v21 += 1) {
// CHECK-NEXT:           const i32 v22 = v20 ^ 1;
// CHECK-NEXT:           barrierWait(v10, v19, v22);
// CHECK-NEXT:           barrierExpect(v9, v19, 49152);
// CHECK-NEXT:           const i32 v23 = v19 * 8192;
// CHECK-NEXT:           const i32 v24 = v21 * 64;
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v25 = 0; v25 < 2; v25 += 1) {
// CHECK-NEXT:             bulkLoad(v6, v23 + v25 * 4096, p4, v9, v19, v24, v25 * 64 + v16 + v17, 0);
// CHECK-NEXT:           }
// CHECK-NEXT:           const i32 v26 = v19 * 16384;
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v27 = 0; v27 < 4; v27 += 1) {
// CHECK-NEXT:             bulkLoad(v7, v26 + v27 * 4096, p5, v9, v19, v24, v27 * 64 + v18, 0);
// CHECK-NEXT:           }
// CHECK-NEXT:           const i32 v28 = v19 + 1;
// CHECK-NEXT:           const i1 v29 = v28 == 4;
// CHECK-NEXT:           const i32 t30 = v29 ? 0 : v28;
// CHECK-NEXT:           const i32 t31 = v29 ? v22 : v20;
// CHECK-NEXT:           v19 = t30;
// CHECK-NEXT:           v20 = t31;
// CHECK-NEXT:         }
// CHECK-NEXT:         v13 = v19;
// CHECK-NEXT:         v14 = v20;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:   } else {
// CHECK-NEXT:     takeRegisters<232>();
// CHECK-NEXT:     const i32 v32 = v4 - 128;
// CHECK-NEXT:     const i32 v33 = v32 % 32;
// CHECK-NEXT:     const i1 v34 = v33 == 0;
// CHECK-NEXT:     const i32 v35 = v32 / 128;
// CHECK-NEXT:     const i32 v36 = v35 * 4096;
// CHECK-NEXT:     const i32 v37 = v35 + 1;
// CHECK-NEXT:     const i32 v38 = v35 * 2560;
// CHECK-NEXT:     const i32 v39 = v32 % 128;
// CHECK-NEXT:     const i32 v40 = v38 + v39 / 32 * 640 + v33 / 4 * 40;
// CHECK-NEXT:     const i32 v41 = v32 % 4;
// CHECK-NEXT:     const i32 v42 = v41 * 2;
// CHECK-NEXT:     const i32 v43 = v35 * 64;
// CHECK-NEXT:     const i32 v44 = v39 / 4;
// CHECK-NEXT:     i32 v45 = 0;
// CHECK-NEXT:     i32 v46 = 0;
// CHECK-NEXT:     for (i32 v47 = (i32)blockIdx.x; v47 < 384; v47 += (i32)gridDim.x) {
// CHECK-NEXT:       i32 v48 = v45;
// CHECK-NEXT:       i32 v49 = v46;
// CHECK-NEXT:       for (i32 v50 = 0; v50 < 16; v50 += 1) {
// CHECK-NEXT:         barrierWait(v9, v48, v49);
// CHECK-NEXT:         wgmmaFence();
// CHECK-NEXT:         const i32 v51 = v48 * 8192 + v36;
// CHECK-NEXT:         const i32 v52 = v48 * 16384;
// CHECK-NEXT:         const i1 v53 = v50 != 0;
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v3, v6, v51, v7, v52, 0, v53);
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v3, v6, v51, v7, v52, 1, true);
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v3, v6, v51, v7, v52, 2, true);
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v3, v6, v51, v7, v52, 3, true);
// CHECK-NEXT:         wgmmaCommit();
// CHECK-NEXT:         wgmmaWait<1>();
// CHECK-NEXT:         if (v53) {
// CHECK-NEXT:           const i32 v54 = v48 == 0 ? 3 : v48 - 1;
// CHECK-NEXT:           if (v34) {
// CHECK-NEXT:             barrierArrive(v10, v54);
// CHECK-NEXT:           }
// CHECK-NEXT:         }
// CHECK-NEXT:         const i32 v55 = v48 + 1;
// CHECK-NEXT:         const i1 v56 = v55 == 4;
// CHECK-NEXT:         const i32 t57 = v56 ? 0 : v55;
// CHECK-NEXT:         const i32 t58 = v56 ? v49 ^ 1 : v49;
// CHECK-NEXT:         v48 = t57;
// CHECK-NEXT:         v49 = t58;
// CHECK-NEXT:       }
// CHECK-NEXT:       wgmmaWait<0>();
// CHECK-NEXT:       wgmmaSettle(v3);
// CHECK-NEXT:       const i32 v59 = v48 == 0 ? 3 : v48 - 1;
// CHECK-NEXT:       if (v34) {
// CHECK-NEXT:         barrierArrive(v10, v59);
// CHECK-NEXT:       }
// CHECK-NEXT:       const i32 v60 = v47 / 128 * 1024;
// CHECK-NEXT:       const i32 v61 = v47 % 8 * 128;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v62 = 0; v62 < 8; v62 += 1) {
// CHECK-NEXT:         syncWarps<128>(v37);
// CHECK-NEXT:         const i32 v63 = v62 * 16;
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v64 = 0; v64 < 16; v64 += 1) {
// CHECK-NEXT:           const f32 v65 = v3[v63 + v64];
// CHECK-NEXT:           v8[v40 + v64 / 2 % 2 * 320 + v64 / 4 * 8 + v42 + v64 % 2] = v65;
// CHECK-NEXT:         }
// CHECK-NEXT:         syncWarps<128>(v37);
// CHECK-NEXT:         for (i32 v66 = 0; v66 < 2; v66 += 1) {
// CHECK-NEXT:           const i32 v67 = v66 * 32 + v60 + v61 + v43 + v44;
// CHECK-NEXT:           if (v67 < 3000) {
// CHECK-NEXT:             const i32 v68 = v41 * 8;
// CHECK-NEXT:             const Vec<f32, 8> v69 = loadVec<8>(v8, v66 * 1280 + v38 + v44 * 40 + v68);
// CHECK-NEXT:             storeVec(v2, 0, v69);
// CHECK-NEXT:             const i32 v70 = v62 * 32;
// CHECK-NEXT:             const i32 v71 = v47 % 128 / 8 * 256;
// CHECK-NEXT:             const Vec<bf16, 8> v72 = loadVec<8>(p2, v70 + v71 + v68);
// CHECK-NEXT:             storeVec(v1, 0, v72);
// CHECK-NEXT:             #pragma unroll
// CHECK-NEXT:             for (i32 v73 = 0; v73 < 8; v73 += 1) {
// CHECK-NEXT:               const f32 v74 = v2[v73];
// CHECK-NEXT:               const bf16 v75 = v1[v73];
// CHECK-NEXT:               const f32 v76 = (f32)bf16((f32)bf16(v74) + (f32)v75);
// CHECK-NEXT:               v0[v73] = bf16((f32)bf16(0.0f > v76 ? 0.0f : v76));
// CHECK-NEXT:             }
// CHECK-NEXT:             const Vec<bf16, 8> v77 = loadVec<8>(v0, 0);
// CHECK-NEXT:             storeVec(p3, v70 + v67 * 4096 + v71 + v68, v77);
// CHECK-NEXT:           }
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:       v45 = v48;
// CHECK-NEXT:       v46 = v49;
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }
