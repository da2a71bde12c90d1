#include "stream/worker_pool.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <latch>

#include "base/error.h"

using namespace bkp;

TEST_CASE("a pool runs as many pieces of work at once as it has threads") {
  WorkerPool pool(3);
  REQUIRE(pool.threads() == 3);
  std::latch all_running(3);  // a pool with fewer threads would never get past it
  std::vector<std::future<Bytes>> results;
  for (int i = 0; i < 3; ++i)
    results.push_back(pool.submit([&all_running, i] {
      all_running.arrive_and_wait();
      return Bytes(static_cast<std::size_t>(i));
    }));
  for (std::size_t i = 0; i < 3; ++i) CHECK(results[i].get().size() == i);
}

TEST_CASE("a pool of size 0 has at least one thread") { CHECK(WorkerPool().threads() >= 1); }

TEST_CASE("what a piece of work throws comes out of its future and the pool goes on") {
  WorkerPool pool(1);
  std::future<Bytes> failing =
      pool.submit([]() -> Bytes { throw Error(ErrorCode::integrity, "broken"); });
  std::future<Bytes> good = pool.submit([] { return to_bytes("fine"); });
  CHECK_THROWS_AS(failing.get(), Error);
  CHECK(to_string(good.get()) == "fine");
}

TEST_CASE("queued work that nobody waits for is dropped when the pool goes") {
  std::atomic<int> ran = 0;
  std::future<Bytes> dropped;
  {
    WorkerPool pool(1);
    std::latch started(1);
    std::promise<void> go;
    std::shared_future<void> gate = go.get_future().share();
    static_cast<void>(pool.submit([&started, gate] {
      started.count_down();
      gate.wait();
      return Bytes{};
    }));
    started.wait();
    std::vector<std::future<Bytes>> queued;
    for (int i = 0; i < 100; ++i) queued.push_back(pool.submit([&ran] { return ++ran, Bytes{}; }));
    dropped = std::move(queued.back());
    std::thread closer([&go] { go.set_value(); });
    closer.join();
  }
  // How many ran before the pool stopped is open; the future says which way it went for each.
  if (ran < 100) CHECK_THROWS_AS(dropped.get(), std::future_error);
}
