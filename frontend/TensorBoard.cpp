#include "sinter/frontend/TensorBoard.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <unistd.h>

namespace sinter {

namespace {

/// CRC-32C (Castagnoli), bitwise reflected.
uint32_t crc32c(std::span<const char> bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0x82F63B78u : 0);
      made[i] = value;
    }
    return made;
  }();
  uint32_t crc = ~0u;
  for (char byte : bytes) crc = table[(crc ^ static_cast<uint8_t>(byte)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

/// As the format stores checksums: one of data that have checksums in them is weak.
uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u; }

template <class T> void addLittleEndian(std::string &to, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) to += static_cast<char>(value >> (8 * i) & 0xFF);
}

/// Fields of a protocol buffer.
struct Message {
  std::string bytes;

  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
    bytes += static_cast<char>(value);
  }
  void integer(int field, int64_t value) {
    varint(static_cast<uint64_t>(field) << 3);
    varint(static_cast<uint64_t>(value));
  }
  void number(int field, double value) {
    varint(static_cast<uint64_t>(field) << 3 | 1);
    addLittleEndian(bytes, std::bit_cast<uint64_t>(value));
  }
  void number(int field, float value) {
    varint(static_cast<uint64_t>(field) << 3 | 5);
    addLittleEndian(bytes, std::bit_cast<uint32_t>(value));
  }
  void text(int field, const std::string &value) {
    varint(static_cast<uint64_t>(field) << 3 | 2);
    varint(value.size());
    bytes += value;
  }
};

/// The fields of tensorflow/core/util/event.proto and framework/summary.proto that are used.
enum EventField { wallTime = 1, eventStep = 2, fileVersion = 3, summary = 5, sessionLog = 7 };
enum SummaryField { summaryValue = 1, valueTag = 1, simpleValue = 2 };

Message eventAt(int64_t step) {
  using namespace std::chrono;
  Message event;
  event.number(wallTime, duration<double>(system_clock::now().time_since_epoch()).count());
  if (step) event.integer(eventStep, step);
  return event;
}

} // namespace

struct SummaryWriter::Impl {
  std::string path;
  std::FILE *file = nullptr;

  ~Impl() {
    if (file) std::fclose(file);
  }
  [[noreturn]] void fail(const char *what) const {
    throw RuntimeError({runtime::ErrorCode::ioFailure,
                        fmt::format("{}: {}: {}", path, what, std::strerror(errno))});
  }
  void write(const std::string &data) {
    std::string record;
    addLittleEndian(record, static_cast<uint64_t>(data.size()));
    addLittleEndian(record, masked(crc32c(record)));
    record += data;
    addLittleEndian(record, masked(crc32c(data)));
    if (std::fwrite(record.data(), 1, record.size(), file) != record.size())
      fail("cannot be written");
  }
};

SummaryWriter::SummaryWriter(const std::string &log_dir, std::optional<int64_t> purge_step)
    : impl_(new Impl) {
  static std::atomic<int> count = 0;
  std::error_code code;
  std::filesystem::create_directories(log_dir, code);
  char host[256] = "localhost";
  gethostname(host, sizeof host - 1);
  int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                    std::chrono::system_clock::now().time_since_epoch())
                    .count();
  impl_->path =
      fmt::format("{}/events.out.tfevents.{:010}.{}.{}.{}", log_dir, now, host, getpid(), count++);
  impl_->file = std::fopen(impl_->path.c_str(), "wb");
  if (!impl_->file) impl_->fail("cannot be made");
  Message version = eventAt(0);
  version.text(fileVersion, "brain.Event:2");
  impl_->write(version.bytes);
  if (purge_step) {
    Message start;
    start.integer(1, 1); // SessionLog::START
    Message event = eventAt(*purge_step);
    event.text(sessionLog, start.bytes);
    impl_->write(event.bytes);
  }
  flush();
}

SummaryWriter::~SummaryWriter() = default;
SummaryWriter::SummaryWriter(SummaryWriter &&) noexcept = default;

void SummaryWriter::add_scalar(const std::string &tag, double value, int64_t global_step) {
  Message scalar, all, event = eventAt(global_step);
  scalar.text(valueTag, tag);
  scalar.number(simpleValue, static_cast<float>(value));
  all.text(summaryValue, scalar.bytes);
  event.text(summary, all.bytes);
  impl_->write(event.bytes);
}

void SummaryWriter::flush() {
  if (std::fflush(impl_->file) != 0) impl_->fail("cannot be written");
}
const std::string &SummaryWriter::path() const { return impl_->path; }

TensorBoard::TensorBoard(TensorBoardOptions options, Where where) : options_(std::move(options)) {
  if (options_.every_steps < 0)
    throw UserError(fmt::format("TensorBoard: every_steps is {}", options_.every_steps), where);
}

void TensorBoard::on_train_begin(Fit &) {
  writer_.emplace(options_.log_dir, resumed_ ? std::optional<int64_t>(step_ + 1) : std::nullopt);
}

void TensorBoard::on_step_end(Fit &, const StepRecord &step) {
  step_ = step.step;
  if (options_.every_steps == 0 || step.step % options_.every_steps != 0) return;
  writer_->add_scalar("train/loss", step.loss, step.step);
  writer_->add_scalar("train/lr", step.lr, step.step);
  writer_->flush(); // a checkpoint may count on it
}

void TensorBoard::on_epoch_end(Fit &, const EpochRecord &epoch) {
  writer_->add_scalar("epoch/loss", epoch.train_loss, step_);
  if (epoch.validation)
    for (const auto &[name, value] : epoch.validation->values)
      writer_->add_scalar("epoch/val_" + name, value, step_);
  writer_->flush();
}

void TensorBoard::on_train_end(Fit &) { writer_.reset(); }

CallbackState TensorBoard::state() const {
  CallbackState state;
  state.numbers["step"] = static_cast<double>(step_);
  return state;
}
void TensorBoard::restore(const CallbackState &state) {
  auto found = state.numbers.find("step");
  if (found != state.numbers.end()) step_ = static_cast<int64_t>(found->second);
  resumed_ = true;
}

std::shared_ptr<TensorBoard> tensorboard(TensorBoardOptions options, Where where) {
  return std::make_shared<TensorBoard>(std::move(options), where);
}

} // namespace sinter
