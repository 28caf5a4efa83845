// RUN: sinter-opt %s -split-input-file -verify-diagnostics
func.func @condition(%c: tensor<2xi1>, %x: tensor<2xf32>) {
  // expected-error @+1 {{cond: the condition is i1[2], expected one boolean}}
  %r = sinter.cond %c captures(%x) : (tensor<2xi1>, tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%a: tensor<2xf32>):
    sinter.yield %a : tensor<2xf32>
  } else {
  ^bb0(%a: tensor<2xf32>):
    sinter.yield %a : tensor<2xf32>
  }
  return
}

// -----
func.func @branch_arguments(%c: tensor<i1>, %x: tensor<2xf32>) {
  // expected-error @+1 {{cond: the second branch takes 0 values, expected 1}}
  %r = sinter.cond %c captures(%x) : (tensor<i1>, tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%a: tensor<2xf32>):
    sinter.yield %a : tensor<2xf32>
  } else {
    %z = sinter.constant dense<0.0> : tensor<2xf32>
    sinter.yield %z : tensor<2xf32>
  }
  return
}

// -----
func.func @branch_results(%c: tensor<i1>, %x: tensor<2xf32>) {
  // expected-error @+1 {{cond: the first branch yields f32[1] as value 0, expected f32[2]}}
  %r = sinter.cond %c captures(%x) : (tensor<i1>, tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%a: tensor<2xf32>):
    %z = sinter.constant dense<0.0> : tensor<1xf32>
    sinter.yield %z : tensor<1xf32>
  } else {
  ^bb0(%a: tensor<2xf32>):
    sinter.yield %a : tensor<2xf32>
  }
  return
}

// -----
func.func @no_condition(%x: tensor<2xf32>) {
  // expected-error @+1 {{while: the state does not start with one boolean}}
  %r = sinter.while init(%x) captures() : (tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%a: tensor<2xf32>):
    sinter.yield %a : tensor<2xf32>
  }
  return
}

// -----
func.func @next_state(%c: tensor<i1>, %x: tensor<2xf32>) {
  // expected-error @+1 {{while: the step yields i1[] as value 1, expected f32[2]}}
  %r:2 = sinter.while init(%c, %x) captures() : (tensor<i1>, tensor<2xf32>) -> (tensor<i1>, tensor<2xf32>) {
  ^bb0(%go: tensor<i1>, %a: tensor<2xf32>):
    sinter.yield %go, %go : tensor<i1>, tensor<i1>
  }
  return
}
