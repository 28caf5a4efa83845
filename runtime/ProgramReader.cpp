#include "sinter/runtime/Container.h"
#include "sinter/runtime/File.h"
#include "sinter/runtime/ProgramFormat.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <unordered_map>

namespace sinter::runtime {
namespace {

using Json = nlohmann::json;

constexpr int maxDepth = 40; // a little beyond what checkProgram allows

/// Takes the tree apart. The first thing out of place is kept as the error and everything after it
/// reads as empty, so that the code below says only what a program looks like.
class Reader {
public:
  Reader(const Json &tree, const Container &container) : tree(tree) {
    for (const Blob &blob : container.blobs) blobs.emplace(blob.name, blob.bytes);
  }

  Result<Program> run() {
    Program program;
    SINTER_RETURN_IF_ERROR(readFeatures(program));
    program.target = word<TargetKind>(at(tree, "target"), format::targets, "target");
    program.isa = text(at(tree, "isa"));
    for (const auto &[key, value] : object(at(tree, "metadata")))
      program.metadata[key] = text(value);
    for (const Json &json : list(at(tree, "state")))
      program.state.push_back({text(at(json, "name")), type(json),
                               word<StateRole>(at(json, "role"), format::roles, "role")});
    for (const Json &json : list(at(tree, "kernels"))) program.kernels.push_back(kernel(json));
    for (const Json &json : list(at(tree, "constants"))) program.constants.push_back(blob(json));
    for (const Json &json : list(at(tree, "headers")))
      program.headers.push_back({text(at(json, "name")), blobText(at(json, "text"))});
    program.cpuImages = images(at(tree, "cpu_images"));
    for (const Json &json : list(at(tree, "entries"))) program.entries.push_back(entry(json));
    if (!problem.empty()) return Error{ErrorCode::corrupt, "program: " + problem};
    return program;
  }

private:
  /// Comes first: a program with an unknown feature may have a tree this reader misreads.
  Status readFeatures(Program &program) {
    for (const Json &json : list(at(tree, "features"))) {
      std::string feature = text(json);
      if (std::find(format::knownFeatures.begin(), format::knownFeatures.end(), feature) ==
          format::knownFeatures.end())
        return {ErrorCode::unsupported,
                fmt::format("the program needs the feature '{}', which this runtime does not have: "
                            "a newer Sinter wrote it",
                            feature)};
      program.requiredFeatures.push_back(std::move(feature));
    }
    return {};
  }

  void fail(std::string message) {
    if (problem.empty()) problem = std::move(message);
  }

  const Json &at(const Json &json, const char *key) {
    static const Json nothing;
    auto found = json.is_object() ? json.find(key) : json.end();
    if (found != json.end()) return *found;
    fail(fmt::format("'{}' is missing", key));
    return nothing;
  }
  bool has(const Json &json, const char *key) const {
    return json.is_object() && json.contains(key);
  }

  const Json::array_t &list(const Json &json) {
    static const Json::array_t nothing;
    if (auto *array = json.get_ptr<const Json::array_t *>()) return *array;
    fail("a list is missing");
    return nothing;
  }
  const Json::object_t &object(const Json &json) {
    static const Json::object_t nothing;
    if (auto *value = json.get_ptr<const Json::object_t *>()) return *value;
    fail("an object is missing");
    return nothing;
  }
  std::string text(const Json &json) {
    if (auto *value = json.get_ptr<const std::string *>()) return *value;
    fail("a string is missing");
    return {};
  }
  bool flag(const Json &json) {
    if (auto *value = json.get_ptr<const bool *>()) return *value;
    fail("a truth value is missing");
    return false;
  }
  int64_t integer(const Json &json) {
    if (auto *value = json.get_ptr<const Json::number_unsigned_t *>(); value && *value <= INT64_MAX)
      return static_cast<int64_t>(*value);
    if (auto *value = json.get_ptr<const Json::number_integer_t *>();
        value && !json.is_number_unsigned())
      return *value;
    fail("a number is missing or out of range");
    return 0;
  }
  double real(const Json &json) {
    if (json.is_number()) return json.get<double>();
    fail("a number is missing");
    return 0;
  }
  template <class Number> Number number(const Json &json) {
    int64_t value = integer(json);
    if (value >= 0 && static_cast<uint64_t>(value) <= std::numeric_limits<Number>::max())
      return static_cast<Number>(value);
    fail(fmt::format("the number {} is out of range", value));
    return 0;
  }
  template <class Number> std::vector<Number> numbers(const Json &json) {
    std::vector<Number> values;
    for (const Json &item : list(json)) {
      if constexpr (std::is_signed_v<Number>) {
        values.push_back(integer(item));
      } else {
        values.push_back(number<Number>(item));
      }
    }
    return values;
  }
  std::array<uint32_t, 3> triple(const Json &json) {
    std::vector<uint32_t> values = numbers<uint32_t>(json);
    if (values.size() == 3) return {values[0], values[1], values[2]};
    fail("a grid or block has not three extents");
    return {};
  }
  template <class Enum, size_t N> Enum
  word(const Json &json, const std::array<std::string_view, N> &spellings, std::string_view what) {
    std::string spelling = text(json);
    if (auto value = format::parse<Enum>(spellings, spelling)) return *value;
    fail(fmt::format("'{}' is no {}", spelling, what));
    return {};
  }
  DType dtype(const Json &json) {
    std::string spelling = text(json);
    if (auto type = parseDType(spelling)) return *type;
    fail(fmt::format("'{}' is no element type", spelling));
    return {};
  }

  std::vector<uint8_t> blob(const Json &json) {
    std::string name = text(json);
    auto found = blobs.find(name);
    if (found != blobs.end()) return {found->second.begin(), found->second.end()};
    fail(fmt::format("the file has no blob '{}'", name));
    return {};
  }
  std::string blobText(const Json &json) {
    std::vector<uint8_t> bytes = blob(json);
    return {bytes.begin(), bytes.end()};
  }
  std::map<std::string, std::vector<uint8_t>> images(const Json &json) {
    std::map<std::string, std::vector<uint8_t>> images;
    for (const auto &[architecture, name] : object(json)) images[architecture] = blob(name);
    return images;
  }

  TensorType type(const Json &json) {
    return {dtype(at(json, "dtype")), numbers<int64_t>(at(json, "shape"))};
  }
  std::vector<Port> ports(const Json &json) {
    std::vector<Port> ports;
    for (const Json &port : list(json)) ports.push_back({text(at(port, "name")), type(port)});
    return ports;
  }
  Location location(const Json &json) {
    const Json::array_t &parts = list(json);
    if (parts.size() != 4) {
      fail("a location has not four parts");
      return {};
    }
    return {word<Space>(parts[0], format::spaces, "memory space"), number<uint32_t>(parts[1]),
            integer(parts[2]), integer(parts[3])};
  }

  Kernel kernel(const Json &json) {
    Kernel kernel;
    kernel.name = text(at(json, "name"));
    kernel.headers = numbers<uint32_t>(at(json, "headers"));
    if (has(json, "awaits")) kernel.awaits = flag(at(json, "awaits"));
    kernel.images = images(at(json, "images"));
    if (has(json, "source")) kernel.source = blobText(at(json, "source"));
    return kernel;
  }

  Entry entry(const Json &json) {
    Entry entry;
    entry.name = text(at(json, "name"));
    entry.inputs = ports(at(json, "inputs"));
    entry.outputs = ports(at(json, "outputs"));
    entry.body = block(at(json, "body"), 0);
    entry.arenaBytes = integer(at(json, "arena"));
    entry.lowerBoundBytes = integer(at(json, "lower_bound"));
    for (const Json &resident : list(at(json, "largest")))
      entry.largest.push_back({integer(at(resident, "bytes")), text(at(resident, "label"))});
    return entry;
  }

  Block block(const Json &json, int depth) {
    Block block;
    if (depth > maxDepth) {
      fail("instructions nest too deep");
      return block;
    }
    for (const Json &item : list(json)) {
      Instruction instruction{operation(item, depth), {}};
      if (has(item, "after")) instruction.dependencies = numbers<uint32_t>(at(item, "after"));
      block.push_back(std::move(instruction));
    }
    return block;
  }
  std::shared_ptr<Block> nested(const Json &json, int depth) {
    return std::make_shared<Block>(block(json, depth + 1));
  }

  decltype(Instruction::op) operation(const Json &json, int depth) {
    std::string op = text(at(json, "op"));
    if (op == "launch") return launch(json);
    if (op == "copy")
      return Copy{location(at(json, "from")), location(at(json, "to")), text(at(json, "source"))};
    if (op == "fill")
      return Fill{location(at(json, "to")), numbers<uint8_t>(at(json, "pattern")),
                  text(at(json, "source"))};
    if (op == "loop") return loop(json, depth);
    if (op == "if")
      return If{location(at(json, "condition")), nested(at(json, "then"), depth),
                has(json, "else") ? nested(at(json, "else"), depth) : nullptr};
    if (op == "while")
      return While{location(at(json, "condition")), nested(at(json, "body"), depth)};
    fail(fmt::format("'{}' is no instruction", op));
    return {};
  }

  Loop loop(const Json &json, int depth) {
    Loop loop;
    loop.count = integer(at(json, "count"));
    for (const Json &moved : list(at(json, "offsets"))) {
      const Json::array_t &parts = list(moved);
      if (parts.size() != 3) {
        fail("a loop's offset has not three parts");
        break;
      }
      std::vector<uint32_t> path = parts[0].is_array() ? numbers<uint32_t>(parts[0])
                                                       : std::vector{number<uint32_t>(parts[0])};
      loop.offsets.push_back({std::move(path), number<uint32_t>(parts[1]), integer(parts[2])});
    }
    loop.body = nested(at(json, "body"), depth);
    return loop;
  }

  LaunchShape shape(const Json &json) {
    return {triple(at(json, "grid")), triple(at(json, "block")),
            number<uint32_t>(at(json, "shared")), integer(at(json, "range")),
            integer(at(json, "grain"))};
  }
  Launch launch(const Json &json) {
    Launch launch;
    launch.kernel = number<uint32_t>(at(json, "kernel"));
    launch.shape = shape(json);
    for (const Json &item : list(at(json, "params"))) launch.params.push_back(param(item));
    for (const Json &item : list(at(json, "alternatives")))
      launch.alternatives.push_back(
          {number<uint32_t>(at(item, "kernel")), shape(item), real(at(item, "cycles"))});
    if (has(json, "cycles")) launch.cycles = real(at(json, "cycles"));
    launch.label = text(at(json, "label"));
    launch.source = text(at(json, "source"));
    return launch;
  }

  KernelParam param(const Json &json) {
    if (has(json, "pointer"))
      return PointerParam{location(at(json, "pointer")), flag(at(json, "written"))};
    if (has(json, "scalar")) {
      ScalarParam scalar;
      scalar.type = dtype(at(json, "scalar"));
      uint64_t value = 0;
      if (auto *bits = at(json, "bits").get_ptr<const Json::number_unsigned_t *>())
        value = *bits;
      else
        fail("a scalar has no bits");
      std::memcpy(scalar.bits.data(), &value, sizeof(value));
      return scalar;
    }
    TensorMapParam map;
    map.location = location(at(json, "map"));
    map.type = dtype(at(json, "dtype"));
    map.shape = numbers<int64_t>(at(json, "shape"));
    map.strides = numbers<int64_t>(at(json, "strides"));
    map.box = numbers<int64_t>(at(json, "box"));
    map.swizzle = number<uint32_t>(at(json, "swizzle"));
    return map;
  }

  const Json &tree;
  std::unordered_map<std::string, std::span<const uint8_t>> blobs;
  std::string problem;
};

Error corrupt(std::string message) {
  return {ErrorCode::corrupt, "program: " + std::move(message)};
}

Status checkVersion(const Container &container) {
  auto kind = container.metadata.find("format");
  if (kind == container.metadata.end() || kind->second != format::magic)
    return corrupt("this is a container of tensors, not a program");
  auto version = container.metadata.find("version");
  std::string found = version == container.metadata.end() ? "none" : version->second;
  if (found != std::to_string(format::version))
    return {ErrorCode::unsupported,
            fmt::format("the program has format version {}, this runtime reads {}", found,
                        format::version)};
  return {};
}

Status checkSum(const Container &container, std::span<const uint8_t> bytes) {
  const Blob *last = container.blobs.empty() ? nullptr : &container.blobs.back();
  if (!last || last->name != "checksum" || last->bytes.size() != 4)
    return corrupt("it has no checksum at its end");
  uint32_t stored = 0;
  for (size_t i = 0; i < 4; ++i) stored |= uint32_t(last->bytes[i]) << (8 * i);
  uint32_t found = static_cast<uint32_t>(crc32_z(0, bytes.data(), bytes.size() - 4));
  if (stored != found)
    return corrupt(fmt::format("its checksum is {:08x}, its bytes have {:08x}", stored, found));
  return {};
}

} // namespace

Result<Program> deserialize(std::span<const uint8_t> bytes) {
  SINTER_ASSIGN_OR_RETURN(Container container, parseContainer(bytes, "program"));
  SINTER_RETURN_IF_ERROR(checkVersion(container));
  SINTER_RETURN_IF_ERROR(checkSum(container, bytes));
  const Blob *blob = container.find("program");
  if (!blob) return corrupt("the blob 'program' is missing");
  Json tree =
      Json::parse(blob->bytes.begin(), blob->bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (tree.is_discarded()) return corrupt("its tree is not valid JSON");
  SINTER_ASSIGN_OR_RETURN(Program program, Reader(tree, container).run());
  SINTER_RETURN_IF_ERROR(checkProgram(program));
  return program;
}

Result<Program> loadProgram(const std::string &path) {
  SINTER_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(path));
  auto program = deserialize(file.bytes());
  if (!program.ok())
    return Error{program.error().code, fmt::format("'{}': {}", path, program.error().message)};
  return program;
}

} // namespace sinter::runtime
