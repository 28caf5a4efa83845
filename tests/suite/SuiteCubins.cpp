// suite_cubins: compiles every kernel of Programs to cubins by NVRTC, prints what ptxas says they need, and
// fails where a row or contraction kernel spills. Equal texts are compiled once.

#include "sinter/runtime/Program.h"
#include "sinter/runtime/cuda/Nvrtc.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>

using namespace sinter::runtime;
namespace fs = std::filesystem;

namespace {

/// The text with the kernel's own name taken out, by which equal kernels are known.
std::string canonical(const Kernel &kernel) {
  std::string text = kernel.source;
  if (size_t at = text.find("\n" + kernel.name + "("); at != std::string::npos)
    text.replace(at + 1, kernel.name.size(), "k");
  return text;
}

std::vector<fs::path> programsIn(const std::vector<std::string> &places) {
  std::vector<fs::path> found;
  for (const std::string &place : places)
    if (fs::is_directory(place)) {
      for (const auto &entry : fs::recursive_directory_iterator(place))
        if (entry.path().extension() == ".sinter") found.push_back(entry.path());
    } else {
      found.push_back(place);
    }
  std::sort(found.begin(), found.end());
  return found;
}

} // namespace

int main(int argc, char **argv) {
  std::vector<std::string> places, architectures{"sm_80", "sm_90", "sm_100"};
  CLI::App app(
      "Compiles the kernels of Programs and prints their registers, shared memory and spills.");
  app.add_option("place", places, "Programs, or folders with some")->required();
  app.add_option("--arch", architectures)->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  auto nvrtc = cuda::Nvrtc::open();
  if (!nvrtc.ok()) {
    std::cout << nvrtc.error().message << "\n";
    return 77;
  }
  std::set<std::string> seen;
  std::vector<cuda::NvrtcRequest> requests;
  size_t kernels = 0;
  for (const fs::path &path : programsIn(places)) {
    auto program = loadProgram(path.string());
    if (!program.ok()) {
      std::cerr << program.error().message << "\n";
      return 1;
    }
    for (const Kernel &kernel : program->kernels) {
      ++kernels;
      if (!seen.insert(canonical(kernel)).second) continue;
      cuda::NvrtcRequest request = cuda::requestFor(*program, kernel, "");
      request.options.resources = true;
      for (const std::string &arch : architectures) {
        request.arch = arch;
        requests.push_back(request);
      }
    }
  }
  auto images = (*nvrtc)->compileAll(requests);
  if (!images.ok()) {
    std::cerr << images.error().message << "\n";
    return 1;
  }
  int spilling = 0;
  std::printf("%-48s %-7s %9s %7s %6s\n", "kernel", "arch", "registers", "shared", "spills");
  for (size_t i = 0; i < requests.size(); ++i)
    for (const cuda::KernelResources &needs : (*images)[i].resources) {
      int spills = needs.spillLoads + needs.spillStores;
      spilling += spills > 0;
      std::printf("%-48.48s %-7s %9d %7d %6d\n", requests[i].name.c_str(), requests[i].arch.c_str(),
                  needs.registers, needs.sharedBytes, spills);
    }
  std::printf("%zu kernels, %zu different texts, %d cubins that spill\n", kernels, seen.size(),
              spilling);
  return spilling || requests.empty() ? 1 : 0;
}
