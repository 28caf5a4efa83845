// RUN: sinter-emit %s --target cpu --arch amx | FileCheck %s
// RUN: sinter-emit %s --target cpu --arch amx --asm | FileCheck %s --check-prefix=ASM
// RUN: sinter-emit %s --target cpu --arch avx512 | FileCheck %s --check-prefix=WITHOUT
// RUN: sinter-emit %s --target cpu --arch avx512_bf16 | FileCheck %s --check-prefix=PAIRS
// RUN: sinter-emit %s --target cpu --arch avx512_bf16 --asm | FileCheck %s --check-prefix=PAIRASM
// What is declared bf16 goes through tiles, two of rows by two of columns, where the target has them. Rows of whole
// tiles are loaded from where they are; a tile's results are stored beside the next one's products.

// CHECK: func.func @matmul_0
// CHECK-COUNT-4: amx.tile_zero : !amx.tile<16x16xf32>
// CHECK: scf.for
// CHECK: amx.tile_load %alloca{{.*}} into !amx.tile<16x32xbf16>
// CHECK: amx.tile_load %arg0[{{.*}} into !amx.tile<16x32xbf16>
// CHECK: amx.tile_mulf
// CHECK: amx.tile_load {{.*}} into !amx.tile<16x32xbf16>
// CHECK: amx.tile_mulf
// CHECK: amx.tile_load {{.*}} into !amx.tile<16x32xbf16>
// CHECK-COUNT-2: amx.tile_mulf
// CHECK: memref.prefetch %arg0
// CHECK: vector.store {{.*}}, %arg2
// CHECK: scf.yield
// CHECK-COUNT-4: amx.tile_store
// CHECK-NOT: amx.tile_mulf
// ASM: ldtilecfg
// ASM: tdpbf16ps
// ASM: tilerelease
// WITHOUT-NOT: amx.
// Without tiles but with products of pairs, rows are read in place as well: 32 in three parts, by two vectors.
// PAIRS: func.func @matmul_0
// PAIRS-NOT: amx.
// PAIRS: scf.for
// PAIRS: vector.load %arg0[{{.*}}vector<2xbf16>
// PAIRS-COUNT-20: dpbf16ps
// PAIRS: scf.yield
// PAIRS: func.func @matmul_1
// PAIRS-NOT: dpbf16ps
// PAIRS: func.func @matmul_2
// PAIRASM: vdpbf16ps
func.func @product(%a: tensor<64x96xbf16>, %b: tensor<96x64xbf16>) -> tensor<64x64xbf16> {
  %c = sinter.matmul %a, %b : (tensor<64x96xbf16>, tensor<96x64xbf16>) -> tensor<64x64xbf16>
  return %c : tensor<64x64xbf16>
}

// CHECK: func.func @matmul_1
// CHECK-NOT: amx.
func.func @no_half_precision(%a: tensor<64x96xf16>, %b: tensor<96x64xf16>) -> tensor<64x64xf16> {
  %c = sinter.matmul %a, %b : (tensor<64x96xf16>, tensor<96x64xf16>) -> tensor<64x64xf16>
  return %c : tensor<64x64xf16>
}

// Rows that are no whole tiles are copied, and filled up.
// CHECK: func.func @matmul_2
// CHECK-NOT: amx.tile_load %arg
// CHECK: amx.tile_mulf
// CHECK-NOT: amx.tile_load %arg
func.func @rows_in_part(%a: tensor<60x96xbf16>, %b: tensor<96x64xbf16>) -> tensor<60x64xbf16> {
  %c = sinter.matmul %a, %b : (tensor<60x96xbf16>, tensor<96x64xbf16>) -> tensor<60x64xbf16>
  return %c : tensor<60x64xbf16>
}
