#include "sinter/frontend/keras/Builder.h"

#include "sinter/frontend/detail/Variable.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace sinter::keras {

std::string unknownName(const std::string &name, const std::vector<std::string> &known) {
  return fmt::format("'{}': there are {}", name, fmt::join(known, ", "));
}

static void require(bool holds, const char *layer, const std::string &message, Where where) {
  if (!holds) throw UserError(fmt::format("keras::{}: {}", layer, message), where);
}

static int64_t numElements(const Shape &shape) { return TensorSpec{shape, f32}.numElements(); }

Tensor Network::forward(Tensor x) {
  if (x.rank() == 4) x = permute(x, {0, 3, 1, 2});
  for (const auto &step : steps_) x = step(x);
  if (x.rank() == 4) x = permute(x, {0, 2, 3, 1});
  return x;
}

void Builder::add(const Layer &layer) {
  // "conv2d", "conv2d_1", as Keras names them.
  std::string kind = layer.kind;
  auto before = std::count(kinds_.begin(), kinds_.end(), kind);
  kinds_.push_back(kind);
  name_ = before ? fmt::format("{}_{}", kind, before) : kind;
  int64_t parameters = network_.num_parameters();
  layer.build(*this);
  if (kind != "input")
    lines.push_back({name_, kind, shape, network_.num_parameters() - parameters});
}

void Builder::step(std::function<Tensor(const Tensor &)> function) {
  network_.steps_.push_back(std::move(function));
}

Builder::Image Builder::image(const char *layer, Where where) const {
  require(shape.size() == 3, layer,
          fmt::format("its input has shape {}, expected [height, width, channels]", text(shape)),
          where);
  return {shape[0], shape[1], shape[2]};
}

void Builder::glorot(const Tensor &weight, const Tensor &bias) {
  weight.impl()->variable->init = init::xavier_uniform().resolve(weight.shape(), Where::current());
  if (bias) bias.impl()->variable->init = init::zeros;
}

void Builder::activate(const std::string &name, Where where) {
  using Function = Tensor (*)(const Tensor &, Where);
  static const std::vector<std::pair<std::string, Function>> known = {
      {"gelu", [](const Tensor &x, Where w) { return gelu(x, {}, w); }},
      {"linear", nullptr},
      {"relu", [](const Tensor &x, Where w) { return relu(x, w); }},
      {"sigmoid", [](const Tensor &x, Where w) { return sigmoid(x, w); }},
      {"silu", [](const Tensor &x, Where w) { return silu(x, w); }},
      // Along the channels, wherever they are.
      {"softmax", [](const Tensor &x, Where w) { return softmax(x, x.rank() == 4 ? 1 : -1, w); }},
      {"tanh", [](const Tensor &x, Where w) { return tanh(x, w); }}};
  std::vector<std::string> names;
  for (const auto &[each, function] : known) {
    names.push_back(each);
    if (each != name) continue;
    if (function)
      step([function = function, where](const Tensor &x) { return function(x, where); });
    return;
  }
  throw UserError("keras: unknown activation " + unknownName(name, names), where);
}

Layer Input(Shape shape, Where where) {
  return {"input", [=](Builder &b) {
            require(!b.hasInput, "Input", "it is not the first layer", where);
            for (int64_t size : shape) require(size > 0, "Input", "shape " + text(shape), where);
            b.shape = shape;
            b.hasInput = true;
          }};
}

Layer Dense(int64_t units, DenseOptions options, Where where) {
  require(units > 0, "Dense", fmt::format("units is {}", units), where);
  return {"dense", [=](Builder &b) {
            require(b.shape.size() == 1, "Dense",
                    fmt::format("its input has shape {}, expected one dimension (keras::Flatten "
                                "makes one)",
                                text(b.shape)),
                    where);
            auto &linear =
                b.module<nn::Linear>(nn::LinearOptions{b.shape[0], units, options.use_bias}, where);
            Builder::glorot(linear.weight, linear.bias);
            b.step([&linear, where](const Tensor &x) { return linear(x, where); });
            b.activate(options.activation, where);
            b.shape = {units};
          }};
}

/// Before and after, so that ceil(size / stride) windows fit.
static std::pair<int64_t, int64_t> samePadding(int64_t size, int64_t kernel, int64_t stride) {
  int64_t windows = (size + stride - 1) / stride;
  int64_t total = std::max<int64_t>((windows - 1) * stride + kernel - size, 0);
  return {total / 2, total - total / 2};
}

Layer Conv2D(int64_t filters, Size2 kernel, Conv2DOptions options, Where where) {
  require(filters > 0, "Conv2D", fmt::format("filters is {}", filters), where);
  bool same = options.padding == "same";
  if (!same && options.padding != "valid")
    throw UserError(
        "keras::Conv2D: unknown padding " + unknownName(options.padding, {"same", "valid"}), where);
  return {
      "conv2d", [=](Builder &b) {
        auto [height, width, channels] = b.image("Conv2D", where);
        auto rows = samePadding(height, kernel.height, options.strides.height);
        auto columns = samePadding(width, kernel.width, options.strides.width);
        if (!same) rows = columns = {0, 0};
        bool even = rows.first == rows.second && columns.first == columns.second;
        auto size = [&](int64_t in, std::pair<int64_t, int64_t> pad, int64_t k, int64_t stride) {
          int64_t out = (in + pad.first + pad.second - k) / stride + 1;
          require(in + pad.first + pad.second >= k, "Conv2D",
                  fmt::format("a kernel of {} does not fit into shape {}", k, text(b.shape)),
                  where);
          return out;
        };
        Shape out{size(height, rows, kernel.height, options.strides.height),
                  size(width, columns, kernel.width, options.strides.width), filters};
        auto &conv = b.module<nn::Conv2d>(
            nn::Conv2dLayerOptions{.in_channels = channels,
                                   .out_channels = filters,
                                   .kernel_size = kernel,
                                   .stride = options.strides,
                                   .padding = even ? Size2(rows.first, columns.first) : 0,
                                   .bias = options.use_bias},
            where);
        Builder::glorot(conv.weight, conv.bias);
        b.step([=, &conv](const Tensor &x) {
          return conv(
              even ? x : pad(x, {columns.first, columns.second, rows.first, rows.second}, 0, where),
              where);
        });
        b.activate(options.activation, where);
        b.shape = out;
      }};
}

static Layer pooling(const char *kind, const char *name, Size2 size, Where where,
                     Tensor (*pool)(const Tensor &, Size2, Where)) {
  require(size.height > 0 && size.width > 0, name,
          fmt::format("pool_size is {} x {}", size.height, size.width), where);
  return {kind, [=](Builder &b) {
            auto [height, width, channels] = b.image(name, where);
            require(height >= size.height && width >= size.width, name,
                    fmt::format("windows of {} x {} do not fit into shape {}", size.height,
                                size.width, text(b.shape)),
                    where);
            b.step([=](const Tensor &x) { return pool(x, size, where); });
            b.shape = {height / size.height, width / size.width, channels};
          }};
}

Layer MaxPooling2D(Size2 size, Where where) {
  return pooling("max_pooling2d", "MaxPooling2D", size, where,
                 [](const Tensor &x, Size2 kernel, Where w) {
                   return max_pool2d(x, {.kernel_size = kernel}, w);
                 });
}
Layer AveragePooling2D(Size2 size, Where where) {
  return pooling("average_pooling2d", "AveragePooling2D", size, where,
                 [](const Tensor &x, Size2 kernel, Where w) {
                   return avg_pool2d(x, {.kernel_size = kernel}, w);
                 });
}

Layer GlobalAveragePooling2D(Where where) {
  return {"global_average_pooling2d", [=](Builder &b) {
            int64_t channels = b.image("GlobalAveragePooling2D", where).channels;
            b.step([=](const Tensor &x) { return global_avg_pool2d(x, where); });
            b.shape = {channels};
          }};
}

Layer Flatten(Where where) {
  return {"flatten", [=](Builder &b) {
            b.step([=](const Tensor &x) {
              // Channels last, as the shape says.
              return flatten(x.rank() == 4 ? permute(x, {0, 2, 3, 1}, where) : x, 1, -1, where);
            });
            b.shape = {numElements(b.shape)};
          }};
}

Layer Reshape(Shape shape, Where where) {
  return {"reshape", [=](Builder &b) {
            require(numElements(shape) == numElements(b.shape), "Reshape",
                    fmt::format("shape {} has another number of elements than {}", text(shape),
                                text(b.shape)),
                    where);
            b.step([=](const Tensor &x) {
              Shape whole = shape;
              whole.insert(whole.begin(), x.shape()[0]);
              Tensor y = reshape(x.rank() == 4 ? permute(x, {0, 2, 3, 1}, where) : x, whole, where);
              return y.rank() == 4 ? permute(y, {0, 3, 1, 2}, where) : y;
            });
            b.shape = shape;
          }};
}

Layer Dropout(double rate, Where where) {
  require(rate >= 0 && rate < 1, "Dropout", fmt::format("rate is {}", rate), where);
  return {"dropout", [=](Builder &b) {
            auto &dropout = b.module<nn::Dropout>(nn::DropoutLayerOptions{rate}, where);
            b.step([&dropout, where](const Tensor &x) { return dropout(x, where); });
          }};
}

Layer Activation(const std::string &activation, Where where) {
  return {"activation", [=](Builder &b) { b.activate(activation, where); }};
}

Layer BatchNormalization(BatchNormalizationOptions options, Where where) {
  return {"batch_normalization", [=](Builder &b) {
            int64_t channels = b.image("BatchNormalization", where).channels;
            auto &norm = b.module<nn::BatchNorm2d>(
                nn::BatchNorm2dOptions{channels, options.epsilon, 1 - options.momentum}, where);
            b.step([&norm, where](const Tensor &x) { return norm(x, where); });
          }};
}

} // namespace sinter::keras
