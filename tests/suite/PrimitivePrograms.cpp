// primitive_programs FOLDER: each primitive of the device headers as a Program with its inputs (NAME.sinter,
// NAME.inN.npy), and its fingerprint (NAME.fingerprint), for `suite_check primitives`.

#include "../unit/ptx/Primitives.h"

#include "sinter/runtime/Npy.h"

#include <filesystem>
#include <fstream>
#include <iostream>

using namespace sinter::test;
using namespace sinter::runtime;

int main(int argc, char **argv) {
  if (argc != 2) {
    std::cerr << "primitive_programs FOLDER\n";
    return 1;
  }
  std::filesystem::create_directories(argv[1]);
  auto check = [](const Status &status) {
    if (!status.ok()) std::cerr << "primitive_programs: error: " << status.error().message << "\n";
    return status.ok();
  };
  const std::vector<Primitive> all = primitives();
  for (size_t i = 0; i < all.size(); ++i) {
    std::string prefix = std::string(argv[1]) + "/" + nameOf(all[i], i);
    if (!check(saveProgram(programOf(all[i]), prefix + ".sinter"))) return 1;
    for (size_t input = 0; input < all[i].inputs.size(); ++input) {
      const Bytes &bytes = all[i].inputs[input];
      if (!check(writeNpy(prefix + ".in" + std::to_string(input) + ".npy",
                          {DType::u8, {int64_t(bytes.size())}}, bytes)))
        return 1;
    }
    std::ofstream(prefix + ".fingerprint") << fingerprint(all[i]);
  }
  std::cout << all.size() << " primitives in " << argv[1] << "\n";
  return 0;
}
