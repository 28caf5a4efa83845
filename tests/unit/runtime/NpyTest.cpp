#include "sinter/runtime/Npy.h"
#include "RuntimeTest.h"

namespace sinter::runtime {
namespace {

using testing::TemporaryFolder;

std::vector<uint8_t> npy(const std::string &header, size_t dataBytes, int version = 1) {
  std::string text = "\x93NUMPY";
  text += static_cast<char>(version);
  text += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    text += static_cast<char>(header.size() >> (8 * i));
  text += header + std::string(dataBytes, '\1');
  return {text.begin(), text.end()};
}
Result<NpyArray> parse(const std::string &header, size_t dataBytes, int version = 1) {
  std::vector<uint8_t> file = npy(header, dataBytes, version);
  return parseNpy(file, "'x.npy'");
}

TEST(Npy, EveryTypeAndRankComesBack) {
  TemporaryFolder folder;
  for (DType type : {DType::f32, DType::f64, DType::bf16, DType::f16, DType::i32, DType::i64,
                     DType::i1, DType::u8})
    for (std::vector<int64_t> shape : {std::vector<int64_t>{}, {5}, {2, 3}, {2, 0, 3}}) {
      TensorType tensor{type, shape};
      std::vector<uint8_t> bytes(static_cast<size_t>(tensor.numBytes()), 1);
      ASSERT_OK(writeNpy(folder.path("a.npy"), tensor, bytes));
      auto array = readNpy(folder.path("a.npy"));
      ASSERT_OK(array);
      EXPECT_EQ(array->type, tensor);
      EXPECT_EQ(array->bytes, bytes);
    }
}

TEST(Npy, HeaderIsWhatNumpyWrites) {
  TemporaryFolder folder;
  std::vector<uint8_t> bytes(24);
  ASSERT_OK(writeNpy(folder.path("a.npy"), {DType::f32, {2, 3}}, bytes));
  std::vector<uint8_t> file = testing::readAll(folder.path("a.npy"));
  std::string text(file.begin(), file.end());
  EXPECT_EQ(text.substr(10, 59), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
  EXPECT_EQ((file.size() - 24) % 64, 0u);
  EXPECT_EQ(text[file.size() - 25], '\n');
}

TEST(Npy, ReadsVersionsOfNumpy) {
  for (int version : {1, 2, 3}) {
    auto array =
        parse("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }    \n", 8, version);
    ASSERT_OK(array);
    EXPECT_EQ(array->type.text(), "i32[2]");
  }
}

TEST(Npy, Refusals) {
  EXPECT_ERROR(parse("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24), unsupported,
               "'x.npy': the array is in Fortran order; save numpy.ascontiguousarray of it");
  EXPECT_ERROR(parse("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8), unsupported,
               "'x.npy': element type '>f4' is not one of");
  EXPECT_ERROR(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7), corrupt,
               "'x.npy': f32[2] needs 8 bytes, the file has 7");
  EXPECT_ERROR(parse("{}", 0, 9), unsupported, ".npy version 9 is unknown");
  EXPECT_ERROR(
      parse("{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 8),
      corrupt, "the shape overflows");
  for (const char *header :
       {"", "{", "{}", "{'descr': '<f4'}", "{'descr': [('a', '<f4')], 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3), }",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,), }",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"})
    EXPECT_ERROR(parse(header, 8), corrupt, "'x.npy': the header is not what NumPy writes");
  EXPECT_ERROR(parseNpy({}, "'x'"), corrupt, "'x': not a .npy file");
  std::vector<uint8_t> cut = npy("{'descr': '<f4'", 0);
  cut.resize(12);
  EXPECT_ERROR(parseNpy(cut, "'x'"), corrupt, "'x': truncated in the header");
  EXPECT_ERROR(writeNpy("/tmp/x.npy", {DType::f32, {2}}, {}), invalidArgument,
               "f32[2] has 8 bytes, 0 were given");
}

} // namespace
} // namespace sinter::runtime
