// RUN: sinter-opt %s -split-input-file -verify-diagnostics
// What the verifiers of this family refuse, and in which words.

func.func @random_uniform(%seed: tensor<1xi64>) {
  // expected-error @+1 {{random_uniform: seed and step must be scalars}}
  %r = sinter.random_uniform %seed, %seed {stream = 7 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2x3xf32>
  return
}

// -----
func.func @random_normal(%seed: tensor<1xi64>) {
  // expected-error @+1 {{random_normal: seed and step must be scalars}}
  %r = sinter.random_normal %seed, %seed {stream = 7 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2x3xf32>
  return
}

// -----
func.func @random_bernoulli(%seed: tensor<1xi64>) {
  // expected-error @+1 {{random_bernoulli: seed and step must be scalars}}
  %r = sinter.random_bernoulli %seed, %seed {p = 0.5 : f64, stream = 7 : i64} : (tensor<1xi64>, tensor<1xi64>) -> tensor<2x3xf32>
  return
}

// -----
func.func @random_bernoulli(%seed: tensor<i64>, %step: tensor<i64>) {
  // expected-error @+1 {{random_bernoulli: p is 1.500000e+00, expected a probability}}
  %r = sinter.random_bernoulli %seed, %step {p = 1.5 : f64, stream = 7 : i64} : (tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
  return
}

// -----
func.func @dropout(%x: tensor<2x3xf32>, %seed: tensor<i64>, %step: tensor<i64>) {
  // expected-error @+2 {{dropout: p must be at least 0 and below 1}}
  // expected-error @+1 {{failed to infer returned types}}
  %r = sinter.dropout %x, %seed, %step {p = 1.0 : f64, stream = 7 : i64} : (tensor<2x3xf32>, tensor<i64>, tensor<i64>) -> tensor<2x3xf32>
  return
}
