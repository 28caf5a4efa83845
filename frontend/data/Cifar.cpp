#include "sinter/frontend/data/Files.h"
#include "sinter/frontend/detail/GzFile.h"

#include <fmt/format.h>

#include <cstring>

namespace sinter::data {

static constexpr size_t pixels = 3 * 32 * 32, record = 1 + pixels; // a label, then three planes

static TensorDataset readCifar(const std::string &folder, const std::vector<std::string> &names) {
  std::vector<uint8_t> images;
  std::vector<int64_t> labels;
  for (const std::string &name : names) {
    std::string path = detail::findFile(folder, {name, "cifar-10-batches-bin/" + name});
    if (path.empty())
      throw RuntimeError(
          {runtime::ErrorCode::notFound,
           fmt::format("{}: no {}; the binary version of CIFAR-10 has data_batch_1.bin to "
                       "data_batch_5.bin and test_batch.bin",
                       folder, name)});
    std::vector<uint8_t> bytes = detail::readMaybeCompressed(path);
    if (bytes.empty() || bytes.size() % record)
      detail::failCorrupt(path, fmt::format("{} bytes are no whole number of records of {} bytes",
                                            bytes.size(), record));
    for (size_t at = 0; at < bytes.size(); at += record) {
      if (bytes[at] > 9)
        detail::failCorrupt(
            path, fmt::format("label {} of image {} is none of 0 to 9", bytes[at], at / record));
      labels.push_back(bytes[at]);
    }
    size_t before = images.size();
    images.resize(before + bytes.size() / record * pixels);
    for (size_t i = 0; i < bytes.size() / record; ++i)
      std::memcpy(images.data() + before + i * pixels, bytes.data() + i * record + 1, pixels);
  }
  auto count = static_cast<int64_t>(labels.size());
  return {Array(images, {count, 3, 32, 32}), Array(labels), transforms::to_float()};
}

TrainTest cifar10(const std::string &folder) {
  return {readCifar(folder, {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                             "data_batch_4.bin", "data_batch_5.bin"}),
          readCifar(folder, {"test_batch.bin"})};
}

} // namespace sinter::data
