#include "FrontendTest.h"

#include <sinter/runtime/Safetensors.h>

using namespace sinter;
using sinter::test::TemporaryFolder;
using testing::AllOf;
using testing::HasSubstr;

namespace {
struct Net : nn::Module {
  nn::Linear fc1{this, "fc1", {.in_features = 3, .out_features = 4}};
  nn::Linear fc2{this, "fc2", {.in_features = 4, .out_features = 2}};
  Tensor forward(Tensor x) { return fc2(relu(fc1(x))); }
};
struct Other : nn::Module {
  nn::Linear fc1{this, "fc1", {.in_features = 3, .out_features = 5}};
  nn::Linear head{this, "head", {.in_features = 5, .out_features = 2}};
};
} // namespace

TEST(Checkpoint, RoundTrip) {
  TemporaryFolder folder;
  Net a, b;
  a.set_value("fc1.bias", Array({1.f, 2.f, 3.f, 4.f}));
  save(a, folder / "a.safetensors");
  b.set_value("fc1.weight", Array::zeros({4, 3}));
  load(b, folder / "a.safetensors");
  for (const char *name : {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"})
    EXPECT_EQ(a.value(name).text(), b.value(name).text());
}

TEST(Checkpoint, OfAnotherModelListsTheDifferencesAndChangesNothing) {
  TemporaryFolder folder;
  Other other;
  save(other, folder / "other.safetensors");
  Net net;
  Array before = net.value("fc1.weight");
  EXPECT_RUNTIME_ERROR(
      load(net, folder / "other.safetensors"),
      AllOf(
          HasSubstr("is not a checkpoint of this model"),
          HasSubstr(
              "of another type: 'fc1.weight' (f32[5, 3] in the file, f32[4, 3] here), 'fc1.bias'"),
          HasSubstr("missing: 'fc2.weight', 'fc2.bias'"), HasSubstr("unexpected: 'head.")));
  EXPECT_EQ(net.value("fc1.weight").text(), before.text());
}

TEST(Checkpoint, NotStrictTakesWhatFits) {
  TemporaryFolder folder;
  struct Part : nn::Module {
    nn::Linear fc2{this, "fc2", {.in_features = 4, .out_features = 2}};
  } part;
  part.set_value("fc2.bias", Array({7.f, 8.f}));
  save(part, folder / "part.safetensors");
  Net net;
  EXPECT_RUNTIME_ERROR(load(net, folder / "part.safetensors"),
                       HasSubstr("missing: 'fc1.weight', 'fc1.bias'"));
  load(net, folder / "part.safetensors", {.strict = false});
  EXPECT_EQ(net.value("fc2.bias").text(), "[7, 8]");
}

TEST(Checkpoint, RefusesFilesThatAreNone) {
  TemporaryFolder folder;
  Net net;
  EXPECT_RUNTIME_ERROR(load(net, folder / "none.safetensors"), HasSubstr("none.safetensors"));
  test::writeBytes(folder / "bad.safetensors", {1, 2, 3});
  EXPECT_RUNTIME_ERROR(load(net, folder / "bad.safetensors"), HasSubstr("bad.safetensors"));
  EXPECT_RUNTIME_ERROR(save(net, folder / "no/such/folder.safetensors"),
                       HasSubstr("no/such/folder.safetensors"));
}

TEST(Checkpoint, ValuesAreChecked) {
  Net net;
  EXPECT_USER_ERROR(net.value("fc3.weight"), "the model has no parameter or buffer 'fc3.weight'");
  EXPECT_USER_ERROR(net.set_value("fc1.bias", Array::zeros({5})),
                    "set_value: 'fc1.bias' is f32[4], the value f32[5]");
}

TEST(Checkpoint, NamesMayBeOthersAndTypesNarrower) {
  TemporaryFolder folder;
  std::string path = folder / "half.safetensors";
  // 1.5 and -2 as f16; the head of another task; and no fc2.
  std::vector<uint16_t> halves(12, 0x3e00), biases(4, 0xc000);
  auto bytes = [](const std::vector<uint16_t> &values) {
    return std::span(reinterpret_cast<const uint8_t *>(values.data()), 2 * values.size());
  };
  check(runtime::writeSafetensors(
      path, std::vector<runtime::NamedTensor>{{"body.fc1.gamma", {f16, {4, 3}}, bytes(halves)},
                                              {"body.fc1.bias", {f16, {4}}, bytes(biases)},
                                              {"head.bias", {f16, {4}}, bytes(biases)}}));
  auto rename = [](const std::string &name) -> std::string {
    if (name.starts_with("head.")) return "";
    return name == "body.fc1.gamma" ? "fc1.weight" : name.substr(5);
  };
  Net net;
  Array before = net.value("fc2.weight");
  EXPECT_RUNTIME_ERROR(
      load(net, path, {.rename = rename, .optional = {"fc2."}}),
      HasSubstr("of another type: 'fc1.weight' (f16[4, 3] in the file, f32[4, 3] here)"));
  EXPECT_RUNTIME_ERROR(load(net, path, {.rename = rename, .convert = true}),
                       HasSubstr("missing: 'fc2.weight', 'fc2.bias'"));
  load(net, path, {.rename = rename, .optional = {"fc2."}, .convert = true});
  EXPECT_EQ(net.value("fc1.weight").text(), Array::full({4, 3}, 1.5).text());
  EXPECT_EQ(net.value("fc1.bias").text(), Array::full({4}, -2).text());
  EXPECT_EQ(net.value("fc2.weight").text(), before.text());
  auto same = [](const std::string &) -> std::string { return "fc1.bias"; };
  EXPECT_RUNTIME_ERROR(load(net, path, {.rename = same}),
                       HasSubstr("'body.fc1.bias' and 'body.fc1.gamma' both stand for 'fc1.bias'"));
}
