#include "stream/parallel_sink.h"

#include <catch2/catch.hpp>
#include <latch>
#include <mutex>
#include <set>

#include "base/error.h"
#include "stream/memory_stream.h"

using namespace bkp;

namespace {

// Writes down each block as "<index><*?>:<text>;", * for the last.
Bytes label(ByteView block, std::uint64_t index, bool last) {
  return to_bytes(std::to_string(index) + (last ? "*:" : ":") + to_string(block) + ";");
}

std::string run(std::size_t block_size, const std::vector<std::string>& writes) {
  WorkerPool pool(4);
  MemorySink out;
  ParallelSink sink(label, out, pool, block_size);
  for (const std::string& text : writes) sink.write(as_bytes(text));
  sink.finish();
  CHECK(out.finished());
  return to_string(out.data());
}

class RecordingSink final : public Sink {
 public:
  void write(ByteView data) override { writes.push_back(to_string(data)); }
  void finish() override {}
  std::vector<std::string> writes;
};

}  // namespace

TEST_CASE("blocks are cut to size and marked where the stream ends") {
  const struct {
    std::vector<std::string> writes;
    std::string result;
  } rows[] = {
      {{}, "0*:;"},
      {{""}, "0*:;"},
      {{"ab"}, "0*:ab;"},
      {{"abc"}, "0*:abc;"},  // exactly one block: no empty one behind it
      {{"abcd"}, "0:abc;1*:d;"},
      {{"a", "b", "c", "d", "e", "f"}, "0:abc;1*:def;"},
      {{"abcdefg", "", "hi"}, "0:abc;1:def;2*:ghi;"},
  };
  for (const auto& row : rows) CHECK(run(3, row.writes) == row.result);
}

TEST_CASE("with block size 0 each write is one block") {
  CHECK(run(0, {}) == "0*:;");
  CHECK(run(0, {"abc", "d", "", "efghij"}) == "0:abc;1:d;2*:efghij;");
}

TEST_CASE("results go downstream in stream order, one write each") {
  WorkerPool pool(4);
  RecordingSink out;
  // The first block waits for the second one's transform: order is not order of completion.
  std::latch second_done(1);
  ParallelSink sink(
      [&](ByteView block, std::uint64_t index, bool last) {
        if (index == 0) second_done.wait();
        if (index == 1) second_done.count_down();
        return label(block, index, last);
      },
      out, pool, 1);
  sink.write(as_bytes("abc"));
  sink.finish();
  CHECK(out.writes == std::vector<std::string>{"0:a;", "1:b;", "2*:c;"});
}

TEST_CASE("one parallel sink behind another takes each result as one block") {
  WorkerPool pool(2);
  MemorySink out;
  ParallelSink outer(label, out, pool, 0);
  ParallelSink inner(label, outer, pool, 2);
  inner.write(as_bytes("abcde"));
  inner.finish();
  CHECK(to_string(out.data()) == "0:0:ab;;1:1:cd;;2*:2*:e;;");
  CHECK(out.finished());
}

TEST_CASE("at most two blocks a thread are held") {
  for (const unsigned threads : {1U, 2U, 3U}) {
    WorkerPool pool(threads);
    std::mutex mutex;
    std::set<std::uint64_t> taken;
    std::size_t written = 0;
    class CountingSink final : public Sink {
     public:
      CountingSink(std::mutex& mutex, std::size_t& written) : mutex_(mutex), written_(written) {}
      void write(ByteView) override {
        const std::lock_guard lock(mutex_);
        ++written_;
      }
      void finish() override {}

     private:
      std::mutex& mutex_;
      std::size_t& written_;
    } out(mutex, written);
    ParallelSink sink([](ByteView block, std::uint64_t, bool) { return to_bytes(block); }, out,
                      pool, 1);
    std::size_t most = 0;
    for (std::size_t sent = 1; sent <= 200; ++sent) {
      sink.write(as_bytes("x"));
      const std::lock_guard lock(mutex);
      most = std::max(most, sent - written);
    }
    sink.finish();
    CHECK(most <= 2 * threads);
    CHECK(written == 200);
  }
}

TEST_CASE("a failing transform fails the stream") {
  WorkerPool pool(2);
  MemorySink out;
  ParallelSink sink(
      [](ByteView block, std::uint64_t index, bool last) {
        if (index == 2) throw Error(ErrorCode::integrity, "block 2 is bad");
        return label(block, index, last);
      },
      out, pool, 1);
  CHECK_THROWS_WITH(
      [&] {
        sink.write(as_bytes("abcdefghijkl"));
        sink.finish();
      }(),
      "block 2 is bad");
  CHECK_FALSE(out.finished());
}

TEST_CASE("a sink that is destroyed unfinished leaves downstream unfinished") {
  WorkerPool pool(2);
  MemorySink out;
  {
    ParallelSink sink(label, out, pool, 1);
    sink.write(as_bytes("abcdefgh"));
  }
  CHECK_FALSE(out.finished());
}
