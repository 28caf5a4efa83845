// RUN: sinter-emit %s --target cpu --arch avx2 | FileCheck %s
// Runs of eight and a rest, element by element, of the part that a thread is given.

func.func @bias(%x: tensor<100xf32>, %b: tensor<100xf32>) -> tensor<100xf32> {
  %r = sinter.add %x, %b : tensor<100xf32>
  return %r : tensor<100xf32>
}

// CHECK: module {
// CHECK-NEXT:   func.func @add_0(%arg0: memref<100xf32>, %arg1: memref<100xf32>, %arg2: memref<100xf32>, %arg3: index, %arg4: index) {
// CHECK-NEXT:     %c1 = arith.constant 1 : index
// CHECK-NEXT:     %c8 = arith.constant 8 : index
// CHECK-NEXT:     %0 = arith.divui %arg4, %c8 : index
// CHECK-NEXT:     %1 = arith.muli %0, %c8 : index
// CHECK-NEXT:     %2 = arith.maxui %1, %arg3 : index
// CHECK-NEXT:     scf.for %arg5 = %arg3 to %2 step %c8 {
// CHECK-NEXT:       %3 = vector.load %arg0[%arg5] : memref<100xf32>, vector<8xf32>
// CHECK-NEXT:       %4 = vector.load %arg1[%arg5] : memref<100xf32>, vector<8xf32>
// CHECK-NEXT:       %5 = arith.addf %3, %4 : vector<8xf32>
// CHECK-NEXT:       vector.store %5, %arg2[%arg5] : memref<100xf32>, vector<8xf32>
// CHECK-NEXT:     }
// CHECK-NEXT:     scf.for %arg5 = %2 to %arg4 step %c1 {
// CHECK-NEXT:       %3 = memref.load %arg0[%arg5] : memref<100xf32>
// CHECK-NEXT:       %4 = memref.load %arg1[%arg5] : memref<100xf32>
// CHECK-NEXT:       %5 = arith.addf %3, %4 : f32
// CHECK-NEXT:       memref.store %5, %arg2[%arg5] : memref<100xf32>
// CHECK-NEXT:     }
// CHECK-NEXT:     return
// CHECK-NEXT:   }
// CHECK-NEXT: }
