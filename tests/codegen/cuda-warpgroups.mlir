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
// CHECK-NEXT: matmul_add_relu_0(SINTER_GLOBAL_CONST(bf16) p0, SINTER_GLOBAL_CONST(bf16) p1, SINTER_GLOBAL_CONST(bf16) p2, SINTER_GLOBAL(bf16) p3, const __grid_constant__ TensorMap p4, const __grid_constant__ TensorMap p5, const __grid_constant__ TensorMap p6) {
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
// CHECK-NEXT:   SINTER_SHARED_PART(bf16, v9, v5, 217088, 4096);
// CHECK-NEXT:   SINTER_SHARED_PART(i64, v10, v5, 225280, 4);
// CHECK-NEXT:   SINTER_SHARED_PART(i64, v11, v5, 225312, 4);
// CHECK-NEXT:   const i1 v12 = v4 == 0;
// CHECK-NEXT:   if (v12) {
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v13 = 0; v13 < 4; v13 += 1) {
// CHECK-NEXT:       barrierInit(v10, v13, 1);
// CHECK-NEXT:       barrierInit(v11, v13, 8);
// CHECK-NEXT:     }
// CHECK-NEXT:     barrierFence();
// CHECK-NEXT:   }
// CHECK-NEXT:   __syncthreads();
// CHECK-NEXT:   if (v4 < 128) {
// CHECK-NEXT:     giveRegisters<40>();
// CHECK-NEXT:     if (v12) {
// CHECK-NEXT:       i32 v14 = 0;
// CHECK-NEXT:       i32 v15 = 0;
// CHECK-NEXT:       for (i32 v16 = (i32)blockIdx.x; v16 < 384; v16 += (i32)gridDim.x) {
// CHECK-NEXT:         const i32 v17 = v16 / 128 * 1024;
// CHECK-NEXT:         const i32 v18 = v16 % 8 * 128;
// CHECK-NEXT:         const i32 v19 = v16 % 128 / 8 * 256;
// CHECK-NEXT:         i32 v20 = v14;
// CHECK-NEXT:         i32 v21 = v15;
// CHECK-NEXT:         for (i32 v22 = 0; v22 < 16; v22 += 1) {
// CHECK-NEXT:           const i32 v23 = v21 ^ 1;
// CHECK-NEXT:           barrierWait(v11, v20, v23);
// CHECK-NEXT:           barrierExpect(v10, v20, 49152);
// CHECK-NEXT:           const i32 v24 = v20 * 8192;
// CHECK-NEXT:           const i32 v25 = v22 * 64;
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v26 = 0; v26 < 2; v26 += 1) {
// CHECK-NEXT:             bulkLoad(v6, v24 + v26 * 4096, p4, v10, v20, v25, v26 * 64 + v17 + v18, 0);
// CHECK-NEXT:           }
// CHECK-NEXT:           const i32 v27 = v20 * 16384;
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v28 = 0; v28 < 4; v28 += 1) {
// CHECK-NEXT:             bulkLoad(v7, v27 + v28 * 4096, p5, v10, v20, v25, v28 * 64 + v19, 0);
// CHECK-NEXT:           }
// CHECK-NEXT:           const i32 v29 = v20 + 1;
// CHECK-NEXT:           const i1 v30 = v29 == 4;
// CHECK-NEXT:           const i32 t31 = v30 ? 0 : v29;
// CHECK-NEXT:           const i32 t32 = v30 ? v23 : v21;
// CHECK-NEXT:           v20 = t31;
// CHECK-NEXT:           v21 = t32;
// CHECK-NEXT:         }
// CHECK-NEXT:         v14 = v20;
// CHECK-NEXT:         v15 = v21;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:   } else {
// CHECK-NEXT:     takeRegisters<232>();
// CHECK-NEXT:     const i32 v33 = v4 - 128;
// CHECK-NEXT:     const i32 v34 = v33 % 128;
// CHECK-NEXT:     const i32 v35 = v33 % 32;
// CHECK-NEXT:     const i1 v36 = v35 == 0;
// CHECK-NEXT:     const i32 v37 = v33 / 128;
// CHECK-NEXT:     const i32 v38 = v37 * 4096;
// CHECK-NEXT:     const i32 v39 = v37 + 1;
// CHECK-NEXT:     const i32 v40 = v37 * 2560;
// CHECK-NEXT:     const i32 v41 = v40 + v34 / 32 * 640 + v35 / 4 * 40;
// CHECK-NEXT:     const i32 v42 = v33 % 4;
// CHECK-NEXT:     const i32 v43 = v42 * 2;
// CHECK-NEXT:     const i1 v44 = v34 == 0;
// CHECK-NEXT:     const i32 v45 = v34 / 4;
// CHECK-NEXT:     const i32 v46 = v45 * 40;
// CHECK-NEXT:     const i32 v47 = v42 * 8;
// CHECK-NEXT:     const i32 v48 = v37 * 2048;
// CHECK-NEXT:     const i32 v49 = v45 * 32;
// CHECK-NEXT:     i32 v50 = 0;
// CHECK-NEXT:     i32 v51 = 0;
// CHECK-NEXT:     for (i32 v52 = (i32)blockIdx.x; v52 < 384; v52 += (i32)gridDim.x) {
// CHECK-NEXT:       i32 v53 = v50;
// CHECK-NEXT:       i32 v54 = v51;
// CHECK-NEXT:       for (i32 v55 = 0; v55 < 16; v55 += 1) {
// CHECK-NEXT:         barrierWait(v10, v53, v54);
// CHECK-NEXT:         wgmmaFence();
// CHECK-NEXT:         const i32 v56 = v53 * 8192 + v38;
// CHECK-NEXT:         const i32 v57 = v53 * 16384;
// CHECK-NEXT:         const i1 v58 = v55 != 0;
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v3, v6, v56, v7, v57, 0, v58);
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v3, v6, v56, v7, v57, 1, true);
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v3, v6, v56, v7, v57, 2, true);
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v3, v6, v56, v7, v57, 3, true);
// CHECK-NEXT:         wgmmaCommit();
// CHECK-NEXT:         wgmmaWait<1>();
// CHECK-NEXT:         if (v58) {
// CHECK-NEXT:           const i32 v59 = v53 == 0 ? 3 : v53 - 1;
// CHECK-NEXT:           if (v36) {
// CHECK-NEXT:             barrierArrive(v11, v59);
// CHECK-NEXT:           }
// CHECK-NEXT:         }
// CHECK-NEXT:         const i32 v60 = v53 + 1;
// CHECK-NEXT:         const i1 v61 = v60 == 4;
// CHECK-NEXT:         const i32 t62 = v61 ? 0 : v60;
// CHECK-NEXT:         const i32 t63 = v61 ? v54 ^ 1 : v54;
// CHECK-NEXT:         v53 = t62;
// CHECK-NEXT:         v54 = t63;
// CHECK-NEXT:       }
// CHECK-NEXT:       wgmmaWait<0>();
// CHECK-NEXT:       wgmmaSettle(v3);
// CHECK-NEXT:       const i32 v64 = v53 == 0 ? 3 : v53 - 1;
// CHECK-NEXT:       if (v36) {
// CHECK-NEXT:         barrierArrive(v11, v64);
// CHECK-NEXT:       }
// CHECK-NEXT:       const i32 v65 = v52 % 128 / 8 * 256;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v66 = 0; v66 < 8; v66 += 1) {
// CHECK-NEXT:         const i32 v67 = v66 * 16;
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v68 = 0; v68 < 16; v68 += 1) {
// CHECK-NEXT:           const f32 v69 = v3[v67 + v68];
// CHECK-NEXT:           v8[v41 + v68 / 2 % 2 * 320 + v68 / 4 * 8 + v43 + v68 % 2] = v69;
// CHECK-NEXT:         }
// CHECK-NEXT:         if (v44) {
// CHECK-NEXT:           bulkWaitRead<0>();
// CHECK-NEXT:         }
// CHECK-NEXT:         syncWarps<128>(v39);
// CHECK-NEXT:         const i32 v70 = v66 * 32 + v65;
// CHECK-NEXT:         const i32 v71 = v70 + v47;
// CHECK-NEXT:         for (i32 v72 = 0; v72 < 2; v72 += 1) {
// CHECK-NEXT:           const Vec<f32, 8> v73 = loadVec<8>(v8, v72 * 1280 + v40 + v46 + v47);
// CHECK-NEXT:           storeVec(v2, 0, v73);
// CHECK-NEXT:           const Vec<bf16, 8> v74 = loadVec<8>(p2, v71);
// CHECK-NEXT:           storeVec(v1, 0, v74);
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v75 = 0; v75 < 8; v75 += 1) {
// CHECK-NEXT:             const f32 v76 = v2[v75];
// CHECK-NEXT:             const bf16 v77 = v1[v75];
// CHECK-NEXT:             const f32 v78 = (f32)bf16((f32)bf16(v76) + (f32)v77);
// CHECK-NEXT:             v0[v75] = bf16((f32)bf16(0.0f > v78 ? 0.0f : v78));
// CHECK-NEXT:           }
// CHECK-NEXT:           const Vec<bf16, 8> v79 = loadVec<8>(v0, 0);
// CHECK-NEXT:           storeVec(v9, v72 * 1024 + v48 + v49 + v47, v79);
// CHECK-NEXT:         }
// CHECK-NEXT:         copyFence();
// CHECK-NEXT:         syncWarps<128>(v39);
// CHECK-NEXT:         if (v44) {
// CHECK-NEXT:           bulkStore(p6, v9, v48, v70, v52 / 128 * 1024 + v52 % 8 * 128 + v37 * 64, 0);
// CHECK-NEXT:           bulkCommit();
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:       v50 = v53;
// CHECK-NEXT:       v51 = v54;
// CHECK-NEXT:     }
// CHECK-NEXT:     if (v44) {
// CHECK-NEXT:       bulkWaitRead<0>();
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }
