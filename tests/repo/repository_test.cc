#include "repo/repository.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <random>

#include "base/error.h"
#include "repo/abandoned.h"
#include "repo/layout.h"
#include "stream/memory_stream.h"
#include "support/memory_storage.h"

using namespace bkp;
using bkp::test::Faults;
using bkp::test::MemoryStorage;

namespace {

// Three storages of one cluster, and what a backup in them needs.
struct House {
  House() {
    std::vector<NamedStorage> named;
    for (const char* name : {"local", "r2", "b2"}) {
      storages.push_back(std::make_shared<MemoryStorage>(name));
      named.push_back({name, storages.back()});
    }
    repository.emplace("shop", named, keys, Suite::aes_256_gcm, pool, clock);
    const ClusterFile file{1, "shop", uuid, {}, {"db1"}};
    for (const char* name : {"local", "r2", "b2"}) repository->write_cluster_file(name, file);
  }

  Repository::PutOptions options(std::uint64_t object_limit = std::uint64_t{64} << 30) {
    Repository::PutOptions put;
    put.backup = Uuid::random();
    put.stem = backup_stem("shop", BackupType::full_database, clock.now(), put.backup);
    put.compression = {Codec::zstd, 1};
    put.object_limit = object_limit;
    return put;
  }

  // put and commit, as a dump does.
  Manifest store(const Bytes& plain, const Repository::PutOptions& put) {
    MemorySource source(plain);
    PutResult result = repository->put(put, source);
    Manifest manifest;
    manifest.id = put.backup;
    manifest.cluster = "shop";
    manifest.cluster_uuid = uuid;
    manifest.codec = put.compression.codec;
    manifest.objects = result.objects;
    manifest.plain_size = result.plain_size;
    manifest.plain_sha256 = result.plain_sha256;
    copies = result.copies;
    repository->commit(manifest, put.stem, put.minimum, copies);
    repository->end_heartbeats(put.stem, copies);
    return manifest;
  }

  Bytes fetch(const Manifest& manifest, std::vector<CopyCheck>* bad = nullptr) {
    MemorySink to;
    const GetResult result = repository->get(manifest, {"r2", "b2", "local"}, to);
    if (bad != nullptr) *bad = result.bad_copies;
    CHECK(to.finished());
    return to.data();
  }

  std::vector<std::string> names(std::size_t storage) const {
    std::vector<std::string> all = storages[storage]->names();
    std::erase(all, "shop/cluster.json");
    return all;
  }

  SystemClock clock;
  WorkerPool pool;
  KeyRing keys{{generate_master_key(KeyState::active, SystemClock().now())}};
  Uuid uuid = Uuid::random();
  std::vector<std::shared_ptr<MemoryStorage>> storages;
  std::optional<Repository> repository;
  std::vector<CopyOutcome> copies;
};

Bytes noise(std::size_t size) {
  std::mt19937_64 random(size);
  Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

template <typename Field, typename Value>
Faults fault(Field Faults::*field, Value value) {
  Faults faults;
  faults.*field = value;
  return faults;
}

template <typename Work>
Error error_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  FAIL("it went well");
  throw;
}

}  // namespace

TEST_CASE("what was put is got back, whatever its size") {
  House house;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1} << 20,
                                 (std::size_t{1} << 20) + 1, (std::size_t{5} << 20) + 17}) {
    INFO(size << " bytes");
    const Bytes plain = noise(size);
    CHECK(house.fetch(house.store(plain, house.options())) == plain);
  }
}

TEST_CASE("copies are the same bytes in every storage, and nothing else is left beside them") {
  House house;
  const Repository::PutOptions put = house.options();
  const Manifest manifest = house.store(noise(3 << 20), put);
  const std::vector<std::string> expected = {manifest.objects[0].name, manifest_name(put.stem)};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(house.names(i) == expected);
    for (const std::string& name : expected)
      CHECK(house.storages[i]->content(name) == house.storages[0]->content(name));
  }
  CHECK(sha256(*house.storages[1]->content(expected[0])) == manifest.objects[0].sha256);
}

TEST_CASE("a stream longer than one object may be goes on in the next") {
  House house;
  const Bytes plain = noise(7 << 20);
  const Repository::PutOptions put = house.options(std::uint64_t{2} << 20);
  const Manifest manifest = house.store(plain, put);
  CHECK(manifest.objects.size() == 7);
  CHECK(manifest.objects[1].name.ends_with(".enc.2"));
  for (const StoredObject& object : manifest.objects) CHECK(object.size <= std::uint64_t{2} << 20);
  CHECK(house.fetch(manifest) == plain);
}

TEST_CASE("an object ends before its index would hold more frames than one may") {
  House house;
  Repository::PutOptions put = house.options();
  put.frame_limit = 3;
  const Bytes plain = noise(7 << 20);
  const Manifest manifest = house.store(plain, put);
  CHECK(manifest.objects.size() == 3);
  CHECK(house.fetch(manifest) == plain);
}

TEST_CASE("the manifest of very many tables is written only if it can be read again") {
  House house;
  const Repository::PutOptions put = house.options();
  MemorySource source(noise(1000));
  PutResult result = house.repository->put(put, source);
  Manifest manifest;
  manifest.id = put.backup;
  manifest.cluster = "shop";
  manifest.cluster_uuid = house.uuid;
  manifest.objects = result.objects;
  manifest.tables.push_back({"tenant", "orders", std::string(60 << 20, 'x'), 1, 2, "", false});
  house.repository->commit(manifest, put.stem, 1, result.copies);
  std::vector<CopyCheck> bad;
  const std::optional<Manifest> read = house.repository->manifest(put.stem, {"local"}, &bad);
  REQUIRE(read);
  CHECK(read->tables == manifest.tables);
}

TEST_CASE("a storage that fails is told, and the others have their copies") {
  House house;
  SECTION("while it is written to") {
    house.storages[1]->set_faults(fault(&Faults::fail_write_after, 1 << 20));
  }
  SECTION("at the end") { house.storages[1]->set_faults(fault(&Faults::fail_finish, true)); }
  SECTION("from the start") { house.storages[1]->set_faults(fault(&Faults::unreachable, true)); }
  const Bytes plain = noise(20 << 20);
  const Manifest manifest = house.store(plain, house.options());
  CHECK(house.copies[0].ok());
  CHECK_FALSE(house.copies[1].ok());
  CHECK(house.copies[2].ok());
  house.storages[1]->set_faults({});
  CHECK(house.storages[1]->unfinished() == 0);
  for (const std::string& name : house.names(1)) CHECK(role_of(name) == ObjectRole::heartbeat);
  CHECK(house.fetch(manifest) == plain);
}

TEST_CASE("with fewer copies than the minimum there is no backup, and nothing stays") {
  House house;
  house.storages[1]->set_faults(fault(&Faults::fail_finish, true));
  house.storages[2]->set_faults(fault(&Faults::fail_write_after, 100));
  Repository::PutOptions put = house.options();
  put.minimum = 2;
  const Error error = error_of([&] { house.store(noise(20 << 20), put); });
  CHECK(error.code() == ErrorCode::failed);
  CHECK(error.message().find("only 1 of 3 copies") != std::string::npos);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(house.names(i).empty());
    CHECK(house.storages[i]->unfinished() == 0);
  }
}

TEST_CASE("a source that ends badly leaves nothing, however much had been stored") {
  class Broken final : public Source {
   public:
    std::size_t read(std::span<std::byte> out) override {
      if (blocks_++ == 40) throw Error(ErrorCode::failed, "pg_dump was killed by signal 9");
      std::mt19937 random(blocks_);
      for (std::byte& byte : out) byte = static_cast<std::byte>(random());
      return out.size();
    }

   private:
    unsigned blocks_ = 0;
  } source;
  House house;
  const Repository::PutOptions put =
      house.options(std::uint64_t{2} << 20);  // several whole objects
  const Error error = error_of([&] { house.repository->put(put, source); });
  CHECK(error.message() == "pg_dump was killed by signal 9");
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(house.names(i).empty());
    CHECK(house.storages[i]->unfinished() == 0);
  }
}

TEST_CASE("a storage without this cluster's cluster.json gets nothing") {
  House house;
  SECTION("an unmounted disk") { house.storages[0]->erase("shop/cluster.json"); }
  SECTION("another cluster of the same name") {
    house.storages[0]->put("shop/cluster.json",
                           to_bytes(encode_cluster_file({1, "shop", Uuid::random(), {}, {}})));
    // The first storage is the one asked which cluster this is: the others then are the odd ones.
  }
  MemorySource source(noise(1000));
  const PutResult result = house.repository->put(house.options(), source);
  const auto ok = std::count_if(result.copies.begin(), result.copies.end(),
                                [](const CopyOutcome& copy) { return copy.ok(); });
  CHECK(ok != 3);
}

TEST_CASE("one byte flipped anywhere in one copy is named, and the others serve") {
  House house;
  const Bytes plain = noise((3 << 20) + 100);
  const Manifest manifest = house.store(plain, house.options());
  const std::string name = manifest.objects[0].name;
  const std::uint64_t size = manifest.objects[0].size;
  for (const std::uint64_t at : {std::uint64_t{0}, std::uint64_t{70}, std::uint64_t{300}, size / 3,
                                 size / 2, size - 100, size - 20, size - 1}) {
    INFO("byte " << at << " of " << size);
    house.storages[1]->flip_byte(name, at);
    std::vector<CopyCheck> bad;
    CHECK(house.fetch(manifest, &bad) == plain);
    const CopyCheck check = house.repository->check(manifest, "r2", CheckDepth::read);
    CHECK(check.state == CopyState::damaged);
    CHECK(check.problem.find(name) != std::string::npos);
    house.storages[1]->flip_byte(name, at);
  }
  CHECK(house.repository->check(manifest, "r2", CheckDepth::deep).state == CopyState::good);
}

TEST_CASE("copies that are damaged in different frames serve one backup together") {
  House house;
  const Bytes plain = noise(6 << 20);
  const Manifest manifest = house.store(plain, house.options());
  const std::string name = manifest.objects[0].name;
  for (std::uint64_t i = 0; i < 3; ++i)
    house.storages[i]->flip_byte(name, (std::uint64_t{2} << 20) * i + 5000);
  std::vector<CopyCheck> bad;
  CHECK(house.fetch(manifest, &bad) == plain);
  CHECK_FALSE(bad.empty());
}

TEST_CASE("a frame that no copy has is an integrity error that names copies and place") {
  House house;
  const Manifest manifest = house.store(noise(3 << 20), house.options());
  const std::string name = manifest.objects[0].name;
  for (auto& storage : house.storages) storage->flip_byte(name, (1 << 20) + 5000);
  MemorySink to;
  const Error error = error_of([&] { house.repository->get(manifest, {"local", "r2", "b2"}, to); });
  CHECK(error.code() == ErrorCode::integrity);
  CHECK(error.message().find("frame 1 at byte") != std::string::npos);
  for (const char* storage : {"'local'", "'r2'", "'b2'"})
    CHECK(error.message().find(storage) != std::string::npos);
  CHECK_FALSE(to.finished());
}

TEST_CASE("a copy that breaks off or hangs up in mid-stream is left for the next") {
  House house;
  const Bytes plain = noise(6 << 20);
  const Manifest manifest = house.store(plain, house.options());
  house.storages[1]->set_faults(fault(&Faults::fail_read_after, 2 << 20));
  std::vector<CopyCheck> bad;
  CHECK(house.fetch(manifest, &bad) == plain);
  REQUIRE(bad.size() == 1);
  CHECK(bad[0].storage == "r2");
}

TEST_CASE("a copy that is cut, renamed, swapped or missing is told apart") {
  House house;
  const Manifest manifest = house.store(noise(3 << 20), house.options());
  const Manifest other = house.store(noise(3 << 20), house.options());
  const std::string name = manifest.objects[0].name;
  MemoryStorage& r2 = *house.storages[1];
  SECTION("cut") {
    r2.truncate(name, manifest.objects[0].size - 1);
    CHECK(house.repository->check(manifest, "r2", CheckDepth::stat).state == CopyState::damaged);
  }
  SECTION("missing") {
    r2.erase(name);
    CHECK(house.repository->check(manifest, "r2", CheckDepth::stat).state == CopyState::missing);
  }
  SECTION("another backup's object under its name") {
    r2.put(name, *r2.content(other.objects[0].name));
    CHECK(house.repository->check(manifest, "r2", CheckDepth::read).state == CopyState::damaged);
  }
  SECTION("without its manifest") {
    r2.erase(manifest_name(stem_of(name)));
    CHECK(house.repository->check(manifest, "r2", CheckDepth::stat).state == CopyState::missing);
  }
  SECTION("another backup's manifest") {
    r2.put(manifest_name(stem_of(name)),
           *r2.content(manifest_name(stem_of(other.objects[0].name))));
    CHECK(house.repository->check(manifest, "r2", CheckDepth::stat).state == CopyState::damaged);
  }
  SECTION("nothing is missing from a storage whose disk is not mounted") {
    for (const std::string& object : r2.names()) r2.erase(object);
    const CopyCheck check = house.repository->check(manifest, "r2", CheckDepth::read);
    CHECK(check.state == CopyState::failed);
    CHECK(check.problem.find("is the disk mounted?") != std::string::npos);
    std::vector<CopyCheck> bad;
    CHECK_FALSE(house.repository->manifest(stem_of(name), {"r2"}, &bad));
    CHECK(bad.at(0).state == CopyState::failed);
  }
  SECTION("a storage that does not answer says nothing about the copy") {
    r2.set_faults(fault(&Faults::unreachable, true));
    CHECK(house.repository->check(manifest, "r2", CheckDepth::stat).state == CopyState::failed);
  }
}

TEST_CASE("another backup's manifest under a backup's name is taken for neither") {
  House house;
  const Manifest manifest = house.store(noise(100), house.options());
  const Manifest other = house.store(noise(100), house.options());
  const std::string stem = stem_of(manifest.objects[0].name);
  for (auto& storage : house.storages)
    storage->put(manifest_name(stem),
                 *storage->content(manifest_name(stem_of(other.objects[0].name))));
  std::vector<CopyCheck> bad;
  CHECK_FALSE(house.repository->manifest(stem, {"local", "r2"}, &bad));
  REQUIRE(bad.size() == 2);
  CHECK(bad[0].state == CopyState::damaged);
  CHECK(bad[0].problem.find("another backup's") != std::string::npos);
}

TEST_CASE(
    "a byte flipped in an object's key slots is told, but other slots in the manifest are not") {
  House house;
  const Bytes plain = noise(5000);
  Manifest manifest = house.store(plain, house.options());
  const std::string name = manifest.objects[0].name;
  const std::size_t slots = 108 + name.size();
  for (const std::size_t at : {slots, slots + 1, slots + 5, slots + 18, slots + 30}) {
    INFO("byte " << at);
    for (auto& storage : house.storages) storage->flip_byte(name, at);
    MemorySink to;
    const Error error = error_of([&] { house.repository->get(manifest, {"r2", "b2"}, to); });
    CHECK(error.code() == ErrorCode::integrity);
    CHECK(error.message().find("'r2'") != std::string::npos);
    for (auto& storage : house.storages) storage->flip_byte(name, at);
  }
  manifest.objects[0].slots.push_back({SlotType::x25519, Uuid::random(), noise(48)});
  CHECK(house.fetch(manifest) == plain);
}

TEST_CASE("what a killed run left is found by its heartbeat and removed, a whole backup is kept") {
  House house;
  const Repository::PutOptions killed = house.options();
  const Repository::PutOptions whole = house.options();
  MemorySource source(noise(1000));
  house.repository->put(killed, source);  // and no commit
  const Manifest manifest = house.store(noise(1000), whole);
  const Heartbeat heartbeat{
      whole.backup,      BackupType::full_database, Codec::zstd, host_name(), 1,
      house.clock.now(), house.clock.now()};
  house.storages[0]->put(heartbeat_name(whole.stem), to_bytes(encode_heartbeat(heartbeat)));

  std::vector<AbandonedRun> runs =
      find_abandoned(*house.repository, "local", BackupType::full_database, house.clock.now(),
                     [](const Uuid&) { return true; });
  REQUIRE(runs.size() == 2);
  for (const AbandonedRun& run : runs) {
    CHECK(run.committed == (run.stem == whole.stem));
    CHECK(remove_abandoned(*house.repository, run));
  }
  CHECK(house.names(0) ==
        std::vector<std::string>{manifest.objects[0].name, manifest_name(whole.stem)});
}

TEST_CASE("no object that a long run begins makes it look as old as its start") {
  // Every look at it is six hours later.
  class FastClock final : public Clock {
   public:
    TimePoint now() const override { return start_ + std::chrono::hours(6) * looks_++; }

   private:
    TimePoint start_ = SystemClock().now();
    mutable std::atomic<int> looks_ = 0;
  };
  class Watched final : public Storage {
   public:
    explicit Watched(std::shared_ptr<MemoryStorage> to) : to_(std::move(to)) {}
    std::unique_ptr<Sink> create(std::string_view name, CreateOptions options) override {
      if (role_of(name) == ObjectRole::data) look(name);
      return to_->create(name, options);
    }
    std::unique_ptr<Source> open(std::string_view name, Range range) override {
      return to_->open(name, range);
    }
    std::vector<Object> list(std::string_view prefix) override { return to_->list(prefix); }
    std::vector<Outcome> remove(std::span<const std::string> names) override {
      return to_->remove(names);
    }
    StorageInfo info() override { return to_->info(); }

    std::vector<std::chrono::microseconds> ages;  // of the run, by its heartbeat, at each object

   private:
    void look(std::string_view name) {
      const auto text = to_->content(heartbeat_name(stem_of(name)));
      const Heartbeat heartbeat = decode_heartbeat(as_text(text.value()));
      const std::scoped_lock lock(mutex_);
      ages.push_back(heartbeat.heartbeat_at - heartbeat.started_at);
    }
    std::shared_ptr<MemoryStorage> to_;
    std::mutex mutex_;
  };
  House house;
  const FastClock clock;
  const auto watched = std::make_shared<Watched>(house.storages[0]);
  Repository repository("shop", {{"local", watched}}, house.keys, Suite::aes_256_gcm, house.pool,
                        clock);
  MemorySource source(noise(5 << 20));
  repository.put(house.options(std::uint64_t{1} << 20), source);
  CHECK(watched->ages.size() > 2);
  for (const std::chrono::microseconds age : watched->ages) CHECK(age > std::chrono::hours(6));
}

namespace {

// A run of a host, as its heartbeat in the first storage shows it.
struct OthersRun {
  explicit OthersRun(House& in, std::string host = "another")
      : house(in), now(in.clock.now()), heartbeat{Uuid::random(),
                                                  BackupType::full_database,
                                                  Codec::zstd,
                                                  std::move(host),
                                                  1,
                                                  now,
                                                  now} {
    stem = backup_stem("shop", BackupType::full_database, now, heartbeat.id);
    show(0, now);
  }
  void show(std::size_t storage, TimePoint at) {
    heartbeat.heartbeat_at = at;
    house.storages[storage]->put(heartbeat_name(stem), to_bytes(encode_heartbeat(heartbeat)));
  }
  std::vector<AbandonedRun> found(std::chrono::hours later, bool begun_here = false) {
    house.storages[0]->set_clock(now + later);
    return find_abandoned(*house.repository, "local", BackupType::full_database, now + later,
                          [begun_here](const Uuid&) { return begun_here; });
  }

  House& house;
  TimePoint now;
  Heartbeat heartbeat;
  std::string stem;
};

}  // namespace

TEST_CASE("another host's run is abandoned only after a day without a sign") {
  House house;
  OthersRun run(house);
  CHECK(run.found(std::chrono::hours(23)).empty());
  CHECK(run.found(std::chrono::hours(25)).size() == 1);
}

TEST_CASE("a run of this host's name that its history does not know is another host's") {
  House house;
  OthersRun run(house, host_name());
  CHECK(run.found(std::chrono::hours(1), true).size() == 1);
  CHECK(run.found(std::chrono::hours(1), false).empty());
  CHECK(run.found(std::chrono::hours(25), false).size() == 1);
}

TEST_CASE("a run that writes to a slower storage, or to one that cannot be asked, is alive") {
  House house;
  OthersRun run(house);
  SECTION("a slower one") { run.show(2, run.now + std::chrono::hours(24)); }
  SECTION("one that cannot be asked") {
    house.storages[1]->set_faults(fault(&Faults::unreachable, true));
  }
  CHECK(run.found(std::chrono::hours(25)).empty());
}

TEST_CASE("with a clock that is not the storage's nothing is taken for abandoned") {
  House house;
  OthersRun run(house);
  const Error error = error_of([&] {
    find_abandoned(*house.repository, "local", BackupType::full_database,
                   run.now + std::chrono::hours(25), [](const Uuid&) { return false; });
  });
  CHECK(error.message().find("its clock says") != std::string::npos);
}

TEST_CASE("a run that commits while another host takes it for abandoned keeps everything") {
  House house;
  OthersRun run(house);
  const std::string data = data_name(run.stem, BackupType::full_database, Codec::zstd, 1);
  house.storages[0]->put(data, noise(100));
  const std::vector<AbandonedRun> runs = run.found(std::chrono::hours(25));
  REQUIRE(runs.size() == 1);
  house.storages[0]->put(manifest_name(run.stem), noise(100));
  CHECK_FALSE(remove_abandoned(*house.repository, runs.front()));
  CHECK(house.storages[0]->content(data));
  CHECK(house.storages[0]->content(heartbeat_name(run.stem)));
}

TEST_CASE("a copy whose data another run took for abandoned gets no manifest") {
  House house;
  const Repository::PutOptions put = house.options();
  MemorySource source(noise(1000));
  PutResult result = house.repository->put(put, source);
  for (const std::string& name : house.names(1)) house.storages[1]->erase(name);
  Manifest manifest;
  manifest.id = put.backup;
  manifest.cluster = "shop";
  manifest.cluster_uuid = house.uuid;
  manifest.objects = result.objects;
  house.repository->commit(manifest, put.stem, 1, result.copies);
  CHECK(result.copies[0].ok());
  CHECK(result.copies[1].error.find("took it for abandoned") != std::string::npos);
  CHECK(house.names(1).empty());
}
