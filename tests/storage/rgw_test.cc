// What only a real store can show: its refusals, its certificate, its versions.
#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "storage/s3_fixture.h"
#include "stream/memory_stream.h"
#include "support/sample_bytes.h"

using namespace bkp;
using namespace bkp::test;
using Names = std::vector<std::string>;

namespace {

class ShiftedClock final : public Clock {
 public:
  explicit ShiftedClock(std::chrono::seconds shift) : shift_(shift) {}
  TimePoint now() const override { return SystemClock().now() + shift_; }

 private:
  std::chrono::seconds shift_;
};

// The Error of each method of a storage that cannot work, which all have to be alike.
void check_refusals(Storage& storage, const std::string& message, const std::string& hint) {
  const std::function<void()> calls[] = {
      [&] { storage.info(); },
      [&] { storage.list("a"); },
      [&] { storage.open("a"); },
      [&] { write_object(storage, "a", as_bytes("x")); },
      [&] { write_object(storage, "a", sample_bytes(17 << 20)); },
      [&] {
        for (const Outcome& outcome : storage.remove(Names{"a"}))
          if (outcome.error) throw *outcome.error;
      }};
  for (const auto& call : calls) {
    INFO("call " << &call - calls);
    try {
      call();
      FAIL_CHECK("no error");
    } catch (const StorageUnreachable& error) {
      FAIL_CHECK("unreachable: " << error.message());
    } catch (const Error& error) {
      CHECK_THAT(error.message(), Catch::StartsWith("storage 's3': cannot "));
      CHECK_THAT(error.message(), Catch::Contains(message));
      CHECK_THAT(error.hint(), Catch::Contains(hint));
    }
  }
}

void enable_versions(const S3Client& client) {
  const std::string enable =
      "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
      "<Status>Enabled</Status></VersioningConfiguration>";
  S3Request request;
  request.method = "PUT";
  request.query = {{"versioning", ""}};
  request.body = as_bytes(enable);
  client.send(request, "enable versions");
}

}  // namespace

TEST_CASE("each refusal is one message that says what to correct") {
  StorageConfig config = S3Server::rgw().config();
  S3Options options = quick_options();
  SECTION("secret key") {
    config.secret_key = Secret(std::string_view("wrong"));
    S3Storage storage(config, options);
    check_refusals(storage, "the secret key does not belong to the access key",
                   "check access_key_… and secret_key_… of [[storage]] 's3'");
  }
  SECTION("access key") {
    config.access_key = Secret(std::string_view("UNKNOWN"));
    S3Storage storage(config, options);
    check_refusals(storage, "the store does not know the access key", "[[storage]] 's3'");
  }
  SECTION("bucket") {
    config.bucket = "no-such-bucket";
    S3Storage storage(config, options);
    check_refusals(storage,
                   "there is no bucket 'no-such-bucket' at http://127.0.0.1:", "create it");
  }
  SECTION("clock") {
    options.clock = std::make_shared<ShiftedClock>(std::chrono::hours(-1));
    S3Storage storage(config, options);
    check_refusals(storage, "this host's clock says ", "set the clock");
  }
}

TEST_CASE("the store's clock is told") {
  S3Storage storage(S3Server::rgw().config(), quick_options());
  const StorageInfo info = storage.info();
  REQUIRE(info.clock);
  CHECK(std::chrono::abs(*info.clock - SystemClock().now()) < std::chrono::seconds(10));
  CHECK_THAT(info.location, Catch::EndsWith("/bkp/"));
  CHECK_FALSE(info.capacity);
}

TEST_CASE("TLS works with the authority's certificate and not without it") {
  const S3Server& server = S3Server::rgw();
  StorageConfig config = server.config("tls");
  config.endpoint = "https://localhost:" + std::to_string(server.tls_port());
  SECTION("with it") {
    config.ca_file = server.certificate();
    S3Storage storage(config, quick_options());
    const Bytes content = sample_bytes(17 << 20);
    write_object(storage, "o", content);
    CHECK(read_object(storage, "o") == content);
    storage.remove(Names{"o"});
  }
  SECTION("without it") {
    S3Storage storage(config, quick_options());
    check_refusals(storage, "certificate", "ca_file");
  }
  SECTION("for another host") {
    config.ca_file = server.certificate();
    config.endpoint = "https://127.0.0.2:" + std::to_string(server.tls_port());
    S3Storage storage(config, quick_options());
    CHECK_THROWS_AS(storage.info(), Error);
  }
}

TEST_CASE("a prefix separates storages in one bucket") {
  const StorageConfig config = S3Server::rgw().config("/one/two/");
  S3Storage inner(config, quick_options());
  S3Storage outer(S3Server::rgw().config("one"), quick_options());
  S3Storage beside(S3Server::rgw().config("one/tw"), quick_options());
  write_object(inner, "o", as_bytes("x"));
  CHECK(inner.list("").at(0).name == "o");
  CHECK(outer.list("").at(0).name == "two/o");
  CHECK(beside.list("").empty());
  inner.remove(Names{"o"});
  CHECK(outer.list("").empty());
}

TEST_CASE("removing takes every version of an object and its delete markers") {
  const S3Server& server = S3Server::rgw();
  server.create_bucket("versioned");
  StorageConfig config = server.config();
  config.bucket = "versioned";
  const S3Client client(config, quick_options());
  enable_versions(client);
  const auto versions = [&] {
    S3Request list;
    list.method = "GET";
    list.query = {{"versions", ""}};
    return parse_list_versions(client.send(list, "list").body).versions.size();
  };

  config.provider = GENERATE("", "b2");
  S3Storage storage(config, quick_options());
  for (const char* name : {"a", "b", "ba", "c"}) {
    write_object(storage, name, as_bytes("1"));
    write_object(storage, name, as_bytes("2"), IfExists::replace);
  }
  S3Request hide;
  hide.method = "DELETE";
  hide.key = "b";
  client.send(hide, "hide");
  CHECK(versions() == 9);
  CHECK(storage.list("").size() == 3);
  for (const Outcome& outcome : storage.remove(Names{"a", "b", "none"})) CHECK_FALSE(outcome.error);
  CHECK(versions() == 4);
  CHECK(storage.list("").size() == 2);
  storage.remove(Names{"ba", "c"});
  CHECK(versions() == 0);
}

TEST_CASE(
    "leftovers are uploads that ended nowhere and versions behind an object, and go one by one") {
  const S3Server& server = S3Server::rgw();
  server.create_bucket("leftovers");
  StorageConfig config = server.config();
  config.bucket = "leftovers";
  config.prefix = "in";
  const S3Client client(config, quick_options());
  enable_versions(client);
  S3Storage storage(config, quick_options());
  write_object(storage, "shop/live", as_bytes("old"));
  write_object(storage, "shop/live", as_bytes("new"), IfExists::replace);
  write_object(storage, "shop/gone", as_bytes("1"));
  write_object(storage, "other/live", as_bytes("old"));
  write_object(storage, "other/live", as_bytes("new"), IfExists::replace);
  S3Request request;
  request.method = "DELETE";
  request.key = "in/shop/gone";
  client.send(request, "hide");
  request.method = "POST";
  request.key = "in/shop/begun";
  request.query = {{"uploads", ""}};
  client.send(request, "begin");

  std::vector<Leftover> found = storage.leftovers("shop/");
  REQUIRE(found.size() == 4);
  const TimePoint now = SystemClock().now();
  for (const Leftover& leftover : found) {
    CHECK(leftover.since > now - std::chrono::hours(1));
    CHECK(leftover.since < now + std::chrono::hours(1));
  }
  CHECK(found[0].kind == Leftover::Kind::upload);
  CHECK(found[0].name == "shop/begun");
  for (const Leftover& leftover : found)
    if (leftover.name == "shop/gone") CHECK(leftover.kind == Leftover::Kind::hidden);
  for (const Leftover& leftover : found)
    if (leftover.kind == Leftover::Kind::superseded) {
      CHECK(leftover.name == "shop/live");
      CHECK(leftover.size == 3);
    }
  for (const Leftover& leftover : found) CHECK_FALSE(storage.discard(leftover));
  for (const Leftover& leftover : found) CHECK_FALSE(storage.discard(leftover));  // gone is good
  CHECK(storage.leftovers("shop/").empty());
  CHECK(as_text(*read_object(storage, "shop/live")) == "new");
  CHECK(storage.leftovers("other/").size() == 1);
}

TEST_CASE("removing many names skips the versions of others between them") {
  const S3Server& server = S3Server::rgw();
  server.create_bucket("versioned-many");
  StorageConfig config = server.config();
  config.bucket = "versioned-many";
  config.provider = "b2";
  S3Storage storage(config, quick_options());
  Names all;
  for (int i = 0; i < 1200; ++i) all.push_back("x/" + std::to_string(10'000 + i));
  {
    std::vector<std::jthread> writers;
    for (std::size_t t = 0; t < 4; ++t)
      writers.emplace_back([&, t] {
        for (std::size_t i = t; i < all.size(); i += 4)
          write_object(storage, all[i], as_bytes("x"), IfExists::replace);
      });
  }
  const Names some{all.front(), all[1], all[600], all[1100], all.back()};
  for (const Outcome& outcome : storage.remove(some)) CHECK_FALSE(outcome.error);
  const auto left = storage.list("");
  CHECK(left.size() == all.size() - some.size());
  for (const std::string& name : some) CHECK(storage.open(name) == nullptr);
}

TEST_CASE("an upload of a killed writer is found and removed under its name") {
  StorageConfig config = S3Server::rgw().config("killed");
  S3Storage storage(config, quick_options());
  S3Request begin;
  begin.method = "POST";
  begin.query = {{"uploads", ""}};
  const S3Client client(config, quick_options());
  for (const char* name : {"a/o", "a/o", "a/o2"}) {
    begin.key = client.key_of(name);
    client.send(begin, "begin");
  }
  CHECK(unfinished_uploads(config) == 3);
  storage.remove(Names{"a/o"});
  CHECK(unfinished_uploads(config) == 1);
  CHECK(storage.list("").empty());
  storage.remove(Names{"a/o2"});
  CHECK(unfinished_uploads(config) == 0);
}
