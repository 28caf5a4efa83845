#pragma once

#include <sinter/sinter.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

/// Expects a UserError at this very line, with this message (without file and line).
#define EXPECT_USER_ERROR(statement, text)                                                         \
  do {                                                                                             \
    int expectedLine = __LINE__;                                                                   \
    try {                                                                                          \
      statement;                                                                                   \
      ADD_FAILURE() << "no error";                                                                 \
    } catch (const sinter::UserError &error) {                                                     \
      EXPECT_EQ(error.message, text);                                                              \
      EXPECT_EQ(error.line, expectedLine);                                                         \
      EXPECT_EQ(error.file, std::filesystem::path(__FILE__).filename().string());                  \
    }                                                                                              \
  } while (false)

/// Expects a RuntimeError whose text matches.
#define EXPECT_RUNTIME_ERROR(statement, matcher)                                                   \
  try {                                                                                            \
    statement;                                                                                     \
    ADD_FAILURE() << "no error";                                                                   \
  } catch (const sinter::RuntimeError &error) { EXPECT_THAT(error.what(), matcher); }

namespace sinter::test {

/// A folder that is empty before a test and gone after it.
class TemporaryFolder {
public:
  TemporaryFolder() {
    auto *info = ::testing::UnitTest::GetInstance()->current_test_info();
    path = std::filesystem::temp_directory_path() /
           (std::string("sinter-") + info->test_suite_name() + "-" + info->name() + "-" +
            std::to_string(getpid()));
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::string operator/(const std::string &name) const { return (path / name).string(); }
  std::string text() const { return path.string(); }

private:
  std::filesystem::path path;
};

inline void writeBytes(const std::string &path, const std::vector<uint8_t> &bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char *>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

} // namespace sinter::test
