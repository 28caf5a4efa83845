#pragma once

#include "sinter/frontend/data/Dataset.h"

#include <iterator>
#include <memory>

namespace sinter::data {

struct LoaderOptions {
  int64_t batch_size = 32;
  bool shuffle = false;
  uint64_t seed = 0;
  bool drop_last = false; // leave out a last batch that is smaller
  int prefetch = 2;       // batches made ahead by a thread; 0: none, in the caller's
};

/// The batches of a dataset, epoch by epoch. The order depends on (seed, epoch) alone.
///
///   for (const data::Example &batch : loader.epoch(3)) ...
class Loader {
public:
  /// The dataset must outlive the loader.
  explicit Loader(const Dataset &dataset, LoaderOptions options = {},
                  Where where = Where::current());

  int64_t numBatches() const;

  /// One pass. An exception of the dataset is rethrown where its batch is asked for.
  class Epoch {
  public:
    ~Epoch();
    Epoch(Epoch &&) noexcept;
    /// False when there are no more.
    bool next(Example &batch);

    class Iterator {
    public:
      using iterator_category = std::input_iterator_tag;
      using value_type = Example;
      using difference_type = std::ptrdiff_t;
      Iterator() = default;
      explicit Iterator(Epoch *epoch) : epoch_(epoch) { ++*this; }
      const Example &operator*() const { return batch_; }
      const Example *operator->() const { return &batch_; }
      Iterator &operator++() {
        if (!epoch_->next(batch_)) epoch_ = nullptr;
        return *this;
      }
      bool operator==(const Iterator &other) const { return epoch_ == other.epoch_; }

    private:
      Epoch *epoch_ = nullptr;
      Example batch_;
    };
    Iterator begin() { return Iterator(this); }
    Iterator end() { return {}; }

  private:
    friend class Loader;
    struct Impl;
    explicit Epoch(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
  };
  /// From batch `first` on.
  Epoch epoch(int64_t number, int64_t first = 0) const;

private:
  const Dataset *dataset_;
  LoaderOptions options_;
};

} // namespace sinter::data
