// Tables as data sets.
#include "FrontendTest.h"

using namespace sinter;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

struct File {
  explicit File(const std::string &text) : path(folder / "table.csv") {
    std::ofstream(path) << text;
  }
  test::TemporaryFolder folder;
  std::string path;
};

} // namespace

TEST(CsvDataset, HasNamedFeaturesAndClasses) {
  File file("length, width,\"kind, in words\"\n1.5,2,\"b, or so\"\n\n-3,4e1,a\r\n5,6,a\n");
  data::Csv csv(file.path);
  EXPECT_THAT(csv.feature_names(), ElementsAre("length", "width"));
  EXPECT_THAT(csv.classes(), ElementsAre("a", "b, or so"));
  EXPECT_EQ(csv.size(), 3);
  EXPECT_EQ(csv.x().shape(), (Shape{3, 2}));
  EXPECT_EQ(csv.x().reshape({6}).text(), Array({1.5f, 2.f, -3.f, 40.f, 5.f, 6.f}).text());
  EXPECT_EQ(csv.y().text(), "[1, 0, 0]");
  EXPECT_EQ(csv.y().dtype(), i64);
}

TEST(CsvDataset, TakesTheColumnsThatAreNamed) {
  File file("y;a;b;c\n10;1;2;3\n9;4;5;6\n");
  data::Csv csv(file.path, {.label = "y", .features = {"c", "a"}, .delimiter = ';'});
  EXPECT_EQ(csv.x().reshape({4}).text(), "[3, 1, 6, 4]");
  EXPECT_THAT(csv.classes(), ElementsAre("9", "10")); // as numbers
  EXPECT_EQ(csv.y().text(), "[1, 0]");
  data::Csv numbers(file.path, {.label = "y", .regression = true, .delimiter = ';'});
  EXPECT_EQ(numbers.y().text(), "[10, 9]");
  EXPECT_EQ(numbers.y().dtype(), f32);
  EXPECT_EQ(numbers.x().shape(), (Shape{2, 3}));
}

TEST(CsvDataset, NeedsNoHeader) {
  File file("1,2,cat\n3,4,dog\n");
  data::Csv csv(file.path);
  EXPECT_EQ(csv.size(), 2);
  EXPECT_THAT(csv.feature_names(), ElementsAre("0", "1"));
  File named("1,2,3\n4,5,0\n");
  data::Csv forced(named.path, {.label = "1", .header = true});
  EXPECT_EQ(forced.size(), 1);
  EXPECT_THAT(forced.feature_names(), ElementsAre("2", "3"));
}

TEST(CsvDataset, MistakesHaveFileAndLine) {
  auto read = [](const std::string &text, data::CsvDatasetOptions options = {}) -> std::string {
    File file(text);
    try {
      data::Csv csv(file.path, options);
    } catch (const RuntimeError &error) {
      EXPECT_THAT(error.what(), testing::StartsWith(file.path));
      return std::string(error.what()).substr(file.path.size());
    }
    return "";
  };
  EXPECT_EQ(read("a,b,c\n1,2,x\n1,two,x\n"), ": line 3: column 'b': 'two' is no number");
  EXPECT_EQ(read("a,b,c\n1,,x\n"), ": line 2: column 'b': no value");
  EXPECT_EQ(read("a,b,c\n1,2,\n"), ": line 2: column 'c': no value");
  EXPECT_EQ(read("a,b,c\n\n1,2\n"), ": line 3: 2 columns, the header has 3");
  EXPECT_EQ(read("1,2,x\n1,2,3,4\n"), ": line 2: 4 columns, the first row has 3");
  EXPECT_EQ(read("a,b,c\n1,2,\"x\n"), ": line 2: a quote is not closed");
  EXPECT_EQ(read("a,b,c\n"), ": a header and no rows");
  EXPECT_EQ(read("\n\n"), ": no rows");
  EXPECT_EQ(read("a,b\n1,x\n", {.regression = true}), ": line 2: column 'b': 'x' is no number");
  File file("a,b\n1,x\n");
  EXPECT_USER_ERROR(data::Csv(file.path, {.label = "c"}),
                    "data::Csv: " + file.path + " has no column 'c': there are a, b");
  EXPECT_RUNTIME_ERROR(data::Csv("no/such.csv"), HasSubstr("no/such.csv"));
}
