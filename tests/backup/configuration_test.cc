#include "backup/configuration.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "backup/config_diff.h"
#include "backup/configuration_source.h"
#include "backup/secret_seal.h"
#include "base/error.h"
#include "base/fd.h"
#include "stream/memory_stream.h"

using namespace bkp;
namespace fs = std::filesystem;

namespace {

KeyRing new_ring() { return KeyRing({generate_master_key(KeyState::active, TimePoint())}); }

struct Tree {
  Tree() : directory("/tmp", "bkp-configuration-") {}
  fs::path path(const std::string& name) const { return directory.path() / name; }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories(path(name).parent_path());
    std::ofstream(path(name)) << text;
  }
  ConfigurationPlan plan(std::vector<std::string> secrets = {}) const {
    ConfigurationPlan plan;
    ScanRequest request;
    request.paths.push_back({directory.path().string()});
    request.secrets = std::move(secrets);
    plan.scan = scan_files(request);
    return plan;
  }
  std::string in_archive(const std::string& name) const { return path(name).string().substr(1); }

  TemporaryDirectory directory;
};

std::string why_left_out(const Configuration& configuration, const fs::path& path) {
  for (const LeftOut& out : configuration.left_out)
    if (out.path == path.string()) return out.reason;
  return "";
}

const ConfigurationEntry* find(const Configuration& configuration, const std::string& path) {
  for (const ConfigurationEntry& entry : configuration.entries)
    if (entry.tar.path == path) return &entry;
  return nullptr;
}

}  // namespace

TEST_CASE("a file that vanishes, and one that becomes a link, after it was found is left out") {
  const Tree tree;
  tree.write("stays", "1");
  tree.write("vanishes", "2");
  tree.write("turns", "3");
  const ConfigurationPlan plan = tree.plan();
  fs::remove(tree.path("vanishes"));
  fs::remove(tree.path("turns"));
  fs::create_symlink("stays", tree.path("turns"));
  const Configuration found = survey(plan, TimePoint());
  CHECK(why_left_out(found, tree.path("vanishes")) == "it vanished while bkp looked");
  CHECK(why_left_out(found, tree.path("turns")) == "it is another kind of file by now");
  CHECK(found.problems() == 2);
  CHECK(find(found, tree.in_archive("stays")) != nullptr);
}

TEST_CASE("a hard link is left out with the file that it is a link to") {
  const Tree tree;
  tree.write("a", "secret");
  fs::create_hard_link(tree.path("a"), tree.path("b"));
  const Configuration found = survey(tree.plan({"b"}), TimePoint());
  CHECK(why_left_out(found, tree.path("a")).find("secret") != std::string::npos);
  CHECK(why_left_out(found, tree.path("b")).find("secret") != std::string::npos);
}

TEST_CASE("a file with a key in it is left out wherever the key stands, and does not count") {
  const Tree tree;
  const std::string key = "a-key-of-bkp's-that-is-44-characters-long-0123";
  tree.write("start", key + " and more");
  tree.write("over-a-border", std::string((256 << 10) - 20, 'x') + key);
  tree.write("large", std::string(5 << 20, 'x') + key);
  tree.write("almost", key.substr(1));
  ConfigurationPlan plan = tree.plan();
  plan.forbidden.emplace_back(key);
  const Configuration found = survey(plan, TimePoint());
  for (const char* name : {"start", "over-a-border", "large"}) {
    INFO(name);
    CHECK(why_left_out(found, tree.path(name)) == "it holds a key of bkp's");
  }
  CHECK(find(found, tree.in_archive("almost")) != nullptr);
  CHECK(found.problems() == 0);
}

TEST_CASE("the digest tells names, modes, targets and contents apart, and no times") {
  const Tree tree;
  tree.write("a", "1");
  fs::create_symlink("a", tree.path("link"));
  const auto digest = [&tree] { return survey(tree.plan(), TimePoint()).digest(); };
  const Digest256 before = digest();
  std::set<Digest256> all{before};
  fs::last_write_time(tree.path("a"), fs::file_time_type());
  CHECK(digest() == before);
  tree.write("a", "2");
  CHECK(all.insert(digest()).second);
  fs::permissions(tree.path("a"), fs::perms(0600));
  CHECK(all.insert(digest()).second);
  fs::remove(tree.path("link"));
  fs::create_symlink("b", tree.path("link"));
  CHECK(all.insert(digest()).second);
  fs::rename(tree.path("a"), tree.path("c"));
  CHECK(all.insert(digest()).second);
}

TEST_CASE("what a manifest says of a snapshot is read as it was, names of any bytes included") {
  const Tree tree;
  tree.write("\xff\xfe", "x");
  tree.write("s.key", "y");
  fs::create_hard_link(tree.path("s.key"), tree.path("t.key"));
  ConfigurationPlan plan = tree.plan({"*.key"});
  plan.secret_keys = new_ring();
  Configuration found = survey(plan, TimePoint());
  found.left_out.push_back({"/\xff", "no", false});
  const Configuration read = decode_configuration(encode_configuration(found));
  CHECK(read.digest() == found.digest());
  CHECK(encode_configuration(read) == encode_configuration(found));
  CHECK(find(read, tree.in_archive("t.key"))->secret);
  CHECK(compare_configurations(found, read).empty());
  for (const char* bad : {"{}", "", R"({"configuration":{}})",
                          R"({"configuration":{"left_out":[],"entries":[{"path":"a"}]}})"})
    CHECK_THROWS_AS(decode_configuration(bad), Error);
}

TEST_CASE("a stream holds every entry, secrets sealed, and opens with their key alone") {
  const Tree tree;
  tree.write("plain", "in the open");
  tree.write("a.key", "hidden-away");
  ConfigurationPlan plan = tree.plan({"*.key"});
  plan.secret_keys = new_ring();
  plan.server.files.push_back({"settings.json", "[]\n"});
  Manifest begun;
  begun.id = Uuid::random();
  begun.cluster_uuid = Uuid::random();
  WorkerPool pool;
  ConfigurationOutcome outcome;
  ConfigurationSource source(plan, begun, Suite::aes_256_gcm, pool, outcome);
  const Bytes archive = read_all(source, 1 << 20);
  CHECK(as_text(archive).find("in the open") != std::string_view::npos);
  CHECK(as_text(archive).find("hidden-away") == std::string_view::npos);
  CHECK(outcome.configuration.entries.front().tar.path == kServerDirectory);
  CHECK(outcome.configuration.digest() == survey(plan, begun.created_at).digest());
}

TEST_CASE("a sealed file opens in its own place only, and damage is found") {
  const KeyRing keys = new_ring();
  WorkerPool pool;
  const Bytes plain(3 << 20, std::byte{7});
  const SecretPlace place{Uuid::random(), Uuid::random(), "etc/a.key"};
  const Bytes sealed = seal_secret(place, plain, keys, Suite::aes_256_gcm, pool);
  CHECK(open_secret(place, sealed, keys) == plain);
  CHECK(open_secret(place, seal_secret(place, {}, keys, Suite::aes_256_cbc_hmac_sha256, pool), keys)
            .empty());
  CHECK_THROWS_AS(open_secret({place.cluster, place.backup, "etc/b.key"}, sealed, keys), Error);
  CHECK_THROWS_AS(open_secret({place.cluster, Uuid::random(), place.path}, sealed, keys), Error);
  CHECK_THROWS_AS(open_secret(place, sealed, new_ring()), Error);
  for (std::size_t at = 0; at < sealed.size(); at += 97) {
    Bytes damaged = sealed;
    damaged[at] ^= std::byte{1};
    INFO(at);
    CHECK_THROWS_AS(open_secret(place, damaged, keys), Error);
  }
  for (std::size_t size = 0; size < sealed.size(); size += 211)
    CHECK_THROWS_AS(open_secret(place, ByteView(sealed).first(size), keys), Error);
  const SecretProof proof = prove_secret(plain, keys);
  CHECK(prove_secret_again(plain, keys, proof) == proof);
  CHECK_FALSE(prove_secret_again(plain, new_ring(), proof));
}

TEST_CASE("members of what the server says are told apart by their names") {
  CHECK(compare_server_files(R"([{"name":"a","setting":"1"},{"name":"b","setting":"2"}])",
                             R"([{"name":"b","setting":"3"},{"name":"c","setting":"4"}])") ==
        std::vector<std::string>{"a: removed", R"(b: setting "2" → "3")", "c: added"});
  CHECK(compare_server_files("{", "[]").empty());
}
