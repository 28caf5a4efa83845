// RUN: split-file %s %t
// RUN: sinter-emit %t/product.mlir --target cuda --arch sm_90a | FileCheck %t/product.mlir
// RUN: sinter-emit %t/product.mlir --target cuda --arch sm_90 | FileCheck %t/product.mlir --check-prefix=WARPS
// RUN: sinter-emit %t/product.mlir --target cuda --arch sm_90a --numerics strict | FileCheck %t/product.mlir --check-prefix=WARPS
// RUN: sinter-emit %t/product.mlir --target cuda --arch sm_90a --alternatives 4 | FileCheck %t/product.mlir --check-prefix=TILES
// RUN: sinter-emit %t/across.mlir --target cuda --arch sm_90a | FileCheck %t/across.mlir
// RUN: sinter-emit %t/pitch.mlir --target cuda --arch sm_90a | FileCheck %t/pitch.mlir
// RUN: sinter-emit %t/small.mlir --target cuda --arch sm_90a | FileCheck %t/small.mlir
// Who multiplies by warpgroups, and how their operands lie.

//--- product.mlir
func.func @f(%x: tensor<4096x4096xf16>, %w: tensor<4096x4096xf16>) -> tensor<4096x4096xf16> {
  %r = sinter.matmul %x, %w : (tensor<4096x4096xf16>, tensor<4096x4096xf16>) -> tensor<4096x4096xf16>
  return %r : tensor<4096x4096xf16>
}
// The left side's rows run along k, the right one's across it.
// CHECK: // matmul_0: 132 blocks of 384 threads
// CHECK: bulkLoad({{.*}}, [[K:v[0-9]+]], {{v[0-9]+ \* 64 \+ .*}}, 0);
// CHECK: bulkLoadTo<3>({{.*}}, {{v[0-9]+ \* 64 \+ .*}}, [[K]], 0);
// CHECK: multiplyBlocks<256, f16, 0, 1>(
// WARPS-NOT: bulkLoad
// WARPS: mma<f16>(
// Alone or in clusters of two: names of kernels tell them apart.
// TILES: // chosen: tiles of 2x128x256x64, {{[0-9.]+}} kcycles predicted
// TILES-DAG: // alternative: tiles of 128x256x64, {{[0-9.]+}} kcycles predicted
// TILES-DAG: // alternative: tiles of 2x128x128x64, {{[0-9.]+}} kcycles predicted
// TILES-DAG: // alternative: tiles of 128x128x64, {{[0-9.]+}} kcycles predicted
// TILES: // alternative: tiles of {{[0-9]+x[0-9]+}}x32, {{[0-9.]+}} kcycles predicted

//--- across.mlir
// Both sides the other way, many of them.
func.func @f(%x: tensor<8x1024x2048xbf16>, %w: tensor<8x1024x1024xbf16>) -> tensor<8x2048x1024xbf16> {
  %r = sinter.matmul %x, %w {transpose_a = true, transpose_b = true} : (tensor<8x1024x2048xbf16>, tensor<8x1024x1024xbf16>) -> tensor<8x2048x1024xbf16>
  return %r : tensor<8x2048x1024xbf16>
}
// CHECK: multiplyBlocks<256, bf16, 1, 0>(

//--- pitch.mlir
// Rows of 4094 elements are no multiple of 16 bytes.
func.func @f(%x: tensor<4096x4096xbf16>, %w: tensor<4096x4094xbf16>) -> tensor<4096x4094xbf16> {
  %r = sinter.matmul %x, %w : (tensor<4096x4096xbf16>, tensor<4096x4094xbf16>) -> tensor<4096x4094xbf16>
  return %r : tensor<4096x4094xbf16>
}
// CHECK-NOT: bulkLoad
// CHECK: mma<bf16>(

//--- small.mlir
func.func @f(%x: tensor<512x512xbf16>, %w: tensor<512x512xbf16>) -> tensor<512x512xbf16> {
  %r = sinter.matmul %x, %w : (tensor<512x512xbf16>, tensor<512x512xbf16>) -> tensor<512x512xbf16>
  return %r : tensor<512x512xbf16>
}
// CHECK-NOT: bulkLoad
// CHECK: mma<bf16>(
