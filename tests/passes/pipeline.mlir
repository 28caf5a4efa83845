// RUN: sinter-opt %s -sinter-pipeline="precision=bf16" -o %t.bf16
// RUN: not sinter-opt %s -sinter-pipeline="insert=nowhere:cse" 2>&1 | FileCheck %s --check-prefix=PLACE
// RUN: sinter-opt %s -sinter-pipeline="insert=before-decompose:func.func(cse)" -dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=ORDER
// RUN: sinter-opt %s -sinter-pipeline="insert=before-decompose:builtin.module(func.func(cse))" -dump-pass-pipeline 2>&1 | FileCheck %s --check-prefix=ORDER
// RUN: not sinter-opt %s -sinter-pipeline="insert=before-fusion:func.func(nothing)" 2>&1 | FileCheck %s --check-prefix=PASS

// PASS: cannot insert 'func.func(nothing)' at 'before-fusion': {{.*}}'nothing' does not refer to a registered pass
// PLACE: cannot insert 'cse' at 'nowhere': the pipeline has the places
// PLACE-SAME: before-autodiff, after-autodiff
// ORDER: sinter-autodiff
// ORDER: sinter-simplify
// ORDER: cse
// ORDER: sinter-decompose

func.func @train_step(%x: tensor<8x4xf32>, %t: tensor<8xi64>,
    %w: tensor<3x4xf32> {sinter.role = "parameter", sinter.name = "fc.weight", sinter.donated = 1 : i64})
    -> (tensor<f32>, tensor<3x4xf32>) {
  %y = sinter.matmul %x, %w {transpose_b = true} : (tensor<8x4xf32>, tensor<3x4xf32>) -> tensor<8x3xf32>
  %l = sinter.cross_entropy %y, %t : (tensor<8x3xf32>, tensor<8xi64>) -> tensor<f32>
  %g = sinter.gradient %l wrt %w : (tensor<f32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %lr = sinter.constant dense<0.1> : tensor<3x4xf32>
  %d = sinter.mul %g, %lr : tensor<3x4xf32>
  %n = sinter.sub %w, %d : tensor<3x4xf32>
  return %l, %n : tensor<f32>, tensor<3x4xf32>
}
