#include "sinter/frontend/data/Loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

namespace sinter::data {

struct Loader::Epoch::Impl {
  const Dataset *dataset = nullptr;
  std::vector<int64_t> order;
  int64_t epoch = 0, batchSize = 1, numBatches = 0, given = 0;
  size_t ahead = 0;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Example> ready;
  std::exception_ptr failure;
  bool stop = false;
  std::thread worker;

  Example make(int64_t number) const {
    auto begin = static_cast<size_t>(number * batchSize);
    auto count = std::min(static_cast<size_t>(batchSize), order.size() - begin);
    return dataset->batch_of_epoch({order.data() + begin, count}, epoch);
  }

  void work(int64_t first) {
    for (int64_t i = first; i < numBatches; ++i) {
      Example batch;
      std::exception_ptr error;
      try {
        batch = make(i);
      } catch (...) { error = std::current_exception(); }
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return stop || ready.size() < ahead; });
      if (stop) return;
      if (error) {
        failure = error;
        changed.notify_all();
        return;
      }
      ready.push_back(std::move(batch));
      changed.notify_all();
    }
  }

  ~Impl() {
    {
      std::lock_guard lock(mutex);
      stop = true;
    }
    changed.notify_all();
    if (worker.joinable()) worker.join();
  }
};

Loader::Epoch::Epoch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Loader::Epoch::Epoch(Epoch &&) noexcept = default;
Loader::Epoch::~Epoch() = default;

bool Loader::Epoch::next(Example &batch) {
  if (impl_->given == impl_->numBatches) return false;
  int64_t number = impl_->given++;
  if (!impl_->ahead) {
    batch = impl_->make(number);
    return true;
  }
  std::unique_lock lock(impl_->mutex);
  impl_->changed.wait(lock, [&] { return !impl_->ready.empty() || impl_->failure; });
  if (impl_->ready.empty()) std::rethrow_exception(impl_->failure);
  batch = std::move(impl_->ready.front());
  impl_->ready.pop_front();
  impl_->changed.notify_all();
  return true;
}

Loader::Loader(const Dataset &dataset, LoaderOptions options, Where where)
    : dataset_(&dataset), options_(options) {
  if (options.batch_size < 1)
    throw UserError(fmt::format("data::Loader: batch_size is {}", options.batch_size), where);
}

int64_t Loader::numBatches() const {
  int64_t full = dataset_->size() / options_.batch_size;
  bool rest = dataset_->size() % options_.batch_size != 0;
  return full + (rest && !options_.drop_last ? 1 : 0);
}

Loader::Epoch Loader::epoch(int64_t number, int64_t first) const {
  auto impl = std::make_unique<Epoch::Impl>();
  impl->dataset = dataset_;
  impl->epoch = number;
  if (options_.shuffle) {
    impl->order = permutation(dataset_->size(), options_.seed, static_cast<uint64_t>(number));
  } else {
    impl->order.resize(static_cast<size_t>(dataset_->size()));
    std::iota(impl->order.begin(), impl->order.end(), 0);
  }
  impl->batchSize = options_.batch_size;
  impl->numBatches = numBatches();
  impl->given = std::min(first, impl->numBatches);
  impl->ahead = static_cast<size_t>(std::max(options_.prefetch, 0));
  if (impl->ahead && impl->given < impl->numBatches)
    impl->worker = std::thread([state = impl.get(), first = impl->given] { state->work(first); });
  return Epoch(std::move(impl));
}

} // namespace sinter::data
