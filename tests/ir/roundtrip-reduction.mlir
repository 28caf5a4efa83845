// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// Every op of this family prints what it parses.

// CHECK-LABEL: func.func @sum(
// CHECK: sinter.sum %{{.+}} {dim = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2xf32>
func.func @sum(%x: tensor<2x3xf32>) -> tensor<2xf32> {
  %r = sinter.sum %x {dim = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// CHECK-LABEL: func.func @mean(
// CHECK: sinter.mean %{{.+}} {dim = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2xf32>
func.func @mean(%x: tensor<2x3xf32>) -> tensor<2xf32> {
  %r = sinter.mean %x {dim = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// CHECK-LABEL: func.func @max(
// CHECK: sinter.max %{{.+}} {dim = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2xf32>
func.func @max(%x: tensor<2x3xf32>) -> tensor<2xf32> {
  %r = sinter.max %x {dim = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// CHECK-LABEL: func.func @min(
// CHECK: sinter.min %{{.+}} {dim = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2xf32>
func.func @min(%x: tensor<2x3xf32>) -> tensor<2xf32> {
  %r = sinter.min %x {dim = array<i64: 1>} : (tensor<2x3xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// CHECK-LABEL: func.func @argmax(
// CHECK: sinter.argmax %{{.+}} {dim = array<i64: 1>, keepdim = true} : (tensor<2x3xf32>) -> tensor<2x1xi64>
func.func @argmax(%x: tensor<2x3xf32>) -> tensor<2x1xi64> {
  %r = sinter.argmax %x {dim = array<i64: 1>, keepdim = true} : (tensor<2x3xf32>) -> tensor<2x1xi64>
  return %r : tensor<2x1xi64>
}

// CHECK-LABEL: func.func @argsort(
// CHECK: sinter.argsort %{{.+}} {descending = true, dim = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xi64>
func.func @argsort(%x: tensor<2x3xf32>) -> tensor<2x3xi64> {
  %r = sinter.argsort %x {descending = true, dim = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xi64>
  return %r : tensor<2x3xi64>
}

// CHECK-LABEL: func.func @cumsum(
// CHECK: sinter.cumsum %{{.+}} {dim = 1 : i64} : tensor<2x3xf32>
func.func @cumsum(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.cumsum %x {dim = 1 : i64} : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}
