// Every answer lost once, at every place: the result is right and nothing is left over.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "storage/s3_fixture.h"
#include "stream/memory_stream.h"
#include "support/sample_bytes.h"

using namespace bkp;
using namespace bkp::test;
using namespace std::chrono_literals;
using Names = std::vector<std::string>;

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

S3Options small_parts() {
  S3Options options = quick_options();
  options.part_size = 5 * kMiB;
  options.list_page = 2;
  options.http.stall = 2s;
  return options;
}

struct Line {
  S3Server& server = S3Server::rgw();
  FaultProxy proxy{server.port()};
};

Line& line() {
  static Line shared;
  return shared;
}

// One try: a prefix of its own, seen straight and through the proxy.
struct Scene {
  StorageConfig config = line().server.config("fault-" + Uuid::random().short_text());
  S3Storage straight{config, small_parts()};
  S3Storage faulty{line().proxy.in_front_of(config), small_parts()};

  Names names() {
    Names found;
    for (const Object& object : straight.list("")) found.push_back(object.name);
    return found;
  }
};

void write_through(Storage& storage, const Bytes& content, IfExists if_exists = IfExists::fail) {
  CreateOptions options;
  options.if_exists = if_exists;
  const auto sink = storage.create("o", options);
  sink->write(content);
  sink->finish();
}

// Runs `act` with the n-th request hit, for every n until none is; `prepare` and `check` see the
// store without faults.
void break_everywhere(const std::string& mode, const std::function<void(Scene&)>& prepare,
                      const std::function<void(Scene&)>& act,
                      const std::function<void(Scene&)>& check) {
  int hit = 0;
  for (int n = 1;; ++n) {
    REQUIRE(n < 60);
    Scene scene;
    prepare(scene);
    INFO(mode << ", request " << n);
    const std::size_t colon = mode.find(':');
    line().proxy.set_mode(colon == std::string::npos ? fmt::format("{}:{}", mode, n)
                                                     : fmt::format("{}:{}{}", mode.substr(0, colon),
                                                                   n, mode.substr(colon)));
    act(scene);
    const int requests = line().proxy.requests();
    line().proxy.set_mode("pass");
    check(scene);
    CHECK(unfinished_uploads(scene.config) == 0);
    if (requests < n) break;
    ++hit;
  }
  CHECK(hit > 0);
}

const auto nothing = [](Scene&) {};
std::string any_mode() {
  return GENERATE(as<std::string>(), "cut-answer", "half-answer", "drop-request",
                  "refuse-answer:503", "refuse-answer:500");
}

std::string lost_or_refused() {
  return GENERATE(as<std::string>(), "cut-answer", "refuse-answer:500");
}

}  // namespace

TEST_CASE("a small object is written whatever answer is lost") {
  const Bytes content = sample_bytes(100'000);
  break_everywhere(
      any_mode(), nothing, [&](Scene& scene) { write_through(scene.faulty, content); },
      [&](Scene& scene) { CHECK(read_object(scene.straight, "o") == content); });
}

TEST_CASE("a multipart object is written whatever answer is lost") {
  const Bytes content = sample_bytes(11 * kMiB);
  const bool kept_connection = GENERATE(false, true);
  break_everywhere(
      any_mode(),
      [&](Scene& scene) {
        if (kept_connection) scene.faulty.info();
      },
      [&](Scene& scene) { write_through(scene.faulty, content); },
      [&](Scene& scene) { CHECK(read_object(scene.straight, "o") == content); });
}

TEST_CASE("an object is replaced whatever answer is lost") {
  const std::size_t size = GENERATE(100'000, 11 * kMiB);
  const Bytes content = sample_bytes(size);
  break_everywhere(
      lost_or_refused(),
      [&](Scene& scene) { write_object(scene.straight, "o", sample_bytes(size, 1)); },
      [&](Scene& scene) { write_through(scene.faulty, content, IfExists::replace); },
      [&](Scene& scene) { CHECK(read_object(scene.straight, "o") == content); });
}

TEST_CASE("another's object is never overwritten whatever answer is lost") {
  const std::size_t size = GENERATE(100'000, 11 * kMiB);
  const Bytes theirs = sample_bytes(size, 1);
  break_everywhere(
      lost_or_refused(), [&](Scene& scene) { write_object(scene.straight, "o", theirs); },
      [&](Scene& scene) {
        CHECK_THROWS_WITH(write_through(scene.faulty, sample_bytes(size)),
                          Catch::Contains("exists already and holds other bytes"));
      },
      [&](Scene& scene) { CHECK(read_object(scene.straight, "o") == theirs); });
}

TEST_CASE("the same bytes again are success whatever answer is lost") {
  const Bytes content = sample_bytes(GENERATE(100'000, 11 * kMiB));
  break_everywhere(
      lost_or_refused(), [&](Scene& scene) { write_object(scene.straight, "o", content); },
      [&](Scene& scene) { write_through(scene.faulty, content); },
      [&](Scene& scene) { CHECK(read_object(scene.straight, "o") == content); });
}

TEST_CASE("a sink given up leaves nothing whatever answer is lost") {
  break_everywhere(
      lost_or_refused(), nothing,
      [&](Scene& scene) { scene.faulty.create("o", {})->write(sample_bytes(11 * kMiB)); },
      [&](Scene& scene) { CHECK(scene.names().empty()); });
}

TEST_CASE("an object is read whatever answer is lost") {
  const Bytes content = sample_bytes(3 * kMiB);
  break_everywhere(
      lost_or_refused(), [&](Scene& scene) { write_object(scene.straight, "o", content); },
      [&](Scene& scene) {
        CHECK(read_object(scene.faulty, "o") == content);
        const auto source = scene.faulty.open("o", {1000, 5000});
        CHECK(read_all(*source, kMiB) == to_bytes(ByteView(content).subspan(1000, 5000)));
        CHECK(scene.faulty.open("none") == nullptr);
      },
      nothing);
}

TEST_CASE("a list is complete whatever answer is lost") {
  const Names all{"a", "b", "c", "d", "e"};
  break_everywhere(
      lost_or_refused(),
      [&](Scene& scene) {
        for (const std::string& name : all) write_object(scene.straight, name, as_bytes("x"));
      },
      [&](Scene& scene) {
        Names found;
        for (const Object& object : scene.faulty.list("")) found.push_back(object.name);
        CHECK(found == all);
        scene.faulty.info();
      },
      nothing);
}

TEST_CASE("objects are removed whatever answer is lost") {
  std::vector<std::unique_ptr<Sink>> abandoned;  // as by a writer that was killed
  break_everywhere(
      lost_or_refused(),
      [&](Scene& scene) {
        for (const char* name : {"a", "b", "c"}) write_object(scene.straight, name, as_bytes("x"));
        abandoned.push_back(scene.straight.create("b", {}));
        abandoned.back()->write(sample_bytes(6 * kMiB));
        abandoned.push_back(scene.straight.create("gone", {}));
        abandoned.back()->write(sample_bytes(6 * kMiB));
      },
      [&](Scene& scene) {
        for (const Outcome& outcome : scene.faulty.remove(Names{"a", "b", "gone", "none"}))
          CHECK_FALSE(outcome.error);
      },
      [&](Scene& scene) { CHECK(scene.names() == Names{"c"}); });
}

TEST_CASE("a stream that breaks again and again is read on from where it broke") {
  Scene scene;
  const Bytes content = sample_bytes(20 * kMiB);
  write_object(scene.straight, "o", content);
  const auto source = scene.faulty.open("o", {});
  Bytes got;
  Bytes part(kMiB);
  int breaks = 0;
  while (const std::size_t count = source->read(part)) {
    append(got, ByteView(part).first(count));
    if (got.size() / (4 * kMiB) > static_cast<std::size_t>(breaks)) {
      ++breaks;
      line().proxy.set_mode("half-answer:1");
    }
  }
  line().proxy.set_mode("pass");
  CHECK(got == content);
}

TEST_CASE("an object replaced while it is read is an error") {
  Scene scene;
  write_object(scene.straight, "o", sample_bytes(20 * kMiB));
  line().proxy.set_mode("half-answer:1");
  const auto source = scene.faulty.open("o", {});
  Bytes part(kMiB);
  CHECK(source->read(part) > 0);
  write_object(scene.straight, "o", sample_bytes(20 * kMiB, 1), IfExists::replace);
  CHECK_THROWS_WITH(
      [&] {
        while (source->read(part) > 0) continue;
      }(),
      Catch::Contains("changed while it was read"));
  line().proxy.set_mode("pass");
}

TEST_CASE("a store that is gone is unreachable, and soon") {
  const char* mode = GENERATE("close", "blackhole", "stall-after:100000", "refuse-all:503");
  INFO(mode);
  Scene scene;
  write_object(scene.straight, "there", as_bytes("x"));
  line().proxy.set_mode(mode);
  S3Options options = small_parts();
  options.http.stall = 300ms;
  S3Storage storage(line().proxy.in_front_of(scene.config), options);
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(write_through(storage, sample_bytes(kMiB)), StorageUnreachable);
  if (std::string(mode) != "stall-after:100000") {
    CHECK_THROWS_AS(storage.open("there"), StorageUnreachable);
    CHECK_THROWS_AS(storage.list(""), StorageUnreachable);
    CHECK_THROWS_AS(storage.remove(Names{"there"}), StorageUnreachable);
    CHECK_THROWS_AS(storage.info(), StorageUnreachable);
  }
  CHECK(std::chrono::steady_clock::now() - start < 40s);
  line().proxy.set_mode("pass");
  CHECK(scene.names() == Names{"there"});
}

TEST_CASE("a writer is stopped in the middle of a call that is stuck") {
  Scene scene;
  line().proxy.set_mode("stall-after:3000000");
  std::stop_source stop;
  CreateOptions options;
  options.stop = stop.get_token();
  S3Options patient = small_parts();
  patient.http.stall = 60s;
  S3Storage storage(line().proxy.in_front_of(scene.config), patient);
  const auto start = std::chrono::steady_clock::now();
  {
    const auto sink = storage.create("o", options);
    std::jthread stopper([&] {
      std::this_thread::sleep_for(500ms);
      line().proxy.set_mode("pass");  // for what is in flight the stall remains
      stop.request_stop();
    });
    CHECK_THROWS_WITH(sink->write(sample_bytes(12 * kMiB)), Catch::Contains("stopped"));
  }
  CHECK(std::chrono::steady_clock::now() - start < 10s);
  CHECK(scene.names().empty());
  CHECK(unfinished_uploads(scene.config) == 0);
}
