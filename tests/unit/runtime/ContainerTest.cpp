#include "sinter/runtime/Container.h"
#include "RuntimeTest.h"

namespace sinter::runtime {
namespace {

/// A file of this header and so many bytes of data.
std::vector<uint8_t> file(const std::string &header, size_t dataBytes) {
  std::vector<uint8_t> bytes(8);
  for (size_t i = 0; i < 8; ++i)
    bytes[i] = static_cast<uint8_t>(uint64_t(header.size()) >> (8 * i));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.resize(bytes.size() + dataBytes);
  return bytes;
}
Result<Container> parse(const std::string &header, size_t dataBytes) {
  std::vector<uint8_t> bytes = file(header, dataBytes);
  return parseContainer(bytes, "'x.safetensors'");
}

TEST(Container, RoundTrip) {
  std::vector<uint8_t> payload{1, 2, 3, 4, 5, 6, 7, 8};
  for (int64_t alignment : {1, 64}) {
    ContainerWriter writer(alignment);
    writer.setMetadata({{"maker", "test"}});
    writer.add({"b", "F32", {1, 2}, payload});
    writer.addText("a", "hello");
    writer.addBytes("empty", {});
    std::vector<uint8_t> bytes = writer.bytes();
    auto container = parseContainer(bytes, "x");
    ASSERT_OK(container);
    EXPECT_EQ(container->metadata.at("maker"), "test");
    ASSERT_NE(container->find("b"), nullptr);
    EXPECT_THAT(container->find("b")->shape, ::testing::ElementsAre(1, 2));
    EXPECT_TRUE(std::ranges::equal(container->find("b")->bytes, payload));
    auto text = container->find("a")->bytes;
    EXPECT_EQ(std::string(text.begin(), text.end()), "hello");
    EXPECT_EQ((container->find("b")->bytes.data() - bytes.data()) % 64, 0);
    EXPECT_EQ((text.data() - bytes.data()) % alignment, 0);
    EXPECT_EQ(container->find("c"), nullptr);
  }
}

TEST(Container, ReadsAHeaderThatOthersWrote) {
  auto container = parse(
      R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}  )",
      4);
  ASSERT_OK(container);
  EXPECT_EQ(container->blobs[0].dtype, "F16");
}

TEST(Container, RefusesTruncatedFiles) {
  EXPECT_ERROR(parseContainer({}, "'e'"), corrupt,
               "'e': truncated: 0 bytes are too few for a header");
  std::vector<uint8_t> bytes = file("{}                    ", 0);
  bytes.resize(20);
  EXPECT_ERROR(parseContainer(bytes, "'t'"), corrupt,
               "'t': truncated: the header has 22 bytes, the file only 20");
  EXPECT_ERROR(parse(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7), corrupt,
               "'x.safetensors': truncated: tensor 'w' ends at byte 8 of the data, which has 7");
}

TEST(Container, RefusesAHugeHeader) {
  std::vector<uint8_t> bytes(100, 0xff);
  EXPECT_ERROR(
      parseContainer(bytes, "'x'"), corrupt,
      "'x': not a safetensors file or program: its header would have 18446744073709551615");
}

TEST(Container, RefusesBadJson) {
  EXPECT_ERROR(parse("{\"w\":", 0), corrupt, "the header is not valid JSON");
  EXPECT_ERROR(parse("[1]", 0), corrupt, "the header is not a JSON object");
  EXPECT_ERROR(parse(std::string(100000, '['), 0), corrupt, "the header is not valid JSON");
  EXPECT_ERROR(parse(R"({"__metadata__":{"a":1}})", 0), corrupt,
               "the value of 'a' is not a string");
}

TEST(Container, RefusesMalformedTensors) {
  for (const char *entry : {"1", "{}", R"({"dtype":"F32","shape":[2]})",
                            R"({"dtype":1,"shape":[2],"data_offsets":[0,8]})",
                            R"({"dtype":"F32","shape":[2],"data_offsets":[-1,8]})",
                            R"({"dtype":"F32","shape":[2],"data_offsets":[0,8.5]})",
                            R"({"dtype":"F32","shape":[2],"data_offsets":[0,8,9]})"})
    EXPECT_ERROR(parse(std::string("{\"w\":") + entry + "}", 8), corrupt,
                 "tensor 'w': dtype, shape or data_offsets are missing or of the wrong kind");
  EXPECT_ERROR(parse(R"({"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8), corrupt,
               "tensor 'w': the shape has an entry that is no extent");
}

TEST(Container, RefusesSizesThatDisagree) {
  EXPECT_ERROR(parse(R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8), corrupt,
               "tensor 'w': its F32 shape needs 12 bytes, its offsets span 8");
  EXPECT_ERROR(
      parse(R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", 8),
      corrupt, "tensor 'w': the shape overflows");
  EXPECT_ERROR(parse(R"({"w":{"dtype":"U8","shape":[0],"data_offsets":[8,4]}})", 8), corrupt,
               "tensor 'w' ends at 4, before its start at 8");
}

TEST(Container, RefusesOverlapsHolesAndRepeatedNames) {
  EXPECT_ERROR(parse(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},
                         "b":{"dtype":"U8","shape":[8],"data_offsets":[4,12]}})",
                     12),
               corrupt, "tensors 'a' and 'b' overlap");
  EXPECT_ERROR(parse(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[100,108]}})", 108), corrupt,
               "100 bytes before tensor 'a' belong to none");
  EXPECT_ERROR(parse(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", 9), corrupt,
               "1 bytes at the end belong to no tensor");
  EXPECT_ERROR(parse(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},
                         "a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
                     8),
               corrupt, "the name 'a' occurs twice");
}

} // namespace
} // namespace sinter::runtime
