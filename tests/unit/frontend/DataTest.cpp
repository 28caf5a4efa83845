#include "FrontendTest.h"

#include <zlib.h>

#include <algorithm>
#include <set>

using namespace sinter;
using sinter::test::TemporaryFolder;
using sinter::test::writeBytes;
using testing::HasSubstr;

namespace {

std::vector<uint8_t> idx(std::vector<uint8_t> shape, std::vector<uint8_t> values,
                         uint8_t code = 8) {
  std::vector<uint8_t> bytes{0, 0, code, static_cast<uint8_t>(shape.size())};
  for (uint8_t size : shape) bytes.insert(bytes.end(), {0, 0, 0, size});
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

void writeGz(const std::string &path, const std::vector<uint8_t> &bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

} // namespace

TEST(Idx, ReadsBytesAndFloats) {
  TemporaryFolder folder;
  writeBytes(folder / "a", idx({2, 3}, {1, 2, 3, 4, 5, 255}));
  EXPECT_EQ(data::read_idx(folder / "a").text(), "[[1, 2, 3],\n [4, 5, 255]]");
  writeBytes(folder / "f", idx({1}, {0x3F, 0xC0, 0, 0}, 0x0D));
  EXPECT_EQ(data::read_idx(folder / "f").text(), "[1.5]");
  writeBytes(folder / "s", idx({2}, {0xFF, 0xFE, 0, 7}, 0x0B));
  EXPECT_EQ(data::read_idx(folder / "s").text(), "[-2, 7]");
  writeGz(folder / "z", idx({2}, {8, 9}));
  EXPECT_EQ(data::read_idx(folder / "z").text(), "[8, 9]");
}

TEST(Idx, RefusesWhatIsNoIdxFile) {
  TemporaryFolder folder;
  EXPECT_RUNTIME_ERROR(data::read_idx(folder / "none"), HasSubstr("none: no such file"));
  auto sound = idx({2, 3}, {1, 2, 3, 4, 5, 6});
  auto cut = sound;
  cut.pop_back();
  writeBytes(folder / "cut", cut);
  EXPECT_RUNTIME_ERROR(
      data::read_idx(folder / "cut"),
      HasSubstr("cut: truncated: of shape [2, 3] should have 18 bytes, it has 17"));
  sound.push_back(0);
  writeBytes(folder / "long", sound);
  EXPECT_RUNTIME_ERROR(data::read_idx(folder / "long"),
                       HasSubstr("too long: of shape [2, 3] should have 18 bytes, it has 19"));
  writeBytes(folder / "magic", {0x89, 'P', 'N', 'G', 0, 0, 0, 0});
  EXPECT_RUNTIME_ERROR(data::read_idx(folder / "magic"),
                       HasSubstr("not an IDX file: it starts with 0x89504e47"));
  writeBytes(folder / "tiny", {0, 0});
  EXPECT_RUNTIME_ERROR(data::read_idx(folder / "tiny"),
                       HasSubstr("2 bytes are too few for an IDX file"));
  writeBytes(folder / "header", {0, 0, 8, 3, 0, 0, 0, 1});
  EXPECT_RUNTIME_ERROR(data::read_idx(folder / "header"), HasSubstr("the IDX header is truncated"));
  writeBytes(folder / "huge", {0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255});
  EXPECT_RUNTIME_ERROR(data::read_idx(folder / "huge"), HasSubstr("its sizes are absurd"));
  writeGz(folder / "whole.gz", std::vector<uint8_t>(100000, 7));
  std::ifstream file(folder / "whole.gz", std::ios::binary);
  std::vector<uint8_t> packed((std::istreambuf_iterator<char>(file)), {});
  packed.resize(packed.size() - 12);
  writeBytes(folder / "part.gz", packed);
  EXPECT_RUNTIME_ERROR(data::read_idx(folder / "part.gz"),
                       HasSubstr("the gzip stream is truncated"));
}

TEST(Mnist, TakesPlainAndPackedFilesAndSaysWhatIsMissing) {
  TemporaryFolder folder;
  EXPECT_RUNTIME_ERROR(data::mnist(folder.text()),
                       HasSubstr("no train-images-idx3-ubyte, with or without .gz"));
  writeGz(folder / "train-images-idx3-ubyte.gz", idx({2, 2, 2}, {0, 51, 102, 255, 1, 2, 3, 4}));
  writeBytes(folder / "train-labels-idx1-ubyte", idx({2}, {7, 3}));
  writeBytes(folder / "t10k-images.idx3-ubyte", idx({1, 2, 2}, {0, 0, 0, 0}));
  writeBytes(folder / "t10k-labels-idx1-ubyte", idx({1}, {1}));
  auto mnist = data::mnist(folder.text());
  EXPECT_EQ(mnist.train.size(), 2);
  data::Example first = mnist.train.get(0);
  EXPECT_EQ(first.x.spec().text(), "f32[1, 2, 2]");
  EXPECT_NEAR(first.x.at(1), 0.2, 1e-7);
  EXPECT_EQ(first.y.spec().text(), "i64[]");
  EXPECT_EQ(first.y.item(), 7);
  writeBytes(folder / "t10k-labels-idx1-ubyte", idx({2}, {1, 2}));
  EXPECT_RUNTIME_ERROR(data::mnist(folder.text()),
                       HasSubstr("t10k-labels-idx1-ubyte: 2 labels for 1 images"));
}

TEST(Cifar, ReadsRecordsAndChecksThem) {
  TemporaryFolder folder;
  std::vector<uint8_t> record(3073, 255);
  record[0] = 4;
  for (int i = 1; i <= 5; ++i) writeBytes(folder / fmt::format("data_batch_{}.bin", i), record);
  EXPECT_RUNTIME_ERROR(data::cifar10(folder.text()), HasSubstr("no test_batch.bin"));
  writeBytes(folder / "test_batch.bin", record);
  auto cifar = data::cifar10(folder.text());
  EXPECT_EQ(cifar.train.size(), 5);
  EXPECT_EQ(cifar.test.get(0).x.spec().text(), "f32[3, 32, 32]");
  EXPECT_EQ(cifar.test.get(0).x.at(0), 1);
  record.pop_back();
  writeBytes(folder / "test_batch.bin", record);
  EXPECT_RUNTIME_ERROR(data::cifar10(folder.text()),
                       HasSubstr("3072 bytes are no whole number of records of 3073 bytes"));
  record.push_back(0);
  record[0] = 10;
  writeBytes(folder / "test_batch.bin", record);
  EXPECT_RUNTIME_ERROR(data::cifar10(folder.text()),
                       HasSubstr("label 10 of image 0 is none of 0 to 9"));
}

TEST(Csv, ReadsTablesAndNamesTheLineOfAMistake) {
  TemporaryFolder folder;
  auto write = [&](const char *name, const std::string &text) {
    writeBytes(folder / name, {text.begin(), text.end()});
  };
  write("a.csv", "x,y\n1, 2.5\n-3,4e1\r\n\n");
  EXPECT_EQ(data::read_csv(folder / "a.csv", {.skip_rows = 1}).text(), "[[1, 2.5],\n [-3, 40]]");
  EXPECT_RUNTIME_ERROR(data::read_csv(folder / "a.csv"),
                       HasSubstr("a.csv: line 1: 'x' is no number"));
  write("b.csv", "1,2\n3\n");
  EXPECT_RUNTIME_ERROR(data::read_csv(folder / "b.csv"),
                       HasSubstr("line 2: 1 numbers, the rows before have 2"));
  write("c.csv", "");
  EXPECT_RUNTIME_ERROR(data::read_csv(folder / "c.csv"), HasSubstr("c.csv: no rows"));
  Array digits = data::read_csv(SINTER_SOURCE_DIR "/examples/data/digits.csv.gz");
  EXPECT_EQ(digits.shape(), (Shape{1797, 65}));
}

namespace {
struct Squares : data::Dataset {
  int64_t size() const override { return 10; }
  data::Example get(int64_t i) const override {
    if (i == broken) throw std::runtime_error("sample 7 is broken");
    auto value = static_cast<float>(i);
    return {Array({value, value + 0.5f}), Array::scalar(value * value)};
  }
  int64_t broken = -1;
};
} // namespace

TEST(Loader, StacksSamplesAndKeepsTheLastPartialBatch) {
  Squares squares;
  for (int prefetch : {0, 1, 3}) {
    data::Loader loader(squares, {.batch_size = 4, .prefetch = prefetch});
    EXPECT_EQ(loader.numBatches(), 3);
    std::vector<std::string> seen;
    for (const data::Example &batch : loader.epoch(0)) seen.push_back(batch.y.text());
    EXPECT_THAT(seen, testing::ElementsAre("[0, 1, 4, 9]", "[16, 25, 36, 49]", "[64, 81]"));
  }
  data::Loader dropping(squares, {.batch_size = 4, .drop_last = true});
  EXPECT_EQ(dropping.numBatches(), 2);
}

TEST(Loader, OrderDependsOnSeedAndEpochAlone) {
  auto first = data::permutation(1000, 5, 2);
  EXPECT_EQ(first, data::permutation(1000, 5, 2));
  EXPECT_NE(first, data::permutation(1000, 5, 3));
  EXPECT_NE(first, data::permutation(1000, 6, 2));
  EXPECT_EQ(std::set<int64_t>(first.begin(), first.end()).size(), 1000u);
  EXPECT_GT(std::count_if(first.begin(), first.begin() + 500, [](int64_t i) { return i >= 500; }),
            200);
}

TEST(Loader, AnErrorOfTheDatasetReachesTheCaller) {
  Squares squares;
  squares.broken = 7;
  data::Loader loader(squares, {.batch_size = 2});
  int batches = 0;
  try {
    for (const data::Example &batch : loader.epoch(0)) batches += batch.x.rank() > 0;
    ADD_FAILURE();
  } catch (const std::runtime_error &error) { EXPECT_STREQ(error.what(), "sample 7 is broken"); }
  EXPECT_EQ(batches, 3);
}

TEST(Loader, MayBeLeftEarly) {
  Squares squares;
  data::Loader loader(squares, {.batch_size = 1, .prefetch = 2});
  auto epoch = loader.epoch(0);
  data::Example batch;
  EXPECT_TRUE(epoch.next(batch));
}

TEST(Dataset, SplitsTransformsAndChecks) {
  data::TensorDataset whole(Array(std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {10, 1}),
                            Array(std::vector<int>(10)), data::transforms::normalise(4.5, 0.5));
  EXPECT_EQ(whole.get(9).x.text(), "[9]");
  auto [train, test] = data::random_split(whole, 0.2, 0);
  EXPECT_EQ(train.size(), 8);
  EXPECT_EQ(test.size(), 2);
  data::TensorDataset images(
      Array(std::vector<uint8_t>{0, 255}, {1, 2, 1, 1}), Array(std::vector<int>(1)),
      data::transforms::compose(
          {data::transforms::to_float(), data::transforms::normalise({0.0, 0.5}, {1.0, 0.25})}));
  EXPECT_EQ(images.get(0).x.text(), "[[[0]],\n [[2]]]");
  Array three = Array::zeros({3, 2}), two = Array::zeros({2});
  EXPECT_USER_ERROR(data::TensorDataset(three, two),
                    "TensorDataset: f32[3, 2] inputs and f32[2] targets differ in number");
}

TEST(Augmented, CutsAndMirrorsByNumberAndEpoch) {
  std::vector<float> pixels;
  for (int i = 0; i < 6 * 3 * 4 * 4; ++i) pixels.push_back(static_cast<float>(i + 1));
  data::TensorDataset images(Array(pixels, {6, 3, 4, 4}), Array({0L, 1L, 2L, 3L, 4L, 5L}));
  data::Augmented augmented(images, {.padding = 1, .flip = true, .seed = 3});
  EXPECT_EQ(augmented.size(), 6);
  // The same sample of an epoch whatever is beside it.
  std::vector<int64_t> all{0, 1, 2, 3, 4, 5}, one{4};
  data::Example whole = augmented.batch_of_epoch(all, 7), alone = augmented.batch_of_epoch(one, 7);
  EXPECT_EQ(whole.x.rows(4, 5).text(), alone.x.text());
  EXPECT_EQ(alone.y.text(), "[4]");
  EXPECT_NE(whole.x.text(), augmented.batch_of_epoch(all, 8).x.text());
  // Each is one of 3 x 3 x 2 pictures, all planes alike, and in 60 epochs each of these occurs.
  std::set<std::string> found, possible;
  for (int64_t down = -1; down <= 1; ++down)
    for (int64_t right = -1; right <= 1; ++right)
      for (bool flip : {false, true}) {
        Array picture = Array::zeros({1, 3, 4, 4});
        for (int64_t plane = 0; plane < 3; ++plane)
          for (int64_t y = 0; y < 4; ++y)
            for (int64_t x = 0; x < 4; ++x) {
              int64_t from = y - down, column = (flip ? 3 - x : x) - right;
              if (from < 0 || from > 3 || column < 0 || column > 3) continue;
              picture.data<float>()[static_cast<size_t>(plane * 16 + y * 4 + x)] =
                  pixels[static_cast<size_t>(4 * 48 + plane * 16 + from * 4 + column)];
            }
        possible.insert(picture.text());
      }
  EXPECT_EQ(possible.size(), 18u);
  for (int64_t epoch = 0; epoch < 200; ++epoch)
    found.insert(augmented.batch_of_epoch(one, epoch).x.text());
  EXPECT_EQ(found, possible);
  // The loader passes its epoch on, through a subset, too.
  data::Subset some(augmented, {4});
  for (int64_t epoch : {0, 7})
    for (const data::Example &batch : data::Loader(some, {.batch_size = 1}).epoch(epoch))
      EXPECT_EQ(batch.x.text(), augmented.batch_of_epoch(one, epoch).x.text());
  EXPECT_USER_ERROR(data::Augmented(images, {.padding = -1}), "data::Augmented: padding is -1");
}
