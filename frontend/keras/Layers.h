#pragma once

#include "sinter/frontend/Tensor.h"

#include <functional>
#include <string>
#include <utility>

/// Layers with Keras's names and defaults: images are [height, width, channels], weights start as Glorot's uniform,
/// biases as zeros.
namespace sinter::keras {

class Builder;

/// A layer before its model exists: how to make it for an input of a shape (without the batch).
struct Layer {
  std::string kind;
  std::function<void(Builder &)> build;
};

Layer Input(Shape shape, Where where = Where::current());

struct DenseOptions {
  std::string activation = "linear";
  bool use_bias = true;
};
Layer Dense(int64_t units, DenseOptions options = {}, Where where = Where::current());

struct Conv2DOptions {
  Size2 strides = 1;
  std::string padding = "valid"; // or "same"
  std::string activation = "linear";
  bool use_bias = true;
};
Layer Conv2D(int64_t filters, Size2 kernel_size, Conv2DOptions options = {},
             Where where = Where::current());

/// Strides are the window's size.
Layer MaxPooling2D(Size2 pool_size = 2, Where where = Where::current());
Layer AveragePooling2D(Size2 pool_size = 2, Where where = Where::current());
Layer GlobalAveragePooling2D(Where where = Where::current());
/// Row by row, channels last.
Layer Flatten(Where where = Where::current());
Layer Reshape(Shape shape, Where where = Where::current());
Layer Dropout(double rate, Where where = Where::current());
Layer Activation(const std::string &activation, Where where = Where::current());

struct BatchNormalizationOptions {
  double momentum = 0.99; // of the running statistics, which keep so much
  double epsilon = 1e-3;
};
/// Of images, per channel.
Layer BatchNormalization(BatchNormalizationOptions options = {}, Where where = Where::current());

} // namespace sinter::keras
