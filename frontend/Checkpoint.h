#pragma once

#include "sinter/frontend/nn/Module.h"

#include <functional>
#include <string>
#include <vector>

namespace sinter {

/// Writes parameters and buffers to a safetensors file, replacing it in one step. Names and layouts
/// are PyTorch's.
void save(const nn::Module &model, const std::string &path);

struct LoadOptions {
  bool strict = true; // the file has all of the model's names and no others
  /// The model's name for one of the file; empty: the tensor is left out.
  std::function<std::string(const std::string &name)> rename = {};
  /// Parameters that keep their values where the file lacks them, by the beginnings of their names.
  std::vector<std::string> optional = {};
  bool convert = false; // floating types to the model's
};
/// Reads parameters and buffers. Throws RuntimeError, with the lists of what is missing, what is
/// unexpected and what has another shape, and then changes nothing.
void load(nn::Module &model, const std::string &path, LoadOptions options = {});

} // namespace sinter
