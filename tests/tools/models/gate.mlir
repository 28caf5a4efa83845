// A gate of two inputs, without gradients: what becomes of a NaN is seen in the result.
func.func @gate(%x: tensor<5x6xf32>, %y: tensor<5x6xf32>, %w: tensor<6xf32>) -> tensor<5x6xf32> {
  %0 = sinter.relu %x : tensor<5x6xf32>
  %1 = sinter.broadcast %w : (tensor<6xf32>) -> tensor<5x6xf32>
  %2 = sinter.mul %y, %1 : tensor<5x6xf32>
  %3 = sinter.sigmoid %2 : tensor<5x6xf32>
  %4 = sinter.mul %0, %3 : tensor<5x6xf32>
  return %4 : tensor<5x6xf32>
}
