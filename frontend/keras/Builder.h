#pragma once

#include "sinter/frontend/keras/Layers.h"
#include "sinter/frontend/nn/Layers.h"

#include <memory>
#include <vector>

namespace sinter::keras {

/// "'adm': there are adagrad, adam": the end of an error about a name.
std::string unknownName(const std::string &name, const std::vector<std::string> &known);

/// The network of a keras::Sequential. Images travel channels first inside of it.
class Network : public nn::Module {
public:
  Tensor forward(Tensor x);

private:
  friend class Builder;
  std::vector<std::unique_ptr<nn::Module>> modules_;
  std::vector<std::function<Tensor(const Tensor &)>> steps_;
};

/// Puts layers into a network one after another.
class Builder {
public:
  explicit Builder(Network &network) : network_(network) {}

  /// The shape that the next layer gets, as Keras has it; empty before the Input.
  Shape shape;
  bool hasInput = false;
  struct Line {
    std::string name, kind;
    Shape output;
    int64_t parameters = 0;
  };
  std::vector<Line> lines; // of the summary

  void add(const Layer &layer);
  void step(std::function<Tensor(const Tensor &)> function);
  void activate(const std::string &activation, Where where);
  template <class Module, class Options> Module &module(Options options, Where where) {
    auto made = std::make_unique<Module>(&network_, name_, options, where);
    Module &kept = *made;
    network_.modules_.push_back(std::move(made));
    return kept;
  }
  /// Height, width and channels; an error for what is no image.
  struct Image {
    int64_t height, width, channels;
  };
  Image image(const char *layer, Where where) const;
  static void glorot(const Tensor &weight, const Tensor &bias);

private:
  Network &network_;
  std::string name_;
  std::vector<std::string> kinds_;
};

} // namespace sinter::keras
