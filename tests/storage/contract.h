// The contract of storage.h as one suite for every driver. Define STORAGE_FIXTURES before including
// it: types that are default-constructed for each case, with
//   Storage& storage();        the driver under test, empty
//   std::size_t many() const;  objects enough for several pages of a list
//   kExclusive                 whether of writers of one name at once all but one fail
//   std::size_t leftovers();   what unfinished writes left: temporary files, multipart uploads …
#pragma once

#include <catch2/catch.hpp>
#include <thread>

#include "storage/storage.h"
#include "stream/memory_stream.h"
#include "support/sample_bytes.h"

namespace bkp::test {

inline constexpr std::size_t kMiB = std::size_t{1} << 20;

// Writes `content` in pieces of `piece` bytes.
inline void store(Storage& storage, std::string_view name, ByteView content,
                  IfExists if_exists = IfExists::fail, std::size_t piece = kMiB) {
  CreateOptions options;
  options.if_exists = if_exists;
  const std::unique_ptr<Sink> sink = storage.create(name, options);
  for (ByteView rest = content; !rest.empty();) {
    const ByteView next = rest.first(std::min(piece, rest.size()));
    sink->write(next);
    rest = rest.subspan(next.size());
  }
  sink->finish();
}

inline std::vector<std::string> names_of(Storage& storage, std::string_view prefix = "") {
  std::vector<std::string> names;
  for (const Object& object : storage.list(prefix)) names.push_back(object.name);
  return names;
}

inline std::optional<Bytes> read_range(Storage& storage, std::string_view name, Range range) {
  const std::unique_ptr<Source> source = storage.open(name, range);
  if (!source) return std::nullopt;
  return read_all(*source, 64 * kMiB);
}

inline std::vector<std::optional<Error>> remove_names(Storage& storage,
                                                      const std::vector<std::string>& names) {
  std::vector<std::optional<Error>> errors;
  const std::vector<Outcome> outcomes = storage.remove(names);
  REQUIRE(outcomes.size() == names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    CHECK(outcomes[i].name == names[i]);
    errors.push_back(outcomes[i].error);
  }
  return errors;
}

}  // namespace bkp::test

using namespace bkp;
using namespace bkp::test;
using Names = std::vector<std::string>;

TEMPLATE_TEST_CASE("an object is visible, whole, after finish and not before", "[contract]",
                   STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  const Bytes content = sample_bytes(3 * kMiB);
  const std::unique_ptr<Sink> sink = storage.create("shop/a/one", {});
  CHECK(fixture.leftovers() == 0);  // nothing happens before the first write
  sink->write(content);
  CHECK(storage.list("").empty());
  CHECK(storage.open("shop/a/one") == nullptr);
  sink->finish();
  REQUIRE(names_of(storage) == Names{"shop/a/one"});
  CHECK(storage.list("")[0].size == content.size());
  CHECK(read_object(storage, "shop/a/one") == content);
  CHECK(fixture.leftovers() == 0);
}

TEMPLATE_TEST_CASE("a sink destroyed before finish leaves nothing", "[contract]",
                   STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  const std::size_t size = GENERATE(std::size_t{0}, std::size_t{1}, 40 * kMiB);
  {
    const std::unique_ptr<Sink> sink = storage.create("shop/gone", {});
    sink->write(sample_bytes(size));
  }
  CHECK(storage.list("").empty());
  CHECK(storage.open("shop/gone") == nullptr);
  CHECK(fixture.leftovers() == 0);
}

TEMPLATE_TEST_CASE("an object of any size comes back as it was written", "[contract]",
                   STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  const std::size_t size =
      GENERATE(std::size_t{0}, std::size_t{1}, 16 * kMiB, 16 * kMiB + 1, 40 * kMiB);
  const std::size_t piece = GENERATE(std::size_t{100'003}, 16 * kMiB, 40 * kMiB);
  const Bytes content = sample_bytes(size);
  store(storage, "o", content, IfExists::fail, piece);
  CHECK(storage.list("o").at(0).size == size);
  CHECK(read_object(storage, "o") == content);
  CHECK(fixture.leftovers() == 0);
}

TEMPLATE_TEST_CASE("what is written before is safe from the writer's next use of its memory",
                   "[contract]", STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  const Bytes content = sample_bytes(33 * kMiB);
  const std::unique_ptr<Sink> sink = storage.create("o", {});
  Bytes block(11 * kMiB);
  for (std::size_t at = 0; at < content.size(); at += block.size()) {
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(at), block.size(), block.begin());
    sink->write(block);
    std::fill(block.begin(), block.end(), std::byte{0});
  }
  sink->finish();
  CHECK(read_object(storage, "o") == content);
}

TEMPLATE_TEST_CASE("a name is letters, digits, dot, underscore, hyphen and slash", "[contract]",
                   STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  const std::string allowed = "shop/full_database/2026-11/Backup_1.dump.gz.enc";
  store(storage, allowed, as_bytes("x"));
  store(storage, "..a/.b/-c", as_bytes("y"));
  CHECK(names_of(storage) == Names{"..a/.b/-c", allowed});
  CHECK(read_object(storage, "..a/.b/-c") == to_bytes("y"));
  const std::string long_name = "d/" + std::string(199, 'a') + "/" + std::string(199, 'b') + "/" +
                                std::string(199, 'c') + "/" + std::string(199, 'd') + "/" +
                                std::string(98, 'e');
  REQUIRE(long_name.size() == kMaxObjectName);
  store(storage, long_name, as_bytes("z"));
  CHECK(read_object(storage, long_name) == to_bytes("z"));
  for (const std::string& refused :
       {std::string(), std::string("/a"), std::string("a/"), std::string("a//b"),
        std::string("../a"), std::string("a/.."), std::string("a/./b"), std::string("a b"),
        std::string("a+b"), std::string("\xc3\xa9"), std::string("a\0b", 3), std::string("a\nb"),
        std::string("a%20b"), std::string("a.tmp"), long_name + "e"}) {
    INFO(refused);
    CHECK_THROWS_AS(storage.create(refused, {}), Error);
    CHECK_THROWS_AS(storage.open(refused), Error);
    CHECK_THROWS_AS(storage.remove(Names{refused}), Error);
  }
}

TEMPLATE_TEST_CASE("an object that is not there is null, not an error", "[contract]",
                   STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  store(storage, "a/b", as_bytes("x"));
  CHECK(storage.open("b") == nullptr);
  CHECK(storage.open("a") == nullptr);
  CHECK(storage.open("a/b/c") == nullptr);
  CHECK(storage.open("b", {5, 5}) == nullptr);
  CHECK(read_object(storage, "a/c") == std::nullopt);
  CHECK_FALSE(stat_object(storage, "a/c"));
  CHECK(stat_object(storage, "a/b")->size == 1);
}

TEMPLATE_TEST_CASE("a range is its bytes and no others", "[contract]", STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  const Bytes content = sample_bytes(100'000);
  store(storage, "o", content);
  store(storage, "empty", {});
  const auto part = [&](std::size_t from, std::size_t length) {
    return to_bytes(ByteView(content).subspan(from, length));
  };
  CHECK(read_range(storage, "o", {0, 1}) == part(0, 1));
  CHECK(read_range(storage, "o", {0, std::nullopt}) == content);
  CHECK(read_range(storage, "o", {1000, 2000}) == part(1000, 2000));
  CHECK(read_range(storage, "o", {1000, std::nullopt}) == part(1000, 99'000));
  CHECK(read_range(storage, "o", {99'999, 1}) == part(99'999, 1));
  CHECK(read_range(storage, "o", {99'000, 5000}) == part(99'000, 1000));
  CHECK(read_range(storage, "o", {500, 0}) == Bytes{});
  CHECK(read_range(storage, "o", {100'000, std::nullopt}) == Bytes{});
  CHECK(read_range(storage, "o", {100'000, 10}) == Bytes{});
  CHECK(read_range(storage, "empty", {0, 10}) == Bytes{});
  CHECK_THROWS_AS(read_range(storage, "o", {100'001, std::nullopt}), Error);
  CHECK_THROWS_AS(read_range(storage, "o", {100'001, 0}), Error);
  CHECK_THROWS_AS(read_range(storage, "o", {1'000'000, 1}), Error);
  CHECK_THROWS_AS(read_range(storage, "empty", {1, 1}), Error);
}

TEMPLATE_TEST_CASE("a list is complete, sorted, and of names that begin with the prefix",
                   "[contract]", STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  Names all;
  for (const char* name : {"a-b", "a.b", "a/b", "a/b-c/d", "a/b/c", "a_b", "ab", "b/1", "b/10"})
    all.emplace_back(name);
  // "a/b" cannot be a file and a directory at once on a disk.
  all.erase(std::find(all.begin(), all.end(), "a/b"));
  for (const std::string& name : all) store(storage, name, as_bytes(name));
  CHECK(names_of(storage) == all);
  CHECK(names_of(storage, "a/b") == Names{"a/b-c/d", "a/b/c"});
  CHECK(names_of(storage, "a/b/") == Names{"a/b/c"});
  CHECK(names_of(storage, "b/1") == Names{"b/1", "b/10"});
  CHECK(names_of(storage, "b/1/").empty());
  CHECK(names_of(storage, "c").empty());
  CHECK(names_of(storage, "../").empty());
  const auto now = std::chrono::system_clock::now();
  for (const Object& object : storage.list("")) {
    CHECK(object.size == object.name.size());
    CHECK(std::chrono::abs(object.modified - now) < std::chrono::minutes(5));
  }
}

TEMPLATE_TEST_CASE("an existing object with other bytes is never overwritten unless told to",
                   "[contract]", STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  const std::size_t size = GENERATE(std::size_t{5}, 17 * kMiB);
  const Bytes first = sample_bytes(size, 1);
  const Bytes second = sample_bytes(size, 2);
  store(storage, "o", first);
  CHECK_THROWS_WITH(store(storage, "o", second), Catch::Contains("exists"));
  CHECK(read_object(storage, "o") == first);
  CHECK_THROWS_AS(store(storage, "o", ByteView(first).first(size - 1)), Error);
  CHECK_THROWS_AS(store(storage, "o", {}), Error);
  CHECK(read_object(storage, "o") == first);
  CHECK(fixture.leftovers() == 0);
  store(storage, "o", second, IfExists::replace);
  CHECK(read_object(storage, "o") == second);
  store(storage, "o", as_bytes("short"), IfExists::replace);
  CHECK(read_object(storage, "o") == to_bytes("short"));
  store(storage, "new", second, IfExists::replace);
  CHECK(read_object(storage, "new") == second);
  CHECK(fixture.leftovers() == 0);
}

TEMPLATE_TEST_CASE("the same bytes again are success", "[contract]", STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  const std::size_t size = GENERATE(std::size_t{0}, std::size_t{5}, 16 * kMiB, 40 * kMiB);
  const Bytes content = sample_bytes(size);
  store(storage, "o", content);
  store(storage, "o", content);
  store(storage, "o", content, IfExists::fail, 7 * kMiB);
  CHECK(names_of(storage) == Names{"o"});
  CHECK(read_object(storage, "o") == content);
  CHECK(fixture.leftovers() == 0);
}

TEMPLATE_TEST_CASE("of writers of one name at once, one wins and the object is whole", "[contract]",
                   STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  constexpr std::size_t kWriters = 6;
  std::array<bool, kWriters> won{};
  {
    std::vector<std::jthread> writers;
    for (std::size_t i = 0; i < kWriters; ++i)
      writers.emplace_back([&, i] {
        try {
          store(storage, "shop/o", sample_bytes(200'000, static_cast<unsigned>(i)));
          won[i] = true;
        } catch (const Error&) {
        }
      });
  }
  if (TestType::kExclusive) CHECK(std::count(won.begin(), won.end(), true) == 1);
  const auto stored = read_object(storage, "shop/o");
  bool of_a_winner = false;
  for (std::size_t i = 0; i < kWriters; ++i)
    of_a_winner |= won[i] && stored == sample_bytes(200'000, static_cast<unsigned>(i));
  CHECK(of_a_winner);
  CHECK(fixture.leftovers() == 0);
}

TEMPLATE_TEST_CASE("removed objects are gone, and a name that is not there is no error",
                   "[contract]", STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  for (const char* name : {"a/b/c", "a/b/d", "a/e"}) store(storage, name, as_bytes(name));
  store(storage, "a/e", as_bytes("newer"), IfExists::replace);
  for (const auto& error : remove_names(storage, {"a/b/c", "a/b/none", "none/none", "a/e"}))
    CHECK_FALSE(error);
  CHECK(names_of(storage) == Names{"a/b/d"});
  CHECK(storage.open("a/e") == nullptr);
  CHECK(storage.remove({}).empty());
  for (const auto& error : remove_names(storage, {"a/b/d", "a/b/d"})) CHECK_FALSE(error);
  CHECK(storage.list("").empty());
  CHECK(fixture.leftovers() == 0);
  store(storage, "a/b/c", as_bytes("again"));
  CHECK(read_object(storage, "a/b/c") == to_bytes("again"));
}

TEMPLATE_TEST_CASE("thousands of objects are listed and removed, each", "[contract]",
                   STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  Names all;
  for (std::size_t i = 0; i < fixture.many(); ++i)
    all.push_back("many/" + std::to_string(10'000 + i));
  {
    std::vector<std::jthread> writers;
    for (std::size_t t = 0; t < 4; ++t)
      writers.emplace_back([&, t] {
        for (std::size_t i = t; i < all.size(); i += 4) store(storage, all[i], as_bytes(all[i]));
      });
  }
  CHECK(names_of(storage, "many/") == all);
  for (const auto& error : remove_names(storage, all)) CHECK_FALSE(error);
  CHECK(storage.list("").empty());
}

TEMPLATE_TEST_CASE("a writer asked to stop ends with an error and leaves nothing", "[contract]",
                   STORAGE_FIXTURES) {
  TestType fixture;
  Storage& storage = fixture.storage();
  std::stop_source stop;
  CreateOptions options;
  options.stop = stop.get_token();
  {
    const std::unique_ptr<Sink> sink = storage.create("o", options);
    sink->write(sample_bytes(20 * kMiB));
    stop.request_stop();
    CHECK_THROWS_AS((sink->write(sample_bytes(20 * kMiB)), sink->finish()), Error);
  }
  CHECK(storage.list("").empty());
  CHECK(fixture.leftovers() == 0);
}

TEMPLATE_TEST_CASE("a storage tells its name and place", "[contract]", STORAGE_FIXTURES) {
  TestType fixture;
  const StorageInfo info = fixture.storage().info();
  CHECK_FALSE(info.name.empty());
  CHECK_FALSE(info.location.empty());
  if (info.clock)
    CHECK(std::chrono::abs(*info.clock - std::chrono::system_clock::now()) <
          std::chrono::minutes(1));
}
