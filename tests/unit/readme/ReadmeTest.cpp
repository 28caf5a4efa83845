// README.md's table of environment variables is the code's.

#include "sinter/runtime/Environment.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

TEST(Readme, ListsTheEnvironmentVariables) {
  std::string expected = "| variable | values | what it does |\n|---|---|---|\n";
  for (const auto &variable : sinter::runtime::environment::variables())
    expected += std::string("| `") + variable.name + "` | " + variable.values + " | " +
                variable.help + " |\n";
  std::ifstream file(SINTER_SOURCE_DIR "/README.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_NE(text.str().find(expected), std::string::npos)
      << "README.md should contain exactly this table:\n"
      << expected;
}
