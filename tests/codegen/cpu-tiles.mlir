// RUN: sinter-emit %s --target cpu --arch amx | FileCheck %s
// RUN: sinter-emit %s --target cpu --arch amx --asm | FileCheck %s --check-prefix=ASM
// RUN: sinter-emit %s --target cpu --arch avx512 | FileCheck %s --check-prefix=WITHOUT
// What is declared bf16 goes through tiles, two of rows by two of columns, where the target has them.

// CHECK: func.func @matmul_0
// CHECK-COUNT-4: amx.tile_zero : !amx.tile<16x16xf32>
// CHECK: scf.for
// CHECK-COUNT-2: amx.tile_load {{.*}} into !amx.tile<16x32xbf16>
// CHECK: amx.tile_mulf
// CHECK: amx.tile_load {{.*}} into !amx.tile<16x32xbf16>
// CHECK: amx.tile_mulf
// CHECK: amx.tile_load {{.*}} into !amx.tile<16x32xbf16>
// CHECK-COUNT-2: amx.tile_mulf
// CHECK-COUNT-4: amx.tile_store
// CHECK-NOT: amx.tile_mulf
// ASM: ldtilecfg
// ASM: tdpbf16ps
// ASM: tilerelease
// WITHOUT-NOT: amx.
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
