// RUN: sinter-emit %s --target cpu --arch avx512 --kernel matmul_add_0 | FileCheck %s
// RUN: sinter-emit %s --target cpu --arch avx512 --kernel matmul_0 | FileCheck %s --check-prefix=TURNED
// Products of matrices by vectors. Rows along k are read where they are, others and columns are packed; each register tile
// asks for a share of what lies across k in the next block. A bias behind a reshape is a vector, in blocks of columns, too.

func.func @bias(%x: tensor<512x1024xf32>, %w: tensor<1024x500xf32>, %b: tensor<500xf32>) -> tensor<2x256x500xf32> {
  %c = sinter.matmul %x, %w : (tensor<512x1024xf32>, tensor<1024x500xf32>) -> tensor<512x500xf32>
  %bb = sinter.broadcast %b : (tensor<500xf32>) -> tensor<512x500xf32>
  %d = sinter.add %c, %bb : tensor<512x500xf32>
  %e = sinter.reshape %d : (tensor<512x500xf32>) -> tensor<2x256x500xf32>
  return %e : tensor<2x256x500xf32>
}

// CHECK: func.func @matmul_add_0
// CHECK-NOT: vector.load %arg0
// CHECK: vector.load %arg1
// CHECK: vector.store {{.*}}, %alloca
// CHECK-NOT: memref.prefetch %arg0
// CHECK: memref.prefetch %arg1[{{.*}}], read, locality<2>, data
// CHECK: memref.load %arg0
// CHECK-COUNT-24: math.fma
// CHECK: vector.load %arg2[{{.*}}] : memref<500xf32>, vector<16xf32>
// CHECK-NOT: memref.load %arg2
// CHECK: return

func.func @weight_gradient(%g: tensor<2048x512xf32>, %x: tensor<2048x384xf32>) -> tensor<512x384xf32> {
  %c = sinter.matmul %g, %x {transpose_a = true} : (tensor<2048x512xf32>, tensor<2048x384xf32>) -> tensor<512x384xf32>
  return %c : tensor<512x384xf32>
}

// TURNED: func.func @matmul_0
// TURNED: vector.load %arg0
// TURNED: vector.load %arg1
// TURNED: memref.prefetch %arg0
// TURNED: memref.prefetch %arg1
// TURNED-NOT: memref.load %arg0
// TURNED: return
