// sinter-run: runs, trains or times a saved Program, or compiles a module of IR and runs that. Links
// the runtime alone; the compiler library is opened only when the file is IR.

#include "sinter/frontend/CompileFile.h"
#include "sinter/runtime/Device.h"
#include "sinter/runtime/Executor.h"
#include "sinter/runtime/Npy.h"
#include "sinter/runtime/Profiler.h"
#include "sinter/runtime/Safetensors.h"
#include "sinter/runtime/State.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <iostream>

using namespace sinter::runtime;

namespace {

/// How many kernels are timed besides the model's choice.
constexpr unsigned autotunedAlternatives = 3;

struct Options {
  std::string file, entry, device = "auto", outputDir, load, save, json, dump, profile;
  std::string numerics = "default", architecture;
  std::vector<std::string> inputs;
  int repeat = 1;
  bool gradient = false, autotune = false, tf32 = false, listLaunches = false;
  int threads = 0;
  int64_t seed = -1;
};

[[noreturn]] void fail(const std::string &message) {
  std::cerr << "sinter-run: error: " << message << "\n";
  std::exit(1);
}
void check(const Status &status) {
  if (!status.ok()) fail(status.error().message);
}
template <class T> T value(Result<T> result) {
  if (!result.ok()) fail(result.error().message);
  return std::move(*result);
}

/// Opens the compiler library beside the runtime's and lets it compile the file.
std::shared_ptr<const Program> compile(const Options &options) {
  void *library = dlopen("libSinterCompiler.so", RTLD_NOW);
  if (!library) {
    Dl_info self;
    if (dladdr(reinterpret_cast<void *>(&loadProgram), &self) && self.dli_fname)
      library = dlopen(
          (std::filesystem::path(self.dli_fname).parent_path() / "libSinterCompiler.so").c_str(),
          RTLD_NOW);
  }
  if (!library) fail(options.file + " is IR and needs the compiler library: " + dlerror());
  auto entry = reinterpret_cast<decltype(&sinterCompileFile)>(dlsym(library, SINTER_COMPILE_FILE));
  if (!entry) fail(std::string("the compiler library is of another version: ") + dlerror());
  std::string device = options.device == "auto" ? "cpu" : options.device;
  SinterCompileRequest request{options.file.c_str(),
                               device.c_str(),
                               options.entry.c_str(),
                               options.gradient,
                               options.dump.c_str(),
                               options.numerics.c_str(),
                               options.architecture.c_str(),
                               options.autotune ? autotunedAlternatives : 0,
                               options.tf32};
  char *error = nullptr;
  std::shared_ptr<const Program> program(entry(&request, &error));
  if (!program) {
    std::string message = error ? error : "compilation failed";
    std::free(error);
    fail(message);
  }
  return program;
}

std::shared_ptr<Device> openDevice(const Program &program, const Options &options) {
  CpuOptions cpu{.numThreads = options.threads};
  switch (program.target) {
  case TargetKind::cpu:
    if (options.device != "auto" && options.device != "cpu")
      fail("the program was compiled for the cpu, not for " + options.device);
    return cpuDevice(cpu);
  case TargetKind::reference:
    return referenceDevice();
  case TargetKind::cuda:
    if (options.device == "cuda-emulated") return value(emulatedCudaDevice());
    if (options.device != "auto" && options.device != "cuda")
      fail("the program was compiled for cuda, not for " + options.device);
    return value(cudaDevice());
  }
  fail("unknown target");
}

size_t chooseEntry(const Program &program, const std::string &name) {
  std::string names;
  for (size_t i = 0; i < program.entries.size(); ++i) {
    if (program.entries[i].name == name) return i;
    names += (i ? ", " : "") + program.entries[i].name;
  }
  if (name.empty() && program.entries.size() == 1) return 0;
  fail((name.empty() ? "the program has several entries, choose one with --entry: "
                     : "there is no entry '" + name + "'; there are: ") +
       names);
}

/// 64-byte aligned host memory, so that devices can use it in place.
struct HostBuffer {
  explicit HostBuffer(int64_t bytes)
      : bytes(bytes), data(static_cast<uint8_t *>(std::aligned_alloc(
                               64, size_t((std::max<int64_t>(bytes, 1) + 63) / 64 * 64))),
                           &std::free) {}
  int64_t bytes;
  std::unique_ptr<uint8_t, void (*)(void *)> data;
};

std::vector<HostBuffer> readInputs(const Entry &entry, const Options &options) {
  if (options.inputs.size() != entry.inputs.size()) {
    std::string ports;
    for (const Port &port : entry.inputs) ports += "\n  " + port.name + ": " + port.type.text();
    fail("entry '" + entry.name + "' has " + std::to_string(entry.inputs.size()) + " inputs, " +
         std::to_string(options.inputs.size()) + " given" + ports);
  }
  std::vector<HostBuffer> buffers;
  for (size_t i = 0; i < entry.inputs.size(); ++i) {
    NpyArray array = value(readNpy(options.inputs[i]));
    const Port &port = entry.inputs[i];
    TensorType stored = array.type;
    // NumPy has no bf16: its bits travel as uint16.
    bool sameType = stored.dtype == port.type.dtype;
    if (stored.shape != port.type.shape || !sameType ||
        int64_t(array.bytes.size()) != port.type.numBytes())
      fail(options.inputs[i] + " holds " + stored.text() + ", input " + std::to_string(i) + " ('" +
           port.name + "') is " + port.type.text());
    buffers.emplace_back(int64_t(array.bytes.size()));
    std::memcpy(buffers.back().data.get(), array.bytes.data(), array.bytes.size());
  }
  return buffers;
}

/// The value of a floating-point scalar.
std::optional<double> scalarOf(const TensorType &type, const uint8_t *bytes) {
  if (type.numElements() != 1) return std::nullopt;
  if (type.dtype == DType::bf16) { // the upper half of an f32
    uint16_t bits;
    std::memcpy(&bits, bytes, sizeof bits);
    return std::bit_cast<float>(uint32_t(bits) << 16);
  }
  if (type.dtype == DType::f32) {
    float number;
    std::memcpy(&number, bytes, sizeof number);
    return number;
  }
  if (type.dtype == DType::f64) {
    double number;
    std::memcpy(&number, bytes, sizeof number);
    return number;
  }
  return std::nullopt;
}

/// Parameters must all be in the file, and nothing that the program does not have. Moments, counters and
/// the like may be missing (a checkpoint of the model alone): they keep their first values.
void loadCheckpoint(State &state, const std::string &path) {
  SafetensorsFile file = value(SafetensorsFile::open(path));
  std::string missing, unexpected;
  auto add = [](std::string &list, const std::string &name) {
    list += (list.empty() ? "'" : ", '") + name + "'";
  };
  for (const StateVariable &variable : state.variables())
    if (variable.role == StateRole::parameter && !file.find(variable.name))
      add(missing, variable.name);
  for (const NamedTensor &tensor : file.tensors())
    if (state.find(tensor.name) < 0) add(unexpected, tensor.name);
  if (!missing.empty() || !unexpected.empty())
    fail(path + " is not a checkpoint of this program" +
         (missing.empty() ? "" : "; missing: " + missing) +
         (unexpected.empty() ? "" : "; unexpected: " + unexpected));
  check(loadState(state, path, /*strict=*/false));
}

void initialise(Executor &executor, const Program &program, const Options &options) {
  for (const StateVariable &variable : program.state) {
    if (variable.role != StateRole::seed) continue;
    auto stored = program.metadata.find("seed");
    int64_t seed = options.seed >= 0                  ? options.seed
                   : stored != program.metadata.end() ? std::atoll(stored->second.c_str())
                                                      : 0;
    check(executor.state()->set(variable.name, {reinterpret_cast<uint8_t *>(&seed), sizeof seed}));
  }
  if (const Entry *init = program.findEntry("init");
      init && init->inputs.empty() && init->outputs.empty())
    check(executor.run(size_t(init - program.entries.data()), {}, {}));
  if (!options.load.empty()) loadCheckpoint(*executor.state(), options.load);
}

/// One line a launch, and one for each of its alternatives, with what the compiler's model predicts.
void listLaunches(const Program &program, const Entry &entry) {
  std::printf("%s\n", entry.name.c_str());
  auto line = [&](const char *indent, uint32_t kernel, const LaunchShape &shape, double cycles) {
    std::printf("%s%s", indent, program.kernels[kernel].name.c_str());
    if (program.target == TargetKind::cuda)
      std::printf(" <<<%u, %u, %u>>>", shape.grid[0], shape.block[0], shape.sharedBytes);
    if (cycles > 0) std::printf(" %.1f kcycles predicted", cycles / 1000);
  };
  auto list = [&](const Block &block, const std::string &indent, auto &self) -> void {
    for (const Instruction &instruction : block) {
      if (auto *loop = std::get_if<Loop>(&instruction.op)) {
        std::printf("%sloop of %lld\n", indent.c_str(), static_cast<long long>(loop->count));
        self(*loop->body, indent + "  ", self);
      }
      auto *launch = std::get_if<Launch>(&instruction.op);
      if (!launch) continue;
      line(indent.c_str(), launch->kernel, launch->shape, launch->cycles);
      std::printf("  %s\n", launch->source.c_str());
      for (const Alternative &other : launch->alternatives) {
        line((indent + "  or ").c_str(), other.kernel, other.shape, other.cycles);
        std::printf("\n");
      }
    }
  };
  list(entry.body, "  ", list);
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app("Runs, trains or times a Program (.sinter), or compiles IR (.mlir) and runs that.");
  app.add_option("file", options.file, "FILE.sinter or FILE.mlir")->required();
  app.add_option("--entry", options.entry, "Entry to run; the only one by default");
  app.add_option("--device", options.device, "auto, cpu, cuda, cuda-emulated or reference")
      ->check(CLI::IsMember({"auto", "cpu", "cuda", "cuda-emulated", "reference"}));
  app.add_option("--input", options.inputs, "An .npy file for each input, in order")->take_all();
  app.add_option("--output-dir", options.outputDir,
                 "Writes out0.npy, out1.npy, ... (and gradN.npy) of the last run");
  app.add_option("--repeat", options.repeat, "Runs of the entry")->check(CLI::PositiveNumber);
  app.add_flag(
      "--grad", options.gradient,
      "IR only: cotangents follow the inputs; gradN.npy for each floating-point argument N");
  app.add_option("--load", options.load,
                 "Checkpoint (safetensors) to start from: the model's, or what --save wrote");
  app.add_option("--save", options.save, "Checkpoint to write at the end");
  app.add_option("--json", options.json, "Writes scalars of each run and times");
  app.add_option("--dump", options.dump,
                 "IR only: folder for the IR after each pass, kernels, ledger and plan");
  app.add_option("--numerics", options.numerics,
                 "IR only: default, or strict: the same bits whatever is fused")
      ->check(CLI::IsMember({"default", "strict"}));
  app.add_option("--arch", options.architecture, "IR only: sm_90, ... or a CPU's instruction set");
  app.add_flag(
      "--autotune", options.autotune,
      "Times the alternatives of kernels that have some, and keeps the fastest in the cache");
  app.add_flag("--tf32", options.tf32,
               "IR only, CUDA: matrix units multiply f32, each factor rounded to tf32");
  app.add_flag("--launches", options.listLaunches,
               "Prints the launches of the Program with their alternatives, and runs nothing");
  app.add_option("--profile", options.profile,
                 "Times every launch: prints a table, writes a Chrome trace to this file");
  app.add_option("--threads", options.threads, "CPU threads");
  app.add_option("--seed", options.seed, "Seed of initial values and random ops");
  CLI11_PARSE(app, argc, argv);

  bool isIr = std::filesystem::path(options.file).extension() == ".mlir";
  if (options.gradient && !isIr)
    fail("--grad needs IR: the gradients of a Program are already inside it");
  if (options.numerics != "default" && !isIr)
    fail("--numerics needs IR: the kernels of a Program are made");
  std::shared_ptr<const Program> program =
      isIr ? compile(options) : std::make_shared<const Program>(value(loadProgram(options.file)));
  if (options.listLaunches) {
    for (const Entry &entry : program->entries) listLaunches(*program, entry);
    return 0;
  }
  auto executor =
      value(Executor::create(program, openDevice(*program, options), nullptr, options.autotune));
  size_t index = chooseEntry(*program, isIr ? "" : options.entry);
  const Entry &entry = program->entries[index];
  std::vector<HostBuffer> inputs = readInputs(entry, options);
  initialise(*executor, *program, options);

  std::vector<HostBuffer> outputs;
  std::vector<const void *> inputAddresses;
  std::vector<void *> outputAddresses;
  for (const HostBuffer &input : inputs) inputAddresses.push_back(input.data.get());
  for (const Port &port : entry.outputs) outputs.emplace_back(port.type.numBytes());
  for (HostBuffer &output : outputs) outputAddresses.push_back(output.data.get());

  nlohmann::json record{{"file", options.file},
                        {"entry", entry.name},
                        {"device", executor->device()->description()},
                        {"kernels", executor->numLaunches(index)},
                        {"arena_bytes", entry.arenaBytes},
                        {"lower_bound_bytes", entry.lowerBoundBytes},
                        {"scalars", nlohmann::json::object()}};
  Profiler profiler;
  if (!options.profile.empty()) executor->setProfiler(&profiler);
  std::vector<double> milliseconds;
  for (int run = 0; run < options.repeat; ++run) {
    auto start = std::chrono::steady_clock::now();
    check(executor->run(index, inputAddresses, outputAddresses));
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
    for (size_t i = 0; i < outputs.size(); ++i)
      if (auto number = scalarOf(entry.outputs[i].type, outputs[i].data.get()))
        record["scalars"][entry.outputs[i].name].push_back(*number);
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  record["step_ms"] = milliseconds[milliseconds.size() / 2];

  if (!options.outputDir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.outputDir, error);
    if (error) fail("cannot make the folder " + options.outputDir + ": " + error.message());
    for (size_t i = 0; i < outputs.size(); ++i) {
      // Gradients carry their argument's number in their name; other outputs go by position.
      const Port &port = entry.outputs[i];
      std::string name =
          port.name.starts_with("grad") && options.gradient ? port.name : "out" + std::to_string(i);
      check(writeNpy(options.outputDir + "/" + name + ".npy", port.type,
                     {outputs[i].data.get(), size_t(outputs[i].bytes)}));
    }
  }
  if (!options.save.empty()) check(saveState(*executor->state(), options.save));
  if (!options.json.empty()) {
    std::ofstream stream(options.json);
    stream << record.dump(1) << "\n";
    if (!stream) fail("cannot write " + options.json);
  }
  for (auto &[name, values] : record["scalars"].items())
    std::printf("%s %.9g\n", name.c_str(), values.back().get<double>());
  if (!options.profile.empty()) {
    std::fputs(profiler.summary().c_str(), stdout);
    check(profiler.writeChromeTrace(options.profile));
  }
  std::printf("%d run%s of '%s', median %.4g ms\n", options.repeat, options.repeat == 1 ? "" : "s",
              entry.name.c_str(), record["step_ms"].get<double>());
  return 0;
}
