// RUN: sinter-emit %s --target cuda --arch sm_90a | FileCheck %s
// Warpgroups: one sends for tiles by bulk copies, two multiply them from shared memory; a persistent grid of
// clusters, of which two blocks share w's tile. 3000 rows leave
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
// CHECK-NEXT: #include "sinter/cluster.cuh"
// CHECK-NEXT: #include "sinter/memory.cuh"
// CHECK-NEXT: #include "sinter/types.cuh"
// CHECK-NEXT: #include "sinter/wgmma.cuh"
// CHECK: extern "C" __global__ void __launch_bounds__(384) __cluster_dims__(2, 1, 1)
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
// CHECK-NEXT:       barrierInit(v9, v11, 16);
// CHECK-NEXT:     }
// CHECK-NEXT:     barrierFence();
// CHECK-NEXT:   }
// CHECK-NEXT:   clusterSync();
// CHECK-NEXT:   if (v2 < 128) {
// CHECK-NEXT:     giveRegisters<40>();
// CHECK-NEXT:     if (v10) {
// CHECK-NEXT:       const i32 v12 = (i32)blockIdx.x;
// CHECK-NEXT:       const i32 v13 = v12 % 2;
// CHECK-NEXT:       const i32 v14 = v13 * 128;
// CHECK-NEXT:       const i32 v15 = v13 * 8192;
// CHECK-NEXT:       i32 v16 = 0;
// CHECK-NEXT:       i32 v17 = 0;
// CHECK-NEXT:       for (i32 v18 = v12 / 2; v18 < 192; v18 += (i32)gridDim.x / 2) {
// CHECK-NEXT:         const i32 v19 = v18 / 64 * 1024;
// CHECK-NEXT:         const i32 v20 = v18 % 4 * 256;
// CHECK-NEXT:         const i32 v21 = v18 % 64 / 4 * 256;
// CHECK-NEXT:         i32 v22 = v16;
// CHECK-NEXT:         i32 v23 = v17;
// CHECK-NEXT:         for (i32 v24 = 0; v24 < 16; v24 += 1) {
// CHECK-NEXT:           const i32 v25 = v23 ^ 1;
// CHECK-NEXT:           barrierWaitCluster(v9, v22, v25);
// CHECK-NEXT:           barrierExpect(v8, v22, 49152);
// CHECK-NEXT:           const i32 v26 = v22 * 8192;
// CHECK-NEXT:           const i32 v27 = v24 * 64;
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v28 = 0; v28 < 2; v28 += 1) {
// CHECK-NEXT:             bulkLoad(v4, v26 + v28 * 4096, p4, v8, v22, v27, v28 * 64 + v19 + v20 + v14, 0);
// CHECK-NEXT:           }
// CHECK-NEXT:           const i32 v29 = v22 * 16384;
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v30 = 0; v30 < 2; v30 += 1) {
// CHECK-NEXT:             bulkLoadTo<3>(v5, v29 + v30 * 4096 + v15, p5, v8, v22, v27, v30 * 64 + v21 + v14, 0);
// CHECK-NEXT:           }
// CHECK-NEXT:           const i32 v31 = v22 + 1;
// CHECK-NEXT:           const i1 v32 = v31 == 4;
// CHECK-NEXT:           const i32 t33 = v32 ? 0 : v31;
// CHECK-NEXT:           const i32 t34 = v32 ? v25 : v23;
// CHECK-NEXT:           v22 = t33;
// CHECK-NEXT:           v23 = t34;
// CHECK-NEXT:         }
// CHECK-NEXT:         v16 = v22;
// CHECK-NEXT:         v17 = v23;
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:   } else {
// CHECK-NEXT:     takeRegisters<232>();
// CHECK-NEXT:     const i32 v35 = v2 - 128;
// CHECK-NEXT:     const i32 v36 = v35 % 128;
// CHECK-NEXT:     const i32 v37 = v35 % 32;
// CHECK-NEXT:     const i1 v38 = v37 < 2;
// CHECK-NEXT:     const i32 v39 = (i32)blockIdx.x;
// CHECK-NEXT:     const i32 v40 = v35 / 128;
// CHECK-NEXT:     const i32 v41 = v40 * 4096;
// CHECK-NEXT:     const i32 v42 = v40 + 1;
// CHECK-NEXT:     const i32 v43 = v40 * 2560;
// CHECK-NEXT:     const i32 v44 = v43 + v36 / 32 * 640 + v37 / 4 * 40;
// CHECK-NEXT:     const i32 v45 = v35 % 4;
// CHECK-NEXT:     const i32 v46 = v45 * 2;
// CHECK-NEXT:     const i1 v47 = v36 == 0;
// CHECK-NEXT:     const i32 v48 = v36 / 4;
// CHECK-NEXT:     const i32 v49 = v48 * 40;
// CHECK-NEXT:     const i32 v50 = v45 * 8;
// CHECK-NEXT:     const i32 v51 = v40 * 2048;
// CHECK-NEXT:     const i32 v52 = v48 * 32;
// CHECK-NEXT:     i32 v53 = 0;
// CHECK-NEXT:     i32 v54 = 0;
// CHECK-NEXT:     for (i32 v55 = v39 / 2; v55 < 192; v55 += (i32)gridDim.x / 2) {
// CHECK-NEXT:       i32 v56 = v53;
// CHECK-NEXT:       i32 v57 = v54;
// CHECK-NEXT:       for (i32 v58 = 0; v58 < 16; v58 += 1) {
// CHECK-NEXT:         barrierWait(v8, v56, v57);
// CHECK-NEXT:         wgmmaFence();
// CHECK-NEXT:         const i32 v59 = v56 * 8192 + v41;
// CHECK-NEXT:         const i32 v60 = v56 * 16384;
// CHECK-NEXT:         const i1 v61 = v58 != 0;
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v1, v4, v59, v5, v60, 0, v61);
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v1, v4, v59, v5, v60, 1, true);
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v1, v4, v59, v5, v60, 2, true);
// CHECK-NEXT:         multiplyBlocks<256, bf16, 0, 0>(v1, v4, v59, v5, v60, 3, true);
// CHECK-NEXT:         wgmmaCommit();
// CHECK-NEXT:         wgmmaWait<1>();
// CHECK-NEXT:         if (v61) {
// CHECK-NEXT:           const i32 v62 = v56 == 0 ? 3 : v56 - 1;
// CHECK-NEXT:           if (v38) {
// CHECK-NEXT:             barrierArriveAt(v9, v62, v37);
// CHECK-NEXT:           }
// CHECK-NEXT:         }
// CHECK-NEXT:         const i32 v63 = v56 + 1;
// CHECK-NEXT:         const i1 v64 = v63 == 4;
// CHECK-NEXT:         const i32 t65 = v64 ? 0 : v63;
// CHECK-NEXT:         const i32 t66 = v64 ? v57 ^ 1 : v57;
// CHECK-NEXT:         v56 = t65;
// CHECK-NEXT:         v57 = t66;
// CHECK-NEXT:       }
// CHECK-NEXT:       wgmmaWait<0>();
// CHECK-NEXT:       wgmmaSettle(v1);
// CHECK-NEXT:       const i32 v67 = v56 == 0 ? 3 : v56 - 1;
// CHECK-NEXT:       if (v38) {
// CHECK-NEXT:         barrierArriveAt(v9, v67, v37);
// CHECK-NEXT:       }
// CHECK-NEXT:       const i32 v68 = v55 % 64 / 4 * 256;
// CHECK-NEXT:       #pragma unroll
// CHECK-NEXT:       for (i32 v69 = 0; v69 < 8; v69 += 1) {
// CHECK-NEXT:         const i32 v70 = v69 * 16;
// CHECK-NEXT:         #pragma unroll
// CHECK-NEXT:         for (i32 v71 = 0; v71 < 16; v71 += 1) {
// CHECK-NEXT:           const f32 v72 = v1[v70 + v71];
// CHECK-NEXT:           v6[v44 + v71 / 2 % 2 * 320 + v71 / 4 * 8 + v46 + v71 % 2] = v72;
// CHECK-NEXT:         }
// CHECK-NEXT:         if (v47) {
// CHECK-NEXT:           bulkWaitRead<0>();
// CHECK-NEXT:         }
// CHECK-NEXT:         syncWarps<128>(v42);
// CHECK-NEXT:         const i32 v73 = v69 * 32 + v68;
// CHECK-NEXT:         const i32 v74 = v73 + v50;
// CHECK-NEXT:         for (i32 v75 = 0; v75 < 2; v75 += 1) {
// CHECK-NEXT:           const Vec<f32, 8> v76 = loadVec<8>(v6, v75 * 1280 + v43 + v49 + v50);
// CHECK-NEXT:           const Vec<bf16, 8> v77 = loadVec<8>(p2, v74);
// CHECK-NEXT:           #pragma unroll
// CHECK-NEXT:           for (i32 v78 = 0; v78 < 8; v78 += 1) {
// CHECK-NEXT:             const f32 v79 = (f32)bf16((f32)bf16(v76[v78]) + (f32)v77[v78]);
// CHECK-NEXT:             v0[v78] = bf16((f32)bf16(0.0f > v79 ? 0.0f : v79));
// CHECK-NEXT:           }
// CHECK-NEXT:           const Vec<bf16, 8> v80 = loadVec<8>(v0, 0);
// CHECK-NEXT:           storeVec(v7, v75 * 1024 + v51 + v52 + v50, v80);
// CHECK-NEXT:         }
// CHECK-NEXT:         copyFence();
// CHECK-NEXT:         syncWarps<128>(v42);
// CHECK-NEXT:         if (v47) {
// CHECK-NEXT:           bulkStore(p6, v7, v51, v73, v55 / 64 * 1024 + v55 % 4 * 256 + v39 % 2 * 128 + v40 * 64, 0);
// CHECK-NEXT:           bulkCommit();
// CHECK-NEXT:         }
// CHECK-NEXT:       }
// CHECK-NEXT:       v53 = v56;
// CHECK-NEXT:       v54 = v57;
// CHECK-NEXT:     }
// CHECK-NEXT:     if (v47) {
// CHECK-NEXT:       bulkWaitRead<0>();
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT:   clusterSync();
// CHECK-NEXT: }
