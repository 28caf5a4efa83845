#include "sinter/frontend/data/Files.h"
#include "sinter/frontend/detail/GzFile.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <optional>

namespace sinter::data {

using detail::failCorrupt;

static uint64_t bigEndian(const uint8_t *bytes, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i) value = (value << 8) | bytes[i];
  return value;
}

Array read_idx(const std::string &path) {
  std::vector<uint8_t> bytes = detail::readMaybeCompressed(path);
  if (bytes.size() < 4)
    failCorrupt(path, fmt::format("{} bytes are too few for an IDX file", bytes.size()));
  auto hex = bigEndian(bytes.data(), 4);
  int code = bytes[2], rank = bytes[3];
  int width = code == 0x08 || code == 0x09   ? 1
              : code == 0x0B                 ? 2
              : code == 0x0C || code == 0x0D ? 4
              : code == 0x0E                 ? 8
                                             : 0;
  if (bytes[0] || bytes[1] || !width || rank == 0)
    failCorrupt(path, fmt::format("not an IDX file: it starts with 0x{:08x}", hex));
  size_t header = 4 + 4 * static_cast<size_t>(rank);
  if (bytes.size() < header) failCorrupt(path, "the IDX header is truncated");
  Shape shape;
  uint64_t count = 1;
  for (int i = 0; i < rank; ++i) {
    uint64_t size = bigEndian(bytes.data() + 4 + 4 * i, 4);
    if (size && count > (uint64_t(1) << 40) / size) failCorrupt(path, "its sizes are absurd");
    shape.push_back(static_cast<int64_t>(size));
    count *= size;
  }
  uint64_t wanted = header + count * static_cast<uint64_t>(width);
  if (bytes.size() != wanted)
    failCorrupt(path, fmt::format("{} of shape {} should have {} bytes, it has {}",
                                  bytes.size() < wanted ? "truncated:" : "too long:", text(shape),
                                  wanted, bytes.size()));
  const uint8_t *data = bytes.data() + header;
  if (code == 0x08) return Array::copy(data, shape, u8);
  Array result = Array::zeros(shape, code == 0x0D ? f32 : code == 0x0E ? f64 : i32);
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t value = bigEndian(data + i * static_cast<uint64_t>(width), width);
    switch (code) {
    case 0x09:
      result.data<int32_t>()[i] = static_cast<int8_t>(value);
      break;
    case 0x0B:
      result.data<int32_t>()[i] = static_cast<int16_t>(value);
      break;
    case 0x0C:
      result.data<int32_t>()[i] = static_cast<int32_t>(value);
      break;
    case 0x0D:
      result.data<float>()[i] = std::bit_cast<float>(static_cast<uint32_t>(value));
      break;
    default:
      result.data<double>()[i] = std::bit_cast<double>(value);
    }
  }
  return result;
}

static TensorDataset readMnist(const std::string &folder, const std::string &part) {
  auto find = [&](const char *kind, const char *rank) {
    std::string stem = fmt::format("{}-{}", part, kind);
    std::string path =
        detail::findFile(folder, {stem + "-" + rank + "-ubyte", stem + "." + rank + "-ubyte"});
    if (path.empty())
      throw RuntimeError(
          {runtime::ErrorCode::notFound,
           fmt::format("{}: no {}-{}-ubyte, with or without .gz; MNIST and Fashion-MNIST come as "
                       "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte "
                       "and t10k-labels-idx1-ubyte",
                       folder, stem, rank)});
    return path;
  };
  std::string imagePath = find("images", "idx3"), labelPath = find("labels", "idx1");
  Array images = read_idx(imagePath), labels = read_idx(labelPath);
  if (images.rank() != 3 || images.dtype() != u8)
    failCorrupt(imagePath, fmt::format("{} is no list of grey images", images.spec().text()));
  if (labels.rank() != 1 || labels.dtype() != u8)
    failCorrupt(labelPath, fmt::format("{} is no list of labels", labels.spec().text()));
  if (labels.size() != images.shape()[0])
    failCorrupt(labelPath,
                fmt::format("{} labels for {} images", labels.size(), images.shape()[0]));
  const Shape &s = images.shape();
  return {images.reshape({s[0], 1, s[1], s[2]}), labels.to(i64), transforms::to_float()};
}

TrainTest mnist(const std::string &folder) {
  return {readMnist(folder, "train"), readMnist(folder, "t10k")};
}

} // namespace sinter::data
