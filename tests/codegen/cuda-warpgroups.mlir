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
// CHECK-NEXT:   f32 v1[128];
// CHECK-NEXT:   const i32 v2 = (i32)threadIdx.x;
// CHECK-NEXT:   SINTER_DYNAMIC_SHARED(i8, v3);
// CHECK-NEXT:   SINTER_SHARED_PART(bf16, v4, v3, 0, 32768);
// CHECK-NEXT:   SINTER_SHARED_PART(bf16, v5, v3, 65536, 65536);
// CHECK-NEXT:   SINTER_SHARED_PART(f32, v6, v3, 196608, 5120);
// CHECK-NEXT:   SINTER_SHARED_PART(bf16, v7, v3, 217088, 4096);
// CHECK-NEXT:   SINTER_SHARED_PART(i64, v8, v3, 225280, 4);
// CHECK-NEXT:   SINTER_SHARED_PART(i64, v9, v3, 225312, 4);
// CHECK-NEXT:   const i1 v10 = v2 == 0;
// CHECK-NEXT:   if (v10) {
// CHECK-NEXT:     #pragma unroll
// CHECK-NEXT:     for (i32 v11 = 0; v11 < 4; v11 += 1) {
// CHECK-NEXT:       barrierInit(v8, v11, 1);
// CHECK-NEXT:       barrierInit(v9, v11, 8);
// CHECK-NEXT:     }
// CHECK-NEXT:     barrierFence();
// CHECK-NEXT:   }
// CHECK-NEXT:   __syncthreads();
// CHECK-NEXT:   if (v2 < 128) {
// CHECK-NEXT:     giveRegisters<40>();
// CHECK-NEXT:     if (v10) {
// CHECK-NEXT:       i32 v12 = 0;
// CHECK-NEXT:       i32 v13 = 0;
// CHECK-NEXT:       for (i32 v14 = (i32)blockIdx.x; v14 < 384; v14 += (i32)gridDim.x) {
// CHECK-NEXT:         const i32 v15 = v14 / 128 * 1024;
// CHECK-NEXT:         const i32 v16 = v14 % 8 * 128;
// CHECK-NEXT:         const i32 v17 = v14 % 128 / 8 * 256;
// CHECK-NEXT:         i32 v18 = v12;
// CHECK-NEXT:         i32 v19 = v13;
// CHECK-NEXT:         for (i32 v20 = 0; v20 < 16; v20 += 1) {
// CHECK-NEXT:           const i32 v21 = v19 ^ 1;
// CHECK-NEXT:           barrierWait(v9, v18, v21);
// CHECK-NEXT:           barrierExpect(v8, v18, 49152);
// CHECK-NEXT:           const i32 v22 = v18 * 8192;
// CHECK-NEXT:           const i32 v23 = v20 * 64;
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v24 = 0; v24 < 2; v24 += 1) {
// CHECK-NEXT:             bulkLoad(v4, v22 + v24 * 4096, p4, v8, v18, v23, v24 * 64 + v15 + v16, 0);
// CHECK-NEXT:           }
// CHECK-NEXT:           const i32 v25 = v18 * 16384;
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v26 = 0; v26 < 4; v26 += 1) {
// CHECK-NEXT:             bulkLoad(v5, v25 + v26 * 4096, p5, v8, v18, v23, v26 * 64 + v17, 0);
// CHECK-NEXT:           }
// CHECK-NEXT:           const i32 v27 = v18 + 1;
// CHECK-NEXT:           const i1 v28 = v27 == 4;
// CHECK-NEXT:           const i32 t29 = v28 ? 0 : v27;
// CHECK-NEXT:           const i32 t30 = v28 ? v21 : v19;
// CHECK-NEXT:           v18 = t29;
// CHECK-NEXT:           v19 = t30;
// CHECK-NEXT:         }
// CHECK-NEXT:         v12 = v18;
// CHECK-NEXT:         v13 = v19;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:   } else {
// CHECK-NEXT:     takeRegisters<232>();
// CHECK-NEXT:     const i32 v31 = v2 - 128;
// CHECK-NEXT:     const i32 v32 = v31 % 128;
// CHECK-NEXT:     const i32 v33 = v31 % 32;
// CHECK-NEXT:     const i1 v34 = v33 == 0;
// CHECK-NEXT:     const i32 v35 = v31 / 128;
// CHECK-NEXT:     const i32 v36 = v35 * 4096;
// CHECK-NEXT:     const i32 v37 = v35 + 1;
// CHECK-NEXT:     const i32 v38 = v35 * 2560;
// CHECK-NEXT:     const i32 v39 = v38 + v32 / 32 * 640 + v33 / 4 * 40;
// CHECK-NEXT:     const i32 v40 = v31 % 4;
// CHECK-NEXT:     const i32 v41 = v40 * 2;
// CHECK-NEXT:     const i1 v42 = v32 == 0;
// CHECK-NEXT:     const i32 v43 = v32 / 4;
// CHECK-NEXT:     const i32 v44 = v43 * 40;
// CHECK-NEXT:     const i32 v45 = v40 * 8;
// CHECK-NEXT:     const i32 v46 = v35 * 2048;
// CHECK-NEXT:     const i32 v47 = v43 * 32;
// CHECK-NEXT:     i32 v48 = 0;
// CHECK-NEXT:     i32 v49 = 0;
// CHECK-NEXT:     for (i32 v50 = (i32)blockIdx.x; v50 < 384; v50 += (i32)gridDim.x) {
// CHECK-NEXT:       i32 v51 = v48;
// CHECK-NEXT:       i32 v52 = v49;
// CHECK-NEXT:       for (i32 v53 = 0; v53 < 16; v53 += 1) {
// CHECK-NEXT:         barrierWait(v8, v51, v52);
// CHECK-NEXT:         wgmmaFence();
// CHECK-NEXT:         const i32 v54 = v51 * 8192 + v36;
// CHECK-NEXT:         const i32 v55 = v51 * 16384;
// CHECK-NEXT:         const i1 v56 = v53 != 0;
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v1, v4, v54, v5, v55, 0, v56);
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v1, v4, v54, v5, v55, 1, true);
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v1, v4, v54, v5, v55, 2, true);
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v1, v4, v54, v5, v55, 3, true);
// CHECK-NEXT:         wgmmaCommit();
// CHECK-NEXT:         wgmmaWait<1>();
// CHECK-NEXT:         if (v56) {
// CHECK-NEXT:           const i32 v57 = v51 == 0 ? 3 : v51 - 1;
// CHECK-NEXT:           if (v34) {
// CHECK-NEXT:             barrierArrive(v9, v57);
// CHECK-NEXT:           }
// CHECK-NEXT:         }
// CHECK-NEXT:         const i32 v58 = v51 + 1;
// CHECK-NEXT:         const i1 v59 = v58 == 4;
// CHECK-NEXT:         const i32 t60 = v59 ? 0 : v58;
// CHECK-NEXT:         const i32 t61 = v59 ? v52 ^ 1 : v52;
// CHECK-NEXT:         v51 = t60;
// CHECK-NEXT:         v52 = t61;
// CHECK-NEXT:       }
// CHECK-NEXT:       wgmmaWait<0>();
// CHECK-NEXT:       wgmmaSettle(v1);
// CHECK-NEXT:       const i32 v62 = v51 == 0 ? 3 : v51 - 1;
// CHECK-NEXT:       if (v34) {
// CHECK-NEXT:         barrierArrive(v9, v62);
// CHECK-NEXT:       }
// CHECK-NEXT:       const i32 v63 = v50 % 128 / 8 * 256;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v64 = 0; v64 < 8; v64 += 1) {
// CHECK-NEXT:         const i32 v65 = v64 * 16;
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v66 = 0; v66 < 16; v66 += 1) {
// CHECK-NEXT:           const f32 v67 = v1[v65 + v66];
// CHECK-NEXT:           v6[v39 + v66 / 2 % 2 * 320 + v66 / 4 * 8 + v41 + v66 % 2] = v67;
// CHECK-NEXT:         }
// CHECK-NEXT:         if (v42) {
// CHECK-NEXT:           bulkWaitRead<0>();
// CHECK-NEXT:         }
// CHECK-NEXT:         syncWarps<128>(v37);
// CHECK-NEXT:         const i32 v68 = v64 * 32 + v63;
// CHECK-NEXT:         const i32 v69 = v68 + v45;
// CHECK-NEXT:         for (i32 v70 = 0; v70 < 2; v70 += 1) {
// CHECK-NEXT:           const Vec<f32, 8> v71 = loadVec<8>(v6, v70 * 1280 + v38 + v44 + v45);
// CHECK-NEXT:           const Vec<bf16, 8> v72 = loadVec<8>(p2, v69);
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v73 = 0; v73 < 8; v73 += 1) {
// CHECK-NEXT:             const f32 v74 = (f32)bf16((f32)bf16(v71[v73]) + (f32)v72[v73]);
// CHECK-NEXT:             v0[v73] = bf16((f32)bf16(0.0f > v74 ? 0.0f : v74));
// CHECK-NEXT:           }
// CHECK-NEXT:           const Vec<bf16, 8> v75 = loadVec<8>(v0, 0);
// CHECK-NEXT:           storeVec(v7, v70 * 1024 + v46 + v47 + v45, v75);
// CHECK-NEXT:         }
// CHECK-NEXT:         copyFence();
// CHECK-NEXT:         syncWarps<128>(v37);
// CHECK-NEXT:         if (v42) {
// CHECK-NEXT:           bulkStore(p6, v7, v46, v68, v50 / 128 * 1024 + v50 % 8 * 128 + v35 * 64, 0);
// CHECK-NEXT:           bulkCommit();
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:       v48 = v51;
// CHECK-NEXT:       v49 = v52;
// CHECK-NEXT:     }
// CHECK-NEXT:     if (v42) {
// CHECK-NEXT:       bulkWaitRead<0>();
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }
