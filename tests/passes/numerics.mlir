// RUN: sinter-opt %s -sinter-pipeline="numerics=strict" | FileCheck %s
// RUN: sinter-opt %s -sinter-pipeline="numerics=strict fuse=false" | FileCheck %s --check-prefix=APART
// RUN: sinter-opt %s -sinter-pipeline | FileCheck %s --check-prefix=DEFAULT
// RUN: not sinter-opt %s -sinter-fusion="numerics=loose" 2>&1 | FileCheck %s --check-prefix=WORD

// Code generation reads off the module what it has to keep.
// CHECK: module attributes {{.*}}sinter.numerics = "strict"
// CHECK-COUNT-1: sinter.launch
// CHECK-NOT: sinter.launch
// APART: sinter.numerics = "strict"
// APART-COUNT-2: sinter.launch
// DEFAULT-NOT: sinter.numerics
// WORD: fusion: numerics is 'loose', expected default or strict
module {
  func.func @f(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
    %0 = sinter.exp %x : tensor<8x4xf32>
    %1 = sinter.neg %0 : tensor<8x4xf32>
    return %1 : tensor<8x4xf32>
  }
}
