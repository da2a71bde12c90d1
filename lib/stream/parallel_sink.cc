#include "stream/parallel_sink.h"

#include <algorithm>
#include <utility>

namespace bkp {

ParallelSink::ParallelSink(BlockFn transform, Sink& to, WorkerPool& pool, std::size_t block_size)
    : transform_(std::move(transform)), to_(to), pool_(pool), block_size_(block_size) {}

ParallelSink::~ParallelSink() {
  // Running transforms refer to this object and to what their function refers to.
  abandoned_ = true;
  for (std::future<Bytes>& result : pending_) result.wait();
}

void ParallelSink::write(ByteView data) {
  while (!data.empty()) {
    if (holding_ && (block_size_ == 0 || held_.size() == block_size_))
      submit(std::exchange(held_, {}), false);
    const std::size_t take =
        block_size_ == 0 ? data.size() : std::min(data.size(), block_size_ - held_.size());
    if (held_.empty()) held_.reserve(block_size_ == 0 ? take : block_size_);
    append(held_, data.first(take));
    holding_ = true;
    data = data.subspan(take);
  }
}

void ParallelSink::finish() {
  holding_ = false;
  submit(std::exchange(held_, {}), true);
  drain(0);
  to_.finish();
}

void ParallelSink::submit(Bytes block, bool last) {
  holding_ = false;
  // One place of the 2 × threads is the block held back.
  drain(2 * std::size_t{pool_.threads()} - 2);
  pending_.push_back(
      pool_.submit([this, block = std::move(block), index = next_index_++, last]() -> Bytes {
        return abandoned_ ? Bytes{} : transform_(block, index, last);
      }));
}

void ParallelSink::drain(std::size_t keep) {
  while (!pending_.empty()) {
    std::future<Bytes>& front = pending_.front();
    const bool ready = front.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    if (pending_.size() <= keep && !ready) return;
    std::future<Bytes> result = std::move(front);
    pending_.pop_front();
    to_.write(result.get());
  }
}

}  // namespace bkp
