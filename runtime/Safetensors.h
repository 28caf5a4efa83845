#pragma once

#include "sinter/runtime/File.h"
#include "sinter/runtime/Types.h"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sinter::runtime {

/// A tensor of a checkpoint; the bytes belong to the file or the caller.
struct NamedTensor {
  std::string name;
  TensorType type;
  std::span<const uint8_t> bytes;
};

/// A checkpoint that is open for reading, its tensors mapped and not copied.
class SafetensorsFile {
public:
  static Result<SafetensorsFile> open(const std::string &path);

  const std::string &path() const { return name; }
  const std::vector<NamedTensor> &tensors() const { return all; }
  const NamedTensor *find(std::string_view name) const;
  const std::map<std::string, std::string> &metadata() const { return notes; }

private:
  SafetensorsFile(std::string name, MappedFile file)
      : name(std::move(name)), file(std::move(file)) {}

  std::string name;
  MappedFile file;
  std::vector<NamedTensor> all;
  std::map<std::string, std::string> notes;
};

/// Writes a checkpoint that PyTorch and others read, replacing the file in one step. Names must
/// differ, and none may be `__metadata__`.
Status writeSafetensors(const std::string &path, std::span<const NamedTensor> tensors,
                        const std::map<std::string, std::string> &metadata = {});

} // namespace sinter::runtime
