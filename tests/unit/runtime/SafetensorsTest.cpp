#include "sinter/runtime/Safetensors.h"

#include "RuntimeTest.h"
#include "sinter/runtime/Container.h"
#include <cstring>

namespace sinter::runtime {
namespace {

using testing::bytesOf;
using testing::TemporaryFolder;

TEST(Safetensors, EveryElementTypeComesBack) {
  TemporaryFolder folder;
  std::vector<std::vector<uint8_t>> data;
  std::vector<NamedTensor> tensors;
  for (DType type : {DType::f32, DType::f64, DType::bf16, DType::f16, DType::i32, DType::i64,
                     DType::i1, DType::u8}) {
    TensorType tensor{type, {3, 1}};
    data.emplace_back(static_cast<size_t>(tensor.numBytes()),
                      static_cast<uint8_t>(data.size() + 1));
  }
  for (size_t i = 0; i < data.size(); ++i)
    tensors.push_back({"t." + std::to_string(i), {static_cast<DType>(i), {3, 1}}, data[i]});
  ASSERT_OK(writeSafetensors(folder.path("all.safetensors"), tensors, {{"epoch", "3"}}));

  auto file = SafetensorsFile::open(folder.path("all.safetensors"));
  ASSERT_OK(file);
  EXPECT_EQ(file->metadata().at("epoch"), "3");
  for (const NamedTensor &wanted : tensors) {
    const NamedTensor *found = file->find(wanted.name);
    ASSERT_NE(found, nullptr) << wanted.name;
    EXPECT_EQ(found->type, wanted.type);
    EXPECT_TRUE(std::ranges::equal(found->bytes, wanted.bytes));
    auto width = static_cast<uintptr_t>(byteWidth(wanted.type.dtype));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(found->bytes.data()) % width, 0u);
  }
  EXPECT_EQ(file->find("t"), nullptr);
}

TEST(Safetensors, AScalarAndAnEmptyTensor) {
  TemporaryFolder folder;
  std::vector<int64_t> step{7};
  std::vector<NamedTensor> tensors{{"step", {DType::i64, {}}, bytesOf(step)},
                                   {"none", {DType::f32, {0, 4}}, {}}};
  ASSERT_OK(writeSafetensors(folder.path("s"), tensors));
  auto file = SafetensorsFile::open(folder.path("s"));
  ASSERT_OK(file);
  EXPECT_TRUE(file->find("step")->type.shape.empty());
  EXPECT_EQ(file->find("none")->type.shape, (std::vector<int64_t>{0, 4}));
}

TEST(Safetensors, ReplacesTheFileAndLeavesNothingBeside) {
  TemporaryFolder folder;
  std::vector<float> values{1, 2};
  std::vector<NamedTensor> tensors{{"w", {DType::f32, {2}}, bytesOf(values)}};
  ASSERT_OK(writeSafetensors(folder.path("w"), tensors));
  auto old = SafetensorsFile::open(folder.path("w"));
  ASSERT_OK(old);
  values = {3, 4};
  ASSERT_OK(writeSafetensors(folder.path("w"), tensors));
  float first = 0;
  std::memcpy(&first, old->find("w")->bytes.data(), sizeof(first));
  EXPECT_EQ(first, 1.0f); // a reader keeps the file it opened
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Safetensors, Refusals) {
  TemporaryFolder folder;
  EXPECT_ERROR(SafetensorsFile::open(folder.path("no")), notFound,
               "cannot open '" + folder.path("no") + "': No such file or directory");
  EXPECT_ERROR(SafetensorsFile::open(folder.path()), invalidArgument, "is not a regular file");
  testing::writeAll(folder.path("short"), {1, 2, 3});
  EXPECT_ERROR(SafetensorsFile::open(folder.path("short")), corrupt,
               "'" + folder.path("short") + "': truncated: 3 bytes");

  ContainerWriter writer;
  std::vector<uint8_t> bytes(4);
  writer.add({"q", "I8", {4}, bytes});
  ASSERT_OK(writer.write(folder.path("i8")));
  EXPECT_ERROR(SafetensorsFile::open(folder.path("i8")), unsupported,
               "tensor 'q' has element type I8, which Sinter does not have");

  std::vector<NamedTensor> twice(2, {"w", {DType::u8, {4}}, bytes});
  EXPECT_ERROR(writeSafetensors(folder.path("w"), twice), invalidArgument,
               "two tensors are named 'w'");
  std::vector<NamedTensor> small{{"w", {DType::f32, {4}}, bytes}};
  EXPECT_ERROR(writeSafetensors(folder.path("w"), small), invalidArgument,
               "tensor 'w' is f32[4] of 16 bytes, 4 were given");
  EXPECT_ERROR(writeSafetensors(folder.path("no/w"), {}), notFound, "cannot write");
}

} // namespace
} // namespace sinter::runtime
