// RUN: sinter-opt %s -split-input-file -verify-diagnostics -sinter-layout | FileCheck %s

#columns = #sinter.layout<[1, 0]>
#rows = #sinter.layout<[0, 1]>

// Two ops ask for the same order of the same parameter: one relayout.
// CHECK-LABEL: func @asked
// CHECK-SAME: %[[W:[a-z0-9]*]]: tensor<3x4xf32>)
// CHECK: %[[P:.*]] = sinter.relayout %[[W]] : (tensor<3x4xf32>) -> tensor<3x4xf32, #sinter.layout<[1, 0]>>
// CHECK-NOT: sinter.relayout
// CHECK: sinter.matmul %{{.*}}, %[[P]] : (tensor<2x3xf32>, tensor<3x4xf32, #{{.*}}>) -> tensor<2x4xf32>
// CHECK: sinter.matmul %{{.*}}, %[[P]]
func.func @asked(%x: tensor<2x3xf32>, %w: tensor<3x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %z = sinter.neg %x : tensor<2x3xf32>
  %a = sinter.matmul %x, %w {sinter.operand_layouts = [unit, #columns]} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  %b = sinter.matmul %z, %w {sinter.operand_layouts = [unit, #columns]} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  return %a, %b : tensor<2x4xf32>, tensor<2x4xf32>
}

// -----

// CHECK-LABEL: func @no_request
// CHECK-NOT: sinter.relayout
// expected-remark @below {{layout: no op asks for another order than row-major}}
func.func @no_request(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %z = sinter.neg %x : tensor<2x3xf32>
  return %z : tensor<2x3xf32>
}

// -----

// CHECK-LABEL: func @no_refused
// CHECK-NOT: sinter.relayout
// CHECK-NOT: operand_layouts
func.func @no_refused(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  // expected-remark @below {{layout: 'sinter.neg' operand 0 stays row-major: the layout is row-major}}
  %a = sinter.neg %x {sinter.operand_layouts = [#sinter.layout<[0, 1]>]} : tensor<2x3xf32>
  // expected-remark @below {{layout: 'sinter.neg' operand 0 stays row-major: the layout has another rank}}
  %b = sinter.neg %a {sinter.operand_layouts = [#sinter.layout<[0]>]} : tensor<2x3xf32>
  // expected-remark @below {{layout: 'sinter.neg' asks for 2 layouts, it has 1 operands}}
  %c = sinter.neg %b {sinter.operand_layouts = [unit, unit]} : tensor<2x3xf32>
  return %c : tensor<2x3xf32>
}
