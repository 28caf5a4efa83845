// RUN: sinter-opt %s -split-input-file -verify-diagnostics
// What the verifiers of this family refuse, and in which words.

func.func @add(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %r = "sinter.add"(%a, %b) : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @sub(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %r = "sinter.sub"(%a, %b) : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @mul(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %r = "sinter.mul"(%a, %b) : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @div(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %r = "sinter.div"(%a, %b) : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @floor_divide(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %r = "sinter.floor_divide"(%a, %b) : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @remainder(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %r = "sinter.remainder"(%a, %b) : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @pow(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %r = "sinter.pow"(%a, %b) : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @maximum(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %r = "sinter.maximum"(%a, %b) : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @minimum(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+1 {{requires the same type for all operands and results}}
  %r = "sinter.minimum"(%a, %b) : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @neg(%x: tensor<2xi1>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.neg"(%x) : (tensor<2xi1>) -> tensor<2xi1>
  return
}

// -----
func.func @abs(%x: tensor<2xi1>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.abs"(%x) : (tensor<2xi1>) -> tensor<2xi1>
  return
}

// -----
func.func @sign(%x: tensor<2xi1>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.sign"(%x) : (tensor<2xi1>) -> tensor<2xi1>
  return
}

// -----
func.func @relu(%x: tensor<2xi1>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.relu"(%x) : (tensor<2xi1>) -> tensor<2xi1>
  return
}

// -----
func.func @floor(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.floor"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----
func.func @ceil(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.ceil"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----
func.func @exp(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.exp"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----
func.func @log(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.log"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----
func.func @log1p(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.log1p"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----
func.func @sqrt(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.sqrt"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----
func.func @rsqrt(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.rsqrt"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----
func.func @sin(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.sin"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----
func.func @cos(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.cos"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----
func.func @tanh(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.tanh"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----
func.func @sigmoid(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.sigmoid"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----
func.func @erf(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.erf"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----
func.func @logical_and(%a: tensor<2x3xf32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.logical_and"(%a, %a) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @logical_or(%a: tensor<2x3xf32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.logical_or"(%a, %a) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @logical_not(%a: tensor<2x3xf32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = "sinter.logical_not"(%a) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @gelu(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{gelu: approximate is 'fast', expected none or tanh}}
  %r = sinter.gelu %x {approximate = "fast"} : tensor<2x3xf32>
  return
}

// -----
func.func @clamp(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{clamp: needs min, max or both}}
  %r = sinter.clamp %x : tensor<2x3xf32>
  return
}

// -----
func.func @clamp(%x: tensor<2xi32>) {
  // expected-error @+1 {{clamp: bound 5.000000e-01 of an integer tensor is not a whole number}}
  %r = sinter.clamp %x {min = 0.5 : f64} : tensor<2xi32>
  return
}

// -----
func.func @compare(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+1 {{requires all operands to have the same type}}
  %r = "sinter.compare"(%a, %b) {predicate = #sinter<compare lt>} : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x3xi1>
  return
}

// -----
func.func @is_finite(%x: tensor<2xi32>) {
  // expected-error @+1 {{op operand #0 must be}}
  %r = sinter.is_finite %x : (tensor<2xi32>) -> tensor<2xi1>
  return
}

// -----
func.func @select(%c: tensor<2xi1>, %a: tensor<2x3xf32>) {
  // expected-error @+1 {{failed to verify that all of {condition, on_true} have same shape}}
  %r = sinter.select %c, %a, %a : (tensor<2xi1>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----
func.func @cast(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{requires the same shape for all operands and results}}
  %r = sinter.cast %x : (tensor<2x3xf32>) -> tensor<3x2xbf16>
  return
}

// -----
func.func @softplus(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{softplus: beta is 0.000000e+00, expected a positive number}}
  %r = sinter.softplus %x {beta = 0.0 : f64} : tensor<2x3xf32>
  return
}
