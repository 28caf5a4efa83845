#include "sinter/frontend/Device.h"

#include "sinter/frontend/Errors.h"

namespace sinter {

Device Device::cpu(CpuOptions options) {
  return {Kind::cpu, runtime::cpuDevice({.numThreads = options.threads})};
}

Device Device::cuda(int ordinal) { return {Kind::cuda, check(runtime::cudaDevice(ordinal))}; }

Device Device::cuda_emulated(EmulatedOptions options) {
  return {Kind::cuda_emulated,
          check(runtime::emulatedCudaDevice({.schedules = options.schedules}))};
}

Device Device::reference() { return {Kind::reference, runtime::referenceDevice()}; }

Device Device::best() {
  auto gpu = runtime::cudaDevice(0);
  return gpu ? Device{Kind::cuda, *gpu} : cpu();
}

Device Device::named(const std::string &name, int threads) {
  if (name == "auto" && threads == 0) return best();
  if (name == "auto") {
    Device device = best();
    return device.kind() == Kind::cpu ? cpu({.threads = threads}) : device;
  }
  if (name == "cpu") return cpu({.threads = threads});
  if (name == "cuda") return cuda();
  if (name == "cuda-emulated") return cuda_emulated();
  if (name == "reference") return reference();
  throw UserError("Device: '" + name + "' is none of auto, cpu, cuda, cuda-emulated, reference",
                  Where::current());
}

std::string Device::name() const {
  switch (kind_) {
  case Kind::cpu:
    return "cpu";
  case Kind::cuda:
    return "cuda";
  case Kind::cuda_emulated:
    return "cuda-emulated";
  case Kind::reference:
    return "reference";
  }
  return "";
}

} // namespace sinter
