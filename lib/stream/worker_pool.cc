#include "stream/worker_pool.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/interrupt.h"

namespace bkp {

struct WorkerPool::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::packaged_task<Bytes()>> queue;
  bool stopping = false;
  std::vector<std::jthread> threads;

  void work() {
    block_stop_signals();
    for (;;) {
      std::packaged_task<Bytes()> task;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return stopping || !queue.empty(); });
        if (stopping) return;
        task = std::move(queue.front());
        queue.pop_front();
      }
      task();
    }
  }
};

WorkerPool::WorkerPool(unsigned threads) : state_(std::make_unique<State>()) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  state_->threads.reserve(threads);
  for (unsigned i = 0; i < threads; ++i)
    state_->threads.emplace_back([state = state_.get()] { state->work(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  state_->threads.clear();
}

unsigned WorkerPool::threads() const { return static_cast<unsigned>(state_->threads.size()); }

std::future<Bytes> WorkerPool::submit(std::function<Bytes()> work) {
  std::packaged_task<Bytes()> task(std::move(work));
  std::future<Bytes> result = task.get_future();
  {
    const std::lock_guard lock(state_->mutex);
    state_->queue.push_back(std::move(task));
  }
  state_->changed.notify_one();
  return result;
}

}  // namespace bkp
