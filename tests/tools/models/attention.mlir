// A training step of one attention block over words: embedding, two heads, dropout, layer norm, a gated end.
func.func @train_step(
    %words: tensor<2x5xi64>, %target: tensor<10xi64>,
    %table: tensor<7x8xf32> {sinter.role = "parameter", sinter.name = "embed.weight", sinter.donated = 1 : i64},
    %wq: tensor<8x8xf32> {sinter.role = "parameter", sinter.name = "q.weight", sinter.donated = 2 : i64},
    %wv: tensor<8x8xf32> {sinter.role = "parameter", sinter.name = "v.weight", sinter.donated = 3 : i64},
    %gain: tensor<8xf32> {sinter.role = "parameter", sinter.name = "norm.weight", sinter.donated = 4 : i64},
    %shift: tensor<8xf32> {sinter.role = "parameter", sinter.name = "norm.bias", sinter.donated = 5 : i64},
    %head: tensor<9x8xf32> {sinter.role = "parameter", sinter.name = "head.weight", sinter.donated = 6 : i64},
    %lr: tensor<f32> {sinter.role = "scalar", sinter.name = "lr"},
    %seed: tensor<i64> {sinter.role = "seed", sinter.name = "seed"},
    %step: tensor<i64> {sinter.role = "state", sinter.name = "step", sinter.donated = 7 : i64})
    -> (tensor<f32>, tensor<7x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<9x8xf32>, tensor<i64>) {
  %x = sinter.embedding %table, %words : (tensor<7x8xf32>, tensor<2x5xi64>) -> tensor<2x5x8xf32>
  %rows = sinter.reshape %x : (tensor<2x5x8xf32>) -> tensor<10x8xf32>
  %q0 = sinter.matmul %rows, %wq {transpose_b = true} : (tensor<10x8xf32>, tensor<8x8xf32>) -> tensor<10x8xf32>
  %v0 = sinter.matmul %rows, %wv : (tensor<10x8xf32>, tensor<8x8xf32>) -> tensor<10x8xf32>
  %q1 = sinter.reshape %q0 : (tensor<10x8xf32>) -> tensor<2x5x2x4xf32>
  %v1 = sinter.reshape %v0 : (tensor<10x8xf32>) -> tensor<2x5x2x4xf32>
  %q = sinter.transpose %q1 {permutation = array<i64: 0, 2, 1, 3>} : (tensor<2x5x2x4xf32>) -> tensor<2x2x5x4xf32>
  %v = sinter.transpose %v1 {permutation = array<i64: 0, 2, 1, 3>} : (tensor<2x5x2x4xf32>) -> tensor<2x2x5x4xf32>
  %s0 = sinter.matmul %q, %q {transpose_b = true} : (tensor<2x2x5x4xf32>, tensor<2x2x5x4xf32>) -> tensor<2x2x5x5xf32>
  %half = sinter.constant dense<0.5> : tensor<2x2x5x5xf32>
  %s1 = sinter.mul %s0, %half : tensor<2x2x5x5xf32>
  %row = sinter.iota {dim = 2 : i64} : tensor<2x2x5x5xi64>
  %column = sinter.iota {dim = 3 : i64} : tensor<2x2x5x5xi64>
  %seen = sinter.compare ge %row, %column : (tensor<2x2x5x5xi64>, tensor<2x2x5x5xi64>) -> tensor<2x2x5x5xi1>
  %far = sinter.constant dense<-1.0e4> : tensor<2x2x5x5xf32>
  %s = sinter.select %seen, %s1, %far : (tensor<2x2x5x5xi1>, tensor<2x2x5x5xf32>, tensor<2x2x5x5xf32>) -> tensor<2x2x5x5xf32>
  %p0 = sinter.softmax %s {dim = 3 : i64} : tensor<2x2x5x5xf32>
  %p = sinter.dropout %p0, %seed, %step {stream = 11 : i64, p = 0.25 : f64} : (tensor<2x2x5x5xf32>, tensor<i64>, tensor<i64>) -> tensor<2x2x5x5xf32>
  %o0 = sinter.matmul %p, %v : (tensor<2x2x5x5xf32>, tensor<2x2x5x4xf32>) -> tensor<2x2x5x4xf32>
  %o1 = sinter.transpose %o0 {permutation = array<i64: 0, 2, 1, 3>} : (tensor<2x2x5x4xf32>) -> tensor<2x5x2x4xf32>
  %o = sinter.reshape %o1 : (tensor<2x5x2x4xf32>) -> tensor<10x8xf32>
  %sum = sinter.add %o, %rows : tensor<10x8xf32>
  %n = sinter.layer_norm %sum, %gain, %shift : (tensor<10x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<10x8xf32>
  %a = sinter.slice %n {start = array<i64: 0, 0>, limit = array<i64: 10, 4>, step = array<i64: 1, 1>} : (tensor<10x8xf32>) -> tensor<10x4xf32>
  %b = sinter.slice %n {start = array<i64: 0, 4>, limit = array<i64: 10, 8>, step = array<i64: 1, 1>} : (tensor<10x8xf32>) -> tensor<10x4xf32>
  %gate = sinter.relu %a : tensor<10x4xf32>
  %gated = sinter.mul %gate, %b : tensor<10x4xf32>
  %both = sinter.concat %gated, %b {dim = 1 : i64} : (tensor<10x4xf32>, tensor<10x4xf32>) -> tensor<10x8xf32>
  %logits = sinter.matmul %both, %head {transpose_b = true} : (tensor<10x8xf32>, tensor<9x8xf32>) -> tensor<10x9xf32>
  %loss = sinter.cross_entropy %logits, %target : (tensor<10x9xf32>, tensor<10xi64>) -> tensor<f32>
  %g:6 = sinter.gradient %loss wrt %table, %wq, %wv, %gain, %shift, %head : (tensor<f32>, tensor<7x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<9x8xf32>) -> (tensor<7x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<9x8xf32>)
  %r0 = sinter.broadcast %lr : (tensor<f32>) -> tensor<7x8xf32>
  %d0 = sinter.mul %g#0, %r0 : tensor<7x8xf32>
  %n0 = sinter.sub %table, %d0 : tensor<7x8xf32>
  %r1 = sinter.broadcast %lr : (tensor<f32>) -> tensor<8x8xf32>
  %d1 = sinter.mul %g#1, %r1 : tensor<8x8xf32>
  %n1 = sinter.sub %wq, %d1 : tensor<8x8xf32>
  %d2 = sinter.mul %g#2, %r1 : tensor<8x8xf32>
  %n2 = sinter.sub %wv, %d2 : tensor<8x8xf32>
  %r3 = sinter.broadcast %lr : (tensor<f32>) -> tensor<8xf32>
  %d3 = sinter.mul %g#3, %r3 : tensor<8xf32>
  %n3 = sinter.sub %gain, %d3 : tensor<8xf32>
  %d4 = sinter.mul %g#4, %r3 : tensor<8xf32>
  %n4 = sinter.sub %shift, %d4 : tensor<8xf32>
  %r5 = sinter.broadcast %lr : (tensor<f32>) -> tensor<9x8xf32>
  %d5 = sinter.mul %g#5, %r5 : tensor<9x8xf32>
  %n5 = sinter.sub %head, %d5 : tensor<9x8xf32>
  %one = sinter.constant dense<1> : tensor<i64>
  %next = sinter.add %step, %one : tensor<i64>
  return %loss, %n0, %n1, %n2, %n3, %n4, %n5, %next : tensor<f32>, tensor<7x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<9x8xf32>, tensor<i64>
}
