// Cuts a stream into blocks, transforms them in parallel, writes the results in stream order.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>

#include "stream/stream.h"
#include "stream/worker_pool.h"

namespace bkp {

// `index` counts from 0; `last` is true for the block that ends the stream, which is empty only if
// the whole stream is. Called from several threads at once.
using BlockFn = std::function<Bytes(ByteView block, std::uint64_t index, bool last)>;

// Each result goes downstream as one write(), so a further ParallelSink can take it as one block.
// Holds at most 2 × threads blocks. Not thread-safe itself: one writer.
class ParallelSink final : public Sink {
 public:
  // Blocks of exactly `block_size` bytes but for the last; 0: each write() is one block.
  ParallelSink(BlockFn transform, Sink& to, WorkerPool& pool, std::size_t block_size);
  ~ParallelSink() override;

  void write(ByteView data) override;
  void finish() override;

 private:
  void submit(Bytes block, bool last);
  void drain(std::size_t keep);

  BlockFn transform_;
  Sink& to_;
  WorkerPool& pool_;
  std::size_t block_size_;
  Bytes held_;  // the newest block, kept back until it is known whether it is the last
  bool holding_ = false;
  std::uint64_t next_index_ = 0;
  std::deque<std::future<Bytes>> pending_;
  std::atomic<bool> abandoned_ = false;
};

}  // namespace bkp
