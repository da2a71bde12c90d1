#include "stream/fan_out.h"

#include <signal.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"

using namespace bkp;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

constexpr std::size_t kBlock = 64;

Bytes some_data(std::size_t size) {
  Bytes data(size);
  std::mt19937 random(static_cast<unsigned>(size));
  for (std::byte& byte : data) byte = static_cast<std::byte>(random());
  return data;
}

// What became of one leg, seen from outside; outlives its sink.
struct Fate {
  std::mutex mutex;
  Bytes data;
  bool finished = false;
  bool destroyed = false;
  std::size_t read_backs = 0;
  std::thread::id opened_in, destroyed_in;
  std::latch done{1};  // its finish() went well
  std::latch gone{1};

  bool has(const Bytes& expected) {
    const std::lock_guard lock(mutex);
    return finished && data == expected;
  }
};

// How a sink behaves; each is called without a lock, from the leg's thread.
struct Ways {
  std::function<void(std::stop_token)> at_open = [](const std::stop_token&) {};
  std::function<void(std::size_t block, std::stop_token)> at_write = [](std::size_t,
                                                                        const std::stop_token&) {};
  std::function<void()> after_write = [] {};
  std::function<void(std::stop_token)> at_finish = [](const std::stop_token&) {};
};

class FakeSink : public Sink {
 public:
  FakeSink(Fate& fate, Ways ways, std::stop_token stop)
      : fate_(fate), ways_(std::move(ways)), stop_(std::move(stop)) {}
  ~FakeSink() override {
    const std::lock_guard lock(fate_.mutex);
    fate_.destroyed = true;
    fate_.destroyed_in = std::this_thread::get_id();
    fate_.gone.count_down();
  }
  void write(ByteView data) override {
    ways_.at_write(block_++, stop_);
    const std::lock_guard lock(fate_.mutex);
    append(fate_.data, data);
    ways_.after_write();
  }
  void finish() override {
    ways_.at_finish(stop_);
    const std::lock_guard lock(fate_.mutex);
    fate_.finished = true;
    fate_.done.count_down();
  }

 protected:
  Fate& fate_;
  Ways ways_;
  std::stop_token stop_;
  std::size_t block_ = 0;
};

class FakeFile final : public FakeSink, public Rereadable {
 public:
  using FakeSink::FakeSink;
  void read_back(std::uint64_t offset, std::span<std::byte> out) const override {
    const std::lock_guard lock(fate_.mutex);
    if (offset + out.size() > fate_.data.size())
      throw Error(ErrorCode::failed, "read back what was not written");
    std::copy_n(fate_.data.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    ++fate_.read_backs;
  }
};

template <typename Kind>
Leg leg(const std::string& name, Fate& fate, const Ways& ways = {}) {
  return {name, [&fate, ways](const std::stop_token& stop) -> std::unique_ptr<Sink> {
            {
              const std::lock_guard lock(fate.mutex);
              fate.opened_in = std::this_thread::get_id();
            }
            ways.at_open(stop);
            return std::make_unique<Kind>(fate, ways, stop);
          }};
}
Leg remote(const std::string& name, Fate& fate, const Ways& ways = {}) {
  return leg<FakeSink>(name, fate, ways);
}
Leg file(const std::string& name, Fate& fate, const Ways& ways = {}) {
  return leg<FakeFile>(name, fate, ways);
}

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorCode::failed, message); }

// Blocks as a connection to nowhere does: until it is told to stop.
void hang(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [] { return false; });
  fail("connection closed");
}

FanOutOptions options(std::chrono::milliseconds stall = 1h) {
  FanOutOptions result;
  result.block_size = kBlock;
  result.window = 3;
  result.stall = stall;
  return result;
}

std::vector<LegResult> send(const Bytes& data, std::vector<Leg> legs,
                            FanOutOptions fan_out_options = options()) {
  FanOut fan_out(std::move(legs), fan_out_options);
  fan_out.write(data);
  fan_out.finish();
  return fan_out.wait();
}

}  // namespace

TEST_CASE("every leg gets the whole stream") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kBlock - 1, kBlock, kBlock + 1,
                                 3 * kBlock, 20 * kBlock + 7}) {
    INFO(size);
    const Bytes data = some_data(size);
    Fate a, b, c;
    const std::vector<LegResult> results =
        send(data, {file("a", a), remote("b", b), remote("c", c)});
    REQUIRE(results.size() == 3);
    CHECK(results[0].name == "a");
    CHECK(results[2].name == "c");
    for (const LegResult& result : results) CHECK(result.ok());
    for (Fate* fate : {&a, &b, &c}) {
      CHECK(fate->has(data));
      CHECK(fate->destroyed);
    }
  }
}

TEST_CASE("legs get blocks of the block size however the stream is written") {
  class SizesSink final : public Sink {
   public:
    explicit SizesSink(std::vector<std::size_t>& sizes) : sizes_(sizes) {}
    void write(ByteView data) override { sizes_.push_back(data.size()); }
    void finish() override {}

   private:
    std::vector<std::size_t>& sizes_;
  };
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, kBlock, 5 * kBlock}) {
    std::vector<std::size_t> sizes;
    FanOut fan_out({{"a", [&](auto) { return std::make_unique<SizesSink>(sizes); }}}, options());
    const Bytes data(3 * kBlock + 9);
    for (std::size_t at = 0; at < data.size(); at += step)
      fan_out.write(ByteView(data).subspan(at, std::min(step, data.size() - at)));
    fan_out.finish();
    fan_out.wait();
    CHECK(sizes == std::vector<std::size_t>{kBlock, kBlock, kBlock, 9});
  }
}

TEST_CASE("a leg that fails is dropped with its reason, the others go on") {
  Ways at_open, at_write, at_finish;
  at_open.at_open = [](const std::stop_token&) { fail("no such bucket"); };
  at_write.at_write = [](std::size_t block, const std::stop_token&) {
    if (block == 4) fail("disk full");
  };
  at_finish.at_finish = [](const std::stop_token&) { fail("not durable"); };
  const struct {
    Ways ways;
    std::string reason;
  } rows[] = {{at_open, "no such bucket"}, {at_write, "disk full"}, {at_finish, "not durable"}};
  const Bytes data = some_data(20 * kBlock + 1);
  for (const auto& row : rows) {
    for (const bool is_file : {false, true}) {
      Fate good, bad;
      const std::vector<LegResult> results =
          send(data, {is_file ? file("bad", bad, row.ways) : remote("bad", bad, row.ways),
                      remote("good", good)});
      CHECK(describe(results[0].error) == row.reason);
      CHECK_FALSE(bad.finished);
      CHECK(results[1].ok());
      CHECK(good.has(data));
    }
  }
}

TEST_CASE("something thrown that is no Error is the leg's reason too") {
  Fate a, b;
  Ways ways;
  ways.at_write = [](std::size_t, const std::stop_token&) { throw 42; };
  const auto results = send(some_data(kBlock), {remote("a", a, ways), remote("b", b)});
  CHECK(describe(results[0].error) == "unknown failure");
  CHECK(results[1].ok());
}

TEST_CASE("with a file among the legs a slow one holds up neither the stream nor the file") {
  const Bytes data = some_data(50 * kBlock + 5);
  Fate local, slow;
  std::latch stream_ended(1);
  Ways ways;
  ways.at_write = [&](std::size_t block, const std::stop_token&) {
    if (block == 0) stream_ended.wait();
  };
  FanOut fan_out({remote("slow", slow, ways), file("local", local)}, options());
  fan_out.write(data);
  fan_out.finish();
  local.done.wait();
  stream_ended.count_down();
  for (const LegResult& result : fan_out.wait()) CHECK(result.ok());
  CHECK(slow.has(data));
  CHECK(slow.read_backs == 0);
  CHECK(local.read_backs >= 40);
  CHECK(local.has(data));
}

TEST_CASE("the stream goes on although a leg is still opening") {
  const Bytes data = some_data(50 * kBlock);
  Fate local, slow;
  Ways ways;
  ways.at_open = [&](const std::stop_token&) { local.done.wait(); };
  const auto results = send(data, {file("local", local), remote("slow", slow, ways)});
  CHECK(results[1].ok());
  CHECK(slow.has(data));
}

TEST_CASE("a file that fails in mid-stream still serves what it took") {
  const Bytes data = some_data(30 * kBlock + 3);
  Fate local, slow, fast;
  std::latch local_failed(1);
  Ways failing, waiting;
  failing.at_write = [&](std::size_t block, const std::stop_token&) {
    if (block < 20) return;
    local_failed.count_down();
    fail("disk full");
  };
  waiting.at_write = [&](std::size_t block, const std::stop_token&) {
    if (block == 2) local_failed.wait();
  };
  const auto results = send(
      data, {file("local", local, failing), remote("slow", slow, waiting), remote("fast", fast)});
  CHECK(describe(results[0].error) == "disk full");
  CHECK(results[1].ok());
  CHECK(results[2].ok());
  CHECK(slow.has(data));
  CHECK(fast.has(data));
  CHECK(local.read_backs > 10);
}

TEST_CASE("a failed file is given up as soon as no leg needs it") {
  Fate local, slow;
  std::latch local_failed(1);
  Ways failing, waiting;
  failing.at_write = [&](std::size_t block, const std::stop_token&) {
    if (block < 5) return;
    local_failed.count_down();
    fail("disk full");
  };
  waiting.at_write = [&](std::size_t block, const std::stop_token&) {
    if (block == 0) local_failed.wait();
    if (block == 7) local.gone.wait();
  };
  const Bytes data = some_data(10 * kBlock);
  const auto results = send(data, {file("local", local, failing), remote("slow", slow, waiting)});
  CHECK(results[1].ok());
  CHECK(slow.has(data));
}

TEST_CASE("a block that the first file cannot give back is read from the second") {
  class BadFile final : public FakeSink, public Rereadable {
   public:
    using FakeSink::FakeSink;
    void read_back(std::uint64_t, std::span<std::byte>) const override { fail("bad sector"); }
  };
  const Bytes data = some_data(30 * kBlock);
  Fate bad, good, slow;
  Ways second, third;  // in this order, so that each reads back from those before it
  second.at_open = [&](const std::stop_token&) { good.done.wait(); };
  third.at_open = [&](const std::stop_token&) { bad.done.wait(); };
  auto results = send(
      data, {leg<BadFile>("bad", bad, second), file("good", good), remote("slow", slow, third)});
  for (const LegResult& result : results) CHECK(result.ok());
  CHECK(slow.has(data));

  Fate alone, lost;
  second.at_open = [&](const std::stop_token&) { alone.done.wait(); };
  results = send(data, {leg<BadFile>("alone", alone), remote("lost", lost, second)});
  CHECK(results[0].ok());
  CHECK(describe(results[1].error) == "bad sector");
}

TEST_CASE("no more than the window is held in memory") {
  const std::size_t count = 200;
  const auto most_held = [&](bool with_file) {
    std::atomic<std::size_t> taken = 0;
    Fate a, slow;
    Ways counting, waiting;
    counting.after_write = [&] { ++taken; };
    waiting.at_open = [&](const std::stop_token&) { a.done.wait(); };
    std::vector<Leg> legs;
    if (with_file) {
      legs.push_back(file("a", a, counting));
      legs.push_back(remote("slow", slow, waiting));
    } else {
      legs.push_back(remote("a", a, counting));
    }
    FanOut fan_out(std::move(legs), options());
    std::size_t most = 0;
    for (std::size_t sent = 1; sent <= count; ++sent) {
      fan_out.write(Bytes(kBlock));
      most = std::max(most, sent - taken);
    }
    fan_out.finish();
    for (const LegResult& result : fan_out.wait()) CHECK(result.ok());
    return most;
  };
  CHECK(most_held(false) <= 3);
  CHECK(most_held(true) <= 3);
}

TEST_CASE("without a file a leg that takes nothing while another waits is dropped") {
  const Bytes data = some_data(30 * kBlock);
  for (const bool in_open : {false, true}) {
    Fate stuck, good;
    Ways ways;
    if (in_open)
      ways.at_open = hang;
    else
      ways.at_write = [](std::size_t block, const std::stop_token& stop) {
        if (block == 2) hang(stop);
      };
    const auto results =
        send(data, {remote("stuck", stuck, ways), remote("good", good)}, options(20ms));
    CHECK_THAT(describe(results[0].error),
               Contains("kept the stream waiting for") && Contains("connection closed"));
    CHECK_FALSE(stuck.finished);
    CHECK(results[1].ok());
    CHECK(good.has(data));
  }
}

TEST_CASE("a file that failed no longer protects a leg that takes nothing") {
  Fate local, stuck, good;
  Ways failing, hanging;
  failing.at_write = [](std::size_t block, const std::stop_token&) {
    if (block == 10) fail("disk full");
  };
  hanging.at_write = [](std::size_t, const std::stop_token& stop) { hang(stop); };
  const Bytes data = some_data(30 * kBlock);
  const auto results = send(
      data, {file("local", local, failing), remote("stuck", stuck, hanging), remote("good", good)},
      options(20ms));
  CHECK(describe(results[0].error) == "disk full");
  CHECK_THAT(describe(results[1].error), Contains("kept the stream waiting"));
  CHECK(good.has(data));
}

TEST_CASE("a file is waited for, however slow its disk") {
  Fate local, good;
  Ways slow;
  slow.at_write = [](std::size_t block, const std::stop_token&) {
    if (block == 5) std::this_thread::sleep_for(250ms);  // well past `stall`
  };
  const Bytes data = some_data(30 * kBlock);
  const auto results =
      send(data, {file("local", local, slow), remote("good", good)}, options(20ms));
  CHECK(results[0].ok());
  CHECK(local.has(data));
}

TEST_CASE("a slow line is not a dead one: a sink that advances is not dropped") {
  class SlowLine final : public FakeSink, public Advancing {
   public:
    using FakeSink::FakeSink;
    std::uint64_t advanced() const override {
      const std::lock_guard lock(mutex_);
      changed_.notify_all();
      return ++asked_;
    }
    void write(ByteView data) override {
      if (block_ == 0) {  // until it was asked thrice in this one write
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return asked_ >= 3; });
      }
      FakeSink::write(data);
    }

   private:
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    mutable std::uint64_t asked_ = 0;
  };
  const Bytes data = some_data(30 * kBlock);
  Fate slow, good;
  const auto results =
      send(data, {leg<SlowLine>("slow", slow), remote("good", good)}, options(120ms));
  CHECK(results[0].ok());
  CHECK(slow.has(data));
}

TEST_CASE("a leg that moves nothing once another is done is stopped") {
  const Bytes data = some_data(30 * kBlock);
  Ways in_open, in_write, in_finish;
  in_open.at_open = hang;
  in_write.at_write = [](std::size_t, const std::stop_token& stop) { hang(stop); };
  in_finish.at_finish = hang;
  for (const Ways& ways : {in_open, in_write, in_finish}) {
    Fate local, stuck;
    const auto results =
        send(data, {file("local", local), remote("stuck", stuck, ways)}, options(20ms));
    CHECK(results[0].ok());
    CHECK_THAT(describe(results[1].error),
               Contains("moved nothing for") && Contains("connection closed"));
    CHECK_FALSE(stuck.finished);
    CHECK(local.has(data));
  }
}

TEST_CASE("when no leg is left, write() names each one's reason") {
  Fate a, b;
  Ways first, second;
  first.at_open = [](const std::stop_token&) { fail("no such bucket"); };
  second.at_write = [](std::size_t, const std::stop_token&) { fail("disk full"); };
  FanOut fan_out({remote("r2", a, first), file("local", b, second)}, options());
  CHECK_THROWS_WITH(
      [&] {
        for (;;) fan_out.write(Bytes(kBlock));
      }(),
      "'r2' failed: no such bucket; 'local' failed: disk full");
}

TEST_CASE("when every leg fails after the stream ended, wait() tells it of each") {
  Fate a, b;
  Ways ways;
  ways.at_finish = [](const std::stop_token&) { fail("not durable"); };
  for (const LegResult& result :
       send(some_data(kBlock), {remote("a", a, ways), file("b", b, ways)}))
    CHECK(describe(result.error) == "not durable");
}

TEST_CASE("destroyed unfinished, it stops blocked legs and destroys every sink unfinished") {
  Ways in_open, in_write, none;
  in_open.at_open = hang;
  in_write.at_write = [](std::size_t, const std::stop_token& stop) { hang(stop); };
  Fate opening, writing, waiting;
  {
    FanOut fan_out({remote("opening", opening, in_open), remote("writing", writing, in_write),
                    file("waiting", waiting, none)},
                   options());
    fan_out.write(some_data(2 * kBlock + 1));
  }
  CHECK_FALSE(opening.finished);
  CHECK_FALSE(writing.finished);
  CHECK_FALSE(waiting.finished);
  CHECK(writing.destroyed);
  CHECK(waiting.destroyed);
  CHECK(writing.destroyed_in != std::this_thread::get_id());
}

TEST_CASE("destroyed after finish() it stops the slow and keeps what is done") {
  Fate done, stuck;
  Ways ways;
  ways.at_finish = hang;
  {
    FanOut fan_out({file("done", done), remote("stuck", stuck, ways)}, options());
    fan_out.write(some_data(kBlock));
    fan_out.finish();
    done.done.wait();
  }
  CHECK(done.finished);
  CHECK_FALSE(stuck.finished);
  CHECK(stuck.destroyed);
}

TEST_CASE("a signal ends the wait for room and the wait for the end") {
  const auto before = ::signal(SIGTERM, SIG_DFL);
  install_signal_handlers();
  Ways ways;
  ways.at_write = [](std::size_t, const std::stop_token& stop) { hang(stop); };
  Fate a, b;
  {
    FanOut fan_out({remote("a", a, ways)}, options());
    ::raise(SIGTERM);
    CHECK_THROWS_WITH(
        [&] {
          for (;;) fan_out.write(Bytes(kBlock));
        }(),
        "stopped by SIGTERM");
    clear_interrupt();
  }
  {
    FanOut fan_out({remote("b", b, ways)}, options());
    fan_out.write(Bytes(kBlock));
    fan_out.finish();
    ::raise(SIGTERM);
    CHECK_THROWS_WITH(fan_out.wait(), "stopped by SIGTERM");
    clear_interrupt();
  }
  ::signal(SIGTERM, before);
}

TEST_CASE("the legs' threads leave SIGINT and SIGTERM to the caller's") {
  Fate a;
  bool blocked = false;
  Ways ways;
  ways.at_open = [&](const std::stop_token&) {
    sigset_t mask;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    blocked = ::sigismember(&mask, SIGINT) == 1 && ::sigismember(&mask, SIGTERM) == 1;
  };
  send({}, {remote("a", a, ways)});
  CHECK(blocked);
}

TEST_CASE("whatever fails whenever, a leg has the whole stream or an error") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const Bytes data = some_data(random() % (40 * kBlock));
    std::vector<std::unique_ptr<Fate>> fates;
    std::vector<Leg> legs;
    const std::size_t count = 1 + random() % 4;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t fails_at = random() % 80;
      const std::size_t naps_every = 1 + random() % 10;
      Ways ways;
      ways.at_write = [=](std::size_t block, const std::stop_token&) {
        if (block % naps_every == 0) std::this_thread::sleep_for(50us);
        if (block == fails_at) fail("write");
      };
      ways.at_finish = [=](const std::stop_token&) {
        if (fails_at % 10 == 9) fail("finish");
      };
      fates.push_back(std::make_unique<Fate>());
      legs.push_back(random() % 2 ? file("leg", *fates.back(), ways)
                                  : remote("leg", *fates.back(), ways));
    }
    FanOut fan_out(std::move(legs), options());
    try {
      for (std::size_t at = 0; at < data.size(); at += 100)
        fan_out.write(ByteView(data).subspan(at, std::min<std::size_t>(100, data.size() - at)));
      fan_out.finish();
    } catch (const Error&) {
      for (const auto& fate : fates) CHECK_FALSE(fate->finished);
      continue;
    }
    const std::vector<LegResult> results = fan_out.wait();
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(results[i].ok() == fates[i]->finished);
      if (results[i].ok()) CHECK(fates[i]->has(data));
      CHECK(fates[i]->destroyed);
    }
  }
}
