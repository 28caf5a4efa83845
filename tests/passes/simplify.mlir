// RUN: sinter-opt %s -sinter-simplify | FileCheck %s
// RUN: sinter-opt %s -sinter-simplify=fold-limit=8 | FileCheck %s --check-prefix=LIMIT

// Equal ops are merged, dead ones dropped.
// CHECK-LABEL: func @merge
// CHECK: %[[E:.*]] = sinter.exp
// CHECK-NEXT: %[[S:.*]] = sinter.add %[[E]], %[[E]]
// CHECK-NEXT: return %[[S]]
func.func @merge(%x: tensor<4xf32>) -> tensor<4xf32> {
  %a = sinter.exp %x : tensor<4xf32>
  %b = sinter.exp %x : tensor<4xf32>
  %c = sinter.log %x : tensor<4xf32>
  %s = sinter.add %a, %b : tensor<4xf32>
  return %s : tensor<4xf32>
}

// Literal arithmetic folds through the ops' own scalar bodies, with the type's rounding.
// CHECK-LABEL: func @literals
// CHECK-DAG: %[[A:.*]] = sinter.constant dense<6.0{{.*}}> : tensor<1000000xf32>
// CHECK-DAG: %[[B:.*]] = sinter.constant dense<1.000980e-01> : tensor<bf16>
// CHECK-DAG: %[[C:.*]] = sinter.constant dense<true> : tensor<i1>
// CHECK: return %[[A]], %[[B]], %[[C]]
func.func @literals() -> (tensor<1000000xf32>, tensor<bf16>, tensor<i1>) {
  %two = sinter.constant dense<2.0> : tensor<1000000xf32>
  %three = sinter.constant dense<3.0> : tensor<1000000xf32>
  %a = sinter.mul %two, %three : tensor<1000000xf32>
  %tenth = sinter.constant dense<0.1> : tensor<f32>
  %b = sinter.cast %tenth : (tensor<f32>) -> tensor<bf16>
  %c = sinter.compare lt %tenth, %tenth : (tensor<f32>, tensor<f32>) -> tensor<i1>
  %d = sinter.logical_not %c : tensor<i1>
  return %a, %b, %d : tensor<1000000xf32>, tensor<bf16>, tensor<i1>
}

// A constant of many numbers folds within the bound.
// CHECK-LABEL: func @bounded
// CHECK: sinter.constant dense<[2.000000e+00, 4.000000e+00, 6.000000e+00]>
// CHECK-NOT: sinter.add
// LIMIT-LABEL: func @bounded
// LIMIT: sinter.add
func.func @bounded() -> tensor<3xf32> {
  %c = sinter.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %d = sinter.add %c, %c : tensor<3xf32>
  return %d : tensor<3xf32>
}

// CHECK-LABEL: func @views
// CHECK-SAME: (%[[X:.*]]: tensor<2x1x3xf32>, %[[Y:.*]]: tensor<3xf32>, %[[Z:.*]]: tensor<9xf32>)
// CHECK-DAG: %[[A:.*]] = sinter.reshape %[[X]] : (tensor<2x1x3xf32>) -> tensor<1x2x3xf32>
// CHECK-DAG: %[[B:.*]] = sinter.broadcast %[[Y]] : (tensor<3xf32>) -> tensor<4x3xf32>
// CHECK-DAG: %[[C:.*]] = sinter.slice %[[Z]] {limit = array<i64: 8>, start = array<i64: 3>, step = array<i64: 4>}
// CHECK: return %[[A]], %[[B]], %[[C]], %[[Y]], %[[Y]]
func.func @views(%x: tensor<2x1x3xf32>, %y: tensor<3xf32>, %z: tensor<9xf32>) -> (tensor<1x2x3xf32>, tensor<4x3xf32>, tensor<2xf32>, tensor<3xf32>, tensor<3xf32>) {
  %a = sinter.transpose %x {permutation = array<i64: 1, 0, 2>} : (tensor<2x1x3xf32>) -> tensor<1x2x3xf32>
  %r = sinter.reshape %y : (tensor<3xf32>) -> tensor<1x3xf32>
  %b = sinter.broadcast %r : (tensor<1x3xf32>) -> tensor<4x3xf32>
  %s = sinter.slice %z {start = array<i64: 1>, limit = array<i64: 9>, step = array<i64: 2>} : (tensor<9xf32>) -> tensor<4xf32>
  %c = sinter.slice %s {start = array<i64: 1>, limit = array<i64: 4>, step = array<i64: 2>} : (tensor<4xf32>) -> tensor<2xf32>
  %p = sinter.pad %y {low = array<i64: 0>, high = array<i64: 0>, interior = array<i64: 0>} : (tensor<3xf32>) -> tensor<3xf32>
  %o = sinter.concat %y {dim = 0} : (tensor<3xf32>) -> tensor<3xf32>
  return %a, %b, %c, %p, %o : tensor<1x2x3xf32>, tensor<4x3xf32>, tensor<2xf32>, tensor<3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func @reductions
// CHECK-SAME: (%[[X:.*]]: tensor<3x1xf32>, %[[Y:.*]]: tensor<3xf32>)
// CHECK-DAG: %[[N:.*]] = sinter.constant dense<5.0{{.*}}> : tensor<3xf32>
// CHECK-DAG: %[[M:.*]] = sinter.reshape %[[X]] : (tensor<3x1xf32>) -> tensor<3xf32>
// CHECK-DAG: %[[P:.*]] = sinter.mul %[[Y]], %[[N]]
// CHECK: return %[[M]], %[[P]]
func.func @reductions(%x: tensor<3x1xf32>, %y: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %m = sinter.mean %x {dim = array<i64: 1>} : (tensor<3x1xf32>) -> tensor<3xf32>
  %b = sinter.broadcast %y : (tensor<3xf32>) -> tensor<5x3xf32>
  %s = sinter.sum %b {dim = array<i64: 0>} : (tensor<5x3xf32>) -> tensor<3xf32>
  return %m, %s : tensor<3xf32>, tensor<3xf32>
}

// A sum over other dimensions than the stretched one stays.
// CHECK-LABEL: func @no_copies
// CHECK: sinter.sum
func.func @no_copies(%y: tensor<3xf32>) -> tensor<5xf32> {
  %b = sinter.broadcast %y : (tensor<3xf32>) -> tensor<5x3xf32>
  %s = sinter.sum %b {dim = array<i64: 1>} : (tensor<5x3xf32>) -> tensor<5xf32>
  return %s : tensor<5xf32>
}

// CHECK-LABEL: func @matmul
// CHECK: sinter.matmul %{{.*}}, %{{.*}} {transpose_b = true} : (tensor<2x3xf32>, tensor<4x3xf32>)
func.func @matmul(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %t = sinter.transpose %w {permutation = array<i64: 1, 0>} : (tensor<4x3xf32>) -> tensor<3x4xf32>
  %y = sinter.matmul %x, %t : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// CHECK-LABEL: func @signs
// CHECK-SAME: (%[[X:.*]]: tensor<f32>, %[[Y:.*]]: tensor<f32>)
// CHECK-DAG: %[[A:.*]] = sinter.sub %[[X]], %[[Y]]
// CHECK-DAG: %[[B:.*]] = sinter.add %[[X]], %[[Y]]
// CHECK-DAG: %[[C:.*]] = sinter.mul %[[X]], %[[X]]
// CHECK: return %[[A]], %[[B]], %[[C]], %[[Y]]
func.func @signs(%x: tensor<f32>, %y: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>) {
  %n = sinter.neg %y : tensor<f32>
  %a = sinter.add %x, %n : tensor<f32>
  %b = sinter.sub %x, %n : tensor<f32>
  %two = sinter.constant dense<2.0> : tensor<f32>
  %c = sinter.pow %x, %two : tensor<f32>
  %d = sinter.neg %n : tensor<f32>
  return %a, %b, %c, %d : tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>
}

// x - x is NaN for infinities, x * 0 for NaN: neither folds; x + 0 is not x for -0.
// CHECK-LABEL: func @no_unsafe
// CHECK-DAG: sinter.sub
// CHECK-DAG: sinter.mul
// CHECK-DAG: sinter.add
func.func @no_unsafe(%x: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %zero = sinter.constant dense<0.0> : tensor<f32>
  %a = sinter.sub %x, %x : tensor<f32>
  %b = sinter.mul %x, %zero : tensor<f32>
  %c = sinter.add %x, %zero : tensor<f32>
  return %a, %b, %c : tensor<f32>, tensor<f32>, tensor<f32>
}

// A cast that rounds stays.
// CHECK-LABEL: func @casts
// CHECK-SAME: (%[[X:.*]]: tensor<bf16>, %[[Y:.*]]: tensor<f32>)
// CHECK-DAG: sinter.cast %[[X]] : (tensor<bf16>) -> tensor<f64>
// CHECK-DAG: %[[N:.*]] = sinter.cast %[[Y]] : (tensor<f32>) -> tensor<bf16>
// CHECK-DAG: sinter.cast %[[N]] : (tensor<bf16>) -> tensor<f32>
func.func @casts(%x: tensor<bf16>, %y: tensor<f32>) -> (tensor<f64>, tensor<f32>) {
  %a = sinter.cast %x : (tensor<bf16>) -> tensor<f32>
  %b = sinter.cast %a : (tensor<f32>) -> tensor<f64>
  %c = sinter.cast %y : (tensor<f32>) -> tensor<bf16>
  %d = sinter.cast %c : (tensor<bf16>) -> tensor<f32>
  return %b, %d : tensor<f64>, tensor<f32>
}

// relu's mask moves before the pool's gradient, where it is small and x is not needed.
// CHECK-LABEL: func @pool_mask
// CHECK-SAME: (%[[X:.*]]: tensor<1x1x4x4xf32>, %[[G:.*]]: tensor<1x1x2x2xf32>)
// CHECK: %[[Y:.*]], %[[P:.*]] = sinter.max_pool2d %[[X]]
// CHECK: %[[M:.*]] = sinter.compare{{ +}}le %[[Y]]
// CHECK: %[[S:.*]] = sinter.select %[[M]], %{{.*}}, %[[G]] : tensor<1x1x2x2xf32>
// CHECK: %[[R:.*]] = sinter.max_pool2d_grad %[[S]], %[[P]]
// CHECK: return %[[R]]
func.func @pool_mask(%x: tensor<1x1x4x4xf32>, %g: tensor<1x1x2x2xf32>) -> tensor<1x1x4x4xf32> {
  %y, %p = sinter.max_pool2d %x {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x1x4x4xf32>) -> (tensor<1x1x2x2xf32>, tensor<1x1x2x2xui8>)
  %d = sinter.max_pool2d_grad %g, %p {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x1x2x2xf32>, tensor<1x1x2x2xui8>) -> tensor<1x1x4x4xf32>
  %z = sinter.constant dense<0.0> : tensor<1x1x4x4xf32>
  %m = sinter.compare le %x, %z : (tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xi1>
  %r = sinter.select %m, %z, %d : (tensor<1x1x4x4xi1>, tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32>
  return %r : tensor<1x1x4x4xf32>
}

// The mask of another value stays where it is.
// CHECK-LABEL: func @no_pool_mask
// CHECK: sinter.max_pool2d_grad
// CHECK: sinter.select
func.func @no_pool_mask(%x: tensor<1x1x4x4xf32>, %w: tensor<1x1x4x4xf32>, %g: tensor<1x1x2x2xf32>) -> tensor<1x1x4x4xf32> {
  %y, %p = sinter.max_pool2d %x {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x1x4x4xf32>) -> (tensor<1x1x2x2xf32>, tensor<1x1x2x2xui8>)
  %d = sinter.max_pool2d_grad %g, %p {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<1x1x2x2xf32>, tensor<1x1x2x2xui8>) -> tensor<1x1x4x4xf32>
  %z = sinter.constant dense<0.0> : tensor<1x1x4x4xf32>
  %m = sinter.compare le %w, %z : (tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xi1>
  %r = sinter.select %m, %z, %d : (tensor<1x1x4x4xi1>, tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32>
  return %r : tensor<1x1x4x4xf32>
}

// Also where the elements are cast before they are added, as in the bias gradient of a bf16 step.
// CHECK-LABEL: func @sum_of_cast_pool_grad
// CHECK-SAME: (%[[G:.*]]: tensor<2x3x2x2xbf16>
// CHECK-NEXT: %[[C:.*]] = sinter.cast %[[G]] : (tensor<2x3x2x2xbf16>) -> tensor<2x3x2x2xf32>
// CHECK-NEXT: %[[S:.*]] = sinter.sum %[[C]] {dim = array<i64: 0, 2, 3>} : (tensor<2x3x2x2xf32>) -> tensor<3xf32>
// CHECK-NEXT: return %[[S]]
func.func @sum_of_cast_pool_grad(%g: tensor<2x3x2x2xbf16>, %p: tensor<2x3x2x2xui8>) -> tensor<3xf32> {
  %d = sinter.max_pool2d_grad %g, %p {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x3x2x2xbf16>, tensor<2x3x2x2xui8>) -> tensor<2x3x4x4xbf16>
  %c = sinter.cast %d : (tensor<2x3x4x4xbf16>) -> tensor<2x3x4x4xf32>
  %s = sinter.sum %c {dim = array<i64: 0, 2, 3>} : (tensor<2x3x4x4xf32>) -> tensor<3xf32>
  return %s : tensor<3xf32>
}

// Whole pictures of a pool's gradient sum up to what was moved into them.
// CHECK-LABEL: func @sum_of_pool_grad
// CHECK-SAME: (%[[G:.*]]: tensor<2x3x2x2xf32>
// CHECK-NEXT: %[[S:.*]] = sinter.sum %[[G]] {dim = array<i64: 0, 2, 3>} : (tensor<2x3x2x2xf32>) -> tensor<3xf32>
// CHECK-NEXT: return %[[S]]
func.func @sum_of_pool_grad(%g: tensor<2x3x2x2xf32>, %p: tensor<2x3x2x2xui8>) -> tensor<3xf32> {
  %d = sinter.max_pool2d_grad %g, %p {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x3x2x2xf32>, tensor<2x3x2x2xui8>) -> tensor<2x3x5x5xf32>
  %s = sinter.sum %d {dim = array<i64: 0, 2, 3>} : (tensor<2x3x5x5xf32>) -> tensor<3xf32>
  return %s : tensor<3xf32>
}

// Lines alone do not: it matters where in a picture an element went.
// CHECK-LABEL: func @no_sum_of_pool_grad
// CHECK: sinter.max_pool2d_grad
// CHECK: sinter.sum
func.func @no_sum_of_pool_grad(%g: tensor<2x3x2x2xf32>, %p: tensor<2x3x2x2xui8>) -> tensor<3x5xf32> {
  %d = sinter.max_pool2d_grad %g, %p {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x3x2x2xf32>, tensor<2x3x2x2xui8>) -> tensor<2x3x5x5xf32>
  %s = sinter.sum %d {dim = array<i64: 0, 3>} : (tensor<2x3x5x5xf32>) -> tensor<3x5xf32>
  return %s : tensor<3x5xf32>
}

// A large tensor is folded in parts.
// CHECK-LABEL: func @fold_in_parts
// CHECK-SAME: (%[[X:.*]]: tensor<1024x96x8xf32>
// CHECK-NEXT: %[[R:.*]] = sinter.reshape %[[X]] : (tensor<1024x96x8xf32>) -> tensor<64x12288xf32>
// CHECK-NEXT: %[[P:.*]] = sinter.mean %[[R]] {dim = array<i64: 1>} : (tensor<64x12288xf32>) -> tensor<64xf32>
// CHECK-NEXT: %[[M:.*]] = sinter.mean %[[P]] {dim = array<i64: 0>} : (tensor<64xf32>) -> tensor<f32>
// CHECK-NEXT: return %[[M]]
func.func @fold_in_parts(%x: tensor<1024x96x8xf32>) -> tensor<f32> {
  %m = sinter.mean %x {dim = array<i64: 0, 1, 2>} : (tensor<1024x96x8xf32>) -> tensor<f32>
  return %m : tensor<f32>
}

// Too few, no equal parts, or a type whose parts would be rounded.
// CHECK-LABEL: func @no_fold_in_parts
// CHECK-NOT: sinter.reshape
// CHECK: return
func.func @no_fold_in_parts(%x: tensor<1024xf32>, %y: tensor<600011xf32>, %z: tensor<1048576xbf16>) -> (tensor<f32>, tensor<f32>, tensor<bf16>) {
  %a = sinter.sum %x {dim = array<i64: 0>} : (tensor<1024xf32>) -> tensor<f32>
  %b = sinter.sum %y {dim = array<i64: 0>} : (tensor<600011xf32>) -> tensor<f32>
  %c = sinter.sum %z {dim = array<i64: 0>} : (tensor<1048576xbf16>) -> tensor<bf16>
  return %a, %b, %c : tensor<f32>, tensor<f32>, tensor<bf16>
}
