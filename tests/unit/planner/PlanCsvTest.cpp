#include "sinter/passes/memory/PlanCsv.h"

#include <gtest/gtest.h>

using namespace sinter::passes::memory;

namespace {

std::string errorOf(const std::string &text) {
  PlanCsv csv;
  std::string error;
  return readPlanCsv(text, "f.csv", csv, error) ? "" : error;
}

PlanCsv read(const std::string &text) {
  PlanCsv csv;
  std::string error;
  EXPECT_TRUE(readPlanCsv(text, "f.csv", csv, error)) << error;
  return csv;
}

TEST(PlanCsv, LifetimesAreHalfOpen) {
  PlanCsv csv = read("id,lower,upper,size\nb1,0,3,4\nb2,-3,9,0\n");
  ASSERT_EQ(csv.ids, (std::vector<std::string>{"b1", "b2"}));
  EXPECT_EQ(csv.extents[0].first, 0);
  EXPECT_EQ(csv.extents[0].last, 2);
  EXPECT_EQ(csv.extents[0].bytes, 4);
  EXPECT_EQ(csv.extents[1].first, -3);
  EXPECT_EQ(writePlanCsv(csv, {8, 0}), "id,lower,upper,size,offset\nb1,0,3,4,8\nb2,-3,9,0,0\n");
}

TEST(PlanCsv, TheHeaderGivesTheColumns) {
  PlanCsv csv = read("size,colour,upper,buffer_id,lower\r\n4,red,3,b1,0\r\n\r\n");
  ASSERT_EQ(csv.ids, std::vector<std::string>{"b1"});
  EXPECT_EQ(csv.extents[0].bytes, 4);
  EXPECT_EQ(csv.extents[0].last, 2);
  // `end` is the last moment in use, in MiniMalloc's older files.
  csv = read("buffer_id,start,end,size\n7,0,3,4");
  EXPECT_EQ(csv.extents[0].last, 3);
}

TEST(PlanCsv, NamesMayBeQuoted) {
  PlanCsv csv =
      read("id,lower,upper,size\n\"a \"\"b\"\", c\",0,3,4\n\"two\nlines\",0,1,1\nx,1,2,3\n");
  ASSERT_EQ(csv.ids, (std::vector<std::string>{"a \"b\", c", "two\nlines", "x"}));
  PlanCsv again = read(writePlanCsv(csv, {0, 4, 5}));
  EXPECT_EQ(again.ids, csv.ids);
}

TEST(PlanCsv, MistakesAreNamedWithLineAndColumn) {
  const std::string header = "id,lower,upper,size\n";
  EXPECT_EQ(errorOf(""), "f.csv:1: the file is empty: a header 'id,lower,upper,size' is expected");
  EXPECT_EQ(errorOf("id,lower,size\n"), "f.csv:1: column 'upper': missing from the header");
  EXPECT_EQ(errorOf("id,lower,start,upper,size\n"),
            "f.csv:1: column 'start': a second column 'lower'");
  EXPECT_EQ(errorOf(header + "a,0,1,2\nb,0,3,-4\n"), "f.csv:3: column 'size': -4 is negative");
  EXPECT_EQ(errorOf(header + "\na,5,5,2\n"), "f.csv:3: column 'upper': 5 is not above lower, 5");
  EXPECT_EQ(errorOf(header + "a,0,x1,2\n"), "f.csv:2: column 'upper': 'x1' is not an integer");
  EXPECT_EQ(errorOf(header + "a,,1,2\n"), "f.csv:2: column 'lower': '' is not an integer");
  EXPECT_EQ(errorOf(header + "a,0,1,2.5\n"), "f.csv:2: column 'size': '2.5' is not an integer");
  EXPECT_EQ(errorOf(header + "a,0,1,9223372036854775808\n"),
            "f.csv:2: column 'size': '9223372036854775808' does not fit in 64 bits");
  EXPECT_EQ(errorOf(header + "a,0,1,9223372036854775807\nb,0,1,1\n"),
            "f.csv:3: column 'size': the sum of all sizes does not fit in 64 bits");
  EXPECT_EQ(errorOf(header + "a,0,1\n"), "f.csv:2: 3 fields where the header has 4");
  EXPECT_EQ(errorOf(header + "\"a,0,1,2\n"), "f.csv:2: a quoted field is not closed");
  EXPECT_EQ(errorOf("id,lower,end,size\na,0,9223372036854775807,2\n"),
            "f.csv:2: column 'upper': does not fit in 64 bits");
  EXPECT_EQ(
      errorOf("id,lower,upper,size,alignment\na,0,1,96,32\nb,0,1,64,64\n"),
      "f.csv:3: column 'alignment': 64 is not planned: sizes would have to be multiples of it");
}

} // namespace
