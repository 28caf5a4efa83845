// A program over the runtime alone: fills a buffer on the CPU by way of a Device.
#include <sinter/runtime/Device.h>

#include <cstdio>

namespace runtime = sinter::runtime;

int main() {
  auto device = runtime::cpuDevice();
  auto buffer = device->allocate(8);
  if (!buffer) {
    std::puts(buffer.error().message.c_str());
    return 1;
  }
  const uint8_t pattern[] = {1, 0, 0, 0};
  int32_t values[2] = {};
  if (!device->fill((*buffer)->address(), 8, pattern) ||
      !device->download(values, (*buffer)->address(), 8) || !device->synchronize())
    return 1;
  std::printf("%s: %d %d\n", device->description().c_str(), values[0], values[1]);
  return values[0] == 1 && values[1] == 1 ? 0 : 1;
}
