#include "sinter/runtime/Npy.h"
#include "sinter/runtime/File.h"
#include "sinter/runtime/Memory.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

namespace sinter::runtime {
namespace {

constexpr std::string_view magic = "\x93NUMPY";

// Indexed by DType.
constexpr std::array<std::string_view, 8> descriptions{"<f4", "<f8", "<u2", "<f2",
                                                       "<i4", "<i8", "|b1", "|u1"};

std::optional<DType> parseDescription(std::string_view text) {
  for (size_t i = 0; i < descriptions.size(); ++i)
    if (descriptions[i] == text) return static_cast<DType>(i);
  return std::nullopt;
}

/// Reads the header, a Python dictionary of three entries:
///   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
public:
  explicit HeaderParser(std::string_view text) : rest(text) {}

  bool parse() {
    if (!take('{')) return false;
    while (!take('}')) {
      std::string_view key;
      if (!quoted(key) || !take(':') || !value(key)) return false;
      take(',');
    }
    skipSpace();
    return rest.empty() && seen == 7;
  }

  std::string_view description;
  bool fortranOrder = false;
  std::vector<int64_t> shape;

private:
  void skipSpace() {
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\n')) rest.remove_prefix(1);
  }
  bool take(char c) {
    skipSpace();
    if (rest.empty() || rest[0] != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  bool takeWord(std::string_view word) {
    skipSpace();
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  }
  bool quoted(std::string_view &text) {
    skipSpace();
    if (rest.empty() || (rest[0] != '\'' && rest[0] != '"')) return false;
    size_t end = rest.find(rest[0], 1);
    if (end == std::string_view::npos) return false;
    text = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    return true;
  }
  bool value(std::string_view key) {
    if (key == "descr") return once(1) && quoted(description);
    if (key == "shape") return once(4) && tuple();
    if (key != "fortran_order" || !once(2)) return false;
    fortranOrder = takeWord("True");
    return fortranOrder || takeWord("False");
  }
  bool once(int bit) {
    bool first = !(seen & bit);
    seen |= bit;
    return first;
  }
  bool tuple() {
    if (!take('(')) return false;
    while (!take(')')) {
      skipSpace();
      int64_t extent = 0;
      auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), extent);
      if (error != std::errc() || extent < 0) return false;
      rest.remove_prefix(static_cast<size_t>(end - rest.data()));
      shape.push_back(extent);
      if (!take(',') && !(!rest.empty() && rest[0] == ')')) return false;
    }
    return true;
  }

  std::string_view rest;
  int seen = 0;
};

} // namespace

Result<NpyArray> parseNpy(std::span<const uint8_t> file, std::string_view what) {
  auto corrupt = [&](std::string_view message) {
    return Error{ErrorCode::corrupt, fmt::format("{}: {}", what, message)};
  };
  std::string_view text(reinterpret_cast<const char *>(file.data()), file.size());
  if (text.size() < 8 || !text.starts_with(magic)) return corrupt("not a .npy file");
  int version = file[6];
  if (version < 1 || version > 3)
    return Error{ErrorCode::unsupported,
                 fmt::format("{}: .npy version {} is unknown", what, version)};
  size_t lengthBytes = version == 1 ? 2 : 4;
  size_t start = 8 + lengthBytes;
  if (file.size() < start) return corrupt("truncated in the header");
  uint64_t length = 0;
  for (size_t i = 0; i < lengthBytes; ++i) length |= uint64_t(file[8 + i]) << (8 * i);
  if (length > file.size() - start) return corrupt("truncated in the header");

  HeaderParser header(text.substr(start, length));
  if (!header.parse()) return corrupt("the header is not what NumPy writes");
  auto dtype = parseDescription(header.description);
  if (!dtype)
    return Error{ErrorCode::unsupported,
                 fmt::format("{}: element type '{}' is not one of <f4 <f8 <f2 <i4 <i8 |b1 |u1, or "
                             "<u2 for bf16",
                             what, header.description)};
  if (header.fortranOrder && header.shape.size() > 1)
    return Error{
        ErrorCode::unsupported,
        fmt::format("{}: the array is in Fortran order; save numpy.ascontiguousarray of it", what)};

  NpyArray array{{*dtype, std::move(header.shape)}, {}};
  int64_t needed = byteWidth(*dtype);
  for (int64_t extent : array.type.shape)
    if (__builtin_mul_overflow(needed, extent, &needed)) return corrupt("the shape overflows");
  std::span<const uint8_t> data = file.subspan(start + length);
  if (static_cast<int64_t>(data.size()) != needed)
    return corrupt(
        fmt::format("{} needs {} bytes, the file has {}", array.type.text(), needed, data.size()));
  array.bytes.assign(data.begin(), data.end());
  return array;
}

Result<NpyArray> readNpy(const std::string &path) {
  SINTER_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
  return parseNpy(file.bytes(), fmt::format("'{}'", path));
}

Status writeNpy(const std::string &path, const TensorType &type, std::span<const uint8_t> bytes) {
  if (static_cast<int64_t>(bytes.size()) != type.numBytes())
    return {ErrorCode::invalidArgument,
            fmt::format("cannot write '{}': {} has {} bytes, {} were given", path, type.text(),
                        type.numBytes(), bytes.size())};
  std::string shape;
  for (int64_t extent : type.shape) shape += fmt::format("{}, ", extent);
  if (type.shape.size() > 1)
    shape.resize(shape.size() - 2); // Python's tuple of one keeps its comma
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                 descriptions[static_cast<size_t>(type.dtype)], shape);
  // Version 1 unless a shape of thousands of extents wants the wider length.
  size_t lengthBytes = text.size() + 128 > 65535 ? 4 : 2;
  size_t start = 8 + lengthBytes;
  size_t whole =
      static_cast<size_t>(alignUp(static_cast<int64_t>(start + text.size() + 1), bufferAlignment));
  text.resize(whole - start - 1, ' ');
  text += '\n';
  std::string head(magic);
  head += static_cast<char>(lengthBytes == 2 ? 1 : 2);
  head += '\0';
  for (size_t i = 0; i < lengthBytes; ++i) head += static_cast<char>(text.size() >> (8 * i));
  head += text;
  std::array<std::span<const uint8_t>, 2> parts{bytesOf(head), bytes};
  return writeFile(path, parts);
}

} // namespace sinter::runtime
