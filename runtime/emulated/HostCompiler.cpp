#include "sinter/runtime/emulated/HostCompiler.h"

#include "sinter/runtime/Environment.h"
#include "sinter/runtime/KernelCache.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/core.h>
#include <fstream>
#include <iterator>
#include <spawn.h>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace sinter::runtime::emulated {

namespace fs = std::filesystem;

namespace {

// -O1: generated kernels are compiled once and mostly run on small shapes. No contraction and no
// fast-math: results are those of the text. Null checks and aliasing rules are off, because the
// text is CUDA's, where reinterpreting words is the custom.
const std::vector<std::string> flags = {"-std=c++20",
                                        "-O1",
                                        "-fPIC",
                                        "-shared",
                                        "-w",
                                        "-fno-exceptions",
                                        "-fno-rtti",
                                        "-fno-math-errno",
                                        "-ffp-contract=off",
                                        "-fno-strict-aliasing",
                                        "-fwrapv",
                                        "-fno-stack-protector",
                                        "-fno-threadsafe-statics",
                                        "-fno-asynchronous-unwind-tables",
                                        "-fvisibility=hidden"};

/// A folder that goes when the object goes.
class TemporaryFolder {
public:
  static Result<TemporaryFolder> make() {
    std::string pattern = environment::temporaryDir() + "/sinter-emulated-XXXXXX";
    if (!mkdtemp(pattern.data()))
      return Error{ErrorCode::ioFailure,
                   fmt::format("cannot make a folder in {}: {}", environment::temporaryDir(),
                               std::strerror(errno))};
    return TemporaryFolder(pattern);
  }
  TemporaryFolder(TemporaryFolder &&other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder &operator=(TemporaryFolder &&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string &path() const { return path_; }

private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

std::vector<std::string> splitWords(const std::string &command) {
  std::istringstream stream(command);
  return {std::istream_iterator<std::string>(stream), {}};
}

std::string readText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Status writeText(const std::string &path, const std::string &text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file.flush())
    return {ErrorCode::ioFailure, fmt::format("cannot write {}: {}", path, std::strerror(errno))};
  return {};
}

/// Runs the command with output into `log`; the exit status, or -1 when it could not be started.
Result<int> runCommand(const std::vector<std::string> &words, const std::string &log) {
  std::vector<char *> argv;
  for (const std::string &word : words) argv.push_back(const_cast<char *>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed)
    return Error{ErrorCode::deviceFailure,
                 fmt::format("cannot start '{}': {}", words[0], std::strerror(failed))};
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      return Error{ErrorCode::deviceFailure,
                   fmt::format("lost track of '{}': {}", words[0], std::strerror(errno))};
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool canRun(const std::string &program) {
  if (program.find('/') != std::string::npos) return access(program.c_str(), X_OK) == 0;
  Result<int> status =
      runCommand({program, "--version"}, "/dev/null"); // searches PATH as the system does
  return status.ok() && *status == 0;
}

/// Changes when the compiler does; a name alone stays the same over an upgrade.
std::string compilerStamp(const std::string &program) {
  std::error_code error;
  const fs::path path = fs::canonical(program, error); // a bare name of the PATH has no stamp
  if (error) return {};
  return fmt::format("{} {} {}", path.string(), fs::file_size(path, error),
                     fs::last_write_time(path, error).time_since_epoch().count());
}

Result<std::vector<uint8_t>> compileNow(const std::vector<std::string> &compiler,
                                        const std::string &text,
                                        const std::vector<IncludeFile> &includes) {
  SINTER_ASSIGN_OR_RETURN(TemporaryFolder folder, TemporaryFolder::make());
  for (const auto &[name, content] : includes) {
    const fs::path path = fs::path(folder.path()) / name;
    if (name.find("..") != std::string::npos || fs::path(name).is_absolute())
      return Error{ErrorCode::invalidArgument,
                   fmt::format("header name '{}' leaves its folder", name)};
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    SINTER_RETURN_IF_ERROR(writeText(path, content));
  }
  const std::string source = folder.path() + "/kernels.cpp", object = folder.path() + "/kernels.so",
                    log = folder.path() + "/log";
  SINTER_RETURN_IF_ERROR(writeText(source, text));
  std::vector<std::string> words = compiler;
  words.insert(words.end(), flags.begin(), flags.end());
  words.insert(words.end(), {"-I", folder.path(), "-o", object, source, "-lm"});
  SINTER_ASSIGN_OR_RETURN(int status, runCommand(words, log));
  if (status != 0) {
    std::string messages = readText(log);
    for (size_t at; (at = messages.find(folder.path() + "/")) != std::string::npos;)
      messages.erase(at, folder.path().size() + 1);
    if (messages.size() > 8000) messages.resize(8000);
    return Error{ErrorCode::deviceFailure,
                 fmt::format("'{}' failed with status {} on emulated CUDA text:\n{}", compiler[0],
                             status, messages)};
  }
  const std::string bytes = readText(object);
  return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

} // namespace

Result<std::string> hostCompilerCommand() {
  if (std::string chosen = environment::hostCompiler(); !chosen.empty()) {
    const std::vector<std::string> words = splitWords(chosen);
    if (words.empty() || !canRun(words[0]))
      return Error{ErrorCode::notFound,
                   fmt::format("SINTER_CXX names '{}', which is not an executable", chosen)};
    return chosen;
  }
  for (const char *candidate : {SINTER_BUILD_CXX, "c++", "g++", "clang++"})
    if (canRun(candidate)) return std::string(candidate);
  return Error{ErrorCode::notFound,
               "the emulated CUDA device compiles kernels with a host C++ compiler and found "
               "none: install the package g++ (or clang), or set SINTER_CXX"};
}

Result<std::vector<uint8_t>> compileSharedObject(const std::string &text,
                                                 const std::vector<IncludeFile> &includes) {
  SINTER_ASSIGN_OR_RETURN(std::string command, hostCompilerCommand());
  const std::vector<std::string> compiler = splitWords(command);
  SINTER_ASSIGN_OR_RETURN(KernelCache * cache, KernelCache::shared());
  CacheKey key("emulated");
  key.add("compiler", command).add("compiler's date", compilerStamp(compiler[0]));
  for (const std::string &flag : flags) key.add("flag", flag);
  for (const auto &[name, content] : includes) key.add("header", name).add(name, content);
  key.add("source", text);
  if (auto hit = cache->find(key, "an emulated module")) return std::move(*hit);
  Result<std::vector<uint8_t>> compiled = compileNow(compiler, text, includes);
  if (compiled.ok()) cache->store(key.bytes(), *compiled);
  return compiled;
}

} // namespace sinter::runtime::emulated
