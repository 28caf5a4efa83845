#pragma once

#include "sinter/runtime/Program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sinter::runtime::testing {

/// A folder of the test's own, removed with all it holds.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sinter-test-XXXXXX").string();
    root = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(root, ignored);
  }
  std::string path(const std::string &name = "") const {
    return root + (name.empty() ? "" : "/" + name);
  }

private:
  std::string root;
};

/// Sets an environment variable (or removes it) for a scope.
class ScopedVariable {
public:
  ScopedVariable(const char *name, const char *value) : name(name) {
    if (const char *old = std::getenv(name)) before = old;
    value ? setenv(name, value, 1) : unsetenv(name);
  }
  ~ScopedVariable() { before ? setenv(name, before->c_str(), 1) : unsetenv(name); }
  ScopedVariable(const ScopedVariable &) = delete;
  ScopedVariable &operator=(const ScopedVariable &) = delete;

private:
  const char *name;
  std::optional<std::string> before;
};

template <class T> std::span<const uint8_t> bytesOf(const std::vector<T> &values) {
  return {reinterpret_cast<const uint8_t *>(values.data()), values.size() * sizeof(T)};
}

inline std::vector<uint8_t> readAll(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void writeAll(const std::string &path, const std::vector<uint8_t> &bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char *>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

/// What went wrong, or "" when nothing did.
inline std::string messageOf(const Status &status) {
  return status.ok() ? "" : status.error().message;
}
template <class T> std::string messageOf(const Result<T> &result) {
  return messageOf(result.status());
}

#define EXPECT_OK(expr) EXPECT_EQ(::sinter::runtime::testing::messageOf(expr), "")
#define ASSERT_OK(expr) ASSERT_EQ(::sinter::runtime::testing::messageOf(expr), "")
/// The expression fails with this code and a message that has this in it.
#define EXPECT_ERROR(expr, wantedCode, text)                                                       \
  do {                                                                                             \
    auto &&checked = (expr);                                                                       \
    ASSERT_FALSE(checked.ok());                                                                    \
    EXPECT_EQ(checked.error().code, ErrorCode::wantedCode) << checked.error().message;             \
    EXPECT_THAT(checked.error().message, ::testing::HasSubstr(text));                              \
  } while (false)

} // namespace sinter::runtime::testing
