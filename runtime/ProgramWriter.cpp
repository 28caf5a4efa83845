#include "sinter/runtime/Container.h"
#include "sinter/runtime/File.h"
#include "sinter/runtime/ProgramFormat.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <zlib.h>

#include <cstring>
#include <set>

namespace sinter::runtime {
namespace {

using Json = nlohmann::json;

class Writer {
public:
  explicit Writer(const Program &program) : program(program) {}

  Result<std::vector<uint8_t>> run() {
    SINTER_RETURN_IF_ERROR(checkSaveable());
    SINTER_RETURN_IF_ERROR(checkProgram(program));
    Json tree;
    tree["target"] = format::spell(format::targets, program.target);
    tree["isa"] = program.isa;
    tree["metadata"] = program.metadata;
    tree["state"] = list(program.state, [&](const StateVariable &v) {
      Json json = type(v.type);
      json["name"] = v.name;
      json["role"] = format::spell(format::roles, v.role);
      return json;
    });
    tree["entries"] = list(program.entries, [&](const Entry &e) { return entry(e); });
    tree["kernels"] = list(program.kernels, [&](const Kernel &k) { return kernel(k); });
    tree["constants"] = list(program.constants, [&](const std::vector<uint8_t> &constant) {
      return blob("constant", constant);
    });
    tree["headers"] = list(program.headers, [&](const Program::Header &header) {
      return Json{{"name", header.name}, {"text", text("header", header.text)}};
    });
    tree["cpu_images"] = images("cpu_image", program.cpuImages);
    features.insert(program.requiredFeatures.begin(), program.requiredFeatures.end());
    tree["features"] = features;

    container.addText("program", tree.dump(-1, ' ', false, Json::error_handler_t::replace));
    constexpr uint8_t noChecksum[4] = {};
    container.addBytes("checksum", noChecksum);
    container.setMetadata(
        {{"format", std::string(format::magic)}, {"version", std::to_string(format::version)}});
    std::vector<uint8_t> bytes = container.bytes();
    size_t covered = bytes.size() - sizeof(noChecksum);
    uint32_t sum = static_cast<uint32_t>(crc32_z(0, bytes.data(), covered));
    for (size_t i = 0; i < sizeof(noChecksum); ++i)
      bytes[covered + i] = static_cast<uint8_t>(sum >> (8 * i));
    return bytes;
  }

private:
  Status checkSaveable() const {
    if (program.target == TargetKind::reference)
      return {ErrorCode::unsupported,
              "a program for the reference device cannot be saved: its kernels are functions of "
              "this process"};
    for (const Kernel &kernel : program.kernels) {
      bool saved = program.target == TargetKind::cpu
                       ? !program.cpuImages.empty()
                       : !kernel.source.empty() || !kernel.images.empty();
      if (!saved)
        return {
            ErrorCode::unsupported,
            fmt::format("kernel '{}' cannot be saved: it lives in this process only", kernel.name)};
    }
    return {};
  }

  template <class Items, class Write> static Json list(const Items &items, Write &&write) {
    Json json = Json::array();
    for (const auto &item : items) json.push_back(write(item));
    return json;
  }

  /// Adds a blob and returns its name.
  std::string blob(std::string_view kind, std::span<const uint8_t> bytes) {
    std::string name = fmt::format("{}.{}", kind, numBlobs++);
    container.addBytes(name, bytes);
    return name;
  }
  std::string text(std::string_view kind, std::string_view text) {
    return blob(kind, bytesOf(text));
  }
  Json images(std::string_view kind, const std::map<std::string, std::vector<uint8_t>> &images) {
    Json json = Json::object();
    for (const auto &[architecture, bytes] : images) json[architecture] = blob(kind, bytes);
    return json;
  }

  static Json type(const TensorType &type) {
    return {{"dtype", name(type.dtype)}, {"shape", type.shape}};
  }
  static Json port(const Port &port) {
    Json json = type(port.type);
    json["name"] = port.name;
    return json;
  }
  static Json location(const Location &location) {
    return Json::array({format::spell(format::spaces, location.space), location.index,
                        location.offset, location.bytes});
  }

  Json kernel(const Kernel &kernel) {
    Json json = {{"name", kernel.name},
                 {"headers", kernel.headers},
                 {"images", images("image", kernel.images)}};
    if (kernel.awaits) json["awaits"] = true;
    if (!kernel.source.empty()) json["source"] = text("source", kernel.source);
    return json;
  }

  Json entry(const Entry &entry) {
    Json largest = list(entry.largest, [](const Entry::Resident &resident) {
      return Json{{"bytes", resident.bytes}, {"label", resident.label}};
    });
    return {{"name", entry.name},
            {"inputs", list(entry.inputs, port)},
            {"outputs", list(entry.outputs, port)},
            {"body", block(entry.body)},
            {"arena", entry.arenaBytes},
            {"lower_bound", entry.lowerBoundBytes},
            {"largest", std::move(largest)}};
  }

  Json block(const Block &block) {
    return list(block, [&](const Instruction &instruction) {
      Json json = std::visit([&](const auto &op) { return write(op); }, instruction.op);
      if (!instruction.dependencies.empty()) json["after"] = instruction.dependencies;
      return json;
    });
  }

  Json param(const KernelParam &param) {
    if (auto *pointer = std::get_if<PointerParam>(&param))
      return {{"pointer", location(pointer->location)}, {"written", pointer->written}};
    if (auto *scalar = std::get_if<ScalarParam>(&param)) {
      uint64_t bits;
      std::memcpy(&bits, scalar->bits.data(), sizeof(bits));
      return {{"scalar", name(scalar->type)}, {"bits", bits}};
    }
    const auto &map = std::get<TensorMapParam>(param);
    features.insert(format::feature::tensorMaps);
    return {{"map", location(map.location)}, {"dtype", name(map.type)}, {"shape", map.shape},
            {"strides", map.strides},        {"box", map.box},          {"swizzle", map.swizzle}};
  }

  static Json shaped(uint32_t kernel, const LaunchShape &shape) {
    return {{"kernel", kernel},     {"grid", shape.grid},
            {"block", shape.block}, {"shared", shape.sharedBytes},
            {"range", shape.range}, {"grain", shape.grain}};
  }
  Json write(const Launch &launch) {
    if (!launch.alternatives.empty()) features.insert(format::feature::alternatives);
    Json json = shaped(launch.kernel, launch.shape);
    json["op"] = "launch";
    json["params"] = list(launch.params, [&](const KernelParam &p) { return param(p); });
    json["alternatives"] = list(launch.alternatives, [&](const Alternative &other) {
      Json item = shaped(other.kernel, other.shape);
      item["cycles"] = other.cycles;
      return item;
    });
    if (launch.cycles != 0) json["cycles"] = launch.cycles;
    json["label"] = launch.label;
    json["source"] = launch.source;
    return json;
  }
  Json write(const Copy &copy) {
    return {{"op", "copy"},
            {"from", location(copy.from)},
            {"to", location(copy.to)},
            {"source", copy.source}};
  }
  Json write(const Fill &fill) {
    return {{"op", "fill"},
            {"to", location(fill.to)},
            {"pattern", fill.pattern},
            {"source", fill.source}};
  }
  Json write(const Loop &loop) {
    features.insert(format::feature::loop);
    Json offsets = list(loop.offsets, [&](const LoopOffset &moved) {
      Json path = moved.path.front();
      if (moved.path.size() > 1) {
        features.insert(format::feature::nestedOffsets);
        path = moved.path;
      }
      return Json::array({std::move(path), moved.param, moved.stride});
    });
    return {{"op", "loop"},
            {"count", loop.count},
            {"offsets", std::move(offsets)},
            {"body", block(*loop.body)}};
  }
  Json write(const If &branch) {
    features.insert(format::feature::branch);
    Json json = {
        {"op", "if"}, {"condition", location(branch.condition)}, {"then", block(*branch.then)}};
    if (branch.otherwise) json["else"] = block(*branch.otherwise);
    return json;
  }
  Json write(const While &turn) {
    features.insert(format::feature::repeat);
    return {{"op", "while"}, {"condition", location(turn.condition)}, {"body", block(*turn.body)}};
  }

  const Program &program;
  ContainerWriter container{format::blobAlignment};
  std::set<std::string> features;
  int numBlobs = 0;
};

} // namespace

Result<std::vector<uint8_t>> serialize(const Program &program) { return Writer(program).run(); }

Status saveProgram(const Program &program, const std::string &path) {
  SINTER_ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, serialize(program));
  std::array<std::span<const uint8_t>, 1> parts{bytes};
  return writeFile(path, parts);
}

} // namespace sinter::runtime
