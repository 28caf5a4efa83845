#include "Programs.h"
#include "sinter/runtime/Container.h"

#include <nlohmann/json.hpp>
#include <zlib.h>

#include <random>

namespace sinter::runtime {
namespace {

using namespace testing;

/// Has one of everything that the format knows.
Program fullProgram() {
  Program program = stepProgram();
  program.target = TargetKind::cuda;
  program.isa = "avx2";
  program.metadata = {{"model", "Mnist\"Cnn"}};
  program.headers = {{"sinter/block.cuh", "// a header\n"}};
  program.kernels[0].source = "extern \"C\" __global__ void scale() {}";
  program.kernels[0].headers = {0};
  program.kernels[1].images["sm_90"] = {0x7f, 'E', 'L', 'F'};
  program.cpuImages["generic"] = {1, 2, 3};
  for (Kernel &kernel : program.kernels) kernel.function = nullptr;
  Entry &entry = program.entries[0];
  entry.lowerBoundBytes = 400;
  Launch &first = std::get<Launch>(entry.body[0].op);
  first.shape.grid = {4, 5, 6};
  first.shape.block = {128, 2, 1};
  first.shape.sharedBytes = 49152;
  first.cycles = 1200;
  first.alternatives = {Alternative{1, {{2, 1, 1}, {64, 1, 1}, 1024}, 1500.5}};
  program.kernels[0].awaits = true;
  TensorMapParam map{{Space::arena, 0, 0, 64}, DType::bf16, {8, 4}, {8, 2}, {4, 4}, 3};
  ScalarParam wide{DType::i64, {255, 255, 255, 255, 255, 255, 255, 255}};
  first.params.push_back(map);
  first.params.push_back(wide);
  Location flag{Space::arena, 0, 500, 1};
  auto body = std::make_shared<Block>(Block{step(Fill{{Space::arena, 0, 0, 64}, {1, 2}, "a:1"})});
  auto inner = std::make_shared<Block>(
      Block{step(Copy{{Space::arena, 0, 0, 8}, {Space::arena, 0, 8, 8}, "a:2"}),
            step(While{flag, body})});
  entry.body.push_back(step(Loop{4, {{{0}, 0, 64}}, body}, {2}));
  entry.body.push_back(step(If{flag, inner, nullptr}, {0, 3}));
  entry.body.push_back(step(If{flag, inner, body}));
  auto branch = std::make_shared<Block>(Block{step(If{flag, inner, body})});
  entry.body.push_back(step(Loop{2, {{{0, 2}, 0, 64}, {{0}, 0, 1}}, branch}));
  return program;
}

/// Puts the right checksum at the end.
void sign(std::vector<uint8_t> &bytes) {
  auto sum = static_cast<uint32_t>(crc32(0, bytes.data(), static_cast<uInt>(bytes.size() - 4)));
  std::memcpy(bytes.data() + bytes.size() - 4, &sum, 4);
}
/// The bytes of a container in the place of a program.
std::vector<uint8_t> programFile(const std::string &tree,
                                 std::map<std::string, std::string> metadata) {
  ContainerWriter writer(64);
  writer.setMetadata(std::move(metadata));
  writer.addText("program", tree);
  writer.addText("checksum", "abcd");
  std::vector<uint8_t> bytes = writer.bytes();
  sign(bytes);
  return bytes;
}
const std::map<std::string, std::string> goodMetadata{{"format", "sinter.program"},
                                                      {"version", "1"}};

/// The tree of the full program, for tests that bend it. Its blobs are gone with the container.
nlohmann::json emptyTree() {
  return nlohmann::json::parse(R"({"target":"cpu","isa":"","metadata":{},"state":[],"entries":[],
    "kernels":[],"constants":[],"headers":[],"cpu_images":{},"features":[]})");
}
Result<Program> readTree(const nlohmann::json &tree) {
  return deserialize(programFile(tree.dump(), goodMetadata));
}

TEST(ProgramFormat, RoundTripKeepsEverything) {
  Program program = fullProgram();
  auto bytes = serialize(program);
  ASSERT_OK(bytes);
  auto read = deserialize(*bytes);
  ASSERT_OK(read);
  // Nothing is lost when a second writing says the same.
  auto again = serialize(*read);
  ASSERT_OK(again);
  EXPECT_EQ(*again, *bytes);

  EXPECT_EQ(read->target, TargetKind::cuda);
  EXPECT_EQ(read->isa, "avx2");
  EXPECT_EQ(read->metadata, program.metadata);
  EXPECT_EQ(read->headers[0].text, program.headers[0].text);
  EXPECT_EQ(read->kernels[0].source, program.kernels[0].source);
  EXPECT_EQ(read->kernels[1].images, program.kernels[1].images);
  EXPECT_EQ(read->constants, program.constants);
  EXPECT_EQ(read->cpuImages, program.cpuImages);
  EXPECT_EQ(read->state[0].type, program.state[0].type);
  EXPECT_EQ(read->findState("w"), 0);
  const Entry *entry = read->findEntry("step");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->lowerBoundBytes, 400);
  EXPECT_EQ(entry->largest[0].label, program.entries[0].largest[0].label);
  EXPECT_THAT(read->requiredFeatures,
              ::testing::ElementsAre("alternatives", "if", "loop", "nested_offsets", "tensor_maps",
                                     "while"));
  const Launch &launch = std::get<Launch>(entry->body[0].op);
  EXPECT_EQ(launch.shape.grid[2], 6u);
  EXPECT_EQ(launch.source, "model.cpp:14 fc");
  EXPECT_EQ(std::get<ScalarParam>(launch.params[4]).bits[7], 255);
  EXPECT_EQ(std::get<TensorMapParam>(launch.params[3]).strides[0], 8);
  EXPECT_EQ(std::get<If>(entry->body[5].op).otherwise->size(), 1u);
  EXPECT_THAT(entry->body[4].dependencies, ::testing::ElementsAre(0, 3));
}

TEST(ProgramFormat, SavesAndLoadsAFile) {
  TemporaryFolder folder;
  ASSERT_OK(saveProgram(fullProgram(), folder.path("p.sinter")));
  EXPECT_OK(loadProgram(folder.path("p.sinter")));
  EXPECT_ERROR(loadProgram(folder.path("q.sinter")), notFound,
               "cannot open '" + folder.path("q.sinter"));
  std::vector<uint8_t> bytes = readAll(folder.path("p.sinter"));
  bytes.resize(bytes.size() - 1);
  writeAll(folder.path("p.sinter"), bytes);
  EXPECT_ERROR(loadProgram(folder.path("p.sinter")), corrupt,
               "'" + folder.path("p.sinter") + "': program: truncated");
}

TEST(ProgramFormat, AnyFlippedBitIsNoticed) {
  std::vector<uint8_t> bytes = *serialize(fullProgram());
  for (size_t i = 0; i < bytes.size(); i += 3) {
    bytes[i] ^= 1 << (i % 8);
    EXPECT_FALSE(deserialize(bytes).ok()) << "byte " << i;
    bytes[i] ^= 1 << (i % 8);
  }
  bytes[bytes.size() - 1] ^= 1;
  EXPECT_ERROR(deserialize(bytes), corrupt, "program: its checksum is");
}

// A checksum that fits says nothing about who wrote the rest.
TEST(ProgramFormat, AnyBytesAreReadOrRefused) {
  std::vector<uint8_t> good = *serialize(fullProgram());
  std::mt19937 random(7);
  int accepted = 0;
  for (int turn = 0; turn < 3000; ++turn) {
    std::vector<uint8_t> bytes = good;
    for (int change = 0; change < 1 + turn % 3; ++change) {
      uint8_t &byte = bytes[random() % bytes.size()];
      // Mostly one digit or bracket for another: what stays JSON gets furthest.
      byte = turn % 4 ? static_cast<uint8_t>("0123456789-[]{},\"e"[random() % 18])
                      : static_cast<uint8_t>(random());
    }
    sign(bytes);
    accepted += deserialize(bytes).ok();
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 3000);
}

TEST(ProgramFormat, KernelsOfThisProcessCannotBeSaved) {
  EXPECT_ERROR(serialize(stepProgram()), unsupported,
               "kernel 'scale' cannot be saved: it lives in this process only");
  Program program = stepProgram();
  program.target = TargetKind::reference;
  EXPECT_ERROR(serialize(program), unsupported,
               "a program for the reference device cannot be saved");
}

TEST(ProgramFormat, VersionAndFeatures) {
  EXPECT_OK(readTree(emptyTree()));
  EXPECT_ERROR(deserialize(programFile("{}", {})), corrupt,
               "program: this is a container of tensors, not a program");
  EXPECT_ERROR(deserialize(programFile("{}", {{"format", "sinter.program"}, {"version", "2"}})),
               unsupported, "the program has format version 2, this runtime reads 1");
  auto tree = emptyTree();
  tree["features"] = {"loop", "teleport"};
  EXPECT_ERROR(readTree(tree), unsupported,
               "the program needs the feature 'teleport', which this runtime does not have");
}

TEST(ProgramFormat, TreesOutOfShape) {
  EXPECT_ERROR(deserialize(programFile("{", goodMetadata)), corrupt, "its tree is not valid JSON");
  EXPECT_ERROR(deserialize(programFile("[]", goodMetadata)), corrupt, "'features' is missing");
  auto bent = [](const char *key, nlohmann::json value) {
    auto tree = emptyTree();
    tree[key] = std::move(value);
    return readTree(tree);
  };
  using Json = nlohmann::json;
  EXPECT_ERROR(bent("target", "tpu"), corrupt, "program: 'tpu' is no target");
  EXPECT_ERROR(bent("state", 3), corrupt, "a list is missing");
  EXPECT_ERROR(bent("isa", 3), corrupt, "a string is missing");
  EXPECT_ERROR(bent("constants", {"constant.0"}), corrupt, "the file has no blob 'constant.0'");
  EXPECT_ERROR(
      bent("state", Json::parse(R"([{"name":"w","role":"hat","dtype":"f32","shape":[]}])")),
      corrupt, "'hat' is no role");
  EXPECT_ERROR(
      bent("state", Json::parse(R"([{"name":"w","role":"seed","dtype":"f3","shape":[]}])")),
      corrupt, "'f3' is no element type");
  auto entryWith = [&](const char *body) {
    auto entry = Json::parse(R"({"name":"e","inputs":[],"outputs":[],"arena":64,"lower_bound":0,
                                 "largest":[]})");
    entry["body"] = Json::parse(body);
    return bent("entries", Json::array({entry}));
  };
  EXPECT_OK(entryWith(R"([{"op":"fill","to":["arena",0,0,64],"pattern":[0],"source":""}])"));
  EXPECT_ERROR(entryWith(R"([{"op":"fill","to":["arena",0,0,65],"pattern":[0],"source":""}])"),
               corrupt, "65 bytes at offset 0 lie outside the arena");
  EXPECT_ERROR(entryWith(R"([{"op":"fill","to":["arena",0,0],"pattern":[0],"source":""}])"),
               corrupt, "a location has not four parts");
  EXPECT_ERROR(entryWith(R"([{"op":"fill","to":["disk",0,0,64],"pattern":[0],"source":""}])"),
               corrupt, "'disk' is no memory space");
  EXPECT_ERROR(entryWith(R"([{"op":"fill","to":["arena",0,0,64],"pattern":[256],"source":""}])"),
               corrupt, "the number 256 is out of range");
  EXPECT_ERROR(entryWith(R"([{"op":"jump"}])"), corrupt, "'jump' is no instruction");
}

} // namespace
} // namespace sinter::runtime
