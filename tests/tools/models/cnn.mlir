// A training step of a small convolutional network with momentum: two convolutions, normalisation, both poolings.
func.func @train_step(
    %x: tensor<2x2x7x7xf32>, %target: tensor<2xi64>,
    %k1: tensor<4x2x3x3xf32> {sinter.role = "parameter", sinter.name = "conv1.weight", sinter.donated = 1 : i64},
    %b1: tensor<4xf32> {sinter.role = "parameter", sinter.name = "conv1.bias", sinter.donated = 2 : i64},
    %k2: tensor<5x4x3x3xf32> {sinter.role = "parameter", sinter.name = "conv2.weight", sinter.donated = 3 : i64},
    %gain: tensor<5xf32> {sinter.role = "parameter", sinter.name = "norm.weight"},
    %shift: tensor<5xf32> {sinter.role = "parameter", sinter.name = "norm.bias"},
    %fc: tensor<3x5xf32> {sinter.role = "parameter", sinter.name = "fc.weight", sinter.donated = 4 : i64},
    %m1: tensor<4x2x3x3xf32> {sinter.role = "state", sinter.name = "conv1.weight.momentum", sinter.donated = 5 : i64},
    %running: tensor<5xf32> {sinter.role = "state", sinter.name = "norm.running_mean", sinter.donated = 6 : i64},
    %seed: tensor<i64> {sinter.role = "seed", sinter.name = "seed"},
    %step: tensor<i64> {sinter.role = "state", sinter.name = "step"})
    -> (tensor<f32>, tensor<4x2x3x3xf32>, tensor<4xf32>, tensor<5x4x3x3xf32>, tensor<3x5xf32>, tensor<4x2x3x3xf32>, tensor<5xf32>) {
  %c1 = sinter.conv2d %x, %k1 {padding = array<i64: 1, 1>} : (tensor<2x2x7x7xf32>, tensor<4x2x3x3xf32>) -> tensor<2x4x7x7xf32>
  %b2 = sinter.reshape %b1 : (tensor<4xf32>) -> tensor<4x1x1xf32>
  %b3 = sinter.broadcast %b2 : (tensor<4x1x1xf32>) -> tensor<2x4x7x7xf32>
  %s1 = sinter.add %c1, %b3 : tensor<2x4x7x7xf32>
  %a1 = sinter.relu %s1 : tensor<2x4x7x7xf32>
  %p1, %place = sinter.max_pool2d %a1 {kernel_size = array<i64: 2, 2>, stride = array<i64: 2, 2>} : (tensor<2x4x7x7xf32>) -> (tensor<2x4x3x3xf32>, tensor<2x4x3x3xui8>)
  %d1 = sinter.dropout %p1, %seed, %step {stream = 5 : i64, p = 0.25 : f64} : (tensor<2x4x3x3xf32>, tensor<i64>, tensor<i64>) -> tensor<2x4x3x3xf32>
  %c2 = sinter.conv2d %d1, %k2 {padding = array<i64: 1, 1>} : (tensor<2x4x3x3xf32>, tensor<5x4x3x3xf32>) -> tensor<2x5x3x3xf32>
  %n, %mean, %variance = sinter.batch_norm %c2, %gain, %shift : (tensor<2x5x3x3xf32>, tensor<5xf32>, tensor<5xf32>) -> (tensor<2x5x3x3xf32>, tensor<5xf32>, tensor<5xf32>)
  %a2 = sinter.gelu %n : tensor<2x5x3x3xf32>
  %p2 = sinter.avg_pool2d %a2 {kernel_size = array<i64: 3, 3>, stride = array<i64: 1, 1>} : (tensor<2x5x3x3xf32>) -> tensor<2x5x1x1xf32>
  %flat = sinter.reshape %p2 : (tensor<2x5x1x1xf32>) -> tensor<2x5xf32>
  %logits = sinter.matmul %flat, %fc {transpose_b = true} : (tensor<2x5xf32>, tensor<3x5xf32>) -> tensor<2x3xf32>
  %loss = sinter.cross_entropy %logits, %target {label_smoothing = 0.1 : f64} : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<f32>
  %g:4 = sinter.gradient %loss wrt %k1, %b1, %k2, %fc : (tensor<f32>, tensor<4x2x3x3xf32>, tensor<4xf32>, tensor<5x4x3x3xf32>, tensor<3x5xf32>) -> (tensor<4x2x3x3xf32>, tensor<4xf32>, tensor<5x4x3x3xf32>, tensor<3x5xf32>)
  %mu = sinter.constant dense<0.9> : tensor<4x2x3x3xf32>
  %kept = sinter.mul %m1, %mu : tensor<4x2x3x3xf32>
  %moved = sinter.add %kept, %g#0 : tensor<4x2x3x3xf32>
  %r1 = sinter.constant dense<0.05> : tensor<4x2x3x3xf32>
  %u1 = sinter.mul %moved, %r1 : tensor<4x2x3x3xf32>
  %k1n = sinter.sub %k1, %u1 : tensor<4x2x3x3xf32>
  %r2 = sinter.constant dense<0.05> : tensor<4xf32>
  %u2 = sinter.mul %g#1, %r2 : tensor<4xf32>
  %b1n = sinter.sub %b1, %u2 : tensor<4xf32>
  %r3 = sinter.constant dense<0.05> : tensor<5x4x3x3xf32>
  %u3 = sinter.mul %g#2, %r3 : tensor<5x4x3x3xf32>
  %k2n = sinter.sub %k2, %u3 : tensor<5x4x3x3xf32>
  %r4 = sinter.constant dense<0.05> : tensor<3x5xf32>
  %u4 = sinter.mul %g#3, %r4 : tensor<3x5xf32>
  %fcn = sinter.sub %fc, %u4 : tensor<3x5xf32>
  %old = sinter.constant dense<0.9> : tensor<5xf32>
  %new = sinter.constant dense<0.1> : tensor<5xf32>
  %o = sinter.mul %running, %old : tensor<5xf32>
  %w = sinter.mul %mean, %new : tensor<5xf32>
  %r = sinter.add %o, %w : tensor<5xf32>
  return %loss, %k1n, %b1n, %k2n, %fcn, %moved, %r : tensor<f32>, tensor<4x2x3x3xf32>, tensor<4xf32>, tensor<5x4x3x3xf32>, tensor<3x5xf32>, tensor<4x2x3x3xf32>, tensor<5xf32>
}
