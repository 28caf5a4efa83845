// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// Every op of this family prints what it parses.

// CHECK-LABEL: func.func @random_uniform(
// CHECK: sinter.random_uniform %{{.+}}, %{{.+}} {high = 2.000000e+00 : f64, stream = 7 : i64} : (tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
func.func @random_uniform(%seed: tensor<i64>, %step: tensor<i64>) -> tensor<2x3xf32> {
  %r = sinter.random_uniform %seed, %step {high = 2.000000e+00 : f64, stream = 7 : i64} : (tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @random_normal(
// CHECK: sinter.random_normal %{{.+}}, %{{.+}} {std = 5.000000e-01 : f64, stream = 7 : i64} : (tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
func.func @random_normal(%seed: tensor<i64>, %step: tensor<i64>) -> tensor<2x3xf32> {
  %r = sinter.random_normal %seed, %step {std = 5.000000e-01 : f64, stream = 7 : i64} : (tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @random_bernoulli(
// CHECK: sinter.random_bernoulli %{{.+}}, %{{.+}} {p = 2.500000e-01 : f64, stream = 7 : i64} : (tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
func.func @random_bernoulli(%seed: tensor<i64>, %step: tensor<i64>) -> tensor<2x3xf32> {
  %r = sinter.random_bernoulli %seed, %step {p = 2.500000e-01 : f64, stream = 7 : i64} : (tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @dropout(
// CHECK: sinter.dropout %{{.+}}, %{{.+}}, %{{.+}} {p = 5.000000e-01 : f64, stream = 7 : i64} : (tensor<2x3xf32>, tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
func.func @dropout(%x: tensor<2x3xf32>, %seed: tensor<i64>, %step: tensor<i64>) -> tensor<2x3xf32> {
  %r = sinter.dropout %x, %seed, %step {p = 5.000000e-01 : f64, stream = 7 : i64} : (tensor<2x3xf32>, tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

