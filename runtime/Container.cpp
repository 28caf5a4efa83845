#include "sinter/runtime/Container.h"
#include "sinter/runtime/File.h"
#include "sinter/runtime/Memory.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <set>

namespace sinter::runtime {
namespace {

using Json = nlohmann::json;

constexpr uint64_t lengthBytes = 8;
constexpr uint64_t maxHeaderBytes = 100'000'000; // the limit of other readers too
constexpr int64_t maxPadding = bufferAlignment;

struct Width {
  std::string_view dtype;
  int64_t bytes;
};
// Every type of the format, also those that Sinter does not compute with: their sizes are checked.
constexpr Width widths[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1},
                            {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
                            {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};

class Parser {
public:
  Parser(std::span<const uint8_t> bytes, std::string_view what) : bytes(bytes), what(what) {}

  Result<Container> run() {
    SINTER_RETURN_IF_ERROR(findHeader());
    SINTER_RETURN_IF_ERROR(parseHeader());
    for (const auto &[name, value] : header.items()) {
      if (name == "__metadata__")
        SINTER_RETURN_IF_ERROR(readMetadata(value));
      else
        SINTER_RETURN_IF_ERROR(readBlob(name, value));
    }
    SINTER_RETURN_IF_ERROR(checkCover());
    return std::move(container);
  }

private:
  Error corrupt(std::string message) const {
    return {ErrorCode::corrupt, fmt::format("{}: {}", what, message)};
  }

  Status findHeader() {
    if (bytes.size() < lengthBytes)
      return corrupt(fmt::format("truncated: {} bytes are too few for a header", bytes.size()));
    uint64_t length = 0;
    for (uint64_t i = 0; i < lengthBytes; ++i) length |= uint64_t(bytes[i]) << (8 * i);
    if (length > maxHeaderBytes)
      return corrupt(
          fmt::format("not a safetensors file or program: its header would have {} bytes", length));
    if (length > bytes.size() - lengthBytes)
      return corrupt(fmt::format("truncated: the header has {} bytes, the file only {}", length,
                                 bytes.size()));
    text = bytes.subspan(lengthBytes, length);
    data = bytes.subspan(lengthBytes + length);
    return {};
  }

  Status parseHeader() {
    std::set<std::string> names;
    std::string repeated;
    auto watch = [&](int depth, Json::parse_event_t event, Json &parsed) {
      if (event == Json::parse_event_t::key && depth == 1) {
        auto *name = parsed.get_ptr<const std::string *>();
        if (name && !names.insert(*name).second) repeated = *name;
      }
      return true;
    };
    header = Json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
    if (header.is_discarded()) return corrupt("the header is not valid JSON");
    if (!header.is_object()) return corrupt("the header is not a JSON object");
    if (!repeated.empty()) return corrupt(fmt::format("the name '{}' occurs twice", repeated));
    return {};
  }

  Status readMetadata(const Json &value) {
    if (!value.is_object()) return corrupt("__metadata__ is not a JSON object");
    for (const auto &[key, entry] : value.items()) {
      auto *text = entry.get_ptr<const std::string *>();
      if (!text)
        return corrupt(fmt::format("__metadata__: the value of '{}' is not a string", key));
      container.metadata[key] = *text;
    }
    return {};
  }

  Status readBlob(const std::string &name, const Json &value) {
    Blob blob;
    blob.name = name;
    auto dtype = value.is_object() ? value.find("dtype") : value.end();
    auto shape = value.is_object() ? value.find("shape") : value.end();
    auto offsets = value.is_object() ? value.find("data_offsets") : value.end();
    if (dtype == value.end() || !dtype->is_string() || shape == value.end() || !shape->is_array() ||
        offsets == value.end() || !offsets->is_array() || offsets->size() != 2 ||
        !(*offsets)[0].is_number_unsigned() || !(*offsets)[1].is_number_unsigned())
      return corrupt(fmt::format("tensor '{}': dtype, shape or data_offsets are missing or of the "
                                 "wrong kind",
                                 name));
    blob.dtype = *dtype->get_ptr<const std::string *>();
    for (const Json &extent : *shape) {
      auto *number = extent.get_ptr<const Json::number_unsigned_t *>();
      if (!number || *number > INT64_MAX)
        return corrupt(fmt::format("tensor '{}': the shape has an entry that is no extent", name));
      blob.shape.push_back(static_cast<int64_t>(*number));
    }
    uint64_t begin = *(*offsets)[0].get_ptr<const Json::number_unsigned_t *>();
    uint64_t end = *(*offsets)[1].get_ptr<const Json::number_unsigned_t *>();
    if (begin > end)
      return corrupt(
          fmt::format("tensor '{}' ends at {}, before its start at {}", name, end, begin));
    if (end > data.size())
      return corrupt(fmt::format("truncated: tensor '{}' ends at byte {} of the data, which has {}",
                                 name, end, data.size()));
    SINTER_RETURN_IF_ERROR(checkSize(blob, static_cast<int64_t>(end - begin)));
    blob.bytes = data.subspan(begin, end - begin);
    container.blobs.push_back(std::move(blob));
    return {};
  }

  Status checkSize(const Blob &blob, int64_t held) const {
    auto width = std::find_if(std::begin(widths), std::end(widths),
                              [&](const Width &known) { return known.dtype == blob.dtype; });
    if (width == std::end(widths)) return {};
    int64_t needed = width->bytes;
    for (int64_t extent : blob.shape)
      if (__builtin_mul_overflow(needed, extent, &needed))
        return corrupt(fmt::format("tensor '{}': the shape overflows", blob.name));
    if (needed != held)
      return corrupt(fmt::format("tensor '{}': its {} shape needs {} bytes, its offsets span {}",
                                 blob.name, blob.dtype, needed, held));
    return {};
  }

  /// The blobs, in order, must cover the data: what no name reaches has no business there.
  Status checkCover() {
    auto &blobs = container.blobs;
    std::sort(blobs.begin(), blobs.end(), [](const Blob &a, const Blob &b) {
      return std::pair(a.bytes.data(), a.bytes.size()) < std::pair(b.bytes.data(), b.bytes.size());
    });
    int64_t covered = 0;
    const Blob *last = nullptr;
    for (const Blob &blob : blobs) {
      int64_t begin = blob.bytes.data() - data.data();
      if (begin < covered)
        return corrupt(fmt::format("tensors '{}' and '{}' overlap", last->name, blob.name));
      if (begin - covered >= maxPadding)
        return corrupt(
            fmt::format("{} bytes before tensor '{}' belong to none", begin - covered, blob.name));
      covered = begin + static_cast<int64_t>(blob.bytes.size());
      last = &blob;
    }
    if (covered != static_cast<int64_t>(data.size()))
      return corrupt(fmt::format("{} bytes at the end belong to no tensor",
                                 static_cast<int64_t>(data.size()) - covered));
    return {};
  }

  std::span<const uint8_t> bytes, text, data;
  std::string_view what;
  Json header;
  Container container;
};

} // namespace

const Blob *Container::find(std::string_view name) const {
  for (const Blob &blob : blobs)
    if (blob.name == name) return &blob;
  return nullptr;
}

Result<Container> parseContainer(std::span<const uint8_t> bytes, std::string_view what) {
  return Parser(bytes, what).run();
}

void ContainerWriter::addBytes(std::string name, std::span<const uint8_t> bytes) {
  add({std::move(name), "U8", {static_cast<int64_t>(bytes.size())}, bytes});
}

void ContainerWriter::addText(std::string name, std::string text) {
  texts.push_back(std::move(text));
  addBytes(std::move(name), bytesOf(texts.back()));
}

std::string ContainerWriter::header(std::vector<int64_t> &offsets) const {
  Json json = Json::object();
  if (!metadata.empty()) json["__metadata__"] = metadata;
  int64_t end = 0;
  for (const Blob &blob : blobs) {
    int64_t begin = alignUp(end, alignment);
    end = begin + static_cast<int64_t>(blob.bytes.size());
    json[blob.name] = {
        {"dtype", blob.dtype}, {"shape", blob.shape}, {"data_offsets", {begin, end}}};
    offsets.push_back(begin);
  }
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  // Spaces up to where the data is aligned in the file, and in a mapping of it.
  size_t whole = static_cast<size_t>(
      alignUp(static_cast<int64_t>(lengthBytes + text.size()), bufferAlignment));
  text.resize(whole - lengthBytes, ' ');
  std::string length(lengthBytes, '\0');
  for (uint64_t i = 0; i < lengthBytes; ++i) length[i] = static_cast<char>(text.size() >> (8 * i));
  return length + text;
}

std::vector<uint8_t> ContainerWriter::bytes() const {
  std::vector<int64_t> offsets;
  std::string start = header(offsets);
  std::vector<uint8_t> all(start.begin(), start.end());
  for (size_t i = 0; i < blobs.size(); ++i) {
    all.resize(start.size() + static_cast<size_t>(offsets[i])); // zeroes as padding
    all.insert(all.end(), blobs[i].bytes.begin(), blobs[i].bytes.end());
  }
  return all;
}

Status ContainerWriter::write(const std::string &path) const {
  static constexpr uint8_t zeroes[maxPadding] = {};
  std::vector<int64_t> offsets;
  std::string start = header(offsets);
  std::vector<std::span<const uint8_t>> parts{bytesOf(start)};
  int64_t end = 0;
  for (size_t i = 0; i < blobs.size(); ++i) {
    parts.emplace_back(zeroes, static_cast<size_t>(offsets[i] - end));
    parts.push_back(blobs[i].bytes);
    end = offsets[i] + static_cast<int64_t>(blobs[i].bytes.size());
  }
  return writeFile(path, parts);
}

} // namespace sinter::runtime
