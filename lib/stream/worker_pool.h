// The program's one pool of worker threads for CPU work on blocks: compress, seal, open.
#pragma once

#include <functional>
#include <future>
#include <memory>

#include "base/bytes.h"

namespace bkp {

// Thread-safe. Destroyed after every user of it; queued work that nobody waits for is dropped.
class WorkerPool {
 public:
  // 0: one thread a core.
  explicit WorkerPool(unsigned threads = 0);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  unsigned threads() const;
  // Exceptions of `work` come out of the future.
  std::future<Bytes> submit(std::function<Bytes()> work);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bkp
