// RUN: split-file %s %t
// RUN: sinter-emit %t/product.mlir --target cuda --arch sm_80 | FileCheck %t/product.mlir
// RUN: sinter-emit %t/product.mlir --target cuda --arch sm_100 | FileCheck %t/product.mlir
// RUN: sinter-emit %t/product.mlir --target cuda --arch sm_75 | FileCheck %t/product.mlir --check-prefix=OLD
// RUN: sinter-emit %t/f32.mlir --target cuda --arch sm_80 | FileCheck %t/f32.mlir
// RUN: sinter-emit %t/f32.mlir --target cuda --arch sm_80 --tf32 | FileCheck %t/f32.mlir --check-prefix=TF32
// RUN: sinter-emit %t/f32.mlir --target cuda --arch sm_75 --tf32 | FileCheck %t/f32.mlir
// RUN: sinter-emit %t/f32.mlir --target cuda --arch sm_80 --tf32 --numerics strict | FileCheck %t/f32.mlir
// RUN: sinter-emit %t/transposed.mlir --target cuda --arch sm_80 | FileCheck %t/transposed.mlir
// RUN: sinter-emit %t/odd.mlir --target cuda --arch sm_80 | FileCheck %t/odd.mlir
// RUN: sinter-emit %t/producer.mlir --target cuda --arch sm_80 | FileCheck %t/producer.mlir
// RUN: sinter-emit %t/convolution.mlir --target cuda --arch sm_80 | FileCheck %t/convolution.mlir
// RUN: sinter-emit %t/parts.mlir --target cuda --arch sm_80 | FileCheck %t/parts.mlir
// How operands get into shared memory, and who uses the matrix unit at all.

//--- product.mlir
// Whole tiles: copies without counts. The left side's rows run along k, the right one's across it.
func.func @f(%x: tensor<256x256xf16>, %w: tensor<256x256xf16>) -> tensor<256x256xf16> {
  %r = sinter.matmul %x, %w : (tensor<256x256xf16>, tensor<256x256xf16>) -> tensor<256x256xf16>
  return %r : tensor<256x256xf16>
}
// CHECK: SINTER_DYNAMIC_SHARED(i8, [[ALL:v[0-9]+]]);
// CHECK: SINTER_SHARED_PART(f16, [[A:v[0-9]+]], [[ALL]], 0,
// CHECK: SINTER_SHARED_PART(f16, [[B:v[0-9]+]], [[ALL]],
// CHECK: copyAsyncWait<2>();
// CHECK-NEXT: __syncthreads();
// CHECK: copyAsync<16>([[A]] +
// CHECK: copyAsync<16>([[B]] +
// CHECK: copyAsyncCommit();
// CHECK: const Fragment<4> {{.*}} = loadMatrices<4>([[A]] +
// CHECK: const Fragment<4> [[RIGHT:v[0-9]+]] = loadMatricesTransposed<4>([[B]] +
// CHECK-DAG: fragmentPart<0, 2>([[RIGHT]])
// CHECK-DAG: fragmentPart<2, 2>([[RIGHT]])
// CHECK-DAG: = mma<f16>({{v[0-9]+}},
// OLD-NOT: mma<
// OLD-NOT: copyAsync
// OLD: SINTER_SHARED_2D(f32,

//--- f32.mlir
func.func @f(%x: tensor<256x256xf32>, %w: tensor<256x256xf32>) -> tensor<256x256xf32> {
  %r = sinter.matmul %x, %w : (tensor<256x256xf32>, tensor<256x256xf32>) -> tensor<256x256xf32>
  return %r : tensor<256x256xf32>
}
// CHECK-NOT: mma
// Four floats travel at once. Rows along k come by ldmatrix, those across it word by word; both are rounded then.
// TF32: SINTER_SHARED_PART(f32, [[A:v[0-9]+]],
// TF32: SINTER_SHARED_PART(f32, [[B:v[0-9]+]],
// TF32: copyAsync<16>([[A]] +
// TF32: copyAsync<16>([[B]] +
// TF32: const Fragment<4> {{.*}} = roundTf32(loadMatrices<4>([[A]] +
// TF32: const f32 {{.*}} = [[B]][
// TF32: const Fragment<4> {{.*}} = Fragment<4>{{[{][{]}}tf32BitsOf(
// TF32: = mmaTf32(

//--- transposed.mlir
func.func @f(%x: tensor<256x128xbf16>, %w: tensor<128x256xbf16>) -> tensor<128x128xbf16> {
  %r = sinter.matmul %x, %w {transpose_a = true, transpose_b = true} : (tensor<256x128xbf16>, tensor<128x256xbf16>) -> tensor<128x128xbf16>
  return %r : tensor<128x128xbf16>
}
// CHECK: loadMatricesTransposed<4>(
// CHECK: loadMatrices<4>(

//--- odd.mlir
// Rows of 49 elements begin anywhere: nothing is copied, two slots do.
func.func @f(%x: tensor<33x70xbf16>, %w: tensor<70x49xbf16>) -> tensor<33x49xbf16> {
  %r = sinter.matmul %x, %w : (tensor<33x70xbf16>, tensor<70x49xbf16>) -> tensor<33x49xbf16>
  return %r : tensor<33x49xbf16>
}
// CHECK-NOT: copyAsync
// CHECK: mma<bf16>(

//--- producer.mlir
// What is computed on the way goes through registers, the other side is copied.
func.func @f(%x: tensor<64x256xbf16>, %w: tensor<256x64xbf16>) -> tensor<64x64xbf16> {
  %a = sinter.relu %x : tensor<64x256xbf16>
  %r = sinter.matmul %a, %w : (tensor<64x256xbf16>, tensor<256x64xbf16>) -> tensor<64x64xbf16>
  return %r : tensor<64x64xbf16>
}
// CHECK: copyAsync<16>({{v[0-9]+}} + {{.*}}, p1 +
// CHECK-NOT: copyAsync<16>({{v[0-9]+}} + {{.*}}, p0 +
// CHECK: mma<bf16>(

//--- convolution.mlir
// Weights are copied, the input's places are found element by element.
func.func @f(%x: tensor<8x16x16x16xbf16>, %w: tensor<64x16x3x3xbf16>) -> tensor<8x64x16x16xbf16> {
  %r = sinter.conv2d %x, %w {padding = array<i64: 1, 1>} : (tensor<8x16x16x16xbf16>, tensor<64x16x3x3xbf16>) -> tensor<8x64x16x16xbf16>
  return %r : tensor<8x64x16x16xbf16>
}
// CHECK: copyAsync{{(First)?}}<16>({{v[0-9]+}} + {{.*}}, p1 +
// CHECK: = p0[
// CHECK: mma<bf16>(

//--- parts.mlir
// Few results of long sums.
func.func @f(%x: tensor<64x8192xbf16>, %w: tensor<8192x64xbf16>) -> tensor<64x64xbf16> {
  %r = sinter.matmul %x, %w : (tensor<64x8192xbf16>, tensor<8192x64xbf16>) -> tensor<64x64xbf16>
  return %r : tensor<64x64xbf16>
}
// CHECK: _parts(
// CHECK: mma<bf16>(
// CHECK: extern "C"
