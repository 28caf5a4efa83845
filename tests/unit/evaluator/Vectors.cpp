#include "Vectors.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

namespace sinter::test {

static double numberOf(const nlohmann::json &value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value.get<double>();
  std::string text = value.get<std::string>();
  double infinity = std::numeric_limits<double>::infinity();
  return text == "nan"   ? std::numeric_limits<double>::quiet_NaN()
         : text == "inf" ? infinity
                         : -infinity;
}

static std::vector<VectorTensor> tensorsOf(const nlohmann::json &object, const char *key) {
  std::vector<VectorTensor> tensors;
  if (!object.contains(key)) return tensors;
  for (const nlohmann::json &entry : object[key]) {
    VectorTensor tensor{entry["name"], entry["dtype"], entry["shape"], {}};
    for (const nlohmann::json &value : entry["data"]) tensor.data.push_back(numberOf(value));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

const VectorTensor *VectorCase::input(const std::string &wanted) const {
  auto found =
      std::find_if(inputs.begin(), inputs.end(), [&](const auto &t) { return t.name == wanted; });
  return found == inputs.end() ? nullptr : &*found;
}

std::vector<VectorCase> loadVectors(const std::string &op) {
  std::vector<VectorCase> cases;
  std::vector<std::filesystem::path> paths;
  for (const auto &entry :
       std::filesystem::directory_iterator(SINTER_TEST_SOURCE_DIR "/oracle/vectors"))
    if (op.empty() || entry.path().stem() == op) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const auto &path : paths) {
    std::ifstream file(path);
    nlohmann::json contents = nlohmann::json::parse(file);
    for (const nlohmann::json &entry : contents["cases"])
      cases.push_back({contents["op"], entry["name"], entry["attributes"],
                       tensorsOf(entry, "inputs"), tensorsOf(entry, "outputs"),
                       tensorsOf(entry, "cotangents"), tensorsOf(entry, "gradients")});
  }
  return cases;
}

} // namespace sinter::test
