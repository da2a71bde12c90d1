// The s3 driver against answers that honest servers seldom give.
#include "storage/s3.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <map>

#include "crypto/digest.h"
#include "stream/memory_stream.h"
#include "support/sample_bytes.h"
#include "support/scripted_server.h"

using namespace bkp;
using namespace bkp::test;
using namespace std::chrono_literals;
using Names = std::vector<std::string>;

namespace {

constexpr const char* kEmptyList =
    "<ListBucketResult><IsTruncated>false</IsTruncated>"
    "</ListBucketResult>";

// Answers requests by what they begin with ("PUT /b/o"), each with its own answers in turn, the
// last of them again and again; anything else is 404 NoSuchKey.
class Store {
 public:
  struct Answer {
    int status = 200;
    std::string body;
    std::string headers;
  };

  void on(const std::string& start, std::vector<Answer> answers) {
    answers_.emplace_back(start, std::move(answers));
  }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::size_t count(std::string_view start) {
    std::size_t found = 0;
    for (const std::string& request : requests()) found += request.starts_with(start);
    return found;
  }
  StorageConfig config() {
    StorageConfig config;
    config.name = "s3";
    config.type = StorageType::s3;
    config.endpoint = server_.url("");
    config.region = "r";
    config.bucket = "b";
    config.access_key = Secret(std::string_view("key"));
    config.secret_key = Secret(std::string_view("secret"));
    return config;
  }
  S3Storage storage() {
    S3Options options;
    options.first_wait = 2ms;
    options.longest_wait = 20ms;
    options.http.stall = 2s;
    return S3Storage(config(), options);
  }

 private:
  void serve(Connection& connection) {
    for (std::string request; !(request = connection.read_request()).empty();) {
      const Answer answer = answer_to(request);
      if (answer.status == 0) return;  // hang up
      if (request.starts_with("HEAD"))
        connection.send(fmt::format("HTTP/1.1 {} X\r\n{}\r\n", answer.status, answer.headers));
      else
        connection.answer(answer.status, answer.body, answer.headers);
    }
  }
  Answer answer_to(const std::string& request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    for (auto& [start, answers] : answers_) {
      if (!request.starts_with(start)) continue;
      const Answer answer = answers.front();
      if (answers.size() > 1) answers.erase(answers.begin());
      return answer;
    }
    return {404, "<Error><Code>NoSuchKey</Code></Error>", ""};
  }

  std::mutex mutex_;
  std::vector<std::pair<std::string, std::vector<Answer>>> answers_;
  std::vector<std::string> requests_;
  ScriptedServer server_{[this](Connection& connection) { serve(connection); }};
};

Store::Answer hang_up() { return {0, "", ""}; }
Store::Answer refusal(int status, const std::string& code = "", const std::string& message = "") {
  if (code.empty()) return {status, "", ""};
  return {status, fmt::format("<Error><Code>{}</Code><Message>{}</Message></Error>", code, message),
          ""};
}
Store::Answer with_etag(const std::string& etag) {
  return {200, "", fmt::format("ETag: \"{}\"\r\n", etag)};
}

std::string md5_of(std::string_view text) { return to_hex(md5(as_bytes(text))); }

}  // namespace

TEST_CASE("a passing refusal is tried again, up to five times") {
  Store store;
  const Store::Answer passing =
      GENERATE(refusal(500), refusal(503, "SlowDown"), refusal(429), refusal(408),
               refusal(400, "RequestTimeout"), refusal(400, "X", "request body too small"),
               refusal(400, "BadDigest"), refusal(409, "OperationAborted"), hang_up());
  SECTION("until it is answered") {
    store.on("PUT /b/o", {passing, passing, passing, passing, with_etag(md5_of("x"))});
    S3Storage storage = store.storage();
    write_object(storage, "o", as_bytes("x"));
    CHECK(store.count("PUT /b/o") == 5);
  }
  SECTION("and no more") {
    store.on("PUT /b/o", {passing});
    store.on("GET /b?list-type", {{200, kEmptyList, ""}});
    S3Storage storage = store.storage();
    CHECK_THROWS_AS(write_object(storage, "o", as_bytes("x")), StorageUnreachable);
    // Those over a kept connection are repeated once over a new one.
    CHECK(store.count("PUT /b/o") == (passing.status == 0 ? 9 : 5));
  }
}

TEST_CASE("a lasting refusal is not tried again") {
  Store store;
  const Store::Answer lasting =
      GENERATE(refusal(400, "InvalidArgument"), refusal(403), refusal(403, "AccessDenied"),
               refusal(405), refusal(409), refusal(507), refusal(301, "PermanentRedirect"));
  store.on("PUT /b/o", {lasting});
  S3Storage storage = store.storage();
  try {
    write_object(storage, "o", as_bytes("x"));
    FAIL("no error");
  } catch (const StorageUnreachable&) {
    FAIL("unreachable");
  } catch (const Error& error) {
    CHECK_THAT(error.message(), Catch::StartsWith("storage 's3': cannot write 'o': "));
  }
  CHECK(store.count("PUT /b/o") == 1);
}

TEST_CASE("a refusal hidden behind resets is found out") {
  Store store;
  store.on("PUT /b/o", {hang_up()});
  store.on("GET /b?list-type", {refusal(403, "InvalidAccessKeyId")});
  S3Storage storage = store.storage();
  CHECK_THROWS_WITH(write_object(storage, "o", as_bytes("x")),
                    "storage 's3': cannot write 'o': the store does not know the access key "
                    "(InvalidAccessKeyId)");
}

TEST_CASE("what is sent carries its MD5, its SHA-256, its length, and no other checksum") {
  Store store;
  store.on("PUT /b/o", {with_etag(md5_of("hello"))});
  S3Storage storage = store.storage();
  write_object(storage, "o", as_bytes("hello"));
  const std::string request = store.requests().at(0);
  CHECK_THAT(request, Catch::Contains("Content-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\n"));
  CHECK_THAT(request, Catch::Contains("x-amz-content-sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161"
                                      "e5c1fa7425e73043362938b9824\r\n"));
  CHECK_THAT(request, Catch::Contains("Content-Length: 5\r\n"));
  CHECK_THAT(request, Catch::Contains("If-None-Match: *\r\n"));
  for (const char* absent : {"Expect", "x-amz-checksum", "x-amz-trailer", "Transfer-Encoding"})
    CHECK_THAT(request, !Catch::Contains(absent));
}

TEST_CASE("a store without conditional writes is asked first, and remembered") {
  Store store;
  store.on("PUT /b/o", {refusal(501, "NotImplemented"), with_etag(md5_of("x"))});
  store.on("PUT /b/p", {with_etag(md5_of("x"))});
  store.on("HEAD /b/o",
           {{404, "", ""}, {200, "", "Content-Length: 1\r\nETag: \"" + md5_of("x") + "\"\r\n"}});
  store.on("HEAD /b/p",
           {{404, "", ""}, {200, "", "Content-Length: 1\r\nETag: \"" + md5_of("x") + "\"\r\n"}});
  S3Storage storage = store.storage();
  write_object(storage, "o", as_bytes("x"));
  CHECK(store.count("PUT /b/o") == 2);
  write_object(storage, "p", as_bytes("x"));
  CHECK(store.count("PUT /b/p") == 1);
  CHECK_THAT(store.requests().back(), Catch::StartsWith("HEAD /b/p"));
}

TEST_CASE("a PUT that the store does not confirm is an error") {
  Store store;
  store.on("PUT /b/o", {{200, "", ""}});
  S3Storage storage = store.storage();
  CHECK_THROWS_WITH(write_object(storage, "o", as_bytes("x")),
                    "storage 's3': the store did not confirm 'o'");
}

TEST_CASE("another writer's object that came between is an error") {
  Store store;
  store.on("PUT /b/o", {refusal(501), with_etag(md5_of("x"))});
  store.on("HEAD /b/o",
           {{404, "", ""}, {200, "", "Content-Length: 1\r\nETag: \"" + md5_of("y") + "\"\r\n"}});
  store.on("GET /b/o", {{200, "y", ""}});
  S3Storage storage = store.storage();
  CHECK_THROWS_WITH(write_object(storage, "o", as_bytes("x")), Catch::Contains("exists already"));
}

TEST_CASE("an ETag that is no MD5 is settled by reading back") {
  Store store;
  store.on("PUT /b/o", {refusal(412, "PreconditionFailed")});
  store.on("HEAD /b/o", {{200, "", "Content-Length: 5\r\nETag: \"opaque\"\r\n"}});
  const bool same = GENERATE(true, false);
  store.on("GET /b/o", {{200, same ? "hello" : "hellO", "ETag: \"opaque\"\r\n"}});
  S3Storage storage = store.storage();
  if (same)
    write_object(storage, "o", as_bytes("hello"));
  else
    CHECK_THROWS_WITH(write_object(storage, "o", as_bytes("hello")),
                      Catch::Contains("exists already and holds other bytes"));
}

namespace {

struct Multipart {
  Store store;
  Bytes content = sample_bytes(std::size_t{17} << 20);

  Multipart() {
    store.on("POST /b/o?uploads=", {{200,
                                     "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                                     "</InitiateMultipartUploadResult>",
                                     ""}});
    store.on("PUT /b/o?partNumber=1&uploadId=u", {with_etag("one")});
    store.on("PUT /b/o?partNumber=2&uploadId=u", {with_etag("two")});
    store.on("DELETE /b/o?uploadId=u", {{204, "", ""}});
  }
  void write(IfExists if_exists = IfExists::replace) {
    S3Storage storage = store.storage();
    write_object(storage, "o", content, if_exists);
  }
};

const std::string kCompleted =
    "<CompleteMultipartUploadResult><ETag>\"e-2\"</ETag></CompleteMultipartUploadResult>";

}  // namespace

TEST_CASE("parts are of equal size and the last one is no larger") {
  Multipart upload;
  upload.store.on("POST /b/o?uploadId=u", {{200, kCompleted, ""}});
  upload.write();
  const auto requests = upload.store.requests();
  REQUIRE(requests.size() == 4);
  CHECK_THAT(requests[1], Catch::Contains("Content-Length: 16777216\r\n"));
  CHECK_THAT(requests[2], Catch::Contains("Content-Length: 1048576\r\n"));
  CHECK_THAT(requests[3], Catch::EndsWith("<Part><PartNumber>2</PartNumber><ETag>\"two\"</ETag>"
                                          "</Part></CompleteMultipartUpload>"));
}

TEST_CASE("a sink tells that its bytes go out, so that a slow line is not taken for a dead one") {
  Multipart upload;
  upload.store.on("POST /b/o?uploadId=u", {{200, kCompleted, ""}});
  S3Storage storage = upload.store.storage();
  const std::unique_ptr<Sink> sink = storage.create("o", {});
  const auto* advancing = dynamic_cast<const Advancing*>(sink.get());
  REQUIRE(advancing != nullptr);
  CHECK(advancing->advanced() == 0);
  sink->write(upload.content);
  CHECK(advancing->advanced() == std::uint64_t{16} << 20);
}

TEST_CASE("an error in the body of a completion with status 200 is an error") {
  Multipart upload;
  SECTION("a passing one is tried again") {
    upload.store.on("POST /b/o?uploadId=u", {{200, "<Error><Code>InternalError</Code></Error>", ""},
                                             {200, kCompleted, ""}});
    upload.write();
    CHECK(upload.store.count("POST /b/o?uploadId=u") == 2);
    CHECK(upload.store.count("DELETE") == 0);
  }
  SECTION("one that stays ends in an abort") {
    const char* code = GENERATE("InternalError", "InvalidPart");
    upload.store.on("POST /b/o?uploadId=u",
                    {{200, fmt::format("<Error><Code>{}</Code></Error>", code), ""}});
    CHECK_THROWS_WITH(upload.write(), Catch::StartsWith("storage 's3': cannot write 'o': "));
    CHECK(upload.store.count("DELETE /b/o?uploadId=u") == 1);
  }
  SECTION("no ETag is believed only when the object is there") {
    upload.store.on("POST /b/o?uploadId=u", {{200, "<CompleteMultipartUploadResult/>", ""}});
    CHECK_THROWS_WITH(upload.write(), "storage 's3': the store did not confirm 'o'");
  }
}

TEST_CASE("an upload that vanished is an error unless its object is there") {
  Multipart upload;
  upload.store.on("POST /b/o?uploadId=u", {refusal(404, "NoSuchUpload")});
  SECTION("it is not") { CHECK_THROWS_WITH(upload.write(), Catch::Contains("NoSuchUpload")); }
  SECTION("it is") {
    const ByteView content = upload.content;
    const std::size_t part = std::size_t{16} << 20;
    Bytes digests = to_bytes(md5(content.first(part)));
    append(digests, md5(content.subspan(part)));
    upload.store.on("HEAD /b/o", {{200, "",
                                   fmt::format("Content-Length: {}\r\nETag: \"{}-2\"\r\n",
                                               content.size(), to_hex(md5(digests)))}});
    upload.write();
    CHECK(upload.store.count("HEAD /b/o") == 1);
  }
}

TEST_CASE("a part that the store does not confirm is an error") {
  Multipart upload;
  upload.store.on("POST /b/q?uploads=", {{200,
                                          "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                                          "</InitiateMultipartUploadResult>",
                                          ""}});
  upload.store.on("PUT /b/q?partNumber=1", {{200, "", ""}});
  S3Storage storage = upload.store.storage();
  CHECK_THROWS_WITH(write_object(storage, "q", upload.content),
                    "storage 's3': the store did not confirm 'q'");
}

TEST_CASE("absent is what the store itself says, not any 404") {
  Store store;
  SECTION("by its code") {
    S3Storage storage = store.storage();
    CHECK(storage.open("o") == nullptr);
    CHECK(store.requests().size() == 1);
  }
  SECTION("a missing bucket is not a missing object") {
    store.on("GET /b/o", {refusal(404, "NoSuchBucket")});
    S3Storage storage = store.storage();
    CHECK_THROWS_WITH(storage.open("o"), Catch::Contains("there is no bucket 'b'"));
  }
  SECTION("an empty body is confirmed by the list") {
    store.on("GET /b/o", {refusal(404)});
    store.on("GET /b?list-type=2", {{200, kEmptyList, ""}});
    S3Storage storage = store.storage();
    CHECK(storage.open("o") == nullptr);
  }
  SECTION("and a server that knows no lists is no store") {
    store.on("GET /", {{404, "<html>nginx</html>", ""}});
    S3Storage storage = store.storage();
    CHECK_THROWS_WITH(storage.open("o"), Catch::Contains("the store answered 404"));
  }
}

TEST_CASE("a range that the store ignores or shifts is an error") {
  Store store;
  const Store::Answer wrong =
      GENERATE(Store::Answer{200, "0123456789", ""}, Store::Answer{206, "345", ""},
               Store::Answer{206, "345", "Content-Range: bytes 3-5/10\r\n"},
               Store::Answer{206, "345", "Content-Range: bytes x-5/10\r\n"},
               Store::Answer{206, "345", "Content-Range: bytes 2\r\n"},
               Store::Answer{206, "345", "Content-Range: 2-4/10\r\n"});
  store.on("GET /b/o", {wrong});
  S3Storage storage = store.storage();
  CHECK_THROWS_WITH(storage.open("o", {2, 3}), Catch::Contains("did not answer with the range"));
}

TEST_CASE("a body shorter than its range is read on, and is an error when nothing more comes") {
  Store store;
  const std::string tag = "ETag: \"e\"\r\n";
  SECTION("read on") {
    store.on("GET /b/o", {{206, "2345", tag + "Content-Range: bytes 2-7/10\r\n"},
                          {206, "67", tag + "Content-Range: bytes 6-7/10\r\n"}});
    S3Storage storage = store.storage();
    CHECK(to_string(read_all(*storage.open("o", {2, 6}), 100)) == "234567");
    CHECK_THAT(store.requests().at(1), Catch::Contains("Range: bytes=6-7\r\n"));
    CHECK_THAT(store.requests().at(1), Catch::Contains("If-Match: \"e\"\r\n"));
  }
  SECTION("nothing more") {
    store.on("GET /b/o", {{206, "2345", tag + "Content-Range: bytes 2-7/10\r\n"},
                          {206, "", tag + "Content-Range: bytes 6-7/10\r\n"}});
    S3Storage storage = store.storage();
    const auto source = storage.open("o", {2, 6});
    CHECK_THROWS_AS(read_all(*source, 100), StorageUnreachable);
    CHECK(store.requests().size() < 10);
  }
  SECTION("another object") {
    store.on("GET /b/o", {{206, "2345", tag + "Content-Range: bytes 2-7/10\r\n"},
                          {206, "67", "ETag: \"f\"\r\nContent-Range: bytes 6-7/10\r\n"}});
    S3Storage storage = store.storage();
    CHECK_THROWS_WITH(read_all(*storage.open("o", {2, 6}), 100),
                      Catch::Contains("changed while it was read"));
  }
}

TEST_CASE("a list that does not go on is an error, not an endless loop") {
  Store store;
  store.on("GET /b?", {{200,
                        "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
                        "</NextContinuationToken></ListBucketResult>",
                        ""}});
  S3Storage storage = store.storage();
  CHECK_THROWS_WITH(storage.list(""), Catch::Contains("does not go on"));
}

TEST_CASE("a store without batch deletes, versions or lists of uploads still removes") {
  Store store;
  store.on("GET /b?versioning=", {refusal(501)});
  store.on("POST /b?delete=",
           {GENERATE(refusal(501, "NotImplemented"), refusal(405), refusal(400, "MalformedXML"))});
  store.on("GET /b?prefix=", {refusal(501)});
  store.on("GET /b?", {refusal(501)});
  store.on("DELETE /b/a", {{204, "", ""}});
  store.on("DELETE /b/b", {refusal(403, "AccessDenied")});
  S3Storage storage = store.storage();
  for (int round = 0; round < 2; ++round) {
    const auto outcomes = storage.remove(Names{"a", "b", "c"});
    CHECK_FALSE(outcomes[0].error);
    REQUIRE(outcomes[1].error);
    CHECK_THAT(outcomes[1].error->message(),
               Catch::StartsWith("storage 's3': cannot remove 'b': access denied"));
    CHECK_FALSE(outcomes[2].error);
  }
  CHECK(store.count("POST /b?delete=") == 1);
  CHECK(store.count("GET /b?versioning=") == 1);
  CHECK(store.count("GET /b?prefix=") == 1);
}

TEST_CASE("a batch delete's failures are told by name, its empty errors are passed over") {
  Store store;
  store.on("GET /b?versioning=", {{200, "<VersioningConfiguration/>", ""}});
  store.on("GET /b?prefix=", {{200, "<ListMultipartUploadsResult/>", ""}});
  store.on("POST /b?delete=", {{200,
                                "<DeleteResult><Deleted><Key>a</Key></Deleted><Error/>"
                                "<Error><Key>b</Key><Code>AccessDenied</Code></Error>"
                                "<Error><Key>c</Key><Code>NoSuchKey</Code></Error></DeleteResult>",
                                ""}});
  store.on("DELETE /b/d", {{204, "", ""}});
  S3Storage storage = store.storage();
  const auto outcomes = storage.remove(Names{"a", "b", "c", "d"});
  CHECK_FALSE(outcomes[0].error);
  CHECK(outcomes[1].error);
  CHECK_FALSE(outcomes[2].error);
  CHECK_FALSE(outcomes[3].error);
  CHECK(store.count("DELETE /b/d") == 1);  // which the answer did not mention
}

TEST_CASE("a store that is not there is unreachable within a second") {
  StorageConfig config;
  config.name = "s3";
  config.bucket = "b";
  config.endpoint = fmt::format("http://127.0.0.1:{}", free_port());
  S3Options options;
  options.first_wait = 2ms;
  S3Storage storage(config, options);
  const auto start = std::chrono::steady_clock::now();
  try {
    storage.info();
    FAIL("no error");
  } catch (const StorageUnreachable& error) {
    CHECK_THAT(error.message(), Catch::StartsWith("storage 's3': cannot reach the store: "));
    CHECK_THAT(error.hint(), Catch::Contains(config.endpoint));
  }
  CHECK(std::chrono::steady_clock::now() - start < 1s);
}

TEST_CASE("an endpoint that is no URL is an error of the configuration") {
  StorageConfig config;
  config.name = "s3";
  config.endpoint = GENERATE("", "s3.example.com", "ftp://x", "//x");
  try {
    S3Storage storage(config);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::usage);
  }
}
