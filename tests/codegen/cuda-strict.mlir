// RUN: sinter-emit %s --target cuda --arch sm_90 --numerics strict | FileCheck %s
// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s --check-prefix=DEFAULT
// A product that is rounded by name is not contracted with the sum that follows.

// CHECK: = __fmul_rn(v{{[0-9]+}}[v{{[0-9]+}}], v{{[0-9]+}}[v{{[0-9]+}}]) + v{{[0-9]+}}[v{{[0-9]+}}];
// DEFAULT-NOT: __fmul_rn
func.func @f(%x: tensor<33x10xf32>, %a: tensor<33x10xf32>, %b: tensor<33x10xf32>) -> tensor<33x10xf32> {
  %0 = sinter.mul %x, %a : tensor<33x10xf32>
  %1 = sinter.add %0, %b : tensor<33x10xf32>
  return %1 : tensor<33x10xf32>
}
