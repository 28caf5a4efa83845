#include "sinter/runtime/cuda/CudaModule.h"

#include <cstring>
#include <fmt/format.h>

namespace sinter::runtime::cuda {

namespace {

/// The program's own image for a GPU: "sm_90a" or "sm_90" for 9.0, or null. Images of other
/// architectures are not looked at: a cubin of sm_80 runs on 8.6, but the text gives a better one.
const std::vector<uint8_t> *imageFor(const Kernel &kernel, int capability) {
  for (const char *suffix : {"a", ""})
    if (auto found = kernel.images.find(fmt::format("sm_{}{}", capability, suffix));
        found != kernel.images.end())
      return &found->second;
  return nullptr;
}

Result<std::unique_ptr<LoadedKernel>> loadImage(const std::shared_ptr<CudaContext> &context,
                                                const Kernel &source,
                                                const std::vector<uint8_t> &image,
                                                const std::string &madeBy) {
  const CudaApi &api = *context->api;
  auto kernel = std::make_unique<CudaKernel>(context);
  kernel->name = source.name;
  kernel->awaits = source.awaits;
  char log[4096] = {};
  int options[] = {cuJitErrorLogBuffer, cuJitErrorLogBufferBytes};
  void *values[] = {log, reinterpret_cast<void *>(sizeof(log) - 1)};
  const CuResult loaded = api.cuModuleLoadDataEx(&kernel->module, image.data(), 2, options, values);
  if (loaded != cuSuccess)
    return Error{
        ErrorCode::deviceFailure,
        fmt::format("kernel '{}', {}, does not load on {}, whose driver is for CUDA {}.{}: "
                    "{}{}{}",
                    source.name, madeBy, context->name, context->driverVersion / 1000,
                    context->driverVersion % 1000 / 10,
                    api.check(loaded, "cuModuleLoadDataEx").error().message, log[0] ? "\n" : "",
                    log)};
  Status found =
      api.check(api.cuModuleGetFunction(&kernel->function, kernel->module, source.name.c_str()),
                "cuModuleGetFunction");
  if (!found.ok())
    return Error{found.error().code,
                 fmt::format("kernel '{}': {}", source.name, found.error().message)};
  return std::unique_ptr<LoadedKernel>(std::move(kernel));
}

} // namespace

CudaKernel::~CudaKernel() {
  if (!module) return;
  context_->defer(context_->enterResult(), "cuCtxSetCurrent");
  context_->defer(context_->api->cuModuleUnload(module), "cuModuleUnload");
}

Result<std::vector<std::unique_ptr<LoadedKernel>>>
loadKernels(const std::shared_ptr<CudaContext> &context, const Nvrtc *nvrtc,
            const std::string &nvrtcMissing, const Program &program) {
  if (program.target != TargetKind::cuda)
    return Error{ErrorCode::invalidArgument,
                 fmt::format("the program was not compiled for CUDA, and {} runs nothing else",
                             context->name)};
  std::vector<NvrtcRequest> requests;
  std::vector<size_t> requested;
  for (size_t i = 0; i < program.kernels.size(); ++i) {
    const Kernel &kernel = program.kernels[i];
    if (imageFor(kernel, context->capability)) continue;
    if (kernel.source.empty())
      return Error{ErrorCode::unsupported,
                   fmt::format("kernel '{}' has no image for sm_{} and no text to compile",
                               kernel.name, context->capability)};
    if (!nvrtc)
      return Error{
          ErrorCode::notFound,
          fmt::format("kernel '{}' has no image for sm_{}, and its text cannot be compiled: {}",
                      kernel.name, context->capability,
                      nvrtcMissing.empty() ? "there is no NVRTC" : nvrtcMissing)};
    SINTER_RETURN_IF_ERROR(nvrtc->suits(context->capability));
    requests.push_back(requestFor(program, kernel, nvrtc->archFor(context->capability)));
    requested.push_back(i);
  }
  std::vector<CompiledImage> compiled;
  if (!requests.empty()) { SINTER_ASSIGN_OR_RETURN(compiled, nvrtc->compileAll(requests)); }
  SINTER_RETURN_IF_ERROR(context->enter());
  std::vector<std::unique_ptr<LoadedKernel>> loaded(program.kernels.size());
  for (size_t i = 0, next = 0; i < program.kernels.size(); ++i) {
    const bool fromText = next < requested.size() && requested[next] == i;
    const std::vector<uint8_t> &image =
        fromText ? compiled[next].image : *imageFor(program.kernels[i], context->capability);
    next += fromText;
    SINTER_ASSIGN_OR_RETURN(loaded[i], loadImage(context, program.kernels[i], image,
                                                 fromText ? "compiled by NVRTC " + nvrtc->version()
                                                          : "whose image came with the program"));
  }
  return loaded;
}

} // namespace sinter::runtime::cuda
