#include "sinter/check/Isolated.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sinter::check {
namespace {

bool writeAll(int file, const void *data, size_t size) {
  auto *bytes = static_cast<const char *>(data);
  while (size) {
    ssize_t done = write(file, bytes, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes += done, size -= size_t(done);
  }
  return true;
}

enum class Read { ok, closed, late };

Read readAll(int file, void *data, size_t size, std::chrono::steady_clock::time_point until) {
  auto *bytes = static_cast<char *>(data);
  while (size) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    pollfd waits{file, POLLIN, 0};
    int ready = poll(&waits, 1, int(std::max<int64_t>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return Read::late;
    ssize_t done = read(file, bytes, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return Read::closed;
    bytes += done, size -= size_t(done);
  }
  return Read::ok;
}

/// The child's life: results as a length and as many bytes.
[[noreturn]] void workOff(int file, uint64_t from, uint64_t count,
                          const std::function<std::string(uint64_t)> &work) {
  // A crash is this process' and is told by its parent: no stack trace between the lines.
  for (int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS}) std::signal(signal, SIG_DFL);
  for (uint64_t i = from; i < count; ++i) {
    std::string text = work(i);
    uint64_t length = text.size();
    if (!writeAll(file, &length, sizeof length) || !writeAll(file, text.data(), length)) break;
  }
  _exit(0);
}

} // namespace

void runIsolated(uint64_t count, double seconds, const std::function<std::string(uint64_t)> &work,
                 const std::function<bool(uint64_t, const Outcome &)> &done) {
  uint64_t next = 0;
  while (next < count) {
    int ends[2];
    if (pipe(ends) != 0) return;
    std::fflush(nullptr); // else the child prints again what waits in buffers
    pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      workOff(ends[1], next, count, work);
    }
    close(ends[1]);
    bool goesOn = true, alive = child > 0;
    while (alive && goesOn && next < count) {
      auto until =
          std::chrono::steady_clock::now() + std::chrono::milliseconds(int64_t(1000 * seconds));
      Outcome outcome;
      uint64_t length = 0;
      Read got = readAll(ends[0], &length, sizeof length, until);
      if (got == Read::ok) {
        outcome.text.resize(length);
        got = readAll(ends[0], outcome.text.data(), length, until);
      }
      if (got != Read::ok) {
        alive = false;
        outcome.timedOut = got == Read::late;
        if (outcome.timedOut) kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        child = -1;
        outcome.died = outcome.timedOut      ? fmt::format("no answer after {:g} s", seconds)
                       : WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
                                             : fmt::format("exit status {}", WEXITSTATUS(status));
      }
      goesOn = done(next++, outcome);
    }
    close(ends[0]);
    if (child > 0) {
      if (!goesOn) kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
    if (!goesOn) return;
  }
}

} // namespace sinter::check
